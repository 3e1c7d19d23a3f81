//! The matrix for a terminal.

use std::fmt::Write as _;

use super::{Asked, Cell, Matrix, Observation, Row, one_line};
use crate::judge::Verdict;
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

/// Writes the matrix for a terminal: who was tried, scenario by scenario, what is red and why, and in
/// what those that pass differ.
pub fn matrix_as_table(events: &[Event]) -> String {
    let matrix = Matrix::of(events);
    let mut text = String::new();
    let width = matrix
        .rows
        .iter()
        .map(|row| row.name.len())
        .max()
        .unwrap_or(0);
    for (at, row) in matrix.rows.iter().enumerate() {
        let _ = writeln!(
            text,
            "{:>3}  {:<width$}  {}",
            at + 1,
            row.name,
            state(&matrix, row)
        );
    }
    text += "\n";
    grid(&matrix, &mut text);
    red(&matrix, &mut text);
    shown(&matrix, &mut text);
    left(&matrix, &mut text);
    text
}

fn state(matrix: &Matrix<'_>, row: &Row<'_>) -> String {
    if let Some(absent) = row.absent {
        return format!("not tried: {absent}");
    }
    let version = row.version.unwrap_or("of unknown version");
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

fn red(matrix: &Matrix<'_>, text: &mut String) {
    for (row, asked, cell) in matrix.red() {
        let reason = cell.reason.unwrap_or("no reason is known");
        let word = cell.verdict.word().to_uppercase();
        let _ = writeln!(
            text,
            "\n{word}  {} {}\n      {reason}",
            row.name, asked.scenario
        );
    }
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
                let _ = writeln!(text, "        {}", one_line(value));
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
