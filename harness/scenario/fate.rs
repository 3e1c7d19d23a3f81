//! What has to become of a probe, and where it has to be seen.

use std::fmt;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cause::Cause;
use super::name::{LinkRef, NodeName, Place};
use super::value::Located;

/// The keys of fates.
pub(super) const FATES: &[&str] = &["reply", "rejected", "lost", "unanswered"];

/// What has to become of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpectedFate {
    /// It is answered.
    Reply(Located<ExpectedReply>),
    /// It is refused.
    Rejected(Located<ExpectedRejection>),
    /// It vanishes.
    Lost(Located<ExpectedLoss>),
    /// It is refused or vanishes, whoever does that and wherever.
    Unanswered(Located<ExpectedSilence>),
}

/// What an answer has to look like; what is not given may be anything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedReply {
    /// The TTL with which the answer arrives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Located<u8>>,
    /// The source address that the far side saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Located<IpAddr>>,
    /// The interface whose MAC address the answer to ARP or neighbour discovery gives, or from which
    /// that to a frame comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Located<LinkRef>>,
}

/// Who has to refuse a probe, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedRejection {
    /// How it is refused.
    pub how: Located<Rejection>,
    /// The node that refuses.
    pub by: Located<NodeName>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<Located<Cause>>,
}

/// Where a probe has to be lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedLoss {
    /// The last place where it was seen.
    pub after: Located<Place>,
    /// Which of the two was lost there; the request when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leg: Option<Located<Leg>>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<Located<Cause>>,
}

/// That nothing comes back but a refusal: how and where is the network's own affair.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedSilence {}

/// One of the two halves of an exchange.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Leg {
    /// From the sender to the address asked.
    #[default]
    Request,
    /// Back.
    Reply,
}

/// A probe's packet at an interface, as tcpdump(8) would show it there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sighting {
    /// The interface.
    pub on: Located<LinkRef>,
    /// The source address in the packet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Located<IpAddr>>,
    /// The destination address in the packet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<Located<IpAddr>>,
    /// Which half of the exchange; the request when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leg: Option<Located<Leg>>,
}

/// How a probe is refused: an error of the sender's own kernel, an ICMP error, or a TCP reset.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Rejection {
    /// No route: `ENETUNREACH`, ICMP 3/0, ICMPv6 1/0.
    NetworkUnreachable,
    /// The neighbour does not answer, or the route says so: `EHOSTUNREACH`, ICMP 3/1, ICMPv6 1/3.
    HostUnreachable,
    /// The protocol is not spoken there: ICMP 3/2, ICMPv6 4/1.
    ProtocolUnreachable,
    /// Nobody listens: a TCP reset, ICMP 3/3 or ICMPv6 1/4, `ECONNREFUSED`.
    PortUnreachable,
    /// The packet is too big and must not be cut: ICMP 3/4, ICMPv6 2/0, `EMSGSIZE`.
    FragmentationNeeded,
    /// A rule forbids it: ICMP 3/9, 3/10, 3/13, ICMPv6 1/1, 1/5, 1/6, `EACCES`.
    Prohibited,
    /// The TTL ran out on the way: ICMP 11/0, ICMPv6 3/0.
    TtlExceeded,
    /// The sender's kernel finds the packet impossible: `EINVAL`, as with a blackhole route.
    InvalidArgument,
    /// The sender has no address to send from: `EADDRNOTAVAIL`, as where IPv6 is off.
    NoSourceAddress,
}

impl Rejection {
    /// Returns the word that stands for it in a scenario.
    pub fn word(self) -> &'static str {
        match self {
            Self::NetworkUnreachable => "network-unreachable",
            Self::HostUnreachable => "host-unreachable",
            Self::ProtocolUnreachable => "protocol-unreachable",
            Self::PortUnreachable => "port-unreachable",
            Self::FragmentationNeeded => "fragmentation-needed",
            Self::Prohibited => "prohibited",
            Self::TtlExceeded => "ttl-exceeded",
            Self::InvalidArgument => "invalid-argument",
            Self::NoSourceAddress => "no-source-address",
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl fmt::Display for Leg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request => "request",
            Self::Reply => "reply",
        })
    }
}

impl fmt::Display for ExpectedFate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply(reply) => {
                f.write_str("reply")?;
                if let Some(ttl) = &reply.ttl {
                    write!(f, " ttl {ttl}")?;
                }
                if let Some(source) = &reply.source {
                    write!(f, " source {source}")?;
                }
                if let Some(by) = &reply.by {
                    write!(f, " by {by}")?;
                }
                Ok(())
            }
            Self::Rejected(rejected) => {
                write!(f, "rejected {} by {}", rejected.how, rejected.by)?;
                because(f, rejected.because.as_ref())
            }
            Self::Lost(lost) => {
                let whose = match lost.leg.as_ref().map(|leg| leg.value) {
                    Some(Leg::Reply) => "reply ",
                    _ => "",
                };
                write!(f, "{whose}lost after {}", lost.after)?;
                because(f, lost.because.as_ref())
            }
            Self::Unanswered(_) => f.write_str("unanswered"),
        }
    }
}

fn because(f: &mut fmt::Formatter<'_>, cause: Option<&Located<Cause>>) -> fmt::Result {
    cause.map_or(Ok(()), |cause| write!(f, " because {cause}"))
}

impl fmt::Display for Sighting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let leg = self.leg.as_ref().map(|leg| leg.value).unwrap_or_default();
        write!(f, "{leg} on {}", self.on)?;
        if let Some(source) = &self.source {
            write!(f, " from {source}")?;
        }
        if let Some(destination) = &self.destination {
            write!(f, " to {destination}")?;
        }
        Ok(())
    }
}
