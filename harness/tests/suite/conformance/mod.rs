//! The matrix from the command line: its report, what may not be absent, and what it says of mistakes.

mod adapters;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use rstest::rstest;
use serde_json::Value;

use adapters::answers;

fn conformance(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netproof"));
    command
        .arg("conformance")
        .args(arguments)
        .env_remove("NETPROOF_REQUIRE");
    command
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// An adapter that says ok and does nothing, which must fail and must not break.
const IDLE: &str = "exec:fixtures/adapters/bad/do-nothing.sh";

fn with_idle(more: &[&str]) -> (Option<i32>, String, String) {
    let mut arguments = vec!["--adapter", IDLE];
    arguments.extend(more);
    let mut command = conformance(&arguments);
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output();
    said(&output.unwrap())
}

#[test]
fn a_must_that_fails_ends_with_1_and_an_info_fails_never() {
    let (code, text, errors) = with_idle(&["--format", "json", "containers/two-endpoints"]);
    assert_eq!(code, Some(1), "{text}{errors}");
    let cell: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&cell["event"], &cell["verdict"]),
        (&"cell".into(), &"fail".into())
    );
    assert_eq!(cell["requirement"], "MUST");
    assert!(
        cell["reason"]
            .as_str()
            .unwrap()
            .contains("there is no interface"),
        "{cell}"
    );

    let (code, text, errors) = with_idle(&["--format", "json", "containers/ttl"]);
    assert_eq!(code, Some(0), "{text}{errors}");
    let cell: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&cell["requirement"], &cell["verdict"]),
        (&"INFO".into(), &"pass".into())
    );
}

#[rstest]
#[case::one_scenario(&["run", "--implementation"])]
#[case::the_matrix(&["conformance", "--adapter"])]
fn a_reply_has_as_long_as_is_said(#[case] way: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netproof"));
    command
        .args(way)
        .args(["serve:fixtures/adapters/bad/hang.sh", "--format", "json"])
        .args(["--deadline", "2000", "containers/two-endpoints"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("NETPROOF_REQUIRE");
    let (_, text, errors) = said(&command.output().unwrap());
    let says = "no reply to `attach` within 2000 ms";
    assert!(text.contains(says), "{text}{errors}");
}

#[rstest]
#[case::none("0")]
#[case::two_days("172800000")]
fn a_deadline_is_a_day_at_most(#[case] deadline: &str) {
    let (code, _, errors) = with_idle(&["--deadline", deadline]);
    assert_eq!(code, Some(2), "{errors}");
    assert!(errors.contains("1..=86400000"), "{errors}");
}

#[test]
fn a_report_is_appended_and_compared() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.jsonl");
    let path = file.to_str().unwrap();
    let native = ["--implementation", "native", "containers/two-endpoints"];
    let first = conformance(&native)
        .args(["--report", path])
        .output()
        .unwrap();
    assert_eq!(said(&first).0, Some(0));
    let again = conformance(&native)
        .args(["--report", path])
        .output()
        .unwrap();
    assert_eq!(said(&again).0, Some(0));
    let written = fs::read_to_string(&file).unwrap();
    assert_eq!(
        written.matches("\"event\":\"cell\"").count(),
        2,
        "{written}"
    );

    // The last line was not written to its end.
    let broken = written.replace("\"pass\"", "\"fail\"") + "{\"event\":\"ce";
    fs::write(&file, broken).unwrap();
    // What is appended then begins a line of its own.
    let more = conformance(&native)
        .args(["--report", path])
        .output()
        .unwrap();
    assert_eq!(said(&more).0, Some(0));
    let gone_on = fs::read_to_string(&file).unwrap();
    assert_eq!(
        gone_on.matches("\n{\"event\":\"row\"").count(),
        2,
        "{gone_on}"
    );
    let broken = written.replace("\"pass\"", "\"fail\"") + "{\"event\":\"ce";
    fs::write(&file, broken).unwrap();
    let against = conformance(&native)
        .args(["--against", path])
        .output()
        .unwrap();
    let (code, _, errors) = said(&against);
    assert_eq!(code, Some(0), "what has changed for the better is not red");
    assert_eq!(
        errors,
        "changed:\nnative containers/two-endpoints: fail -> pass\n"
    );
    fs::write(&file, written).unwrap();
    let against = conformance(&native)
        .args(["--against", path])
        .output()
        .unwrap();
    let (code, _, errors) = said(&against);
    assert_eq!((code, errors.as_str()), (Some(0), "nothing has changed\n"));
}

#[rstest]
#[case::no_report(&["--against", "/nonexistent"], "no-report", "--report FILE")]
#[case::no_cell(&["--against", "Cargo.toml"], "no-report", "--report FILE")]
#[case::unwritable(&["--report", "/nonexistent/x"], "unwritable-report", "a folder that is there")]
#[case::nothing(&["tutorials/gateway"], "nothing-to-try", "netproof list containers")]
#[case::nobody(&["--implementation", "podmann"], "no-such-implementation", "podman")]
fn a_mistake_is_2_and_says_what_would_be_right(
    #[case] arguments: &[&str],
    #[case] id: &str,
    #[case] help: &str,
) {
    let mut command = conformance(arguments);
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let (code, text, errors) = said(&output.unwrap());
    assert_eq!((code, text.as_str()), (Some(2), ""), "{errors}");
    assert!(
        errors.contains(&format!("error[{id}]")) && errors.contains(help),
        "{errors}"
    );
}

#[test]
fn who_is_absent_has_a_row_and_is_required_only_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.yaml");
    let text = "name: mine\nabout: nothing\nversion: [no-such-program]\nneeds: [no-such-program]\n\
                operations: {up: [no-such-program, <up>]}\n";
    fs::write(&file, text).unwrap();
    let tried = |file: &Path, required: &str| {
        let arguments = [
            "--implementation",
            file.to_str().unwrap(),
            "containers/two-endpoints",
        ];
        let output = conformance(&arguments)
            .env("NETPROOF_REQUIRE", required)
            .output();
        said(&output.unwrap())
    };
    let (code, text, errors) = tried(&file, "");
    assert_eq!(code, Some(0), "{errors}");
    assert!(
        text.contains("mine  not tried: missing: no-such-program"),
        "{text}"
    );
    let (code, _, errors) = tried(&file, "mine");
    assert_eq!(code, Some(3), "{errors}");
    assert!(errors.contains("help: install it"), "{errors}");

    // Whoever comes after makes it neither better nor worse.
    for (more, exit) in [
        (["--implementation", "native"], 3),
        (["--adapter", IDLE], 3),
    ] {
        let mut command = conformance(&["--implementation", file.to_str().unwrap()]);
        command
            .args(more)
            .arg("containers/two-endpoints")
            .env("NETPROOF_REQUIRE", "mine")
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        let (code, text, errors) = said(&command.output().unwrap());
        assert_eq!(code, Some(exit), "{text}{errors}");
    }
}

