//! No line is idle: without any one operation, an expectation fails; and so it does when an
//! operation that has to be refused is put right.
//!
//! The scenario itself is run, with one operation done otherwise. A later operation that fails for
//! want of it shows nothing, nor does a probe that cannot be sent, so such a run goes on until another
//! expectation fails. A line that nothing
//! depends on says so: `inert: WHY`.
//!
//! What becomes of a network or an endpoint is the implementation's word, and is judged as such: where a later
//! one is refused, or not refused, for want of a line, that line matters. What has to be refused needs no
//! `right`, for every implementation has its own reasons.

use std::collections::BTreeSet;

use libtest_mimic::{Failed, Trial as Case};
use netproof::judge::Verdict;
use netproof::run::{Event, Instead, NamedScenario, Runner, Trial};
use netproof::scenario::{Item, Operation, parse};
use netproof::world::Tier;

use crate::support;

pub(crate) fn trials(scenarios: &[NamedScenario]) -> Vec<Case> {
    let of_scenario = |scenario: NamedScenario| {
        Case::test(format!("idle/{}", scenario.name), move || {
            let wrong = complaints(&scenario)?;
            if wrong.is_empty() {
                return Ok(());
            }
            let untouched = support::run(support::netproof_run().arg(&scenario.name))?;
            if let Some((feature, reason)) = support::lacking(&untouched.events) {
                return support::unsupported(&feature, &reason);
            }
            Err(wrong.join("\n").into())
        })
    };
    let itself = Case::test("idle/an-idle-line-is-found", an_idle_line_is_found);
    let of_scenarios = scenarios.iter().cloned().map(of_scenario);
    of_scenarios.chain([itself]).collect()
}

fn complaints(scenario: &NamedScenario) -> Result<Vec<String>, Failed> {
    let parsed = parse(&scenario.file, &scenario.text)?;
    let runner = Runner::new(Tier::User, false);
    let intents = parsed.operations().map(|item| &item.operation);
    let intents = intents.filter(|operation| operation.is_intent());
    let intents: BTreeSet<String> = intents.map(Operation::command).collect();
    let (mut lines, mut inert, mut wrong) = (0, 0, Vec::new());
    for (step_at, step) in parsed.steps.iter().enumerate() {
        for (at, item) in step.operations.iter().enumerate() {
            let (step, operation) = (step_at + 1, at + 1);
            lines += 1;
            inert += usize::from(item.inert.is_some());
            let at = (step, operation);
            if let Some(complaint) = complaint(&runner, scenario, &intents, item, at) {
                let command = item.operation.command();
                wrong.push(format!("step {step}, `{command}`: {complaint}"));
            }
        }
    }
    println!("{}: {lines} lines, {inert} of them inert", scenario.name);
    Ok(wrong)
}

/// Says what is wrong with a line; nothing if an expectation depends on it, or if it says why none
/// does.
fn complaint(
    runner: &Runner,
    scenario: &NamedScenario,
    intents: &BTreeSet<String>,
    item: &Item,
    (step, operation): (usize, usize),
) -> Option<String> {
    let instead = match (&item.fails, &item.right, &item.inert) {
        (Some(_), None, None) if item.operation.is_intent() => return None,
        (Some(_), None, None) => return Some("neither `right` nor `inert`".to_owned()),
        // There is nothing that could be put in its place.
        (Some(_), None, Some(_)) => return None,
        (Some(_), Some(_), _) => Instead::Right,
        (None, ..) => Instead::Nothing,
    };
    let trial = Trial {
        step,
        operation,
        instead,
    };
    let mut events = Vec::new();
    let _ = runner.run_trial(scenario, trial, &mut |event| events.push(event.clone()));
    let mut shown = None;
    for event in &events {
        match event {
            Event::Failure { message, .. } => return Some(format!("not decided: {message}")),
            Event::Expectation {
                probe,
                observed,
                verdict: Verdict::Error,
                ..
            } => return Some(format!("not decided: {probe} was {observed}")),
            Event::Operation {
                command,
                verdict: Verdict::Unsupported,
                ..
            } => {
                return Some(format!(
                    "not decided: this kernel has no means for `{command}`"
                ));
            }
            Event::Expectation {
                step,
                expectation,
                verdict: Verdict::Fail,
                mismatches,
                ..
            // `from`: the node or interface that is to send the probe is not there.
            } if mismatches.iter().any(|it| it.what != "from") => {
                shown = Some(format!("expectation {expectation} of step {step}"));
            }
            Event::Operation {
                command,
                verdict: Verdict::Fail,
                ..
            } if intents.contains(command) => shown = Some(format!("`{command}`")),
            Event::Operation {
                step: of,
                command,
                verdict: Verdict::Fail,
                reason,
                ..
            } if *of == step
                && item
                    .right
                    .as_ref()
                    .is_some_and(|right| right.operation.command() == *command) =>
            {
                let reason = reason.as_deref().unwrap_or_default();
                return Some(format!("`{command}` is not right: {reason}"));
            }
            _ => {}
        }
    }
    match (shown, &item.inert) {
        (Some(_), None) | (None, Some(_)) => None,
        (None, None) => Some(match instead {
            Instead::Nothing => "nothing that is expected depends on it".to_owned(),
            Instead::Right => "nothing that is expected depends on its failure".to_owned(),
        }),
        (Some(what), Some(_)) => Some(format!("it is not inert: {what} depends on it")),
    }
}

