//! A probe's expectation against its record.

use serde::{Deserialize, Serialize};

use super::Verdict;
use crate::observe::{Fate, Record, Sighting as Seen};
use crate::scenario::{
    ExpectedFate, Leg, LinkRef, Located, Place, Probe, ProbeExpectation, SentTo, Sighting,
};

/// One point in which what was observed is not what was expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mismatch {
    /// What it is about: `fate`, `ttl`, `source`, `by`, `how`, `after`, `leg`, `because`, `seen`,
    /// `not-seen`; `are` or `have` of a table; `from` or `to` where the probe could not be sent for want of that;
    /// `to` also where another answered.
    pub what: String,
    /// What was expected.
    pub expected: String,
    /// What was observed instead.
    pub seen: String,
}

/// How an expectation came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Pass, fail, or error where the probe proved nothing.
    pub verdict: Verdict,
    /// Every point that differs.
    pub mismatches: Vec<Mismatch>,
}

/// Judges an expectation by the record of its probe. `exists` tells whether the world has an
/// interface: that nothing was seen on one that is not there proves nothing.
pub fn judge(
    expectation: &ProbeExpectation,
    record: &Record,
    exists: &dyn Fn(&LinkRef) -> bool,
) -> Judgement {
    let mut points = Points::default();
    points.fate(&expectation.fate, &record.fate);
    points.reached(&expectation.probe, record);
    points.because(&expectation.fate, record);
    for sighting in &expectation.seen {
        points.seen(sighting, &record.sightings);
    }
    for sighting in &expectation.not_seen {
        if exists(&sighting.on) {
            points.not_seen(sighting, &record.sightings);
        } else {
            points.differ("not-seen", sighting, "no such interface");
        }
    }
    let verdict = match (&record.fate, points.mismatches.is_empty()) {
        (Fate::Inconclusive { .. }, _) => Verdict::Error,
        (_, true) => Verdict::Pass,
        (_, false) => Verdict::Fail,
    };
    Judgement {
        verdict,
        mismatches: points.mismatches,
    }
}

#[derive(Default)]
struct Points {
    mismatches: Vec<Mismatch>,
}

impl Points {
    fn differ(&mut self, what: &str, expected: impl ToString, seen: impl ToString) {
        self.mismatches.push(Mismatch {
            what: what.to_owned(),
            expected: expected.to_string(),
            seen: seen.to_string(),
        });
    }

    /// Notes a difference unless what was expected, if anything, is what was observed.
    fn same<T: PartialEq + ToString>(
        &mut self,
        what: &str,
        expected: Option<&Located<T>>,
        seen: Option<&T>,
    ) {
        if let Some(expected) = expected
            && Some(&expected.value) != seen
        {
            self.differ(
                what,
                expected.value.to_string(),
                seen.map_or("none".to_owned(), T::to_string),
            );
        }
    }

    fn fate(&mut self, expected: &ExpectedFate, seen: &Fate) {
        match (expected, seen) {
            (ExpectedFate::Reply(expected), Fate::Reply { ttl, source, by }) => {
                self.same("ttl", expected.ttl.as_ref(), ttl.as_ref());
                self.same("source", expected.source.as_ref(), source.as_ref());
                self.same("by", expected.by.as_ref(), by.as_ref());
            }
            (ExpectedFate::Rejected(expected), Fate::Rejected { how, by }) => {
                self.same("how", Some(&expected.how), Some(how));
                self.same("by", Some(&expected.by), Some(by));
            }
            (ExpectedFate::Lost(expected), Fate::Lost { after, leg, also }) => {
                let ends: Vec<&Place> = std::iter::once(after).chain(also).collect();
                if !ends.contains(&&expected.after.value) {
                    let seen: Vec<String> = ends.iter().map(|place| place.to_string()).collect();
                    self.differ("after", &expected.after.value, seen.join(", "));
                }
                let expected_leg = expected
                    .leg
                    .as_ref()
                    .map(|leg| leg.value)
                    .unwrap_or_default();
                if expected_leg != *leg {
                    self.differ("leg", expected_leg, leg);
                }
            }
            (ExpectedFate::Unanswered(_), Fate::Rejected { .. } | Fate::Lost { .. }) => {}
            _ => self.differ("fate", expected, seen),
        }
    }

