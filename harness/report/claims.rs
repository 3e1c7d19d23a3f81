//! The ledger of claims as text.

use std::fmt::Write as _;

use crate::run::Event;

/// What a row of the ledger shows.
struct Row<'a> {
    id: &'a str,
    source: &'a str,
    says: &'a str,
    verdict: &'static str,
    decided_by: String,
    /// What happens instead, or why it was not decided.
    but: Option<&'a str>,
    reason: &'a str,
}

fn row(event: &Event) -> Option<Row<'_>> {
    let Event::Claim {
        id,
        source,
        says,
        holds,
        scenario,
        step,
        instead,
        reason,
        ..
    } = event
    else {
        return None;
    };
    let decided_by = match (scenario, step) {
        (Some(scenario), Some(step)) => format!("{scenario}, step {step}"),
        _ => "none".to_owned(),
    };
    Some(Row {
        id,
        source: source.as_deref().unwrap_or("elsewhere"),
        says: says.as_deref().unwrap_or_default(),
        verdict: match holds {
            Some(true) => "holds",
            Some(false) => "does not hold",
            None => "undecided",
        },
        decided_by,
        but: match holds {
            Some(true) => None,
            Some(false) => instead.as_deref(),
            None => Some(reason),
        },
        reason,
    })
}

/// Writes the ledger for a terminal: a line for each claim, and one for what happens instead.
pub fn claims_as_table(claims: &[Event]) -> String {
    let rows: Vec<Row<'_>> = claims.iter().filter_map(row).collect();
    let width = |of: fn(&Row<'_>) -> usize| rows.iter().map(of).max().unwrap_or_default();
    let (ids, verdicts) = (width(|it| it.id.len()), width(|it| it.verdict.len()));
    let mut text = String::new();
    for row in &rows {
        let (id, verdict, says) = (row.id, row.verdict, row.says);
        let _ = writeln!(text, "{id:<ids$}  {verdict:<verdicts$}  {says}");
        let indent = ids + verdicts + 4;
        if let Some(but) = row.but {
            let _ = writeln!(text, "{:indent$}{but}", "");
            if but != row.reason {
                let _ = writeln!(text, "{:indent$}{}", "", row.reason);
            }
            let _ = writeln!(text, "{:indent$}{}", "", row.decided_by);
        }
    }
    let _ = writeln!(text, "\n{}", count(&rows));
    text
}

fn count(rows: &[Row<'_>]) -> String {
    let of = |verdict: &str| rows.iter().filter(|row| row.verdict == verdict).count();
    format!(
        "{} claims: {} hold, {} do not, {} undecided",
        rows.len(),
        of("holds"),
        of("does not hold"),
        of("undecided")
    )
}

/// Writes the ledger as a document in Markdown, with a table for each text.
pub fn claims_as_markdown(claims: &[Event]) -> String {
    let rows: Vec<Row<'_>> = claims.iter().filter_map(row).collect();
    let mut text = String::from(
        "# Claims\n\n\
         <!-- `netproof claims --format markdown` prints this file. -->\n\n\
         What the tutorials say, and what a kernel says to it. Each claim is decided by an expectation \
         of a scenario\n\
         that was run; `netproof claims` runs them again.\n",
    );
    let _ = writeln!(text, "\n{}.", count(&rows));
    let mut source = None;
    for row in &rows {
        if source != Some(row.source) {
            source = Some(row.source);
            let _ = writeln!(
                text,
                "\n## {}\n\n| | claim | | decided by |\n|---|---|---|---|",
                row.source
            );
        }
        let verdict = match row.but {
            None => row.verdict.to_owned(),
            Some(but) if but == row.reason => format!("**{}**: {}", row.verdict, escaped(but)),
            Some(but) => format!(
                "**{}**: {}<br>{}",
                row.verdict,
                escaped(but),
                escaped(row.reason)
            ),
        };
        let _ = writeln!(
            text,
            "| {} | {} | {verdict} | {} |",
            row.id,
            escaped(row.says),
            row.decided_by
        );
    }
    text
}

/// Writes text that stays in its cell.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
