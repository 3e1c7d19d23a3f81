//! What happens in a run, as it happens: one JSON object a line, between the world and its starter
//! as well as to whoever reads `--format json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use crate::judge::{Mismatch, Verdict};
use crate::observe::{Capture, Explanation, Fate, Record, Sighting};
use crate::scenario::{Cause, Leg, LinkRef, NodeName, Place, Probe, Profile, Rejection, SentTo};
use crate::world::{Check, Tier};

/// Whose matter it is that a scenario could not be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Blame {
    /// This machine cannot run it.
    Machine,
    /// A mistake of netproof's own.
    Netproof,
    /// What was asked has no answer in this world.
    Asker,
    /// What is tested did it: somebody's adapter, or the command that is judged.
    Tested,
}

/// Something that was looked at without a right answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// What was looked at: a probe, a table, or what was tried out.
    pub of: String,
    /// What was seen.
    pub value: String,
}

/// One event. Numbers of steps and expectations count from 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
#[non_exhaustive]
pub enum Event {
    /// The world stands.
    World {
        /// The scenario.
        scenario: String,
        /// The implementation that carries operations out.
        implementation: String,
        /// The privileges it was made with.
        tier: Tier,
        /// The kernel's release.
        kernel: String,
        /// The settings that every node starts with; `*` stands for each of its interfaces.
        pinned: BTreeMap<String, String>,
        /// The nodes that have IPv6 on, whatever is pinned for the others.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        ipv6: Vec<NodeName>,
        /// Settings that this kernel does not have.
        absent: Vec<String>,
    },
    /// A step begins; step 0 is what is given.
    Step {
        /// The scenario.
        scenario: String,
        /// The step's number.
        step: usize,
        /// The step's name.
        name: String,
        /// Why it comes out as it does, where the scenario says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// An operation was carried out, or refused.
    Operation {
        /// The scenario.
        scenario: String,
        /// The step's number.
        step: usize,
        /// The command that does the same.
        command: String,
        /// The commands that the implementation has for it; none if it needs no command.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        ran: Vec<String>,
        /// How it came out.
        verdict: Verdict,
        /// The reason with which it has to fail.
        fails: Option<String>,
        /// What the kernel said.
        reason: Option<String>,
        /// The feature that the kernel does not have or the program that is not installed, where it
        /// is that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lacks: Option<String>,
        /// Where the operation stands in the file: its line; nothing where no line of it asks for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        line: Option<usize>,
    },
    /// The command that builds the network, in place of operations, has ended.
    Command {
        /// The scenario.
        scenario: String,
        /// The number of the step that it is to reach.
        step: usize,
        /// The command, as one would type it.
        command: String,
        /// How it came out; whatever that is, the network is judged.
        verdict: Verdict,
        /// Its exit code, if it ended by itself.
        code: Option<i32>,
        /// How it ended, in words.
        ended: String,
        /// What it wrote to standard output, as far as it is kept.
        stdout: String,
        /// What it wrote to standard error, as far as it is kept.
        stderr: String,
        /// How many bytes of both there was no room for.
        left_out: usize,
    },
    /// A probe came to its end.
    Probe {
        /// The scenario.
        scenario: String,
        /// The step's number.
        step: usize,
        /// `ping`, `arp`, `ndp`, `udp`, `tcp` or `frame`.
        kind: String,
        /// The node that sent it.
        from: NodeName,
        /// The address that it was sent to, or the interface.
        to: SentTo,
        /// `reply`, `rejected`, `lost` or `inconclusive`.
        fate: String,
        /// Where it was last seen, if lost.
        after: Option<Place>,
        /// Who refused it; or, for ARP, neighbour discovery and frames, whose address the reply gave.
        by: Option<String>,
        /// Why it was not answered, as one word.
        cause: Option<Cause>,
        /// The same at length, with the evidence.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        explanation: Option<Box<Explanation>>,
        /// How it was refused.
        how: Option<Rejection>,
        /// Which leg was lost.
        leg: Option<Leg>,
        /// The TTL with which the reply arrived.
        ttl: Option<u8>,
        /// The source address that the far side saw.
        source: Option<std::net::IpAddr>,
        /// How often it was sent.
        attempts: u32,
        /// Why it was sent again.
        doubts: Vec<String>,
        /// How long it took, in milliseconds.
        ms: f64,
        /// Where it was seen on its way.
        sightings: Vec<Sighting>,
    },
    /// The taps saw packets. It is told between a world and its starter only, which keeps them.
    Capture {
        /// The scenario.
        scenario: String,
        /// What they saw.
        capture: Capture,
    },
    /// An expectation was judged.
    Expectation {
        /// The scenario.
        scenario: String,
        /// The step's number.
        step: usize,
        /// The expectation's number in its step.
        expectation: usize,
        /// The probe in words, or the table that was looked at.
        probe: String,
        /// What became of it, or what was in it, in words.
        observed: String,
        /// How it came out.
        verdict: Verdict,
        /// Every point that differs.
        mismatches: Vec<Mismatch>,
        /// Where it was seen on its way, each interface once.
        path: Vec<LinkRef>,
        /// Where the expectation stands in the file: its line.
        line: usize,
    },
    /// Something was broken on purpose.
    Fault {
        /// The scenario.
        scenario: String,
        /// The step after whose operations that was done.
        step: usize,
        /// What was broken.
        fault: Fault,
        /// Passes where it is broken now; an error where it could not be.
        verdict: Verdict,
        /// Why it could not be.
        reason: Option<String>,
    },
    /// Something was looked at that has no right answer.
    Observed {
        /// The scenario.
        scenario: String,
        /// The step's number.
        step: usize,
        /// What was looked at, in words.
        of: String,
        /// What was seen.
        value: String,
        /// Where the observation stands in the file: its line.
        line: usize,
    },
    /// The implementation said who it is.
    Hello {
        /// The scenario.
        scenario: String,
        /// Its name.
        implementation: String,
        /// Its version.
        version: String,
        /// What it says that it can do.
        features: Vec<String>,
    },
    /// The implementation checked an endpoint by itself, after a step.
    SelfCheck {
        /// The scenario.
        scenario: String,
        /// The step's number.
        step: usize,
        /// The container.
        node: NodeName,
        /// Whether it found all well.
        ok: bool,
        /// What it said, where it did not.
        reason: Option<String>,
    },
    /// Every network and endpoint was taken away, and what was there before was compared with what is.
    Left {
        /// The scenario.
        scenario: String,
        /// Fails where an endpoint is not gone.
        verdict: Verdict,
        /// What is there that was not there before, a line each.
        left: Vec<String>,
        /// What is not there any more.
        lost: Vec<String>,
    },
    /// The implementation wrote where it may not.
    Escaped {
        /// The scenario.
        scenario: String,
        /// Fails.
        verdict: Verdict,
        /// What it wrote, a path each.
        files: Vec<String>,
        /// The folder that it was to write to.
        workdir: String,
    },
    /// A probe that was asked about came to its end; its own event comes before.
    Answer {
        /// The scenario.
        scenario: String,
        /// The step after which it was sent.
        step: usize,
        /// The probe in words.
        probe: String,
        /// What became of it, in words.
        observed: String,
    },
    /// The facts of a step were taken.
    Facts {
        /// The scenario.
        scenario: String,
        /// The step's number.
        step: usize,
        /// The snapshot's name.
        name: String,
        /// The text.
        text: String,
    },
    /// A snapshot was compared with its file.
    Snapshot {
        /// The scenario.
        scenario: String,
        /// The step's number.
        step: usize,
        /// The snapshot's name.
        name: String,
        /// How it came out.
        verdict: Verdict,
        /// The difference, or why there is none to show.
        difference: Option<String>,
    },
    /// The scenario could not be carried through.
    Failure {
        /// The scenario.
        scenario: String,
        /// The step's number.
        step: usize,
        /// Whose matter it is.
        blame: Blame,
        /// What went wrong.
        message: String,
        /// What to do about it.
        help: Option<String>,
    },
    /// An adapter was tried with something.
    Tried {
        /// What it was tried with.
        step: String,
        /// How it came out: it is skipped where there is nothing to try.
        verdict: Verdict,
        /// What was wrong, or what it said.
        reason: Option<String>,
        /// How long it took, in milliseconds.
        ms: f64,
    },
    /// All that an adapter is tried with was tried.
    Smoke {
        /// The adapter.
        adapter: String,
        /// Steps that came out well.
        pass: usize,
        /// Steps that did not.
        fail: usize,
        /// Steps that were left out.
        skipped: usize,
        /// How long it all took, in milliseconds.
        ms: f64,
    },
    /// The world has done all it could; it is about to go.
    End {
        /// The scenario.
        scenario: String,
    },
    /// The packets of a scenario were written to a file.
    Packets {
        /// The scenario.
        scenario: String,
        /// The file.
        file: String,
        /// How many packets are in it.
        packets: usize,
        /// How many there was no room for.
        left_out: usize,
    },
    /// A scenario was judged. The world's own events come before.
    Scenario {
        /// The scenario.
        scenario: String,
        /// How it came out.
        verdict: Verdict,
        /// What is known of it with this implementation, where it is listed as failing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deviation: Option<String>,
        /// Where more is said of that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        link: Option<String>,
        /// How long it took, in milliseconds.
        ms: f64,
    },
    /// All scenarios were judged. The verdicts count scenarios.
    Summary {
        /// How many scenarios there were.
        scenarios: usize,
        /// How many steps were begun.
        steps: usize,
        /// How many expectations were judged.
        expectations: usize,
        /// Scenarios that passed.
        pass: usize,
        /// Scenarios that failed.
        fail: usize,
        /// Scenarios that this machine's kernel has no means for.
        unsupported: usize,
        /// Scenarios that were left out on purpose.
        skipped: usize,
        /// Scenarios that could not be decided.
        error: usize,
        /// Scenarios that fail and are known to.
        xfail: usize,
        /// Scenarios that pass and are listed as failing.
        xpass: usize,
        /// How long it all took, in milliseconds.
        wall_ms: f64,
    },
    /// A claim of a text was decided, or could not be.
    Claim {
        /// Its id.
        id: String,
        /// The text that it stands in, where that is known.
        source: Option<String>,
        /// What is claimed, where that is known.
        says: Option<String>,
        /// Whether it holds; nothing where that was not decided.
        holds: Option<bool>,
        /// The scenario that decides it.
        scenario: Option<String>,
        /// The step of that scenario.
        step: Option<usize>,
        /// The expectation that decides it, in words.
        expectation: Option<String>,
        /// Where that stands in the scenario's file: its line.
        line: Option<usize>,
        /// What happens instead, where it does not hold.
        instead: Option<String>,
        /// What was observed, or why nothing was.
        reason: String,
        /// How many expectations and operations have a say in it.
        decisions: usize,
    },
    /// An implementation has a row in the matrix; its cells follow, unless it is absent.
    Row {
        /// The implementation.
        implementation: String,
        /// What it is, in a line.
        about: String,
        /// Which version is installed, as far as that is known.
        version: Option<String>,
        /// The privileges that its worlds are made with.
        tier: Tier,
        /// Why it cannot be tried here, where it cannot.
        absent: Option<String>,
    },
    /// One scenario was tried with one implementation.
    Cell {
        /// The implementation.
        implementation: String,
        /// Its version, as far as that is known.
        version: Option<String>,
        /// The privileges that its world was made with.
        tier: Tier,
        /// The scenario.
        scenario: String,
        /// How much is asked: `MUST`, `SHOULD`, `MAY` or `INFO`.
        requirement: String,
        /// Whose business it is.
        profile: Profile,
        /// How it came out.
        verdict: Verdict,
        /// What was looked at without a right answer, and seen. Names that programs make up anew in every
        /// run are left out, here and below.
        observed: Vec<Shown>,
        /// Why it did not come out as it should, or could not.
        reason: Option<String>,
        /// What is left when every endpoint and network was taken away.
        left: Vec<String>,
        /// How often the implementation checked itself.
        checks: usize,
        /// How often that agreed with what became of packets.
        agreed: usize,
        /// How long it took, in milliseconds.
        ms: f64,
    },
    /// Something that netproof can use was looked at.
    Check(Check),
    /// All that netproof can use was looked at. The numbers count checks.
    Doctor {
        /// The kernel's release.
        kernel: String,
        /// The tiers that worlds can be made of.
        tiers: Vec<Tier>,
        /// What is there.
        ok: usize,
        /// What is there, but not for everything.
        limited: usize,
        /// What is not there.
        missing: usize,
    },
}

impl Event {
    /// Returns the scenario that a world's event is about.
    pub fn scenario(&self) -> Option<&str> {
        match self {
            Self::World { scenario, .. }
            | Self::Step { scenario, .. }
            | Self::Operation { scenario, .. }
            | Self::Command { scenario, .. }
            | Self::Probe { scenario, .. }
            | Self::Capture { scenario, .. }
            | Self::Expectation { scenario, .. }
            | Self::Fault { scenario, .. }
            | Self::Observed { scenario, .. }
            | Self::Hello { scenario, .. }
            | Self::SelfCheck { scenario, .. }
            | Self::Left { scenario, .. }
            | Self::Escaped { scenario, .. }
            | Self::Answer { scenario, .. }
            | Self::Facts { scenario, .. }
            | Self::Snapshot { scenario, .. }
            | Self::Failure { scenario, .. }
            | Self::End { scenario }
            | Self::Packets { scenario, .. }
            | Self::Scenario { scenario, .. } => Some(scenario),
            Self::Cell { scenario, .. } => Some(scenario),
            Self::Tried { .. }
            | Self::Smoke { .. }
            | Self::Summary { .. }
            | Self::Claim { .. }
            | Self::Row { .. }
            | Self::Check(_)
            | Self::Doctor { .. } => None,
        }
    }

