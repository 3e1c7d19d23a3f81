//! The matrix from the command line: its report, what may not be absent, and what it says of mistakes.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use rstest::rstest;
use serde_json::Value;

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
}

/// Writes an adapter of a few lines of shell, which has the request in `$request`.
fn adapter(folder: &Path, name: &str, lines: &str) -> String {
    use std::os::unix::fs::PermissionsExt as _;

    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\nread -r request\n{lines}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    format!("exec:{}", path.display())
}

fn cell_of(adapter: &str, scenario: &str) -> Value {
    let arguments = ["--format", "json", "--adapter", adapter, scenario];
    let (_, text, errors) = said(&conformance(&arguments).output().unwrap());
    let last = text.lines().last().ok_or(errors).unwrap();
    serde_json::from_str(last).unwrap()
}

#[rstest]
#[case::binary(
    r#""binaries":["no-such-program"]"#,
    "there is no program `no-such-program`"
)]
#[case::device(
    r#""devices":["/dev/nope"]"#,
    "needs `/dev/nope`, which is not in this world"
)]
#[case::tier(r#""tier":"root""#, "`--tier root` makes the other")]
fn what_an_adapter_needs_and_does_not_find_is_unsupported(
    #[case] requires: &str,
    #[case] reason: &str,
) {
    let folder = tempfile::tempdir().unwrap();
    let reply = format!(
        r#"{{"seq":1,"ok":true,"hello":{{"protocol":1,"name":"x","version":"7","requires":{{{requires}}}}}}}"#
    );
    let adapter = adapter(folder.path(), "needs.sh", &format!("echo '{reply}'"));
    let cell = cell_of(&adapter, "containers/two-endpoints");
    assert_eq!(cell["verdict"], "unsupported", "{cell}");
    assert_eq!(cell["version"], "7", "it has said who it is");
    assert!(cell["reason"].as_str().unwrap().contains(reason), "{cell}");
}

/// Says who it is, and has another answer for everything else.
fn answers(folder: &Path, name: &str, otherwise: &str) -> String {
    let hello = r#"'{"seq":1,"ok":true,"hello":{"protocol":1,"name":"x","version":"1"}}'"#;
    let lines = format!("case $request in *hello*) echo {hello} ;; *) {otherwise} ;; esac");
    adapter(folder, name, &lines)
}

const LACKS: &str =
    r#"echo '{"seq":2,"unsupported":{"feature":"network.gateway","reason":"not here"}}'"#;

#[rstest]
#[case::a_crash_is_no_refusal("exit 1", "containers/gateway-outside", "error")]
#[case::what_is_not_done_is_not_refused(LACKS, "containers/gateway-outside", "unsupported")]
fn only_a_refusal_is_one(#[case] answer: &str, #[case] scenario: &str, #[case] verdict: &str) {
    let folder = tempfile::tempdir().unwrap();
    let cell = cell_of(&answers(folder.path(), "x.sh", answer), scenario);
    assert_eq!(cell["verdict"], verdict, "{cell}");
}

#[test]
fn what_an_adapter_says_beside_its_refusal_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let refused =
        r#"echo '{"seq":2,"error":{"code":"nft","message":"no","stderr":"line 1:\\n  ^^^"}}'"#;
    let cell = cell_of(
        &answers(folder.path(), "x.sh", refused),
        "containers/gateway",
    );
    let reason = cell["reason"].as_str().unwrap();
    assert!(reason.ends_with("nft: no\nline 1:\n  ^^^"), "{reason:?}");
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

#[test]
fn a_crash_where_nothing_is_asked_is_red() {
    let folder = tempfile::tempdir().unwrap();
    let adapter = answers(folder.path(), "x.sh", "exit 1");
    let arguments = ["--adapter", &adapter, "containers/ttl"];
    let (code, text, errors) = said(&conformance(&arguments).output().unwrap());
    assert_eq!(code, Some(1), "{text}{errors}");
    assert!(text.contains("1 cell: 1 error; 1 red"), "{text}");
}

