//! Nothing outlives its starter: whichever process of a run is killed, at whatever moment, no
//! process, no name and no file is left.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use netproof::kernel::wait;
use netproof::run::{Deadlines, Event, Request, Task};
use netproof::world::{Interior, Launch, Line, Tier};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::support;

/// At how many moments each process is killed, unless `NETPROOF_LIFE_MOMENTS` says otherwise.
const MOMENTS: u32 = 12;

/// How long a killed run may take to be gone. The kernel needs milliseconds; the rest is for a
/// machine that has more to do.
const GONE_DEADLINE: Duration = Duration::from_secs(15);

/// Whom a run loses.
#[derive(Debug, Clone, Copy)]
enum Victim {
    /// The program itself.
    Starter,
    /// The process between it and pid 1 of a world.
    Shim,
    /// Pid 1 of a world.
    Init,
    /// The process that carries a scenario through.
    Runner,
    /// All of them get Ctrl-C.
    Everyone,
}

pub(crate) fn trials() -> Vec<Trial> {
    let victims = [
        ("starter", Victim::Starter),
        ("shim", Victim::Shim),
        ("init", Victim::Init),
        ("runner", Victim::Runner),
        ("ctrl-c", Victim::Everyone),
    ];
    let mut trials = Vec::new();
    for (name, victim) in victims {
        for tier in [Tier::User, Tier::Subuid] {
            let (of, ignored) = match tier {
                Tier::Subuid => ("-in-tier-subuid", !nix::unistd::geteuid().is_root()),
                _ => ("", false),
            };
            let case = move || nothing_is_left(victim, tier);
            trials.push(
                Trial::test(format!("life/{name}-killed{of}"), case).with_ignored_flag(ignored),
            );
        }
    }
    trials.push(Trial::test(
        "life/starting-thread-ended",
        a_world_outlives_the_thread_that_started_it,
    ));
    trials
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long this proof runs is the caller's choice"
)]
fn moments() -> Result<u32, Failed> {
    match std::env::var("NETPROOF_LIFE_MOMENTS") {
        Ok(text) => Ok(text.parse()?),
        Err(_) => Ok(MOMENTS),
    }
}

/// Lets time pass: the moment of a kill is what is varied, and no event stands for it.
fn pass(time: Duration) -> Result<(), Failed> {
    wait::until_readable([], Instant::now() + time)?;
    Ok(())
}

fn nothing_is_left(victim: Victim, tier: Tier) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    // A copy of its own name, by which all its processes are known, and no other run's.
    let program = folder.path().join("netproof");
    fs::copy(env!("CARGO_BIN_EXE_netproof"), &program)?;
    let before = names()?;
    let (mut slowest, mut hit) = (Duration::ZERO, 0);
    for moment in 0..moments()? {
        let run = start(&program, tier)?;
        // From before the first process of a world to well into the scenarios; a prime keeps the
        // moments from falling into step with what happens.
        pass(Duration::from_micros(u64::from(moment) * 104_729 % 300_000))?;
        if moment % 2 == 0 && !matches!(victim, Victim::Runner) {
            halt_a_runner(&run, &program)?;
        }
        if strike(victim, &run, &program)? {
            hit += 1;
        }
        let begun = Instant::now();
        end(run, victim)?;
        wait_until_gone(&program)?;
        slowest = slowest.max(begun.elapsed());
    }
    println!("{hit} hits; the slowest was gone after {slowest:?}");
    if hit != moments()? {
        return Err("there was not always somebody to be killed".into());
    }
    if names()? != before {
        return Err(format!("names or files are left: {:?}", names()?).into());
    }
    Ok(())
}

