//! The ledger of claims: which of a text's claims hold, by the items of scenarios that decide them.

use std::collections::BTreeMap;

use super::event::Event;
use crate::judge::Verdict;
use crate::scenario::{ClaimId, Claims, Item, Scenario};

/// Where an item stands: its scenario, its step, and its number among the operations or the
/// expectations of the step.
type Place = (String, usize, Kind, usize);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Operation,
    Expectation,
}

/// What one item says of one claim.
#[derive(Debug)]
struct Decision {
    place: Place,
    /// What happens instead, where the item shows that the claim does not hold.
    instead: Option<String>,
}

/// How an item came out.
#[derive(Debug, Clone)]
enum Came {
    /// As it says, with what was observed.
    So(String),
    /// Otherwise, with what was observed.
    Otherwise(String),
    /// Not at all, and why.
    Undecided(String),
}

/// What scenarios say of claims, and what came of it.
#[derive(Debug, Default)]
pub struct Ledger {
    /// In the order of scenarios and steps.
    decisions: BTreeMap<ClaimId, Vec<Decision>>,
    /// What each item that decides something expects, in words, and its line.
    expected: BTreeMap<Place, String>,
    came: BTreeMap<Place, (Came, Option<usize>)>,
    /// Of each scenario: its step and how many operations of it were told; and why the last probe
    /// was not answered.
    under_way: BTreeMap<String, (usize, usize, Option<String>)>,
    /// Why a scenario went no further.
    ended: BTreeMap<String, String>,
}

