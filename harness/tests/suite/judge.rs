//! `netproof judge`: a command builds the network, and what is there then is judged. No case needs a
//! network tool; those with real scripts are among the scenarios.

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

#[test]
fn what_there_is_no_room_for_is_counted() {
    let output = judge_script(&format!("{FORWARD}; head -c 70000 /dev/zero | tr '\\0' x"));
    assert_eq!(output.status.code(), Some(0));
    let left_out = "note: 4464 bytes of what the command said are left out\n";
    assert_eq!(text(&output.stderr), left_out);
}

#[test]
fn the_command_has_the_folder_of_its_user_and_nothing_else_of_it() {
    let script = format!(
        "{FORWARD}; pwd; cat; env | grep -Ev '^(PWD|SHLVL|_)=' | sort; ls /run/netns | tr '\\n' ' '"
    );
    let output = judge_script(&script);
    let stdout = text(&output.stdout);
    let said: Vec<&str> = stdout.lines().take(5).collect();
    let here = std::fs::canonicalize(ROOT).unwrap();
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
    std::fs::write(&file, text_of).unwrap();
    let output = judge(&[file.to_str().unwrap(), "--", "true"]);
    let report = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{report}");
    assert!(report.contains("ip netns add b"), "{report}");
    assert!(
        report.contains("the network namespace `b` was not made"),
        "{report}"
    );
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
