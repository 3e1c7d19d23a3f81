//! Machines that can do less: a user namespace in which something is limited or hidden, so that this
//! machine itself is not changed. What is in the way has to be named by `doctor` and by `run`.

use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};

use libtest_mimic::{Failed, Trial};
use netproof::run::Event;
use netproof::world::{Check, Status};
use nix::mount::{MsFlags, mount};
use nix::sched::CloneFlags;
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{getgid, getuid};

/// The argument of a process that limits itself and then becomes netproof.
const LIMITED: &str = "__limited";

/// An ordinary user in the namespace, so that no privilege outlives the limiting.
const USER: u32 = 1000;

pub(crate) fn is_limited(arguments: impl IntoIterator<Item = OsString>) -> bool {
    arguments
        .into_iter()
        .nth(1)
        .is_some_and(|argument| argument == LIMITED)
}

/// Limits this process as the second argument says, and becomes netproof with the others.
pub(crate) fn become_limited(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut arguments = arguments.into_iter().skip(2);
    let limit = arguments.next().unwrap_or_default();
    let limit = limit.to_string_lossy();
    let (what, value) = limit.split_once('=').expect("WHAT=VALUE");
    enter_user_namespace();
    match what {
        "open-files" => {
            let value = value.parse().expect("a number");
            setrlimit(Resource::RLIMIT_NOFILE, value, value).expect("fewer are allowed");
        }
        "cover" => {
            for folder in value.split(':').filter(|it| Path::new(it).exists()) {
                mount(
                    None::<&str>,
                    folder,
                    Some("tmpfs"),
                    MsFlags::empty(),
                    None::<&str>,
                )
                .expect("a folder can be covered");
            }
        }
        // The limits of a user namespace hold for all that are made in it.
        setting => fs::write(Path::new("/proc/sys/user").join(setting), value)
            .expect("the owner of a user namespace may limit it"),
    }
    let error = Command::new(env!("CARGO_BIN_EXE_netproof"))
        .args(arguments)
        .exec();
    // Seen by whoever reads what it says in place of events.
    println!("{error}");
    ExitCode::FAILURE
}

#[expect(
    clippy::disallowed_methods,
    reason = "a machine with less has to be made"
)]
fn enter_user_namespace() {
    let (uid, gid) = (getuid(), getgid());
    nix::sched::unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)
        .expect("worlds can be made here");
    fs::write("/proc/self/setgroups", "deny").unwrap();
    fs::write("/proc/self/uid_map", format!("{USER} {uid} 1")).unwrap();
    fs::write("/proc/self/gid_map", format!("{USER} {gid} 1")).unwrap();
}

/// A machine with an obstacle.
struct Machine {
    name: &'static str,
    limit: &'static str,
    /// The check that names the obstacle.
    check: &'static str,
    status: Status,
    /// A part of the cure.
    cure: &'static str,
    /// No scenario can be run.
    bars: bool,
}

const MACHINES: &[Machine] = &[
    Machine {
        name: "no-user-namespaces",
        limit: "max_user_namespaces=0",
        check: "setting/user.max_user_namespaces",
        status: Status::Missing,
        cure: "`sudo sysctl -w user.max_user_namespaces=15000`",
        bars: true,
    },
    Machine {
        name: "two-network-namespaces",
        limit: "max_net_namespaces=2",
        check: "setting/user.max_net_namespaces",
        status: Status::Limited,
        cure: "`sudo sysctl -w user.max_net_namespaces=15000`",
        bars: true,
    },
    Machine {
        name: "no-pid-namespaces",
        limit: "max_pid_namespaces=0",
        check: "setting/user.max_pid_namespaces",
        status: Status::Missing,
        cure: "`sudo sysctl -w user.max_pid_namespaces=15000`",
        bars: true,
    },
    Machine {
        name: "hardly-any-descriptors",
        limit: "open-files=12",
        check: "setting/open-files",
        status: Status::Limited,
        cure: "`ulimit -n 4096`",
        bars: true,
    },
    Machine {
        name: "few-descriptors",
        limit: "open-files=64",
        check: "setting/open-files",
        status: Status::Limited,
        cure: "`ulimit -n 4096`",
        bars: false,
    },
    Machine {
        name: "masked-proc",
        limit: "cover=/proc/fs",
        check: "setting/masked-proc",
        status: Status::Limited,
        cure: "`--security-opt systempaths=unconfined`",
        bars: true,
    },
    Machine {
        name: "no-tun",
        limit: "cover=/dev/net",
        check: "setting/dev-net-tun",
        status: Status::Missing,
        cure: "`sudo modprobe tun`",
        bars: false,
    },
];

