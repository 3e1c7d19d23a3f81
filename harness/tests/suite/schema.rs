//! `netproof schema`: the format as JSON Schema, committed for editors.

use std::fs;
use std::path::Path;

use netproof::scenario::Operation;
use rstest::rstest;
use serde_json::Value;

use crate::committed::{ROOT, committed, is_printed_by};

const FILE: &str = "docs/scenario.schema.json";

#[test]
fn the_committed_schema_is_the_one_that_the_program_prints() {
    is_printed_by(FILE, "schema");
}

#[rstest]
fn the_committed_schemas_of_the_protocol_are_those_that_the_program_prints(
    #[values("request", "reply")] part: &str,
) {
    let file = format!("docs/protocol/{part}.schema.json");
    is_printed_by(&file, &format!("schema --protocol {part}"));
}

#[test]
fn the_schema_has_every_verb_and_no_other() {
    let schema: Value = serde_json::from_str(&committed(FILE)).unwrap();
    let item = &schema["definitions"]["Item"];
    let mut known: Vec<&str> = Operation::VERBS
        .iter()
        .copied()
        .chain(["fails", "right", "inert", "claims", "refutes"])
        .collect();
    known.sort_unstable();
    let mut listed: Vec<&String> = item["properties"].as_object().unwrap().keys().collect();
    listed.sort_unstable();
    assert_eq!(listed, known);
    assert_eq!(item["additionalProperties"], false);
}

#[test]
fn every_scenario_tells_editors_where_its_schema_is() {
    let mut found = 0;
    for folder in fs::read_dir(Path::new(ROOT).join("scenarios")).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            let first = text.lines().next().unwrap_or_default();
            let line = format!("# yaml-language-server: $schema=../../{FILE}");
            assert_eq!(first, line, "{}", path.display());
            found += 1;
        }
    }
    assert!(found > 0, "there are no scenarios");
}
