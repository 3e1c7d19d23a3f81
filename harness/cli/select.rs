//! From arguments to scenarios: files, folders, names of carried scenarios.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::Exit;
use super::out::{error_has_color, print_error};
use crate::carried;
use crate::run::NamedScenario;
use crate::scenario::{Scenario, parse, read};

/// A scenario that was read and checked.
pub(super) struct Selected {
    pub(super) scenario: Scenario,
    pub(super) named: NamedScenario,
    /// The folder of its snapshots; none for a carried one, whose snapshots are carried too.
    pub(super) snapshots: Option<PathBuf>,
}

/// Reads and checks every scenario that is meant; prints what is wrong with all of them.
pub(super) fn select(arguments: &[PathBuf]) -> Result<Vec<Selected>, Exit> {
    let mut wrong = false;
    let mut selected: Vec<Selected> = Vec::new();
    let mut complain = |text: &str| {
        wrong = true;
        print_error(&format!("{}\n", text.trim_end_matches('\n')));
    };
    if arguments.is_empty() {
        carried::scenarios()
            .into_iter()
            .for_each(|named| add_carried(named, &mut selected, &mut complain));
    }
    for argument in arguments {
        match files_of(argument) {
            Ok(files) => {
                for file in files {
                    add_file(&file, &mut selected, &mut complain);
                }
            }
            Err(Missing) => match carried_named(argument) {
                found if !found.is_empty() => found
                    .into_iter()
                    .for_each(|named| add_carried(named, &mut selected, &mut complain)),
                _ => complain(&unknown(argument)),
            },
        }
    }
    // A file that is named twice is one.
    let mut files = BTreeSet::new();
    selected.retain(|it| files.insert(real(&it.named.file)));
    // Two files of one name would share their snapshots and their lines in the report.
    let mut first: BTreeMap<&str, &str> = BTreeMap::new();
    for Selected { named, .. } in &selected {
        if let Some(other) = first.insert(&named.name, &named.file) {
            let (name, file) = (&named.name, &named.file);
            complain(&format!(
                "error[same-name]: two scenarios are called `{name}`: {other} and {file}\n  \
                 help: rename one, or run them one after the other\n"
            ));
        }
    }
    if wrong {
        Err(Exit::Usage)
    } else {
        Ok(selected)
    }
}

/// Reads and checks the one scenario that is meant; `why` says why it cannot be several.
pub(super) fn one(argument: &Path, why: &str) -> Result<Selected, Exit> {
    let mut selected = select(&[argument.to_owned()])?;
    let count = selected.len();
    selected.pop().filter(|_| count == 1).ok_or_else(|| {
        let shown = argument.display();
        print_error(&format!(
            "error[several-scenarios]: `{shown}` is {count} scenarios, and {why}\n  \
             help: `netproof list {shown}` names them\n"
        ));
        Exit::Usage
    })
}

/// Finds the step that is meant, the last one if none is named; returns its number.
pub(super) fn step_of(scenario: &Scenario, named: Option<usize>) -> Result<usize, Exit> {
    let steps = scenario.steps.len();
    let step = named.unwrap_or(steps);
    if (1..=steps).contains(&step) {
        return Ok(step);
    }
    print_error(&format!(
        "error[no-such-step]: there is no step {step}\n  help: write a number from 1 to {steps}\n"
    ));
    Err(Exit::Usage)
}

struct Missing;

/// Lists the files that a path means: itself, or every `.yaml` below it.
fn files_of(path: &Path) -> Result<Vec<PathBuf>, Missing> {
    if fs::symlink_metadata(path).is_err() {
        return Err(Missing);
    }
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            // A link to a folder may lead round in a circle.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            } else if is_scenario(&path) {
                files.push(path);
            }
        }
    }
    files.sort();
    // An empty folder is a mistake that `read` puts into words.
    Ok(if files.is_empty() {
        vec![path.to_owned()]
    } else {
        files
    })
}

/// Finds carried scenarios by name, or by the folder that they are in.
fn carried_named(argument: &Path) -> Vec<NamedScenario> {
    let name = argument.to_string_lossy();
    let name = name.trim_end_matches('/');
    let folder = format!("{name}/");
    carried::scenarios()
        .into_iter()
        .filter(|scenario| scenario.name == name || scenario.name.starts_with(&folder))
        .collect()
}

/// A file, whatever way leads to it; a carried one has only its name.
fn real(file: &str) -> PathBuf {
    fs::canonicalize(file).unwrap_or_else(|_| file.into())
}

/// Tells whether a file is one of a scenario, by its ending.
fn is_scenario(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default();
    ending == "yaml" || ending == "yml"
}

/// The scenario files in the folder that a path points into, as it would be written.
fn beside(path: &Path) -> impl Iterator<Item = String> + use<> {
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let looked_into = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => &folder,
    };
    let entries = fs::read_dir(looked_into).into_iter().flatten().flatten();
    entries
        .map(move |entry| folder.join(entry.file_name()))
        .filter(|path| is_scenario(path))
        .map(|path| path.display().to_string())
}

fn unknown(argument: &Path) -> String {
    let shown = argument.display().to_string();
    let carried = carried::scenarios().into_iter().map(|it| it.name);
    let nearest = beside(argument)
        .chain(carried)
        .map(|name| (strsim::jaro_winkler(&name, &shown), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let help = match nearest {
        Some((_, name)) => format!("did you mean `{name}`?"),
        None => "`netproof list` shows the scenarios that the program carries".to_owned(),
    };
    format!(
        "error[no-such-scenario]: there is no file and no carried scenario `{shown}`\n  help: {help}\n"
    )
}

fn add_carried(named: NamedScenario, to: &mut Vec<Selected>, complain: &mut dyn FnMut(&str)) {
    match parse(&named.file, &named.text) {
        Ok(scenario) => to.push(Selected {
            scenario,
            named,
            snapshots: None,
        }),
        Err(wrong) => complain(&wrong.render(error_has_color())),
    }
}

fn add_file(file: &Path, to: &mut Vec<Selected>, complain: &mut dyn FnMut(&str)) {
    let (text, scenario) = match read(file) {
        Ok(read) => read,
        Err(wrong) => return complain(&wrong.render(error_has_color())),
    };
    let (name, snapshots) = name_of(file);
    let named = NamedScenario {
        name,
        file: file.display().to_string(),
        text,
    };
    to.push(Selected {
        scenario,
        named,
        snapshots: Some(snapshots),
    });
}

/// Names a file by its way below the nearest folder `scenarios`, beside which its snapshots are; or
/// by its own name.
fn name_of(file: &Path) -> (String, PathBuf) {
    let full = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let root = full
        .ancestors()
        .skip(1)
        .find(|folder| folder.file_name().is_some_and(|name| name == "scenarios"));
    if let Some(root) = root
        && let Ok(below) = full.strip_prefix(root)
    {
        let name = below.with_extension("").display().to_string();
        return (name, root.with_file_name("snapshots"));
    }
    let name = full
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    (name, full.with_file_name("snapshots"))
}
