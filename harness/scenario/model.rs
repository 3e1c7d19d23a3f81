//! The shape of a scenario file.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::claim::Claims;
use super::expectation::Expectation;
use super::name::NodeName;
use super::observation::{Observation, Observed};
use super::operation::Item;
use super::value::{Located, ValueError, at_least_one};

/// One scenario: nodes, what is given, and steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What the scenario shows, in one line.
    pub title: Located<String>,
    /// The tutorial that it reproduces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Located<String>>,
    /// How much is asked of an implementation; it must, unless something else is said. Only where
    /// something is attached to a network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requirement: Option<Located<Requirement>>,
    /// Whose business it is: every implementation's, unless something else is said. Only where
    /// something is attached to a network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Located<Profile>>,
    /// The nodes that are there at the start; operations may add others.
    #[serde(deserialize_with = "some_nodes")]
    #[schemars(length(min = 1))]
    pub nodes: Vec<Located<NodeName>>,
    /// The nodes that have IPv6 on, also those that come later; every other node has it off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ipv6: Vec<Located<NodeName>>,
    /// The machine that the story starts on, which is not under test.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<Item>,
    /// The steps, in order.
    #[serde(deserialize_with = "some_steps")]
    #[schemars(length(min = 1))]
    pub steps: Vec<Step>,
}

/// How much is asked of an implementation, in the sense of RFC 2119.
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
pub enum Requirement {
    /// Without it, it is no implementation.
    #[default]
    Must,
    /// There may be reasons against it.
    Should,
    /// It is up to the implementation.
    May,
    /// Nothing is asked; what there is to see is reported.
    Info,
}

/// Whose business a scenario is.
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
pub enum Profile {
    /// Every implementation's.
    #[default]
    Core,
    /// That of an implementation which has the feature.
    Extended,
}

impl Requirement {
    /// Every requirement, the strictest first.
    pub const ALL: [Self; 4] = [Self::Must, Self::Should, Self::May, Self::Info];

    /// Returns the word that reports use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
            Self::May => "MAY",
            Self::Info => "INFO",
        }
    }
}

impl Profile {
    /// Returns the word that reports use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Extended => "extended",
        }
    }
}

fn some_nodes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Located<NodeName>>, D::Error> {
    let help = "write the nodes that are there at the start, for example `nodes: [web, database]`";
    at_least_one(
        from,
        ValueError::new("no-nodes", "the scenario has no nodes", help),
    )
}

fn some_steps<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Step>, D::Error> {
    let help = "a step has a `name`, and `do`, `expect` or `snapshot`";
    at_least_one(
        from,
        ValueError::new("no-steps", "the scenario has no steps", help),
    )
}

/// One step: operations, then expectations, then a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What the step does, in one line.
    pub name: Located<String>,
    /// Why it comes out as it does, in a sentence or two, for whoever learns from the scenario.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Located<String>>,
    /// The changes, in order.
    #[serde(default, rename = "do", skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<Item>,
    /// What is looked at and reported, without a right answer, after the changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observe: Vec<Observation>,
    /// What is true afterwards, checked in order.
    #[serde(default, rename = "expect", skip_serializing_if = "Vec::is_empty")]
    pub expectations: Vec<Expectation>,
    /// What is compared with the recorded snapshot, after the expectations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snapshot: Vec<Located<FactKind>>,
}

/// A kind of fact that a snapshot can hold, in the order in which a snapshot shows them.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum FactKind {
    /// Interfaces: kind, state, carrier, MTU, master, peer.
    Links,
    /// Interface addresses.
    Addresses,
    /// The routing tables, except the local one.
    Routes,
    /// The rules that choose the routing table.
    Rules,
    /// The neighbour (ARP) table.
    Neighbours,
    /// The forwarding tables of bridges and tunnels.
    Fdb,
    /// Bridges as `brctl show` shows them: id, spanning tree protocol, ports.
    Bridges,
    /// The connections that are tracked.
    Conntrack,
    /// The names under which the node's network namespace is mounted.
    Mounts,
    /// The fate of a ping from every node to every address.
    Reachability,
}

impl FactKind {
    /// The kinds of which a single table can be expected: all that are read from the kernel.
    pub const TABLES: [Self; 9] = [
        Self::Links,
        Self::Addresses,
        Self::Routes,
        Self::Rules,
        Self::Neighbours,
        Self::Fdb,
        Self::Bridges,
        Self::Conntrack,
        Self::Mounts,
    ];

    /// Returns the word that stands for the kind in a scenario.
    pub fn word(self) -> &'static str {
        match self {
            Self::Links => "links",
            Self::Addresses => "addresses",
            Self::Routes => "routes",
            Self::Rules => "rules",
            Self::Neighbours => "neighbours",
            Self::Fdb => "fdb",
            Self::Bridges => "bridges",
            Self::Conntrack => "conntrack",
            Self::Mounts => "mounts",
            Self::Reachability => "reachability",
        }
    }
}

impl Step {
    /// Goes through what its operations and expectations say of claims.
    pub fn claims(&self) -> impl Iterator<Item = &Claims> {
        let of_items = self.operations.iter().map(|item| &item.claims);
        of_items.chain(self.expectations.iter().map(Expectation::claims))
    }
}

impl Scenario {
    /// Returns every operation in the order in which it is carried out.
    pub fn operations(&self) -> impl Iterator<Item = &Item> {
        self.given
            .iter()
            .chain(self.steps.iter().flat_map(|step| &step.operations))
    }

    /// Returns how much is asked of an implementation.
    pub fn requirement(&self) -> Requirement {
        self.requirement
            .as_ref()
            .map(|it| it.value)
            .unwrap_or_default()
    }

    /// Returns whose business it is.
    pub fn profile(&self) -> Profile {
        self.profile.as_ref().map(|it| it.value).unwrap_or_default()
    }

    /// Tells whether it is of level 2: networks and endpoints, made in whatever way, or tried out.
    pub fn has_intents(&self) -> bool {
        self.steps.iter().any(|step| {
            let mut operations = step.operations.iter();
            let mut observed = step.observe.iter();
            operations.any(|item| item.operation.is_intent())
                || observed.any(|it| matches!(it.of, Observed::Intent(_)))
        })
    }

    /// Returns how many expectations all steps have together.
    pub fn expectation_count(&self) -> usize {
        self.steps.iter().map(|step| step.expectations.len()).sum()
    }
}
