//! `netproof walkthrough`.

use std::collections::BTreeMap;

use super::out::{print, print_error, unwritable};
use super::printer::exit_of;
use super::select::select;
use super::workers::{Told, run_all};
use super::{Exit, WalkthroughArgs};
use crate::carried::CLAIMS;
use crate::judge::Verdict;
use crate::report::{Human, Shown, Walkthrough};
use crate::run::{Runner, Totals};
use crate::scenario::{ClaimId, Claims, Scenario, Step};

/// Runs scenarios and tells each step by step.
pub(super) fn walkthrough(args: &WalkthroughArgs) -> Exit {
    let mut selected = match select(&args.selection.scenarios) {
        Ok(selected) => selected,
        Err(exit) => return exit,
    };
    if let Some(source) = &args.source {
        selected.retain(|it| {
            it.scenario
                .source
                .as_ref()
                .is_some_and(|of| **of == *source)
        });
        if selected.is_empty() {
            print_error(&format!(
                "error[no-such-source]: no scenario has the source `{source}`\n  \
                 help: `netproof list --format json` shows the sources\n"
            ));
            return Exit::Usage;
        }
    }
    selected.sort_by_cached_key(|it| (first_claim(&it.scenario), it.named.name.clone()));
    let shown = Shown::new(selected.iter().map(|it| &it.scenario));
    let mut sections: BTreeMap<String, Walkthrough<'_>> = selected
        .iter()
        .enumerate()
        .map(|(number, it)| {
            let name = &it.named.name;
            let section = Walkthrough::new(name, number, &it.scenario, &shown);
            (name.clone(), section)
        })
        .collect();
    let runner = Runner::new(args.tier.into(), false);
    let (mut human, mut totals) = (Human::new(), Totals::default());
    run_all(&runner, &selected, args.jobs, |told| match told {
        Told::Event(event) => {
            human.take(&event);
            if let Some(section) = event.scenario().and_then(|name| sections.get_mut(name)) {
                section.take(&event);
            }
        }
        Told::Outcome(outcome) => {
            totals.add(&outcome);
            let report = human.take(&outcome.event());
            if outcome.verdict != Verdict::Pass {
                print_error(&report);
            }
        }
    });
    runner.wait_until_gone();
    let mut text = format!(
        "# {}, step by step\n\n<!-- `netproof walkthrough{}` prints this file. -->\n",
        title(args.source.as_deref().unwrap_or("scenarios")),
        args.source
            .as_ref()
            .map_or_else(String::new, |source| format!(" --source {source}")),
    );
    for it in &selected {
        if let Some(section) = sections.remove(&it.named.name) {
            text += &format!("\n{}", section.finish());
        }
    }
    print(&text).map_or_else(|error| unwritable(&error), |()| exit_of(&totals, false))
}

/// Makes a title of the id of a source: `linux-network-namespace` is "Linux network namespace".
fn title(source: &str) -> String {
    let words = source.replace('-', " ");
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => words,
    }
}

/// Claims stand in the order of their text, so scenarios do by the first of it that they decide; those
/// that decide none come last.
fn first_claim(scenario: &Scenario) -> (bool, Option<ClaimId>) {
    let source = scenario.source.as_ref().map(|of| of.as_str());
    let of_source: Vec<ClaimId> = CLAIMS
        .iter()
        .filter(|said| Some(said.source) == source)
        .filter_map(|said| said.id.parse().ok())
        .collect();
    let claims = scenario.steps.iter().flat_map(Step::claims);
    let first = claims
        .flat_map(Claims::ids)
        .filter(|id| of_source.contains(id))
        .min()
        .cloned();
    (first.is_none(), first)
}
