//! `netproof implementations`, and the choice of one.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::out::{error_has_color, print, print_error, unwritable};
use super::{Exit, Format, ImplementationsArgs};
use crate::implement::{Choice, missing, version};
use crate::scenario::{Diagnostics, Manifest, Operation, suggest};

/// Lists implementations, one a line, or says what is wrong with their manifests.
pub(super) fn implementations(args: &ImplementationsArgs) -> Exit {
    let names: Vec<PathBuf> = match args.names.as_slice() {
        [] => Choice::names().map(PathBuf::from).collect(),
        names => names.to_vec(),
    };
    let found: Vec<_> = names.iter().map(|name| chosen(name)).collect();
    if let Some(exit) = found.iter().find_map(|it| it.as_ref().err()) {
        return *exit;
    }
    let manifests: Vec<Option<Manifest>> = found.into_iter().flatten().map(|(_, it)| it).collect();
    let name_of = |manifest: &Option<Manifest>| {
        manifest
            .as_ref()
            .map_or("native".to_owned(), |it| it.name.clone())
    };
    let width = manifests.iter().map(|it| name_of(it).len()).max();
    for manifest in &manifests {
        let (name, width) = (name_of(manifest), width.unwrap_or_default());
        let about = manifest
            .as_ref()
            .map_or("netproof's own, over netlink", |it| &it.about);
        let verbs = manifest
            .as_ref()
            .map_or(Operation::VERBS.len(), |it| it.verbs().count());
        let version = match manifest {
            Some(manifest) => version(manifest),
            None => Some(concat!("netproof ", env!("CARGO_PKG_VERSION")).to_owned()),
        };
        let missing = manifest.as_ref().map(missing).unwrap_or_default();
        let text = match args.format {
            Format::Human => {
                let state = match (missing.as_slice(), version) {
                    ([], Some(version)) => version,
                    ([], None) => "installed".to_owned(),
                    (missing, _) => format!("missing: {}", missing.join(", ")),
                };
                format!("{name:<width$}  {about}\n{:width$}  {state}\n", "")
            }
            Format::Json => {
                let line = json!({
                    "event": "implementation",
                    "implementation": name,
                    "about": about,
                    "version": version,
                    "missing": missing,
                    "verbs": verbs,
                });
                format!("{line}\n")
            }
        };
        if let Err(error) = print(&text) {
            return unwritable(&error);
        }
    }
    Exit::Pass
}

/// Finds the implementation of a name or file; where it cannot be used, says why.
pub(super) fn choose(name: &Path) -> Result<Choice, Exit> {
    chosen(name).map(|(choice, _)| choice)
}

fn chosen(name: &Path) -> Result<(Choice, Option<Manifest>), Exit> {
    let shown = name.display().to_string();
    let complain = |problems: Diagnostics| {
        print_error(&format!("{}\n", problems.render(error_has_color())));
        Exit::Usage
    };
    let choice = match Choice::named(&shown) {
        Some(choice) => choice,
        None if name.exists() => Choice::read(name).map_err(complain)?,
        None => {
            let names: Vec<&str> = Choice::names().collect();
            print_error(&format!(
                "error[no-such-implementation]: there is no file and no implementation `{shown}`\n  \
                 help: {}\n",
                suggest::help(&shown, &names)
            ));
            return Err(Exit::Usage);
        }
    };
    let manifest = choice.manifest().map_err(complain)?;
    Ok((choice, manifest))
}
