//! What has changed from one report to another.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::Matrix;
use crate::run::{Event, Shown};

/// Says what is otherwise in a later report: cells that came, went, came out otherwise, or show something
/// else. Empty where nothing is. Times and versions do not count, and neither does what was not tried this
/// time: who has no row, or which scenario no cell.
pub fn matrix_changes(before: &[Event], now: &[Event]) -> String {
    let (before, now) = (Matrix::of(before), Matrix::of(now));
    let keys: BTreeSet<_> = before.cells.keys().chain(now.cells.keys()).collect();
    let mut text = String::new();
    for key in keys {
        let (implementation, scenario) = key;
        let change = match (before.cells.get(key), now.cells.get(key)) {
            (None, Some(cell)) => format!("new: {}", cell.verdict),
            (Some(_), None) if !now.has_tried(implementation, scenario) => continue,
            (Some(cell), None) => format!("gone, was {}", cell.verdict),
            (Some(was), Some(is)) if was.verdict != is.verdict => {
                let why = is.reason.map(|reason| format!(" ({reason})"));
                format!(
                    "{} -> {}{}",
                    was.verdict,
                    is.verdict,
                    why.unwrap_or_default()
                )
            }
            (Some(was), Some(is)) => {
                for change in shown(was.observed, is.observed) {
                    let _ = writeln!(text, "{implementation} {scenario}: {change}");
                }
                continue;
            }
            (None, None) => continue,
        };
        let _ = writeln!(text, "{implementation} {scenario}: {change}");
    }
    text
}

/// What is seen otherwise, or not seen any more, or was not before.
fn shown(before: &[Shown], now: &[Shown]) -> Vec<String> {
    let none = || "nothing".to_owned();
    let value = |it: Option<&&str>| it.map_or_else(none, |it| format!("`{it}`"));
    let (before, now) = (by_name(before), by_name(now));
    let keys: BTreeSet<_> = before.keys().chain(now.keys()).collect();
    let otherwise = keys.into_iter().filter_map(|key| {
        let (was, is) = (before.get(key), now.get(key));
        (was != is).then(|| format!("{}: {} -> {}", key.0, value(was), value(is)))
    });
    otherwise.collect()
}

/// What was seen, by what was looked at, and how often that had been before.
fn by_name(shown: &[Shown]) -> BTreeMap<(&str, usize), &str> {
    let mut seen = BTreeMap::new();
    for Shown { of, value } in shown {
        let before = seen.keys().filter(|(name, _)| name == of).count();
        seen.insert((of.as_str(), before), value.as_str());
    }
    seen
}
