//! `netproof schema`.

use super::Exit;
use super::out::{print, unwritable};
use crate::scenario::Scenario;

/// Prints the JSON Schema of the format.
pub(super) fn schema() -> Exit {
    print(&format!("{:#}\n", Scenario::schema()))
        .map_or_else(|error| unwritable(&error), |()| Exit::Pass)
}
