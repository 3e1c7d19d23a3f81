//! No verdict and no cause is wrong on a busy machine: all scenarios, again and again, while every
//! processor has something else to do.

use std::ffi::OsString;
use std::io::Read as _;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use libtest_mimic::{Failed, Trial};
use netproof::run::NamedScenario;
use netproof::scenario::{Expectation, ExpectedFate, parse};

use crate::support;
use crate::tally::Tally;

/// The argument of a process that only uses up a processor.
const BURN: &str = "__burn";

/// How often every scenario runs, unless `NETPROOF_LOAD_ROUNDS` says otherwise: 6 rounds are more
/// than ten thousand probes.
const ROUNDS: u32 = 1;

/// How often the scenarios of `fates` run besides, in each round.
const FATES_TIMES: u32 = 5;

/// How often those scenarios run besides that have few answers, in each round: `fates` alone, where half
/// of the probes show that all is well, would not make up for the answers of the others.
const SILENT_TIMES: u32 = 4;

/// How many of a hundred probes of a round are not to be answered, at least.
const UNANSWERED: usize = 50;

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

/// What is run once in a round. Most probes of containers are answered, so they would thin the mix.
const EVERYTHING: [&str; 3] = [
    "scenarios/concepts",
    "scenarios/fates",
    "scenarios/tutorials",
];

/// The scenarios of which at least three of five expectations are of no answer.
fn silent() -> Result<Vec<String>, Failed> {
    let mut names = Vec::new();
    let is_in_mix = |it: &NamedScenario| !it.name.starts_with("containers/");
    for scenario in support::scenarios().into_iter().filter(is_in_mix) {
        let parsed = parse(&scenario.file, &scenario.text)?;
        let expectations = || parsed.steps.iter().flat_map(|step| &step.expectations);
        let fates = || expectations().filter_map(Expectation::probe);
        let answered = fates().filter(|it| matches!(it.fate, ExpectedFate::Reply(_)));
        let (all, answered) = (fates().count(), answered.count());
        if (all - answered) * 5 >= all * 3 {
            names.push(scenario.name);
        }
    }
    Ok(names)
}

fn every_verdict_stays_true() -> Result<(), Failed> {
    let rounds = rounds()?;
    let burners = Burners::start()?;
    let mut tally = Tally::default();
    let mut broken = Vec::new();
    let all = |folder| support::root().join(folder).display().to_string();
    let mix = [
        (EVERYTHING.map(all).to_vec(), 1),
        (vec![all("scenarios/fates")], FATES_TIMES),
        (silent()?, SILENT_TIMES),
    ];
    for number in 1..=rounds {
        let mut round = Tally::default();
        for (names, times) in &mix {
            let mut command = support::netproof_run();
            let ran = support::run(command.args(names).args(["--repeat", &times.to_string()]))?;
            for event in &ran.events {
                round.take(event);
                tally.take(event);
            }
            if ran.code != Some(0) {
                broken.push(format!("exit code {:?}: {}", ran.code, ran.stderr));
            }
        }
        let (unanswered, probes) = (round.unanswered(), round.probes());
        let share = format!("round {number}: {unanswered} of {probes} probes were not answered");
        println!("{share}");
        if unanswered * 100 < probes * UNANSWERED {
            broken.push(format!("{share}, which is less than {UNANSWERED} %"));
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
