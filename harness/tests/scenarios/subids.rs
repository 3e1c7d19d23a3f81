//! Tier `subuid` as an ordinary user: with the ids that /etc/subuid and /etc/subgid give, by newuidmap
//! and newgidmap; and what is said where there are none.
//!
//! Both files are others in the mount namespace of a case, so that this machine's own are not touched;
//! that takes root. Where the programs are missing the cases are shown as ignored;
//! `NETPROOF_REQUIRE=newuidmap` says that they may not be.

use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use libtest_mimic::{Failed, Trial};
use netproof::run::Event;
use nix::mount::{MsFlags, mount};
use nix::sched::CloneFlags;

use crate::{identity, support};

/// The argument of a process that gives itself other ids and then becomes netproof, as nobody.
const SUBIDS: &str = "__subids";

const TOOL: &str = "newuidmap";

/// The scenarios of which the bytes are compared.
const SCENARIOS: &[&str] = &["tutorials/gateway", "tutorials/web-database"];

/// Who has no ids, or no program that maps them, is told what to do.
const REFUSED: &[(&str, &str, &str)] = &[
    ("none-given", "", "`sudo usermod --add-subuids"),
    (
        "too-few-given",
        "nobody:200000:65535",
        "`sudo usermod --add-subuids",
    ),
    ("no-program", "no-program", "`sudo apt install uidmap`"),
    // newuidmap asks the same files; these ids are not for it to give.
    (
        "beyond-the-kernel",
        "nobody:4294960000:65536",
        "newuidmap and newgidmap have to be setuid root",
    ),
];

pub(crate) fn is_with_subids(arguments: impl IntoIterator<Item = OsString>) -> bool {
    arguments
        .into_iter()
        .nth(1)
        .is_some_and(|argument| argument == SUBIDS)
}

/// Gives nobody the ids of the second argument, and becomes netproof with the others, as nobody.
pub(crate) fn become_nobody(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut arguments = arguments.into_iter().skip(2);
    let given = arguments.next().unwrap_or_default();
    let given = given.to_string_lossy();
    enter_mount_namespace();
    let none = None::<&str>;
    // What is covered last is what this needs itself.
    mount(none, "/run", Some("tmpfs"), MsFlags::empty(), none).unwrap();
    fs::write("/run/given", format!("{given}\n")).unwrap();
    for file in ["/etc/subuid", "/etc/subgid"] {
        mount(Some("/run/given"), file, none, MsFlags::MS_BIND, none).expect("the file is there");
    }
    if given == "no-program" {
        fs::write("/run/given", "nobody:200000:65536\n").unwrap();
        for folder in support::FOLDERS.iter().filter(|it| Path::new(it).exists()) {
            mount(none, *folder, Some("tmpfs"), MsFlags::empty(), none).unwrap();
        }
    }
    let error = Command::new(env!("CARGO_BIN_EXE_netproof"))
        .args(arguments)
        .uid(identity::NOBODY)
        .gid(identity::NOBODY)
        .current_dir("/")
        .env("NETPROOF_PCAP", "")
        .exec();
    // Seen by whoever reads what it says in place of events.
    println!("{error}");
    ExitCode::FAILURE
}

#[expect(
    clippy::disallowed_methods,
    reason = "this machine's own files are not changed"
)]
fn enter_mount_namespace() {
    nix::sched::unshare(CloneFlags::CLONE_NEWNS).expect("this needs root");
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
}

pub(crate) fn trials() -> Vec<Trial> {
    let missing = !support::is_there(TOOL) || !support::is_there("newgidmap");
    let ignored = missing && !support::required().holds(TOOL);
    let is_root = nix::unistd::geteuid().is_root();
    if ignored {
        eprintln!("subids/: ignored, for there is no {TOOL}");
    } else if !is_root {
        eprintln!("subids/: ignored, for it takes root to give ids");
    }
    let refused = REFUSED
        .iter()
        .map(|(name, given, cure)| Trial::test(format!("subids/{name}"), || is_told(given, cure)));
    [
        Trial::test("subids/given", || same_bytes("nobody:200000:65536")),
        Trial::test("subids/given-by-number", || {
            same_bytes("65534:300000:65536")
        }),
        Trial::test("subids/given-in-pieces", || {
            same_bytes("nobody:200000:40000\nnobody:300000:40000")
        }),
    ]
    .into_iter()
    .chain(refused)
    .map(|trial| trial.with_ignored_flag(ignored || !is_root))
    .collect()
}

fn with(given: &str) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args([SUBIDS, given]).stdin(Stdio::null());
    command
}

fn same_bytes(given: &str) -> Result<(), Failed> {
    let ordinary = identity::facts(support::netproof_run().args(SCENARIOS))?;
    let mut run = with(given);
    run.args(["run", "--format", "json", "--tier", "subuid"])
        .args(SCENARIOS);
    let other = identity::facts(&mut run)?;
    if ordinary.is_empty() || ordinary != other {
        return Err(format!("other bytes: {ordinary:?}\n{other:?}").into());
    }
    Ok(())
}

/// Looks whether `doctor` and `run` name the cure, and whether nothing else is in doctor's way.
fn is_told(given: &str, cure: &str) -> Result<(), Failed> {
    let ran = support::run(with(given).args(["doctor", "--format", "json"]))?;
    let tier = ran.events.iter().find_map(|event| match event {
        Event::Check(check) if check.check == "tier/subuid" => check.cure.clone(),
        _ => None,
    });
    let run = support::run(
        with(given)
            .args(["run", "--format", "json", "--tier", "subuid"])
            .args(SCENARIOS),
    )?;
    let help = run.events.iter().find_map(|event| match event {
        Event::Failure { help, .. } => help.clone(),
        _ => None,
    });
    let named = help.as_ref().is_some_and(|help| help.contains(cure));
    if named && help == tier && (ran.code, run.code) == (Some(0), Some(3)) {
        return Ok(());
    }
    let (doctor, codes) = (ran.events, (ran.code, run.code));
    Err(format!("exit codes {codes:?}, {help:?}, {tier:?}: {doctor:#?}").into())
}