/// A network that nothing is asked of but to be made, in words of its own, beside a wire of the host.
const BESIDE_A_WIRE: &str = "
title: it
requirement: REQUIREMENT
nodes: [host, c1, outside]
given:
  - veth: {add: host/up0, peer: outside/eth0}
  - address: {add: 203.0.113.1/24, dev: host/up0}
  - up: host/up0
steps:
  - name: s
    observe:
      - network: {add: n1, subnet: 10.10.0.0/24}
    expect:
      - addresses: {in: host, only: up0, have: [\"up0: 203.0.113.1/24 scope global\"]}
";

fn beside_a_wire(requirement: &str, answer: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("it.yaml");
    fs::write(&file, BESIDE_A_WIRE.replace("REQUIREMENT", requirement)).unwrap();
    let adapter = answers(folder.path(), "x.sh", answer);
    cell_of(&adapter, file.to_str().unwrap())
}

#[test]
fn a_crash_is_no_information() {
    let cell = beside_a_wire("info", "exit 1");
    assert_eq!(cell["verdict"], "error", "{cell}");
}

#[test]
fn what_an_implementation_takes_away_of_the_host_counts() {
    let done =
        r#"echo "{\"seq\":$(echo "$request" | sed 's/.*"seq":\([0-9]*\).*/\1/'),\"ok\":true}""#;
    let cell = beside_a_wire("must", done);
    assert_eq!(cell["verdict"], "pass", "{cell}");
    let takes =
        format!("case $request in *network-delete*) ip address flush dev up0 ;; esac; {done}");
    let cell = beside_a_wire("must", &takes);
    assert_eq!(cell["verdict"], "fail", "{cell}");
    let reason = cell["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("taken away: addresses in host: up0: 203.0.113.1/24"),
        "{reason}"
    );
}

#[rstest]
#[case::gateway("gateway", "containers/gateway", "unsupported")]
#[case::no_gateway("gateway", "containers/two-endpoints", "error")]
#[case::masquerade("masquerade", "containers/egress-untranslated", "unsupported")]
#[case::no_masquerade("masquerade", "containers/gateway", "error")]
fn an_adapter_is_told_what_the_scenario_asks_for(
    #[case] asked: &str,
    #[case] scenario: &str,
    #[case] verdict: &str,
) {
    let folder = tempfile::tempdir().unwrap();
    let answer =
        format!("case $request in *'\"asked\":[\"{asked}\"]'*) {LACKS} ;; *) exit 1 ;; esac");
    let cell = cell_of(&answers(folder.path(), "x.sh", &answer), scenario);
    assert_eq!(cell["verdict"], verdict, "{cell}");
}

#[rstest]
#[case::a_file(r#"\"/tmp/it/own\""#, "pass")]
#[case::a_folder(r#"\"/run/x\",\"/tmp/it\""#, "pass")]
#[case::nothing("", "fail")]
#[case::elsewhere(r#"\"/tmp/it/ow\",\"/tmp/its\""#, "fail")]
fn an_adapter_may_write_where_it_says_that_it_does(#[case] says: &str, #[case] verdict: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("it.yaml");
    fs::write(&file, BESIDE_A_WIRE.replace("REQUIREMENT", "must")).unwrap();
    let done =
        r#"echo "{\"seq\":$(echo "$request" | sed 's/.*"seq":\([0-9]*\).*/\1/'),\"ok\":true"#;
    let hello = format!(
        r#",\"hello\":{{\"protocol\":1,\"name\":\"x\",\"version\":\"1\",\"requires\":{{\"writes\":[{says}]}}}}"#
    );
    let lines = format!(
        "case $request in *hello*) {done}{hello}}}\" ;;\n\
         *) mkdir -p /tmp/it && echo x >/tmp/it/own && {done}}}\" ;; esac"
    );
    let adapter = adapter(folder.path(), "x.sh", &lines);
    let cell = cell_of(&adapter, file.to_str().unwrap());
    assert_eq!(cell["verdict"], verdict, "{cell}");
    if verdict == "fail" {
        let reason = "written outside of /run/netproof: /tmp/it/own";
        assert_eq!(cell["reason"], reason);
    }
}
