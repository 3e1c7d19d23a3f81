//! `netproof list`.

use serde_json::json;

use super::out::{print, unwritable};
use super::select::select;
use super::{Exit, Format, ListArgs};

/// Lists scenarios, one a line.
pub(super) fn list(args: &ListArgs) -> Exit {
    let selected = match select(&args.selection.scenarios) {
        Ok(selected) => selected,
        Err(exit) => return exit,
    };
    let width = selected
        .iter()
        .map(|it| it.named.name.len())
        .max()
        .unwrap_or_default();
    for it in selected {
        let (name, scenario) = (&it.named.name, &it.scenario);
        let line = match args.format {
            Format::Human => format!("{name:<width$}  {}\n", scenario.title),
            Format::Json => {
                let line = json!({
                    "event": "listed",
                    "scenario": name,
                    "title": scenario.title,
                    "source": scenario.source,
                    "file": it.named.file,
                    "steps": scenario.steps.len(),
                    "expectations": scenario.expectation_count(),
                });
                format!("{line}\n")
            }
        };
        if let Err(error) = print(&line) {
            return unwritable(&error);
        }
    }
    Exit::Pass
}
