//! What the kernel can do for a network, found out by trying it in a node that is thrown away.

use nix::errno::Errno;

use super::check::{Check, Status};
use super::error::WorldError;
use super::node::Node;
use crate::kernel::route::{BridgeSettings, NewLink};
use crate::kernel::sysctl;
use crate::kernel::{Action, Family, KernelError, Mac, Match, NftHook, NftSocket};

/// A kind of link by the kernel's word for it.
struct Kind {
    kind: &'static str,
    /// The module that has it.
    module: &'static str,
    /// It stands on another link.
    stands_on: bool,
}

const fn kind(kind: &'static str, module: &'static str, stands_on: bool) -> Kind {
    Kind {
        kind,
        module,
        stands_on,
    }
}

const KINDS: &[Kind] = &[
    kind("dummy", "dummy", false),
    kind("ifb", "ifb", false),
    kind("vlan", "8021q", true),
    kind("macvlan", "macvlan", true),
    kind("ipvlan", "ipvlan", true),
    kind("vxlan", "vxlan", false),
    kind("geneve", "geneve", false),
    kind("gre", "ip_gre", false),
    kind("ipip", "ipip", false),
    kind("vrf", "vrf", false),
    kind("bond", "bonding", false),
    kind("wireguard", "wireguard", false),
];

const ABSENT: &str = "the kernel has none";
const UNSUPPORTED: &str = "a scenario that needs it is `unsupported`";

const BELOW: &str = "below";
const TRIED: &str = "tried";

/// Returns what brings a feature into the kernel.
fn cure(module: &str) -> String {
    format!(
        "`sudo modprobe {module}`, or first the package that has the module, as in \
         `sudo apt install linux-modules-extra-$(uname -r)`"
    )
}

/// Tries every feature in a node, which is of no other use afterwards.
///
/// # Errors
///
/// The node cannot be entered.
pub async fn features(node: &Node) -> Result<Vec<Check>, WorldError> {
    let route = node.route();
    let mac = |last| Mac([2, 0, 0, 0, 0, last]);
    let veth = route
        .add_veth((BELOW, mac(1)), ("above", mac(2)), None)
        .await;
    let bridge = route
        .add_link("bridge", None, NewLink::Bridge(BridgeSettings::default()))
        .await;
    let mut checks = vec![
        judge("veth", "veth", &veth, true),
        judge("bridge", "bridge", &bridge, true),
    ];
    let (masquerade, bridge_netfilter, ipv6) = node.enter(|| {
        let made = NftSocket::open().and_then(|mut socket| {
            let everything = Match::default();
            socket.append(
                Family::Ipv4,
                NftHook::Postrouting,
                &everything,
                Action::Masquerade,
            )
        });
        (
            made,
            !sysctl::list("net/bridge").is_empty(),
            !sysctl::list("net/ipv6").is_empty(),
        )
    })?;
    // nftables says ENOENT of an expression that it does not know.
    let masquerade = masquerade.map_err(|error| match error.errno {
        Errno::ENOENT => Errno::EOPNOTSUPP.into(),
        _ => error,
    });
    checks.push(judge("masquerade", "nft_masq", &masquerade, true));
    checks.push(present("br_netfilter", "br_netfilter", bridge_netfilter));
    checks.push(present("ipv6", "ipv6", ipv6));
    for kind in KINDS {
        let made = route
            .add_link_of_kind(TRIED, kind.kind, kind.stands_on.then_some(BELOW))
            .await;
        if made.is_ok() {
            // Two kinds may not like to stand on the same link.
            let _ = route.delete_link(TRIED).await;
        }
        checks.push(judge(kind.kind, kind.module, &made, false));
    }
    Ok(checks)
}

fn judge(name: &str, module: &str, tried: &Result<(), KernelError>, needed: bool) -> Check {
    let check = format!("kernel/{name}");
    match tried {
        Ok(()) => Check::ok(check, "can be made"),
        Err(error) if error.is_unsupported() => {
            let what = if needed {
                "a scenario that needs it, as most do, is `unsupported`"
            } else {
                UNSUPPORTED
            };
            Check::absent(check, ABSENT).because(
                Status::Missing,
                format!("{what}: {error}"),
                cure(module),
            )
        }
        // A refusal of so bare a request shows that the kernel knows what it refuses.
        Err(error) if matches!(error.errno, Errno::EINVAL | Errno::EEXIST) && !needed => {
            Check::ok(check, "is known")
        }
        Err(error) => Check::absent(check, "cannot be made").because(
            Status::Limited,
            error.to_string(),
            WorldError::new(super::Stage::Socket, error.clone()).cure(),
        ),
    }
}

fn present(name: &str, module: &str, is: bool) -> Check {
    let check = format!("kernel/{name}");
    if is {
        Check::ok(check, "is there")
    } else {
        Check::absent(check, ABSENT).because(Status::Missing, UNSUPPORTED, cure(module))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::made(Ok(()), Status::Ok)]
    #[case::unknown(Err(Errno::EOPNOTSUPP), Status::Missing)]
    #[case::wants_more(Err(Errno::EINVAL), Status::Ok)]
    #[case::is_born_with_one(Err(Errno::EEXIST), Status::Ok)]
    #[case::not_for_this_user(Err(Errno::EPERM), Status::Limited)]
    fn a_kind_that_is_known_is_there(#[case] tried: Result<(), Errno>, #[case] status: Status) {
        let check = judge("vrf", "vrf", &tried.map_err(Into::into), false);
        assert_eq!(check.status, status);
        assert_eq!(check.cure.is_some(), status != Status::Ok);
    }
}
