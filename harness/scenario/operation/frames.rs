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

/// `ebtables -P INPUT|FORWARD|OUTPUT ACCEPT|DROP`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BridgePolicy {
    /// The node whose bridges filter.
    #[serde(rename = "in")]
    pub node: Located<NodeName>,
    /// The chain: frames for the bridge itself, those between two ports, or those of the bridge itself.
    pub chain: Located<BridgeChain>,
    /// What becomes of frames that no rule of the chain decides on.
    pub to: Located<PolicyTarget>,
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

/// `nft 'add table netdev netproof; add chain … { …; policy accept|drop; }'`: what the chain at the ingress
/// of an interface does where no rule of `ingress-filter` decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IngressPolicy {
    /// The interface.
    pub dev: Located<LinkRef>,
    /// What becomes of frames that come in there and that no rule decides on.
    pub to: Located<PolicyTarget>,
}

impl BridgeChain {
    /// Returns the name that ebtables has for it.
    fn name(self) -> &'static str {
        match self {
            Self::Input => "INPUT",
            Self::Forward => "FORWARD",
            Self::Output => "OUTPUT",
        }
    }
}

impl PolicyTarget {
    /// Returns it as a target of ebtables and iptables.
    pub(super) fn target(self) -> &'static str {
        match self {
            Self::Accept => "ACCEPT",
            Self::Drop => "DROP",
        }
    }

    /// Returns it as a verdict of nft.
    fn verdict(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Drop => "drop",
        }
    }
}

/// Returns the chain at the ingress of an interface as nft names it, and the script that makes it where
/// it is missing, with `policy` between its braces.
fn ingress_chain(name: &str, policy: &str) -> (String, String) {
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
         priority 0; {policy}}}"
    );
    (chain, script)
}

impl Arguments for BridgeFilter {
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        visit(Mention::Uses(&self.node.value, self.node.span));
    }

    fn command(&self) -> String {
        let chain = self.chain.value.name();
        let mut text = format!("{}ebtables -A {chain}", exec(&self.node));
        for (option, port) in [("-i", &self.input), ("-o", &self.out)] {
            if let Some(port) = port {
                text += &format!(" {option} {}", word(port.as_str()));
            }
        }
        text + " -j " + self.then.value.target()
    }
}

impl Arguments for BridgePolicy {
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        visit(Mention::Uses(&self.node.value, self.node.span));
    }

    fn command(&self) -> String {
        let (chain, to) = (self.chain.value.name(), self.to.value.target());
        format!("{}ebtables -P {chain} {to}", exec(&self.node))
    }
}

impl Arguments for IngressFilter {
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        visit(Mention::Uses(&self.dev.value.node, self.dev.span));
    }

    fn command(&self) -> String {
        let (chain, script) = ingress_chain(self.dev.ifname.as_str(), "");
        let script = format!("{script}; add rule {chain} {}", self.then.value.verdict());
        format!("{}nft {}", exec(&self.dev.node), word(&script))
    }
}

impl Arguments for IngressPolicy {
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        visit(Mention::Uses(&self.dev.value.node, self.dev.span));
    }

    fn command(&self) -> String {
        let policy = format!("policy {}; ", self.to.value.verdict());
        let (_, script) = ingress_chain(self.dev.ifname.as_str(), &policy);
        format!("{}nft {}", exec(&self.dev.node), word(&script))
    }
}
