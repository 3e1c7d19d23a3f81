//! The choice of an implementation as its user meets it: names, files, exit codes, known deviations.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails as the test does"
)]

use std::fs;
use std::process::{Command, Stdio};

use netproof::implement::Choice;
use netproof::run::SMALLEST;
use rstest::rstest;

/// A scenario that passes whoever carries its operations out: it has none.
const NOTHING_DONE: &str = "
title: Who has no address has no route
nodes: [a]
steps:
  - name: Nothing is done
    expect:
      - ping: {from: a, to: 10.0.0.1}
        rejected: {how: network-unreachable, by: a}
";

/// A manifest whose programs every machine has; `more` stands behind its verbs.
fn manifest(more: &str) -> String {
    format!(
        "name: mine\nabout: nothing at all\nversion: [sh, -c, echo mine 1.0]\nneeds: [sh, no-such-program]\n\
         operations:\n  up: [sh, -c, exit 0, <up>]\n{more}"
    )
}

/// Runs a scenario with a manifest, both as files of a folder of their own; returns the exit code and
/// all that was said.
fn run(scenario: &str, manifest: &str, arguments: &[&str], require: &str) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("it.yaml"), scenario).unwrap();
    fs::write(folder.path().join("mine.yaml"), manifest).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_netproof"))
        .args(["run", "it.yaml", "--implementation", "mine.yaml"])
        .args(arguments)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .env("NETPROOF_PCAP", "")
        .env("NETPROOF_REQUIRE", require)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(text).unwrap(),
    )
}

/// Runs netproof and returns the exit code and all that was said.
fn netproof(arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_netproof"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .env("NETPROOF_PCAP", "")
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(text).unwrap(),
    )
}

#[test]
fn what_no_command_is_for_is_unsupported_and_asks_nothing_of_the_machine() {
    let (code, text) = run(SMALLEST, &manifest(""), &[], "all");
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("mine has no way to do `veth`"), "{text}");
    assert!(!text.contains("NETPROOF_REQUIRE"), "{text}");
}

#[rstest]
#[case::at_its_begin("  veth: [no-such-program, <add>, <peer>]\n")]
#[case::behind_another("  veth: [sh, -c, exit 1, no-such-program, <add>, <peer>]\n")]
fn a_program_that_is_missing_is_named_and_can_be_required(#[case] veth: &str) {
    let (code, text) = run(SMALLEST, &manifest(veth), &[], "");
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("UNSUPPORTED"), "{text}");
    assert!(
        text.contains("there is no program `no-such-program`"),
        "{text}"
    );
    let (code, text) = run(SMALLEST, &manifest(veth), &[], "no-such-program");
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("has not: no-such-program"), "{text}");
}

#[rstest]
#[case::not_required(NOTHING_DONE, "", 0)]
#[case::required(NOTHING_DONE, "no-such-program", 3)]
#[case::another_is_required(NOTHING_DONE, "no-other-program", 0)]
#[case::worse_than_that(&NOTHING_DONE.replace("by: a", "by: b"), "no-such-program", 1)]
fn what_is_required_and_missing_is_3_where_nothing_else_is_wrong(
    #[case] beside: &str,
    #[case] require: &str,
    #[case] exit: i32,
) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("beside.yaml");
    fs::write(&file, beside.replace("nodes: [a]", "nodes: [a, b]")).unwrap();
    let veth = "  veth: [no-such-program, <add>, <peer>]\n";
    let arguments = [file.to_str().unwrap()];
    let (code, text) = run(SMALLEST, &manifest(veth), &arguments, require);
    assert_eq!(code, exit, "{text}");
    assert!(text.contains("1 unsupported"), "{text}");
}

#[test]
fn what_a_program_refuses_fails_and_what_the_kernel_lacks_is_unsupported() {
    let says =
        |words: &str| format!("  veth: [sh, -c, \"echo '{words}' >&2; exit 1\", <add>, <peer>]\n");
    let (code, text) = run(SMALLEST, &manifest(&says("x: File exists")), &[], "");
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("x: File exists (File exists)"), "{text}");
    assert!(
        text.contains("ran       sh -c 'echo '\\''x: File exists"),
        "{text}"
    );
    let lacks = format!(
        "{}lacks: [no such device type]\n",
        says("no such device type here")
    );
    let (code, text) = run(SMALLEST, &manifest(&lacks), &[], "");
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("this kernel has no veth"), "{text}");
}

