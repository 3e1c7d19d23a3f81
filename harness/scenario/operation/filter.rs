//! What netfilter does with packets: `iptables`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arguments::{Arguments, Mention, exec, word};
use crate::scenario::name::{IfName, NodeName};
use crate::scenario::net::Prefix;
use crate::scenario::value::Located;

/// `iptables -t nat -A POSTROUTING [-s SOURCE] [! -o NAME] -j MASQUERADE`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
            text += &format!(" ! -o {}", word(not_out.as_str()));
        }
        text + " -j MASQUERADE"
    }
}
