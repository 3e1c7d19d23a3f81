//! The matrix for a terminal.

use std::fmt::Write as _;

use super::{Asked, Cell, Matrix, Observation, Row, one_line};
use crate::judge::Verdict;
use crate::report::human::counted;
use crate::run::Event;
use crate::scenario::{Profile, Requirement};

/// What a verdict is in one character.
fn sign(asked: &Asked<'_>, cell: Option<&Cell<'_>>) -> char {
    let Some(cell) = cell else {
        return ' ';
    };
    match cell.verdict {
        Verdict::Pass if asked.requirement == Requirement::Info => 'i',
        Verdict::Pass => '.',
        Verdict::Fail => 'F',
        Verdict::Error => 'E',
        Verdict::Unsupported => '-',
        Verdict::Skipped => 's',
        Verdict::Xfail => 'x',
        Verdict::Xpass => 'X',
    }
}

const LEGEND: &str = ". pass   i information   F fail   E not decided   - not supported   s skipped   \
                      x known to fail   X known to fail, and passes";

/// Writes the matrix for a terminal: who was tried, scenario by scenario, what does not pass and why, and
/// in what those that pass differ.
pub fn matrix_as_table(events: &[Event]) -> String {
    let matrix = Matrix::of(events);
    let width = matrix.rows.iter().map(|row| row.name.len()).max();
    let rows = 0..matrix.rows.len();
    let rows: String = rows
        .map(|at| line(&matrix, at, width.unwrap_or_default()))
        .collect();
    rows + &matrix_without_rows(events)
}

/// Writes the line of who was tried last; `width` is the length of the longest name, in characters.
pub fn matrix_row(events: &[Event], width: usize) -> String {
    let matrix = Matrix::of(events);
    match matrix.rows.len().checked_sub(1) {
        Some(last) => line(&matrix, last, width),
        None => String::new(),
    }
}

/// Writes all of [`matrix_as_table`] but the lines of those who were tried, which [`matrix_row`] writes as
/// they come.
pub fn matrix_without_rows(events: &[Event]) -> String {
    let matrix = Matrix::of(events);
    let mut text = "\n".to_owned();
    grid(&matrix, &mut text);
    failures(&matrix, &mut text);
    others(&matrix, &mut text);
    shown(&matrix, &mut text);
    left(&matrix, &mut text);
    summary(&matrix, &mut text);
    text
}

fn line(matrix: &Matrix<'_>, at: usize, width: usize) -> String {
    let Some(row) = matrix.rows.get(at) else {
        return String::new();
    };
    let state = state(matrix, row);
    format!("{:>3}  {:<width$}  {state}\n", at + 1, row.name)
}

fn state(matrix: &Matrix<'_>, row: &Row<'_>) -> String {
    if let Some(absent) = row.absent {
        return format!("not tried: {absent}");
    }
    let version = one_line(row.version.unwrap_or("of unknown version"));
    let core = matrix.profile(row, Profile::Core);
    let extended = matrix.profile(row, Profile::Extended);
    let mut text = format!("{version}, tier {}; {core}; {extended}", row.tier);
    if let Some((agreed, made)) = matrix.honesty(row) {
        let _ = write!(text, "; its own check was right {agreed} of {made} times");
    }
    text
}

fn grid(matrix: &Matrix<'_>, text: &mut String) {
    let tried: Vec<(usize, &Row<'_>)> = matrix
        .rows
        .iter()
        .enumerate()
        .filter(|(_, row)| row.absent.is_none())
        .collect();
    let width = matrix.asked.iter().map(|it| it.scenario.len()).max();
    let width = width.unwrap_or_default();
    let _ = write!(text, "{:<8}{:<width$}", "", "");
    for (at, _) in &tried {
        let _ = write!(text, " {:>2}", at + 1);
    }
    text.push('\n');
    for asked in &matrix.asked {
        let _ = write!(
            text,
            "{:<8}{:<width$}",
            asked.requirement.word(),
            asked.scenario
        );
        for (_, row) in &tried {
            let _ = write!(text, "  {}", sign(asked, matrix.cell(row, asked)));
        }
        text.push('\n');
    }
    let _ = writeln!(text, "\n{LEGEND}");
}

/// What fails, red or not, or is not decided.
fn failures(matrix: &Matrix<'_>, text: &mut String) {
    let reasons = matrix.reasons(&[Verdict::Fail, Verdict::Error, Verdict::Xpass]);
    for reason in &reasons {
        let word = reason.verdict.word().to_uppercase();
        let (name, scenarios) = (reason.name, reason.scenarios.join(", "));
        let not_red = if reason.red { "" } else { " (not red)" };
        let _ = writeln!(
            text,
            "\n{word}  {name} {scenarios}{not_red}\n      {}",
            reason.reason
        );
    }
    if !reasons.is_empty() {
        text.push_str(
            "\n`netproof run --implementation NAME SCENARIO` shows where a packet ended, and why\n",
        );
    }
}

/// What is not done, left out, or known to fail.
fn others(matrix: &Matrix<'_>, text: &mut String) {
    for verdict in [Verdict::Unsupported, Verdict::Skipped, Verdict::Xfail] {
        let mut name = "";
        for reason in matrix.reasons(&[verdict]) {
            if reason.name != name {
                name = reason.name;
                let _ = writeln!(text, "\n{}  {name}", verdict.word().to_uppercase());
            }
            let scenarios = reason.scenarios.join(", ");
            let _ = writeln!(text, "      {}\n        {scenarios}", reason.reason);
        }
    }
}

/// How many cells came out how.
fn summary(matrix: &Matrix<'_>, text: &mut String) {
    let count = |verdict: Verdict| {
        let cells = matrix.cells.values();
        cells.filter(|cell| cell.verdict == verdict).count()
    };
    let counts: Vec<String> = Verdict::ALL
        .into_iter()
        .map(|verdict| (verdict, count(verdict)))
        .filter(|(_, count)| *count > 0)
        .map(|(verdict, count)| format!("{count} {verdict}"))
        .collect();
    let tried = matrix.rows.iter().filter(|row| row.absent.is_none());
    let (tried, red) = (tried.count(), matrix.red());
    let _ = writeln!(
        text,
        "\nSummary: {} of {} tried, {}: {}; {red} red",
        tried,
        counted(matrix.rows.len(), "implementation"),
        counted(matrix.cells.len(), "cell"),
        if counts.is_empty() {
            "none".to_owned()
        } else {
            counts.join(", ")
        }
    );
}

/// In what implementations differ that need not be the same.
fn shown(matrix: &Matrix<'_>, text: &mut String) {
    for asked in matrix
        .asked
        .iter()
        .filter(|it| it.requirement == Requirement::Info)
    {
        let observations = matrix.shown(asked);
        if observations.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\nINFO  {}", asked.scenario);
        for Observation { of, values } in observations {
            if let [(value, _)] = values.as_slice() {
                let _ = writeln!(text, "      {of}: {}", one_line(value));
                continue;
            }
            let _ = writeln!(text, "      {of}");
            for (value, names) in values {
                let _ = writeln!(text, "        {}", one_line(&value));
                let _ = writeln!(text, "          {}", names.join(", "));
            }
        }
    }
}

/// What is there when every endpoint and network was taken away.
fn left(matrix: &Matrix<'_>, text: &mut String) {
    for (lines, names) in matrix.left() {
        let _ = writeln!(text, "\nLEFT  {}", names.join(", "));
        for line in lines {
            let _ = writeln!(text, "      {line}");
        }
    }
}
