//! The matrix: scenarios by implementations, from the events of rows and cells.

mod changes;
mod junit;
mod markdown;
mod table;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use changes::matrix_changes;
pub use junit::matrix_as_junit;
pub use markdown::matrix_as_markdown;
pub use table::{matrix_as_table, matrix_row, matrix_without_rows};

use crate::judge::Verdict;
use crate::run::{Event, Shown};
use crate::scenario::{Profile, Requirement};

/// An implementation in the matrix.
#[derive(Debug, Clone, PartialEq)]
struct Row<'a> {
    name: &'a str,
    about: &'a str,
    version: Option<&'a str>,
    tier: &'static str,
    absent: Option<&'a str>,
}

/// What one scenario came to with one implementation.
#[derive(Debug, Clone, PartialEq)]
struct Cell<'a> {
    verdict: Verdict,
    observed: &'a [Shown],
    reason: Option<&'a str>,
    left: &'a [String],
    checks: usize,
    agreed: usize,
    ms: f64,
}

/// A scenario in the matrix, in the order of its requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Asked<'a> {
    requirement: Requirement,
    profile: Profile,
    scenario: &'a str,
}

/// What was looked at in an INFO scenario: each value with those that it was seen with, the most frequent
/// first.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Observation<'a> {
    of: &'a str,
    values: Vec<(String, Vec<&'a str>)>,
}

/// Why an implementation does not pass some scenarios.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reason<'a> {
    name: &'a str,
    verdict: Verdict,
    red: bool,
    reason: String,
    scenarios: Vec<&'a str>,
}

/// All of it, by name.
#[derive(Debug, Default)]
struct Matrix<'a> {
    rows: Vec<Row<'a>>,
    asked: BTreeSet<Asked<'a>>,
    cells: BTreeMap<(&'a str, &'a str), Cell<'a>>,
}

impl<'a> Matrix<'a> {
    fn of(events: &'a [Event]) -> Self {
        let mut matrix = Self::default();
        for event in events {
            matrix.take(event);
        }
        matrix
    }

    fn take(&mut self, event: &'a Event) {
        match event {
            Event::Row {
                implementation,
                about,
                version,
                tier,
                absent,
            } => self.rows.push(Row {
                name: implementation,
                about,
                version: version.as_deref(),
                tier: tier.word(),
                absent: absent.as_deref(),
            }),
            Event::Cell {
                implementation,
                scenario,
                requirement,
                profile,
                verdict,
                observed,
                reason,
                left,
                checks,
                agreed,
                ms,
                version,
                ..
            } => {
                let requirement = Requirement::ALL
                    .into_iter()
                    .find(|it| it.word() == requirement)
                    .unwrap_or_default();
                self.asked.insert(Asked {
                    requirement,
                    profile: *profile,
                    scenario,
                });
                let cell = Cell {
                    verdict: *verdict,
                    observed,
                    reason: reason.as_deref(),
                    left,
                    checks: *checks,
                    agreed: *agreed,
                    ms: *ms,
                };
                self.cells.insert((implementation, scenario), cell);
                // What an implementation says of itself is nearer to the truth than its package.
                let row = self.rows.iter_mut().find(|row| row.name == implementation);
                if let (Some(row), Some(version)) = (row, version) {
                    row.version = Some(version);
                }
            }
            _ => {}
        }
    }

