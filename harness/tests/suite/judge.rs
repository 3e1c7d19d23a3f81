//! `netproof judge`: a command builds the network, and what is there then is judged. No case needs a
//! network tool; those with real scripts are among the scenarios.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use netproof::run::SMALLEST;
use rstest::rstest;
use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const ROUTED: &str = "fixtures/readme/routed.yaml";
const FORWARD: &str = "echo 1 >/proc/sys/net/ipv4/ip_forward";

fn judge(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_netproof"))
        .arg("judge")
        .args(arguments)
        .env("NETPROOF_PCAP", "")
        .env("SECRET", "of the starter")
        .current_dir(ROOT)
        .output()
        .unwrap()
}

/// Judges what a script of the shell makes of the scenario of the README.
fn judge_script(script: &str) -> Output {
    judge(&[ROUTED, "--", "sh", "-c", script])
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_goal_that_is_reached_is_0_and_one_that_is_not_is_1_and_says_why() {
    let output = judge_script(FORWARD);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let output = judge_script("true");
    let report = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{report}");
    for part in [
        "step 1: The host is a router",
        "ping from database to 10.1.0.2",
        "lost after host/veth1",
        "forwarding-off",
        "sysctl -w net.ipv4.ip_forward=1",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
    assert!(!report.contains("exit code"), "{report}");
}

#[rstest]
#[case::code("exit 3", "exit code 3")]
#[case::signal("kill -9 $$", "killed by SIGKILL")]
fn a_command_that_fails_is_1_whatever_it_has_built(#[case] end: &str, #[case] how: &str) {
    let output = judge_script(&format!("{FORWARD}; {end}"));
    let report = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{report}");
    assert!(report.contains(how), "{report}");
    // It is judged nonetheless, and holds.
    assert!(report.contains("2 expectations"), "{report}");
    assert!(!report.contains("lost"), "{report}");
}

#[test]
fn what_the_command_says_is_shown_where_it_said_it() {
    let script = format!("{FORWARD}; echo aye; echo oh dear >&2");
    let output = judge_script(&script);
    assert!(text(&output.stdout).starts_with("aye\n"));
    assert_eq!(text(&output.stderr), "oh dear\n");

    let output = judge(&[ROUTED, "--format", "json", "--", "sh", "-c", &script]);
    assert_eq!(text(&output.stderr), "");
    let stdout = text(&output.stdout);
    let events: Vec<Value> = stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let command = events.iter().find(|it| it["event"] == "command").unwrap();
    assert_eq!(command["stdout"], "aye\n");
    assert_eq!(command["stderr"], "oh dear\n");
    assert_eq!(
        (&command["code"], &command["verdict"]),
        (&0.into(), &"pass".into())
    );
    assert_eq!(events.last().unwrap()["event"], "summary");
}

#[test]
fn the_report_begins_a_line_of_its_own() {
    let output = judge_script(&format!("{FORWARD}; printf begun; printf oh >&2"));
    let (said, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(said.starts_with("begun\n"), "{said}");
    assert_eq!(errors, "oh\n");
}

#[rstest]
#[case::of_its_output("long", 4464)]
#[case::of_its_errors("long >&2", 4464)]
#[case::of_both("long; long >&2", 8928)]
fn what_there_is_no_room_for_is_counted(#[case] says: &str, #[case] bytes: usize) {
    let long = "long() { head -c 70000 /dev/zero | tr '\\0' x; }";
    let output = judge_script(&format!("{FORWARD}; {long}; {says}"));
    assert_eq!(output.status.code(), Some(0));
    let left_out = format!("note: {bytes} bytes of what the command said are left out\n");
    let said = text(&output.stderr);
    assert_eq!(said.trim_start_matches(['x', '\n']), left_out);
}

#[test]
fn the_command_has_the_folder_of_its_user_and_nothing_else_of_it() {
    let script = format!(
        "{FORWARD}; pwd; cat; env | grep -Ev '^(PWD|SHLVL|_)=' | sort; ls /run/netns | tr '\\n' ' '"
    );
    let output = judge_script(&script);
    let stdout = text(&output.stdout);
    let said: Vec<&str> = stdout.lines().take(5).collect();
    let here = fs::canonicalize(ROOT).unwrap();
    assert_eq!(said[0], here.to_str().unwrap());
    assert_eq!(said[1], "LC_ALL=C");
    assert_eq!(said[2], "NETPROOF_NODES=host web database");
    assert!(said[3].starts_with("PATH=/usr/local/sbin:"));
    assert!(said[4].starts_with("database web "), "{stdout}");
}

#[test]
fn a_server_that_the_command_leaves_running_does_not_hold_anybody_up() {
    let begun = std::time::Instant::now();
    let output = judge_script(&format!("{FORWARD}; sleep 1000 &"));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(begun.elapsed().as_secs() < 60);
}

#[test]
fn a_node_that_was_not_made_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("late.yaml");
    let text_of = SMALLEST
        .replace("nodes: [a, b]", "nodes: [a]")
        .replace("    do:\n", "    do:\n      - netns: {add: b}\n");
    fs::write(&file, text_of).unwrap();
    let output = judge(&[file.to_str().unwrap(), "--", "true"]);
    let report = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{report}");
    assert!(report.contains("ip netns add b"), "{report}");
    assert!(
        report.contains("the network namespace `b` was not made"),
        "{report}"
    );
}

#[test]
fn a_node_that_is_gone_is_told_and_has_no_table() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("it.yaml");
    let routed = fs::read_to_string(Path::new(ROOT).join(ROUTED)).unwrap();
    let table = "      - routes: {in: database, only: nothing, are: []}\n";
    fs::write(&file, routed + table).unwrap();
    let delete = "umount /run/netns/database && rm /run/netns/database";
    let script = format!("{FORWARD}; {delete}");
    let output = judge(&[file.to_str().unwrap(), "--", "sh", "-c", &script]);
    let report = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{report}");
    let gone = "the network namespace `database` was there, and is gone";
    assert!(report.contains(gone), "{report}{}", text(&output.stderr));
    // A server of the scenario is in there, of which nothing is asked besides.
    assert_eq!(report.matches("expected  done").count(), 1, "{report}");
    // That nothing is in its table would be right of a node that is there.
    assert!(report.contains("routes in database"), "{report}");
}

/// A scenario in which each step expects something else of the same port.
fn in_two_steps(folder: &Path) -> PathBuf {
    let routed = fs::read_to_string(Path::new(ROOT).join(ROUTED)).unwrap();
    let (given, step) = routed.split_once("steps:\n").unwrap();
    let served_twice = "      - listen: {in: database, udp: 53}\n      - listen: {in: database, udp: 53}\n        \
                        fails: Address already in use\n";
    let file = folder.join("two.yaml");
    let first = "  - name: Nobody listens\n    expect:\n      \
                 - tcp: {from: host, to: 10.2.0.2, port: 5432}\n        \
                 rejected: {how: port-unreachable, by: database}\n";
    let step = step.replace("    expect:\n", &format!("{served_twice}    expect:\n"));
    fs::write(&file, format!("{given}steps:\n{first}{step}")).unwrap();
    file
}

#[rstest]
#[case::the_last_unless_said_otherwise(&[], FORWARD, 0)]
#[case::the_last_is_not_reached(&[], "true", 1)]
#[case::the_first(&["--step", "1"], "true", 0)]
#[case::the_second(&["--step", "2"], FORWARD, 0)]
fn one_step_is_judged_with_the_servers_that_it_has(
    #[case] more: &[&str],
    #[case] script: &str,
    #[case] code: i32,
) {
    let folder = tempfile::tempdir().unwrap();
    let file = in_two_steps(folder.path());
    let command = ["--", "sh", "-c", script];
    let output = judge(&[&[file.to_str().unwrap()], more, &command].concat());
    assert_eq!(output.status.code(), Some(code), "{}", text(&output.stdout));
}

#[test]
fn a_snapshot_is_compared_where_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("it.yaml");
    let routed = fs::read_to_string(Path::new(ROOT).join(ROUTED)).unwrap();
    fs::write(&file, format!("{routed}    snapshot: [routes]\n")).unwrap();
    let file = file.to_str().unwrap();
    let judged = |more: &[&str]| {
        let output = judge(&[&[file], more, &["--", "sh", "-c", FORWARD]].concat());
        (output.status.code(), text(&output.stdout))
    };
    let (code, report) = judged(&["--snapshot"]);
    assert_eq!(code, Some(1), "{report}");
    assert!(report.contains("no recorded snapshot"), "{report}");
    let (code, report) = judged(&[]);
    assert_eq!(code, Some(0), "{report}");

    let recorded = folder.path().join("snapshots/it__1.snap");
    let accepted = Command::new(env!("CARGO_BIN_EXE_netproof"))
        .args(["run", "--accept", file])
        .output()
        .unwrap();
    assert_eq!(accepted.status.code(), Some(0));
    let (code, report) = judged(&["--snapshot"]);
    assert_eq!(code, Some(0), "{report}");
    assert!(report.contains("1 snapshot,"), "{report}");
    let facts = fs::read_to_string(&recorded).unwrap();
    fs::write(&recorded, facts.replace("via 10.1.0.1", "via 10.1.0.9")).unwrap();
    let (code, report) = judged(&["--snapshot"]);
    assert_eq!(code, Some(1), "{report}");
    assert!(report.contains("+  default via 10.1.0.1"), "{report}");
}