#[test]
fn only_scenarios_of_networks_are_tried() {
    let arguments = ["--implementation", "native", "--format", "json"];
    let mut command = conformance(&arguments);
    command.args(["tutorials/gateway", "containers/two-endpoints"]);
    let (code, text, errors) = said(&command.output().unwrap());
    assert_eq!(code, Some(0), "{text}{errors}");
    assert_eq!(text.matches("\"event\":\"cell\"").count(), 1, "{text}");
    assert!(!text.contains("tutorials/gateway"), "{text}");
}

#[rstest]
#[case::of_an_adapter(&["--adapter", IDLE], "root")]
#[case::of_another(&["--implementation", "native"], "user")]
fn the_tier_is_that_of_adapters_and_who_has_no_world_is_not_tried(
    #[case] who: &[&str],
    #[case] tier: &str,
) {
    use std::os::unix::process::CommandExt as _;

    let mut command = conformance(who);
    command
        .args(["--tier", "root", "--format", "json"])
        .arg("containers/two-endpoints")
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    if tier == "root" && nix::unistd::geteuid().is_root() {
        command.uid(65534).gid(65534);
    }
    let (code, text, errors) = said(&command.output().unwrap());
    assert_eq!(code, Some(0), "{text}{errors}");
    let row: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!((&row["event"], &row["tier"]), (&"row".into(), &tier.into()));
    let absent = row["absent"].as_str().unwrap_or_default();
    assert_eq!(
        absent.starts_with("no world of tier root: "),
        tier == "root"
    );
    assert_eq!(text.lines().count() == 1, tier == "root", "{text}");
}

#[test]
fn a_report_that_cannot_be_written_is_named() {
    let (code, text, errors) = with_idle(&["--report", "/dev/full", "containers/ttl"]);
    assert_eq!(code, Some(3), "{errors}");
    let says = "error: cannot write to /dev/full: No space left on device";
    assert!(errors.contains(says), "{errors}");
    assert!(text.contains("INFO    containers/ttl"), "{text}");
}

#[test]
fn two_implementations_of_one_name_are_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let here = answers(folder.path(), "do-nothing.sh", "exit 1");
    let (code, text, errors) = with_idle(&["--adapter", &here, "containers/gateway"]);
    assert_eq!((code, text.as_str()), (Some(2), ""));
    assert!(
        errors.contains("error[same-name]: two implementations are called `do-nothing.sh`"),
        "{errors}"
    );
}

#[test]
fn a_snapshot_is_compared_here_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("it.yaml");
    let text = "title: it\nrequirement: must\nprofile: core\nnodes: [host, c1]\nsteps:\n  - name: s\n    do:\n      \
                - network: {add: n1, subnet: 10.10.0.0/24}\n      - attach: {node: c1, to: n1}\n    \
                snapshot: [addresses]\n";
    fs::write(&file, text).unwrap();
    let native = [
        "--implementation",
        "native",
        "--format",
        "json",
        file.to_str().unwrap(),
    ];
    let (code, text, errors) = said(&conformance(&native).output().unwrap());
    assert_eq!(code, Some(1), "{text}{errors}");
    assert!(text.contains("the snapshot it__1 differs"), "{text}");
}

