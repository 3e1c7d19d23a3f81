//! Every implementation that is a manifest comes to what netproof's own comes to: the same facts to the
//! byte, the same verdicts, the same fates and causes; as far as it goes.
//!
//! Where a program that a manifest needs is missing, its cases are shown as ignored;
//! `NETPROOF_REQUIRE=busybox` says that none may be.

use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use netproof::implement::{Choice, missing};
use netproof::judge::Verdict;
use netproof::run::{Event, NamedScenario};
use netproof::scenario::{Cause, Lowering, Manifest, Operation, Scenario, parse};

use crate::support;

pub(crate) fn trials(scenarios: &[NamedScenario]) -> Vec<Trial> {
    let manifests = Choice::names().filter_map(|name| Choice::named(name)?.manifest().ok()?);
    let mut trials = Vec::new();
    for manifest in manifests {
        let missing = missing(&manifest);
        let required = support::required();
        let ignored = !missing.is_empty() && missing.iter().all(|tool| !required.holds(tool));
        if ignored {
            let missing = missing.join(", no ");
            eprintln!(
                "implementations/{}: ignored, for there is no {missing}",
                manifest.name
            );
        }
        let manifest = Arc::new(manifest);
        for scenario in scenarios {
            if is_run_elsewhere(&manifest, scenario) {
                continue;
            }
            let (manifest, scenario) = (Arc::clone(&manifest), scenario.clone());
            let name = format!("implementations/{}/{}", manifest.name, scenario.name);
            let trial = Trial::test(name, move || comes_to_the_same(&manifest, &scenario));
            trials.push(trial.with_ignored_flag(ignored));
        }
    }
    trials
}

/// Whose rules the kernel counts and traces nothing of, so that the cause is named by table, or not at all.
const LEGACY: &str = "iptables-legacy";

/// The verbs that are done by other words than those of `iproute2-iptables`; a test of the documents holds
/// the manifest to that.
const RULES: &[&str] = &[
    "masquerade:",
    "snat:",
    "dnat:",
    "notrack:",
    "filter:",
    "policy:",
];

/// Tells whether `iproute2-iptables` has a case that is the same in each word: where there is no rule,
/// `iptables-legacy` is nothing else. It is asked of every scenario whenever a case begins, so it only looks.
fn is_run_elsewhere(manifest: &Manifest, scenario: &NamedScenario) -> bool {
    manifest.name == LEGACY && !RULES.iter().any(|verb| scenario.text.contains(verb))
}

/// Tells whether two lines of what was found are the same, but for a rule that is named by its table.
fn differ_in_a_rule(native: &str, other: &str) -> bool {
    let is_rule =
        |cause: &&Cause| cause.word().ends_with("-rule") || cause.word().ends_with("-policy");
    Cause::ALL.iter().filter(is_rule).any(|cause| {
        let cause = format!("{cause:?}");
        // Neighbour discovery is no matter of tables, for all that a trace does not say.
        ["LegacyTable", "Unexplained"]
            .iter()
            .any(|named| other.replace(named, &cause) == native)
    })
}

/// What a scenario came to with an implementation.
struct Came {
    ran: support::Ran,
    /// Everything that was found, in words; no times and no numbers of attempts.
    found: Vec<String>,
    /// The same without causes, and without verdicts, which depend on them.
    uncaused: Vec<String>,
    verdict: Option<Verdict>,
}

fn run(implementation: &str, scenario: &NamedScenario) -> Result<Came, Failed> {
    let ran = support::run(
        support::netproof_run()
            .args(["--implementation", implementation])
            .arg(&scenario.name),
    )?;
    let (mut found, mut uncaused) = (Vec::new(), Vec::new());
    let (mut verdict, mut by) = (None, String::new());
    for event in &ran.events {
        uncaused.extend(without_cause(event));
        match event {
            Event::World { implementation, .. } => by.clone_from(implementation),
            Event::Scenario { verdict: of, .. } => verdict = Some(*of),
            Event::Facts { text, name, .. } => found.push(format!("{name}:\n{text}")),
            Event::Probe {
                step,
                kind,
                from,
                to,
                fate,
                after,
                by,
                cause,
                how,
                leg,
                ttl,
                source,
                ..
            } => found.push(format!(
                "step {step}: {kind} {from} {to}: {fate} {after:?} {by:?} {cause:?} {how:?} {leg:?} \
                 {ttl:?} {source:?}"
            )),
            Event::Expectation {
                step,
                expectation,
                observed,
                verdict,
                path,
                ..
            } => found.push(format!(
                "step {step}, expectation {expectation}: {observed} {verdict} {path:?}"
            )),
            _ => {}
        }
    }
    if by != implementation {
        return Err(format!("`{by}` carried it out, not `{implementation}`").into());
    }
    Ok(Came {
        ran,
        found,
        uncaused,
        verdict,
    })
}

