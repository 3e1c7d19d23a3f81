//! Why a scenario did not come out as it should, in the words of a single event.

use super::event::Event;
use crate::judge::Verdict;

/// Returns what an event says against the scenario; nothing where it says nothing.
pub(super) fn reason(event: &Event) -> Option<String> {
    match event {
        Event::Operation {
            command,
            verdict,
            reason,
            fails,
            ..
        } if *verdict != Verdict::Pass => {
            let reason = reason.as_deref().unwrap_or(match fails {
                Some(_) => "it was not refused",
                None => "it was not done",
            });
            Some(format!("{command}: {reason}"))
        }
        Event::Command {
            command,
            verdict,
            ended,
            ..
        } if *verdict != Verdict::Pass => Some(format!("{command}: {ended}")),
        Event::Expectation {
            probe,
            verdict,
            mismatches,
            observed,
            ..
        } if *verdict != Verdict::Pass => {
            let differs = mismatches.first().map_or_else(String::new, |it| {
                format!(" (expected {}: {})", it.what, it.expected)
            });
            Some(format!("{probe}: {observed}{differs}"))
        }
        Event::Snapshot { name, verdict, .. } if *verdict != Verdict::Pass => {
            Some(format!("the snapshot {name} differs"))
        }
        Event::Left {
            verdict,
            left,
            lost,
            ..
        } if *verdict != Verdict::Pass => {
            let what = [("left behind", left), ("taken away", lost)];
            let what = what.into_iter().filter(|(_, lines)| !lines.is_empty());
            let what: Vec<String> = what
                .map(|(what, lines)| format!("{what}: {}", lines.join("; ")))
                .collect();
            Some(what.join("; "))
        }
        Event::Escaped { files, workdir, .. } => Some(format!(
            "written outside of {workdir}: {}",
            files.join(", ")
        )),
        Event::Failure { message, .. } => Some(message.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::judge::Mismatch;

    fn operation(verdict: Verdict, fails: Option<&str>, reason: Option<&str>) -> Event {
        Event::Operation {
            scenario: "x".to_owned(),
            step: 1,
            command: "ip link add".to_owned(),
            ran: Vec::new(),
            verdict,
            fails: fails.map(str::to_owned),
            reason: reason.map(str::to_owned),
            lacks: None,
            line: Some(1),
        }
    }

    fn command(verdict: Verdict) -> Event {
        Event::Command {
            scenario: "x".to_owned(),
            step: 1,
            command: "sh it.sh".to_owned(),
            verdict,
            code: Some(3),
            ended: "exit code 3".to_owned(),
            stdout: String::new(),
            stderr: String::new(),
            left_out: 0,
        }
    }

    fn expectation(verdict: Verdict, expected: &[&str]) -> Event {
        let mismatch = |expected: &&str| Mismatch {
            what: "ttl".to_owned(),
            expected: (*expected).to_owned(),
            seen: "63".to_owned(),
        };
        Event::Expectation {
            scenario: "x".to_owned(),
            step: 1,
            expectation: 1,
            probe: "ping from a to b".to_owned(),
            observed: "reply ttl 63".to_owned(),
            verdict,
            mismatches: expected.iter().map(mismatch).collect(),
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

    fn left(verdict: Verdict, left: &[&str], lost: &[&str]) -> Event {
        let lines = |lines: &[&str]| lines.iter().map(|&it| it.to_owned()).collect();
        Event::Left {
            scenario: "x".to_owned(),
            verdict,
            left: lines(left),
            lost: lines(lost),
        }
    }

    fn escaped() -> Event {
        Event::Escaped {
            scenario: "x".to_owned(),
            verdict: Verdict::Fail,
            files: ["/tmp/a", "/tmp/b"].map(str::to_owned).to_vec(),
            workdir: "/run/netproof".to_owned(),
        }
    }

    fn failure() -> Event {
        Event::Failure {
            scenario: "x".to_owned(),
            step: 1,
            blame: crate::run::Blame::Machine,
            message: "no world".to_owned(),
            help: Some("mount it".to_owned()),
        }
    }

    #[rstest]
    #[case::refused(operation(Verdict::Fail, None, Some("no")), "ip link add: no")]
    #[case::unsupported(operation(Verdict::Unsupported, None, Some("no")), "ip link add: no")]
    #[case::not_done(operation(Verdict::Error, None, None), "ip link add: it was not done")]
    #[case::not_refused(
        operation(Verdict::Fail, Some("File exists"), None),
        "ip link add: it was not refused"
    )]
    #[case::command(command(Verdict::Fail), "sh it.sh: exit code 3")]
    #[case::expectation(
        expectation(Verdict::Fail, &["64", "65"]),
        "ping from a to b: reply ttl 63 (expected ttl: 64)"
    )]
    #[case::inconclusive(expectation(Verdict::Error, &[]), "ping from a to b: reply ttl 63")]
    #[case::snapshot(snapshot(Verdict::Fail), "the snapshot x__1 differs")]
    #[case::left(left(Verdict::Fail, &["a", "b"], &[]), "left behind: a; b")]
    #[case::lost(left(Verdict::Fail, &[], &["c"]), "taken away: c")]
    #[case::both(left(Verdict::Fail, &["a"], &["c"]), "left behind: a; taken away: c")]
    #[case::escaped(escaped(), "written outside of /run/netproof: /tmp/a, /tmp/b")]
    #[case::failure(failure(), "no world")]
    fn what_is_not_as_it_should_be_has_its_reason(#[case] event: Event, #[case] expected: &str) {
        assert_eq!(reason(&event).as_deref(), Some(expected));
    }

    #[rstest]
    #[case::refused_as_it_says(operation(Verdict::Pass, Some("no"), Some("no")))]
    #[case::command(command(Verdict::Pass))]
    #[case::expectation(expectation(Verdict::Pass, &[]))]
    #[case::snapshot(snapshot(Verdict::Pass))]
    #[case::told_only(left(Verdict::Pass, &["a"], &[]))]
    fn what_is_as_it_should_be_has_none(#[case] event: Event) {
        assert_eq!(reason(&event), None);
    }
}
