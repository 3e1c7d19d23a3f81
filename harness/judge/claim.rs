//! What an implementation says that it has made, against what the kernel says.

use std::collections::BTreeSet;

use crate::implement::EndpointClaim;

/// Says how a claim differs from a node's table of addresses, each line of which begins with the name of
/// an interface; nothing where it does not. An implementation that claims nothing is not wrong.
pub fn judge_claim(claim: &EndpointClaim, table: &[String]) -> Option<String> {
    if claim.addresses.is_empty() {
        return None;
    }
    let of_link = |line: &&String| {
        let name = line.split_whitespace().next().unwrap_or_default();
        name.trim_end_matches(':') == claim.on.ifname.as_str()
    };
    let address = |word: &&str| word.contains('/');
    let has: BTreeSet<&str> = table
        .iter()
        .filter(of_link)
        .flat_map(|line| line.split_whitespace().filter(address))
        .filter(|address| !address.starts_with("fe80:"))
        .collect();
    let claimed: BTreeSet<&str> = claim.addresses.iter().map(String::as_str).collect();
    let listed = |set: &BTreeSet<&str>| match set.len() {
        0 => "no address".to_owned(),
        _ => set.iter().copied().collect::<Vec<_>>().join(", "),
    };
    (has != claimed).then(|| {
        let (claimed, has) = (listed(&claimed), listed(&has));
        let bare = claim.addresses.iter().any(|it| !it.contains('/'));
        let help = if bare {
            "; a claim has the length of the prefix, as in 10.0.0.2/24"
        } else {
            ""
        };
        format!(
            "it claims {claimed} for {}, which has {has}{help}",
            claim.on
        )
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::true_one(&["10.0.0.2/24"], None)]
    #[case::nothing(&[], None)]
    #[case::another(
        &["10.0.0.9/24"],
        Some("it claims 10.0.0.9/24 for c1/eth0, which has 10.0.0.2/24")
    )]
    #[case::too_much(
        &["10.0.0.2/24", "10.0.0.9/24"],
        Some("it claims 10.0.0.2/24, 10.0.0.9/24 for c1/eth0, which has 10.0.0.2/24")
    )]
    #[case::too_little(
        &["10.1.0.2/24"],
        Some("it claims 10.1.0.2/24 for c1/eth1, which has 10.1.0.2/24, 10.9.0.2/24")
    )]
    #[case::none(
        &["10.0.0.2/24"],
        Some("it claims 10.0.0.2/24 for c1/eth9, which has no address")
    )]
    #[case::bare(
        &["10.0.0.2"],
        Some(
            "it claims 10.0.0.2 for c1/eth0, which has 10.0.0.2/24; a claim has the length of the \
             prefix, as in 10.0.0.2/24"
        )
    )]
    fn a_claim_is_as_true_as_the_table(#[case] claimed: &[&str], #[case] reason: Option<&str>) {
        let on = reason
            .and_then(|reason| reason.split(" for ").nth(1)?.split(',').next())
            .unwrap_or("c1/eth0");
        let claim = EndpointClaim {
            on: on.parse().unwrap(),
            addresses: claimed.iter().map(|&it| it.to_owned()).collect(),
        };
        let table = [
            "eth0 10.0.0.2/24".to_owned(),
            "eth0 fe80::1/64".to_owned(),
            "eth1 10.9.0.2/24".to_owned(),
            "eth1 10.1.0.2/24".to_owned(),
            "eth10 10.8.0.2/24".to_owned(),
        ];
        assert_eq!(judge_claim(&claim, &table).as_deref(), reason);
    }
}
