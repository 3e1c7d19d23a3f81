//! What is said of machines that cannot run netproof: refusals, checks and their cures.

use std::collections::BTreeSet;

use netproof::kernel::KernelError;
use netproof::world::{Stage, UNKNOWN_CURE, WorldError};
use nix::errno::Errno;

use super::{code, lines_of, netproof, read, table};

/// Every refusal that a machine is known for, with what netproof says about it.
fn cures() -> Vec<&'static str> {
    let stages = [
        Stage::UserNamespace,
        Stage::IdMap,
        Stage::Namespaces,
        Stage::Mounts,
        Stage::NetNamespace,
    ];
    let errnos = [Errno::ENOSPC, Errno::EPERM, Errno::EACCES];
    let error = |stage, errno| WorldError {
        stage,
        node: None,
        detail: None,
        reason: KernelError::from_errno(errno),
    };
    stages
        .into_iter()
        .flat_map(|stage| errnos.map(|errno| error(stage, errno).cure()))
        .collect()
}

#[test]
fn the_readme_names_the_remedies_that_netproof_names() {
    let readme = read("README.md");
    let lines = lines_of(&readme, "sh");
    let settings: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.split('#').next())
        .map(str::trim)
        .filter(|line| line.starts_with("sudo sysctl "))
        .collect();
    let cures = cures().join("\n");
    for setting in &settings {
        assert!(cures.contains(setting), "{setting}");
    }
    let named: BTreeSet<&str> = cures
        .split('`')
        .filter(|part| part.starts_with("sudo sysctl "))
        .collect();
    assert_eq!(named, settings.into_iter().collect());
}

#[test]
fn every_refusal_is_listed_with_the_cure_that_netproof_names() {
    let stages = [
        Stage::UserNamespace,
        Stage::IdMap,
        Stage::IdRange,
        Stage::Namespaces,
        Stage::Process,
        Stage::Mounts,
        Stage::NetNamespace,
        Stage::Baseline,
        Stage::Socket,
    ];
    let errnos = [
        Errno::ENOSPC,
        Errno::EPERM,
        Errno::EACCES,
        Errno::EINVAL,
        Errno::EMFILE,
        Errno::EAGAIN,
        Errno::ENOMEM,
        Errno::ENOENT,
        Errno::ENODATA,
        Errno::ENOSYS,
    ];
    let known: Vec<(String, &str)> = stages
        .into_iter()
        .flat_map(|stage| {
            errnos.map(|errno| {
                let error = WorldError {
                    stage,
                    node: None,
                    detail: None,
                    reason: KernelError::from_errno(errno),
                };
                (error.to_string(), error.cure())
            })
        })
        .filter(|(_, cure)| *cure != UNKNOWN_CURE)
        .collect();
    let rows = table(&read("docs/troubleshooting.md"), &["message", "cure"]);
    for row in &rows {
        let is = |(message, cure): &(String, &str)| *message == row[0] && *cure == row[1];
        assert!(known.iter().any(is), "{row:?}");
    }
    let listed: BTreeSet<&str> = rows.iter().map(|row| row[1].as_str()).collect();
    assert_eq!(
        known.iter().map(|(_, cure)| *cure).collect::<BTreeSet<_>>(),
        listed
    );
}

#[test]
fn every_check_of_doctor_is_listed() {
    let document = read("docs/troubleshooting.md");
    let rows = table(&document, &["check", "when it is an obstacle"]);
    let listed: Vec<&str> = rows.iter().map(|row| code(&row[0])).collect();
    let (output, _) = netproof("doctor --format json");
    let checks: Vec<&str> = output
        .lines()
        .filter_map(|line| line.split("\"check\":\"").nth(1)?.split('"').next())
        .filter(|check| !check.starts_with("tool/"))
        .collect();
    assert_eq!(listed, checks);
}
