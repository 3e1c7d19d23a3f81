//! What is sent.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::hardware::{EchoSize, EtherType};
use super::name::{LinkRef, NodeName, as_text};
use super::value::{Located, ValueError};

/// The keys of probes.
pub(super) const PROBES: &[&str] = &["ping", "arp", "ndp", "udp", "tcp", "frame"];

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probe {
    /// An ICMP echo request, RFC 792 and RFC 4443.
    Ping(Ping),
    /// An ARP request, RFC 826.
    Arp(Solicitation),
    /// A neighbour solicitation, RFC 4861.
    Ndp(Solicitation),
    /// A UDP datagram that has to come back.
    Udp(Exchange),
    /// A TCP connection that has to be established.
    Tcp(Exchange),
    /// A frame of a protocol that nobody speaks, and that has to come back.
    Frame(RawFrame),
}

/// An ICMP echo request from a node to an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ping {
    /// The node that sends.
    pub from: Located<NodeName>,
    /// The address asked, or the interface whose address is asked.
    pub to: Located<SentTo>,
    /// The TTL, or hop limit, that the request leaves with; 64 when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Located<u8>>,
    /// How many bytes the request carries, as `ping -M probe -s`: it must not be cut, and what the
    /// kernel has learned of the way's MTU is left aside. 56 bytes, which may be cut, when it is not
    /// given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Located<EchoSize>>,
}

/// An ARP request, or a neighbour solicitation, sent on one interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Solicitation {
    /// The interface that the request leaves by.
    pub from: Located<LinkRef>,
    /// The address asked for.
    pub to: Located<IpAddr>,
}

/// A UDP datagram or a TCP connection from a node to a port of an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Exchange {
    /// The node that sends.
    pub from: Located<NodeName>,
    /// The address that is sent to, or the interface whose address is sent to.
    pub to: Located<SentTo>,
    /// The port that is sent to.
    pub port: Located<u16>,
    /// The port that is sent from, as `nc -p`: to a router that tracks connections, two probes with
    /// the same ports are one connection. A fresh port from 33000 to 52999 when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_port: Option<Located<u16>>,
}

/// A frame from one interface to the hardware address of another, of a protocol that no kernel knows:
/// what carries it goes by hardware addresses only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawFrame {
    /// The interface that the frame leaves by.
    pub from: Located<LinkRef>,
    /// The interface whose hardware address it is sent to.
    pub to: Located<LinkRef>,
    /// The EtherType of the frame.
    pub ethertype: Located<EtherType>,
}

/// What a probe is sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SentTo {
    /// An address.
    Address(IpAddr),
    /// An interface: a frame goes to its hardware address, everything else to the first address that
    /// it has when the probe is sent.
    Link(LinkRef),
}

impl SentTo {
    /// Returns the address; an interface's is known only to its world.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Link(_) => None,
        }
    }
}

impl Probe {
    /// Returns the node that sends.
    pub fn from(&self) -> &NodeName {
        match self {
            Self::Ping(ping) => &ping.from,
            Self::Arp(ask) | Self::Ndp(ask) => &ask.from.value.node,
            Self::Udp(exchange) | Self::Tcp(exchange) => &exchange.from,
            Self::Frame(frame) => &frame.from.value.node,
        }
    }

    /// Returns what is sent to.
    pub fn to(&self) -> SentTo {
        match self {
            Self::Ping(ping) => ping.to.value.clone(),
            Self::Arp(ask) | Self::Ndp(ask) => SentTo::Address(ask.to.value),
            Self::Udp(exchange) | Self::Tcp(exchange) => exchange.to.value.clone(),
            Self::Frame(frame) => SentTo::Link(frame.to.value.clone()),
        }
    }

    /// Returns the address that is sent to; a frame has none, and that of an interface is known only to
    /// its world.
    pub fn address(&self) -> Option<IpAddr> {
        self.to().address()
    }

    /// Returns the word that stands for the kind of probe in a scenario.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Ping(_) => "ping",
            Self::Arp(_) => "arp",
            Self::Ndp(_) => "ndp",
            Self::Udp(_) => "udp",
            Self::Tcp(_) => "tcp",
            Self::Frame(_) => "frame",
        }
    }
}

impl fmt::Display for SentTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Link(link) => link.fmt(f),
        }
    }
}

impl FromStr for SentTo {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        match text.split_once('/') {
            Some((node, _)) if node.parse::<IpAddr>().is_err() => text.parse().map(Self::Link),
            _ => Err(no_address(text)),
        }
    }
}

as_text!(SentTo);

/// Says that a text is no address, and what would be one.
pub(super) fn no_address(text: &str) -> ValueError {
    let help = match text.split_once('/') {
        Some((address, _)) if address.parse::<IpAddr>().is_ok() => {
            format!("write it without its prefix length: `{address}`")
        }
        _ if text.starts_with(|c: char| c.is_ascii_digit()) => {
            "an address has four numbers from 0 to 255, for example `10.0.0.2`".to_owned()
        }
        _ => "write an address, not a name, for example `10.0.0.2`".to_owned(),
    };
    ValueError::new(
        "bad-address",
        format!("`{text}` is not an IP address"),
        help,
    )
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ping(ping) => {
                write!(f, "ping from {} to {}", ping.from, ping.to)?;
                let size = ping.size.as_ref();
                size.map_or(Ok(()), |size| write!(f, " with {size} bytes"))
            }
            Self::Arp(ask) | Self::Ndp(ask) => {
                write!(f, "{} from {} for {}", self.kind(), ask.from, ask.to)
            }
            Self::Udp(to) | Self::Tcp(to) => {
                write!(f, "{} from {}", self.kind(), to.from)?;
                if let Some(port) = &to.from_port {
                    write!(f, " port {port}")?;
                }
                write!(f, " to {} port {}", to.to, to.port)
            }
            Self::Frame(frame) => {
                let RawFrame {
                    from,
                    to,
                    ethertype,
                } = frame;
                write!(f, "frame {ethertype} from {from} to {to}")
            }
        }
    }
}
