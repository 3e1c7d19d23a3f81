//! What a scenario, and a whole run, came to.

use super::event::{Blame, Event};
use super::packets::Packets;
use super::reason::reason;
use crate::judge::{Comparison, Verdict, compare};
use crate::scenario::Deviation;

/// The facts of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactsTaken {
    /// The step's number, from 1.
    pub step: usize,
    /// The name under which they are recorded.
    pub name: String,
    /// The text.
    pub text: String,
}

/// What one scenario came to.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "judge the snapshots, or look at the verdict"]
pub struct Outcome {
    /// The scenario's name.
    pub scenario: String,
    /// The worst verdict of all that was judged.
    pub verdict: Verdict,
    /// Whose matter it is that it could not be decided.
    pub blame: Option<Blame>,
    /// How many steps were begun, without what is given.
    pub steps: usize,
    /// How many expectations were judged.
    pub expectations: usize,
    /// How many snapshots were judged.
    pub snapshots: usize,
    /// The facts that were taken, in order.
    pub facts: Vec<FactsTaken>,
    /// What the taps saw, where it was asked for.
    pub packets: Packets,
    /// Why it is not as it should be: the first reason of all, which is often that of the others.
    pub reason: Option<String>,
    /// What is known of it with this implementation, if it is listed as failing.
    pub deviation: Option<Deviation>,
    /// How long it took until everything was told, in milliseconds.
    pub ms: f64,
    ended: bool,
}

impl Outcome {
    pub(super) fn new(scenario: &str) -> Self {
        Self {
            scenario: scenario.to_owned(),
            verdict: Verdict::Pass,
            blame: None,
            steps: 0,
            expectations: 0,
            snapshots: 0,
            facts: Vec::new(),
            packets: Packets::default(),
            reason: None,
            deviation: None,
            ms: 0.0,
            ended: false,
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    fn add(&mut self, verdict: Verdict) {
        self.verdict = self.verdict.max(verdict);
    }

    /// Takes an event into account.
    pub(super) fn take(&mut self, event: &Event) {
        if self.reason.is_none() {
            self.reason = reason(event);
        }
        match event {
            Event::World { kernel, .. } => self.packets.kernel.clone_from(kernel),
            Event::Step { step, name, .. } => {
                self.packets.begin_step(*step, name);
                self.steps += usize::from(*step > 0);
            }
            Event::Operation { verdict, .. }
            | Event::Command { verdict, .. }
            | Event::Left { verdict, .. }
            | Event::Escaped { verdict, .. } => self.add(*verdict),
            Event::Expectation { verdict, .. } => {
                self.expectations += 1;
                self.add(*verdict);
            }
            Event::Snapshot { verdict, .. } => {
                self.snapshots += 1;
                self.add(*verdict);
            }
            Event::Facts {
                step, name, text, ..
            } => self.facts.push(FactsTaken {
                step: *step,
                name: name.clone(),
                text: text.clone(),
            }),
            Event::Failure { blame, .. } => {
                self.add(Verdict::Error);
                self.blame = Some(*blame);
            }
            Event::End { .. } => self.ended = true,
            _ => {}
        }
    }

    /// Compares the facts with the recorded snapshots, which `recorded` finds by name, and tells
    /// each comparison. A snapshot that was never recorded fails.
    pub fn judge_snapshots(
        &mut self,
        recorded: &dyn Fn(&str) -> Option<String>,
        tell: &mut dyn FnMut(&Event),
    ) {
        for taken in std::mem::take(&mut self.facts) {
            let (verdict, difference) = match compare(recorded(&taken.name).as_deref(), &taken.text)
            {
                Comparison::Same => (Verdict::Pass, None),
                Comparison::Missing => (
                    Verdict::Fail,
                    Some(
                        "there is no recorded snapshot; `netproof run FILE --accept` records it"
                            .to_owned(),
                    ),
                ),
                Comparison::Different { diff } => (Verdict::Fail, Some(diff)),
            };
            let event = Event::Snapshot {
                scenario: self.scenario.clone(),
                step: taken.step,
                name: taken.name.clone(),
                verdict,
                difference,
            };
            self.take(&event);
            tell(&event);
            self.facts.push(taken);
        }
    }

    /// Judges a scenario that is listed as failing, when everything in it has been judged: it fails as
    /// is known, or passes although it is listed. If it fails in another way, nobody knew of that.
    pub fn judge_deviation(&mut self) {
        let reason = self.reason.as_deref().unwrap_or_default();
        self.verdict = match (&self.deviation, self.verdict) {
            (Some(known), Verdict::Fail) if known.is_shown_by(reason) => Verdict::Xfail,
            (Some(_), Verdict::Pass) => Verdict::Xpass,
            (_, verdict) => verdict,
        };
    }

    /// Returns the event that closes the scenario.
    pub fn event(&self) -> Event {
        Event::Scenario {
            scenario: self.scenario.clone(),
            verdict: self.verdict,
            deviation: self.deviation.as_ref().map(|it| it.reason.clone()),
            link: self.deviation.as_ref().and_then(|it| it.link.clone()),
            ms: self.ms,
        }
    }
}

/// What a whole run came to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Totals {
    scenarios: usize,
    steps: usize,
    expectations: usize,
    verdicts: [usize; Verdict::ALL.len()],
    machine: usize,
    netproof: usize,
}

impl Totals {
    /// Takes a scenario into account.
    pub fn add(&mut self, outcome: &Outcome) {
        self.scenarios += 1;
        self.steps += outcome.steps;
        self.expectations += outcome.expectations;
        self.verdicts[outcome.verdict as usize] += 1;
        match outcome.blame {
            Some(Blame::Machine) => self.machine += 1,
            Some(Blame::Netproof) => self.netproof += 1,
            // A question is no run, and is not counted; what is tested has its verdict.
            Some(Blame::Asker | Blame::Tested) | None => {}
        }
    }

