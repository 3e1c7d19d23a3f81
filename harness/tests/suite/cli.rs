//! The program as its user meets it: exit codes, messages, and JSON lines.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

// A scenario that passes, in a moment.
use netproof::run::SMALLEST as RIGHT;
use rstest::rstest;
use serde_json::Value;

fn netproof() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netproof"));
    command.stdin(Stdio::null()).env("NETPROOF_PCAP", "");
    command
}

/// Runs the scenario in a folder of its own, which has no other file.
fn run(scenario: &str, change: impl FnOnce(&mut Command)) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scenario.yaml");
    fs::write(&file, scenario).unwrap();
    let mut command = netproof();
    command.arg("run").arg(&file);
    change(&mut command);
    command.output().unwrap()
}

#[track_caller]
fn assert_code(output: &Output, code: i32) -> String {
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

fn json_lines(output: &Output) -> Vec<Value> {
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_pass_is_0() {
    assert_code(&run(RIGHT, |_| {}), 0);
}

#[rstest]
#[case::ttl("ttl: 64", "ttl: 63", "63", "64")]
#[case::fate(
    "reply: {ttl: 64}",
    "lost: {after: b/eth0}",
    "lost after b/eth0",
    "reply ttl 64"
)]
#[case::address("to: 10.0.0.2", "to: 10.0.0.3", "reply ttl 64", "lost after a")]
fn a_wrong_expectation_is_1_and_says_what_was_seen(
    #[case] right: &str,
    #[case] wrong: &str,
    #[case] expected: &str,
    #[case] seen: &str,
) {
    let text = assert_code(&run(&RIGHT.replace(right, wrong), |_| {}), 1);
    assert!(
        text.contains("expected") && text.contains(expected),
        "{text}"
    );
    assert!(text.contains("saw") && text.contains(seen), "{text}");
}

#[test]
fn a_refused_operation_is_1_and_says_what_the_kernel_said() {
    let text = assert_code(&run(&RIGHT.replace("up: b/eth0", "up: b/eth1"), |_| {}), 1);
    assert!(
        text.contains("ip -n b link set eth1 up") && text.contains("No such device"),
        "{text}"
    );
}

#[test]
fn a_snapshot_that_was_never_recorded_is_1() {
    let text = assert_code(&run(&format!("{RIGHT}    snapshot: [routes]\n"), |_| {}), 1);
    assert!(text.contains("no recorded snapshot"), "{text}");
}

#[test]
fn an_accepted_snapshot_is_compared_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wire.yaml");
    fs::write(&file, format!("{RIGHT}    snapshot: [routes]\n")).unwrap();
    assert_code(
        &netproof()
            .arg("run")
            .arg(&file)
            .arg("--accept")
            .output()
            .unwrap(),
        0,
    );
    assert_code(&netproof().arg("run").arg(&file).output().unwrap(), 0);
    let recorded = folder.path().join("snapshots/wire__1.snap");
    let text = fs::read_to_string(&recorded).unwrap();
    assert!(
        text.contains("10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1"),
        "{text}"
    );
    fs::write(&recorded, text.replace("src 10.0.0.1", "src 10.0.0.9")).unwrap();
    let text = assert_code(&netproof().arg("run").arg(&file).output().unwrap(), 1);
    assert!(
        text.contains("src 10.0.0.9") && text.contains("src 10.0.0.1"),
        "{text}"
    );
}

#[test]
fn a_scenario_that_fails_is_not_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wire.yaml");
    let wrong = RIGHT.replace("ttl: 64", "ttl: 63");
    fs::write(&file, format!("{wrong}    snapshot: [routes]\n")).unwrap();
    let text = assert_code(
        &netproof()
            .arg("run")
            .arg(&file)
            .arg("--accept")
            .output()
            .unwrap(),
        1,
    );
    assert!(text.contains("did not pass"), "{text}");
    assert!(!folder.path().join("snapshots").exists());
}

#[test]
fn a_port_that_a_server_has_is_not_sent_from() {
    let wrong = RIGHT
        .replace(
            "    expect:",
            "      - listen: {in: a, udp: 4000}\n    expect:",
        )
        .replace(
            "ping: {from: a, to: 10.0.0.2}",
            "udp: {from: a, to: 10.0.0.2, port: 53, from-port: 4000}",
        );
    let text = assert_code(&run(&wrong, |_| {}), 1);
    let says = "`a` cannot send from port 4000: a socket of its own has it";
    assert!(text.contains(says), "{text}");
}

