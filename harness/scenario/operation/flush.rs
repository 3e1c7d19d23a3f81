//! Rules that go.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arguments::{Arguments, Mention, exec};
use super::conditions::tool;
use crate::scenario::name::NodeName;
use crate::scenario::net::Family;
use crate::scenario::value::Located;

/// `iptables|ip6tables -t nat -F CHAIN`.
///
/// What is tracked already goes on being translated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Flush {
    /// The node that translates.
    #[serde(rename = "in")]
    pub node: Located<NodeName>,
    /// The IP that the chain is of; IPv4 when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<Located<Family>>,
    /// The chain.
    pub chain: Located<TranslationChain>,
}

/// A chain whose rules translate addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TranslationChain {
    /// Packets that come from a wire: their destination.
    Prerouting,
    /// Packets of the node itself: their destination.
    Output,
    /// Packets that are about to leave: their source.
    Postrouting,
}

impl Flush {
    /// Returns the IP that the chain is of.
    pub fn family(&self) -> Family {
        self.family
            .as_ref()
            .map(|family| family.value)
            .unwrap_or_default()
    }
}

impl Arguments for Flush {
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        visit(Mention::Uses(&self.node.value, self.node.span));
    }

    fn command(&self) -> String {
        let chain = match self.chain.value {
            TranslationChain::Prerouting => "PREROUTING",
            TranslationChain::Output => "OUTPUT",
            TranslationChain::Postrouting => "POSTROUTING",
        };
        format!(
            "{}{} -t nat -F {chain}",
            exec(&self.node),
            tool(self.family())
        )
    }
}