/// Lines of every kind: those that this test has to complain about say so in their comment.
const LINES: &str = "\
title: Lines that matter, and lines that do not
nodes: [web]
steps:
  - name: A namespace of its own
    do:
      - up: web/lo
      - netns: {add: a} # idle: only to ask is it needed
      - up: a/lo # idle
      - address: {add: 10.0.0.1/32, dev: web/lo} # matters
      - address: {add: 10.0.0.2/32, dev: web/lo}
        inert: Nobody asks for it
      - address: {add: 10.0.0.3/32, dev: web/lo} # not inert
        inert: Nobody asks for it
      - up: web/l0 # neither
        fails: No such device
      - up: web/l1 # its failure is idle
        fails: No such device
        right: {up: web/lo}
      - up: web/l2 # not right
        fails: No such device
        right: {up: web/l3}
      - up: web/l4
        fails: No such device
        right: {down: web/lo}
    expect:
      - ping: {from: web, to: 10.0.0.1}
        reply: {source: 10.0.0.1}
      - ping: {from: web, to: 10.0.0.3}
        reply: {}
      - ping: {from: a, to: 10.0.0.1} # cannot be sent without `a`
        rejected: {how: network-unreachable, by: a}
";

/// The same of networks and endpoints.
const INTENTS: &str = "\
title: Endpoints that matter, and endpoints that do not
nodes: [host, a, b, c]
steps:
  - name: A network for one
    do:
      - network: {add: n, subnet: 10.0.0.0/30} # matters: nothing can be attached
      - network: {add: o, subnet: 10.0.1.0/30} # idle
      - attach: {node: a, to: n} # matters: the next is not refused
      - attach: {node: b, to: n}
        fails: refused
      - detach: {node: a, from: n} # matters: the next is refused
      - attach: {node: b, to: n}
      - detach: {node: c, from: n} # not idle for want of a word
        inert: It was never there
      - detach: {node: b, from: n} # not inert
        inert: Nobody asks for it
    expect:
      - links: {in: b, only: eth, are: []}
";

fn an_idle_line_is_found() -> Result<(), Failed> {
    let step = |rest: &str| format!("step 1, {rest}");
    finds(
        INTENTS,
        &[
            step("`network add o subnet 10.0.1.0/30`: nothing that is expected depends on it"),
            step("`attach b to n`: nothing that is expected depends on it"),
            step("`detach b from n`: it is not inert: expectation 1 of step 1 depends on it"),
        ],
    )?;
    let expected = [
        step("`ip netns add a`: nothing that is expected depends on it"),
        step("`ip -n a link set lo up`: nothing that is expected depends on it"),
        step(
            "`ip -n web address add 10.0.0.3 dev lo`: \
             it is not inert: expectation 2 of step 1 depends on it",
        ),
        step("`ip -n web link set l0 up`: neither `right` nor `inert`"),
        step("`ip -n web link set l1 up`: nothing that is expected depends on its failure"),
        step("`ip -n web link set l2 up`: `ip -n web link set l3 up` is not right: "),
    ];
    finds(LINES, &expected)
}

/// Checks that these complaints are made of a scenario, and no others.
fn finds(text: &str, expected: &[String]) -> Result<(), Failed> {
    let scenario = NamedScenario {
        name: "lines".to_owned(),
        file: "lines.yaml".to_owned(),
        text: text.to_owned(),
    };
    let found = complaints(&scenario)?;
    let as_expected = found.len() == expected.len()
        && found
            .iter()
            .zip(expected)
            .all(|(found, expected)| found.starts_with(expected));
    if as_expected {
        Ok(())
    } else {
        Err(format!("{found:#?}\nin place of\n{expected:#?}").into())
    }
}
