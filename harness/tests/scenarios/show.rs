//! The scripts that scenarios are shown as can be run, by a real shell.
//!
//! These cases need `ip`, `iptables`, `ip6tables`, `sysctl` and `unshare`. Where one is missing they are shown as
//! ignored; `NETPROOF_REQUIRE=ip` says that none may be.

use std::process::{Command, Stdio};

use libtest_mimic::{Failed, Trial};
use netproof::run::NamedScenario;
use netproof::scenario::parse;

use crate::support;

const TOOLS: &[&str] = &[
    "ip",
    "iptables",
    "ip6tables",
    "ebtables",
    "nft",
    "sysctl",
    "unshare",
];

pub(crate) fn trials(scenarios: &[NamedScenario]) -> Vec<Trial> {
    let missing: Vec<&str> = TOOLS
        .iter()
        .copied()
        .filter(|tool| !support::is_there(tool))
        .collect();
    let ignored =
        !missing.is_empty() && missing.iter().all(|tool| !support::required().holds(tool));
    if ignored {
        eprintln!("show/: ignored, for there is no {}", missing.join(", no "));
    }
    let mut trials = Vec::new();
    for scenario in scenarios {
        let scenario = scenario.clone();
        trials.push(Trial::test(
            format!("show/script/{}", scenario.name),
            move || is_runnable(&scenario),
        ));
    }
    trials.push(Trial::test(
        "show/refuses-what-is-not-thrown-away",
        refuses_elsewhere,
    ));
    trials
        .into_iter()
        .map(|trial| trial.with_ignored_flag(ignored))
        .collect()
}

/// Runs the whole script as its first lines say. Where the kernel lacks what a scenario needs, so does
/// the script.
fn is_runnable(scenario: &NamedScenario) -> Result<(), Failed> {
    let script = parse(&scenario.file, &scenario.text)?.script();
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("script.sh");
    std::fs::write(&file, &script)?;
    let said_to_run = script
        .split_once("#     unshare")
        .and_then(|(_, rest)| rest.split_once("\n#\n"))
        .ok_or("the script does not say how it is run")?
        .0
        .replace("\\\n#", "")
        .replace("SCRIPT", &format!("'{}'", file.display()));
    let output = sh(&format!("unshare{said_to_run}")).output()?;
    if output.status.success() {
        Ok(())
    } else {
        let native = support::run(support::netproof_run().arg(&scenario.name))?;
        if let Some((feature, reason)) = support::lacking(&native.events) {
            return support::unsupported(&feature, &reason);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("{}\n{said}", output.status).into())
    }
}

fn sh(command: &str) -> Command {
    let mut sh = Command::new("sh");
    sh.args(["-c", command])
        .env("PATH", support::FOLDERS.join(":"))
        .stdin(Stdio::null());
    sh
}

/// A script that is run just so, here, changes nothing: it ends before its first command.
fn refuses_elsewhere() -> Result<(), Failed> {
    let text = "title: t\nnodes: [never-made]\nsteps: [{name: s, do: [up: never-made/lo]}]";
    let script = parse("refused.yaml", text)?.script();
    // Something is set up already, so even a namespace of its own is not good enough.
    let script = script.replace('\'', r"'\''");
    let prefix = "unshare --user --map-root-user --net --mount --pid --fork --mount-proc";
    let output = sh(&format!(
        "{prefix} sh -c 'ip link set lo up && mount -t tmpfs run /run && {{ {script}\n}}'"
    ))
    .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(1) && said.contains("something is set up here already") {
        Ok(())
    } else {
        Err(format!("{}\n{said}", output.status).into())
    }
}