    /// Returns how many scenarios came out so.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.verdicts[verdict as usize]
    }

    /// Returns how many scenarios could not be decided because of this.
    pub fn blamed(&self, blame: Blame) -> usize {
        match blame {
            Blame::Machine => self.machine,
            Blame::Netproof => self.netproof,
            Blame::Asker | Blame::Tested => 0,
        }
    }

    /// Returns how many scenarios there were.
    pub fn scenarios(&self) -> usize {
        self.scenarios
    }

    /// Returns the event that closes the run; `wall_ms` is how long it took.
    pub fn event(&self, wall_ms: f64) -> Event {
        Event::Summary {
            scenarios: self.scenarios,
            steps: self.steps,
            expectations: self.expectations,
            pass: self.count(Verdict::Pass),
            fail: self.count(Verdict::Fail),
            unsupported: self.count(Verdict::Unsupported),
            skipped: self.count(Verdict::Skipped),
            error: self.count(Verdict::Error),
            xfail: self.count(Verdict::Xfail),
            xpass: self.count(Verdict::Xpass),
            wall_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn left(verdict: Verdict) -> Event {
        Event::Left {
            scenario: "x".to_owned(),
            verdict,
            left: vec!["a link".to_owned()],
            lost: Vec::new(),
        }
    }

    fn command(verdict: Verdict) -> Event {
        Event::Command {
            scenario: "x".to_owned(),
            step: 1,
            command: "true".to_owned(),
            verdict,
            code: None,
            ended: "killed".to_owned(),
            stdout: String::new(),
            stderr: String::new(),
            left_out: 0,
        }
    }

    fn operation(verdict: Verdict) -> Event {
        Event::Operation {
            scenario: "x".to_owned(),
            step: 1,
            command: "up".to_owned(),
            ran: Vec::new(),
            verdict,
            fails: None,
            reason: Some("no".to_owned()),
            lacks: None,
            line: Some(1),
        }
    }

    fn expectation(verdict: Verdict) -> Event {
        Event::Expectation {
            scenario: "x".to_owned(),
            step: 1,
            expectation: 1,
            probe: "ping".to_owned(),
            observed: "lost".to_owned(),
            verdict,
            mismatches: Vec::new(),
            path: Vec::new(),
            line: 1,
        }
    }

    fn snapshot(verdict: Verdict) -> Event {
        Event::Snapshot {
            scenario: "x".to_owned(),
            step: 1,
            name: "x__1".to_owned(),
            verdict,
            difference: None,
        }
    }

    fn escaped(verdict: Verdict) -> Event {
        Event::Escaped {
            scenario: "x".to_owned(),
            verdict,
            files: vec!["/tmp/x".to_owned()],
            workdir: "/run/netproof".to_owned(),
        }
    }

    fn failure(blame: Blame) -> Event {
        Event::Failure {
            scenario: "x".to_owned(),
            step: 1,
            blame,
            message: "no world".to_owned(),
            help: None,
        }
    }

    fn step(step: usize) -> Event {
        Event::Step {
            scenario: "x".to_owned(),
            step,
            name: "s".to_owned(),
            why: None,
        }
    }

    fn of(events: &[Event]) -> Outcome {
        let mut outcome = Outcome::new("x");
        for event in events {
            outcome.take(event);
        }
        outcome
    }

    #[rstest]
    fn everything_that_is_judged_counts_and_the_worst_decides(
        #[values(operation, command, left, escaped, expectation, snapshot)] it: fn(
            Verdict,
        )
            -> Event,
        #[values(Verdict::Pass, Verdict::Unsupported, Verdict::Fail, Verdict::Error)]
        verdict: Verdict,
        #[values(true, false)] first: bool,
    ) {
        let events = match first {
            true => [it(verdict), expectation(Verdict::Pass)],
            false => [expectation(Verdict::Pass), it(verdict)],
        };
        assert_eq!(of(&events).verdict, verdict);
    }

    #[test]
    fn a_failure_is_an_error_of_whose_matter_it_is() {
        for blame in [Blame::Machine, Blame::Netproof, Blame::Asker] {
            let outcome = of(&[expectation(Verdict::Fail), failure(blame)]);
            assert_eq!(
                (outcome.verdict, outcome.blame),
                (Verdict::Error, Some(blame))
            );
        }
    }

    #[test]
    fn the_first_reason_is_kept() {
        let outcome = of(&[
            operation(Verdict::Pass),
            expectation(Verdict::Fail),
            operation(Verdict::Fail),
            failure(Blame::Machine),
        ]);
        assert_eq!(outcome.reason.as_deref(), Some("ping: lost"));
    }

    #[test]
    fn what_is_given_is_no_step() {
        let outcome = of(&[
            step(0),
            step(1),
            expectation(Verdict::Pass),
            step(2),
            snapshot(Verdict::Pass),
        ]);
        let counts = (outcome.steps, outcome.expectations, outcome.snapshots);
        assert_eq!(counts, (2, 1, 1));
    }

    #[rstest]
    #[case::as_is_known(Verdict::Fail, None, Verdict::Xfail)]
    #[case::as_was_seen(Verdict::Fail, Some("lost"), Verdict::Xfail)]
    #[case::otherwise(Verdict::Fail, Some("refused"), Verdict::Fail)]
    #[case::no_longer(Verdict::Pass, None, Verdict::Xpass)]
    #[case::undecided(Verdict::Error, Some("lost"), Verdict::Error)]
    #[case::not_done(Verdict::Unsupported, Some("lost"), Verdict::Unsupported)]
    fn only_a_failure_that_is_known_is_known(
        #[case] came: Verdict,
        #[case] saw: Option<&str>,
        #[case] expected: Verdict,
    ) {
        let mut outcome = of(&[expectation(came)]);
        outcome.deviation = Some(Deviation {
            scenario: "x".to_owned(),
            reason: "it is known".to_owned(),
            link: Some("here".to_owned()),
            saw: saw.map(str::to_owned),
        });
        outcome.judge_deviation();
        assert_eq!(outcome.verdict, expected);
        let Event::Scenario {
            deviation, link, ..
        } = outcome.event()
        else {
            unreachable!("a scenario is closed by its own event");
        };
        assert_eq!(deviation.as_deref(), Some("it is known"));
        assert_eq!(link.as_deref(), Some("here"));
    }

    #[test]
    fn a_run_counts_each_verdict_and_each_blame() {
        let mut totals = Totals::default();
        let mut expected = 0;
        for (at, verdict) in Verdict::ALL.into_iter().enumerate() {
            let mut outcome = of(&[expectation(Verdict::Pass)]);
            outcome.verdict = verdict;
            for _ in 0..=at {
                totals.add(&outcome);
                expected += 1;
            }
        }
        for (blame, count) in [(Blame::Machine, 2), (Blame::Netproof, 3), (Blame::Asker, 1)] {
            for _ in 0..count {
                totals.add(&of(&[failure(blame)]));
            }
        }
        assert_eq!(totals.blamed(Blame::Machine), 2);
        assert_eq!(totals.blamed(Blame::Netproof), 3);
        assert_eq!(totals.scenarios(), expected + 6);
        let Event::Summary {
            scenarios,
            pass,
            xfail,
            skipped,
            unsupported,
            xpass,
            fail,
            error,
            ..
        } = totals.event(1.0)
        else {
            unreachable!("a run is closed by its summary");
        };
        assert_eq!(scenarios, expected + 6);
        let counts = [pass, xfail, skipped, unsupported, xpass, fail, error];
        assert_eq!(counts, [1, 2, 3, 4, 5, 6, 7 + 6]);
    }
}
