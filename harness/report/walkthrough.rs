//! A scenario told step by step: what was typed, what came of it and why, and the tables afterwards.

use std::fmt::Write as _;

use crate::run::Event;

/// Tells one scenario as a section of a document in Markdown.
#[derive(Debug, Default)]
pub struct Walkthrough {
    text: String,
    /// The commands of the step, until something else is told of it.
    commands: Vec<String>,
    /// What its expectations came to: what was asked, what happened, and why.
    outcomes: Vec<[String; 3]>,
    /// Why the step is as it is, told behind its commands.
    why: Option<String>,
    /// Why the last probe was not answered: its expectation is told next.
    cause: Option<String>,
}

impl Walkthrough {
    /// Begins the section of a scenario with this title.
    pub fn new(title: &str) -> Self {
        Self {
            text: format!("## {title}\n"),
            ..Self::default()
        }
    }

    /// Takes the next event of the scenario.
    pub fn take(&mut self, event: &Event) {
        match event {
            Event::Step {
                step, name, why, ..
            } => {
                self.end_step();
                let heading = match step {
                    0 => "What is there already".to_owned(),
                    step => format!("{step}. {name}"),
                };
                let _ = writeln!(self.text, "\n### {heading}");
                self.why.clone_from(why);
            }
            Event::Operation {
                command,
                fails,
                reason,
                ..
            } => {
                self.commands.push(command.clone());
                if fails.is_some()
                    && let Some(reason) = reason
                {
                    self.commands.push(format!("# refused: {reason}"));
                }
            }
            Event::Probe { explanation, .. } => {
                self.cause = explanation.as_ref().map(|it| it.why.clone());
            }
            Event::Expectation {
                probe, observed, ..
            } => {
                let why = self.cause.take().unwrap_or_default();
                self.outcomes.push([probe.clone(), observed.clone(), why]);
            }
            Event::Facts { text, .. } => {
                self.tell_step();
                let _ = writeln!(self.text, "\n```text\n{}\n```", text.trim_end());
            }
            _ => {}
        }
    }

    /// Ends the section and returns it.
    pub fn finish(mut self) -> String {
        self.end_step();
        self.text
    }

    fn end_step(&mut self) {
        self.tell_step();
        self.cause = None;
    }

    /// Writes what was collected of the step.
    fn tell_step(&mut self) {
        let commands = std::mem::take(&mut self.commands);
        if !commands.is_empty() {
            let _ = writeln!(self.text, "\n```sh\n{}\n```", commands.join("\n"));
        }
        if let Some(why) = self.why.take() {
            let _ = writeln!(self.text, "\n{why}");
        }
        let outcomes = std::mem::take(&mut self.outcomes);
        if outcomes.is_empty() {
            return;
        }
        // An answer needs no cause.
        let columns = match outcomes.iter().any(|[.., why]| !why.is_empty()) {
            true => 3,
            false => 2,
        };
        let heads = ["asked", "what happens", "why"];
        let _ = writeln!(self.text, "\n| {} |", heads[..columns].join(" | "));
        let _ = writeln!(self.text, "|{}", "---|".repeat(columns));
        for cells in outcomes {
            let cells = cells.map(|cell| cell.replace('|', "\\|"));
            let _ = writeln!(self.text, "| {} |", cells[..columns].join(" | "));
        }
    }
}
