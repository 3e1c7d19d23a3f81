//! The arguments of each verb: which nodes they name, and which command they are.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::setting::{SysctlKey, SysctlValue};
use crate::scenario::name::{IfName, LinkRef, NodeName};
use crate::scenario::net::{Broadcast, Destination, InterfaceAddress, Prefix};
use crate::scenario::value::{Located, Span};

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
}

/// What every operation's arguments can tell about themselves.
pub trait Arguments {
    /// Calls `visit` for each node that is named, in the order of the file.
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>));

    /// Returns the command that does the same, as one would type it in the node `host`.
    fn command(&self) -> String;
}

/// `ip netns add|delete NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Netns {
    /// Makes a node; its only interface is `lo`, which is down.
    Add(Located<NodeName>),
    /// Deletes a node and the interfaces in it.
    Delete(Located<NodeName>),
}

/// `ip link add NAME type veth peer name PEER`: a pair of interfaces, each in its final node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Veth {
    /// One end.
    pub add: Located<LinkRef>,
    /// The other end.
    pub peer: Located<LinkRef>,
}

/// `ip link add NAME type bridge`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bridge {
    /// The bridge.
    pub add: Located<LinkRef>,
}

/// `ip link set NAME netns NODE`: the interface loses its addresses and comes out down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// The interface, where it is now.
    pub dev: Located<LinkRef>,
    /// The node that it goes to.
    pub to: Located<NodeName>,
}

/// `ip link set NAME master BRIDGE`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Master {
    /// The interface that becomes a port.
    pub dev: Located<LinkRef>,
    /// The bridge, in the same node.
    pub to: Located<IfName>,
}

/// `ip link set NAME up`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Up(pub Located<LinkRef>);

/// `ip link set NAME down`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Down(pub Located<LinkRef>);

/// `ip link set NAME nomaster`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nomaster(pub Located<LinkRef>);

/// `ip link delete NAME`; deleting one end of a veth pair deletes the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Delete(pub Located<LinkRef>);

/// `ip address add|delete ADDRESS dev NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// The address to add.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add: Option<Located<InterfaceAddress>>,
    /// The address to delete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete: Option<Located<InterfaceAddress>>,
    /// The interface.
    pub dev: Located<LinkRef>,
    /// The broadcast address, only with `add`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broadcast: Option<Located<Broadcast>>,
}

/// `ip route add|delete DESTINATION [via GATEWAY] [dev NAME]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The node whose table changes.
    #[serde(rename = "in")]
    pub node: Located<NodeName>,
    /// The destination to add a route for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add: Option<Located<Destination>>,
    /// The destination whose route is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete: Option<Located<Destination>>,
    /// The gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Located<IpAddr>>,
    /// The interface that packets leave by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dev: Option<Located<IfName>>,
}

/// `sysctl -w KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sysctl {
    /// The node whose setting changes.
    #[serde(rename = "in")]
    pub node: Located<NodeName>,
    /// The setting, such as `net.ipv4.ip_forward`.
    pub key: Located<SysctlKey>,
    /// The value, as written to the file.
    pub value: Located<SysctlValue>,
}

/// `iptables -t nat -A POSTROUTING [-s SOURCE] [! -o NAME] -j MASQUERADE`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Masquerade {
    /// The node that translates.
    #[serde(rename = "in")]
    pub node: Located<NodeName>,
    /// Translates only packets from this prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Located<Prefix>>,
    /// Translates only packets that leave by another interface than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_out: Option<Located<IfName>>,
}

/// A server that netproof runs in a node: TCP accepts, UDP sends back what it gets.
///
/// The harness opens it, whatever the implementation; `nc -l` stands in the shell form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// The node that the server is in.
    #[serde(rename = "in")]
    pub node: Located<NodeName>,
    /// The TCP port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<Located<u16>>,
    /// The UDP port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub udp: Option<Located<u16>>,
}

/// Begins an `ip` command in a node.
fn ip(node: &NodeName) -> String {
    if node.as_str() == HOST {
        "ip".to_owned()
    } else {
        format!("ip -n {node}")
    }
}

/// Begins any other command in a node.
fn exec(node: &NodeName) -> String {
    if node.as_str() == HOST {
        String::new()
    } else {
        format!("ip netns exec {node} ")
    }
}

/// `netns NODE ` for an interface that is made elsewhere than in `host`.
fn placed(node: &NodeName) -> String {
    if node.as_str() == HOST {
        String::new()
    } else {
        format!(" netns {node}")
    }
}

impl Arguments for Netns {
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        match self {
            Self::Add(name) => visit(Mention::Adds(name, name.span)),
            Self::Delete(name) => visit(Mention::Deletes(name, name.span)),
        }
    }

    fn command(&self) -> String {
        match self {
            Self::Add(name) => format!("ip netns add {name}"),
            Self::Delete(name) => format!("ip netns delete {name}"),
        }
    }
}

