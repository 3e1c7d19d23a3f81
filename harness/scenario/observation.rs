//! One item under `observe`: something that is looked at, without a right answer.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::model::FactKind;
use super::name::NodeName;
use super::operation::{Attach, Detach, Network, Operation};
use super::probe::Probe;
use super::value::{Located, Span, ValueError};

/// One item under `observe`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// What is looked at.
    pub of: Observed,
    /// Where its key stands.
    pub span: Span,
}

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observed {
    /// What becomes of a probe.
    Probe(Box<Probe>),
    /// What a table of a node shows.
    Table(FactKind, Shown),
    /// What comes of an intent: whether it is done, or how it is refused.
    Intent(Box<Operation>),
}

/// A node's table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// The node whose table it is.
    #[serde(rename = "in")]
    pub node: Located<NodeName>,
    /// Only the lines that begin with this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<Located<String>>,
}

impl Observation {
    /// The keys of an item under `observe`.
    pub(super) const KEYS: &'static [&'static str] = &[
        "ping",
        "arp",
        "ndp",
        "udp",
        "tcp",
        "frame",
        "links",
        "addresses",
        "routes",
        "rules",
        "neighbours",
        "fdb",
        "bridges",
        "conntrack",
        "mounts",
        "network",
        "attach",
        "detach",
    ];
}

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.of {
            Observed::Probe(probe) => probe.fmt(f),
            Observed::Table(kind, shown) => {
                write!(f, "{} in {}", kind.word(), shown.node)?;
                let only = shown.only.as_ref();
                only.map_or(Ok(()), |only| write!(f, ", {only}"))
            }
            Observed::Intent(operation) => f.write_str(&operation.command()),
        }
    }
}

impl<'de> Deserialize<'de> for Observation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObservationVisitor;

        impl<'de> Visitor<'de> for ObservationVisitor {
            type Value = Observation;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an observation, for example `links: {in: web}`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Observation, A::Error> {
                let mut found: Option<Observation> = None;
                while let Some(key) = map.next_key::<Located<String>>()? {
                    if let Some(first) = &found {
                        let message = format!("`{key}` stands in one item with `{first}`");
                        let help = "begin a new item: one `-` for each observation";
                        let error = ValueError::new("two-observations", message, help);
                        return Err(de::Error::custom(error.pack_at(key.span)));
                    }
                    let of = read(&key, &mut map)?;
                    found = Some(Observation { of, span: key.span });
                }
                found.ok_or_else(|| {
                    let help = format!("write one of: {}", Observation::KEYS.join(", "));
                    let message = "the item names nothing to look at";
                    de::Error::custom(ValueError::new("no-observation", message, help).pack())
                })
            }
        }

        deserializer.deserialize_map(ObservationVisitor)
    }
}

fn read<'de, A: MapAccess<'de>>(key: &str, map: &mut A) -> Result<Observed, A::Error> {
    let probe = |probe| Observed::Probe(Box::new(probe));
    let intent = |intent| Observed::Intent(Box::new(intent));
    Ok(match key {
        "ping" => probe(Probe::Ping(map.next_value()?)),
        "arp" => probe(Probe::Arp(map.next_value()?)),
        "ndp" => probe(Probe::Ndp(map.next_value()?)),
        "udp" => probe(Probe::Udp(map.next_value()?)),
        "tcp" => probe(Probe::Tcp(map.next_value()?)),
        "frame" => probe(Probe::Frame(map.next_value()?)),
        "network" => intent(Operation::Network(map.next_value::<Network>()?)),
        "attach" => intent(Operation::Attach(map.next_value::<Attach>()?)),
        "detach" => intent(Operation::Detach(map.next_value::<Detach>()?)),
        key => match FactKind::TABLES.into_iter().find(|it| it.word() == key) {
            Some(kind) => Observed::Table(kind, map.next_value()?),
            None => return Err(de::Error::unknown_field(key, Observation::KEYS)),
        },
    })
}

impl Serialize for Observation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match &self.of {
            Observed::Probe(probe) => match &**probe {
                Probe::Ping(ping) => map.serialize_entry("ping", ping)?,
                Probe::Arp(ask) => map.serialize_entry("arp", ask)?,
                Probe::Ndp(ask) => map.serialize_entry("ndp", ask)?,
                Probe::Udp(exchange) => map.serialize_entry("udp", exchange)?,
                Probe::Tcp(exchange) => map.serialize_entry("tcp", exchange)?,
                Probe::Frame(frame) => map.serialize_entry("frame", frame)?,
            },
            Observed::Table(kind, shown) => map.serialize_entry(kind.word(), shown)?,
            Observed::Intent(operation) => match &**operation {
                Operation::Network(network) => map.serialize_entry("network", network)?,
                Operation::Attach(attach) => map.serialize_entry("attach", attach)?,
                Operation::Detach(detach) => map.serialize_entry("detach", detach)?,
                _ => {}
            },
        }
        map.end()
    }
}
