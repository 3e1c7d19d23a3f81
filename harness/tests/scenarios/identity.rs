//! Same scenario, same bytes: in every tier, as every user, whatever the machine's settings are.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use libtest_mimic::{Failed, Trial};
use netproof::run::Event;

use crate::support;

/// A way to run all scenarios that must make no difference.
struct Variant {
    name: &'static str,
    /// Only root can do it.
    needs_root: bool,
    change: fn(&mut Command) -> &mut Command,
}

/// `nobody`, who has no privileges and owns nothing.
pub(crate) const NOBODY: u32 = 65534;

const VARIANTS: &[Variant] = &[
    Variant {
        name: "hostile-machine",
        needs_root: false,
        change: |command| command.arg("--hostile-baseline"),
    },
    Variant {
        name: "one-at-a-time",
        needs_root: false,
        change: |command| command.args(["--jobs", "1"]),
    },
    Variant {
        name: "no-tools",
        needs_root: false,
        change: |command| command.env("PATH", "/nonexistent"),
    },
    Variant {
        name: "tier-root",
        needs_root: true,
        change: |command| command.args(["--tier", "root"]),
    },
    Variant {
        name: "tier-root-hostile-machine",
        needs_root: true,
        change: |command| command.args(["--tier", "root", "--hostile-baseline"]),
    },
    Variant {
        name: "tier-subuid",
        needs_root: true,
        change: |command| command.args(["--tier", "subuid"]),
    },
    Variant {
        name: "uid-65534",
        needs_root: true,
        change: |command| command.uid(NOBODY).gid(NOBODY).current_dir("/"),
    },
    Variant {
        name: "uid-65534-hostile-machine",
        needs_root: true,
        change: |command| {
            command
                .uid(NOBODY)
                .gid(NOBODY)
                .current_dir("/")
                .arg("--hostile-baseline")
        },
    },
];

/// One case for each variant; those that need root are shown as ignored to others.
pub(crate) fn trials() -> Vec<Trial> {
    let is_root = nix::unistd::geteuid().is_root();
    VARIANTS
        .iter()
        .map(|variant| {
            Trial::test(format!("identity/{}", variant.name), || same_bytes(variant))
                .with_ignored_flag(variant.needs_root && !is_root)
        })
        .collect()
}

/// The carried scenarios that take facts; those of containers take none, since what an implementation calls
/// its interfaces is its own.
const WITH_FACTS: [&str; 3] = ["concepts", "fates", "tutorials"];

/// Runs the carried scenarios the ordinary way and the other; the facts have to be the same text,
/// and the recorded one.
fn same_bytes(variant: &Variant) -> Result<(), Failed> {
    let ordinary = facts(support::netproof_run().args(WITH_FACTS))?;
    let other = facts((variant.change)(support::netproof_run().args(WITH_FACTS)))?;
    if ordinary.is_empty() {
        return Err("no facts were taken".into());
    }
    let differing: Vec<&String> = ordinary
        .iter()
        .filter(|(name, text)| other.get(*name) != Some(text))
        .map(|(name, _)| name)
        .chain(other.keys().filter(|name| !ordinary.contains_key(*name)))
        .collect();
    if differing.is_empty() {
        Ok(())
    } else {
        Err(format!("other bytes: {differing:?}").into())
    }
}

pub(crate) fn facts(command: &mut Command) -> Result<BTreeMap<String, String>, Failed> {
    let ran = support::run(command)?;
    if ran.code != Some(0) {
        let failed: Vec<&Event> = ran
            .events
            .iter()
            .filter(|event| matches!(event, Event::Failure { .. } | Event::Summary { .. }))
            .collect();
        return Err(format!("exit code {:?}: {}\n{failed:?}", ran.code, ran.stderr).into());
    }
    Ok(ran
        .events
        .into_iter()
        .filter_map(|event| match event {
            Event::Facts { name, text, .. } => Some((name, text)),
            _ => None,
        })
        .collect())
}
