//! `netproof implementations`, and the choice of one.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::out::{error_has_color, print, print_error, unwritable};
use super::{Exit, Format, ImplementationsArgs};
use crate::implement::{Choice, ChoiceError, absence, installed_version};
use crate::scenario::{Diagnostics, Operation};

/// Lists implementations, with their versions and what is not installed of what they need.
pub(super) fn implementations(args: &ImplementationsArgs) -> Exit {
    let names: Vec<PathBuf> = match args.names.as_slice() {
        [] => Choice::names().map(PathBuf::from).collect(),
        names => names.to_vec(),
    };
    let found: Vec<_> = names.iter().map(|name| choose(name)).collect();
    if let Some(exit) = found.iter().find_map(|it| it.as_ref().err()) {
        return *exit;
    }
    let choices: Vec<Choice> = found.into_iter().flatten().collect();
    let width = choices.iter().map(|it| it.name().len()).max();
    for choice in &choices {
        let text = match args.format {
            Format::Human => described(choice, width.unwrap_or_default()),
            Format::Json => format!("{}\n", event(choice)),
        };
        if let Err(error) = print(&text) {
            return unwritable(&error);
        }
    }
    Exit::Pass
}

fn described(choice: &Choice, width: usize) -> String {
    let (name, about) = (choice.name(), choice.about());
    let state = match (absence(choice), installed_version(choice)) {
        (Some(missing), _) => missing,
        (None, Some(version)) => version,
        (None, None) => "installed".to_owned(),
    };
    format!("{name:<width$}  {about}\n{:width$}  {state}\n", "")
}

fn event(choice: &Choice) -> serde_json::Value {
    let manifest = choice.manifest().ok().flatten();
    let level = if choice.takes_intents() { 2 } else { 1 };
    let verbs = match (&manifest, level) {
        (Some(manifest), _) => manifest.verbs().count(),
        (None, 1) => Operation::VERBS.len(),
        (None, _) => Operation::INTENTS.len(),
    };
    json!({
        "event": "implementation",
        "implementation": choice.name(),
        "about": choice.about(),
        "version": installed_version(choice),
        "absent": absence(choice),
        "level": level,
        "tier": choice.tier(),
        "verbs": verbs,
    })
}

/// Finds the implementation that is named, or reads and checks the manifest; prints what is wrong.
pub(super) fn choose(name: &Path) -> Result<Choice, Exit> {
    let shown = name.display().to_string();
    let complain = |problems: Diagnostics| {
        print_error(&format!("{}\n", problems.render(error_has_color())));
        Exit::Usage
    };
    let choice = Choice::parse(&shown).map_err(|error| match error {
        ChoiceError::Manifest(problems) => complain(problems),
        error => {
            let help = error.help().unwrap_or_default();
            print_error(&format!(
                "error[no-such-implementation]: {error}\n  help: {help}\n"
            ));
            Exit::Usage
        }
    })?;
    choice.manifest().map_err(complain)?;
    Ok(choice)
}
