//! The report for a person at a terminal.
//!
//! A scenario is told in one piece when it has ended: one line if it passed, and otherwise what was
//! expected, what was seen instead, and on which way.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::way::way;
use crate::judge::{Mismatch, Verdict};
use crate::observe::{Evidence, Explanation, Sighting};
use crate::run::{Blame, Event};
use crate::scenario::{Leg, REFUSED};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

pub(super) fn style(verdict: Verdict) -> Style {
    let color = match verdict {
        Verdict::Pass => AnsiColor::Green,
        Verdict::Fail | Verdict::Error | Verdict::Xpass => AnsiColor::Red,
        Verdict::Unsupported | Verdict::Skipped | Verdict::Xfail => AnsiColor::Yellow,
    };
    color.on_default().bold()
}

/// Writes with a style: `{:#}` of a style ends it.
pub(super) fn styled(text: &str, style: Style) -> String {
    format!("{style}{text}{style:#}")
}

/// Tells a run scenario by scenario.
#[derive(Debug, Default)]
pub struct Human {
    scenarios: BTreeMap<String, Told>,
    snapshots: usize,
    probes: usize,
    attempts: usize,
}

/// What is to be told of a scenario when it ends.
#[derive(Debug, Default)]
struct Told {
    step: String,
    step_told: bool,
    text: String,
    /// Why the last probe was not answered: its expectation is told next.
    explanation: Option<Box<Explanation>>,
    /// Where the probe was seen that is judged next.
    sightings: Vec<Sighting>,
    /// Where its packets are.
    packets: Option<String>,
}

impl Told {
    /// Begins a paragraph about something in the step that is under way.
    fn paragraph(&mut self, line: &str) {
        if !self.step_told {
            let _ = writeln!(self.text, "\n  {}", styled(&self.step, BOLD));
            self.step_told = true;
        }
        let _ = writeln!(self.text, "    {line}");
    }

    fn detail(&mut self, what: &str, text: &str) {
        let mut lines = text.lines();
        let _ = writeln!(
            self.text,
            "      {what:<9} {}",
            lines.next().unwrap_or_default()
        );
        for line in lines {
            let _ = writeln!(self.text, "                {line}");
        }
    }
}

