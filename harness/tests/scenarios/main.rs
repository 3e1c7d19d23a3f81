//! Every scenario is a test case of its own, and so is every proof about scenarios.
//!
//! The cases are found when the tests run, so a new file needs no rebuild and renames no other:
//!
//! * `tutorials/gateway`: the scenario passes, and its snapshots are the recorded ones;
//! * `flips/tutorials/gateway`: each of its expectations, turned into its opposite among others,
//!   fails and says what was seen instead;
//! * `idle/tutorials/gateway`: without any one of its operations, one of its expectations fails;
//! * `causes/no-route/chain`: the cause, injected into another topology, is named from evidence;
//! * `faults/cni-bridge/bridge-down`: a break in a network that somebody made is noticed, and named;
//! * `forwarders/keep`: what a process keeps for a while is not lost, and what it swallows is;
//! * `furnished/...`: what a world has for programs of others, and that nothing of it is left;
//! * `identity/...`: the facts are the same bytes in every tier, as every user, on every machine;
//! * `judge/...`: a script reaches the goal of a scenario in its own way, or is told why it does not;
//! * `legacy/...`: rules of iptables-legacy are named where nothing else explains;
//! * `life/...`: nothing of a run outlives it, whichever of its processes is killed;
//! * `machines/...`: on a machine that can do less, `doctor` and `run` name the obstacle and its cure;
//! * `load/...`: no verdict and no cause is wrong while every processor is busy otherwise;
//! * `implementations/busybox/...`: another implementation comes to the same facts and verdicts as
//!   netproof's own, or is known not to;
//! * `differences/ttl/cni-ptp`: in what implementations differ that is nobody's mistake;
//! * `drivers/netavark/...`: a real implementation is driven, and passes;
//! * `adapters/serve/crash`: whatever a bad adapter does has its verdict, and nothing of it is left;
//! * `show/...`: the script that a scenario is shown as can be run;
//! * `subids/...`: tier `subuid` as an ordinary user, with the ids that it was given and without;
//! * `orphans`: scenarios and snapshots belong together.
//!
//! Worlds need a process without threads, and libtest runs every test in one that has them; so this
//! program has its own `main`, and starts itself anew for each world.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test program: a panic is a failed case, and what it prints is shown with it"
)]

mod adapters;
mod causes;
mod differences;
mod drivers;
mod faults;
mod flips;
mod forwarders;
mod furnished;
mod identity;
mod idle;
mod implementations;
mod judged;
mod legacy;
mod life;
mod limited;
mod load;
mod orphans;
mod show;
mod subids;
mod support;
mod tally;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use netproof::report::Human;
use netproof::run::{Event, NamedScenario, Runner, become_world};
use netproof::world::{Tier, is_world_process};

#[expect(
    clippy::disallowed_methods,
    reason = "the program's own entry: is this process to be a world?"
)]
fn main() -> ExitCode {
    if is_world_process(std::env::args_os()) {
        return ExitCode::from(become_world() as u8);
    }
    if load::is_burner(std::env::args_os()) {
        return load::burn();
    }
    if limited::is_limited(std::env::args_os()) {
        return limited::become_limited(std::env::args_os());
    }
    if subids::is_with_subids(std::env::args_os()) {
        return subids::become_nobody(std::env::args_os());
    }
    if furnished::is_inside(std::env::args_os()) {
        return furnished::look_around(std::env::args_os());
    }
    let arguments = Arguments::from_args();
    let scenarios = support::scenarios();
    let mut trials: Vec<Trial> = scenarios
        .iter()
        .cloned()
        .map(|scenario| Trial::test(scenario.name.clone(), move || run(&scenario)))
        .collect();
    for (kind, of_kind) in KINDS {
        if is_asked_for(kind, &arguments) {
            trials.extend(of_kind(&scenarios));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Makes the cases of a kind.
type Cases = fn(&[NamedScenario]) -> Vec<Trial>;

/// Every kind of cases beside the scenarios themselves, with what their names begin with.
const KINDS: &[(&str, Cases)] = &[
    ("adapters/", adapters::trials),
    ("causes/", |_| causes::trials()),
    ("differences/", |_| differences::trials()),
    ("forwarders/", |_| forwarders::trials()),
    ("drivers/", |_| drivers::trials()),
    ("faults/", |_| faults::trials()),
    ("flips/", flips::trials),
    ("furnished/", |_| furnished::trials()),
    ("identity/", |_| identity::trials()),
    ("idle/", idle::trials),
    ("implementations/", implementations::trials),
    ("judge/", judged::trials),
    ("legacy/", |_| legacy::trials()),
    ("life/", |_| life::trials()),
    ("load/", |_| load::trials()),
    ("machines/", |_| limited::trials()),
    ("orphans", orphans::trials),
    ("show/", show::trials),
    ("subids/", |_| subids::trials()),
];

/// Tells whether a case of this kind may be asked for. nextest starts this program for each case anew, and
/// names it: to make all the others first would cost more than many a case does.
fn is_asked_for(kind: &str, arguments: &Arguments) -> bool {
    let name = arguments
        .filter
        .as_ref()
        .filter(|_| arguments.exact && !arguments.list);
    name.is_none_or(|name| name.starts_with(kind))
}

/// Runs one scenario and compares its facts with the recorded snapshots, by insta.
fn run(scenario: &NamedScenario) -> Result<(), Failed> {
    let (mut report, mut text) = (Human::new(), String::new());
    let mut events = Vec::new();
    let mut tell = |event: &Event| {
        text += &report.take(event);
        events.push(event.clone());
    };
    let runner = Runner::new(Tier::User, false).with_packets(true);
    let outcome = runner.run(scenario, &mut tell);
    if outcome.verdict > netproof::judge::Verdict::Unsupported && !outcome.packets.is_empty() {
        tell(&support::write_packets(&outcome)?);
    }
    tell(&outcome.event());
    if outcome.verdict == netproof::judge::Verdict::Unsupported {
        let (feature, reason) = support::lacking(&events).ok_or("nothing says what is lacking")?;
        return support::unsupported(&feature, &reason);
    }
    if outcome.verdict != netproof::judge::Verdict::Pass {
        return Err(Failed::from(support::plain(&text)));
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(support::root().join("snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_input_file(&scenario.file);
    settings.bind(|| {
        for taken in &outcome.facts {
            insta::assert_snapshot!(taken.name.as_str(), taken.text);
        }
    });
    Ok(())
}