#[rstest]
#[case::arp("arp: {from: a/eth9, to: 10.0.0.2}", "no interface `a/eth9`")]
#[case::not_seen("not-seen: [{on: b/eth9}]", "no such interface")]
fn an_interface_that_is_not_there_proves_nothing(#[case] asks: &str, #[case] says: &str) {
    let scenario = if asks.starts_with("arp") {
        RIGHT
            .replace("ping: {from: a, to: 10.0.0.2}", asks)
            .replace("{ttl: 64}", "{}")
    } else {
        format!("{RIGHT}        {asks}\n")
    };
    let text = assert_code(&run(&scenario, |_| {}), 1);
    assert!(text.contains(says), "{text}");
}

#[rstest]
#[case::unknown_option(&["run", "--nonsense"], "--nonsense")]
#[case::no_verb(&[], "Usage")]
#[case::unknown_scenario(&["run", "tutorials/gatewy"], "did you mean `tutorials/gateway`?")]
#[case::other_ending(&["run", "fixtures/readme/routed.yml"], "did you mean `fixtures/readme/routed.yaml`?")]
#[case::missing_file(&["run", "/nonexistent/x.yaml"], "no file and no carried scenario")]
#[case::folder_without_scenarios(&["check", "/proc/self/fdinfo"], "error[")]
#[case::carried_accept(&["run", "--accept"], "cannot be recorded")]
fn a_wrong_command_line_is_2_and_says_so(#[case] arguments: &[&str], #[case] says: &str) {
    let text = assert_code(&netproof().args(arguments).output().unwrap(), 2);
    assert!(text.contains(says), "{text}");
}

#[test]
fn a_bad_scenario_is_2_and_nothing_runs() {
    let output = run(
        &RIGHT.replace("nodes: [a, b]", "nodes: [a, c]"),
        |command| {
            command.args(["--format", "json"]);
        },
    );
    let text = assert_code(&output, 2);
    assert!(
        text.contains("did you mean") || text.contains("`b`"),
        "{text}"
    );
    assert!(output.stdout.is_empty(), "{text}");
}

#[rstest]
#[case::pass("ttl: 64", 0, &["failures=\"0\""])]
#[case::fail("ttl: 63", 1, &["failures=\"1\"", "saw       ttl: 64"])]
fn a_run_is_reported_as_junit(#[case] ttl: &str, #[case] code: i32, #[case] says: &[&str]) {
    let output = run(&RIGHT.replace("ttl: 64", ttl), |command| {
        command.args(["--format", "junit"]);
    });
    let text = assert_code(&output, code);
    assert!(text.starts_with("<?xml"), "{text}");
    for part in says {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_file_that_is_named_twice_is_one_and_two_of_one_name_are_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["p", "q"] {
        fs::create_dir(folder.path().join(name)).unwrap();
        fs::write(folder.path().join(name).join("it.yaml"), RIGHT).unwrap();
    }
    let run = |files: &[&str]| {
        let mut command = netproof();
        command.arg("list").args(files).current_dir(folder.path());
        command.output().unwrap()
    };
    let text = assert_code(&run(&["p/it.yaml", "./p/../p/it.yaml"]), 0);
    assert_eq!(text.matches("it  ").count(), 1, "{text}");
    let text = assert_code(&run(&["p", "q"]), 2);
    let says = "error[same-name]: two scenarios are called `it`: p/it.yaml and q/it.yaml";
    assert!(text.contains(says), "{text}");
}

#[test]
fn one_bad_scenario_keeps_all_from_running() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("right.yaml"), RIGHT).unwrap();
    fs::write(folder.path().join("wrong.yaml"), "title: x\n").unwrap();
    let output = netproof().arg("run").arg(folder.path()).output().unwrap();
    assert_code(&output, 2);
    assert!(output.stdout.is_empty());
}

#[test]
fn a_machine_without_privileges_for_the_tier_is_3_and_says_what_mends_it() {
    let output = run(RIGHT, |command| {
        command.args(["--tier", "root"]);
        if nix::unistd::geteuid().is_root() {
            command.uid(65534).gid(65534);
        }
    });
    // The scenario's own folder is closed to the other user: then it is 2, and proves nothing.
    let output = if output.status.code() == Some(2) {
        let mut command = netproof();
        command
            .args(["run", "tutorials/veth-pair", "--tier", "root"])
            .uid(65534)
            .gid(65534);
        command.current_dir("/").output().unwrap()
    } else {
        output
    };
    let text = assert_code(&output, 3);
    assert!(
        text.contains("CAP_SYS_ADMIN") && text.contains("--tier root"),
        "{text}"
    );
}

#[test]
fn a_machine_with_too_few_descriptors_is_3_and_says_so() {
    let program = env!("CARGO_BIN_EXE_netproof");
    let output = Command::new("/bin/sh")
        .arg("-c")
        .arg(format!(
            "ulimit -n 20; exec {program} run tutorials/web-database --jobs 1"
        ))
        .output()
        .unwrap();
    let text = assert_code(&output, 3);
    assert!(
        text.contains("Too many open files") && text.contains("ulimit -n"),
        "{text}"
    );
}

