//! Where programs are, and which version of them is installed.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Choice;
use crate::scenario::Manifest;

/// Where programs are looked for: a world has no environment.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Makes a command of words, with an environment that has nothing but `PATH` and `LC_ALL`.
pub fn bare<S: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .env("LC_ALL", "C");
    command
}

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
    said_by(&manifest.version)
}

/// Runs a command that says its version, and returns its first line.
fn said_by(words: &[String]) -> Option<String> {
    let (program, arguments) = words.split_first()?;
    let asked = bare(program, arguments)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&asked.stdout).into_owned()
        + &String::from_utf8_lossy(&asked.stderr);
    let line = said.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// Says what an implementation needs that this machine does not have, where there is any.
pub fn absence(choice: &Choice) -> Option<String> {
    let missing = match (choice.driver(), choice.manifest()) {
        (Some(driver), _) => {
            let needs = driver.needs.iter().filter(|it| !is_there(it));
            let devices = driver.devices.iter().filter(|it| !Path::new(it).exists());
            needs.chain(devices).map(|it| (*it).to_owned()).collect()
        }
        (None, Ok(Some(manifest))) => missing(&manifest),
        (None, _) => Vec::new(),
    };
    (!missing.is_empty()).then(|| format!("missing: {}", missing.join(", ")))
}

/// Asks the package that a file came with for its version, where the machine has packages of Debian's.
fn package_version(file: &Path) -> Option<String> {
    let ask = |words: &[&str]| {
        let mut ask = bare("dpkg-query", words);
        let asked = ask.stdin(Stdio::null()).output().ok()?;
        let said = String::from_utf8(asked.stdout).ok()?;
        asked.status.success().then_some(said)
    };
    let packages = ask(&["--search", file.to_str()?])?;
    let (package, _) = packages.split_once(':')?;
    let version = ask(&["--show", "--showformat", "${Version}", package])?;
    Some(format!("{package} {version}"))
}

/// Asks which version of an implementation is installed, as far as its programs tell.
pub fn installed_version(choice: &Choice) -> Option<String> {
    match (choice.driver(), choice.manifest()) {
        (Some(driver), _) => {
            let words: Vec<String> = driver.version.iter().map(|it| (*it).to_owned()).collect();
            // What a distribution builds by hand says that it does not know: plugins of CNI, pasta.
            let said = said_by(&words).filter(|line| !line.contains("unknown"));
            said.or_else(|| package_version(&path_of(driver.needs.first()?)?))
        }
        (None, Ok(Some(manifest))) => version(&manifest),
        // An adapter says so itself, when it is asked who it is.
        (None, Ok(None)) if *choice != Choice::Native => None,
        (None, Ok(None)) => Some(concat!("netproof ", env!("CARGO_PKG_VERSION")).to_owned()),
        (None, Err(_)) => None,
    }
}
