//! `netproof doctor`.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::out::{print, unwritable};
use super::{DoctorArgs, Exit, Format};
use crate::report;
use crate::run::{Event, examine, summary};
use crate::world::Check;

/// A program of an implementation, and where it is when it is not in `PATH`.
type Tool = (&'static str, &'static [&'static str]);

/// Where system programs are that an ordinary user's `PATH` leaves out.
const SBIN: &[&str] = &["/usr/sbin", "/sbin", "/usr/local/sbin"];
const PODMAN: &[&str] = &["/usr/lib/podman", "/usr/libexec/podman"];
const CNI: &[&str] = &["/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"];
const SYSTEMD: &[&str] = &["/usr/lib/systemd", "/lib/systemd"];

const TOOLS: &[Tool] = &[
    ("ip", SBIN),
    ("iptables", SBIN),
    ("nft", SBIN),
    ("busybox", SBIN),
    ("ifup", SBIN),
    ("systemd-networkd", SYSTEMD),
    ("podman", &[]),
    ("netavark", PODMAN),
    ("docker", &[]),
    // The plugin that every set of CNI plugins has.
    ("bridge", CNI),
    ("lxc-start", &[]),
    ("ovs-vswitchd", SBIN),
    ("slirp4netns", &[]),
    ("pasta", &[]),
];

/// Says what this machine can run.
pub(super) fn doctor(args: &DoctorArgs) -> Exit {
    let mut checks = Vec::new();
    let tiers = examine(&mut |check| checks.push(check));
    let path = path();
    checks.extend(TOOLS.iter().map(|tool| look_for(tool, path.as_deref())));
    let last = summary(&tiers, &checks);
    let mut events: Vec<Event> = checks.into_iter().map(Event::Check).collect();
    events.push(last);
    let text = match args.format {
        Format::Human => report::doctor(&events),
        Format::Json => match lines(&events) {
            Ok(text) => text,
            // Plain data can always be written.
            Err(_) => return Exit::Bug,
        },
    };
    match print(&text) {
        Err(error) => unwritable(&error),
        Ok(()) if tiers.is_empty() => Exit::Machine,
        Ok(()) => Exit::Pass,
    }
}

fn lines(events: &[Event]) -> serde_json::Result<String> {
    let mut text = String::new();
    for event in events {
        text += &serde_json::to_string(event)?;
        text.push('\n');
    }
    Ok(text)
}

#[expect(
    clippy::disallowed_methods,
    reason = "where programs are is for the command line to know"
)]
fn path() -> Option<std::ffi::OsString> {
    std::env::var_os("PATH")
}

fn look_for((name, elsewhere): &Tool, path: Option<&OsStr>) -> Check {
    let check = if *elsewhere == CNI {
        format!("tool/cni-{name}")
    } else {
        format!("tool/{name}")
    };
    // `bridge` in PATH is a program of iproute2.
    let path = path.filter(|_| *elsewhere != CNI);
    let found = path
        .into_iter()
        .flat_map(std::env::split_paths)
        .chain(elsewhere.iter().map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| is_program(file));
    match found {
        Some(file) => Check::ok(check, file.display().to_string()),
        None => Check::absent(check, "not found"),
    }
}

fn is_program(file: &Path) -> bool {
    const EXECUTABLE: u32 = 0o111;
    file.metadata()
        .is_ok_and(|it| it.is_file() && it.permissions().mode() & EXECUTABLE != 0)
}
