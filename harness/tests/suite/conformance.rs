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

/// What an adapter is asked, quoted in its refusal; `asked` is a part of the request that it refuses.
fn quoted(asked: &str, scenario: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("it.yaml");
    fs::write(&file, scenario).unwrap();
    let seq = r#"seq=$(echo "$request" | sed 's/.*"seq":\([0-9]*\).*/\1/')"#;
    let refuse = r#"said=$(echo "$request" | tr '"' "'")
echo "{\"seq\":$seq,\"error\":{\"code\":\"x\",\"message\":\"$said\"}}""#;
    let answer = format!(
        "{seq}\ncase $request in *{asked}*) {refuse} ;;\n*) echo \"{{\\\"seq\\\":$seq,\\\"ok\\\":true}}\" ;; esac"
    );
    let adapter = answers(folder.path(), "x.sh", &answer);
    let cell = cell_of(&adapter, file.to_str().unwrap());
    cell["reason"].as_str().unwrap().to_owned()
}

#[rstest]
#[case::plain("", &["'masquerade':false", "'internal':false", "'gateway':'10.10.0.1'"], "'mtu'")]
#[case::to_the_outside(
    ", mtu: 1400, masquerade: true, gateway: 10.10.0.9",
    &["'masquerade':true", "'internal':false", "'mtu':1400", "'gateway':'10.10.0.9'"],
    "10.10.0.1'"
)]
#[case::apart(", internal: true", &["'masquerade':false", "'internal':true"], "'mtu'")]
fn all_that_is_said_of_a_network_is_asked(
    #[case] more: &str,
    #[case] parts: &[&str],
    #[case] without: &str,
) {
    let scenario = format!(
        "title: t\nrequirement: must\nnodes: [host]\nsteps:\n  - name: s\n    do:\n      \
         - network: {{add: n1, subnet: 10.10.0.0/24{more}}}\n"
    );
    let asked = quoted("network", &scenario);
    for part in parts {
        assert!(asked.contains(part), "{part}: {asked}");
    }
    assert!(!asked.contains(without), "{asked}");
}

#[rstest]
#[case::plain("", &["'ifname':'eth0'", "'netns':'/run/netns/c1'"], "'address'")]
#[case::all(
    ", address: 10.10.0.9, as: net0, publish: [{protocol: tcp, address: 203.0.113.1, port: 8080, to: 80}]",
    &[
        "'ifname':'net0'",
        "'address':'10.10.0.9'",
        "'publish':[{'protocol':'tcp','address':'203.0.113.1','port':8080,'to':80}]",
    ],
    "eth0"
)]
fn all_that_is_said_of_an_endpoint_is_asked(
    #[case] more: &str,
    #[case] parts: &[&str],
    #[case] without: &str,
) {
    let scenario = format!(
        "title: t\nrequirement: must\nnodes: [host, c1, outside]\ngiven:\n  \
         - veth: {{add: host/up0, peer: outside/up0}}\n  \
         - address: {{add: 203.0.113.1/24, dev: host/up0}}\nsteps:\n  - name: s\n    do:\n      \
         - network: {{add: n1, subnet: 10.10.0.0/24}}\n      - attach: {{node: c1, to: n1{more}}}\n"
    );
    let asked = quoted("attach", &scenario);
    for part in parts {
        assert!(asked.contains(part), "{part}: {asked}");
    }
    assert!(!asked.contains(without), "{asked}");
}

#[test]
fn of_two_that_are_refused_the_first_is_told() {
    let reason = quoted(
        "attach",
        "title: t\nrequirement: must\nnodes: [host, c1, c2]\nsteps:\n  - name: s\n    do:\n      \
         - network: {add: n1, subnet: 10.10.0.0/24}\n      - attach: {nodes: [c1, c2], to: n1}\n",
    );
    assert!(reason.contains("'id':'c1'"), "{reason}");
}