#[test]
fn json_lines_end_with_a_summary_that_counts() {
    let output = netproof()
        .args([
            "run",
            "tutorials/web-database",
            "tutorials/veth-pair",
            "--format",
            "json",
        ])
        .output()
        .unwrap();
    assert_code(&output, 0);
    let events = json_lines(&output);
    assert!(events.iter().all(|event| event["event"].is_string()));
    let of = |kind: &str| events.iter().filter(|event| event["event"] == kind).count();
    let summary = events.last().unwrap();
    assert_eq!(summary["event"], "summary");
    let keys: Vec<&String> = summary.as_object().unwrap().keys().collect();
    let wanted = [
        "error",
        "event",
        "expectations",
        "fail",
        "pass",
        "scenarios",
        "skipped",
        "steps",
        "unsupported",
        "wall_ms",
        "xfail",
        "xpass",
    ];
    assert_eq!(keys, wanted);
    assert_eq!(
        (&summary["scenarios"], &summary["pass"]),
        (&2.into(), &2.into())
    );
    assert_eq!(summary["expectations"], of("expectation"));
    for probe in events.iter().filter(|event| event["event"] == "probe") {
        for key in [
            "scenario", "step", "from", "to", "fate", "after", "by", "cause", "attempts", "ms",
        ] {
            assert!(probe.get(key).is_some(), "{key} is missing in {probe}");
        }
        assert!(probe["attempts"].as_u64() >= Some(1));
    }
}

#[test]
fn a_reader_that_leaves_is_no_panic() {
    let mut child = netproof()
        .args(["run", "tutorials/veth-pair", "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_report_that_cannot_be_written_is_3_and_says_so() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = netproof()
        .args(["run", "tutorials/veth-pair"])
        .stdout(full)
        .output()
        .unwrap();
    let text = assert_code(&output, 3);
    assert!(text.contains("No space left on device"), "{text}");
}

#[test]
fn a_refusal_that_the_kernel_may_not_repeat_is_waited_for() {
    // A router without a route says so five times in a burst, and then once a second.
    let to = |last| {
        format!(
            "      - ping: {{from: web, to: 9.9.9.{last}}}\n        \
             rejected: {{how: network-unreachable, by: r}}\n"
        )
    };
    let scenario = format!(
        "title: A router that knows no way\nnodes: [web, r]\nsteps:\n  - name: Ask\n    do:\n{}    expect:\n{}",
        [
            "veth: {add: web/e0, peer: r/e0}",
            "address: {add: 10.0.0.2/24, dev: web/e0}",
            "address: {add: 10.0.0.1/24, dev: r/e0}",
            "up: web/e0",
            "up: r/e0",
            "route: {in: web, add: default, via: 10.0.0.1}",
            "sysctl: {in: r, key: net.ipv4.ip_forward, value: 1}",
        ]
        .map(|item| format!("      - {item}\n"))
        .concat(),
        (1..=7).map(to).collect::<String>(),
    );
    let text = assert_code(&run(&scenario, |_| {}), 0);
    assert!(
        text.contains("was sent 2 times") && text.contains("once a second"),
        "{text}"
    );
}

#[test]
fn a_matrix_that_could_fill_the_neighbour_table_is_refused_by_name() {
    let nodes: Vec<String> = (0..60).map(|at| format!("n{at}")).collect();
    let given: String = nodes
        .iter()
        .enumerate()
        .map(|(at, node)| {
            format!(
                "  - address: {{add: 10.0.0.{}/32, dev: {node}/lo}}\n",
                at + 1
            )
        })
        .collect();
    let scenario = format!(
        "title: Too many\nnodes: [{}]\ngiven:\n{given}steps:\n  - name: All to all\n    snapshot: [reachability]\n",
        nodes.join(", ")
    );
    let text = assert_code(&run(&scenario, |_| {}), 3);
    assert!(
        text.contains("gc_thresh2") && text.contains("60 nodes"),
        "{text}"
    );
}

#[test]
fn a_list_names_every_carried_scenario() {
    let output = netproof().arg("list").output().unwrap();
    let text = assert_code(&output, 0);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut files = 0;
    for folder in fs::read_dir(&root).unwrap() {
        let folder = folder.unwrap();
        for entry in fs::read_dir(folder.path()).unwrap() {
            let stem = entry.unwrap().path().with_extension("");
            let name = stem.strip_prefix(&root).unwrap().display().to_string();
            assert!(
                text.lines()
                    .any(|line| line.split_whitespace().next() == Some(&name)),
                "{name}"
            );
            files += 1;
        }
    }
    assert_eq!(text.lines().count(), files);
}

/// Writes scenarios that pass below a folder.
fn scenarios_below(folder: &Path, files: &[&str]) {
    for file in files {
        let file = folder.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, RIGHT).unwrap();
    }
}

fn listed(argument: &Path) -> Vec<String> {
    let output = netproof().arg("list").arg(argument).output().unwrap();
    let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
    assert_code(&output, 0).lines().filter_map(first).collect()
}

#[test]
fn a_folder_means_all_that_is_below_it_in_the_order_of_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("scenarios");
    let files = ["one/a.yaml", "b.yml", "deep/scenarios/c.yaml", "notes.txt"];
    scenarios_below(&root, &files);
    // The nearest folder `scenarios` is what a name begins below.
    assert_eq!(listed(&root), ["b", "c", "one/a"]);
    let elsewhere = folder.path().join("elsewhere");
    scenarios_below(&elsewhere, &["sub/d.yaml"]);
    assert_eq!(listed(&elsewhere), ["d"]);
}

