//! One item under `expect`: a probe with its fate, or a table.

use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::claim::Claims;
use super::fact::FactExpectation;
use super::fate::{ExpectedFate, FATES, Sighting};
use super::model::FactKind;
use super::probe::{PROBES, Probe};
use super::value::{Located, Span, ValueError};

/// One item under `expect`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expectation {
    /// What becomes of a probe.
    Probe(Box<ProbeExpectation>),
    /// What a table shows.
    Fact(Box<FactExpectation>),
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
    "unanswered",
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
                        "unanswered" => {
                            fate = Some(ExpectedFate::Unanswered(at(&key, map.next_value()?)));
                        }
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
                    let fact = FactExpectation { claims, ..fact };
                    return Ok(Expectation::Fact(Box::new(fact)));
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
                    let help = "say what becomes of the probe: reply, rejected, lost or unanswered";
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
            ExpectedFate::Unanswered(silence) => map.serialize_entry("unanswered", silence)?,
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