#[test]
fn what_is_left_of_a_network_that_is_gone_is_detached_from_it() {
    let asked = quoted(
        "detach",
        "title: t\nrequirement: info\nnodes: [host, c1]\nsteps:\n  - name: s\n    observe:\n      \
         - network: {add: n1, subnet: 10.10.0.0/24}\n      - attach: {node: c1, to: n1}\n      \
         - network: {delete: n1}\n",
    );
    for part in ["'op':'detach'", "'id':'c1'", "'network':{'id':'n1'"] {
        assert!(asked.contains(part), "{part}: {asked}");
    }
}

#[test]
fn who_was_attached_beside_one_that_was_refused_is_detached() {
    let asked = quoted(
        r#"'"op":"attach","endpoint":{"id":"c1"'*|*detach"#,
        "title: t\nrequirement: info\nnodes: [host, c1, c2]\nsteps:\n  - name: s\n    observe:\n      \
         - network: {add: n1, subnet: 10.10.0.0/24}\n      - attach: {nodes: [c1, c2], to: n1}\n",
    );
    for part in ["'op':'detach'", "'id':'c2'"] {
        assert!(asked.contains(part), "{part}: {asked}");
    }
}

#[test]
fn who_ends_its_own_world_is_1() {
    let folder = tempfile::tempdir().unwrap();
    // It is a child of the one that runs the scenario.
    let adapter = answers(folder.path(), "x.sh", "kill -9 $PPID");
    let arguments = ["--adapter", &adapter, "containers/gateway"];
    let (code, text, errors) = said(&conformance(&arguments).output().unwrap());
    assert_eq!(code, Some(1), "{text}{errors}");
    let why = "netproof's own process in this world was killed by SIGKILL";
    assert!(text.contains(why), "{text}");
}

const SKIPPED: &str = r#"echo '{"seq":2,"skipped":{"message":"not today"}}'"#;

#[rstest]
#[case::must("must", SKIPPED, "skipped")]
#[case::info("info", SKIPPED, "pass")]
#[case::not_done("must", LACKS, "unsupported")]
#[case::not_done_where_nothing_is_asked("info", LACKS, "pass")]
fn what_is_left_out_is_an_answer_only_where_nothing_is_asked(
    #[case] requirement: &str,
    #[case] answer: &str,
    #[case] verdict: &str,
) {
    let cell = beside_a_wire(requirement, answer);
    assert_eq!(cell["verdict"], verdict, "{cell}");
    let told = cell["observed"].to_string() + &cell["reason"].to_string();
    assert!(
        told.contains("not today") || told.contains("not here"),
        "{cell}"
    );
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

#[rstest]
#[case::refused(r#"echo '{"seq":2,"error":{"code":"x","message":"no"}}'"#, true)]
#[case::broken_off("exit 1", false)]
fn what_failed_is_looked_after_all_the_same(#[case] answer: &str, #[case] parts: bool) {
    let folder = tempfile::tempdir().unwrap();
    let hello = r#"'{"seq":1,"ok":true,"hello":{"protocol":1,"name":"x","version":"1"}}'"#;
    let lines = format!(
        "echo {hello}\nread -r request\necho x >/tmp/own\n{answer}\nread -r request\n\
         echo '{{\"seq\":3,\"ok\":true}}'\nexit 3"
    );
    let path = adapter(folder.path(), "x.sh", &lines).replace("exec:", "serve:");
    let output = Command::new(env!("CARGO_BIN_EXE_netproof"))
        .args(["run", "containers/gateway", "--format", "json"])
        .args(["--implementation", &path])
        .env("NETPROOF_PCAP", "")
        .output();
    let (code, text, errors) = said(&output.unwrap());
    assert_eq!(code, Some(1), "{text}{errors}");
    let written = "\"files\":[\"/tmp/own\"]";
    assert!(text.contains(written), "{text}");
    let parted = "it ended with status 3 after `bye`";
    assert_eq!(text.contains(parted), parts, "{text}");
}
