//! `netproof verbs`.

use super::Exit;
use super::out::{print, unwritable};
use crate::scenario::Operation;

/// Prints the reference of verbs.
pub(super) fn verbs() -> Exit {
    print(&Operation::reference()).map_or_else(|error| unwritable(&error), |()| Exit::Pass)
}
