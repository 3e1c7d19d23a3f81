//! Who is behind an address: `ip neighbour` and `bridge fdb`.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arguments::{Arguments, HOST, Mention, ip, word};
use crate::scenario::hardware::MacAddress;
use crate::scenario::name::LinkRef;
use crate::scenario::value::Located;

/// `ip neighbour add|delete [proxy] ADDRESS [lladdr MAC] dev NAME`.
///
/// A neighbour that is set by hand is not asked for and does not age. With `proxy`, the node answers ARP
/// requests for the address in place of somebody else, if it forwards and has a route to it by another
/// interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Neighbour {
    /// The address to add.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add: Option<Located<IpAddr>>,
    /// The address to delete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete: Option<Located<IpAddr>>,
    /// The interface.
    pub dev: Located<LinkRef>,
    /// The neighbour's hardware address, only with `add`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lladdr: Option<Located<MacAddress>>,
    /// The node answers for the address in place of somebody else.
    #[serde(default, skip_serializing_if = "is_false")]
    pub proxy: bool,
}

/// `bridge fdb add|append|delete MAC dev NAME [dst ADDRESS | master static]`.
///
/// It is about an address behind a bridge port, or with `dst` behind the other end of a VXLAN tunnel.
/// There, 00:00:00:00:00:00 stands for what is for everyone or for an unknown address, and `append`
/// adds one more receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fdb {
    /// The hardware address to add.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add: Option<Located<MacAddress>>,
    /// The hardware address to add one more entry for; only of a tunnel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub append: Option<Located<MacAddress>>,
    /// The hardware address to delete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete: Option<Located<MacAddress>>,
    /// The port of a bridge, or the end of a tunnel.
    pub dev: Located<LinkRef>,
    /// The other end of the tunnel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dst: Option<Located<IpAddr>>,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl Arguments for Neighbour {
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        visit(Mention::Uses(&self.dev.value.node, self.dev.span));
    }

    fn command(&self) -> String {
        let mut text = format!("{} neighbour", ip(&self.dev.node));
        for (verb, address) in [("add", &self.add), ("delete", &self.delete)] {
            if let Some(address) = address {
                let proxy = if self.proxy { "proxy " } else { "" };
                text += &format!(" {verb} {proxy}{address}");
            }
        }
        if let Some(lladdr) = &self.lladdr {
            text += &format!(" lladdr {lladdr}");
        }
        text + &format!(" dev {}", word(self.dev.ifname.as_str()))
    }
}

impl Arguments for Fdb {
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        visit(Mention::Uses(&self.dev.value.node, self.dev.span));
    }

    fn command(&self) -> String {
        let mut text = "bridge".to_owned();
        if self.dev.node.as_str() != HOST {
            text += &format!(" -n {}", self.dev.node);
        }
        text += " fdb";
        let verbs = [
            ("add", &self.add),
            ("append", &self.append),
            ("delete", &self.delete),
        ];
        for (verb, mac) in verbs {
            if let Some(mac) = mac {
                text += &format!(" {verb} {mac}");
            }
        }
        text += &format!(" dev {}", word(self.dev.ifname.as_str()));
        match (&self.dst, &self.delete) {
            (Some(dst), _) => text + &format!(" dst {dst}"),
            (None, Some(_)) => text + " master",
            (None, None) => text + " master static",
        }
    }
}
