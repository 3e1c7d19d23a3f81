//! The workflow: it runs stages that are there, and nothing that could change under it.

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

const WORKFLOW: &str = ".github/workflows/ci.yml";

#[test]
fn every_action_is_pinned_to_a_commit_and_says_its_version() {
    let workflow = read(WORKFLOW);
    let uses: Vec<&str> = workflow
        .lines()
        .filter_map(|line| line.split_once("uses: ").map(|(_, action)| action))
        .collect();
    for action in &uses {
        let (commit, version) = action
            .split_once('@')
            .and_then(|(_, rest)| rest.split_once(" # v"))
            .unwrap_or_default();
        let pinned = commit.len() == 40 && commit.bytes().all(|it| it.is_ascii_hexdigit());
        assert!(pinned && !version.is_empty(), "{action}");
    }
    assert!(!uses.is_empty());
}

#[test]
fn every_stage_is_run_by_some_job_and_every_job_runs_stages() {
    let (workflow, script) = (read(WORKFLOW), read(".ci/run"));
    let mut run: Vec<&str> = workflow
        .lines()
        .filter_map(|line| line.split_once(".ci/run "))
        .filter(|(before, _)| !before.contains('#'))
        .flat_map(|(_, stages)| stages.split_whitespace())
        .collect();
    let default = script
        .lines()
        .find_map(|line| line.trim().strip_prefix("set -- "))
        .unwrap();
    // What takes long or needs root is no part of what everybody runs.
    let apart = ["load", "privileged"];
    let mut stages: Vec<&str> = default.split_whitespace().chain(apart).collect();
    run.sort_unstable();
    stages.sort_unstable();
    assert_eq!(run, stages);
    for stage in stages {
        assert!(script.contains(&format!("\n{stage}() {{\n")), "{stage}");
    }
}

#[test]
fn the_setting_that_worlds_need_is_the_one_that_is_documented() {
    let setting = "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0\n";
    assert!(read(WORKFLOW).contains(setting));
    let document = read("docs/troubleshooting.md");
    let (_, section) = document.split_once("## In CI").unwrap();
    assert!(section.contains(setting));
}
