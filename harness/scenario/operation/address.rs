//! Addresses and routes: `ip address` and `ip route`.

use std::fmt;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arguments::{Arguments, Mention, ip, word};
use crate::scenario::name::{IfName, LinkRef, NodeName};
use crate::scenario::net::{Broadcast, Destination, InterfaceAddress, TableId};
use crate::scenario::value::Located;

/// `ip address add|delete ADDRESS [broadcast ADDRESS] dev NAME`.
///
/// It has either `add` or `delete`. An address without a prefix length means a host address, `/32`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// `ip route add|delete [TYPE] DESTINATION [via GATEWAY] [dev NAME] [table TABLE] [src ADDRESS]
/// [metric N] [onlink] [nexthop …]`.
///
/// It has either `add` or `delete`. Which of several `nexthops` a packet takes follows from its
/// addresses; a `weight` of 3 gets three times the flows of 1. From Linux 6.11 on it is the same way in
/// every run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// What the route does with packets in place of sending them on.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Located<Refusal>>,
    /// The source address of packets that have none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub src: Option<Located<IpAddr>>,
    /// The metric: of two routes to one destination, that with the lower one counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<Located<u32>>,
    /// The gateway is taken to be on the link, whatever its address says.
    #[serde(default, skip_serializing_if = "is_false")]
    pub onlink: bool,
    /// The table; the main one if none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<Located<TableId>>,
    /// Several ways, in place of `via` and `dev`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nexthops: Option<Located<Vec<NextHop>>>,
}

/// `nexthop [via GATEWAY] [dev NAME] [weight N]`: one of several ways.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NextHop {
    /// The gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Located<IpAddr>>,
    /// The interface that packets leave by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dev: Option<Located<IfName>>,
    /// Its share of the flows, from 1 to 256; 1 if none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<Located<u16>>,
}

/// What a route does with packets that it does not send on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// Drops them and says nothing.
    Blackhole,
    /// Refuses them: host unreachable.
    Unreachable,
    /// Refuses them: administratively prohibited.
    Prohibit,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blackhole => "blackhole",
            Self::Unreachable => "unreachable",
            Self::Prohibit => "prohibit",
        })
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

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
        text += &format!(" dev {}", word(self.dev.ifname.as_str()));
        // Nobody has to be asked whether the address is taken, which would last a second.
        if self.add.as_ref().is_some_and(|add| add.address().is_ipv6()) {
            text += " nodad";
        }
        text
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
                let kind = self
                    .kind
                    .as_ref()
                    .map(|kind| format!("{kind} "))
                    .unwrap_or_default();
                text += &format!(" {verb} {kind}{destination}");
            }
        }
        if let Some(via) = &self.via {
            text += &format!(" via {via}");
        }
        if let Some(dev) = &self.dev {
            text += &format!(" dev {}", word(dev.as_str()));
        }
        if let Some(table) = &self.table {
            text += &format!(" table {table}");
        }
        if let Some(src) = &self.src {
            text += &format!(" src {src}");
        }
        if let Some(metric) = &self.metric {
            text += &format!(" metric {metric}");
        }
        if self.onlink {
            text += " onlink";
        }
        for hop in self.nexthops.iter().flat_map(|hops| &hops.value) {
            text += " nexthop";
            if let Some(via) = &hop.via {
                text += &format!(" via {via}");
            }
            if let Some(dev) = &hop.dev {
                text += &format!(" dev {}", word(dev.as_str()));
            }
            if let Some(weight) = &hop.weight {
                text += &format!(" weight {weight}");
            }
        }
        text
    }
}