impl Ledger {
    /// Opens the ledger of scenarios, each with its name.
    pub fn new<'a>(scenarios: impl IntoIterator<Item = (&'a str, &'a Scenario)>) -> Self {
        let mut ledger = Self::default();
        for (name, scenario) in scenarios {
            for (at, step) in scenario.steps.iter().enumerate() {
                let place = |kind, number| (name.to_owned(), at + 1, kind, number);
                for (number, item) in step.operations.iter().enumerate() {
                    let place = place(Kind::Operation, number + 1);
                    ledger.open(place, &item.claims, &expected_of(item));
                }
                for (number, expectation) in step.expectations.iter().enumerate() {
                    let place = place(Kind::Expectation, number + 1);
                    ledger.open(place, expectation.claims(), &expectation.to_string());
                }
            }
        }
        ledger
    }

    fn open(&mut self, place: Place, claims: &Claims, expected: &str) {
        if claims.is_empty() {
            return;
        }
        let hold = claims.hold.iter().map(|id| (&id.value, None));
        let refuted = claims.refuted.iter();
        let refuted = refuted.map(|(id, instead)| (id, Some(instead.value.clone())));
        for (id, instead) in hold.chain(refuted) {
            let decision = Decision {
                place: place.clone(),
                instead,
            };
            self.decisions.entry(id.clone()).or_default().push(decision);
        }
        self.expected.insert(place, expected.to_owned());
    }

    /// Tells whether a scenario decides anything.
    pub fn speaks_of(&self, scenario: &str) -> bool {
        self.expected.keys().any(|(name, ..)| name == scenario)
    }

    /// Takes an event into account.
    pub fn take(&mut self, event: &Event) {
        match event {
            Event::Step { scenario, step, .. } => {
                self.under_way.insert(scenario.clone(), (*step, 0, None));
            }
            Event::Operation {
                scenario,
                step,
                verdict,
                fails,
                reason,
                line,
                ..
            } => {
                let (_, told, _) = self.under_way.entry(scenario.clone()).or_default();
                *told += 1;
                let place = (scenario.clone(), *step, Kind::Operation, *told);
                let said = reason.clone().unwrap_or_else(|| "it was done".to_owned());
                let came = match verdict {
                    Verdict::Pass if fails.is_some() => Came::So(format!("refused: {said}")),
                    Verdict::Pass => Came::So(said),
                    Verdict::Unsupported | Verdict::Error => Came::Undecided(said.clone()),
                    _ => Came::Otherwise(said.clone()),
                };
                if *verdict != Verdict::Pass {
                    let why = reason.clone().unwrap_or_else(|| "not refused".to_owned());
                    self.ended.insert(scenario.clone(), why);
                }
                self.came.insert(place, (came, *line));
            }
            Event::Probe {
                scenario,
                explanation,
                ..
            } => {
                let why = explanation.as_ref().map(|it| it.why.clone());
                self.under_way.entry(scenario.clone()).or_default().2 = why;
            }
            Event::Expectation {
                scenario,
                step,
                expectation,
                observed,
                verdict,
                line,
                ..
            } => {
                let why = self.under_way.entry(scenario.clone()).or_default().2.take();
                let said = match why {
                    Some(why) => format!("{observed}: {why}"),
                    None => observed.clone(),
                };
                let came = match verdict {
                    Verdict::Pass => Came::So(said),
                    Verdict::Fail => Came::Otherwise(said),
                    _ => Came::Undecided(said),
                };
                let place = (scenario.clone(), *step, Kind::Expectation, *expectation);
                self.came.insert(place, (came, Some(*line)));
            }
            Event::Failure {
                scenario, message, ..
            } => {
                self.ended.insert(scenario.clone(), message.clone());
            }
            _ => {}
        }
    }

    /// Returns the ids of all claims that some item decides.
    pub fn ids(&self) -> impl Iterator<Item = &ClaimId> {
        self.decisions.keys()
    }

    /// Closes the account of one claim. One item that shows what happens instead is enough for it
    /// not to hold; for it to hold, every item that decides it has to come out as it says.
    pub fn claim(&self, id: &ClaimId, source: Option<&str>, says: Option<&str>) -> Event {
        let decisions = self.decisions.get(id).map_or(&[][..], Vec::as_slice);
        let outcomes: Vec<(&Decision, Came)> = decisions
            .iter()
            .map(|decision| (decision, self.outcome(&decision.place)))
            .collect();
        let refuted = outcomes
            .iter()
            .find(|(of, came)| of.instead.is_some() && matches!(came, Came::So(_)));
        let failed = outcomes
            .iter()
            .find(|(of, came)| of.instead.is_none() && matches!(came, Came::Otherwise(_)));
        let open = outcomes.iter().find(|(of, came)| {
            matches!(came, Came::Undecided(_))
                || (of.instead.is_some() && matches!(came, Came::Otherwise(_)))
        });
        let (holds, by) = match (refuted, failed, open) {
            (Some(by), ..) | (None, Some(by), _) => (Some(false), Some(by)),
            (None, None, Some(by)) => (None, Some(by)),
            (None, None, None) => (outcomes.first().map(|_| true), outcomes.first()),
        };
        let (instead, reason) = match by {
            None => (None, "no scenario speaks of it".to_owned()),
            Some((of, Came::So(said))) => (of.instead.clone(), said.clone()),
            Some((of, Came::Otherwise(said))) if of.instead.is_none() => {
                (Some(said.clone()), said.clone())
            }
            Some((_, Came::Otherwise(said) | Came::Undecided(said))) => (None, said.clone()),
        };
        let place = by.map(|(of, _)| &of.place);
        Event::Claim {
            id: id.to_string(),
            source: source.map(str::to_owned),
            says: says.map(str::to_owned),
            holds,
            scenario: place.map(|(scenario, ..)| scenario.clone()),
            step: place.map(|(_, step, ..)| *step),
            expectation: place.and_then(|place| self.expected.get(place).cloned()),
            line: place.and_then(|place| self.came.get(place).and_then(|(_, line)| *line)),
            instead,
            reason,
            decisions: decisions.len(),
        }
    }

    fn outcome(&self, place: &Place) -> Came {
        match self.came.get(place) {
            Some((came, _)) => came.clone(),
            None => Came::Undecided(match self.ended.get(&place.0) {
                Some(why) => format!("the scenario ended before: {why}"),
                None => "the scenario did not run".to_owned(),
            }),
        }
    }
}

