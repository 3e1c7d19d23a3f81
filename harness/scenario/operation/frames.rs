//! Rules about frames: `ebtables`, and nftables at an interface.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arguments::{Arguments, Mention, exec, word};
use super::filter::PolicyTarget;
use crate::scenario::name::{IfName, LinkRef, NodeName};
use crate::scenario::value::Located;

/// `ebtables -A INPUT|FORWARD|OUTPUT [-i PORT] [-o PORT] -j ACCEPT|DROP`.
///
/// It is about frames of every protocol, ARP among them, that a bridge takes in, passes on or sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BridgeFilter {
    /// The node whose bridges filter.
    #[serde(rename = "in")]
    pub node: Located<NodeName>,
    /// Which frames pass the rule: those for the bridge itself, those between two ports, or those of the
    /// bridge itself.
    pub chain: Located<BridgeChain>,
    /// Only frames that came in by this port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Located<IfName>>,
    /// Only frames that leave by this port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out: Option<Located<IfName>>,
    /// What becomes of them.
    pub then: Located<PolicyTarget>,
}

/// A chain of the table `filter` of ebtables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BridgeChain {
    /// Frames for the bridge's own interface.
    Input,
    /// Frames from port to port.
    Forward,
    /// Frames of the bridge's own interface.
    Output,
}

/// `nft 'add table netdev netproof; add chain …; add rule … accept|drop'`: a rule at the ingress of an
/// interface, before everything else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IngressFilter {
    /// The interface.
    pub dev: Located<LinkRef>,
    /// What becomes of every frame that comes in there.
    pub then: Located<PolicyTarget>,
}

impl Arguments for BridgeFilter {
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        visit(Mention::Uses(&self.node.value, self.node.span));
    }

    fn command(&self) -> String {
        let chain = match self.chain.value {
            BridgeChain::Input => "INPUT",
            BridgeChain::Forward => "FORWARD",
            BridgeChain::Output => "OUTPUT",
        };
        let mut text = format!("{}ebtables -A {chain}", exec(&self.node));
        for (option, port) in [("-i", &self.input), ("-o", &self.out)] {
            if let Some(port) = port {
                text += &format!(" {option} {}", word(port.as_str()));
            }
        }
        let then = match self.then.value {
            PolicyTarget::Accept => "ACCEPT",
            PolicyTarget::Drop => "DROP",
        };
        text + " -j " + then
    }
}

impl Arguments for IngressFilter {
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        visit(Mention::Uses(&self.dev.value.node, self.dev.span));
    }

    fn command(&self) -> String {
        let name = self.dev.ifname.as_str();
        let then = match self.then.value {
            PolicyTarget::Accept => "accept",
            PolicyTarget::Drop => "drop",
        };
        // The grammar of nft has no quotation marks around the name of a chain.
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || "-_.".contains(c) {
                c
            } else {
                '_'
            }
        };
        let chain_name: String = name.chars().map(plain).collect();
        let chain = format!("netdev netproof ingress_{chain_name}");
        let script = format!(
            "add table netdev netproof; add chain {chain} {{ type filter hook ingress device \"{name}\" \
             priority 0; }}; add rule {chain} {then}"
        );
        format!("{}nft {}", exec(&self.dev.node), word(&script))
    }
}
