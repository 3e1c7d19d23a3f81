//! `netproof smoke` as its user meets it: exit codes, and a report that is whole.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output};

use rstest::rstest;
use serde_json::Value;

/// An adapter that says ok and does nothing.
const IDLE: &str = "exec:fixtures/adapters/bad/do-nothing.sh";

fn smoke(arguments: &[&str], change: impl FnOnce(&mut Command)) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netproof"));
    command
        .arg("smoke")
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    change(&mut command);
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn an_adapter_that_fails_is_1_and_every_step_is_counted_as_it_came_out() {
    let output = smoke(&[IDLE, "--format", "json"], |_| {});
    let stdout = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{stdout}");
    let events: Vec<Value> = stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (summary, steps) = events.split_last().unwrap();
    for verdict in ["pass", "fail", "skipped"] {
        let of = steps.iter().filter(|it| it["verdict"] == verdict).count();
        assert_eq!(summary[verdict], of, "{stdout}");
        assert!(of > 0, "{verdict}: {stdout}");
    }
}

#[rstest]
#[case::native("native")]
#[case::a_program_of_ours("podman")]
fn who_is_no_adapter_is_2(#[case] name: &str) {
    let output = smoke(&[name], |_| {});
    assert_eq!(output.status.code(), Some(2));
    let complaint = text(&output.stderr);
    assert!(complaint.contains("error[no-adapter]"), "{complaint}");
}

#[test]
fn a_machine_without_privileges_for_the_tier_is_3_and_says_what_mends_it() {
    let output = smoke(&[IDLE, "--tier", "root"], |command| {
        if nix::unistd::geteuid().is_root() {
            command.uid(65534).gid(65534);
        }
    });
    let report = text(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{report}");
    assert!(report.contains("\n  help: "), "{report}");
}

#[rstest]
fn a_report_that_cannot_be_written_is_3(#[values("human", "json")] format: &str) {
    let output = smoke(&[IDLE, "--format", format], |command| {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        command.stdout(full);
    });
    let complaint = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{complaint}");
    assert!(complaint.contains("No space left on device"), "{complaint}");
}
