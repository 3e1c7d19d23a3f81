//! Nodes and links: `ip netns` and `ip link`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arguments::{Arguments, HOST, Mention, ip, link, placed, word};
use crate::scenario::hardware::{MacAddress, Mtu};
use crate::scenario::name::{IfName, LinkRef, NodeName};
use crate::scenario::value::Located;

/// `ip netns add|delete|attach NAME`.
///
/// With `share` a node is one more name of another's network namespace, as with Docker's `--network
/// container:web` or the containers of a pod. Either name can stand wherever a node is named, also in
/// what is expected. Reports and snapshots know the node by the name that it had first; a snapshot has
/// `sidecar = web` for the other. Where one name is deleted, the node stays under the others with all
/// that is in it, servers too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Netns {
    /// The node to make; its only interface is `lo`, which is down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add: Option<Located<NodeName>>,
    /// The node whose network namespace the one to make shares; only with `add`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Located<NodeName>>,
    /// The node to delete, and the interfaces in it if no other node shares them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete: Option<Located<NodeName>>,
}

/// `ip link add NAME type veth peer name PEER`: a pair of interfaces, each in its final node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Veth {
    /// One end.
    pub add: Located<LinkRef>,
    /// The other end.
    pub peer: Located<LinkRef>,
}

/// `ip link set NAME netns NODE`: the interface loses its addresses and comes out down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// The interface, where it is now.
    pub dev: Located<LinkRef>,
    /// The node that it goes to.
    pub to: Located<NodeName>,
}

/// `ip link set NAME master BRIDGE`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Master {
    /// The interface that becomes a port.
    pub dev: Located<LinkRef>,
    /// The bridge, in the same node.
    pub to: Located<IfName>,
}

/// `ip link set NAME name NEW`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    /// The interface, as it is called now.
    pub dev: Located<LinkRef>,
    /// Its new name.
    pub to: Located<IfName>,
}

/// `ip link set NAME mtu BYTES`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetMtu {
    /// The interface.
    pub dev: Located<LinkRef>,
    /// The largest packet in bytes.
    pub to: Located<Mtu>,
}

/// `ip link set NAME address MAC`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetMac {
    /// The interface.
    pub dev: Located<LinkRef>,
    /// The hardware address.
    pub to: Located<MacAddress>,
}

/// `ip link set NAME up`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Up(pub Located<LinkRef>);

/// `ip link set NAME down`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Down(pub Located<LinkRef>);

/// `ip link set NAME nomaster`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Nomaster(pub Located<LinkRef>);

/// `ip link delete NAME`; deleting one end of a veth pair deletes the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Delete(pub Located<LinkRef>);

impl Arguments for Netns {
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        if let Some(name) = &self.share {
            visit(Mention::Uses(name, name.span));
        }
        if let Some(name) = &self.add {
            visit(Mention::Adds(name, name.span));
        }
        if let Some(name) = &self.delete {
            visit(Mention::Deletes(name, name.span));
        }
    }

    fn command(&self) -> String {
        match (&self.add, &self.share, &self.delete) {
            (Some(name), None, _) => format!("ip netns add {name}"),
            // From inside `host`, that is the namespace of pid 1.
            (Some(name), Some(share), _) if share.as_str() == HOST => {
                format!("ip netns attach {name} 1")
            }
            // `attach` takes a process, and this one has nothing else of that node: `ip netns exec`
            // would take it into other mounts, in which the name would be lost.
            (Some(name), Some(share), _) => {
                format!("nsenter --net=/run/netns/{share} sh -c 'ip netns attach {name} $$'")
            }
            (None, _, Some(name)) => format!("ip netns delete {name}"),
            (None, _, None) => "ip netns".to_owned(),
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
                link("name", &add.ifname),
                word(peer.ifname.as_str())
            );
        }
        format!(
            "ip link add {}{} type veth peer name {}{}",
            link("name", &add.ifname),
            placed(&add.node),
            word(peer.ifname.as_str()),
            placed(&peer.node)
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
            link("dev", &self.dev.ifname)
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
            link("dev", &self.dev.ifname),
            word(self.to.as_str())
        )
    }
}

/// Implements [`Arguments`] for the verbs that set one value of an interface.
macro_rules! sets {
    ($($type:ident => $word:literal),+ $(,)?) => { $(
        impl Arguments for $type {
            fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
                visit(Mention::Uses(&self.dev.value.node, self.dev.span));
            }

            fn command(&self) -> String {
                format!(
                    concat!("{} link set {} ", $word, " {}"),
                    ip(&self.dev.node),
                    link("dev", &self.dev.ifname),
                    word(&self.to.to_string())
                )
            }
        }
    )+ };
}

sets!(Rename => "name", SetMtu => "mtu", SetMac => "address");

/// Implements [`Arguments`] for the verbs whose only argument is an interface.
macro_rules! on_link {
    ($($type:ident => $words:literal),+ $(,)?) => { $(
        impl Arguments for $type {
            fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
                visit(Mention::Uses(&self.0.value.node, self.0.span));
            }

            fn command(&self) -> String {
                format!(concat!("{} link ", $words), ip(&self.0.node), link("dev", &self.0.ifname))
            }
        }
    )+ };
}

on_link!(Up => "set {} up", Down => "set {} down", Nomaster => "set {} nomaster", Delete => "delete {}");