impl Arguments for Veth {
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        visit(Mention::Uses(&self.add.value.node, self.add.span));
        visit(Mention::Uses(&self.peer.value.node, self.peer.span));
    }

    fn command(&self) -> String {
        let (add, peer) = (&self.add.value, &self.peer.value);
        if add.node == peer.node {
            let ip = ip(&add.node);
            return format!(
                "{ip} link add {} type veth peer name {}",
                add.ifname, peer.ifname
            );
        }
        format!(
            "ip link add {}{} type veth peer name {}{}",
            add.ifname,
            placed(&add.node),
            peer.ifname,
            placed(&peer.node)
        )
    }
}

impl Arguments for Bridge {
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        visit(Mention::Uses(&self.add.value.node, self.add.span));
    }

    fn command(&self) -> String {
        format!(
            "{} link add {} type bridge",
            ip(&self.add.node),
            self.add.ifname
        )
    }
}

impl Arguments for Move {
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        visit(Mention::Uses(&self.dev.value.node, self.dev.span));
        visit(Mention::Uses(&self.to.value, self.to.span));
    }

    fn command(&self) -> String {
        // `host` has no name under /run/netns; from inside it, it is the namespace of pid 1.
        let to = if self.to.as_str() == HOST {
            "1"
        } else {
            self.to.as_str()
        };
        format!(
            "{} link set {} netns {to}",
            ip(&self.dev.node),
            self.dev.ifname
        )
    }
}

impl Arguments for Master {
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        visit(Mention::Uses(&self.dev.value.node, self.dev.span));
    }

    fn command(&self) -> String {
        format!(
            "{} link set {} master {}",
            ip(&self.dev.node),
            self.dev.ifname,
            self.to
        )
    }
}

/// Implements [`Arguments`] for the verbs whose only argument is an interface.
macro_rules! on_link {
    ($($type:ident => $words:literal),+ $(,)?) => { $(
        impl Arguments for $type {
            fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
                visit(Mention::Uses(&self.0.value.node, self.0.span));
            }

            fn command(&self) -> String {
                format!(concat!("{} link ", $words), ip(&self.0.node), self.0.ifname)
            }
        }
    )+ };
}

on_link!(Up => "set {} up", Down => "set {} down", Nomaster => "set {} nomaster", Delete => "delete {}");

impl Arguments for Address {
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        visit(Mention::Uses(&self.dev.value.node, self.dev.span));
    }

    fn command(&self) -> String {
        let mut text = format!("{} address", ip(&self.dev.node));
        for (verb, address) in [("add", &self.add), ("delete", &self.delete)] {
            if let Some(address) = address {
                text += &format!(" {verb} {address}");
            }
        }
        if let Some(broadcast) = &self.broadcast {
            text += &format!(" broadcast {broadcast}");
        }
        text + &format!(" dev {}", self.dev.ifname)
    }
}

impl Arguments for Route {
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        visit(Mention::Uses(&self.node.value, self.node.span));
    }

    fn command(&self) -> String {
        let mut text = format!("{} route", ip(&self.node));
        for (verb, destination) in [("add", &self.add), ("delete", &self.delete)] {
            if let Some(destination) = destination {
                text += &format!(" {verb} {destination}");
            }
        }
        if let Some(via) = &self.via {
            text += &format!(" via {via}");
        }
        if let Some(dev) = &self.dev {
            text += &format!(" dev {dev}");
        }
        text
    }
}

impl Arguments for Sysctl {
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        visit(Mention::Uses(&self.node.value, self.node.span));
    }

    fn command(&self) -> String {
        format!("{}sysctl -w {}={}", exec(&self.node), self.key, self.value)
    }
}

impl Arguments for Masquerade {
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        visit(Mention::Uses(&self.node.value, self.node.span));
    }

    fn command(&self) -> String {
        let mut text = format!("{}iptables -t nat -A POSTROUTING", exec(&self.node));
        if let Some(source) = &self.source {
            text += &format!(" -s {source}");
        }
        if let Some(not_out) = &self.not_out {
            text += &format!(" ! -o {not_out}");
        }
        text + " -j MASQUERADE"
    }
}

impl Arguments for Listen {
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        visit(Mention::Uses(&self.node.value, self.node.span));
    }

    fn command(&self) -> String {
        let mut text = format!("{}nc -lk", exec(&self.node));
        if let Some(port) = &self.tcp {
            text += &format!(" {port}");
        }
        if let Some(port) = &self.udp {
            text += &format!(" -u {port}");
        }
        text + " &"
    }
}
