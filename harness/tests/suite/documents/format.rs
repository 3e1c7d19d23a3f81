//! What is said of the scenario format: every example is right, and every table complete.

use std::fs;
use std::path::Path;

use netproof::scenario::{
    Cause, Diagnostic, IFNAME_MAX, NODE_NAME_MAX, limits, parse, parse_bytes, parse_manifest,
    parse_manifest_bytes,
};
use rstest::rstest;

use super::{ROOT, blocks, code, documents, read, scenario_of, table};

#[test]
fn the_table_of_causes_is_the_list_of_causes() {
    let rows = table(&read("docs/causes.md"), &["cause", "what it means"]);
    let listed: Vec<(&str, &str)> = rows
        .iter()
        .map(|row| (code(&row[0]), row[1].as_str()))
        .collect();
    let causes: Vec<(&str, &str)> = Cause::ALL
        .iter()
        .map(|cause| (cause.word(), cause.meaning()))
        .collect();
    assert_eq!(listed, causes);
}

#[test]
fn every_scenario_and_manifest_that_a_document_shows_is_right() {
    let mut found = 0;
    for document in documents() {
        for block in blocks(&read(&document), "yaml") {
            found += 1;
            let place = format!("{document}:{}", block.line);
            let problems = if block.text.starts_with("name:") {
                parse_manifest(&place, &block.text).err()
            } else {
                parse(&place, &scenario_of(&block.text)).err()
            };
            if let Some(problems) = problems {
                panic!("{place}:\n{problems}");
            }
        }
    }
    assert!(found > 3, "the documents show no scenario");
}

#[test]
fn every_fate_goes_with_every_probe_that_has_it() {
    let format = read("docs/format.md");
    let cells = |headings: &[&str]| -> Vec<String> {
        let rows = table(&format, headings);
        rows.iter().map(|row| code(&row[0]).to_owned()).collect()
    };
    let probes = cells(&["probe", "what is sent"]);
    let fates = cells(&["fate", "what it means"]);
    for probe in &probes {
        for fate in &fates {
            let is_arp = ["arp", "ndp", "frame"]
                .iter()
                .any(|of| probe.starts_with(of));
            let only_arp = fate.contains("by: database/eth0");
            let only_ip = fate.contains("ttl:");
            let text = scenario_of(&format!("- {probe}\n  {fate}"));
            let right = if is_arp { !only_ip } else { !only_arp };
            assert_eq!(parse("x", &text).is_ok(), right, "{probe} {fate}");
        }
    }
}

/// The words that netproof itself lists where another stands.
fn known_words(item: &str) -> Vec<String> {
    let text = scenario_of(item);
    let problems = parse("x.yaml", &text).unwrap_err();
    let problem = &problems.problems()[0];
    let lists = [problem.help.as_deref().unwrap_or_default(), &problem.label];
    let list = lists
        .iter()
        .find_map(|text| text.split_once(": "))
        .map(|(_, list)| list);
    list.unwrap_or_default()
        .split(", ")
        .map(str::to_owned)
        .collect()
}

#[rstest]
#[case::rejections(
    "how",
    "what says so",
    "- ping: {from: web, to: 10.0.0.1}\n  rejected: {how: qqqqq, by: web}"
)]
#[case::kinds_of_facts(
    "kind",
    "what it shows of every node",
    "title: t\nnodes: [a]\nsteps: [{name: s, snapshot: [qqqqq]}]"
)]
#[case::sightings(
    "key",
    "what stands there",
    "- ping: {from: web, to: 10.0.0.1}\n  reply: {}\n  seen: [{qqqqq: web/lo}]"
)]
fn a_table_of_words_has_every_word(#[case] word: &str, #[case] what: &str, #[case] item: &str) {
    let format = read("docs/format.md");
    // There are several tables of keys; that of sightings is the last.
    let from = format.find("### Sightings").filter(|_| word == "key");
    let rows = table(&format[from.unwrap_or_default()..], &[word, what]);
    let mut listed: Vec<&str> = rows.iter().map(|row| code(&row[0])).collect();
    let mut known = known_words(item);
    listed.sort_unstable();
    known.sort_unstable();
    assert_eq!(listed, known);
}

#[test]
fn every_diagnostic_is_listed_with_an_example_that_shows_it() {
    let rows = table(&read("docs/diagnostics.md"), &["id", "for example"]);
    let ids: Vec<&str> = rows.iter().map(|row| code(&row[0])).collect();
    assert_eq!(ids, Diagnostic::IDS);
    for (row, id) in rows.iter().zip(ids) {
        let Some((message, target)) = row[1]
            .strip_prefix('[')
            .and_then(|it| it.split_once("](../"))
        else {
            continue;
        };
        let file = target.trim_end_matches(')');
        let bytes = fs::read(Path::new(ROOT).join(file)).unwrap();
        let problems = if file.starts_with("fixtures/manifests") {
            parse_manifest_bytes(file, &bytes).unwrap_err()
        } else {
            parse_bytes(file, &bytes).unwrap_err()
        };
        let shows = |problem: &Diagnostic| problem.id == id && problem.message == message;
        assert!(problems.problems().iter().any(shows), "{file}: {problems}");
    }
}

#[test]
fn the_limits_are_those_of_the_program() {
    let rows = table(&read("docs/format.md"), &["what", "at most"]);
    let listed: Vec<usize> = rows.iter().map(|row| row[1].parse().unwrap()).collect();
    let deadline = netproof::world::Launch::default().deadline.as_secs();
    assert_eq!(
        listed,
        [
            limits::SIZE_MAX,
            limits::VALUES_MAX,
            limits::VALUES_MAX,
            limits::DEPTH_MAX,
            limits::ANCHORS_MAX,
            limits::ALIASES_MAX,
            limits::NODES_MAX,
            limits::OPERATIONS_MAX,
            NODE_NAME_MAX,
            IFNAME_MAX,
            deadline.try_into().unwrap(),
        ]
    );
}

/// Where no fixture is large enough to show a limit, what netproof says stands in the list.
#[rstest]
#[case::operations(limits::OPERATIONS_MAX + 1, "more than 1000 operations")]
#[case::values(limits::VALUES_MAX / 2, "more than 10000 values")]
fn the_refusal_of_what_is_too_large_is_listed(#[case] items: usize, #[case] limit: &str) {
    let text = scenario_of(&"- up: web/lo\n".repeat(items));
    let problems = parse("x.yaml", &text).unwrap_err();
    assert!(
        problems.problems()[0].message.ends_with(limit),
        "{problems}"
    );
    assert!(read("docs/diagnostics.md").contains(&format!("| {limit} |")));
}