#[rstest]
#[case::no_command(&[ROUTED], "<COMMAND>")]
#[case::nothing_behind(&[ROUTED, "--"], "<COMMAND>")]
#[case::scenario(&["tutorials/gatewya", "--", "true"], "did you mean `tutorials/gateway`?")]
#[case::several(&["tutorials", "--", "true"], "error[several-scenarios]")]
#[case::step(&[ROUTED, "--step", "2", "--", "true"], "error[no-such-step]")]
#[case::step_0(&[ROUTED, "--step", "0", "--", "true"], "error[no-such-step]")]
#[case::program(&[ROUTED, "--", "no-such-program"], "error[no-such-program]: `no-such-program` cannot be run: No such file or directory")]
#[case::no_program(&[ROUTED, "--", "fixtures/readme/forward.sh"], "error[no-such-program]")]
#[case::nothing(&["concepts/bridge-options", "--", "true"], "error[nothing-to-judge]")]
fn a_mistake_is_2_and_says_what_would_be_right(#[case] arguments: &[&str], #[case] says: &str) {
    let output = judge(arguments);
    let complaint = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{complaint}");
    assert!(output.stdout.is_empty());
    assert!(complaint.contains(says), "{complaint}");
}

#[test]
fn packets_are_written_where_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().to_str().unwrap();
    let output = judge(&[ROUTED, "--pcap", to, "--", "sh", "-c", FORWARD]);
    assert_eq!(output.status.code(), Some(0));
    assert!(folder.path().join("routed.pcapng").is_file());
}