    fn cell(&self, row: &Row<'a>, asked: &Asked<'a>) -> Option<&Cell<'a>> {
        self.cells.get(&(row.name, asked.scenario))
    }

    /// Counts what is red.
    fn red(&self) -> usize {
        let of_row = |row| {
            let cells = self.cells_of(row);
            cells.filter(|(asked, cell)| is_red(asked, cell)).count()
        };
        self.rows.iter().map(of_row).sum()
    }

    /// Tells whether somebody was tried, and a scenario was.
    fn has_tried(&self, implementation: &str, scenario: &str) -> bool {
        self.rows.iter().any(|row| row.name == implementation)
            && self.asked.iter().any(|asked| asked.scenario == scenario)
    }

    /// Goes through the cells of an implementation.
    fn cells_of<'b>(
        &'b self,
        row: &'b Row<'a>,
    ) -> impl Iterator<Item = (&'b Asked<'a>, &'b Cell<'a>)> {
        let cell = |asked: &'b Asked<'a>| Some((asked, self.cell(row, asked)?));
        self.asked.iter().filter_map(cell)
    }

    /// What an INFO scenario has shown, one thing after the other, each with what was seen. Who did not
    /// come so far that it could be seen is there too, with the reason.
    fn shown(&self, asked: &Asked<'a>) -> Vec<Observation<'a>> {
        let tried = self.rows.iter().filter_map(|row| {
            let cell = self.cell(row, asked)?;
            (cell.verdict == Verdict::Pass).then_some((row.name, cell))
        });
        let tried: Vec<_> = tried.collect();
        let longest = tried.iter().map(|(_, cell)| cell.observed);
        let longest = longest.max_by_key(|it| it.len()).unwrap_or_default();
        let observation = |(at, Shown { of, .. }): (usize, &'a Shown)| {
            let mut values: Vec<(String, Vec<&'a str>)> = Vec::new();
            for (name, cell) in &tried {
                let value = match (cell.observed.get(at), cell.reason) {
                    (Some(shown), _) => shown.value.clone(),
                    (None, Some(reason)) => format!("not looked at, for {}", one_line(reason)),
                    (None, None) => "not looked at".to_owned(),
                };
                match values.iter_mut().find(|(seen, _)| *seen == value) {
                    Some((_, names)) => names.push(name),
                    None => values.push((value, vec![name])),
                }
            }
            values.sort_by_key(|(_, names)| std::cmp::Reverse(names.len()));
            Observation { of, values }
        };
        longest.iter().enumerate().map(observation).collect()
    }

    /// Why cells are as they are: every reason with the scenarios in which it was told, by implementation.
    fn reasons(&self, verdicts: &[Verdict]) -> Vec<Reason<'a>> {
        let mut reasons: Vec<Reason<'a>> = Vec::new();
        for row in &self.rows {
            for (asked, cell) in self.cells_of(row) {
                if !verdicts.contains(&cell.verdict) {
                    continue;
                }
                let reason = one_line(cell.reason.unwrap_or("no reason is known"));
                // What is not done is the same thing, whatever operation met it first.
                let reason = match cell.verdict {
                    Verdict::Unsupported => reason
                        .split_once(": ")
                        .map_or(reason.clone(), |(_, why)| why.to_owned()),
                    _ => reason,
                };
                let same = |it: &&mut Reason<'a>| {
                    (it.name, it.verdict, it.red) == (row.name, cell.verdict, is_red(asked, cell))
                        && it.reason == reason
                };
                match reasons.iter_mut().find(same) {
                    Some(known) => known.scenarios.push(asked.scenario),
                    None => reasons.push(Reason {
                        name: row.name,
                        verdict: cell.verdict,
                        red: is_red(asked, cell),
                        reason,
                        scenarios: vec![asked.scenario],
                    }),
                }
            }
        }
        reasons
    }

    /// What is left of networks that were taken away, in any scenario: every set of lines, with those that
    /// leave it.
    fn left(&self) -> Vec<(Vec<String>, Vec<&'a str>)> {
        let mut by_lines: BTreeMap<Vec<String>, Vec<&str>> = BTreeMap::new();
        for row in &self.rows {
            let lines: BTreeSet<String> = self
                .cells_of(row)
                .filter(|(_, cell)| matches!(cell.verdict, Verdict::Pass | Verdict::Xfail))
                .flat_map(|(_, cell)| cell.left.iter().cloned())
                .collect();
            if !lines.is_empty() {
                let lines: Vec<String> = lines.into_iter().collect();
                by_lines.entry(lines).or_default().push(row.name);
            }
        }
        by_lines.into_iter().collect()
    }

    /// How an implementation does in a profile, in words.
    fn profile(&self, row: &Row<'a>, profile: Profile) -> String {
        let mut counts = [(0, 0); Requirement::ALL.len()];
        let mut conforms = Conforms::Success;
        for (asked, cell) in self
            .cells_of(row)
            .filter(|(asked, _)| asked.profile == profile)
        {
            let Some((passed, all)) = counts.get_mut(asked.requirement as usize) else {
                continue;
            };
            *all += 1;
            *passed += usize::from(cell.verdict == Verdict::Pass);
            conforms = conforms.max(match (asked.requirement, cell.verdict) {
                (_, Verdict::Pass) => Conforms::Success,
                _ if is_red(asked, cell) => Conforms::Failure,
                (Requirement::Must, _) => Conforms::Partial,
                _ => Conforms::Success,
            });
        }
        let words: Vec<String> = Requirement::ALL
            .into_iter()
            .zip(counts)
            .filter(|(requirement, (_, all))| *all > 0 && *requirement != Requirement::Info)
            .map(|(requirement, (passed, all))| format!("{} {passed}/{all}", requirement.word()))
            .collect();
        match (words.is_empty(), conforms) {
            (true, Conforms::Failure) => format!("{}: failure", profile.word()),
            (true, _) => format!("{}: nothing tried", profile.word()),
            (false, _) => format!(
                "{}: {} ({})",
                profile.word(),
                conforms.word(),
                words.join(", ")
            ),
        }
    }

    /// How often an implementation's own check agreed with the packets; nothing where it has none.
    fn honesty(&self, row: &Row<'a>) -> Option<(usize, usize)> {
        let (agreed, made) = self
            .cells_of(row)
            .fold((0, 0), |(agreed, made), (_, cell)| {
                (agreed + cell.agreed, made + cell.checks)
            });
        (made > 0).then_some((agreed, made))
    }
}

/// Puts what programs say in several lines into one, without what a terminal would take for a command.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let plain = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    words.join(" ").chars().map(plain).collect()
}

/// Whether an implementation conforms to a profile: it passes all that it must; or leaves some of that
/// out; or fails some of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Conforms {
    Success,
    Partial,
    Failure,
}

impl Conforms {
    fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Partial => "partial",
            Self::Failure => "failure",
        }
    }
}

/// Tells whether a cell is red: what must be and is not, what could not be decided, and what passes
/// although it is listed as failing.
fn is_red(asked: &Asked<'_>, cell: &Cell<'_>) -> bool {
    match cell.verdict {
        Verdict::Fail => asked.requirement == Requirement::Must,
        Verdict::Error | Verdict::Xpass => true,
        Verdict::Pass | Verdict::Xfail | Verdict::Skipped | Verdict::Unsupported => false,
    }
}

/// Tells whether anything in the matrix is red.
pub fn matrix_has_red(events: &[Event]) -> bool {
    Matrix::of(events).red() > 0
}