#[test]
fn a_command_that_does_nothing_is_no_proof() {
    let veth =
        "  veth: [sh, -c, exit 0, <add>, <peer>]\n  address: [sh, -c, exit 0, <add>, <dev>]\n";
    let (code, text) = run(SMALLEST, &manifest(veth), &[], "");
    assert_eq!(code, 1, "{text}");
}

#[test]
fn a_deviation_that_is_listed_fails_no_run_and_one_that_is_gone_does() {
    let listed = "deviations:\n  - {scenario: it, reason: it does nothing}\n";
    let broken = format!("  veth: [sh, -c, exit 1, <add>, <peer>]\n{listed}");
    let (code, text) = run(SMALLEST, &manifest(&broken), &[], "");
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("XFAIL") && text.contains("known: it does nothing"),
        "{text}"
    );
    assert!(text.contains("0 pass, 1 xfail"), "{text}");

    // A failure that is not the known one is nobody's expectation.
    let saw = |text: &str| {
        broken.replace(
            "reason: it",
            &format!("saw: {text}, link: here, reason: it"),
        )
    };
    let (code, text) = run(SMALLEST, &manifest(&saw("Input/output error")), &[], "");
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("see here"), "{text}");
    let (code, text) = run(SMALLEST, &manifest(&saw("No such device")), &[], "");
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("FAIL") && text.contains("listed as failing otherwise: it does nothing"),
        "{text}"
    );

    let (code, text) = run(NOTHING_DONE, &manifest(""), &[], "");
    assert_eq!(code, 0, "{text}");
    let (code, text) = run(NOTHING_DONE, &manifest(listed), &["--format", "json"], "");
    assert_eq!(code, 1, "{text}");
    let event = "\"verdict\":\"xpass\",\"deviation\":\"it does nothing\"";
    assert!(text.contains(event), "{text}");
    let (code, text) = run(NOTHING_DONE, &manifest(listed), &[], "");
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("listed as failing: it does nothing"),
        "{text}"
    );
    // What cannot be done is not what was listed.
    let (code, text) = run(SMALLEST, &manifest(listed), &[], "");
    assert_eq!(code, 3, "{text}");
}

#[test]
fn the_events_name_the_implementation() {
    let (code, text) = run(NOTHING_DONE, &manifest(""), &["--format", "json"], "");
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("\"implementation\":\"mine\""), "{text}");
}

#[rstest]
#[case::misspelt("busibox", "no-such-implementation", "did you mean `busybox`?")]
#[case::unknown("kubernetes", "no-such-implementation", "native, iproute2-iptables")]
#[case::wrong(
    "fixtures/manifests/unknown-verb.yaml",
    "unknown-key",
    "did you mean `up`?"
)]
#[case::no_file("fixtures", "file-is-directory", "one manifest file")]
#[case::a_scenario("fixtures/readme/router.yaml", "unknown-key", "name, about")]
fn what_is_no_implementation_is_2(
    #[case] name: &str,
    #[case] id: &str,
    #[case] help: &str,
    #[values("run", "implementations")] verb: &str,
) {
    let arguments = match verb {
        "run" => vec!["run", "--implementation", name, "tutorials/gateway"],
        _ => vec![verb, name],
    };
    let (code, text) = netproof(&arguments);
    assert_eq!(code, 2, "{text}");
    assert!(
        text.contains(&format!("error[{id}]")) && text.contains(help),
        "{text}"
    );
    assert!(!text.contains("PASS"), "{text}");
}

#[test]
fn the_list_has_every_implementation_and_its_version() {
    let (code, text) = netproof(&["implementations", "--format", "json"]);
    assert_eq!(code, 0, "{text}");
    let names: Vec<String> = text
        .lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let version = line["version"].as_str().unwrap_or("0");
            assert!(version.contains(|c: char| c.is_ascii_digit()), "{line}");
            line["implementation"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(names, Choice::names().collect::<Vec<_>>());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.yaml");
    fs::write(&file, manifest("").replace(", no-such-program", "")).unwrap();
    let (code, text) = netproof(&["implementations", file.to_str().unwrap()]);
    assert_eq!(
        (code, text.as_str()),
        (0, "mine  nothing at all\n      mine 1.0\n")
    );
    fs::write(&file, manifest("")).unwrap();
    let (code, text) = netproof(&["implementations", file.to_str().unwrap()]);
    assert_eq!(code, 0);
    assert!(text.ends_with("missing: no-such-program\n"), "{text}");
}
