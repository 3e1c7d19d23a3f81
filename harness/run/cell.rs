//! One cell of the matrix: what one scenario came to with one implementation.

use std::collections::BTreeSet;

use super::event::{Event, Shown};
use super::made_up::without_made_up;
use super::outcome::Outcome;
use crate::judge::Verdict;
use crate::scenario::{Profile, Requirement, Scenario};
use crate::world::Tier;

/// Gathers what a cell says from the events of its run.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    implementation: String,
    version: Option<String>,
    tier: Tier,
    scenario: String,
    requirement: Requirement,
    profile: Profile,
    observed: Vec<Shown>,
    left: Vec<String>,
    /// How the step that is under way came out, as far as something was expected in it.
    step: Option<Verdict>,
    checks: SelfChecks,
}

/// How often an implementation's own check was right, step by step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct SelfChecks {
    made: usize,
    agreed: usize,
}

impl Cell {
    /// Begins the cell of a scenario with an implementation.
    pub fn new(
        (implementation, version): (&str, Option<&str>),
        tier: Tier,
        name: &str,
        scenario: &Scenario,
    ) -> Self {
        Self {
            implementation: implementation.to_owned(),
            version: version.map(str::to_owned),
            tier,
            scenario: name.to_owned(),
            requirement: scenario.requirement(),
            profile: scenario.profile(),
            observed: Vec::new(),
            left: Vec::new(),
            step: None,
            checks: SelfChecks::default(),
        }
    }

    /// Takes an event of the run into account.
    pub fn take(&mut self, event: &Event) {
        match event {
            Event::Step { .. } => self.step = None,
            Event::Hello { version, .. } if !version.is_empty() => {
                self.version = Some(version.clone());
            }
            Event::Observed { of, value, .. } => self.observed.push(Shown {
                of: of.clone(),
                value: without_made_up(value.trim()),
            }),
            Event::Expectation { verdict, .. } => self.step = self.step.max(Some(*verdict)),
            Event::SelfCheck { ok, .. } => {
                // Where no packet was sent, none says who is right.
                if let Some(verdict) = self.step {
                    self.checks.made += 1;
                    self.checks.agreed += usize::from(*ok == (verdict == Verdict::Pass));
                }
            }
            Event::Left { left, .. } => {
                let lines: BTreeSet<String> = left.iter().map(|it| without_made_up(it)).collect();
                self.left = lines.into_iter().collect();
            }
            _ => {}
        }
    }

    /// Closes the cell.
    pub fn event(self, outcome: &Outcome) -> Event {
        let known = outcome.deviation.as_ref().map(|it| it.reason.clone());
        let reason = outcome.reason.as_deref();
        let reason = reason.map(|reason| without_made_up(reason.trim()));
        // What nothing is asked of cannot fail; what was seen stands beside it.
        let verdict = match (self.requirement, outcome.verdict) {
            (Requirement::Info, Verdict::Fail) => Verdict::Pass,
            (_, verdict) => verdict,
        };
        Event::Cell {
            implementation: self.implementation,
            version: self.version,
            tier: self.tier,
            scenario: self.scenario,
            requirement: self.requirement.word().to_owned(),
            profile: self.profile,
            verdict,
            observed: self.observed,
            reason: match (reason, known) {
                (Some(reason), Some(known)) => Some(format!("{known}: {reason}")),
                (reason, known) => reason.or(known),
            },
            left: self.left,
            checks: self.checks.made,
            agreed: self.checks.agreed,
            ms: outcome.ms,
        }
    }
}
