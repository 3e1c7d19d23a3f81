//! A world that breaks off is a verdict, never a lost report.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use netproof::judge::Verdict;
use netproof::run::{Blame, Event, NamedScenario, Runner};
use netproof::world::{Launch, Tier};
use rstest::rstest;

fn scenario() -> NamedScenario {
    NamedScenario {
        name: "x".to_owned(),
        file: "x.yaml".to_owned(),
        text: "title: x\nnodes: [a]\nsteps:\n  - name: x\n    do: [{up: a/lo}]\n".to_owned(),
    }
}

/// Runs a scenario with a shell script in place of a world; returns the failures that are told.
fn failures(script: &str, deadline: Duration) -> String {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("no-world");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    run(&program, deadline)
}

fn run(program: &Path, deadline: Duration) -> String {
    let launch = Launch {
        program: program.to_owned(),
        deadline,
    };
    let runner = Runner::new(Tier::User, false).with_launch(launch);
    let mut messages = Vec::new();
    let outcome = runner.run(&scenario(), &mut |event| {
        if let Event::Failure { message, .. } = event {
            messages.push(message.clone());
        }
    });
    assert_eq!(
        (outcome.verdict, outcome.blame),
        (Verdict::Error, Some(Blame::Netproof))
    );
    messages.join("\n")
}

#[rstest]
#[case::says_nothing("exit 0", "it said nothing")]
#[case::crashes("echo overboard >&2; kill -9 $$", "overboard")]
#[case::says_garbage("echo overboard", "no event")]
#[case::says_half_a_line("printf '{\"event\":'", "broke off")]
fn a_world_that_breaks_off_is_our_mistake(#[case] script: &str, #[case] says: &str) {
    let failures = failures(script, Duration::from_secs(30));
    assert!(failures.contains(says), "{failures}");
}

#[test]
fn a_world_that_hangs_is_ended_at_its_deadline() {
    let failures = failures("exec cat >/dev/null", Duration::from_millis(300));
    assert!(failures.contains("still busy"), "{failures}");
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let failures = run(Path::new("/nonexistent/netproof"), Duration::from_secs(30));
    assert!(
        failures.contains("/nonexistent/netproof: No such file"),
        "{failures}"
    );
}

#[test]
fn what_was_seen_before_a_world_broke_off_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("no-world");
    let frame = r#"{"interface":0,"time":1,"direction":"in","for_another":false,"role":"before","bytes":"00ff"}"#;
    let capture = format!(
        r#"{{"event":"capture","scenario":"x","capture":{{"probe":"p","attempt":1,"interfaces":["a/lo"],"frames":[{frame}],"left_out":0}}}}"#
    );
    fs::write(
        &program,
        format!("#!/bin/sh\necho '{capture}'\nkill -9 $$\n"),
    )
    .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let launch = Launch {
        program,
        deadline: Duration::from_secs(30),
    };
    let runner = Runner::new(Tier::User, false).with_launch(launch);
    let mut told = Vec::new();
    let outcome = runner.run(&scenario(), &mut |event| told.push(event.clone()));
    assert_eq!(outcome.verdict, Verdict::Error);
    assert_eq!(outcome.packets.count(), 1);
    assert!(matches!(&told[..], [Event::Failure { .. }]), "{told:?}");
}
