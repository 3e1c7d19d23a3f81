//! What is told of a scenario, event by event.

use super::*;
use crate::observe::Direction;

fn probe(sightings: Vec<Sighting>) -> Event {
    Event::Probe {
        scenario: "a".to_owned(),
        step: 1,
        kind: "ping".to_owned(),
        from: "web".parse().unwrap(),
        to: "10.0.0.2".parse().unwrap(),
        fate: "lost".to_owned(),
        after: None,
        by: None,
        cause: None,
        explanation: None,
        how: None,
        leg: None,
        ttl: None,
        source: None,
        attempts: 1,
        doubts: Vec::new(),
        ms: 0.0,
        sightings,
    }
}

fn expectation(verdict: Verdict) -> Event {
    Event::Expectation {
        scenario: "a".to_owned(),
        step: 1,
        expectation: 1,
        probe: "ping from web to 10.0.0.2".to_owned(),
        observed: "lost after host/br0".to_owned(),
        verdict,
        mismatches: vec![Mismatch {
            what: "fate".to_owned(),
            expected: "reply".to_owned(),
            seen: "lost after host/br0".to_owned(),
        }],
        path: Vec::new(),
        line: 7,
    }
}

fn seen(on: &str, direction: Direction, leg: Leg, from: Option<usize>) -> Sighting {
    let (node, ifname) = on.split_once('/').unwrap();
    Sighting {
        on: crate::scenario::LinkRef {
            node: node.parse().unwrap(),
            ifname: ifname.parse().unwrap(),
        },
        direction,
        leg,
        source: None,
        destination: None,
        ttl: Some(64),
        for_another: on == "database/eth0",
        from,
    }
}

fn flooded() -> Vec<Sighting> {
    vec![
        seen("web/eth0", Direction::Out, Leg::Request, None),
        seen("host/veth0", Direction::In, Leg::Request, Some(0)),
        seen("host/veth1", Direction::Out, Leg::Request, Some(1)),
        seen("database/eth0", Direction::In, Leg::Request, Some(2)),
        seen("host/br0", Direction::In, Leg::Request, Some(1)),
        seen("host/br0", Direction::Out, Leg::Reply, None),
    ]
}

fn report(events: &[Event]) -> String {
    let mut human = Human::new();
    for event in events {
        human.take(event);
    }
    let end = human.take(&Event::Scenario {
        scenario: "a".to_owned(),
        verdict: Verdict::Fail,
        deviation: None,
        link: None,
        ms: 1.0,
    });
    anstream::adapter::strip_str(&end).to_string()
}

#[test]
fn the_way_is_told_branch_by_branch() {
    let step = Event::Step {
        scenario: "a".to_owned(),
        step: 1,
        name: "Ask".to_owned(),
        why: None,
    };
    assert_eq!(
        report(&[step, probe(flooded()), expectation(Verdict::Fail)]),
        "        FAIL [   0.001s] a

  step 1: Ask
    ping from web to 10.0.0.2 (line 7)
      expected  reply
      saw       lost after host/br0
      way       web/eth0 out > host/veth0 in
                |- host/veth1 out > database/eth0 in (not for it)
                `- host/br0 in
      way back  host/br0 out
"
    );
}

#[test]
fn a_table_is_not_explained_by_the_probe_before_it() {
    let mut rejected = probe(Vec::new());
    if let Event::Probe { explanation, .. } = &mut rejected {
        *explanation = Some(Box::new(Explanation {
            cause: crate::scenario::Cause::NoRoute,
            at: crate::scenario::Place::Node("web".parse().unwrap()),
            why: "web has no route".to_owned(),
            evidence: Vec::new(),
            mend: None,
            replayed: false,
        }));
    }
    let events = [
        rejected,
        expectation(Verdict::Pass),
        expectation(Verdict::Fail),
    ];
    assert!(!report(&events).contains("because"));
}

#[test]
fn a_probe_that_was_not_sent_has_not_the_way_of_another() {
    let events = [
        probe(flooded()),
        expectation(Verdict::Pass),
        expectation(Verdict::Fail),
    ];
    assert!(!report(&events).contains("way"));
}
