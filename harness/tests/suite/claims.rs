//! The ledger of claims: whole, fresh, and never decided by what did not run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use netproof::carried::{CLAIMS, scenarios};
use netproof::run::SMALLEST;
use netproof::scenario::parse;
use rstest::rstest;
use serde_json::Value;

/// Claims may be left open for want of so many features of the kernel, or programs.
const MISSING_AT_MOST: usize = 3;

fn claims(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netproof"));
    command.arg("claims").args(arguments);
    command.output().unwrap()
}

fn text(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn every_claim_is_decided_and_one_that_does_not_hold_says_what_happens_instead() {
    let ledger: Vec<Value> = text(&claims(&["--format", "json"]))
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let ids: Vec<&str> = ledger.iter().map(|it| it["id"].as_str().unwrap()).collect();
    let known: Vec<&str> = CLAIMS.iter().map(|said| said.id).collect();
    assert_eq!(ids, known);
    let open: Vec<&Value> = ledger.iter().filter(|it| it["holds"].is_null()).collect();
    for claim in &open {
        let reason = claim["reason"].as_str().unwrap();
        let is_missing = reason.contains("has no ") || reason.contains("there is no program");
        assert!(is_missing, "{claim}");
    }
    assert!(open.len() <= MISSING_AT_MOST, "{open:?}");
    for claim in ledger.iter().filter(|it| it["holds"] == false) {
        for key in ["instead", "scenario", "expectation", "reason"] {
            assert!(
                claim[key].as_str().is_some_and(|it| !it.is_empty()),
                "{claim}"
            );
        }
    }
}

/// What this machine cannot decide stands in the document as another machine has decided it.
#[test]
fn the_document_is_what_a_run_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/claims.md");
    let committed = fs::read_to_string(path).unwrap();
    let rows = |text: &str| -> BTreeMap<String, String> {
        let rows = text.lines().filter(|line| line.starts_with("| "));
        rows.map(|row| (row.split(" | ").next().unwrap().to_owned(), row.to_owned()))
            .collect()
    };
    let told = text(&claims(&["--format", "markdown"]));
    let (committed_rows, told_rows) = (rows(&committed), rows(&told));
    assert!(committed_rows.keys().eq(told_rows.keys()));
    for (id, row) in &told_rows {
        if !row.contains("**undecided**") && !committed_rows[id].contains("**undecided**") {
            assert_eq!(
                &committed_rows[id], row,
                "print it again: see its second line"
            );
        }
    }
    let rest = |text: &str| -> Vec<String> {
        let others = text.lines().filter(|line| !line.starts_with("| "));
        others
            .filter(|line| !line.contains(" undecided."))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(rest(&committed), rest(&told));
}

#[test]
fn scenarios_speak_only_of_claims_that_are_known() {
    let known: BTreeSet<&str> = CLAIMS.iter().map(|said| said.id).collect();
    for named in scenarios() {
        let scenario = parse(&named.file, &named.text).unwrap();
        let of_items = scenario.operations().flat_map(|item| item.claims.ids());
        let expectations = scenario.steps.iter().flat_map(|step| &step.expectations);
        let of_expectations = expectations.flat_map(|it| it.claims().ids());
        for id in of_items.chain(of_expectations) {
            assert!(
                known.contains(id.to_string().as_str()),
                "{}: {id}",
                named.name
            );
        }
    }
}

/// Runs the ledger of a scenario of one's own, and returns its line about X1 and the exit code.
fn of_one(reply: &str) -> (Value, Option<i32>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.yaml");
    assert!(SMALLEST.contains("reply: {ttl: 64}"));
    fs::write(&file, SMALLEST.replace("reply: {ttl: 64}", reply)).unwrap();
    let output = claims(&["--format", "json", file.to_str().unwrap()]);
    let told = String::from_utf8_lossy(&output.stdout);
    let mut lines = told.lines();
    let line = lines.next().unwrap();
    assert_eq!(lines.next(), None, "{told}");
    (serde_json::from_str(line).unwrap(), output.status.code())
}

#[rstest]
#[case::holds("reply: {ttl: 64}\n        claims: [X1]", Value::Bool(true), 0)]
#[case::does_not(
    "reply: {ttl: 64}\n        refutes: {X1: It answers}",
    Value::Bool(false),
    0
)]
#[case::was_to_hold("reply: {ttl: 63}\n        claims: [X1]", Value::Bool(false), 1)]
#[case::was_to_be_refuted("reply: {ttl: 63}\n        refutes: {X1: It answers}", Value::Null, 1)]
fn an_expectation_decides_by_how_it_comes_out(
    #[case] reply: &str,
    #[case] holds: Value,
    #[case] code: i32,
) {
    let (claim, exit) = of_one(reply);
    assert_eq!((&claim["holds"], exit), (&holds, Some(code)), "{claim}");
    assert_eq!(claim["id"], "X1");
    assert!(
        claim["reason"].as_str().unwrap().contains("reply ttl 64"),
        "{claim}"
    );
}
