//! Names that programs make up anew in every run, which a report that is compared with another leaves out.

/// The fewest characters behind `veth` that nobody counts up to.
const DRAWN: usize = 6;
/// The fewest hexadecimal digits that are an identity, and no number.
const IDENTITY: usize = 8;

/// Replaces what was made up: what is drawn after `veth`, and eight hexadecimal digits or more with a digit
/// among them, at the end of a word of letters and digits.
pub(super) fn without_made_up(text: &str) -> String {
    let mut left_out = String::with_capacity(text.len());
    let mut word_at = 0;
    let is_end =
        |(at, c): (usize, char)| (!c.is_ascii_alphanumeric()).then_some((at, c.len_utf8()));
    for (at, length) in text.char_indices().filter_map(is_end) {
        push(&mut left_out, &text[word_at..at]);
        left_out.push_str(&text[at..at + length]);
        word_at = at + length;
    }
    push(&mut left_out, &text[word_at..]);
    left_out
}

fn push(text: &mut String, word: &str) {
    let kept = kept(word);
    text.push_str(&word[..kept]);
    if kept < word.len() {
        text.push('…');
    }
}

/// How much of a word was not made up.
fn kept(word: &str) -> usize {
    if let Some(drawn) = word.strip_prefix("veth")
        && drawn.len() >= DRAWN
    {
        return "veth".len();
    }
    let not_hex = |c: char| !c.is_ascii_hexdigit();
    let digits_at = word.rfind(not_hex).map_or(0, |at| at + 1);
    let digits = &word[digits_at..];
    let is_made_up = digits.len() >= IDENTITY && digits.contains(|c: char| c.is_ascii_digit());
    if is_made_up { digits_at } else { word.len() }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::of_cni(
        "links in host: veth6b2617ec: veth up",
        "links in host: veth…: veth up"
    )]
    #[case::of_docker("peer host/veth0c5009b hairpin", "peer host/veth… hairpin")]
    #[case::of_lxc("vethxG06Yi: veth", "veth…: veth")]
    #[case::at_the_end("ports veth37ffcaff", "ports veth…")]
    #[case::a_chain("-X CNI-7be53730afe4dc6eb2178d03 --wait", "-X CNI-… --wait")]
    #[case::in_brackets("endpoint c2 (77b5c636b578): failed", "endpoint c2 (…): failed")]
    #[case::the_shortest("an id 1234abcd, and 1234abc", "an id …, and 1234abc")]
    #[case::counted("host/veth1 veth12: ", "host/veth1 veth12: ")]
    #[case::an_address(
        "10.10.0.1/24 fd00:10::1 mtu 65536",
        "10.10.0.1/24 fd00:10::1 mtu 65536"
    )]
    #[case::a_word("deadbeef abcdefab", "deadbeef abcdefab")]
    #[case::not_ascii("größer als 8", "größer als 8")]
    fn what_is_made_up_anew_is_left_out(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(without_made_up(text), expected);
    }
}
