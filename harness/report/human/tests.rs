//! What is told of a scenario, event by event.

use rstest::rstest;

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

/// A cause with all that can be said of it.
fn explained() -> Event {
    let mut event = probe(Vec::new());
    let evidence = |what: &str, found: &str| Evidence {
        what: what.to_owned(),
        found: found.to_owned(),
    };
    if let Event::Probe { explanation, .. } = &mut event {
        *explanation = Some(Box::new(Explanation {
            cause: crate::scenario::Cause::NoRoute,
            at: crate::scenario::Place::Node("web".parse().unwrap()),
            why: "web has no route".to_owned(),
            evidence: vec![evidence("routes", "none"), evidence("rules", "three")],
            mend: Some("ip route add default".to_owned()),
            replayed: true,
        }));
    }
    event
}

#[test]
fn a_cause_is_told_with_all_its_evidence_and_what_mends_it() {
    let text = report(&[explained(), expectation(Verdict::Fail)]);
    let expected = "
      because   no-route: web has no route (by a replay)
      evidence  routes: none
                rules: three
      mend      ip route add default
";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn each_doubt_about_a_probe_that_was_sent_again_is_told() {
    let mut again = probe(Vec::new());
    if let Event::Probe {
        attempts, doubts, ..
    } = &mut again
    {
        (*attempts, *doubts) = (3, vec!["it was late".to_owned(), "it was lost".to_owned()]);
    }
    let text = report(&[again, expectation(Verdict::Pass)]);
    let expected = "
    ping from web to 10.0.0.2 was sent 3 times
      because   it was late
      because   it was lost
";
    assert!(text.contains(expected), "{text}");
}

fn operation(fails: Option<&str>, reason: Option<&str>, ran: &[&str]) -> Event {
    Event::Operation {
        scenario: "a".to_owned(),
        step: 1,
        command: "ip link add".to_owned(),
        ran: ran.iter().map(|&it| it.to_owned()).collect(),
        verdict: Verdict::Fail,
        fails: fails.map(str::to_owned),
        reason: reason.map(str::to_owned),
        lacks: None,
        line: Some(3),
    }
}

#[rstest]
#[case::refused(
    operation(None, Some("no"), &["ip link add", "brctl addbr"]),
    "ran       brctl addbr\n      expected  done\n      saw       no\n"
)]
#[case::not_refused(
    operation(Some("File exists"), None, &[]),
    "expected  refused: File exists\n      saw       done\n"
)]
#[case::not_refused_at_all(
    operation(Some(REFUSED), None, &[]),
    "expected  refused\n      saw       done\n"
)]
#[case::left(
    Event::Left {
        scenario: "a".to_owned(),
        verdict: Verdict::Fail,
        left: vec!["a link".to_owned()],
        lost: vec!["a route".to_owned()],
    },
    "left      a link\n      lost      a route\n"
)]
#[case::written(
    Event::Escaped {
        scenario: "a".to_owned(),
        verdict: Verdict::Fail,
        files: vec!["/tmp/a".to_owned(), "/tmp/b".to_owned()],
        workdir: "/run/x".to_owned(),
    },
    "expected  in /run/x only\n      saw       /tmp/a\n                /tmp/b\n"
)]
#[case::own_check(
    Event::SelfCheck {
        scenario: "a".to_owned(),
        step: 1,
        node: "c1".parse().unwrap(),
        ok: false,
        reason: Some("no route".to_owned()),
    },
    "the implementation's own check of c1\n      says      no route\n"
)]
#[case::broken_off(
    Event::Failure {
        scenario: "a".to_owned(),
        step: 1,
        blame: Blame::Machine,
        message: "no world".to_owned(),
        help: Some("mount it".to_owned()),
    },
    "this machine cannot run it\n      because   no world\n      help      mount it\n"
)]
#[case::packets(
    Event::Packets {
        scenario: "a".to_owned(),
        file: "a.pcapng".to_owned(),
        packets: 2,
        left_out: 1,
    },
    "packets  a.pcapng (1 packet left out)\n"
)]
fn what_goes_wrong_is_told_line_by_line(#[case] event: Event, #[case] expected: &str) {
    let text = report(&[event]);
    assert!(text.contains(expected), "{text}");
}