    /// Makes the event of a probe from its record.
    pub(super) fn probe(scenario: &str, step: usize, probe: &Probe, record: &Record) -> Self {
        let (mut after, mut by, mut how, mut leg) = (None, None, None, None);
        let (mut ttl, mut source) = (None, None);
        match &record.fate {
            Fate::Reply {
                ttl: of,
                source: from,
                by: owner,
            } => {
                (ttl, source, by) = (*of, *from, owner.as_ref().map(ToString::to_string));
            }
            Fate::Rejected { how: of, by: node } => (how, by) = (Some(*of), Some(node.to_string())),
            Fate::Lost {
                after: place,
                leg: of,
                ..
            } => {
                (after, leg) = (Some(place.clone()), Some(*of));
            }
            Fate::Inconclusive { .. } => {}
        }
        Self::Probe {
            scenario: scenario.to_owned(),
            step,
            kind: probe.kind().to_owned(),
            from: probe.from().clone(),
            to: probe.to(),
            fate: record.fate.word().to_owned(),
            after,
            by,
            cause: record.explanation.as_ref().map(|it| it.cause),
            explanation: record.explanation.clone().map(Box::new),
            how,
            leg,
            ttl,
            source,
            attempts: record.attempts,
            doubts: record.doubts.clone(),
            ms: record.ms,
            sightings: record.sightings.clone(),
        }
    }
}
