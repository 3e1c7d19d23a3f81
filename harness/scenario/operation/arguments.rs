//! What the arguments of every verb can tell about themselves, and the words that commands begin
//! with.

use std::borrow::Cow;

use crate::scenario::name::{IfName, NodeName};
use crate::scenario::value::Span;

/// The node that commands run in when they name no namespace.
pub const HOST: &str = "host";

/// A node that an operation names, and what it does with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mention<'a> {
    /// The node must be there.
    Uses(&'a NodeName, Span),
    /// The node comes into being.
    Adds(&'a NodeName, Span),
    /// The node must be there, and is gone afterwards.
    Deletes(&'a NodeName, Span),
    /// Something that a container had goes, which may outlive it: the node was there, and may be gone.
    Detaches(&'a NodeName, Span),
}

/// What every operation's arguments can tell about themselves.
pub trait Arguments {
    /// Calls `visit` for each node that is named, in the order of the file.
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>));

    /// Returns the command that does the same, as one would type it in the node `host`.
    fn command(&self) -> String;
}

/// Begins an `ip` command in a node.
pub(super) fn ip(node: &NodeName) -> String {
    if node.as_str() == HOST {
        "ip".to_owned()
    } else {
        format!("ip -n {node}")
    }
}

/// Begins any other command in a node.
pub(super) fn exec(node: &NodeName) -> String {
    if node.as_str() == HOST {
        String::new()
    } else {
        format!("ip netns exec {node} ")
    }
}

/// `netns NODE ` for an interface that is made elsewhere than in `host`.
pub(super) fn placed(node: &NodeName) -> String {
    if node.as_str() == HOST {
        String::new()
    } else {
        format!(" netns {node}")
    }
}

/// The words of its own that `ip link` looks for where a name may stand (iproute2, ip/iplink.c). It
/// takes each of them in short, too: an interface called `a` is to it `address`.
const IP_LINK_WORDS: &[&str] = &[
    "up",
    "down",
    "name",
    "index",
    "link",
    "address",
    "broadcast",
    "txqueuelen",
    "txqlen",
    "qlen",
    "mtu",
    "xdp",
    "xdpgeneric",
    "xdpdrv",
    "xdpoffload",
    "netns",
    "multicast",
    "allmulticast",
    "promisc",
    "trailers",
    "arp",
    "carrier",
    "vf",
    "master",
    "vrf",
    "nomaster",
    "dynamic",
    "type",
    "alias",
    "dev",
    "group",
    "mode",
    "state",
    "numtxqueues",
    "numrxqueues",
    "addrgenmode",
    "link-netns",
    "link-netnsid",
    "protodown",
    "protodown_reason",
    "gso_max_size",
    "gso_max_segs",
    "parentdev",
    "help",
];

/// Tells whether `ip link` would take a name for one of its own words.
pub(in crate::scenario) fn is_word_of_ip_link(name: &str) -> bool {
    IP_LINK_WORDS.iter().any(|word| word.starts_with(name))
}

/// Writes the name of an interface behind `ip link add`, `set` or `delete`, with `introduction`
/// (`dev`, `name`) in front of it where `ip` would not take it for a name.
pub(super) fn link(introduction: &str, name: &IfName) -> String {
    let text = name.as_str();
    let name = word(text);
    if is_word_of_ip_link(text) {
        format!("{introduction} {name}")
    } else {
        name.into_owned()
    }
}

/// Writes a text as one word of a shell command. The kernel allows nearly anything in the name of an
/// interface, `$(reboot)` too.
pub(in crate::scenario) fn word(text: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "%+,-./:=@_".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
    }
}

/// Writes the words of a command as one would type them.
pub fn as_line(words: &[String]) -> String {
    let words: Vec<_> = words.iter().map(|it| word(it)).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::name("app_br", "app_br")]
    #[case::setting("net.ipv4.ip_forward=1", "net.ipv4.ip_forward=1")]
    #[case::two_words("a b", "'a b'")]
    #[case::substitution("$(reboot)", "'$(reboot)'")]
    #[case::quote("it's", r"'it'\''s'")]
    #[case::nothing("", "''")]
    fn a_word_is_one_word_to_a_shell(#[case] text: &str, #[case] written: &str) {
        assert_eq!(word(text), written);
    }

    #[rstest]
    #[case::a_name("eth0", "eth0")]
    #[case::a_word_of_its_own("down", "dev down")]
    #[case::in_short("a", "dev a")]
    #[case::longer("downlink", "downlink")]
    fn a_name_is_introduced_where_ip_would_take_it_for_a_word(
        #[case] name: &str,
        #[case] written: &str,
    ) {
        assert_eq!(link("dev", &name.parse().unwrap()), written);
    }
}
