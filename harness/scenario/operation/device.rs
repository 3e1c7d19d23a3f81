//! Links that are made on others, or for themselves: `ip link add … type …`.

use std::fmt;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arguments::{Arguments, Mention, ip, link, word};
use crate::scenario::hardware::{VlanId, VxlanId};
use crate::scenario::name::{IfName, LinkRef};
use crate::scenario::value::Located;

/// `ip link add NAME type dummy`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dummy {
    /// The interface.
    pub add: Located<LinkRef>,
}

/// `ip link add NAME type ifb`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ifb {
    /// The interface.
    pub add: Located<LinkRef>,
}

/// `ip tuntap add dev NAME mode tun`.
///
/// The other end of the device is a process. Until there is one, such as that of `tunnel`, it has no
/// carrier, and the kernel drops what is sent out of it. It needs `/dev/net/tun`; without that it is
/// `unsupported`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tun {
    /// The interface.
    pub add: Located<LinkRef>,
}

/// `ip tuntap add dev NAME mode tap`.
///
/// The other end of the device is a process. Until there is one, such as that of `tunnel`, it has no
/// carrier, and the kernel drops what is sent out of it. It needs `/dev/net/tun`; without that it is
/// `unsupported`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tap {
    /// The interface.
    pub add: Located<LinkRef>,
}

/// `ip link add NAME link LOWER type macvlan mode MODE`.
///
/// The interface that is made can be moved to another node afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Macvlan {
    /// The interface.
    pub add: Located<LinkRef>,
    /// The interface below, in the same node.
    pub link: Located<IfName>,
    /// What the interfaces on the same lower one may say to each other.
    pub mode: Located<MacvlanMode>,
}

/// What the macvlan interfaces on the same lower one may say to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MacvlanMode {
    /// Nothing.
    Private,
    /// What a switch outside sends back.
    Vepa,
    /// Everything, directly.
    Bridge,
    /// There is only one, and it has the lower interface for itself.
    Passthru,
}

/// `ip link add NAME link LOWER type vlan id ID`.
///
/// The interface that is made can be moved to another node afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Vlan {
    /// The interface.
    pub add: Located<LinkRef>,
    /// The interface below, in the same node.
    pub link: Located<IfName>,
    /// The VLAN.
    pub id: Located<VlanId>,
}

/// `ip link add NAME type vxlan id ID [remote ADDRESS] [local ADDRESS] [dstport PORT] [dev LOWER]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Vxlan {
    /// The interface.
    pub add: Located<LinkRef>,
    /// The segment.
    pub id: Located<VxlanId>,
    /// The other end of the tunnel, where nothing better was learned or set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<Located<IpAddr>>,
    /// The source address of the tunnel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<Located<IpAddr>>,
    /// The UDP port of both ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dstport: Option<Located<u16>>,
    /// The interface that the tunnel goes through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dev: Option<Located<IfName>>,
}

impl fmt::Display for MacvlanMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Private => "private",
            Self::Vepa => "vepa",
            Self::Bridge => "bridge",
            Self::Passthru => "passthru",
        })
    }
}

/// Implements [`Arguments`] for verbs that make an interface in a node.
macro_rules! adds_link {
    ($($type:ident => |$it:ident| $words:expr),+ $(,)?) => { $(
        impl Arguments for $type {
            fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
                visit(Mention::Uses(&self.add.value.node, self.add.span));
            }

            fn command(&self) -> String {
                let $it = self;
                let ifname = link("name", &self.add.ifname);
                format!("{} link add {ifname}{}", ip(&self.add.node), $words)
            }
        }
    )+ };
}

adds_link!(
    Dummy => |_it| " type dummy",
    Ifb => |_it| " type ifb",
    Macvlan => |it| {
        format!(" link {} type macvlan mode {}", word(it.link.as_str()), it.mode)
    },
    Vlan => |it| format!(" link {} type vlan id {}", word(it.link.as_str()), it.id),
    Vxlan => |it| it.words(),
);

/// Implements [`Arguments`] for the verbs of `ip tuntap`.
macro_rules! adds_tuntap {
    ($($type:ident => $mode:literal),+ $(,)?) => { $(
        impl Arguments for $type {
            fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
                visit(Mention::Uses(&self.add.value.node, self.add.span));
            }

            fn command(&self) -> String {
                let name = word(self.add.ifname.as_str());
                format!(concat!("{} tuntap add dev {name} mode ", $mode), ip(&self.add.node), name = name)
            }
        }
    )+ };
}

adds_tuntap!(Tun => "tun", Tap => "tap");

impl Vxlan {
    fn words(&self) -> String {
        let mut text = format!(" type vxlan id {}", self.id);
        if let Some(remote) = &self.remote {
            text += &format!(" remote {remote}");
        }
        if let Some(local) = &self.local {
            text += &format!(" local {local}");
        }
        if let Some(port) = &self.dstport {
            text += &format!(" dstport {port}");
        }
        if let Some(dev) = &self.dev {
            text += &format!(" dev {}", word(dev.as_str()));
        }
        text
    }
}
