//! What a step expects: a probe, what becomes of it, and where it is seen on its way.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::cause::Cause;
use super::claim::Claims;
use super::fact::FactExpectation;
use super::hardware::{EchoSize, EtherType};
use super::model::FactKind;
use super::name::{LinkRef, NodeName, Place, as_text};
use super::value::{Located, Span, ValueError};

/// One item under `expect`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expectation {
    /// What becomes of a probe.
    Probe(Box<ProbeExpectation>),
    /// What a table shows.
    Fact(FactExpectation),
}

/// One item under `expect`: a probe with its fate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeExpectation {
    /// The packets that are sent.
    pub probe: Probe,
    /// What has to become of them.
    pub fate: ExpectedFate,
    /// Where they have to be seen.
    pub seen: Vec<Sighting>,
    /// Where they must not be seen.
    pub not_seen: Vec<Sighting>,
    /// The claims that it decides.
    pub claims: Claims,
    /// Where the probe's key stands.
    pub span: Span,
}

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
    /// The address asked.
    pub to: Located<IpAddr>,
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
    /// The address that is sent to.
    pub to: Located<IpAddr>,
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
    /// An interface, by its hardware address.
    Link(LinkRef),
}

/// What has to become of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpectedFate {
    /// It is answered.
    Reply(Located<ExpectedReply>),
    /// It is refused.
    Rejected(Located<ExpectedRejection>),
    /// It vanishes.
    Lost(Located<ExpectedLoss>),
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

impl Expectation {
    /// Returns the expectation of a probe, where it is that.
    pub fn probe(&self) -> Option<&ProbeExpectation> {
        match self {
            Self::Probe(expectation) => Some(expectation),
            Self::Fact(_) => None,
        }
    }

    /// Returns the claims that it decides.
    pub fn claims(&self) -> &Claims {
        match self {
            Self::Probe(expectation) => &expectation.claims,
            Self::Fact(expectation) => &expectation.claims,
        }
    }

    /// Returns where the key stands that says what is asked.
    pub fn span(&self) -> Span {
        match self {
            Self::Probe(expectation) => expectation.span,
            Self::Fact(expectation) => expectation.span,
        }
    }
}

impl fmt::Display for ProbeExpectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.probe, self.fate)
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Probe(expectation) => expectation.fmt(f),
            Self::Fact(expectation) => expectation.fmt(f),
        }
    }
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
            Self::Ping(ping) => SentTo::Address(ping.to.value),
            Self::Arp(ask) | Self::Ndp(ask) => SentTo::Address(ask.to.value),
            Self::Udp(exchange) | Self::Tcp(exchange) => SentTo::Address(exchange.to.value),
            Self::Frame(frame) => SentTo::Link(frame.to.value.clone()),
        }
    }

    /// Returns the address that is sent to; a frame has none.
    pub fn address(&self) -> Option<IpAddr> {
        match self.to() {
            SentTo::Address(address) => Some(address),
            SentTo::Link(_) => None,
        }
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
        match text.parse() {
            Ok(address) => Ok(Self::Address(address)),
            Err(_) => text.parse().map(Self::Link),
        }
    }
}

as_text!(SentTo);

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

pub(super) const PROBES: &[&str] = &["ping", "arp", "ndp", "udp", "tcp", "frame"];
pub(super) const FATES: &[&str] = &["reply", "rejected", "lost"];
const KEYS: &[&str] = &[
    "ping",
    "arp",
    "ndp",
    "udp",
    "tcp",
    "frame",
    "reply",
    "rejected",
    "lost",
    "seen",
    "not-seen",
    "links",
    "addresses",
    "routes",
    "rules",
    "neighbours",
    "fdb",
    "bridges",
    "conntrack",
    "mounts",
    "claims",
    "refutes",
];

