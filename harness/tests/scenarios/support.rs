//! What several kinds of cases need: the scenarios on disk, and the built program.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, io};

use libtest_mimic::Failed;
use netproof::report::pcapng;
use netproof::run::{Event, NamedScenario, Outcome, Required};

/// Where tools are, also for a user whose own path leaves out those of an administrator.
pub(crate) const FOLDERS: &[&str] = &[
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

/// Tells whether a tool is installed.
pub(crate) fn is_there(tool: &str) -> bool {
    FOLDERS
        .iter()
        .any(|folder| Path::new(folder).join(tool).exists())
}

/// The root of the package.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Reads every scenario under `scenarios/`, ordered by name.
pub(crate) fn scenarios() -> Vec<NamedScenario> {
    let folder = root().join("scenarios");
    let mut files = Vec::new();
    files_below(&folder, "yaml", &mut files).expect("scenarios/ can be read");
    files.sort();
    files
        .iter()
        .map(|file| NamedScenario {
            name: file
                .strip_prefix(&folder)
                .unwrap()
                .with_extension("")
                .display()
                .to_string(),
            file: file.strip_prefix(root()).unwrap().display().to_string(),
            text: fs::read_to_string(file).expect("a scenario can be read"),
        })
        .collect()
}

/// Collects the files with an ending below a folder.
pub(crate) fn files_below(folder: &Path, ending: &str, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files_below(&path, ending, files)?;
        } else if path.extension().is_some_and(|found| found == ending) {
            files.push(path);
        }
    }
    Ok(())
}

/// What a run of the program gave.
#[must_use = "look at the exit code or the events"]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) events: Vec<Event>,
    pub(crate) stderr: String,
}

/// Writes the packets of a scenario that failed beside the built tests, and says where.
pub(crate) fn write_packets(outcome: &Outcome) -> io::Result<Event> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("packets");
    fs::create_dir_all(&folder)?;
    let file = folder.join(format!("{}.pcapng", outcome.scenario.replace('/', "__")));
    fs::write(&file, pcapng(&outcome.scenario, &outcome.packets))?;
    Ok(Event::Packets {
        scenario: outcome.scenario.clone(),
        file: file.display().to_string(),
        packets: outcome.packets.count(),
        left_out: outcome.packets.left_out,
    })
}

/// Begins a command of the built program that runs scenarios and tells events.
pub(crate) fn netproof_run() -> Command {
    netproof("run")
}

/// Begins a command of the built program that tells events.
pub(crate) fn netproof(verb: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netproof"));
    command
        .args([verb, "--format", "json"])
        // What fails here is meant to.
        .env("NETPROOF_PCAP", "")
        .stdin(Stdio::null());
    command
}

/// Runs a command of [`netproof`] to its end.
pub(crate) fn run(command: &mut Command) -> Result<Ran, Failed> {
    let output = command.output()?;
    let events = String::from_utf8(output.stdout)?
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<Vec<Event>, _>>()?;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(Ran {
        code: output.status.code(),
        events,
        stderr,
    })
}

/// Returns what this machine must have: `NETPROOF_REQUIRE=vlan,ip`, or `all`.
#[expect(
    clippy::disallowed_methods,
    reason = "what the machine must have is said where the machine is chosen"
)]
pub(crate) fn required() -> Required {
    Required::parse(&std::env::var(Required::VARIABLE).unwrap_or_default())
}

/// Passes a case whose scenario this kernel has no means for, and says so; fails it where the
/// environment requires the feature.
pub(crate) fn unsupported(feature: &str, reason: &str) -> Result<(), Failed> {
    if required().holds(feature) {
        return Err(format!("NETPROOF_REQUIRE asks for {feature}: {reason}").into());
    }
    println!("unsupported: {reason}");
    Ok(())
}

/// Returns the feature that a scenario lacks, and the reason, where that ended it.
pub(crate) fn lacking(events: &[Event]) -> Option<(String, String)> {
    events.iter().find_map(|event| match event {
        Event::Operation {
            lacks: Some(feature),
            reason,
            ..
        } => Some((feature.clone(), reason.clone().unwrap_or_default())),
        _ => None,
    })
}

/// Takes the ANSI styles out of a report.
pub(crate) fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}
