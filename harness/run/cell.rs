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

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::scenario::{Deviation, NodeName, parse};

    const NAME: &str = "containers/x";

    fn cell(requirement: &str) -> Cell {
        let text = format!(
            "title: t\nrequirement: {requirement}\nnodes: [host]\nsteps:\n  - name: s\n    do:\n      \
             - network: {{add: front, subnet: 10.10.0.0/24}}\n"
        );
        let scenario = parse("x.yaml", &text).unwrap();
        Cell::new(
            ("podman", Some("of its package")),
            Tier::User,
            NAME,
            &scenario,
        )
    }

    fn step() -> Event {
        Event::Step {
            scenario: NAME.to_owned(),
            step: 1,
            name: "s".to_owned(),
            why: None,
        }
    }

    fn expectation(verdict: Verdict) -> Event {
        Event::Expectation {
            scenario: NAME.to_owned(),
            step: 1,
            expectation: 1,
            probe: "a ping".to_owned(),
            observed: "a reply".to_owned(),
            verdict,
            mismatches: Vec::new(),
            path: Vec::new(),
            line: 1,
        }
    }

    fn self_check(ok: bool) -> Event {
        Event::SelfCheck {
            scenario: NAME.to_owned(),
            step: 1,
            node: NodeName::host(),
            ok,
            reason: None,
        }
    }

    fn hello(version: &str) -> Event {
        Event::Hello {
            scenario: NAME.to_owned(),
            implementation: "podman".to_owned(),
            version: version.to_owned(),
            features: Vec::new(),
        }
    }

    fn outcome(verdict: Verdict, reason: Option<&str>) -> Outcome {
        let mut outcome = Outcome::new(NAME);
        outcome.verdict = verdict;
        outcome.reason = reason.map(str::to_owned);
        outcome
    }

    /// What is compared of a cell that is closed.
    #[derive(Debug, PartialEq)]
    struct Closed {
        version: Option<String>,
        verdict: Verdict,
        observed: Vec<Shown>,
        reason: Option<String>,
        left: Vec<String>,
        checks: (usize, usize),
    }

    /// Closes a cell that took these events.
    fn closed(mut cell: Cell, events: &[Event], outcome: &Outcome) -> Closed {
        for event in events {
            cell.take(event);
        }
        let Event::Cell {
            version,
            verdict,
            observed,
            reason,
            left,
            checks,
            agreed,
            ..
        } = cell.event(outcome)
        else {
            unreachable!("a cell is closed by its event")
        };
        Closed {
            version,
            verdict,
            observed,
            reason,
            left,
            checks: (agreed, checks),
        }
    }

    #[rstest]
    #[case::it_was_right(vec![(vec![Verdict::Pass], true)], (1, 1))]
    #[case::it_saw_the_failure(vec![(vec![Verdict::Fail], false)], (1, 1))]
    #[case::it_saw_nothing(vec![(vec![Verdict::Fail], true)], (0, 1))]
    #[case::it_saw_what_is_not_there(vec![(vec![Verdict::Pass], false)], (0, 1))]
    #[case::one_failure_is_enough(vec![(vec![Verdict::Pass, Verdict::Fail, Verdict::Pass], false)], (1, 1))]
    #[case::the_next_step_begins_anew(vec![(vec![Verdict::Fail], false), (vec![Verdict::Pass], true)], (2, 2))]
    #[case::nothing_is_expected_so_nobody_knows(vec![(vec![], true)], (0, 0))]
    fn its_own_check_agrees_with_what_became_of_the_packets_of_the_step(
        #[case] steps: Vec<(Vec<Verdict>, bool)>,
        #[case] agreed_of: (usize, usize),
    ) {
        let events: Vec<Event> = steps
            .iter()
            .flat_map(|(verdicts, ok)| {
                let judged = verdicts.iter().map(|verdict| expectation(*verdict));
                [step()].into_iter().chain(judged).chain([self_check(*ok)])
            })
            .collect();
        let came = closed(cell("must"), &events, &outcome(Verdict::Pass, None));
        assert_eq!(came.checks, agreed_of);
    }

    #[rstest]
    #[case::information_cannot_fail("info", Verdict::Fail, Verdict::Pass)]
    #[case::what_is_not_decided_is_no_information("info", Verdict::Error, Verdict::Error)]
    #[case::nor_is_what_is_not_done("info", Verdict::Unsupported, Verdict::Unsupported)]
    #[case::may("may", Verdict::Fail, Verdict::Fail)]
    #[case::must("must", Verdict::Fail, Verdict::Fail)]
    fn only_what_nothing_is_asked_of_does_not_fail(
        #[case] requirement: &str,
        #[case] verdict: Verdict,
        #[case] expected: Verdict,
    ) {
        let came = closed(cell(requirement), &[], &outcome(verdict, Some("so it is")));
        assert_eq!(came.verdict, expected);
        assert_eq!(came.reason.as_deref(), Some("so it is"));
    }

    #[rstest]
    #[case::nothing_is_said(&[], "of its package")]
    #[case::nothing_is_known(&[hello("")], "of its package")]
    #[case::it_says_who_it_is(&[hello("5.4.1")], "5.4.1")]
    fn what_an_implementation_says_of_itself_is_its_version(
        #[case] events: &[Event],
        #[case] version: &str,
    ) {
        let came = closed(cell("must"), events, &outcome(Verdict::Pass, None));
        assert_eq!(came.version.as_deref(), Some(version));
    }

    #[rstest]
    #[case::with_what_happened(Some("no reply"), "it is known: no reply")]
    #[case::alone(None, "it is known")]
    fn what_is_known_stands_before_what_happened(
        #[case] reason: Option<&str>,
        #[case] expected: &str,
    ) {
        let mut outcome = outcome(Verdict::Xfail, reason);
        outcome.deviation = Some(Deviation {
            scenario: NAME.to_owned(),
            reason: "it is known".to_owned(),
            link: None,
            saw: None,
        });
        let came = closed(cell("must"), &[], &outcome);
        assert_eq!(came.reason.as_deref(), Some(expected));
    }

    #[test]
    fn how_long_it_took_is_told() {
        let mut outcome = outcome(Verdict::Pass, None);
        outcome.ms = 12.5;
        let told = cell("must").event(&outcome);
        assert!(matches!(told, Event::Cell { ms: 12.5, .. }), "{told:?}");
    }

    #[test]
    fn names_that_are_made_up_in_every_run_are_left_out() {
        let events = [
            Event::Observed {
                scenario: NAME.to_owned(),
                step: 1,
                of: "links".to_owned(),
                value: " veth6b2617ec: up\n".to_owned(),
                line: 1,
            },
            Event::Left {
                scenario: NAME.to_owned(),
                verdict: Verdict::Pass,
                left: [
                    "links in host: veth6b2617ec",
                    "chain B",
                    "links in host: veth37ffcaff",
                ]
                .map(str::to_owned)
                .to_vec(),
                lost: Vec::new(),
            },
        ];
        let outcome = outcome(Verdict::Fail, Some(" no way to veth6b2617ec\n"));
        let came = closed(cell("must"), &events, &outcome);
        let observed = Shown {
            of: "links".to_owned(),
            value: "veth…: up".to_owned(),
        };
        assert_eq!(came.observed, [observed]);
        assert_eq!(came.reason.as_deref(), Some("no way to veth…"));
        // Those that differ only in what was made up are one, and their order is always the same.
        assert_eq!(came.left, ["chain B", "links in host: veth…"]);
    }
}
