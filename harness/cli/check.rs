//! `netproof check`.

use super::out::print;
use super::select::select;
use super::{Exit, Selection};

/// Checks scenarios and says how many are right.
pub(super) fn check(selection: &Selection) -> Exit {
    match select(&selection.scenarios) {
        Ok(selected) => {
            let count = selected.len();
            print(&match count {
                1 => "1 scenario is right\n".to_owned(),
                _ => format!("{count} scenarios are right\n"),
            });
            Exit::Pass
        }
        Err(exit) => exit,
    }
}
