//! Adapters of a few lines of shell: what they are asked, and what their answers come to in the matrix.

use std::fs;
use std::path::Path;
use std::process::Command;

use rstest::rstest;
use serde_json::Value;

use super::{conformance, said};

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
pub(super) fn answers(folder: &Path, name: &str, otherwise: &str) -> String {
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