/// Tries a manifest that can do nothing but fail, with what it says of a scenario, as text for people.
fn with_listed(scenario: &str, more: &str) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.yaml");
    let text = format!(
        "name: mine\nabout: nothing\nversion: [sh, -c, echo mine 1.0]\nneeds: [sh]\noperations:\n  \
         bridge: [sh, -c, 'echo no bridge today >&2; exit 1', <add>]\n{more}"
    );
    fs::write(&file, text).unwrap();
    let arguments = ["--implementation", file.to_str().unwrap(), scenario];
    said(&conformance(&arguments).output().unwrap())
}

#[rstest]
#[case::it_fails("containers/two-endpoints", "fail", 1, "1 red")]
#[case::it_passes("containers/gateway-outside", "pass", 0, "0 red")]
fn without_a_list_a_scenario_comes_out_as_it_does(
    #[case] scenario: &str,
    #[case] verdict: &str,
    #[case] exit: i32,
    #[case] red: &str,
) {
    let (code, text, errors) = with_listed(scenario, "");
    assert_eq!(code, Some(exit), "{text}{errors}");
    let summary = format!("1 cell: 1 {verdict}; {red}");
    assert!(text.contains(&summary), "{text}");
}

#[rstest]
#[case::it_fails("containers/two-endpoints", "1 xfail; 0 red", 0)]
#[case::it_passes("containers/gateway-outside", "1 xpass; 1 red", 1)]
fn what_is_listed_as_failing_may_fail_and_may_not_pass(
    #[case] scenario: &str,
    #[case] summary: &str,
    #[case] exit: i32,
) {
    let listed = format!("deviations:\n  - {{scenario: {scenario}, reason: it is known}}\n");
    let (code, text, errors) = with_listed(scenario, &listed);
    assert_eq!(code, Some(exit), "{text}{errors}");
    assert!(text.contains(summary), "{text}");
    assert!(text.contains("\n      it is known"), "{text}");
}

#[test]
fn every_implementation_has_a_row_before_its_cells() {
    let scenario = "containers/two-endpoints";
    let arguments = ["--format", "json", "--implementation", "native", scenario];
    let (code, text, errors) = with_idle(&arguments);
    assert_eq!(code, Some(1), "{text}{errors}");
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let told: Vec<(String, String)> = lines
        .map(|line: Value| {
            let word = |key: &str| line[key].as_str().unwrap().to_owned();
            (word("event"), word("implementation"))
        })
        .collect();
    let expected = [
        ("row", "native"),
        ("cell", "native"),
        ("row", "do-nothing.sh"),
        ("cell", "do-nothing.sh"),
    ];
    let expected = expected.map(|(event, name)| (event.to_owned(), name.to_owned()));
    assert_eq!(told, expected);
}

#[rstest]
#[case::json("json")]
#[case::human("human")]
#[case::markdown("markdown")]
#[case::junit("junit")]
fn a_report_that_cannot_be_written_is_3_and_says_so(#[case] format: &str) {
    let arguments = ["--format", format, "--implementation", "native"];
    let tried = |full: bool| {
        let mut command = conformance(&arguments);
        command.arg("containers/two-endpoints");
        if full {
            let full = fs::File::options().write(true).open("/dev/full").unwrap();
            command.stdout(full);
        } else {
            command.args(["--report", "/dev/full"]);
        }
        said(&command.output().unwrap())
    };
    for full in [true, false] {
        let (code, _, errors) = tried(full);
        assert_eq!(code, Some(3), "{errors}");
        assert!(errors.contains("No space left on device"), "{errors}");
    }
}

/// A scenario that only looks, at an endpoint that is tried out and at tables.
const ONLY_LOOKS: &str = "
title: it
requirement: info
nodes: [host, c1]
given:
  - veth: {add: host/up0, peer: host/up1}
  - address: {add: 203.0.113.1/24, dev: host/up0}
  - address: {add: 203.0.114.1/24, dev: host/up1}
steps:
  - name: s
    observe:
      - network: {add: n1, subnet: 10.10.0.0/24}
      - attach: {node: c1, to: n1}
      - addresses: {in: host, only: up1}
      - addresses: {in: host, only: nothing}
";

#[rstest]
#[case::done(&["--implementation", "native"], "done")]
#[case::a_lie(&["--adapter", IDLE], "it says ok, and there is no interface c1/eth0")]
fn what_is_tried_out_and_looked_at_is_shown(#[case] who: &[&str], #[case] came: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("it.yaml");
    fs::write(&file, ONLY_LOOKS).unwrap();
    let mut command = conformance(who);
    command
        .args(["--format", "json", file.to_str().unwrap()])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    let (code, text, errors) = said(&command.output().unwrap());
    assert_eq!(code, Some(0), "{text}{errors}");
    let cell: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let values: Vec<&str> = cell["observed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["value"].as_str().unwrap())
        .collect();
    assert_eq!(
        values,
        ["done", came, "up1: 203.0.114.1/24 scope global", "none"]
    );
    // A container that is only tried out is a container all the same.
    assert_eq!(cell["left"].as_array().map_or(0, Vec::len), 0, "{cell}");
}