impl<'de> Deserialize<'de> for Expectation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ExpectationVisitor;

        fn twice<E: de::Error>(id: &'static str, key: &Located<String>, what: &str) -> E {
            let message = format!("`{key}` is a second {what} in one item");
            E::custom(
                ValueError::new(
                    id,
                    message,
                    "remove one of the two, or begin a new item with `-`",
                )
                .pack_at(key.span),
            )
        }

        impl<'de> Visitor<'de> for ExpectationVisitor {
            type Value = Expectation;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an expectation, for example `ping: {from: a, to: 10.0.0.1}`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Expectation, A::Error> {
                let (mut probe, mut fate) = (None, None);
                let (mut seen, mut not_seen) = (Vec::new(), Vec::new());
                let mut fact: Option<FactExpectation> = None;
                let mut claims = Claims::default();
                let mut span = Span::default();
                // The last key that only an expectation of a probe has.
                let mut of_probe: Option<Located<String>> = None;
                while let Some(key) = map.next_key::<Located<String>>()? {
                    if let Some(kind) = table_of(&key) {
                        if fact.is_some() {
                            return Err(twice("two-tables", &key, "table"));
                        }
                        fact = Some(FactExpectation {
                            kind,
                            table: map.next_value()?,
                            claims: Claims::default(),
                            span: key.span,
                        });
                        continue;
                    }
                    if Claims::KEYS.contains(&key.as_str()) {
                        claims.read(&key, &mut map)?;
                        continue;
                    }
                    if PROBES.contains(&key.as_str()) {
                        if probe.is_some() {
                            return Err(twice("two-probes", &key, "probe"));
                        }
                        span = key.span;
                    }
                    if FATES.contains(&key.as_str()) && fate.is_some() {
                        return Err(twice("two-fates", &key, "fate"));
                    }
                    of_probe = Some(key.clone());
                    match key.as_str() {
                        "ping" => probe = Some(Probe::Ping(map.next_value()?)),
                        "arp" => probe = Some(Probe::Arp(map.next_value()?)),
                        "ndp" => probe = Some(Probe::Ndp(map.next_value()?)),
                        "udp" => probe = Some(Probe::Udp(map.next_value()?)),
                        "tcp" => probe = Some(Probe::Tcp(map.next_value()?)),
                        "frame" => probe = Some(Probe::Frame(map.next_value()?)),
                        "reply" => fate = Some(ExpectedFate::Reply(at(&key, map.next_value()?))),
                        "rejected" => {
                            fate = Some(ExpectedFate::Rejected(at(&key, map.next_value()?)));
                        }
                        "lost" => fate = Some(ExpectedFate::Lost(at(&key, map.next_value()?))),
                        "seen" => seen = map.next_value()?,
                        "not-seen" => not_seen = map.next_value()?,
                        other => return Err(de::Error::unknown_field(other, KEYS)),
                    }
                }
                if let Some(fact) = fact {
                    if let Some(key) = of_probe {
                        let message =
                            format!("`{key}` stands in one item with `{}`", fact.kind.word());
                        let help = "begin a new item: a table and a probe are two expectations";
                        let error = ValueError::new("table-and-probe", message, help);
                        return Err(de::Error::custom(error.pack_at(key.span)));
                    }
                    return Ok(Expectation::Fact(FactExpectation { claims, ..fact }));
                }
                let missing = |id, what: &str, help: String| {
                    let message = format!("the expectation names no {what}");
                    let error = ValueError::new(id, message, help);
                    de::Error::custom(match span {
                        Span { end: 0, .. } => error.pack(),
                        probe => error.pack_at(probe),
                    })
                };
                let probe = probe.ok_or_else(|| {
                    missing(
                        "no-probe",
                        "probe",
                        format!(
                            "write one of: {}; or the table that is to be looked at, such as `routes`",
                            PROBES.join(", ")
                        ),
                    )
                })?;
                let fate = fate.ok_or_else(|| {
                    let help = "say what becomes of the probe: reply, rejected or lost";
                    missing("no-fate", "fate", help.to_owned())
                })?;
                Ok(Expectation::Probe(Box::new(ProbeExpectation {
                    probe,
                    fate,
                    seen,
                    not_seen,
                    claims,
                    span,
                })))
            }
        }

        deserializer.deserialize_map(ExpectationVisitor)
    }
}

/// Returns the table that a key stands for.
fn table_of(key: &str) -> Option<FactKind> {
    FactKind::TABLES.into_iter().find(|kind| kind.word() == key)
}

/// Gives a mapping the place of its key: a mapping's own span is only its first byte.
fn at<T>(key: &Located<String>, value: T) -> Located<T> {
    Located {
        value,
        span: key.span,
    }
}

impl Serialize for Expectation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Probe(expectation) => expectation.entries(&mut map)?,
            Self::Fact(expectation) => {
                map.serialize_entry(expectation.kind.word(), &expectation.table)?;
            }
        }
        self.claims().write(&mut map)?;
        map.end()
    }
}

impl ProbeExpectation {
    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        match &self.probe {
            Probe::Ping(ping) => map.serialize_entry("ping", ping)?,
            Probe::Arp(ask) => map.serialize_entry("arp", ask)?,
            Probe::Ndp(ask) => map.serialize_entry("ndp", ask)?,
            Probe::Udp(exchange) => map.serialize_entry("udp", exchange)?,
            Probe::Tcp(exchange) => map.serialize_entry("tcp", exchange)?,
            Probe::Frame(frame) => map.serialize_entry("frame", frame)?,
        }
        match &self.fate {
            ExpectedFate::Reply(reply) => map.serialize_entry("reply", reply)?,
            ExpectedFate::Rejected(rejection) => map.serialize_entry("rejected", rejection)?,
            ExpectedFate::Lost(loss) => map.serialize_entry("lost", loss)?,
        }
        if !self.seen.is_empty() {
            map.serialize_entry("seen", &self.seen)?;
        }
        if !self.not_seen.is_empty() {
            map.serialize_entry("not-seen", &self.not_seen)?;
        }
        Ok(())
    }
}
