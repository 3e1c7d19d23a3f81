//! `netproof judge`.

use std::time::Instant;

use super::out::{print, print_error, unwritable};
use super::packets::PacketFiles;
use super::printer::Printer;
use super::run::{recorded, write_packets};
use super::select::{Selected, one, step_of};
use super::{Exit, JudgeArgs, RunFormat};
use crate::run::{Blame, Event, Goal, Runner, Totals};

/// Lets a command build the network of a scenario, and judges what is there then.
pub(super) fn judge(args: &JudgeArgs) -> Exit {
    let begun = Instant::now();
    let (only, goal) = match goal(args) {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    let mut files = match PacketFiles::new(args.pcap.as_deref()) {
        Ok(files) => files,
        Err(exit) => return exit,
    };
    let runner = Runner::new(args.tier.into(), false).with_packets(files.are_wanted());
    let mut printer = Printer::new(args.format, 1);
    let (mut mistake, mut unprinted) = (None, None);
    let mut outcome = runner.judge(&only.named, goal, &mut |event| match event {
        Event::Failure {
            blame: Blame::Asker,
            message,
            help,
            ..
        } => mistake = Some((message.clone(), help.clone().unwrap_or_default())),
        event => {
            if args.format == RunFormat::Human {
                unprinted = unprinted.take().or(hand_on(event));
            }
            printer.print(event);
        }
    });
    runner.wait_until_gone();
    if let Some((message, help)) = mistake {
        printer.finish();
        print_error(&format!(
            "error[no-such-program]: {message}\n  help: {help}\n"
        ));
        return Exit::Usage;
    }
    let snapshots = only.snapshots.as_deref();
    outcome.judge_snapshots(&|name| recorded(snapshots, name), &mut |event| {
        printer.print(event);
    });
    let written = write_packets(&mut files, &outcome, &mut printer);
    let mut totals = Totals::default();
    totals.add(&outcome);
    printer.print(&outcome.event());
    printer.print(&totals.event(begun.elapsed().as_secs_f64() * 1e3));
    printer.finish();
    match unprinted {
        Some(error) => unwritable(&error),
        None => printer.exit(&totals, !written),
    }
}

/// Finds what is to be judged, and whether that is anything.
fn goal(args: &JudgeArgs) -> Result<(Selected, Goal), Exit> {
    let only = one(&args.scenario, "a goal is that of one")?;
    let step = step_of(&only.scenario, args.step)?;
    let judged = &only.scenario.steps[step - 1];
    let compared = args.snapshot && !judged.snapshot.is_empty();
    if judged.expectations.is_empty() && !compared {
        let help = if judged.snapshot.is_empty() {
            "name another one by `--step N`"
        } else {
            "compare its snapshot by `--snapshot`, or name another step by `--step N`"
        };
        print_error(&format!(
            "error[nothing-to-judge]: step {step} expects nothing\n  help: {help}\n"
        ));
        return Err(Exit::Usage);
    }
    let goal = Goal {
        step,
        command: args.command.clone(),
        snapshot: args.snapshot,
    };
    Ok((only, goal))
}

/// Shows what the command has said, where it said it; returns why that could not be shown.
fn hand_on(event: &Event) -> Option<std::io::Error> {
    let Event::Command {
        stdout,
        stderr,
        left_out,
        ..
    } = event
    else {
        return None;
    };
    let printed = print(&with_end(stdout));
    print_error(&with_end(stderr));
    if *left_out > 0 {
        print_error(&format!(
            "note: {left_out} bytes of what the command said are left out\n"
        ));
    }
    printed.err()
}

/// Ends the last line of what was said, so that nothing else stands in it.
fn with_end(said: &str) -> String {
    match said.is_empty() || said.ends_with('\n') {
        true => said.to_owned(),
        false => format!("{said}\n"),
    }
}
