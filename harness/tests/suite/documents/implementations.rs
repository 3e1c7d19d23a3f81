//! What is said of manifests: the tables are the program's, and the example is the fixture.

use std::collections::BTreeSet;

use netproof::carried;
use netproof::implement::Choice;
use netproof::scenario::{Manifest, parse, parse_manifest};
use rstest::rstest;

use super::{blocks, code, read, table};

const DOCUMENT: &str = "docs/implementations.md";

fn manifest(name: &str) -> Manifest {
    Choice::named(name).unwrap().manifest().unwrap().unwrap()
}

#[test]
fn the_manifest_that_is_shown_first_is_the_fixture() {
    let shown = blocks(&read(DOCUMENT), "yaml");
    assert_eq!(shown[0].text, read("fixtures/implementations/mine.yaml"));
}

#[test]
fn the_table_of_filters_is_that_of_the_program() {
    let rows = table(&read(DOCUMENT), &["filter", "what it makes of the value"]);
    let listed: Vec<&str> = rows.iter().map(|row| code(&row[0])).collect();
    assert_eq!(listed, Manifest::FILTERS);
}

#[test]
fn the_table_of_keys_is_that_of_the_program() {
    let problems = parse_manifest("x.yaml", "qqqqqqqq: x").unwrap_err();
    let help = problems.problems()[0].help.clone().unwrap_or_default();
    let known: BTreeSet<&str> = help
        .split_once(": ")
        .map(|(_, keys)| keys.split(", ").collect())
        .unwrap_or_default();
    let rows = table(&read(DOCUMENT), &["key", "what stands there"]);
    let listed: BTreeSet<&str> = rows.iter().map(|row| code(&row[0])).collect();
    assert_eq!(listed, known);
}

/// Everything in the carried scenarios that an implementation has no commands for.
fn no_ways(manifest: &Manifest) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for scenario in carried::scenarios() {
        let scenario = parse(&scenario.file, &scenario.text).unwrap();
        let steps = scenario.steps.into_iter().flat_map(|step| step.operations);
        for item in scenario.given.into_iter().chain(steps) {
            if Manifest::NOT_ITS_OWN.contains(&item.operation.verb()) {
                continue;
            }
            found.extend(
                manifest
                    .commands(&item.operation)
                    .err()
                    .map(|it| it.to_string()),
            );
        }
    }
    found
}

#[test]
fn what_busybox_cannot_do_is_listed() {
    let rows = table(&read(DOCUMENT), &["with `busybox`"]);
    let listed: BTreeSet<String> = rows.into_iter().map(|mut row| row.remove(0)).collect();
    assert_eq!(listed, no_ways(&manifest("busybox")));
}

#[rstest]
fn iproute2_does_everything(
    #[values("iproute2-iptables", "iproute2-nft", "iptables-legacy")] name: &str,
) {
    assert_eq!(no_ways(&manifest(name)), BTreeSet::new());
}

#[rstest]
fn every_deviation_is_listed_and_of_a_scenario(#[values("busybox", "iptables-legacy")] name: &str) {
    let heading = format!("what `{name}` does otherwise");
    let rows = table(&read(DOCUMENT), &["scenario", &heading]);
    let listed: Vec<(&str, &str)> = rows
        .iter()
        .map(|row| (code(&row[0]), row[1].as_str()))
        .collect();
    let manifest = manifest(name);
    let known: Vec<(&str, &str)> = manifest
        .deviations
        .iter()
        .map(|it| (it.scenario.as_str(), it.reason.as_str()))
        .collect();
    assert_eq!(listed, known);
    let scenarios = carried::scenarios();
    for (scenario, _) in known {
        assert!(scenarios.iter().any(|it| it.name == scenario), "{scenario}");
    }
}

/// The cases of `iptables-legacy` are those with rules.
#[test]
fn only_rules_are_other_words_with_iptables_legacy() {
    const RULES: &[&str] = &[
        "masquerade",
        "snat",
        "dnat",
        "notrack",
        "filter",
        "policy",
        "flush",
    ];
    let (like, legacy) = (manifest("iproute2-iptables"), manifest("iptables-legacy"));
    for scenario in carried::scenarios() {
        let parsed = parse(&scenario.file, &scenario.text).unwrap();
        for item in parsed.operations() {
            let verb = item.operation.verb();
            let same = legacy.commands(&item.operation).ok() == like.commands(&item.operation).ok();
            let is_rule =
                RULES.iter().any(|rule| verb.ends_with(rule)) && !verb.starts_with("ingress");
            assert_eq!(same, !is_rule, "{}: {verb}", scenario.name);
        }
    }
}

#[test]
fn the_names_in_the_document_are_those_of_the_program() {
    let text = read(DOCUMENT);
    for name in Choice::names() {
        assert!(text.contains(&format!("`{name}`")), "{name}");
    }
}

/// What is known of a program is written down where the list says.
#[test]
fn every_deviation_of_a_driver_has_its_finding() {
    let findings = read("docs/findings.md");
    let anchor = |heading: &str| {
        let plain = |c: &char| c.is_alphanumeric() || *c == ' ' || *c == '-';
        let kept: String = heading.to_lowercase().chars().filter(plain).collect();
        kept.trim().replace(' ', "-")
    };
    let headings: Vec<String> = findings
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| anchor(line.trim_start_matches('#')))
        .collect();
    let scenarios: Vec<String> = carried::scenarios().into_iter().map(|it| it.name).collect();
    let mut known = 0;
    for name in Choice::names() {
        let choice = Choice::named(name).unwrap();
        for deviation in choice
            .driver()
            .map(|_| choice.deviations())
            .unwrap_or_default()
        {
            let link = deviation.link.unwrap();
            let heading = link.strip_prefix("docs/findings.md#").unwrap();
            assert!(headings.iter().any(|it| it == heading), "{link}");
            assert!(
                scenarios.contains(&deviation.scenario),
                "{}",
                deviation.scenario
            );
            assert!(
                findings.contains(&deviation.scenario),
                "{}",
                deviation.scenario
            );
            known += 1;
        }
    }
    assert!(known > 0);
}
