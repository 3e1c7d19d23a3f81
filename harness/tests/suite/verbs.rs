//! `netproof verbs`: the reference of verbs, committed for readers.

use netproof::scenario::Operation;

use crate::committed::{committed, is_printed_by};

const FILE: &str = "docs/verbs.md";

#[test]
fn the_committed_reference_is_the_one_that_the_program_prints() {
    is_printed_by(FILE, "verbs");
}

#[test]
fn every_verb_has_a_section_that_says_all_of_it() {
    let reference = committed(FILE);
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