/// What became of a probe, apart from why.
fn without_cause(event: &Event) -> Option<String> {
    match event {
        Event::Probe {
            step,
            kind,
            from,
            to,
            fate,
            after,
            by,
            how,
            leg,
            ttl,
            source,
            ..
        } => Some(format!(
            "step {step}: {kind} {from} {to}: {fate} {after:?} {by:?} {how:?} {leg:?} {ttl:?} {source:?}"
        )),
        Event::Expectation {
            step,
            expectation,
            path,
            ..
        } => Some(format!("step {step}, expectation {expectation}: {path:?}")),
        Event::Facts { text, name, .. } => Some(format!("{name}:\n{text}")),
        _ => None,
    }
}

/// What a manifest is asked for. Beside networks and endpoints, which are lowered, everything is the world's
/// own doing.
fn commanded(scenario: &Scenario) -> Vec<Operation> {
    if !scenario.has_intents() {
        let operations = scenario.operations().map(|item| item.operation.clone());
        return operations.collect();
    }
    let mut lowering = Lowering::default();
    let mut commanded = Vec::new();
    for item in scenario.operations() {
        let Ok(lowered) = lowering.lower(&item.operation) else {
            continue;
        };
        if item.operation.is_intent() {
            commanded.extend(lowered);
        }
        if item.fails.is_some() {
            lowering.abandon(&item.operation);
        }
    }
    commanded
}

/// The first operation that the manifest has no commands for, in words.
fn no_way(manifest: &Manifest, scenario: &NamedScenario) -> Result<Option<String>, Failed> {
    let scenario = parse(&scenario.file, &scenario.text)?;
    let found = commanded(&scenario)
        .iter()
        .filter(|operation| !Manifest::NOT_ITS_OWN.contains(&operation.verb()))
        .find_map(|operation| manifest.commands(operation).err());
    Ok(found.map(|no_way| format!("{} has {no_way}", manifest.name)))
}

/// Why the run ended before its end: an operation that was not done.
fn obstacle(came: &Came) -> Option<(Verdict, Option<String>, Option<String>)> {
    came.ran.events.iter().find_map(|event| match event {
        Event::Operation { verdict, .. } if *verdict == Verdict::Pass => None,
        Event::Operation {
            verdict,
            reason,
            lacks,
            ..
        } => Some((*verdict, reason.clone(), lacks.clone())),
        _ => None,
    })
}

fn comes_to_the_same(manifest: &Manifest, scenario: &NamedScenario) -> Result<(), Failed> {
    let (native, other) = (run("native", scenario)?, run(&manifest.name, scenario)?);
    let shown = |why: &str| {
        let (mut report, mut text) = (netproof::report::Human::new(), String::new());
        for event in &other.ran.events {
            text += &report.take(event);
        }
        let text = support::plain(&text);
        Failed::from(format!(
            "{why}\nexit code {:?}\n{text}{}",
            other.ran.code, other.ran.stderr
        ))
    };
    let other_end = obstacle(&other);
    if let Some((Verdict::Unsupported, reason, Some(lacks))) = &other_end {
        return support::unsupported(lacks, reason.as_deref().unwrap_or_default());
    }
    let wanted_end = no_way(manifest, scenario)?;
    let is_known = manifest.deviation(&scenario.name).is_some();
    // As far as it goes, it comes to the same.
    let as_far = other.found.len().min(native.found.len());
    let differs = (0..as_far).find(|at| {
        let (native, other) = (&native.found[*at], &other.found[*at]);
        native != other && !(manifest.name == LEGACY && differ_in_a_rule(native, other))
    });
    if let Some(at) = differs.filter(|_| !is_known) {
        let (native, other) = (&native.found[at], &other.found[at]);
        return Err(shown(&format!(
            "native: {native}\n{}: {other}",
            manifest.name
        )));
    }
    if manifest.name == LEGACY && other.uncaused != native.uncaused {
        return Err(shown("nothing but causes is to be otherwise"));
    }
    let (verdict, code) = match (&wanted_end, is_known) {
        (Some(_), _) => (Verdict::Unsupported, 3),
        (None, true) => (Verdict::Xfail, 0),
        (None, false) => (Verdict::Pass, 0),
    };
    if (other.verdict, other.ran.code) != (Some(verdict), Some(code)) {
        return Err(shown(&format!("it is to be {verdict}")));
    }
    match wanted_end {
        Some(wanted) if other_end != Some((verdict, Some(wanted.clone()), None)) => {
            Err(shown(&format!("it is to be unsupported: {wanted}")))
        }
        None if !is_known && native.found.len() != other.found.len() => {
            Err(shown("it is to come as far as netproof's own"))
        }
        _ => Ok(()),
    }
}
