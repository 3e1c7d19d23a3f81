//! `netproof check`.

use super::out::{print, unwritable};
use super::select::select;
use super::{Exit, Selection};

/// Checks scenarios and says how many are right.
pub(super) fn check(selection: &Selection) -> Exit {
    match select(&selection.scenarios) {
        Ok(selected) => {
            let count = selected.len();
            let text = match count {
                1 => "1 scenario is right\n".to_owned(),
                _ => format!("{count} scenarios are right\n"),
            };
            print(&text).map_or_else(|error| unwritable(&error), |()| Exit::Pass)
        }
        Err(exit) => exit,
    }
}
