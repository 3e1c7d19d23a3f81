//! Where programs are, and which version of them is installed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::scenario::Manifest;

/// Where programs are looked for: a world has no environment.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Tells whether a program is installed, or is the file that its path names.
pub(super) fn is_there(program: &str) -> bool {
    path_of(program).is_some()
}

/// Returns where a program is.
pub(super) fn path_of(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(program.into()).filter(|path: &PathBuf| path.is_file());
    }
    let mut paths = PATH
        .split(':')
        .map(|folder| Path::new(folder).join(program));
    paths.find(|path| path.is_file())
}

/// Returns the programs that a manifest needs and that are not installed.
pub fn missing(manifest: &Manifest) -> Vec<String> {
    let needs = manifest.needs.iter().filter(|it| !is_there(it));
    needs.cloned().collect()
}

/// Asks a manifest's programs for their version: the first line that is said, if there is one.
pub fn version(manifest: &Manifest) -> Option<String> {
    let (program, arguments) = manifest.version.split_first()?;
    let asked = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&asked.stdout).into_owned()
        + &String::from_utf8_lossy(&asked.stderr);
    let line = said.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}
