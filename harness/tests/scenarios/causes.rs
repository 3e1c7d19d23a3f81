//! Causes are named from evidence: each is injected into topologies that its own scenario does not
//! have, those that look alike are told apart, and where two things are wrong at once it is the one
//! that the kernel meets first.
//!
//! The cases are in `fixtures/causes`. A case is a topology in which all is well, a step that breaks
//! it, and what has to be found; it runs as any scenario does. What was found becomes the table in
//! docs/causes.md, which `INSTA_UPDATE=always` writes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use libtest_mimic::{Failed, Trial};
use netproof::judge::Verdict;
use netproof::observe::Explanation;
use netproof::report::Human;
use netproof::run::{Event, NamedScenario, Runner};
use netproof::scenario::{Cause, Expectation, ExpectedFate, parse};
use netproof::world::Tier;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support;

/// What is generated, and the lines around it.
const DOCUMENT: &str = "docs/causes.md";
const BEGIN: &str = "<!-- generated: evidence -->";
const END: &str = "<!-- end of generated: evidence -->";

/// The table of injections.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Table {
    injected: BTreeMap<Cause, BTreeMap<String, Step>>,
    not_in: Vec<NotIn>,
    not_injected: BTreeMap<Cause, String>,
}

/// What breaks a topology, and what has to be found then.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// What comes before, where it takes more than one step.
    #[serde(default)]
    before: Vec<Step>,
    #[serde(default)]
    r#do: Vec<Value>,
    expect: Vec<Value>,
}

/// Why a topology does not have some causes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NotIn {
    topology: String,
    why: String,
    causes: Vec<Cause>,
}

/// A case by a name of its own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    topology: String,
    #[serde(default)]
    before: Vec<Step>,
    #[serde(default)]
    r#do: Vec<Value>,
    expect: Vec<Value>,
}

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        Trial::test("causes/table-is-complete", is_complete),
        Trial::test("causes/evidence-is-documented", is_documented),
    ];
    for (cause, topologies) in injections().injected {
        for (topology, step) in topologies {
            trials.push(Trial::test(
                format!("causes/{cause}/{topology}"),
                move || found(&topology, &step, Some(cause)).map(drop),
            ));
        }
    }
    for file in ["alike", "combined"] {
        let cases: BTreeMap<String, Case> = read(&format!("{file}.yaml"));
        for (name, case) in cases {
            trials.push(Trial::test(format!("causes/{file}/{name}"), move || {
                let step = Step {
                    before: case.before.clone(),
                    r#do: case.r#do.clone(),
                    expect: case.expect.clone(),
                };
                found(&case.topology, &step, None).map(drop)
            }));
        }
    }
    trials
}

fn read<T: for<'de> Deserialize<'de>>(file: &str) -> T {
    let path = support::root().join("fixtures/causes").join(file);
    let text = fs::read_to_string(&path).expect("a fixture can be read");
    serde_yaml::from_str(&text).unwrap_or_else(|error| panic_at(file, &error))
}

#[expect(clippy::panic, reason = "without its table no case can be made")]
fn panic_at(file: &str, error: &serde_yaml::Error) -> ! {
    panic!("{file}: {error}")
}

fn injections() -> Table {
    read("injections.yaml")
}

/// The topologies, by the names of their files.
fn topologies() -> BTreeSet<String> {
    let folder = support::root().join("fixtures/causes");
    let mut files = Vec::new();
    support::files_below(&folder, "yaml", &mut files).expect("the fixtures can be listed");
    files
        .iter()
        .map(|file| file.file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|name| !["injections", "alike", "combined"].contains(&name.as_str()))
        .collect()
}

/// Breaks a topology, and returns why the last probe of the step was not answered. Fails unless all
/// that is expected comes true, and the cause is expected.
fn found(topology: &str, step: &Step, cause: Option<Cause>) -> Result<Explanation, Failed> {
    let mut scenario: Value = read(&format!("{topology}.yaml"));
    let steps = scenario["steps"].as_array_mut();
    let steps = steps.ok_or("the topology has no steps")?;
    let before = step.before.iter().enumerate();
    let named = before.map(|(at, step)| (format!("What comes before: {at}"), step));
    for (name, step) in named.chain([("What breaks it".to_owned(), step)]) {
        let mut broken = json!({"name": name, "expect": step.expect});
        if !step.r#do.is_empty() {
            broken["do"] = json!(step.r#do);
        }
        steps.push(broken);
    }
    // JSON is YAML too.
    let scenario = NamedScenario {
        name: topology.to_owned(),
        file: format!("{topology}.yaml"),
        text: serde_json::to_string_pretty(&scenario)?,
    };
    let expected = expected_causes(&scenario)?;
    if cause.is_some_and(|cause| !expected.iter().all(|it| *it == cause)) || expected.is_empty() {
        return Err(format!("it expects {expected:?}").into());
    }
    let explanations = run(&scenario)?;
    explanations
        .into_iter()
        .next_back()
        .ok_or_else(|| "nothing was explained".into())
}

/// Returns the causes that a scenario expects, in order.
fn expected_causes(scenario: &NamedScenario) -> Result<Vec<Cause>, Failed> {
    let parsed = parse(&scenario.file, &scenario.text)?;
    let expectations = parsed.steps.iter().flat_map(|step| &step.expectations);
    let probes = expectations.filter_map(Expectation::probe);
    let causes = probes.filter_map(|expectation| match &expectation.fate {
        ExpectedFate::Reply(_) | ExpectedFate::Unanswered(_) => None,
        ExpectedFate::Rejected(fate) => fate.value.because.as_ref().map(|it| it.value),
        ExpectedFate::Lost(fate) => fate.value.because.as_ref().map(|it| it.value),
    });
    Ok(causes.collect())
}

