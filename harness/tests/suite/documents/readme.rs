//! What only the README says: the scenario that it shows, the commands, the events.

use std::collections::BTreeSet;
use std::fs;

use super::{blocks, code, lines_of, netproof, read, table};

/// The scenario that the README shows failing.
const FAILING: &str = "fixtures/readme/router.yaml";

#[test]
fn the_readme_shows_the_failing_scenario_and_what_mends_it() {
    let readme = read("README.md");
    let shown = blocks(&readme, "yaml");
    let scenario = shown.first().map(|block| block.text.as_str());
    assert_eq!(scenario, Some(read(FAILING).as_str()));

    let remedy = &shown[1].text;
    let mended = read(FAILING).replace("    expect:\n", &format!("{remedy}    expect:\n"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("router.yaml");
    fs::write(&file, mended).unwrap();
    let (output, code) = netproof(&format!("run {}", file.display()));
    assert_eq!(code, 0, "{output}");
}

#[test]
fn the_two_commands_of_the_readme_are_those_that_ci_runs() {
    let readme = read("README.md");
    let mut commands = lines_of(&readme, "sh");
    commands.retain(|line| line.starts_with("cargo "));
    assert_eq!(commands, ["cargo run -- run", "cargo nextest run"]);
    let script = read(".ci/run");
    for command in commands {
        let lines = script.lines().filter(|line| line.trim() == command);
        assert_eq!(lines.count(), 1, "{command}");
    }
}

#[test]
fn every_event_is_in_the_table_of_the_readme() {
    let readme = read("README.md");
    let rows = table(&readme, &["event", "when"]);
    let listed: BTreeSet<&str> = rows.iter().map(|row| code(&row[0])).collect();
    let (ran, _) = netproof(&format!("run --format json {FAILING} tutorials/gateway"));
    let (looked, _) = netproof("doctor --format json");
    let question = format!("explain --format json {FAILING} --from web --to 10.2.0.2");
    let (explained, _) = netproof(&question);
    let (decided, _) = netproof("claims --format json tutorials/tcp-server");
    let (judged, _) = netproof("judge --format json fixtures/readme/routed.yaml -- true");
    let (observed, _) = netproof("run --format json containers/ttl");
    let (tried, _) = netproof("conformance --format json --implementation native containers/ttl");
    let (smoked, _) = netproof("smoke --format json exec:fixtures/adapters/sample.sh");
    let output = ran + &looked + &explained + &decided + &judged + &observed + &tried + &smoked;
    let emitted: BTreeSet<&str> = output
        .lines()
        .filter_map(|line| line.strip_prefix("{\"event\":\"")?.split('"').next())
        .collect();
    assert!(emitted.is_subset(&listed), "{emitted:?}");
    // Nothing went so wrong that it could not be carried through, and no program of others was asked for more.
    assert_eq!(
        listed.difference(&emitted).copied().collect::<Vec<_>>(),
        ["escaped", "failure", "hello", "self-check"]
    );
}