#[test]
fn packets_that_cannot_be_written_are_2() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("routed.pcapng")).unwrap();
    let to = folder.path().to_str().unwrap();
    let output = judge(&[ROUTED, "--pcap", to, "--", "sh", "-c", FORWARD]);
    let complaint = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{complaint}");
    assert!(
        complaint.contains("error: cannot write packets to"),
        "{complaint}"
    );
}

#[rstest]
#[case::human(&[])]
#[case::json(&["--format", "json"])]
fn what_cannot_be_shown_is_3(#[case] format: &[&str]) {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let script = format!("{FORWARD}; echo aye");
    let output = Command::new(env!("CARGO_BIN_EXE_netproof"))
        .args([&["judge", ROUTED], format, &["--", "sh", "-c", &script]].concat())
        .env("NETPROOF_PCAP", "")
        .current_dir(ROOT)
        .stdout(full)
        .output()
        .unwrap();
    let complaint = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{complaint}");
    assert!(complaint.contains("No space left on device"), "{complaint}");
}

#[test]
fn a_script_for_judge_runs_nowhere_else() {
    let shown = Command::new(env!("CARGO_BIN_EXE_netproof"))
        .args(["show", "--goal", ROUTED])
        .current_dir(ROOT)
        .output()
        .unwrap();
    let script = text(&shown.stdout);
    assert!(script.contains("\n# netproof's own: "), "{script}");
    assert!(!script.contains("\nip netns add"), "{script}");
    let ran = Command::new("/bin/sh")
        .args(["-c", &script, "goal"])
        .env_remove("NETPROOF_NODES")
        .env("PATH", "/nowhere")
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(1));
    let said = text(&ran.stderr);
    assert_eq!(
        said,
        "goal: this is no world of netproof: run it as its first lines say\n"
    );
}
