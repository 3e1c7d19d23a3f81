//! `netproof check`.

use super::out::print;
use super::select::select;
use super::{Exit, Selection};

/// Checks scenarios and says how many are right.
pub(super) fn check(selection: &Selection) -> Exit {
    match select(&selection.scenarios) {
        Ok(selected) => {
            print(&format!("{} scenarios are right\n", selected.len()));
            Exit::Pass
        }
        Err(exit) => exit,
    }
}