#[test]
fn a_folder_of_carried_scenarios_is_named_in_full() {
    let whole = listed(Path::new("tutorials"));
    assert!(whole.iter().all(|name| name.starts_with("tutorials/")));
    assert_eq!(listed(Path::new("tutorials/")), whole);
    for part in ["tutorial", "tutorials/gate"] {
        let output = netproof().args(["list", part]).output().unwrap();
        let text = assert_code(&output, 2);
        assert!(text.contains("error[no-such-scenario]"), "{text}");
    }
}

#[test]
fn two_scenarios_of_one_name_are_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    scenarios_below(folder.path(), &["a/x.yaml", "b/x.yaml"]);
    let output = netproof().arg("run").arg(folder.path()).output().unwrap();
    let text = assert_code(&output, 2);
    assert!(text.contains("two scenarios are called `x`"), "{text}");
    assert!(output.stdout.is_empty(), "{text}");
}

#[test]
fn every_round_counts() {
    let output = run(RIGHT, |command| {
        command.args(["--repeat", "3", "--format", "json"]);
    });
    assert_code(&output, 0);
    let events = json_lines(&output);
    let summary = events.last().unwrap();
    assert_eq!(
        (&summary["scenarios"], &summary["pass"]),
        (&3.into(), &3.into())
    );
}

#[test]
fn what_is_accepted_goes_where_it_is_said_and_takes_only_its_own_away() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wire.yaml");
    fs::write(&file, format!("{RIGHT}    snapshot: [routes]\n")).unwrap();
    let there = folder.path().join("there");
    fs::create_dir(&there).unwrap();
    let stale = ["wire__7.snap", "wire__x__1.snap", "wire__7.txt"];
    for name in stale {
        fs::write(there.join(name), "old").unwrap();
    }
    let tried = |arguments: &[&str]| {
        let mut command = netproof();
        command.arg("run").arg(&file).args(arguments);
        command.output().unwrap()
    };
    let there_is = there.to_str().unwrap();
    let text = assert_code(&tried(&["--snapshots", there_is, "--accept"]), 0);
    assert!(text.contains("note: recorded 1 of wire in "), "{text}");
    let mut left: Vec<String> = fs::read_dir(&there)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["wire__1.snap", "wire__7.txt", "wire__x__1.snap"]);
    assert!(!folder.path().join("snapshots").exists());
    assert_code(&tried(&["--snapshots", there_is]), 0);
    assert_code(&tried(&[]), 1);
}

#[test]
fn what_cannot_be_recorded_is_2_whatever_can_be() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("{RIGHT}    snapshot: [routes]\n");
    for name in ["a", "b"] {
        let of_it = folder.path().join(name);
        fs::create_dir(&of_it).unwrap();
        fs::write(of_it.join(format!("{name}.yaml")), &text).unwrap();
    }
    // No folder can be made of it.
    fs::write(folder.path().join("a/snapshots"), "").unwrap();
    let output = netproof()
        .args(["run", "--accept", "--jobs", "1"])
        .arg(folder.path())
        .output()
        .unwrap();
    let text = assert_code(&output, 2);
    assert!(text.contains("error: cannot record in "), "{text}");
    assert!(folder.path().join("b/snapshots/b__1.snap").is_file());
}

#[test]
fn what_was_to_be_refused_is_told_with_its_reason() {
    let wrong = RIGHT.replace(
        "      - up: b/eth0\n",
        "      - up: b/eth0\n        fails: File exists\n",
    );
    assert_ne!(wrong, RIGHT);
    let text = assert_code(&run(&wrong, |_| {}), 1);
    assert!(text.contains("expected  refused: File exists"), "{text}");
    assert!(text.contains("saw       done"), "{text}");
    // Nothing is asked of what is not as the scenario says.
    assert!(text.contains("0 expectations"), "{text}");
}
