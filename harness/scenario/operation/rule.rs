//! Rules that choose the routing table: `ip rule`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::address::Refusal;
use super::arguments::{Arguments, Mention, ip, word};
use crate::scenario::name::{IfName, NodeName};
use crate::scenario::net::{Family, Prefix, TableId};
use crate::scenario::value::Located;

/// `ip [-6] rule add|delete priority N [from PREFIX] [to PREFIX] [iif NAME] [table TABLE | TYPE]`.
///
/// A rule is known by its priority. The lowest that matches decides; where the table that it asks has
/// no route, the next one does. What the node itself sends comes in by `lo`. Of the types,
/// `unreachable` says that the network is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyRule {
    /// The node whose rules change.
    #[serde(rename = "in")]
    pub node: Located<NodeName>,
    /// The priority of the rule to add: the lowest decides first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add: Option<Located<u32>>,
    /// The priority of the rule to delete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete: Option<Located<u32>>,
    /// The IP that the rule is of; IPv4 when nothing in it is of IPv6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<Located<Family>>,
    /// The source addresses that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Located<Prefix>>,
    /// The destination addresses that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Located<Prefix>>,
    /// The interface that packets came in by; `lo` for the node's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iif: Option<Located<IfName>>,
    /// The table that it asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<Located<TableId>>,
    /// What it does with packets in place of asking a table.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Located<Refusal>>,
}

impl PolicyRule {
    /// Returns the IP that the rule is of.
    pub fn family(&self) -> Family {
        let prefix = self.from.as_ref().or(self.to.as_ref());
        match (&self.family, prefix) {
            (Some(family), _) => family.value,
            (None, Some(prefix)) => Family::of(prefix.value.0.addr()),
            (None, None) => Family::Ipv4,
        }
    }
}

impl Arguments for PolicyRule {
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        visit(Mention::Uses(&self.node.value, self.node.span));
    }

    fn command(&self) -> String {
        // Without addresses `ip` takes it for a rule of IPv4.
        let v6 = match self.family() {
            Family::Ipv6 => " -6",
            Family::Ipv4 => "",
        };
        let mut text = format!("{}{v6} rule", ip(&self.node));
        for (verb, priority) in [("add", &self.add), ("delete", &self.delete)] {
            if let Some(priority) = priority {
                text += &format!(" {verb} priority {priority}");
            }
        }
        if let Some(from) = &self.from {
            text += &format!(" from {from}");
        }
        if let Some(to) = &self.to {
            text += &format!(" to {to}");
        }
        if let Some(iif) = &self.iif {
            text += &format!(" iif {}", word(iif.as_str()));
        }
        if let Some(table) = &self.table {
            text += &format!(" table {table}");
        }
        if let Some(kind) = &self.kind {
            text += &format!(" {kind}");
        }
        text
    }
}
