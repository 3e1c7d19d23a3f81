//! `netproof claims`.

use std::collections::BTreeSet;

use super::implementations::choose;
use super::out::{print, print_error, unwritable};
use super::printer::exit_of;
use super::select::{Selected, select};
use super::workers::{Told, run_all};
use super::{ClaimsArgs, ClaimsFormat, Exit};
use crate::carried::{CLAIMS, Said};
use crate::judge::Verdict;
use crate::report::{Human, claims_as_markdown, claims_as_table};
use crate::run::{Event, Ledger, Outcome, Runner, Totals};
use crate::scenario::ClaimId;

/// Runs the scenarios that decide claims, and prints the ledger.
pub(super) fn claims(args: &ClaimsArgs) -> Exit {
    let selected = match select(&args.selection.scenarios) {
        Ok(selected) => selected,
        Err(exit) => return exit,
    };
    let named = |it: &'_ Selected| (it.named.name.clone(), it.scenario.clone());
    let scenarios: Vec<_> = selected.iter().map(named).collect();
    let all = scenarios.iter().map(|(name, of)| (name.as_str(), of));
    let mut ledger = Ledger::new(all);
    let deciding: Vec<Selected> = selected
        .into_iter()
        .filter(|it| ledger.speaks_of(&it.named.name))
        .collect();
    let implementation = match choose(&args.implementation) {
        Ok(implementation) => implementation,
        Err(exit) => return exit,
    };
    let runner = Runner::new(args.tier.into(), false).with_implementation(implementation);
    let (mut human, mut totals) = (Human::new(), Totals::default());
    run_all(&runner, &deciding, args.jobs, |told| match told {
        Told::Event(event) => {
            ledger.take(&event);
            human.take(&event);
        }
        Told::Outcome(outcome) => {
            totals.add(&outcome);
            complain(&outcome, &mut human);
        }
    });
    runner.wait_until_gone();
    let lines = closed(&ledger, args.selection.scenarios.is_empty());
    let text = match args.format {
        ClaimsFormat::Human => claims_as_table(&lines),
        ClaimsFormat::Markdown => claims_as_markdown(&lines),
        ClaimsFormat::Json => lines
            .iter()
            .filter_map(|event| serde_json::to_string(event).ok())
            .map(|line| line + "\n")
            .collect(),
    };
    print(&text).map_or_else(|error| unwritable(&error), |()| exit_of(&totals, false))
}

/// Reports a scenario that did not come out as it says: what it decides is to be taken with care.
fn complain(outcome: &Outcome, human: &mut Human) {
    let report = human.take(&outcome.event());
    if !matches!(outcome.verdict, Verdict::Pass | Verdict::Unsupported) {
        print_error(&report);
    }
}

/// Closes the account of every claim that is spoken of, those that are known first, in their order;
/// with `all`, also of those that no scenario decides.
fn closed(ledger: &Ledger, all: bool) -> Vec<Event> {
    let mut others: BTreeSet<ClaimId> = ledger.ids().cloned().collect();
    let mut lines = Vec::new();
    for Said { id, source, says } in CLAIMS {
        if let Ok(id) = id.parse::<ClaimId>()
            && (others.remove(&id) || all)
        {
            lines.push(ledger.claim(&id, Some(source), Some(says)));
        }
    }
    lines.extend(others.iter().map(|id| ledger.claim(id, None, None)));
    lines
}
