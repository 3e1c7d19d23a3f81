//! `netproof smoke`.

use std::time::{Duration, Instant};

use super::implementations::choose;
use super::out::{print, print_error, unwritable};
use super::{Exit, Format, SmokeArgs, deadlines};
use crate::implement::Choice;
use crate::judge::Verdict;
use crate::report::{is_not_tried, smoke_line, smoke_not_tried};
use crate::run::{Blame, Event, Runner, SmokeRequest};

/// Tries an adapter and tells each step.
pub(super) fn smoke(args: &SmokeArgs) -> Exit {
    let begun = Instant::now();
    let choice = match choose(&args.adapter) {
        Ok(choice) => choice,
        Err(exit) => return exit,
    };
    let Choice::Adapter { path, transport } = &choice else {
        let shown = args.adapter.display();
        print_error(&format!(
            "error[no-adapter]: `{shown}` is no adapter\n  \
             help: name one: `exec:./adapter.sh`, `serve:./adapter.py`\n"
        ));
        return Exit::Usage;
    };
    let request = SmokeRequest {
        path: path.clone(),
        transport: *transport,
        tier: args.tier.into(),
        deadline: Duration::from_millis(args.deadline),
        validate: args.validate,
    };
    let runner = Runner::new(args.tier.into(), false).with_deadlines(deadlines(args.deadline));
    let (mut exit, mut unwritten) = (Exit::Pass, None);
    let (mut pass, mut fail, mut skipped) = (0, 0, 0);
    let mut untried = 0;
    let mut told = |event: &Event| {
        let text = match (args.format, event) {
            (_, Event::End { .. }) => String::new(),
            // Those that follow are told together, with the summary.
            (Format::Human, event) if is_not_tried(event) => {
                untried += 1;
                String::new()
            }
            (Format::Human, event) => {
                smoke_not_tried(std::mem::take(&mut untried)) + &smoke_line(event)
            }
            (Format::Json, event) => serde_json::to_string(event).unwrap_or_default() + "\n",
        };
        if let Err(error) = print(&text) {
            unwritten.get_or_insert(error);
        }
    };
    runner.smoke(request, &mut |event| {
        match event {
            Event::Tried { verdict, .. } => match verdict {
                Verdict::Pass => pass += 1,
                Verdict::Skipped => skipped += 1,
                _ => fail += 1,
            },
            Event::Failure { blame, .. } => {
                exit = match blame {
                    Blame::Machine => Exit::Machine,
                    Blame::Tested => Exit::Fail,
                    _ => Exit::Bug,
                };
            }
            _ => {}
        }
        told(event);
    });
    told(&Event::Smoke {
        adapter: choice.name(),
        pass,
        fail,
        skipped,
        ms: begun.elapsed().as_secs_f64() * 1e3,
    });
    runner.wait_until_gone();
    match unwritten {
        Some(error) => unwritable(&error),
        None if exit == Exit::Pass && fail > 0 => Exit::Fail,
        None => exit,
    }
}
