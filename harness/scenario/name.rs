//! Names as the kernel and the scenario format know them, checked once when they are read.

use std::fmt;
use std::str::FromStr;

use super::value::ValueError;

/// The longest interface name in bytes: `IFNAMSIZ` (16) less the terminating NUL, linux/if.h.
pub const IFNAME_MAX: usize = 15;

/// The longest node name in bytes; a node is also a file name under `/run/netns`.
pub const NODE_NAME_MAX: usize = 63;

/// The name of a node: one network namespace of a scenario.
///
/// A letter or digit, then letters, digits, `-`, `_` and `.`, at most [`NODE_NAME_MAX`] bytes.
///
/// ```
/// use netproof::scenario::NodeName;
/// assert_eq!("web".parse::<NodeName>()?.as_str(), "web");
/// assert!("a/b".parse::<NodeName>().is_err());
/// # Ok::<(), netproof::scenario::ValueError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(String);

/// The name of a network interface, at most [`IFNAME_MAX`] bytes.
///
/// The rules are the kernel's (`dev_valid_name`, net/core/dev.c): not empty, not `.` or `..`, no
/// `/`, no `:`, no white space.
///
/// ```
/// use netproof::scenario::IfName;
/// assert_eq!("web_veth_peer".parse::<IfName>()?.as_str(), "web_veth_peer");
/// assert!("sixteen_bytes_xx".parse::<IfName>().is_err());
/// # Ok::<(), netproof::scenario::ValueError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IfName(String);

/// A network interface of a node, written `node/ifname`.
///
/// ```
/// use netproof::scenario::LinkRef;
/// let link: LinkRef = "web/eth0".parse()?;
/// assert_eq!((link.node.as_str(), link.ifname.as_str()), ("web", "eth0"));
/// assert!("eth0".parse::<LinkRef>().is_err());
/// # Ok::<(), netproof::scenario::ValueError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkRef {
    /// The node that the interface is in.
    pub node: NodeName,
    /// The interface's name in that node.
    pub ifname: IfName,
}

/// A point on a packet's way: an interface of a node (`node/ifname`), or a node (`node`) where the
/// packet was dropped before it reached an interface.
///
/// ```
/// use netproof::scenario::Place;
/// assert_eq!("web".parse::<Place>()?.to_string(), "web");
/// assert_eq!("web/eth0".parse::<Place>()?.to_string(), "web/eth0");
/// # Ok::<(), netproof::scenario::ValueError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Inside a node, on no interface.
    Node(NodeName),
    /// On an interface.
    Link(LinkRef),
}

impl From<LinkRef> for Place {
    fn from(link: LinkRef) -> Self {
        Self::Link(link)
    }
}

impl From<NodeName> for Place {
    fn from(node: NodeName) -> Self {
        Self::Node(node)
    }
}

impl NodeName {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl IfName {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Place {
    /// Returns the node that the place is in.
    pub fn node(&self) -> &NodeName {
        match self {
            Self::Node(node) => node,
            Self::Link(link) => &link.node,
        }
    }
}

impl NodeName {
    /// Returns the name of the node that commands run in when they name no namespace.
    pub fn host() -> Self {
        Self(super::operation::HOST.to_owned())
    }
}

impl FromStr for NodeName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if text.len() > NODE_NAME_MAX {
            return Err(ValueError::new(
                "name-too-long",
                format!("node name `{text}` has {} bytes", text.len()),
                format!("a node name has at most {NODE_NAME_MAX} bytes"),
            ));
        }
        let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !starts_well || !text.chars().all(word) {
            return Err(ValueError::new(
                "bad-node-name",
                format!("`{text}` is not a node name"),
                "a node name starts with a letter or digit and goes on with letters, digits, `-`, `_`, `.`",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for IfName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text.len() > IFNAME_MAX {
            return Err(ValueError::new(
                "name-too-long",
                format!("interface name `{text}` has {} bytes", text.len()),
                format!("the kernel takes at most {IFNAME_MAX} bytes (IFNAMSIZ)"),
            ));
        }
        let refused = |c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control();
        if text.is_empty() || text == "." || text == ".." || text.contains(refused) {
            return Err(ValueError::new(
                "bad-interface-name",
                format!("`{text}` is not an interface name"),
                "the kernel refuses an empty name, `.`, `..`, `/`, `:` and white space",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for LinkRef {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let Some((node, ifname)) = text.split_once('/') else {
            return Err(ValueError::new(
                "bad-link",
                format!("`{text}` does not name an interface of a node"),
                "write `node/ifname`, for example `web/eth0`",
            ));
        };
        Ok(Self {
            node: node.parse()?,
            ifname: ifname.parse()?,
        })
    }
}

impl FromStr for Place {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text.contains('/') {
            text.parse().map(Self::Link)
        } else {
            text.parse().map(Self::Node)
        }
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for IfName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for LinkRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.node, self.ifname)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => node.fmt(f),
            Self::Link(link) => link.fmt(f),
        }
    }
}

/// Reads and writes types as the text that `FromStr` and `Display` define.
macro_rules! as_text {
    ($($name:ty),+ $(,)?) => { $(
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::scenario::value::deserialize_text(deserializer)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )+ };
}
pub(crate) use as_text;

as_text!(NodeName, IfName, LinkRef, Place);

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::fifteen_bytes("abcdefghijklmno", true)]
    #[case::sixteen_bytes("abcdefghijklmnop", false)]
    #[case::dot(".", false)]
    #[case::dots("..", false)]
    #[case::slash("a/b", false)]
    #[case::colon("a:b", false)]
    #[case::space("a b", false)]
    #[case::empty("", false)]
    #[case::with_at("a@b", true)]
    fn interface_names_follow_the_kernel(#[case] text: &str, #[case] valid: bool) {
        assert_eq!(text.parse::<IfName>().is_ok(), valid);
    }

    #[rstest]
    #[case("web", true)]
    #[case("ns-1.a_b", true)]
    #[case("-web", false)]
    #[case("..", false)]
    #[case("", false)]
    #[case("we b", false)]
    fn node_names_are_file_names(#[case] text: &str, #[case] valid: bool) {
        assert_eq!(text.parse::<NodeName>().is_ok(), valid);
    }
}
