//! `netproof verbs`: the reference of verbs, committed for readers.

use std::fs;
use std::path::Path;
use std::process::Command;

use netproof::scenario::Operation;

const FILE: &str = "docs/verbs.md";

fn committed() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE)).unwrap()
}

#[test]
fn the_committed_reference_is_the_one_that_the_program_prints() {
    let output = Command::new(env!("CARGO_BIN_EXE_netproof"))
        .arg("verbs")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(
        printed == committed(),
        "it is out of date: `cargo run -- verbs > {FILE}`"
    );
}

#[test]
fn every_verb_has_a_section_that_says_all_of_it() {
    let reference = committed();
    let sections: Vec<(&str, &str)> = reference
        .split("\n## `")
        .skip(1)
        .filter_map(|section| section.split_once("`\n"))
        .collect();
    let verbs: Vec<&str> = sections.iter().map(|(verb, _)| *verb).collect();
    assert_eq!(verbs, Operation::VERBS);
    for (verb, text) in sections {
        let (arguments, examples) = text.split_once("| example | command |").unwrap();
        let example = format!("| `{verb}: ");
        assert!(examples.contains(&example), "{verb}: {examples}");
        if !arguments.contains("Its value is ") {
            let rows = arguments.lines().filter(|line| line.starts_with("| `"));
            assert!(rows.clone().count() > 0, "{verb}: {arguments}");
            for row in rows {
                // Between the bars: name, need, what it is, value.
                let cells: Vec<&str> = row.split(" | ").map(str::trim).collect();
                assert!(cells.len() == 4 && !cells[2].is_empty(), "{verb}: {row}");
                assert!(!cells[3].trim_end_matches('|').is_empty(), "{verb}: {row}");
            }
        }
        // What a value is that nothing is known of.
        assert!(!arguments.contains("a text"), "{verb}: {arguments}");
    }
}
