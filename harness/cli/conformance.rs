//! `netproof conformance`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::implementations::choose;
use super::out::{print, print_error, unwritable, unwritable_file};
use super::printer::required;
use super::run::recorded;
use super::select::{Selected, select};
use super::workers::{Told, run_all};
use super::{ConformanceArgs, Exit, MatrixFormat, deadlines};
use crate::implement::{Choice, absence, installed_version};
use crate::report::{
    matrix_as_junit, matrix_as_markdown, matrix_changes, matrix_has_red, matrix_row,
    matrix_without_rows,
};
use crate::run::{Blame, Cell, Event, Runner};
use crate::world::Tier;

/// Runs the scenarios of networks and endpoints with every implementation, and prints the matrix.
pub(super) fn conformance(args: &ConformanceArgs) -> Exit {
    let selected = match select(&args.selection.scenarios) {
        Ok(selected) => selected,
        Err(exit) => return exit,
    };
    let selected: Vec<Selected> = selected
        .into_iter()
        .filter(|it| it.scenario.has_intents())
        .collect();
    if selected.is_empty() {
        print_error(
            "error[nothing-to-try]: no scenario asks an implementation for a network\n  \
             help: `netproof list containers` names those that do\n",
        );
        return Exit::Usage;
    }
    let choices = match implementations(args) {
        Ok(choices) => choices,
        Err(exit) => return exit,
    };
    let before = match args.against.as_deref().map(read_report).transpose() {
        Ok(before) => before,
        Err(exit) => return exit,
    };
    let mut report = match Report::open(args) {
        Ok(report) => report,
        Err(exit) => return exit,
    };
    let mut worst = Exit::Pass;
    let width = choices.iter().map(|choice| choice.name().len()).max();
    for choice in &choices {
        worst = worst.max(row(args, choice, &selected, &mut report));
        report.end_row(width.unwrap_or_default());
    }
    if let Err(error) = report.close() {
        return unwritable(&error);
    }
    if let (Some(path), Some(error)) = (&args.report, &report.unwritten) {
        return unwritable_file(&path.display().to_string(), error);
    }
    if let Some(before) = before {
        let changes = matrix_changes(&before, &report.events);
        let text = match changes.as_str() {
            "" => "nothing has changed\n".to_owned(),
            changes => format!("changed:\n{changes}"),
        };
        print_error(&text);
    }
    match matrix_has_red(&report.events) {
        true => worst.max(Exit::Fail),
        false => worst,
    }
}

/// Finds everybody who is to be tried, each once.
fn implementations(args: &ConformanceArgs) -> Result<Vec<Choice>, Exit> {
    let mut names: Vec<PathBuf> = args.implementation.clone();
    names.extend(args.adapter.iter().cloned());
    if names.is_empty() {
        names = Choice::names().map(PathBuf::from).collect();
    }
    let choices: Vec<Choice> = names
        .iter()
        .map(|name| choose(name))
        .collect::<Result<_, _>>()?;
    for (at, choice) in choices.iter().enumerate() {
        let name = choice.name();
        if choices[..at].iter().any(|other| other.name() == name) {
            print_error(&format!(
                "error[same-name]: two implementations are called `{name}`\n  \
                 help: name each once; an adapter is called by its file, which can be renamed\n"
            ));
            return Err(Exit::Usage);
        }
    }
    Ok(choices)
}

/// Tries one implementation: its row, then its cells.
fn row(args: &ConformanceArgs, choice: &Choice, selected: &[Selected], to: &mut Report) -> Exit {
    let name = choice.name();
    let tier = match choice {
        Choice::Adapter { .. } => args.tier.into(),
        _ => choice.tier(),
    };
    let version = installed_version(choice);
    let absent = absence(choice).or_else(|| no_world(tier));
    to.take(Event::Row {
        implementation: name.clone(),
        about: choice.about(),
        version: version.clone(),
        tier,
        absent: absent.clone(),
    });
    if let Some(absent) = absent {
        if !required().holds(&name) {
            return Exit::Pass;
        }
        print_error(&format!(
            "error: NETPROOF_REQUIRE asks for {name}, which cannot be tried: {absent}\n  \
             help: install it, or leave it out of NETPROOF_REQUIRE\n"
        ));
        return Exit::Machine;
    }
    let runner = Runner::new(tier, false)
        .with_interior(choice.interior())
        .with_deadlines(deadlines(args.deadline))
        .with_implementation(choice.clone());
    let begin = |it: &'_ Selected| {
        let cell = Cell::new(
            (&name, version.as_deref()),
            tier,
            &it.named.name,
            &it.scenario,
        );
        (it.named.name.clone(), cell)
    };
    let mut cells: BTreeMap<String, Cell> = selected.iter().map(begin).collect();
    let mut worst = Exit::Pass;
    run_all(&runner, selected, args.jobs, |told| match told {
        Told::Event(event) => {
            if let Some(cell) = event.scenario().and_then(|name| cells.get_mut(name)) {
                cell.take(&event);
            }
        }
        Told::Outcome(mut outcome) => {
            let folder = selected.iter().find(|it| it.named.name == outcome.scenario);
            let folder = folder.and_then(|it| it.snapshots.as_deref());
            outcome.judge_snapshots(&|name| recorded(folder, name), &mut |_| {});
            outcome.judge_deviation();
            if outcome.blame == Some(Blame::Netproof) {
                worst = worst.max(Exit::Bug);
            }
            if let Some(cell) = cells.remove(&outcome.scenario) {
                to.take(cell.event(&outcome));
            }
        }
    });
    runner.wait_until_gone();
    worst
}

