//! Nothing is orphaned: every step that takes a snapshot has a recorded one, and every recorded one
//! belongs to a step.

use std::collections::BTreeSet;
use std::path::PathBuf;

use libtest_mimic::{Failed, Trial};
use netproof::carried;
use netproof::run::NamedScenario;
use netproof::scenario::parse;

use crate::support;

pub(crate) fn trials(scenarios: &[NamedScenario]) -> Vec<Trial> {
    let (first, second) = (scenarios.to_vec(), scenarios.to_vec());
    vec![
        Trial::test("orphans/snapshots-and-scenarios", move || {
            belong_together(&first)
        }),
        Trial::test("orphans/carried-files-are-those-on-disk", move || {
            are_carried(&second)
        }),
    ]
}

fn recorded() -> Result<BTreeSet<String>, Failed> {
    let mut files: Vec<PathBuf> = Vec::new();
    support::files_below(&support::root().join("snapshots"), "snap", &mut files)?;
    let name = |file: PathBuf| file.file_stem().unwrap().to_string_lossy().into_owned();
    Ok(files.into_iter().map(name).collect())
}

fn wanted(scenarios: &[NamedScenario]) -> Result<BTreeSet<String>, Failed> {
    let mut wanted = BTreeSet::new();
    for scenario in scenarios {
        let stem = scenario.name.replace('/', "__");
        for (at, step) in parse(&scenario.file, &scenario.text)?
            .steps
            .iter()
            .enumerate()
        {
            if !step.snapshot.is_empty() && !wanted.insert(format!("{stem}__{}", at + 1)) {
                return Err(format!("two scenarios write {stem}__{}", at + 1).into());
            }
        }
    }
    Ok(wanted)
}

fn belong_together(scenarios: &[NamedScenario]) -> Result<(), Failed> {
    // Other snapshots than those of scenarios are named by their tests, which look after them.
    let folders: BTreeSet<&str> = scenarios
        .iter()
        .filter_map(|it| it.name.split_once('/'))
        .map(|(folder, _)| folder)
        .collect();
    let of_scenarios = |name: &&String| {
        name.split_once("__")
            .is_some_and(|(folder, _)| folders.contains(folder))
    };
    let (recorded, wanted) = (recorded()?, wanted(scenarios)?);
    let missing: Vec<&String> = wanted.difference(&recorded).collect();
    let orphaned: Vec<&String> = recorded.difference(&wanted).filter(of_scenarios).collect();
    if missing.is_empty() && orphaned.is_empty() {
        return Ok(());
    }
    Err(format!("never recorded: {missing:?}\nof no scenario: {orphaned:?}").into())
}

fn are_carried(scenarios: &[NamedScenario]) -> Result<(), Failed> {
    if carried::scenarios() != scenarios {
        return Err("the program carries other scenarios than those in scenarios/".into());
    }
    let carried: BTreeSet<String> = carried::snapshot_names().map(str::to_owned).collect();
    if carried != recorded()? {
        return Err("the program carries other snapshots than those in snapshots/".into());
    }
    Ok(())
}
