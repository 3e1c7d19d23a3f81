//! `netproof run`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::implementations::choose;
use super::out::print_error;
use super::packets::PacketFiles;
use super::printer::Printer;
use super::select::{Selected, select};
use super::workers::{Told, run_all};
use super::{Exit, RunArgs, deadlines};
use crate::carried;
use crate::judge::Verdict;
use crate::run::{Outcome, Runner, Totals};

/// Runs scenarios and judges them.
pub(super) fn run(args: &RunArgs) -> Exit {
    let begun = Instant::now();
    let selected = match select(&args.selection.scenarios) {
        Ok(selected) => selected,
        Err(exit) => return exit,
    };
    if args.accept && selected.iter().any(|it| it.snapshots.is_none()) {
        print_error(
            "error[carried-snapshots]: the snapshots of carried scenarios cannot be recorded\n  \
             help: name the scenario files\n",
        );
        return Exit::Usage;
    }
    let implementation = match choose(&args.implementation) {
        Ok(implementation) => implementation,
        Err(exit) => return exit,
    };
    let mut files = match PacketFiles::new(args.pcap.as_deref()) {
        Ok(files) => files,
        Err(exit) => return exit,
    };
    let tier = args.tier.map_or(implementation.tier(), Into::into);
    let runner = Runner::new(tier, args.hostile_baseline)
        .with_interior(implementation.interior())
        .with_packets(files.are_wanted())
        .with_deadlines(deadlines(args.deadline))
        .with_implementation(implementation);
    let rounds = args.repeat.get();
    let mut printer = Printer::new(args.format, selected.len() * rounds);
    let snapshots = snapshot_folders(args, &selected);
    let (mut totals, mut broken) = (Totals::default(), false);
    for _ in 0..rounds {
        run_all(&runner, &selected, args.jobs, |told| match told {
            Told::Event(event) => printer.print(&event),
            Told::Outcome(mut outcome) => {
                let folder = snapshots.get(&outcome.scenario).map(PathBuf::as_path);
                let recorded = judge_snapshots(args, &mut outcome, folder, &mut printer);
                outcome.judge_deviation();
                let written = write_packets(&mut files, &outcome, &mut printer);
                broken |= !(recorded && written);
                printer.print(&outcome.event());
                totals.add(&outcome);
            }
        });
    }
    printer.print(&totals.event(begun.elapsed().as_secs_f64() * 1e3));
    printer.finish();
    runner.wait_until_gone();
    printer.exit(&totals, broken)
}

/// Where the snapshots of each scenario are; carried ones are not in the list.
fn snapshot_folders(args: &RunArgs, selected: &[Selected]) -> BTreeMap<String, PathBuf> {
    selected
        .iter()
        .filter_map(|it| {
            let folder = args.snapshots.clone().or_else(|| it.snapshots.clone())?;
            Some((it.named.name.clone(), folder))
        })
        .collect()
}

/// Compares the snapshots of a scenario, or records them; tells whether that could be done.
fn judge_snapshots(
    args: &RunArgs,
    outcome: &mut Outcome,
    folder: Option<&Path>,
    printer: &mut Printer,
) -> bool {
    if args.accept {
        return folder.is_none_or(|folder| record(outcome, folder));
    }
    let recorded = |name: &str| recorded(folder, name);
    outcome.judge_snapshots(&recorded, &mut |event| printer.print(event));
    true
}

/// Writes the packets of a scenario where they are wanted; tells whether that could be done, which
/// is what somebody asked for only where a folder is named.
pub(super) fn write_packets(
    files: &mut PacketFiles,
    outcome: &Outcome,
    printer: &mut Printer,
) -> bool {
    match files.write(outcome) {
        Ok(event) => {
            if let Some(event) = event {
                printer.print(&event);
            }
            true
        }
        Err(error) if files.are_asked_for() => {
            print_error(&format!("error: {error}\n"));
            false
        }
        Err(error) => {
            print_error(&format!("note: {error}\n"));
            true
        }
    }
}

pub(super) fn recorded(folder: Option<&Path>, name: &str) -> Option<String> {
    match folder {
        Some(folder) => fs::read_to_string(folder.join(format!("{name}.snap"))).ok(),
        None => carried::snapshot(name).map(str::to_owned),
    }
}

/// Writes the facts of a scenario that passed as its snapshots, in the form that insta reads, and
/// takes away those of steps that it no longer has; tells whether that could be done.
fn record(outcome: &Outcome, folder: &Path) -> bool {
    let name = &outcome.scenario;
    if outcome.verdict != Verdict::Pass {
        print_error(&format!(
            "note: {name} did not pass, so its snapshots stay as they were\n"
        ));
        return true;
    }
    match write_snapshots(outcome, folder) {
        Ok(()) => {
            let count = outcome.facts.len();
            print_error(&format!(
                "note: recorded {count} of {name} in {}\n",
                folder.display()
            ));
            true
        }
        Err(error) => {
            print_error(&format!(
                "error: cannot record in {}: {error}\n",
                folder.display()
            ));
            false
        }
    }
}

fn write_snapshots(outcome: &Outcome, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for taken in &outcome.facts {
        let text = format!("---\nsource: netproof run --accept\n---\n{}", taken.text);
        fs::write(folder.join(format!("{}.snap", taken.name)), text)?;
    }
    let stem = format!("{}__", outcome.scenario.replace('/', "__"));
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let file = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let Some(name) = file.strip_suffix(".snap") else {
            continue;
        };
        let of_a_step = name
            .strip_prefix(&stem)
            .is_some_and(|step| step.parse::<usize>().is_ok());
        if of_a_step && outcome.facts.iter().all(|taken| taken.name != name) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}
