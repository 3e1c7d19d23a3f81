//! No verdict and no cause is wrong on a busy machine: all scenarios, again and again, while every
//! processor has something else to do.

use std::ffi::OsString;
use std::io::Read as _;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use libtest_mimic::{Failed, Trial};

use crate::support;
use crate::tally::Tally;

/// The argument of a process that only uses up a processor.
const BURN: &str = "__burn";

/// How often every scenario runs, unless `NETPROOF_LOAD_ROUNDS` says otherwise: 12 rounds are more
/// than ten thousand probes.
const ROUNDS: u32 = 2;

/// How often the scenarios of `fates` run besides, in each round.
const FATES_TIMES: u32 = 5;

pub(crate) fn is_burner(arguments: impl IntoIterator<Item = OsString>) -> bool {
    arguments
        .into_iter()
        .nth(1)
        .is_some_and(|argument| argument == BURN)
}

/// Uses up a processor until standard input is closed.
pub(crate) fn burn() -> ExitCode {
    let done = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&done);
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        seen.store(true, Ordering::Relaxed);
    });
    while !done.load(Ordering::Relaxed) {
        std::hint::spin_loop();
    }
    ExitCode::SUCCESS
}

/// A process for each processor that only uses it up; they end when this is dropped.
struct Burners(Vec<Child>);

impl Burners {
    fn start() -> Result<Self, Failed> {
        let processors = std::thread::available_parallelism()?.get();
        let start = |_| {
            Command::new("/proc/self/exe")
                .arg(BURN)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
        };
        Ok(Self((0..processors).map(start).collect::<Result<_, _>>()?))
    }
}

impl Drop for Burners {
    fn drop(&mut self) {
        for burner in &mut self.0 {
            drop(burner.stdin.take());
            let _ = burner.wait();
        }
    }
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![Trial::test(
        "load/every-processor-busy",
        every_verdict_stays_true,
    )]
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long this proof runs is the caller's choice"
)]
fn rounds() -> Result<u32, Failed> {
    match std::env::var("NETPROOF_LOAD_ROUNDS") {
        Ok(text) => Ok(text.parse()?),
        Err(_) => Ok(ROUNDS),
    }
}

fn every_verdict_stays_true() -> Result<(), Failed> {
    let rounds = rounds()?;
    let burners = Burners::start()?;
    let mut tally = Tally::default();
    let mut broken = Vec::new();
    // Scenarios of lost packets run more often: half of all probes are to stay without an answer.
    for (folder, times) in [("scenarios", 1), ("scenarios/fates", FATES_TIMES)] {
        let repeat = (rounds * times).to_string();
        let folder = support::root().join(folder);
        let mut command = support::netproof_run();
        let ran = support::run(command.arg(folder).args(["--repeat", &repeat]))?;
        for event in &ran.events {
            tally.take(event);
        }
        if ran.code != Some(0) {
            broken.push(format!("exit code {:?}: {}", ran.code, ran.stderr));
        }
    }
    drop(burners);
    println!("{tally}");
    broken.extend(tally.wrong());
    if broken.is_empty() {
        Ok(())
    } else {
        Err(broken.join("\n").into())
    }
}
