//! What netfilter does with packets: `iptables` and `ip6tables`.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::arguments::{Arguments, Mention, exec, word};
use super::conditions::{Chain, Conditions, ConnectionState, Protocol, Rule, tool};
use crate::scenario::name::{IfName, NodeName};
use crate::scenario::net::{Endpoint, Family, Prefix};
use crate::scenario::value::{Located, Span, ValueError, at_least_one};

/// Makes the arguments of a rule about packets behind routing, and what it matches by.
macro_rules! rule_behind_routing {
    ($(#[$doc:meta])* $name:ident $(, $(#[$more_doc:meta])* $more:ident: $type:ty)? $(,)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        pub struct $name {
            /// The node that translates.
            #[serde(rename = "in")]
            pub node: Located<NodeName>,
            /// The IP that the rule is of; IPv4 when nothing in it is of IPv6.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub family: Option<Located<Family>>,
            /// Only packets from this prefix.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub source: Option<Located<Prefix>>,
            /// Only packets to this prefix.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub destination: Option<Located<Prefix>>,
            /// Only packets that leave by this interface.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub out: Option<Located<IfName>>,
            /// Only packets that leave by another interface than this.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub not_out: Option<Located<IfName>>,
            $(
                $(#[$more_doc])*
                pub $more: Located<$type>,
            )?
        }

        impl $name {
            fn behind_routing(&self) -> Conditions<'_> {
                Conditions {
                    family: self.family.as_ref(),
                    source: self.source.as_ref(),
                    destination: self.destination.as_ref(),
                    out: self.out.as_ref(),
                    not_out: self.not_out.as_ref(),
                    ..Conditions::of(Chain::Postrouting)
                }
            }
        }
    };
}

rule_behind_routing!(
    /// `iptables|ip6tables -t nat -A POSTROUTING [-s SOURCE] [-d DESTINATION] [[!] -o NAME] -j MASQUERADE`.
    Masquerade,
);

rule_behind_routing!(
    /// `iptables|ip6tables -t nat -A POSTROUTING [-s SOURCE] [-d DESTINATION] [[!] -o NAME] -j SNAT --to-source
    /// ADDRESS`.
    Snat,
    /// The new source.
    to: IpAddr,
);

/// Makes the arguments of a rule about packets before they are routed, and what it matches by.
macro_rules! rule_before_routing {
    (
        $(#[$doc:meta])* $name:ident,
        $(#[$node_doc:meta])* $node:ident
        $(, $(#[$more_doc:meta])* $more:ident: $type:ty)? $(,)?
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        pub struct $name {
            $(#[$node_doc])*
            #[serde(rename = "in")]
            pub $node: Located<NodeName>,
            /// The IP that the rule is of; IPv4 when nothing in it is of IPv6.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub family: Option<Located<Family>>,
            /// Which packets pass the rule; those from a wire when it is not given.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub chain: Option<Located<EntryChain>>,
            /// Only packets from this prefix.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub source: Option<Located<Prefix>>,
            /// Only packets to this prefix.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub destination: Option<Located<Prefix>>,
            /// Only packets that came in by this interface.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub input: Option<Located<IfName>>,
            /// Only packets that came in by another interface than this.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub not_input: Option<Located<IfName>>,
            /// Only packets of this protocol.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub protocol: Option<Located<Protocol>>,
            /// Only packets to this port.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub port: Option<Located<u16>>,
            $(
                $(#[$more_doc])*
                pub $more: Located<$type>,
            )?
        }

        impl $name {
            fn before_routing(&self) -> Conditions<'_> {
                let chain = match self.chain.as_ref().map(|chain| chain.value) {
                    None | Some(EntryChain::Prerouting) => Chain::Prerouting,
                    Some(EntryChain::Output) => Chain::Output,
                };
                Conditions {
                    family: self.family.as_ref(),
                    source: self.source.as_ref(),
                    destination: self.destination.as_ref(),
                    input: self.input.as_ref(),
                    not_input: self.not_input.as_ref(),
                    protocol: self.protocol.as_ref(),
                    port: self.port.as_ref(),
                    ..Conditions::of(chain)
                }
            }
        }
    };
}

rule_before_routing!(
    /// `iptables|ip6tables -t nat -A PREROUTING|OUTPUT [-s SOURCE] [-d DESTINATION] [[!] -i NAME]
    /// [-p PROTOCOL [--dport PORT]] -j DNAT --to-destination ADDRESS[:PORT]`.
    Dnat,
    /// The node that translates.
    node,
    /// The new destination.
    to: Endpoint,
);

rule_before_routing!(
    /// `iptables|ip6tables -t raw -A PREROUTING|OUTPUT [-s SOURCE] [-d DESTINATION] [[!] -i NAME]
    /// [-p PROTOCOL [--dport PORT]] -j NOTRACK`.
    Notrack,
    /// The node that does not track.
    node,
);

/// `iptables|ip6tables -A CHAIN [-s SOURCE] [-d DESTINATION] [[!] -i NAME] [[!] -o NAME] [-p PROTOCOL
/// [--dport PORT]] [-m conntrack --ctstate STATES] -j TARGET`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Filter {
    /// The node that filters.
    #[serde(rename = "in")]
    pub node: Located<NodeName>,
    /// The IP that the rule is of; IPv4 when nothing in it is of IPv6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<Located<Family>>,
    /// Which packets pass the rule.
    pub chain: Located<FilterChain>,
    /// Only packets from this prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Located<Prefix>>,
    /// Only packets to this prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<Located<Prefix>>,
    /// Only packets that came in by this interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Located<IfName>>,
    /// Only packets that came in by another interface than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_input: Option<Located<IfName>>,
    /// Only packets that leave by this interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out: Option<Located<IfName>>,
    /// Only packets that leave by another interface than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_out: Option<Located<IfName>>,
    /// Only packets of this protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Located<Protocol>>,
    /// Only packets to this port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<Located<u16>>,
    /// Only packets whose connection is in one of these states; any if it is empty.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "states"
    )]
    pub state: Vec<Located<ConnectionState>>,
    /// What becomes of them.
    pub then: Located<Target>,
}

/// `iptables|ip6tables -P CHAIN ACCEPT|DROP`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The node that filters.
    #[serde(rename = "in")]
    pub node: Located<NodeName>,
    /// The IP that the chain is of; IPv4 when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<Located<Family>>,
    /// The chain.
    pub chain: Located<FilterChain>,
    /// What becomes of packets that no rule of the chain decides on.
    pub to: Located<PolicyTarget>,
}

/// A chain that packets pass before they are routed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EntryChain {
    /// Packets that come from a wire.
    Prerouting,
    /// Packets of the node itself.
    Output,
}