pub(crate) fn trials() -> Vec<Trial> {
    MACHINES
        .iter()
        .map(|machine| Trial::test(format!("machines/{}", machine.name), || is_named(machine)))
        .chain([Trial::test("machines/no-programs", no_programs)])
        .collect()
}

/// What asks a program that is not installed is unsupported, and says which.
fn no_programs() -> Result<(), Failed> {
    let limit = "cover=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin";
    let (code, told) = netproof(limit, &["run", "tutorials/bridge-as-typed"])?;
    let lacks = told.iter().find_map(|event| match event {
        Event::Operation { lacks, reason, .. } => Some((lacks.clone()?, reason.clone()?)),
        _ => None,
    });
    let expected = (
        "ip".to_owned(),
        "there is no program `ip`: install it".to_owned(),
    );
    if (code, lacks.as_ref()) != (Some(3), Some(&expected)) {
        return Err(format!("exit code {code:?}, {lacks:?}: {told:#?}").into());
    }
    Ok(())
}

/// Runs netproof on a machine so limited; returns its exit code and its events.
fn netproof(limit: &str, arguments: &[&str]) -> Result<(Option<i32>, Vec<Event>), Failed> {
    let output = Command::new("/proc/self/exe")
        .args([LIMITED, limit])
        .args(arguments)
        .args(["--format", "json"])
        .output()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    let events: Vec<Event> = String::from_utf8(output.stdout)?
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    if events.is_empty() {
        return Err(format!("it told nothing: {stderr}").into());
    }
    Ok((output.status.code(), events))
}

fn is_named(machine: &Machine) -> Result<(), Failed> {
    let code = if machine.bars { Some(3) } else { Some(0) };
    let (doctor, looked) = netproof(machine.limit, &["doctor"])?;
    let check = |name: &str| -> Result<Check, Failed> {
        let found = looked.iter().find_map(|event| match event {
            Event::Check(check) if check.check == name => Some(check.clone()),
            _ => None,
        });
        found.ok_or_else(|| format!("no {name} in {looked:#?}").into())
    };
    let (named, tier) = (check(machine.check)?, check("tier/user")?);
    let cure = named.cure.clone().unwrap_or_default();
    if named.status != machine.status || !cure.contains(machine.cure) {
        return Err(format!("{named:#?}").into());
    }
    if doctor != code || (tier.status == Status::Ok) == machine.bars {
        return Err(format!("exit code {doctor:?}: {looked:#?}").into());
    }

    // A third node, since the world's own namespace counts and the smallest scenario has two.
    let (run, told) = netproof(machine.limit, &["run", "tutorials/web-database"])?;
    let help = told.iter().find_map(|event| match event {
        Event::Failure { help, .. } => help.clone(),
        _ => None,
    });
    // `run` says which setting it is, or who says it.
    let refers = |help: &String| help.contains("`netproof doctor` says which");
    let same = help == tier.cure && (help == named.cure || help.as_ref().is_some_and(refers));
    let same = !machine.bars || (help.is_some() && same);
    if run != code || !same {
        return Err(format!("exit code {run:?}, {help:?}; {tier:#?}; {named:#?}").into());
    }
    Ok(())
}
