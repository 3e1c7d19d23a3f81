//! `netproof doctor` on this machine. What it says of machines that can do less is tested with the
//! scenarios, in `harness/tests/scenarios/limited.rs`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn doctor(path: &Path) -> (Vec<Value>, Option<i32>) {
    let output = Command::new(env!("CARGO_BIN_EXE_netproof"))
        .args(["doctor", "--format", "json"])
        .env("PATH", path)
        .output()
        .unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    (lines.collect(), output.status.code())
}

fn of<'a>(checks: &'a [Value], name: &str) -> &'a Value {
    checks.iter().find(|it| it["check"] == name).unwrap()
}

#[test]
fn every_line_is_a_check_and_the_last_counts_them() {
    let (mut lines, code) = doctor(Path::new("/nonexistent"));
    let last = lines.pop().unwrap();
    assert_eq!(code, Some(0));
    assert_eq!(of(&lines, "tier/user")["status"], "ok");
    assert_eq!(last["event"], "doctor");
    assert_eq!(last["tiers"][0], "user");
    for status in ["ok", "limited", "missing"] {
        let count = lines.iter().filter(|it| it["status"] == status).count();
        assert_eq!(last[status], count, "{status}");
    }
    for line in &lines {
        assert_eq!(line["event"], "check");
        let keys: Vec<&String> = line.as_object().unwrap().keys().collect();
        assert_eq!(
            keys,
            ["cause", "check", "cure", "detail", "event", "status"]
        );
        let is_tool = line["check"].as_str().unwrap().starts_with("tool/");
        let explained = line["cause"].is_string() && line["cure"].is_string();
        assert_eq!(explained, line["status"] != "ok" && !is_tool, "{line}");
    }
}

#[test]
fn a_tool_is_what_can_be_run() {
    let folder = tempfile::tempdir().unwrap();
    for (name, mode) in [("pasta", 0o755), ("slirp4netns", 0o644)] {
        let file = folder.path().join(name);
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    }
    let (lines, _) = doctor(folder.path());
    let pasta = folder.path().join("pasta").display().to_string();
    assert_eq!(of(&lines, "tool/pasta")["status"], "ok");
    assert_eq!(of(&lines, "tool/pasta")["detail"], pasta);
    assert_eq!(of(&lines, "tool/slirp4netns")["status"], "missing");
}
