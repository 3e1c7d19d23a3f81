//! What many runs came to: how many probes, which fates, how often a verdict or a cause was wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use netproof::judge::Verdict;
use netproof::run::Event;
use netproof::scenario::Cause;

/// An expectation: its scenario, the number of its step, and its own.
type Place = (String, usize, usize);

/// Counts what events tell.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    runs: usize,
    attempts: u32,
    /// How many probes came to each fate.
    fates: BTreeMap<String, usize>,
    /// Why probes were sent again, and how often.
    doubts: BTreeMap<String, usize>,
    /// Which causes were found where, in all runs.
    causes: BTreeMap<Place, BTreeSet<Cause>>,
    /// How many causes were found.
    explained: usize,
    /// How many of them are `unexplained`.
    unexplained: usize,
    /// The cause of the last probe of each scenario, whose expectation is told next.
    last: BTreeMap<String, Option<Cause>>,
    wrong_verdicts: Vec<String>,
    wrong_causes: Vec<String>,
}

impl Tally {
    pub(crate) fn take(&mut self, event: &Event) {
        match event {
            Event::Probe {
                scenario,
                fate,
                cause,
                attempts,
                doubts,
                ..
            } => {
                self.attempts += attempts;
                *self.fates.entry(fate.clone()).or_default() += 1;
                for doubt in doubts {
                    *self.doubts.entry(doubt.clone()).or_default() += 1;
                }
                self.explained += usize::from(cause.is_some());
                self.unexplained += usize::from(*cause == Some(Cause::Unexplained));
                self.last.insert(scenario.clone(), *cause);
            }
            Event::Expectation {
                scenario,
                step,
                expectation,
                verdict,
                mismatches,
                ..
            } => {
                if let Some(cause) = self.last.remove(scenario).flatten() {
                    let place = (scenario.clone(), *step, *expectation);
                    self.causes.entry(place).or_default().insert(cause);
                }
                if *verdict != Verdict::Pass {
                    let only_cause = mismatches.iter().all(|it| it.what == "because");
                    let wrong = if only_cause && !mismatches.is_empty() {
                        &mut self.wrong_causes
                    } else {
                        &mut self.wrong_verdicts
                    };
                    wrong.push(format!("{event:?}"));
                }
            }
            Event::Operation { verdict, .. } | Event::Snapshot { verdict, .. }
                if !matches!(verdict, Verdict::Pass | Verdict::Unsupported) =>
            {
                self.wrong_verdicts.push(format!("{event:?}"));
            }
            Event::Failure { .. } => self.wrong_verdicts.push(format!("{event:?}")),
            Event::Scenario { .. } => self.runs += 1,
            _ => {}
        }
    }

    /// The expectations whose probe was not explained in the same way in every run: all but one
    /// explanation are wrong, whether the scenario names a cause or not.
    fn unsteady(&self) -> impl Iterator<Item = String> {
        self.causes
            .iter()
            .filter(|(_, causes)| causes.len() > 1)
            .map(|(place, causes)| format!("{place:?} had several causes: {causes:?}"))
    }

    /// Everything that was wrong.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let told = self.wrong_verdicts.iter().chain(&self.wrong_causes);
        told.cloned().chain(self.unsteady()).collect()
    }

    /// How many probes were sent.
    pub(crate) fn probes(&self) -> usize {
        self.fates.values().sum()
    }

    /// How many of them were proven to have no answer.
    pub(crate) fn unanswered(&self) -> usize {
        self.fate("lost") + self.fate("rejected")
    }

    fn fate(&self, word: &str) -> usize {
        self.fates.get(word).copied().unwrap_or_default()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (probes, unanswered) = (self.probes(), self.unanswered());
        writeln!(
            f,
            "{} runs, {probes} probes in {} attempts: {} lost, {} rejected ({} % not answered), {} answered, {} inconclusive",
            self.runs,
            self.attempts,
            self.fate("lost"),
            self.fate("rejected"),
            unanswered * 100 / probes.max(1),
            self.fate("reply"),
            self.fate("inconclusive"),
        )?;
        writeln!(
            f,
            "{} wrong verdicts; {} causes found for {} expectations, {} of them unexplained, {} wrong",
            self.wrong_verdicts.len(),
            self.explained,
            self.causes.len(),
            self.unexplained,
            self.wrong_causes.len() + self.unsteady().count(),
        )?;
        write!(f, "{} doubts", self.doubts.values().sum::<usize>())?;
        for (doubt, count) in &self.doubts {
            write!(f, "\n  {count}  {doubt}")?;
        }
        Ok(())
    }
}