impl Human {
    /// Makes a report of which nothing is told yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an event and returns the text that is to be printed now, with ANSI styles.
    pub fn take(&mut self, event: &Event) -> String {
        if let Event::Snapshot { .. } = event {
            self.snapshots += 1;
        }
        match event {
            Event::Step {
                scenario,
                step,
                name,
                ..
            } => {
                let told = self.told(scenario);
                told.step = if *step == 0 {
                    name.clone()
                } else {
                    format!("step {step}: {name}")
                };
                told.step_told = false;
                told.sightings.clear();
            }
            Event::Expectation {
                scenario,
                verdict: Verdict::Pass,
                ..
            } => {
                let told = self.told(scenario);
                told.sightings.clear();
                // What comes next may have no probe of its own.
                told.explanation = None;
            }
            Event::Operation {
                verdict: Verdict::Pass,
                ..
            }
            | Event::Command {
                verdict: Verdict::Pass,
                ..
            }
            | Event::Snapshot {
                verdict: Verdict::Pass,
                ..
            } => {}
            Event::Operation {
                scenario,
                command,
                ran,
                fails,
                reason,
                line,
                ..
            } => {
                let told = self.told(scenario);
                match line {
                    Some(line) => {
                        told.paragraph(&format!("{command} {}", styled(&at_line(*line), DIM)));
                    }
                    None => told.paragraph(command),
                }
                for ran in ran.iter().filter(|ran| *ran != command) {
                    told.detail("ran", ran);
                }
                let wanted = match fails.as_deref() {
                    None => "done".to_owned(),
                    Some(REFUSED) => REFUSED.to_owned(),
                    Some(why) => format!("refused: {why}"),
                };
                told.detail("expected", &wanted);
                told.detail("saw", reason.as_deref().unwrap_or("done"));
            }
            Event::Command {
                scenario,
                command,
                ended,
                ..
            } => {
                let told = self.told(scenario);
                told.paragraph(command);
                told.detail("expected", "exit code 0");
                told.detail("saw", ended);
            }
            Event::Probe {
                scenario,
                attempts,
                explanation,
                sightings,
                ..
            } => {
                self.told(scenario).sightings.clone_from(sightings);
                self.probes += 1;
                self.attempts += *attempts as usize;
                self.told(scenario).explanation.clone_from(explanation);
                self.told(scenario).sightings.clone_from(sightings);
                self.note_attempts(event);
            }
            Event::Expectation {
                scenario,
                probe,
                observed,
                mismatches,
                line,
                ..
            } => {
                let told = self.told(scenario);
                told.paragraph(&format!("{probe} {}", styled(&at_line(*line), DIM)));
                told.expectation(observed, mismatches);
                if let Some(explanation) = told.explanation.take() {
                    told.explain(&explanation);
                }
            }
            Event::Observed {
                scenario,
                of,
                value,
                line,
                ..
            } => {
                let told = self.told(scenario);
                // Without a right answer there is nothing to explain.
                told.explanation = None;
                told.sightings.clear();
                told.paragraph(&format!("{of} {}", styled(&at_line(*line), DIM)));
                told.detail("observed", value);
            }
            Event::SelfCheck {
                scenario,
                node,
                reason: Some(reason),
                ..
            } => {
                let told = self.told(scenario);
                told.paragraph(&format!("the implementation's own check of {node}"));
                told.detail("says", reason);
            }
            Event::Left {
                scenario,
                verdict,
                left,
                lost,
            } if *verdict != Verdict::Pass || !left.is_empty() || !lost.is_empty() => {
                let told = self.told(scenario);
                "when all was taken away".clone_into(&mut told.step);
                told.step_told = false;
                told.paragraph("what is not as it was before the first network");
                for (what, lines) in [("left", left), ("lost", lost)] {
                    for line in lines {
                        told.detail(what, line);
                    }
                }
            }
            Event::Escaped {
                scenario,
                files,
                workdir,
                ..
            } => {
                let told = self.told(scenario);
                told.paragraph("the implementation writes files");
                told.detail("expected", &format!("in {workdir} only"));
                told.detail("saw", &files.join("\n"));
            }
            Event::Answer {
                scenario,
                probe,
                observed,
                ..
            } => {
                let told = self.told(scenario);
                told.paragraph(probe);
                told.expectation(observed, &[]);
                if let Some(explanation) = told.explanation.take() {
                    told.explain(&explanation);
                }
            }
            Event::Snapshot {
                scenario,
                step,
                name,
                difference,
                ..
            } => {
                let told = self.told(scenario);
                told.step = format!("snapshot of step {step}");
                told.step_told = false;
                told.paragraph(&format!("snapshot {name}"));
                told.detail("differs", difference.as_deref().unwrap_or_default());
            }
            Event::Failure {
                scenario,
                message,
                help,
                blame,
                ..
            } => {
                let told = self.told(scenario);
                let whose = match blame {
                    Blame::Machine => "this machine cannot run it",
                    Blame::Netproof => "a mistake of netproof's own",
                    Blame::Asker => "the question has no answer",
                    Blame::Tested => "what is tested has ended its own world",
                };
                told.step_told = true;
                told.paragraph(whose);
                told.detail("because", message);
                if let Some(help) = help {
                    told.detail("help", help);
                }
            }
            Event::Packets {
                scenario,
                file,
                left_out,
                ..
            } => {
                let more = match left_out {
                    0 => String::new(),
                    count => format!(" ({} left out)", counted(*count, "packet")),
                };
                self.told(scenario).packets = Some(format!("{file}{more}"));
            }
            Event::Scenario {
                scenario,
                verdict,
                deviation,
                link,
                ms,
            } => {
                let mut told = self.scenarios.remove(scenario).unwrap_or_default();
                if let Some(why) = deviation {
                    let how = match verdict {
                        Verdict::Xfail => "known",
                        Verdict::Fail => "listed as failing otherwise",
                        _ => "listed as failing",
                    };
                    let _ = write!(told.text, "\n  {how}: {why}");
                    if let Some(link) = link {
                        let _ = write!(told.text, "\n  see {link}");
                    }
                    told.text.push('\n');
                }
                // Where nothing went wrong, nobody has to look.
                if let Some(packets) = told.packets.filter(|_| *verdict != Verdict::Pass) {
                    let _ = writeln!(told.text, "\n  packets  {packets}");
                }
                return scenario_text(scenario, *verdict, *ms, &told.text);
            }
            Event::Summary { .. } => return self.summary(event),
            _ => {}
        }
        String::new()
    }

    /// Returns what there is to tell of scenarios that did not end with a verdict, such as the
    /// answer to a question.
    pub fn rest(&mut self) -> String {
        let scenarios = std::mem::take(&mut self.scenarios);
        let texts = scenarios.into_values().map(|told| told.text);
        texts
            .collect::<String>()
            .trim_start_matches('\n')
            .to_owned()
    }

