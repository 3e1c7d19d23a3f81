//! A world that breaks off is a verdict, never a lost report.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use netproof::implement::Choice;
use netproof::judge::Verdict;
use netproof::run::{Blame, Deadlines, Event, NamedScenario, Runner};
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

/// Runs a scenario in a real world with these deadlines; returns how it came out, and its events.
fn with_deadlines(choice: Choice, text: &str, deadlines: Deadlines) -> (Verdict, Vec<Event>) {
    let launch = Launch {
        program: env!("CARGO_BIN_EXE_netproof").into(),
        ..Launch::default()
    };
    let runner = Runner::new(Tier::User, false)
        .with_launch(launch)
        .with_implementation(choice)
        .with_deadlines(deadlines);
    let named = NamedScenario {
        text: text.to_owned(),
        ..scenario()
    };
    let mut events = Vec::new();
    let outcome = runner.run(&named, &mut |event| events.push(event.clone()));
    (outcome.verdict, events)
}

const TWO_STEPS: &str = "
title: x
nodes: [a]
steps:
  - name: Nothing is done here, and the links are waited for
    snapshot: [links]
  - name: Something is done
    do: [{up: a/lo}]
    expect:
      - ping: {from: a, to: 127.0.0.1}
        reply: {}
";

#[rstest]
#[case::netlink(Choice::Native)]
#[case::command(Choice::named("iproute2-iptables").unwrap())]
fn an_operation_that_is_not_done_in_time_is_named_and_ends_the_run(#[case] choice: Choice) {
    let deadlines = Deadlines {
        operation: Duration::ZERO,
        ..Deadlines::default()
    };
    let (verdict, events) = with_deadlines(choice, TWO_STEPS, deadlines);
    assert_eq!(verdict, Verdict::Error);
    let told: Vec<String> = events
        .iter()
        .filter_map(|event| match event {
            Event::Step { step, .. } => Some(format!("step {step}")),
            Event::Facts { step, .. } => Some(format!("facts of step {step}")),
            Event::Operation {
                command,
                verdict,
                reason,
                ..
            } => Some(format!("{command}: {verdict:?}, {}", reason.as_deref()?)),
            Event::Expectation { .. } => Some("an expectation".to_owned()),
            Event::Failure { message, .. } => Some(message.clone()),
            Event::End { .. } => Some("the end".to_owned()),
            _ => None,
        })
        .collect();
    let expected = [
        "step 1",
        "facts of step 1",
        "step 2",
        "ip -n a link set lo up: Error, not done after 0 s",
        "the end",
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_step_that_is_not_done_in_time_is_named_with_what_it_was_busy_with() {
    let deadlines = Deadlines {
        step: Duration::ZERO,
        ..Deadlines::default()
    };
    let (verdict, events) = with_deadlines(Choice::Native, TWO_STEPS, deadlines);
    assert_eq!(verdict, Verdict::Error);
    let failure = events.iter().find_map(|event| match event {
        Event::Failure { step, message, .. } => Some((*step, message.as_str())),
        _ => None,
    });
    let message = "the step was not done after 0 s; the wait for the links was under way";
    assert_eq!(failure, Some((1, message)));
    assert!(matches!(events.last(), Some(Event::End { .. })));
}

#[test]
fn a_scenario_that_is_not_done_in_time_names_the_step_that_was_under_way() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("slow-world");
    let told = r#"{"event":"step","scenario":"x","step":1,"name":"x"}"#;
    fs::write(
        &program,
        format!("#!/bin/sh\necho '{told}'\nexec cat >/dev/null\n"),
    )
    .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let launch = Launch {
        program,
        deadline: Duration::from_secs(2),
    };
    let runner = Runner::new(Tier::User, false).with_launch(launch);
    let mut steps = Vec::new();
    let outcome = runner.run(&scenario(), &mut |event| match event {
        Event::Step { step, .. } | Event::Failure { step, .. } => steps.push(*step),
        _ => {}
    });
    assert_eq!((outcome.verdict, steps), (Verdict::Error, vec![1, 1]));
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
