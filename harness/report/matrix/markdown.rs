//! The matrix as Markdown.

use std::fmt::Write as _;

use super::{Asked, Cell, Matrix, Observation, one_line};
use crate::run::Event;
use crate::scenario::{Profile, Requirement};

/// Writes the matrix as Markdown: a table of implementations, one of cells, the reasons of all that does
/// not pass, and what INFO scenarios have shown.
pub fn matrix_as_markdown(events: &[Event]) -> String {
    let matrix = Matrix::of(events);
    let mut text = String::from("# Conformance\n\n## Implementations\n\n");
    text += "| implementation | version | tier | core | extended | own check |\n";
    text += "|---|---|---|---|---|---|\n";
    for row in &matrix.rows {
        let (name, about, tier) = (cell_text(row.name), cell_text(row.about), row.tier);
        let version = cell_text(row.version.unwrap_or("unknown"));
        if let Some(absent) = row.absent {
            let absent = cell_text(absent);
            let _ = writeln!(
                text,
                "| {name}: {about} | {version} | {tier} | not tried: {absent} | | |"
            );
            continue;
        }
        let own = matrix.honesty(row).map_or_else(
            || "none".to_owned(),
            |(agreed, made)| format!("right {agreed} of {made} times"),
        );
        let core = matrix.profile(row, Profile::Core);
        let extended = matrix.profile(row, Profile::Extended);
        let _ = writeln!(
            text,
            "| {name}: {about} | {version} | {tier} | {} | {} | {own} |",
            core.trim_start_matches("core: "),
            extended.trim_start_matches("extended: ")
        );
    }
    cells(&matrix, &mut text);
    reasons(&matrix, &mut text);
    information(&matrix, &mut text);
    text
}

fn cells(matrix: &Matrix<'_>, text: &mut String) {
    let tried: Vec<_> = matrix
        .rows
        .iter()
        .filter(|row| row.absent.is_none())
        .collect();
    text.push_str("\n## Cells\n\n| | scenario |");
    for row in &tried {
        let _ = write!(text, " {} |", row.name);
    }
    text.push_str("\n|---|---|");
    text.push_str(&"---|".repeat(tried.len()));
    text.push('\n');
    for asked in &matrix.asked {
        let _ = write!(
            text,
            "| {} | {} |",
            asked.requirement.word(),
            asked.scenario
        );
        for row in &tried {
            let word = |cell: &Cell<'_>| match asked.requirement {
                Requirement::Info if cell.verdict.word() == "pass" => "info",
                _ => cell.verdict.word(),
            };
            let _ = write!(text, " {} |", matrix.cell(row, asked).map_or("", word));
        }
        text.push('\n');
    }
}

fn reasons(matrix: &Matrix<'_>, text: &mut String) {
    if matrix.cells.values().any(|cell| cell.reason.is_some()) {
        text.push_str("\n## Reasons\n");
    }
    for row in &matrix.rows {
        let with_reason: Vec<_> = matrix
            .cells_of(row)
            .filter_map(|(asked, cell)| Some((asked, cell, cell.reason?)))
            .collect();
        if with_reason.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n### {}\n", row.name);
        for (asked, cell, reason) in with_reason {
            let reason = one_line(reason);
            let _ = writeln!(
                text,
                "- {} {} is {}: {reason}",
                asked.requirement.word(),
                asked.scenario,
                cell.verdict
            );
        }
    }
}

fn information(matrix: &Matrix<'_>, text: &mut String) {
    let shows = |it: &&Asked<'_>| it.requirement == Requirement::Info;
    if matrix.asked.iter().any(|it| shows(&it)) {
        text.push_str("\n## Information\n");
    }
    for asked in matrix.asked.iter().filter(shows) {
        let _ = writeln!(text, "\n### {}\n", asked.scenario);
        for Observation { of, values } in matrix.shown(asked) {
            let _ = writeln!(text, "- {of}");
            for (value, names) in values {
                let _ = writeln!(text, "  - {}: `{}`", names.join(", "), one_line(&value));
            }
        }
    }
    let left = matrix.left();
    if !left.is_empty() {
        text.push_str("\n## Left behind\n\n");
    }
    for (lines, names) in left {
        let _ = writeln!(text, "- {}:", names.join(", "));
        for line in lines {
            let _ = writeln!(text, "  - `{line}`");
        }
    }
}

fn cell_text(text: &str) -> String {
    one_line(text).replace('|', "\\|")
}