/// A chain that may drop packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FilterChain {
    /// Packets that come from a wire, before they are routed.
    Prerouting,
    /// Packets to the node itself.
    Input,
    /// Packets that the node passes on.
    Forward,
    /// Packets of the node itself.
    Output,
    /// Packets that are about to leave.
    Postrouting,
}

impl FilterChain {
    /// Returns the table of iptables whose chain of that name may drop packets.
    fn table(self) -> &'static str {
        match self {
            Self::Prerouting | Self::Postrouting => "mangle",
            Self::Input | Self::Forward | Self::Output => "filter",
        }
    }
}

/// What a filter rule does with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// It passes the chain.
    Accept,
    /// It is dropped, and nobody is told.
    Drop,
    /// It is dropped, and its sender is told by ICMP that the port is unreachable, whatever the
    /// protocol.
    Reject,
}

/// What a chain does with a packet that no rule decides on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyTarget {
    /// It passes the chain.
    Accept,
    /// It is dropped.
    Drop,
}

impl Rule for Masquerade {
    fn node(&self) -> &Located<NodeName> {
        &self.node
    }

    fn conditions(&self) -> Conditions<'_> {
        self.behind_routing()
    }

    fn table(&self) -> &'static str {
        "nat"
    }

    fn target(&self) -> String {
        "MASQUERADE".to_owned()
    }
}

impl Rule for Snat {
    fn node(&self) -> &Located<NodeName> {
        &self.node
    }

    fn conditions(&self) -> Conditions<'_> {
        self.behind_routing()
    }

    fn table(&self) -> &'static str {
        "nat"
    }

    fn target(&self) -> String {
        format!("SNAT --to-source {}", self.to)
    }

    fn translates_to(&self) -> Option<(IpAddr, Span)> {
        Some((self.to.value, self.to.span))
    }
}

impl Rule for Dnat {
    fn node(&self) -> &Located<NodeName> {
        &self.node
    }

    fn conditions(&self) -> Conditions<'_> {
        self.before_routing()
    }

    fn table(&self) -> &'static str {
        "nat"
    }

    fn target(&self) -> String {
        format!("DNAT --to-destination {}", word(&self.to.to_string()))
    }

    fn translates_to(&self) -> Option<(IpAddr, Span)> {
        Some((self.to.address, self.to.span))
    }
}

impl Rule for Filter {
    fn node(&self) -> &Located<NodeName> {
        &self.node
    }

    fn conditions(&self) -> Conditions<'_> {
        Conditions {
            family: self.family.as_ref(),
            chain: self.chain.value.into(),
            source: self.source.as_ref(),
            destination: self.destination.as_ref(),
            input: self.input.as_ref(),
            not_input: self.not_input.as_ref(),
            out: self.out.as_ref(),
            not_out: self.not_out.as_ref(),
            protocol: self.protocol.as_ref(),
            port: self.port.as_ref(),
            state: &self.state,
        }
    }

    fn table(&self) -> &'static str {
        self.chain.table()
    }

    fn target(&self) -> String {
        match self.then.value {
            Target::Accept => "ACCEPT",
            Target::Drop => "DROP",
            Target::Reject => "REJECT",
        }
        .to_owned()
    }
}

impl Rule for Notrack {
    fn node(&self) -> &Located<NodeName> {
        &self.node
    }

    fn conditions(&self) -> Conditions<'_> {
        self.before_routing()
    }

    fn table(&self) -> &'static str {
        "raw"
    }

    fn target(&self) -> String {
        "NOTRACK".to_owned()
    }
}

impl Arguments for Policy {
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        visit(Mention::Uses(&self.node.value, self.node.span));
    }

    fn command(&self) -> String {
        let chain = Chain::from(self.chain.value);
        let to = self.to.value.target();
        let tool = tool(self.family());
        let table = match self.chain.table() {
            "filter" => String::new(),
            table => format!(" -t {table}"),
        };
        format!("{}{tool}{table} -P {chain} {to}", exec(&self.node))
    }
}

impl Policy {
    /// The IP that the chain is of.
    pub fn family(&self) -> Family {
        self.family.as_ref().map(|of| of.value).unwrap_or_default()
    }
}

impl From<FilterChain> for Chain {
    fn from(chain: FilterChain) -> Self {
        match chain {
            FilterChain::Prerouting => Self::Prerouting,
            FilterChain::Postrouting => Self::Postrouting,
            FilterChain::Input => Self::Input,
            FilterChain::Forward => Self::Forward,
            FilterChain::Output => Self::Output,
        }
    }
}

fn states<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Located<ConnectionState>>, D::Error> {
    let empty = ValueError::new(
        "no-state",
        "`state` names no state",
        "write `state: [established, related]`, or remove it",
    );
    at_least_one(deserializer, empty)
}
