//! The scenarios that the program carries, and their recorded snapshots.

mod claims;

pub use claims::{CLAIMS, Said};

use crate::run::NamedScenario;

mod files {
    include!(concat!(env!("OUT_DIR"), "/carried.rs"));
}

/// Returns every carried scenario, ordered by name.
pub fn scenarios() -> Vec<NamedScenario> {
    files::SCENARIOS
        .iter()
        .map(|(name, text)| NamedScenario {
            name: (*name).to_owned(),
            file: format!("scenarios/{name}.yaml"),
            text: (*text).to_owned(),
        })
        .collect()
}

/// Returns the text of a recorded snapshot's file, header included.
pub fn snapshot(name: &str) -> Option<&'static str> {
    files::SNAPSHOTS
        .iter()
        .find(|(found, _)| *found == name)
        .map(|(_, text)| *text)
}

/// Goes through the names of all recorded snapshots.
pub fn snapshot_names() -> impl Iterator<Item = &'static str> {
    files::SNAPSHOTS.iter().map(|(name, _)| *name)
}