fn start(program: &Path, tier: Tier) -> Result<Child, Failed> {
    Ok(Command::new(program)
        .args(["run", "--jobs", "2", "--repeat", "100", "--format", "json"])
        .args(["--tier", tier.word()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?)
}

/// Stops a runner in its tracks: it would end by itself soon, and then nobody could tell whether its
/// watchers did their work.
fn halt_a_runner(run: &Child, program: &Path) -> Result<(), Failed> {
    let starter = Pid::from_raw(i32::try_from(run.id())?);
    let deadline = Instant::now() + GONE_DEADLINE;
    while Instant::now() < deadline {
        let runner = descendant(starter, 3, program);
        if runner.is_some_and(|pid| kill(pid, Signal::SIGSTOP).is_ok()) {
            return Ok(());
        }
        pass(Duration::from_micros(100))?;
    }
    Err("there was no runner to be stopped".into())
}

/// Kills whom it is about; tells whether there was one.
fn strike(victim: Victim, run: &Child, program: &Path) -> Result<bool, Failed> {
    let starter = Pid::from_raw(i32::try_from(run.id())?);
    let generations = match victim {
        Victim::Everyone => {
            killpg(starter, Signal::SIGINT)?;
            return Ok(true);
        }
        Victim::Starter => 0,
        Victim::Shim => 1,
        Victim::Init => 2,
        Victim::Runner => 3,
    };
    // Worlds come and go: there is soon another, in another state.
    let deadline = Instant::now() + GONE_DEADLINE;
    while Instant::now() < deadline {
        let target = descendant(starter, generations, program);
        if target.is_some_and(|pid| kill(pid, Signal::SIGKILL).is_ok()) {
            return Ok(true);
        }
        pass(Duration::from_micros(100))?;
    }
    Ok(false)
}

/// Ends a run whose starter was not the victim: it would go on with the next scenario.
fn end(mut run: Child, victim: Victim) -> Result<(), Failed> {
    if !matches!(victim, Victim::Starter | Victim::Everyone) {
        run.kill()?;
    }
    run.wait()?;
    Ok(())
}

/// Every process that runs the program, zombies apart.
fn processes(program: &Path) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .map(Pid::from_raw)
        .filter(|pid| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program))
        .collect()
}

fn parent(pid: Pid) -> Option<Pid> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    line.trim().parse().ok().map(Pid::from_raw)
}

/// Finds a process that is so many generations below another.
fn descendant(ancestor: Pid, generations: u32, program: &Path) -> Option<Pid> {
    processes(program).into_iter().find(|pid| {
        let mut above = Some(*pid);
        for _ in 0..generations {
            above = above.and_then(parent);
        }
        above == Some(ancestor)
    })
}

/// Waits until no process runs the program any more.
fn wait_until_gone(program: &Path) -> Result<(), Failed> {
    let deadline = Instant::now() + GONE_DEADLINE;
    loop {
        let left = processes(program);
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("still there after {GONE_DEADLINE:?}: {left:?}").into());
        }
        pass(Duration::from_millis(1))?;
    }
}

/// Names of network namespaces, and files where a run could leave some.
fn names() -> Result<BTreeSet<PathBuf>, Failed> {
    let mut names = BTreeSet::new();
    for folder in ["/run/netns", "/run"] {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry?.path();
            // What other programs of the machine come and go with is none of ours.
            if path.starts_with("/run/netns") || path.file_name() == Some(OsStr::new("netns")) {
                names.insert(path);
            }
        }
    }
    Ok(names)
}

/// `PR_SET_PDEATHSIG` is about the thread that forked: a world started from a thread that ends must
/// go on.
fn a_world_outlives_the_thread_that_started_it() -> Result<(), Failed> {
    let scenario = support::scenarios()
        .into_iter()
        .next()
        .ok_or("there is no scenario")?;
    let request = serde_json::to_string(&Task::Scenario(Box::new(Request {
        scenario: scenario.name,
        file: scenario.file,
        text: scenario.text,
        tier: Tier::User,
        interior: Interior::Bare,
        packets: false,
        hostile: false,
        processor: 0,
        trial: None,
        deadlines: Deadlines::default(),
        question: None,
        goal: None,
        fault: None,
        implementation: netproof::implement::Choice::default(),
    })))?;
    let launched = std::thread::spawn(move || Launch::default().start(&request)).join();
    let mut world = launched.map_err(|_| "the starting thread panicked")??;
    loop {
        match world.next_line()? {
            Line::Event(line) => {
                if let Event::End { .. } = serde_json::from_str(&line)? {
                    return Ok(());
                }
            }
            end => return Err(format!("{end:?} before the world had told all").into()),
        }
    }
}
