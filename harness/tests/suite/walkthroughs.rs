//! The walkthroughs: committed for readers, and what a run tells.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use netproof::carried::{CLAIMS, scenarios};
use netproof::scenario::{Scenario, parse};
use rstest::rstest;

use crate::committed::{ROOT, committed};

const FOLDER: &str = "docs/walkthroughs";

/// What a section says that tells nothing, because this machine lacks something.
const NOT_SHOWN: &str = "\n\nNot shown: ";

/// What a machine, or the one that wrote a document, may lack: VLAN filtering, br_netfilter, and the
/// program `ip`, without which two scenarios say nothing.
const MISSING_AT_MOST: usize = 4;

/// Of ten steps of a tutorial, so many at least say why they come out as they do.
const OF_TEN: usize = 9;

fn of_sources() -> Vec<(String, Scenario)> {
    let all = scenarios().into_iter().filter_map(|named| {
        let scenario = parse(&named.file, &named.text).unwrap();
        Some((scenario.source.as_ref()?.value.clone(), scenario))
    });
    all.collect()
}

/// Parts a document into what stands before its first section, and its sections by their titles, in
/// order.
fn parts(document: &str) -> (&str, Vec<(&str, &str)>) {
    let mut parts = document.split("\n## ");
    let head = parts.next().unwrap();
    let section = |part: &'_ str| part.find('\n').unwrap_or(part.len());
    let sections = parts.map(|part| part.split_at(section(part)));
    (head, sections.collect())
}

fn told(source: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_netproof"))
        .args(["walkthrough", "--source", source])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[rstest]
#[case::docker("bridge-veth-iptables-docker")]
#[case::linux("linux-network-namespace")]
#[case::bridges("namespaces-and-bridges")]
#[case::notes("networking-notes")]
#[case::gist("virtual-networking-gist")]
fn the_committed_walkthrough_is_what_a_run_tells(#[case] source: &str) {
    let file = format!("{FOLDER}/{source}.md");
    let (committed, told) = (committed(&file), told(source));
    let ((committed_head, committed), (head, told)) = (parts(&committed), parts(&told));
    let cure = format!("`cargo run -- walkthrough --source {source} > {file}`");
    assert_eq!(committed_head, head, "{cure}");
    let titles = |of: &[(&str, &str)]| -> Vec<String> {
        of.iter().map(|(title, _)| (*title).to_owned()).collect()
    };
    assert_eq!(titles(&committed), titles(&told), "{cure}");
    let mut hidden = 0;
    for ((title, committed), (_, told)) in committed.iter().zip(&told) {
        // On either machine: the reason says what it is.
        let missing = [told, committed]
            .into_iter()
            .find(|text| text.starts_with(NOT_SHOWN));
        match missing {
            Some(missing) => {
                hidden += 1;
                eprintln!("not compared: {title}: {}", missing.trim());
                let is_lack = ["has no ", "there is no program"]
                    .iter()
                    .any(|lack| missing.contains(lack));
                assert!(is_lack, "{title}: {missing}");
            }
            None => assert!(committed == told, "{title} is out of date: {cure}"),
        }
    }
    assert!(hidden <= MISSING_AT_MOST, "{hidden} are not shown");
}

#[test]
fn every_source_has_a_walkthrough_and_the_list_of_them_names_each() {
    let sources: BTreeSet<String> = of_sources()
        .into_iter()
        .map(|(source, _)| format!("{source}.md"))
        .collect();
    let files = fs::read_dir(Path::new(ROOT).join(FOLDER)).unwrap();
    let mut files: BTreeSet<String> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(files.remove("README.md"));
    assert_eq!(files, sources);
    let list = committed(&format!("{FOLDER}/README.md"));
    for file in files {
        assert_eq!(list.matches(&format!("]({file})")).count(), 1, "{file}");
    }
}

#[test]
fn steps_of_tutorials_say_why_they_come_out_as_they_do() {
    let (mut steps, mut silent) = (0, Vec::new());
    for (_, scenario) in of_sources() {
        steps += scenario.steps.len();
        let without = scenario.steps.iter().filter(|step| step.why.is_none());
        silent.extend(without.map(|step| step.name.value.clone()));
        for why in scenario.steps.iter().filter_map(|step| step.why.as_ref()) {
            assert!(why.ends_with('.'), "no sentence: {why}");
        }
    }
    assert!(silent.len() * 10 <= steps * (10 - OF_TEN), "{silent:?}");
}

/// What a step is said to mean for a claim is what the ledger says of it.
#[test]
fn walkthroughs_and_the_ledger_agree_on_every_claim() {
    let ledger = committed("docs/claims.md");
    let mut found: BTreeMap<&str, bool> = BTreeMap::new();
    let texts: BTreeSet<&str> = CLAIMS.iter().map(|said| said.source).collect();
    let texts: Vec<String> = texts
        .into_iter()
        .map(|source| committed(&format!("{FOLDER}/{source}.md")))
        .collect();
    for line in texts.iter().flat_map(|text| text.lines()) {
        let holds = match line {
            line if line.starts_with("- As the text says (") => true,
            line if line.starts_with("- **Not as the text says** (") => false,
            _ => continue,
        };
        let id = line.split(['(', ')']).nth(1).unwrap();
        let row = ledger
            .lines()
            .find(|row| row.starts_with(&format!("| {id} |")));
        let row = row.unwrap_or_else(|| panic!("{id}"));
        let is_open = row.contains("**undecided**");
        assert!(
            is_open || holds != row.contains("**does not hold**"),
            "{line}"
        );
        found.insert(id, holds);
    }
    let known: Vec<&str> = CLAIMS.iter().map(|said| said.id).collect();
    let missing: Vec<&&str> = known
        .iter()
        .filter(|id| !found.contains_key(**id))
        .collect();
    assert!(missing.len() <= MISSING_AT_MOST, "{missing:?}");
}
