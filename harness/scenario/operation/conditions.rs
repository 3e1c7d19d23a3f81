//! Where a rule of iptables stands, and which packets it is about.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arguments::{Arguments, Mention, exec, word};
use crate::scenario::name::{IfName, NodeName};
use crate::scenario::net::{Family, Prefix};
use crate::scenario::value::{Located, Span};

/// Any chain of iptables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chain {
    /// Before routing.
    Prerouting,
    /// To the node itself.
    Input,
    /// From wire to wire.
    Forward,
    /// From the node itself.
    Output,
    /// Behind routing.
    Postrouting,
}

/// What follows the IP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// ICMP.
    Icmp,
    /// The ICMP of IPv6.
    Icmpv6,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// What connection tracking knows of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectionState {
    /// It begins a connection.
    New,
    /// Both directions of its connection were seen.
    Established,
    /// It begins a connection that another one announced, or is an error about one.
    Related,
    /// It belongs to no connection and cannot begin one.
    Invalid,
    /// It is exempt from tracking.
    Untracked,
}

/// Where a rule stands and which packets it is about.
#[derive(Debug, Clone, Copy)]
pub struct Conditions<'a> {
    /// The IP that the rule says it is of.
    pub family: Option<&'a Located<Family>>,
    /// The chain.
    pub chain: Chain,
    /// From this prefix.
    pub source: Option<&'a Located<Prefix>>,
    /// To this prefix.
    pub destination: Option<&'a Located<Prefix>>,
    /// Came in by this interface.
    pub input: Option<&'a Located<IfName>>,
    /// Came in by another interface.
    pub not_input: Option<&'a Located<IfName>>,
    /// Leaves by this interface.
    pub out: Option<&'a Located<IfName>>,
    /// Leaves by another interface.
    pub not_out: Option<&'a Located<IfName>>,
    /// Of this protocol.
    pub protocol: Option<&'a Located<Protocol>>,
    /// To this port.
    pub port: Option<&'a Located<u16>>,
    /// In one of these states, if there is any.
    pub state: &'a [Located<ConnectionState>],
}

impl Conditions<'_> {
    /// Every packet that passes a chain.
    pub(super) fn of(chain: Chain) -> Self {
        Self {
            family: None,
            chain,
            source: None,
            destination: None,
            input: None,
            not_input: None,
            out: None,
            not_out: None,
            protocol: None,
            port: None,
            state: &[],
        }
    }
}

/// An operation that appends a rule.
pub trait Rule {
    /// The node that the rule is in.
    fn node(&self) -> &Located<NodeName>;

    /// Where the rule stands and which packets it is about.
    fn conditions(&self) -> Conditions<'_>;

    /// The table of iptables.
    fn table(&self) -> &'static str;

    /// What stands behind `-j`.
    fn target(&self) -> String;

    /// The address that packets are translated to, and where it stands.
    fn translates_to(&self) -> Option<(IpAddr, Span)> {
        None
    }

    /// Everything in the rule that goes with one IP only, and where it stands.
    fn families(&self) -> Vec<(Family, Span)> {
        let of = self.conditions();
        let prefixes = [of.source, of.destination].into_iter().flatten();
        let explicit = of.family.map(|family| (family.value, family.span));
        let protocol = of
            .protocol
            .and_then(|protocol| Some((protocol.family()?, protocol.span)));
        let to = self.translates_to();
        explicit
            .into_iter()
            .chain(prefixes.map(|prefix| (Family::of(prefix.0.addr()), prefix.span)))
            .chain(protocol)
            .chain(to.map(|(address, span)| (Family::of(address), span)))
            .collect()
    }

    /// The IP that the rule is of: the first of all that says it.
    fn family(&self) -> Family {
        let families = self.families();
        families.first().map(|(of, _)| *of).unwrap_or_default()
    }
}

/// The command for the rules of one IP.
pub(super) fn tool(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "iptables",
        Family::Ipv6 => "ip6tables",
    }
}

impl<T: Rule> Arguments for T {
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        let node = self.node();
        visit(Mention::Uses(&node.value, node.span));
    }

    fn command(&self) -> String {
        let mut text = format!("{}{}", exec(self.node()), tool(self.family()));
        if self.table() != "filter" {
            text += &format!(" -t {}", self.table());
        }
        text += &self.conditions().to_string();
        text + " -j " + &self.target()
    }
}

impl Protocol {
    /// Returns the word that stands for it in a scenario, and in `iptables`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Icmp => "icmp",
            Self::Icmpv6 => "icmpv6",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }

    /// Tells whether its packets go to a port.
    pub fn has_ports(self) -> bool {
        matches!(self, Self::Tcp | Self::Udp)
    }

    /// Returns the only IP that it goes with, if there is but one.
    pub fn family(self) -> Option<Family> {
        match self {
            Self::Icmp => Some(Family::Ipv4),
            Self::Icmpv6 => Some(Family::Ipv6),
            Self::Tcp | Self::Udp => None,
        }
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prerouting => "PREROUTING",
            Self::Input => "INPUT",
            Self::Forward => "FORWARD",
            Self::Output => "OUTPUT",
            Self::Postrouting => "POSTROUTING",
        })
    }
}

/// Writes ` -A CHAIN` and the conditions as iptables(8) takes them.
impl fmt::Display for Conditions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " -A {}", self.chain)?;
        for (option, prefix) in [("-s", self.source), ("-d", self.destination)] {
            match prefix.map(|prefix| prefix.0) {
                Some(net) if is_single(net) => write!(f, " {option} {}", net.addr())?,
                Some(net) => write!(f, " {option} {net}")?,
                None => {}
            }
        }
        let interfaces = [
            ("-i", self.input),
            ("! -i", self.not_input),
            ("-o", self.out),
            ("! -o", self.not_out),
        ];
        for (option, name) in interfaces {
            if let Some(name) = name {
                write!(f, " {option} {}", word(name.as_str()))?;
            }
        }
        if let Some(protocol) = self.protocol {
            write!(f, " -p {}", protocol.word())?;
        }
        if let Some(port) = self.port {
            write!(f, " --dport {port}")?;
        }
        for (at, state) in self.state.iter().enumerate() {
            f.write_str(if at == 0 {
                " -m conntrack --ctstate "
            } else {
                ","
            })?;
            f.write_str(match state.value {
                ConnectionState::New => "NEW",
                ConnectionState::Established => "ESTABLISHED",
                ConnectionState::Related => "RELATED",
                ConnectionState::Invalid => "INVALID",
                ConnectionState::Untracked => "UNTRACKED",
            })?;
        }
        Ok(())
    }
}

fn is_single(net: IpNet) -> bool {
    net.prefix_len() == net.max_prefix_len()
}
