//! Events in the form that was asked for, and how the program ends by them.

use std::collections::BTreeSet;
use std::io;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::out::{print, print_error, unwritable};
use super::{Exit, RunFormat};
use crate::judge::Verdict;
use crate::report::{Human, Junit};
use crate::run::{Blame, Event, Required, Totals};

/// Prints events in the form that was asked for, above a progress line on a terminal.
pub(super) struct Printer {
    format: RunFormat,
    human: Human,
    junit: Junit,
    progress: ProgressBar,
    /// The features that the kernel did not have, and the programs that were not installed.
    lacking: BTreeSet<String>,
    /// Why the report is not whole, if it is not.
    unwritable: Option<io::Error>,
}

impl Printer {
    pub(super) fn new(format: RunFormat, scenarios: usize) -> Self {
        let target = match format {
            // Draws nothing unless standard error is a terminal.
            RunFormat::Human | RunFormat::Junit => ProgressDrawTarget::stderr(),
            RunFormat::Json => ProgressDrawTarget::hidden(),
        };
        let progress = ProgressBar::with_draw_target(Some(scenarios as u64), target);
        if let Ok(style) =
            ProgressStyle::with_template("{pos:>6}/{len} [{elapsed}] [{bar:24}] {msg}")
        {
            progress.set_style(style.progress_chars("=> "));
        }
        Self {
            format,
            human: Human::new(),
            junit: Junit::default(),
            progress,
            lacking: BTreeSet::new(),
            unwritable: None,
        }
    }

    pub(super) fn print(&mut self, event: &Event) {
        let text = match self.format {
            RunFormat::Human => self.human.take(event),
            RunFormat::Junit => {
                self.junit.take(event);
                match event {
                    // The last one of a run.
                    Event::Summary { .. } => self.junit.report(),
                    _ => String::new(),
                }
            }
            // The end of a world is between it and us.
            RunFormat::Json if matches!(event, Event::End { .. }) => String::new(),
            RunFormat::Json => match serde_json::to_string(event) {
                Ok(line) => line + "\n",
                Err(error) => format!(
                    "{{\"event\":\"failure\",\"message\":{:?}}}\n",
                    error.to_string()
                ),
            },
        };
        if !text.is_empty() {
            let printed = self.progress.suspend(|| print(&text));
            self.unwritable = self.unwritable.take().or(printed.err());
        }
        if let Event::Operation {
            lacks: Some(feature),
            ..
        } = event
        {
            self.lacking.insert(feature.clone());
        }
        if let Event::Scenario { scenario, .. } = event {
            self.progress.set_message(scenario.clone());
            self.progress.inc(1);
        }
    }

    /// Takes the progress line away.
    pub(super) fn finish(&self) {
        self.progress.finish_and_clear();
    }

    /// Says how the program ends: what was judged, what could not be written, and what the machine lacks
    /// that it must have.
    pub(super) fn exit(&self, totals: &Totals, broken: bool) -> Exit {
        let required = required();
        match &self.unwritable {
            Some(error) => unwritable(error),
            None => {
                let lacking: Vec<&str> = self.lacking.iter().map(String::as_str).collect();
                let missed: Vec<&str> = lacking
                    .into_iter()
                    .filter(|feature| required.holds(feature))
                    .collect();
                let exit = exit_of(totals, broken);
                if missed.is_empty() {
                    return exit;
                }
                print_error(&format!(
                    "error: NETPROOF_REQUIRE asks for what this machine has not: {}\n",
                    missed.join(", ")
                ));
                if exit == Exit::Pass {
                    Exit::Machine
                } else {
                    exit
                }
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "what the machine must have is said where the machine is chosen"
)]
pub(super) fn required() -> Required {
    Required::parse(&std::env::var(Required::VARIABLE).unwrap_or_default())
}

pub(super) fn exit_of(totals: &Totals, broken: bool) -> Exit {
    if totals.blamed(Blame::Netproof) > 0 {
        Exit::Bug
    } else if broken {
        // Where snapshots and packets are to be written is the user's choice.
        Exit::Usage
    } else if totals.blamed(Blame::Machine) > 0 {
        Exit::Machine
    } else if [Verdict::Fail, Verdict::Error, Verdict::Xpass]
        .into_iter()
        .any(|verdict| totals.count(verdict) > 0)
    {
        Exit::Fail
    } else if totals.count(Verdict::Unsupported) == totals.scenarios() && totals.scenarios() > 0 {
        Exit::Machine
    } else {
        Exit::Pass
    }
}