    fn told(&mut self, scenario: &str) -> &mut Told {
        self.scenarios.entry(scenario.to_owned()).or_default()
    }

    /// A verdict that needed a second attempt says so, also where it passed.
    fn note_attempts(&mut self, event: &Event) {
        let Event::Probe {
            scenario,
            kind,
            from,
            to,
            attempts,
            doubts,
            ..
        } = event
        else {
            return;
        };
        if *attempts > 1 {
            let told = self.told(scenario);
            told.paragraph(&format!(
                "{kind} from {from} to {to} was sent {attempts} times"
            ));
            for doubt in doubts {
                told.detail("because", doubt);
            }
        }
    }

    fn summary(&self, event: &Event) -> String {
        let Event::Summary {
            scenarios,
            steps,
            expectations,
            pass,
            fail,
            unsupported,
            skipped,
            error,
            xfail,
            xpass,
            wall_ms,
        } = event
        else {
            return String::new();
        };
        let counts = [
            (Verdict::Pass, *pass),
            (Verdict::Fail, *fail),
            (Verdict::Error, *error),
            (Verdict::Unsupported, *unsupported),
            (Verdict::Skipped, *skipped),
            (Verdict::Xfail, *xfail),
            (Verdict::Xpass, *xpass),
        ];
        let counts: Vec<String> = counts
            .into_iter()
            .filter(|(verdict, count)| *count > 0 || *verdict == Verdict::Pass)
            .map(|(verdict, count)| styled(&format!("{count} {verdict}"), style(verdict)))
            .collect();
        format!(
            "{}\n{} [{:>8.3}s] {}: {}\n{:20} {}, {}, {}, {} in {}\n",
            "-".repeat(12),
            styled("     Summary", BOLD),
            wall_ms / 1e3,
            counted(*scenarios, "scenario"),
            counts.join(", "),
            "",
            counted(*steps, "step"),
            counted(*expectations, "expectation"),
            counted(self.snapshots, "snapshot"),
            counted(self.probes, "probe"),
            counted(self.attempts, "attempt"),
        )
    }
}

impl Told {
    /// Says why, by what evidence, and what would mend it.
    fn explain(&mut self, explanation: &Explanation) {
        let Explanation {
            cause,
            why,
            evidence,
            mend,
            replayed,
            ..
        } = explanation;
        let replay = if *replayed { " (by a replay)" } else { "" };
        self.detail("because", &format!("{cause}: {why}{replay}"));
        for (at, Evidence { what, found }) in evidence.iter().enumerate() {
            let key = if at == 0 { "evidence" } else { "" };
            self.detail(key, &format!("{what}: {found}"));
        }
        if let Some(mend) = mend {
            self.detail("mend", mend);
        }
    }

    fn expectation(&mut self, observed: &str, mismatches: &[Mismatch]) {
        for mismatch in mismatches {
            let what = &mismatch.what;
            // What became of the probe as a whole needs no name, nor that nothing could.
            let name = if what == "fate" || mismatch.seen == observed {
                String::new()
            } else {
                format!("{what}: ")
            };
            self.detail("expected", &format!("{name}{}", mismatch.expected));
            self.detail("saw", &format!("{name}{}", mismatch.seen));
        }
        let is_told = |it: &Mismatch| {
            matches!(it.what.as_str(), "fate" | "are" | "have") || it.seen == observed
        };
        if !mismatches.iter().any(is_told) {
            self.detail("fate", observed);
        }
        // A probe that could not be sent was nowhere, whatever the one before it did.
        let sightings = std::mem::take(&mut self.sightings);
        for (what, leg) in [("way", Leg::Request), ("way back", Leg::Reply)] {
            let way = way(&sightings, leg);
            if !way.is_empty() {
                self.detail(what, &way);
            }
        }
    }
}

fn scenario_text(scenario: &str, verdict: Verdict, ms: f64, details: &str) -> String {
    let word = styled(
        &format!("{:>12}", verdict.word().to_uppercase()),
        style(verdict),
    );
    let head = format!("{word} [{:>8.3}s] {scenario}\n", ms / 1e3);
    if details.is_empty() {
        head
    } else {
        format!("{head}{}\n", details.trim_end_matches('\n'))
    }
}

/// Where something stands in its file.
fn at_line(line: usize) -> String {
    format!("(line {line})")
}

/// `1 step`, `2 steps`.
pub(super) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