/// What an operation is to come to, in words.
fn expected_of(item: &Item) -> String {
    let command = item.operation.command();
    match &item.fails {
        Some(reason) => format!("`{command}` fails: {reason}"),
        None => format!("`{command}`"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::observe::Explanation;
    use crate::scenario::{Cause, NodeName, Place as At, parse};

    const NAME: &str = "own";

    /// The ledger of a scenario of one operation and two expectations, with what stands below each.
    fn ledger(operation: &str, expectations: [&str; 2]) -> Ledger {
        let text = format!(
            "title: t\nnodes: [a]\nsteps:\n  - name: s\n    do:\n      - up: a/lo\n{operation}    expect:\n      \
             - ping: {{from: a, to: 127.0.0.1}}\n        reply: {{ttl: 64}}\n{}      \
             - addresses: {{in: a, are: []}}\n{}",
            expectations[0], expectations[1]
        );
        let scenario = parse("own.yaml", &text).unwrap();
        Ledger::new([(NAME, &scenario)])
    }

    const HOLDS: &str = "        claims: [X1]\n";
    const IS_REFUTED: &str = "        refutes: {X1: It is otherwise}\n";

    fn begin() -> Event {
        Event::Step {
            scenario: NAME.to_owned(),
            step: 1,
            name: "s".to_owned(),
            why: None,
        }
    }

    fn operation(verdict: Verdict, fails: Option<&str>, reason: Option<&str>) -> Event {
        Event::Operation {
            scenario: NAME.to_owned(),
            step: 1,
            command: "ip -n a link set lo up".to_owned(),
            ran: Vec::new(),
            verdict,
            fails: fails.map(str::to_owned),
            reason: reason.map(str::to_owned),
            lacks: None,
            line: Some(6),
        }
    }

    fn expectation(number: usize, verdict: Verdict) -> Event {
        Event::Expectation {
            scenario: NAME.to_owned(),
            step: 1,
            expectation: number,
            probe: "it".to_owned(),
            observed: format!("saw {number}"),
            verdict,
            mismatches: Vec::new(),
            path: Vec::new(),
            line: 8,
        }
    }

    /// A probe that was not answered, and why.
    fn probe(why: &str) -> Event {
        let node: NodeName = "a".parse().unwrap();
        let explanation = Explanation {
            cause: Cause::NoRoute,
            at: At::Node(node.clone()),
            why: why.to_owned(),
            evidence: Vec::new(),
            mend: None,
            replayed: false,
        };
        Event::Probe {
            scenario: NAME.to_owned(),
            step: 1,
            kind: "ping".to_owned(),
            from: node,
            to: "127.0.0.1".parse().unwrap(),
            fate: "lost".to_owned(),
            after: None,
            by: None,
            cause: None,
            explanation: Some(Box::new(explanation)),
            how: None,
            leg: None,
            ttl: None,
            source: None,
            attempts: 1,
            doubts: Vec::new(),
            ms: 0.0,
            sightings: Vec::new(),
        }
    }

    /// Whether the claim holds, what happens instead, and why.
    fn closed(
        mut ledger: Ledger,
        events: &[Event],
    ) -> (Option<bool>, Option<String>, String, usize) {
        for event in events {
            ledger.take(event);
        }
        match ledger.claim(&"X1".parse().unwrap(), None, None) {
            Event::Claim {
                holds,
                instead,
                reason,
                decisions,
                ..
            } => (holds, instead, reason, decisions),
            _ => unreachable!("the account of a claim is a claim"),
        }
    }

    #[rstest]
    #[case::all_hold([HOLDS, HOLDS], [Verdict::Pass, Verdict::Pass], Some(true), "saw 1")]
    #[case::one_does_not([HOLDS, HOLDS], [Verdict::Pass, Verdict::Fail], Some(false), "saw 2")]
    #[case::one_is_open([HOLDS, HOLDS], [Verdict::Pass, Verdict::Error], None, "saw 2")]
    #[case::one_is_enough([HOLDS, HOLDS], [Verdict::Error, Verdict::Fail], Some(false), "saw 2")]
    #[case::refuted([HOLDS, IS_REFUTED], [Verdict::Pass, Verdict::Pass], Some(false), "saw 2")]
    #[case::refuted_at_least([HOLDS, IS_REFUTED], [Verdict::Error, Verdict::Pass], Some(false), "saw 2")]
    #[case::not_as_refuted([HOLDS, IS_REFUTED], [Verdict::Pass, Verdict::Fail], None, "saw 2")]
    #[case::not_refuted([IS_REFUTED, IS_REFUTED], [Verdict::Fail, Verdict::Fail], None, "saw 1")]
    fn every_item_has_to_come_out_as_it_says(
        #[case] items: [&str; 2],
        #[case] came: [Verdict; 2],
        #[case] holds: Option<bool>,
        #[case] reason: &str,
    ) {
        let events = [begin(), expectation(1, came[0]), expectation(2, came[1])];
        let (is, instead, why, decisions) = closed(ledger("", items), &events);
        assert_eq!((is, why.as_str(), decisions), (holds, reason, 2));
        let otherwise = match (holds, items[1]) {
            (Some(false), IS_REFUTED) => Some("It is otherwise"),
            (Some(false), _) => Some(reason),
            _ => None,
        };
        assert_eq!(instead.as_deref(), otherwise);
    }

    #[rstest]
    #[case::done(Verdict::Pass, None, None, Some(true), "it was done")]
    #[case::refused(Verdict::Fail, None, Some("no"), Some(false), "no")]
    #[case::to_be_refused(Verdict::Pass, Some("no"), Some("no"), Some(true), "refused: no")]
    #[case::not_refused(Verdict::Fail, Some("no"), None, Some(false), "it was done")]
    #[case::unsupported(Verdict::Unsupported, None, Some("not here"), None, "not here")]
    #[case::undecided(Verdict::Error, None, Some("late"), None, "late")]
    fn an_operation_decides_by_how_it_comes_out(
        #[case] verdict: Verdict,
        #[case] fails: Option<&str>,
        #[case] reason: Option<&str>,
        #[case] holds: Option<bool>,
        #[case] why: &str,
    ) {
        let ledger = ledger(HOLDS, ["", ""]);
        assert!(ledger.speaks_of(NAME) && !ledger.speaks_of("another"));
        let came = closed(ledger, &[begin(), operation(verdict, fails, reason)]);
        assert_eq!((came.0, came.2.as_str()), (holds, why));
    }

    #[rstest]
    #[case::never_run(&[], "the scenario did not run")]
    #[case::an_operation(
        &[begin(), operation(Verdict::Fail, None, Some("no"))],
        "the scenario ended before: no"
    )]
    #[case::a_failure(
        &[begin(), Event::Failure {
            scenario: NAME.to_owned(),
            step: 1,
            blame: crate::run::Blame::Machine,
            message: "no world".to_owned(),
            help: None,
        }],
        "the scenario ended before: no world"
    )]
    fn what_was_not_reached_is_open(#[case] events: &[Event], #[case] why: &str) {
        let (holds, _, reason, _) = closed(ledger("", ["", HOLDS]), events);
        assert_eq!((holds, reason.as_str()), (None, why));
    }

    #[rstest]
    #[case::its_own([HOLDS, ""], "saw 1: no route")]
    #[case::of_another(["", HOLDS], "saw 2")]
    fn a_probe_explains_its_own_expectation(#[case] items: [&str; 2], #[case] why: &str) {
        let events = [
            begin(),
            probe("no route"),
            expectation(1, Verdict::Fail),
            expectation(2, Verdict::Fail),
        ];
        let (holds, _, reason, _) = closed(ledger("", items), &events);
        assert_eq!((holds, reason.as_str()), (Some(false), why));
    }
}