/// Says why no world of a tier can be made here, where that is so.
fn no_world(tier: Tier) -> Option<String> {
    let mut refused = None;
    Runner::new(tier, false).try_features(&mut |event| {
        if let Event::Failure { message, .. } = event {
            refused = Some(format!("no world of tier {}: {message}", tier.word()));
        }
    });
    refused
}

/// Reads an earlier report. A line that was not written to its end is left aside.
fn read_report(path: &Path) -> Result<Vec<Event>, Exit> {
    let text = fs::read_to_string(path).map_err(|error| {
        let shown = path.display();
        print_error(&format!(
            "error[no-report]: {shown} cannot be read: {error}\n  \
             help: `netproof conformance --report FILE` writes one\n"
        ));
        Exit::Usage
    })?;
    let events: Vec<Event> = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    if events
        .iter()
        .any(|event| matches!(event, Event::Cell { .. }))
    {
        return Ok(events);
    }
    let shown = path.display();
    print_error(&format!(
        "error[no-report]: there is no cell in {shown}\n  \
         help: `netproof conformance --report FILE` writes one\n"
    ));
    Err(Exit::Usage)
}

/// Opens a report to be gone on with. One that was broken off ends in the middle of a line, which is no part
/// of what comes now.
fn append_to(path: &Path) -> std::io::Result<File> {
    let mut file = File::options().create(true).append(true).open(path)?;
    let about = file.metadata()?;
    if about.is_file() && about.len() > 0 {
        let mut last = [0];
        let mut written = File::open(path)?;
        written.seek(SeekFrom::End(-1))?;
        written.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    Ok(file)
}

/// Everything that was found out, printed and written as it comes.
struct Report {
    format: MatrixFormat,
    file: Option<File>,
    events: Vec<Event>,
    /// Why the file is not whole, if it is not.
    unwritten: Option<std::io::Error>,
    /// Why what was printed is not whole, if it is not.
    unwritable: Option<std::io::Error>,
}

impl Report {
    fn open(args: &ConformanceArgs) -> Result<Self, Exit> {
        let file = args.report.as_deref().map(append_to).transpose();
        let file = file.map_err(|error| {
            let shown = args.report.as_deref().unwrap_or(Path::new("")).display();
            print_error(&format!(
                "error[unwritable-report]: {shown} cannot be written: {error}\n  \
                 help: name a file in a folder that is there and yours\n"
            ));
            Exit::Usage
        })?;
        Ok(Self {
            format: args.format,
            file,
            events: Vec::new(),
            unwritten: None,
            unwritable: None,
        })
    }

    fn take(&mut self, event: Event) {
        let line = serde_json::to_string(&event).unwrap_or_default() + "\n";
        if let Some(file) = &mut self.file {
            let written = file.write_all(line.as_bytes());
            self.unwritten = self.unwritten.take().or(written.err());
        }
        if self.format == MatrixFormat::Json {
            let printed = print(&line);
            self.unwritable = self.unwritable.take().or(printed.err());
        }
        self.events.push(event);
    }

    /// Prints the line of the row that has ended, for those who wait.
    fn end_row(&mut self, width: usize) {
        if self.format == MatrixFormat::Human {
            let printed = print(&matrix_row(&self.events, width));
            self.unwritable = self.unwritable.take().or(printed.err());
        }
    }

    /// Prints what can only be told when all is known.
    fn close(&mut self) -> std::io::Result<()> {
        match self.format {
            MatrixFormat::Human => print(&matrix_without_rows(&self.events))?,
            MatrixFormat::Markdown => print(&matrix_as_markdown(&self.events))?,
            MatrixFormat::Junit => print(&matrix_as_junit(&self.events))?,
            MatrixFormat::Json => {}
        }
        self.unwritable.take().map_or(Ok(()), Err)
    }
}