    /// Whoever answers for an interface has to have it: of two nodes with one address, the other may do so,
    /// even the sender itself.
    fn reached(&mut self, probe: &Probe, record: &Record) {
        let (SentTo::Link(to), Fate::Reply { .. }) = (probe.to(), &record.fate) else {
            return;
        };
        let mut requests = record.sightings.iter().filter(|it| it.leg == Leg::Request);
        if to.node != *probe.from() && !requests.any(|seen| seen.on.node == to.node) {
            let wanted = format!("{to}, at {}", to.node);
            self.differ("to", wanted, path(&record.sightings));
        }
    }

    fn because(&mut self, expected: &ExpectedFate, record: &Record) {
        let because = match (expected, &record.fate) {
            (ExpectedFate::Rejected(expected), Fate::Rejected { .. }) => &expected.because,
            (ExpectedFate::Lost(expected), Fate::Lost { .. }) => &expected.because,
            // That it came out otherwise altogether is told already.
            _ => return,
        };
        let cause = record.explanation.as_ref().map(|it| it.cause);
        self.same("because", because.as_ref(), cause.as_ref());
    }

    fn seen(&mut self, expected: &Sighting, sightings: &[Seen]) {
        if !sightings.iter().any(|seen| matches(expected, seen)) {
            let on_it: Vec<&Seen> = sightings
                .iter()
                .filter(|seen| seen.on == expected.on.value)
                .collect();
            let shown = if on_it.is_empty() {
                path(sightings)
            } else {
                packets(&on_it)
            };
            self.differ("seen", expected, shown);
        }
    }

    fn not_seen(&mut self, unwanted: &Sighting, sightings: &[Seen]) {
        let found: Vec<&Seen> = sightings
            .iter()
            .filter(|seen| matches(unwanted, seen))
            .collect();
        if !found.is_empty() {
            let nothing = format!("no {unwanted}");
            self.differ("not-seen", nothing, packets(&found));
        }
    }
}

fn matches(expected: &Sighting, seen: &Seen) -> bool {
    let leg = expected
        .leg
        .as_ref()
        .map(|leg| leg.value)
        .unwrap_or_default();
    seen.on == expected.on.value
        && seen.leg == leg
        && expected
            .source
            .as_ref()
            .is_none_or(|source| Some(source.value) == seen.source)
        && expected
            .destination
            .as_ref()
            .is_none_or(|to| Some(to.value) == seen.destination)
}

