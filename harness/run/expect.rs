//! The world's side of expectations and snapshots: what is asked, and what came of it.

use super::conductor::{Conductor, Stop, send};
use super::event::Event;
use crate::judge::{Judgement, Mismatch, Verdict, judge, judge_table};
use crate::observe::facts::{self, Facts};
use crate::observe::{ObserveError, Record};
use crate::scenario::{Expectation, FactExpectation, FactKind, LinkRef, ProbeExpectation, Step};
use crate::world::{Topology, World};

/// What came of an expectation.
struct Found {
    judgement: Judgement,
    /// What was observed, in words.
    observed: String,
    /// The interfaces that a probe was seen on.
    path: Vec<LinkRef>,
    /// Whether there was anything to observe: a probe that could not be sent shows nothing.
    shows: bool,
}

impl Found {
    /// What is not there cannot be asked: the scenario's operations have not made it, or have made
    /// use of it.
    fn nothing(asked: String, seen: String) -> Self {
        Self::unsent("from", asked, seen)
    }

    /// The probe cannot be sent for want of what it is sent from or to.
    fn unsent(what: &str, asked: String, seen: String) -> Self {
        let mismatch = Mismatch {
            what: what.to_owned(),
            expected: asked,
            seen: seen.clone(),
        };
        Self {
            judgement: Judgement {
                verdict: Verdict::Fail,
                mismatches: vec![mismatch],
            },
            observed: seen,
            path: Vec::new(),
            shows: false,
        }
    }
}

impl Conductor<'_> {
    pub(super) async fn expect(
        &mut self,
        world: &World,
        topology: &Topology,
        number: usize,
        expectation: &Expectation,
    ) -> Result<(), Stop> {
        let found = match expectation {
            Expectation::Probe(expectation) => {
                // The walk names a node that several names share by the first.
                let expectation = &expectation.with_nodes(&|name| world.first_name(name));
                self.send_probe(world, topology, expectation).await?
            }
            Expectation::Fact(fact) => self.look_at(world, topology, fact).await?,
        };
        let verdict = found.judgement.verdict;
        let shown = self.trial.is_some() && found.shows && verdict == Verdict::Fail;
        send(&Event::Expectation {
            scenario: self.scenario.to_owned(),
            step: self.step,
            expectation: number,
            probe: asked(expectation),
            observed: found.observed,
            verdict,
            mismatches: found.judgement.mismatches,
            path: found.path,
            line: self.line_of(expectation.span()),
        })?;
        if shown { Err(Stop::Shown) } else { Ok(()) }
    }

    async fn send_probe(
        &mut self,
        world: &World,
        topology: &Topology,
        expectation: &ProbeExpectation,
    ) -> Result<Found, Stop> {
        let probe = &expectation.probe;
        let answer = self.observer.probe_and_explain(world, topology, probe);
        match answer.await {
            Ok(record) => {
                send(&Event::probe(self.scenario, self.step, probe, &record))?;
                let exists = |link: &LinkRef| {
                    topology
                        .link_named(&link.node, link.ifname.as_str())
                        .is_some()
                };
                Ok(Found {
                    judgement: judge(expectation, &record, &exists),
                    observed: record.fate.to_string(),
                    path: way(&record),
                    shows: true,
                })
            }
            // An endpoint without an address is what was to be shown.
            Err(error @ ObserveError::NoAddress(_)) => Ok(Found {
                shows: true,
                ..Found::unsent("to", expectation.fate.to_string(), error.to_string())
            }),
            Err(error) if error.is_of_scenario() => {
                let asked = expectation.fate.to_string();
                Ok(Found::nothing(asked, error.to_string()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Reads the one table that is asked for, and compares.
    async fn look_at(
        &self,
        world: &World,
        topology: &Topology,
        fact: &FactExpectation,
    ) -> Result<Found, Stop> {
        let node = &fact.table.node.value;
        let lines = match facts::table(world, topology, node, fact.kind).await? {
            Some(lines) => lines,
            // Whoever makes a container itself may take it away with its last endpoint.
            None if self.implementation.makes_namespaces() => Vec::new(),
            None => {
                let seen = format!("there is no node `{node}`");
                return Ok(Found::nothing(fact.to_string(), seen));
            }
        };
        let observed = match lines.as_slice() {
            [] => "none".to_owned(),
            lines => lines.join("; "),
        };
        Ok(Found {
            judgement: judge_table(&fact.table, &lines),
            observed,
            path: Vec::new(),
            shows: true,
        })
    }

    pub(super) async fn take_facts(
        &mut self,
        world: &World,
        topology: &Topology,
        step: &Step,
    ) -> Result<(), Stop> {
        let mut kinds: Vec<FactKind> = step.snapshot.iter().map(|kind| kind.value).collect();
        kinds.sort();
        let taken = Facts::read(world, topology, &kinds).await?;
        let mut sections = Vec::new();
        for kind in kinds {
            sections.push(match kind {
                FactKind::Reachability => {
                    let (scenario, number) = (self.scenario, self.step);
                    let mut sent = Ok(());
                    let mut take = |cell: &crate::observe::Cell| {
                        if sent.is_ok() {
                            sent = send(&Event::probe(scenario, number, &cell.probe, &cell.record));
                        }
                    };
                    let text = self.observer.matrix(world, topology, &mut take).await?;
                    sent?;
                    text
                }
                kind => facts::write(&taken, kind),
            });
        }
        Ok(send(&Event::Facts {
            scenario: self.scenario.to_owned(),
            step: self.step,
            name: format!("{}__{}", self.scenario.replace('/', "__"), self.step),
            text: sections.join("\n"),
        })?)
    }
}

/// What an expectation asks, without what it expects.
fn asked(expectation: &Expectation) -> String {
    match expectation {
        Expectation::Probe(expectation) => expectation.probe.to_string(),
        Expectation::Fact(fact) => format!("{} in {}", fact.kind.word(), fact.table.node),
    }
}

/// The interfaces that a probe was seen on, each once, in order.
fn way(record: &Record) -> Vec<LinkRef> {
    let mut way: Vec<LinkRef> = Vec::new();
    for sighting in &record.sightings {
        if !way.contains(&sighting.on) {
            way.push(sighting.on.clone());
        }
    }
    way
}
