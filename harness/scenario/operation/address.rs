//! Addresses and routes: `ip address` and `ip route`.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arguments::{Arguments, Mention, ip, word};
use crate::scenario::name::{IfName, LinkRef, NodeName};
use crate::scenario::net::{Broadcast, Destination, InterfaceAddress};
use crate::scenario::value::Located;

/// `ip address add|delete ADDRESS dev NAME`.
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

/// `ip route add|delete DESTINATION [via GATEWAY] [dev NAME]`.
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
        text + &format!(" dev {}", word(self.dev.ifname.as_str()))
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
            text += &format!(" dev {}", word(dev.as_str()));
        }
        text
    }
}