/// Says which packets were on an interface, each kind once.
fn packets(sightings: &[&Seen]) -> String {
    let mut texts: Vec<String> = Vec::new();
    for seen in sightings {
        let mut text = format!("{} on {}", seen.leg, seen.on);
        if let (Some(source), Some(destination)) = (seen.source, seen.destination) {
            text += &format!(" from {source} to {destination}");
        }
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts.join(", ")
}

/// Says where a probe was seen instead, interface by interface.
fn path(sightings: &[Seen]) -> String {
    let mut places: Vec<String> = Vec::new();
    for seen in sightings {
        let place = match seen.leg {
            Leg::Request => seen.on.to_string(),
            Leg::Reply => format!("{} (reply)", seen.on),
        };
        if places.last() != Some(&place) {
            places.push(place);
        }
    }
    if places.is_empty() {
        "nowhere".to_owned()
    } else {
        format!("only on {}", places.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::observe::{Direction, Explanation};
    use crate::scenario::{Cause, NodeName, Rejection};

    fn record() -> Record {
        Record {
            fate: Fate::Reply {
                ttl: Some(62),
                source: "192.168.64.4".parse().ok(),
                by: None,
            },
            sightings: vec![Seen {
                on: "host/enp0s1".parse().unwrap(),
                direction: Direction::Out,
                leg: Leg::Request,
                source: "192.168.64.4".parse().ok(),
                destination: "8.8.8.8".parse().ok(),
                ttl: Some(63),
                for_another: false,
                from: None,
            }],
            attempts: 1,
            doubts: Vec::new(),
            ms: 0.1,
            explanation: None,
        }
    }

    #[rstest]
    #[case::another_answers("host/enp0s1", "db/eth0", &["to"])]
    #[case::the_sender_answers("web/lo", "db/eth0", &["to"])]
    #[case::it_was_there("db/eth1", "db/eth0", &[])]
    #[case::of_its_own("web/lo", "web/eth0", &[])]
    fn who_answers_for_an_interface_has_it(
        #[case] on: &str,
        #[case] to: &str,
        #[case] points: &[&str],
    ) {
        let mut record = record();
        record.sightings[0].on = on.parse().unwrap();
        let text = format!(r#"{{"ping": {{"from": "web", "to": "{to}"}}, "reply": {{}}}}"#);
        let expectation: crate::scenario::Expectation = serde_json::from_str(&text).unwrap();
        let judgement = judge(expectation.probe().unwrap(), &record, &|_| true);
        assert_eq!(points_of(&judgement), points);
    }

    /// What differs, by name.
    fn points_of(judgement: &Judgement) -> Vec<&str> {
        let points = judgement.mismatches.iter();
        points.map(|it| it.what.as_str()).collect()
    }

    fn expectation(rest: &str) -> ProbeExpectation {
        let text = format!(r#"{{"ping": {{"from": "web", "to": "8.8.8.8"}}, {rest}}}"#);
        let expectation: crate::scenario::Expectation = serde_json::from_str(&text).unwrap();
        expectation.probe().unwrap().clone()
    }

    #[rstest]
    #[case::any_reply(r#""reply": {}"#, &[])]
    #[case::exact(r#""reply": {"ttl": 62, "source": "192.168.64.4"}"#, &[])]
    #[case::ttl(r#""reply": {"ttl": 64}"#, &["ttl"])]
    #[case::source(r#""reply": {"source": "10.10.0.10"}"#, &["source"])]
    #[case::by(r#""reply": {"by": "a/b"}"#, &["by"])]
    #[case::lost(r#""lost": {"after": "host/app_br"}"#, &["fate"])]
    #[case::rejected(r#""rejected": {"how": "prohibited", "by": "host"}"#, &["fate"])]
    #[case::unanswered(r#""unanswered": {}"#, &["fate"])]
    #[case::seen(r#""reply": {}, "seen": [{"on": "host/enp0s1", "source": "192.168.64.4"}]"#, &[])]
    #[case::seen_else(r#""reply": {}, "seen": [{"on": "host/enp0s1", "source": "10.10.0.10"}]"#, &["seen"])]
    #[case::seen_reply(r#""reply": {}, "seen": [{"on": "host/enp0s1", "leg": "reply"}]"#, &["seen"])]
    #[case::not_seen(r#""reply": {}, "not-seen": [{"on": "host/enp0s1"}]"#, &["not-seen"])]
    #[case::not_seen_else(r#""reply": {}, "not-seen": [{"on": "host/app_br"}]"#, &[])]
    #[case::not_there(r#""reply": {}, "not-seen": [{"on": "host/eth9"}]"#, &["not-seen"])]
    fn every_point_that_differs_is_named(#[case] rest: &str, #[case] points: &[&str]) {
        let judgement = judge(&expectation(rest), &record(), &|link| {
            link.ifname.as_str() != "eth9"
        });
        assert_eq!(points_of(&judgement), points);
        assert_eq!(judgement.verdict == Verdict::Pass, points.is_empty());
    }

    #[rstest]
    #[case::not_asked("", Some(Cause::ForwardRule), &[])]
    #[case::as_expected(r#", "because": "forward-rule""#, Some(Cause::ForwardRule), &[])]
    #[case::another(r#", "because": "forward-policy""#, Some(Cause::ForwardRule), &["because"])]
    #[case::none(r#", "because": "forward-policy""#, None, &["because"])]
    fn the_cause_is_compared_where_it_is_expected(
        #[case] because: &str,
        #[case] cause: Option<Cause>,
        #[case] points: &[&str],
    ) {
        let node: NodeName = "host".parse().unwrap();
        let explanation = cause.map(|cause| Explanation {
            cause,
            at: node.clone().into(),
            why: String::new(),
            evidence: Vec::new(),
            mend: None,
            replayed: false,
        });
        let lost = Fate::Lost {
            after: node.clone().into(),
            leg: Leg::Request,
            also: Vec::new(),
        };
        let how = Rejection::Prohibited;
        let rejected = Fate::Rejected { how, by: node };
        for (fate, expected) in [
            (lost, format!(r#""lost": {{"after": "host"{because}}}"#)),
            (
                rejected,
                format!(r#""rejected": {{"how": "prohibited", "by": "host"{because}}}"#),
            ),
        ] {
            let explanation = explanation.clone();
            let record = Record {
                fate,
                explanation,
                ..record()
            };
            let judgement = judge(&expectation(&expected), &record, &|_| true);
            assert_eq!(points_of(&judgement), points);
        }
    }

    #[test]
    fn what_is_refused_or_lost_anywhere_is_unanswered() {
        let node: NodeName = "host".parse().unwrap();
        let lost = Fate::Lost {
            after: node.clone().into(),
            leg: Leg::Reply,
            also: Vec::new(),
        };
        let how = Rejection::Prohibited;
        for fate in [lost, Fate::Rejected { how, by: node }] {
            let record = Record { fate, ..record() };
            let judgement = judge(&expectation(r#""unanswered": {}"#), &record, &|_| true);
            assert_eq!(judgement.mismatches, []);
        }
    }

    #[rstest]
    #[case::rejected(r#""rejected": {"how": "prohibited", "by": "host"}"#, &[])]
    #[case::how(r#""rejected": {"how": "host-unreachable", "by": "host"}"#, &["how"])]
    #[case::by(r#""rejected": {"how": "prohibited", "by": "web"}"#, &["by"])]
    #[case::both(r#""rejected": {"how": "host-unreachable", "by": "web"}"#, &["how", "by"])]
    #[case::not_lost(r#""lost": {"after": "host"}"#, &["fate"])]
    fn how_and_by_whom_a_probe_is_rejected_counts(#[case] rest: &str, #[case] points: &[&str]) {
        let how = Rejection::Prohibited;
        let by = "host".parse().unwrap();
        assert_eq!(named(rest, Fate::Rejected { how, by }), points);
    }

    #[rstest]
    #[case::last(r#""lost": {"after": "host/br0", "leg": "reply"}"#, &[])]
    #[case::another_end(r#""lost": {"after": "db/eth0", "leg": "reply"}"#, &[])]
    #[case::elsewhere(r#""lost": {"after": "web/eth0", "leg": "reply"}"#, &["after"])]
    #[case::other_leg(r#""lost": {"after": "host/br0", "leg": "request"}"#, &["leg"])]
    #[case::leg_by_default(r#""lost": {"after": "host/br0"}"#, &["leg"])]
    #[case::both(r#""lost": {"after": "web/eth0"}"#, &["after", "leg"])]
    #[case::not_rejected(r#""rejected": {"how": "prohibited", "by": "host"}"#, &["fate"])]
    fn where_and_on_which_leg_a_probe_is_lost_counts(#[case] rest: &str, #[case] points: &[&str]) {
        let lost = Fate::Lost {
            after: "host/br0".parse::<LinkRef>().unwrap().into(),
            leg: Leg::Reply,
            also: vec!["db/eth0".parse::<LinkRef>().unwrap().into()],
        };
        assert_eq!(named(rest, lost), points);
    }

    #[rstest]
    #[case::request("", &[])]
    #[case::source(r#", "source": "192.168.64.4""#, &[])]
    #[case::other_source(r#", "source": "10.10.0.10""#, &["seen"])]
    #[case::destination(r#", "destination": "8.8.8.8""#, &[])]
    #[case::other_destination(r#", "destination": "8.8.4.4""#, &["seen"])]
    #[case::leg(r#", "leg": "request""#, &[])]
    #[case::other_leg(r#", "leg": "reply""#, &["seen"])]
    fn a_sighting_is_the_one_that_is_meant(#[case] more: &str, #[case] points: &[&str]) {
        let rest = format!(r#""reply": {{}}, "seen": [{{"on": "host/enp0s1"{more}}}]"#);
        assert_eq!(named(&rest, record().fate), points);
    }

    /// The points in which a probe of this fate is not as expected.
    fn named(rest: &str, fate: Fate) -> Vec<String> {
        let record = Record { fate, ..record() };
        let judgement = judge(&expectation(rest), &record, &|_| true);
        let named = judgement.mismatches.into_iter().map(|it| it.what);
        named.collect()
    }

    #[test]
    fn what_proves_nothing_never_passes() {
        let record = Record {
            fate: Fate::Inconclusive { why: "x".into() },
            ..record()
        };
        for fate in [r#""reply": {}"#, r#""unanswered": {}"#] {
            let judgement = judge(&expectation(fate), &record, &|_| true);
            assert_eq!(judgement.verdict, Verdict::Error);
        }
    }
}