/// Runs a scenario that has to pass, and returns what was explained.
fn run(scenario: &NamedScenario) -> Result<Vec<Explanation>, Failed> {
    let (mut report, mut text) = (Human::new(), String::new());
    let mut explanations = Vec::new();
    let outcome = Runner::new(Tier::User, false).run(scenario, &mut |event| {
        text += &report.take(event);
        if let Event::Probe {
            explanation: Some(found),
            ..
        } = event
        {
            explanations.push(Explanation::clone(found));
        }
    });
    text += &report.take(&outcome.event());
    if outcome.verdict != Verdict::Pass {
        return Err(format!("{}\n{explanations:#?}", support::plain(&text)).into());
    }
    Ok(explanations)
}

/// Every cause is injected into two topologies or listed with a reason, and every cell of the table
/// is filled.
fn is_complete() -> Result<(), Failed> {
    let table = injections();
    let mut wrong = Vec::new();
    for cause in Cause::ALL {
        match (table.injected.get(cause), table.not_injected.get(cause)) {
            (Some(_), Some(_)) => wrong.push(format!("{cause} is injected and not injected")),
            (None, None) => wrong.push(format!("{cause} is nowhere")),
            (Some(cells), None) if cells.len() < 2 => {
                wrong.push(format!("{cause} is injected once only"));
            }
            (Some(cells), None) => {
                for topology in topologies() {
                    let reasons = table
                        .not_in
                        .iter()
                        .filter(|it| it.topology == topology && it.causes.contains(cause))
                        .count();
                    if reasons + usize::from(cells.contains_key(&topology)) != 1 {
                        wrong.push(format!("{cause} in {topology}: a case, or one reason"));
                    }
                }
            }
            (None, Some(_)) => {}
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n").into())
    }
}

/// The document shows the evidence that is found now.
fn is_documented() -> Result<(), Failed> {
    let path = support::root().join(DOCUMENT);
    let text = fs::read_to_string(&path)?;
    let (before, rest) = text.split_once(BEGIN).ok_or("the mark is missing")?;
    let (_, after) = rest.split_once(END).ok_or("the end's mark is missing")?;
    let fresh = format!("{before}{BEGIN}\n\n{}\n{END}{after}", evidence()?);
    if fresh == text {
        return Ok(());
    }
    if updates() {
        fs::write(&path, fresh)?;
        return Ok(());
    }
    let diff = similar::TextDiff::from_lines(&text, &fresh);
    Err(format!(
        "{DOCUMENT} is out of date: INSTA_UPDATE=always\n{}",
        diff.unified_diff()
    )
    .into())
}

/// As insta: what differs is written, not reported.
#[expect(
    clippy::disallowed_methods,
    reason = "insta reads it from the environment too"
)]
fn updates() -> bool {
    std::env::var("INSTA_UPDATE").is_ok_and(|it| it == "always")
}

/// Writes the table: cause, topology and what was found.
fn evidence() -> Result<String, Failed> {
    let table = injections();
    let mut own: BTreeMap<Cause, (String, Explanation)> = BTreeMap::new();
    for scenario in support::scenarios() {
        if !scenario.name.starts_with("fates/") {
            continue;
        }
        for explanation in run(&scenario)? {
            let is_namesake = scenario.name == format!("fates/{}", explanation.cause);
            if is_namesake || !own.contains_key(&explanation.cause) {
                own.insert(explanation.cause, (scenario.name.clone(), explanation));
            }
        }
    }
    let mut lines = vec![
        "| cause | topology | evidence |".to_owned(),
        "|---|---|---|".to_owned(),
    ];
    for cause in Cause::ALL {
        if let Some((name, explanation)) = own.get(cause) {
            lines.push(row(*cause, name, explanation));
        }
        for (topology, step) in table.injected.get(cause).into_iter().flatten() {
            let explanation = found(topology, step, Some(*cause)).map_err(|failed| {
                format!("{cause}/{topology}: {}", failed.message().unwrap_or(""))
            })?;
            lines.push(row(*cause, topology, &explanation));
        }
        if let Some(why) = table.not_injected.get(cause) {
            lines.push(format!("| `{cause}` | | not injected: {why} |"));
        }
    }
    lines.extend([
        String::new(),
        "What a topology does not have:".to_owned(),
        String::new(),
        "| topology | cause | why |".to_owned(),
        "|---|---|---|".to_owned(),
    ]);
    for NotIn {
        topology,
        why,
        causes,
    } in &table.not_in
    {
        let causes: Vec<String> = causes.iter().map(|cause| format!("`{cause}`")).collect();
        lines.push(format!("| `{topology}` | {} | {why} |", causes.join(", ")));
    }
    lines.push(String::new());
    Ok(lines.join("\n"))
}

fn row(cause: Cause, topology: &str, explanation: &Explanation) -> String {
    let mut found: Vec<String> = explanation
        .evidence
        .iter()
        .map(|it| format!("{}: {}", it.what, it.found).replace('|', "\\|"))
        .collect();
    if explanation.replayed {
        found.push("by a replay".to_owned());
    }
    format!("| `{cause}` | `{topology}` | {} |", found.join("; "))
}
