//! Where the packets of a scenario are written.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::Exit;
use super::out::print_error;
use crate::judge::Verdict;
use crate::report::pcapng;
use crate::run::{Event, Outcome};

/// The environment variable that names the folder, as `--pcap` does; empty if no file is wanted.
const VARIABLE: &str = "NETPROOF_PCAP";

/// How many folders of this process's number others may have left behind.
const OTHERS: usize = 10_000;

/// The files of one run.
#[derive(Debug)]
pub(super) struct PacketFiles {
    wanted: Wanted,
    /// How many files each scenario has by now.
    written: BTreeMap<String, usize>,
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    /// Nowhere.
    Never,
    /// Of scenarios that fail, in a folder for temporary files, once it is made.
    Failures(Option<PathBuf>),
    /// Of all scenarios, in this folder.
    All(PathBuf),
}

impl PacketFiles {
    /// Decides from the command line, or else from the environment. A folder that is named is made at once,
    /// so that nothing is run in vain; where that cannot be, this says so.
    pub(super) fn new(folder: Option<&Path>) -> Result<Self, Exit> {
        let wanted = wanted(folder, variable());
        if let Wanted::All(folder) = &wanted
            && let Err(error) = fs::create_dir_all(folder)
        {
            let shown = folder.display();
            print_error(&format!(
                "error[unwritable-packets]: the folder {shown} cannot be made: {error}\n  \
                 help: name one that can with --pcap, or {VARIABLE}\n"
            ));
            return Err(Exit::Usage);
        }
        Ok(Self {
            wanted,
            written: BTreeMap::new(),
        })
    }

    /// Tells whether packets have to be kept at all.
    pub(super) fn are_wanted(&self) -> bool {
        self.wanted != Wanted::Never
    }

    /// Tells whether somebody named the folder.
    pub(super) fn are_asked_for(&self) -> bool {
        matches!(self.wanted, Wanted::All(_))
    }

    /// Writes the packets of a scenario that was judged, if they are wanted and there are any, and
    /// returns the event that says so.
    pub(super) fn write(&mut self, outcome: &Outcome) -> Result<Option<Event>, Unwritten> {
        let failed = matches!(
            outcome.verdict,
            Verdict::Fail | Verdict::Error | Verdict::Xpass
        );
        if outcome.packets.is_empty() {
            return Ok(None);
        }
        let folder = match &mut self.wanted {
            Wanted::All(folder) => folder.clone(),
            Wanted::Failures(folder) if failed => match folder {
                Some(folder) => folder.clone(),
                None => folder.insert(temporary_folder()?).clone(),
            },
            Wanted::Failures(_) | Wanted::Never => return Ok(None),
        };
        let stem = outcome.scenario.replace('/', "__");
        let number = self.written.entry(stem.clone()).or_default();
        *number += 1;
        let name = match number {
            1 => format!("{stem}.pcapng"),
            number => format!("{stem}.{number}.pcapng"),
        };
        let path = folder.join(name);
        fs::write(&path, pcapng(&outcome.scenario, &outcome.packets)).map_err(|source| {
            Unwritten {
                path: path.clone(),
                source,
            }
        })?;
        Ok(Some(Event::Packets {
            scenario: outcome.scenario.clone(),
            file: path.display().to_string(),
            packets: outcome.packets.count(),
            left_out: outcome.packets.left_out,
        }))
    }
}

/// Why packets could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write packets to {}: {source}", path.display())]
pub(super) struct Unwritten {
    path: PathBuf,
    source: io::Error,
}

#[expect(
    clippy::disallowed_methods,
    reason = "the environment is where CI says it for every command at once"
)]
fn variable() -> Option<OsString> {
    std::env::var_os(VARIABLE)
}

fn wanted(folder: Option<&Path>, variable: Option<OsString>) -> Wanted {
    match (folder, variable) {
        (Some(folder), _) => Wanted::All(folder.to_owned()),
        (None, Some(variable)) if variable.is_empty() => Wanted::Never,
        (None, Some(variable)) => Wanted::All(variable.into()),
        (None, None) => Wanted::Failures(None),
    }
}

/// Makes a folder that is ours alone: what others may write to could be a link to anywhere.
fn temporary_folder() -> Result<PathBuf, Unwritten> {
    let (above, process) = (std::env::temp_dir(), std::process::id());
    for other in 0..OTHERS {
        let path = match other {
            0 => above.join(format!("netproof-{process}")),
            other => above.join(format!("netproof-{process}.{other}")),
        };
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(Unwritten { path, source }),
        }
    }
    Err(Unwritten {
        path: above,
        source: io::ErrorKind::AlreadyExists.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_goes_before_the_environment() {
        let folder = |name: &str| Wanted::All(name.into());
        let (a, b) = (Path::new("a"), || Some(OsString::from("b")));
        assert_eq!(wanted(Some(a), b()), folder("a"));
        assert_eq!(wanted(None, b()), folder("b"));
        assert_eq!(wanted(None, Some(OsString::new())), Wanted::Never);
        assert_eq!(wanted(None, None), Wanted::Failures(None));
    }
}
