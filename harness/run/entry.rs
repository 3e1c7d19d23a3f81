//! The world's entry: from the request to a process in which a scenario can be carried through.

use std::io;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::Pid;

use super::conductor::{carry_through, send};
use super::event::{Blame, Event};
use super::request::{Request, Task};
use super::smoke::{SmokeRequest, smoke};
use crate::scenario::{HOST, NodeName, parse};
use crate::world::{
    Baseline, HOLD_REQUEST, Interior, Tier, World, features, hold, isolate, read_request,
};

/// How a world's process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// Everything that could be told was told.
    Told = 0,
    /// The machine refused the world; an event says why.
    NoWorld = 3,
    /// The request could not be read, or nobody takes the events.
    Unheard = 4,
}

/// Reads the request, turns this process into a world and runs the scenario in it.
///
/// Must be called before the process has a second thread. It may return in any of the world's
/// processes: end it with the status.
pub fn become_world() -> ExitStatus {
    let Ok(line) = read_request() else {
        return ExitStatus::Unheard;
    };
    if line == HOLD_REQUEST {
        hold();
        return ExitStatus::Told;
    }
    match serde_json::from_str(&line) {
        Ok(Task::Scenario(request)) => run_scenario(&request),
        Ok(Task::Features(tier)) => try_features(tier),
        Ok(Task::Smoke(request)) => try_adapter(&request),
        Err(error) => fail("", Blame::Netproof, &format!("bad request: {error}"), None),
    }
}

fn run_scenario(request: &Request) -> ExitStatus {
    let scenario = match parse(&request.file, &request.text) {
        Ok(scenario) => scenario,
        Err(errors) => {
            return fail(
                &request.scenario,
                Blame::Netproof,
                &format!("not checked: {errors}"),
                None,
            );
        }
    };
    let implementation = match request.implementation.make(
        scenario.has_intents(),
        request.deadlines.operation,
        request.tier,
    ) {
        Ok(implementation) => implementation,
        Err(errors) => {
            let message = format!("not checked: {errors}");
            return fail(&request.scenario, Blame::Netproof, &message, None);
        }
    };
    match begin_world(
        &request.scenario,
        (request.tier, &request.interior),
        request.processor,
    ) {
        Ok(runtime) => told(runtime.block_on(carry_through(request, &scenario, implementation))),
        Err(status) => status,
    }
}

fn try_features(tier: Tier) -> ExitStatus {
    match begin_world("", (tier, &Interior::Bare), 0) {
        Ok(runtime) => told(runtime.block_on(tell_features())),
        Err(status) => status,
    }
}

fn try_adapter(request: &SmokeRequest) -> ExitStatus {
    let interior = Interior::showing(&request.path);
    match begin_world("", (request.tier, &interior), 0) {
        Ok(runtime) => told(runtime.block_on(smoke(request))),
        Err(status) => status,
    }
}

fn told(result: io::Result<()>) -> ExitStatus {
    match result {
        Ok(()) => ExitStatus::Told,
        Err(_) => ExitStatus::Unheard,
    }
}

/// Turns this process into a world, or tells why not. An error may come back in any of the world's
/// processes: end it with the status.
fn begin_world(
    scenario: &str,
    (tier, interior): (Tier, &Interior),
    processor: usize,
) -> Result<tokio::runtime::Runtime, ExitStatus> {
    let refused = |message: &str, help| fail(scenario, Blame::Machine, message, help);
    isolate(tier, interior).map_err(|error| refused(&error.to_string(), Some(error.cure())))?;
    // A program of others that crashes leaves nothing on the machine.
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    keep_to_one_processor(processor).map_err(|errno| {
        let message = format!("cannot keep to one processor: {}", errno.desc());
        refused(&message, None)
    })?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| refused(&error.to_string(), None))
}

/// Reports a failure from before there was a world.
fn fail(scenario: &str, blame: Blame, message: &str, help: Option<&str>) -> ExitStatus {
    let failure = Event::Failure {
        scenario: scenario.to_owned(),
        step: 0,
        blame,
        message: message.to_owned(),
        help: help.map(str::to_owned),
    };
    match (send(&failure), blame) {
        (Ok(()), Blame::Machine) => ExitStatus::NoWorld,
        _ => ExitStatus::Unheard,
    }
}

/// Keeps the process to one of the processors that it may use, which the proof by fences needs.
fn keep_to_one_processor(turn: usize) -> Result<(), nix::errno::Errno> {
    let own = Pid::from_raw(0);
    let allowed = sched_getaffinity(own)?;
    let processors: Vec<usize> = (0..CpuSet::count())
        .filter(|at| allowed.is_set(*at).unwrap_or(false))
        .collect();
    let mut one = CpuSet::new();
    one.set(processors[turn % processors.len()])?;
    sched_setaffinity(own, &one)
}

async fn tell_features() -> io::Result<()> {
    let host: Vec<NodeName> = HOST.parse().into_iter().collect();
    let tried = match World::new(&host, Baseline::default()) {
        Ok(world) => match world.nodes().next() {
            Some(node) => features(node).await,
            None => Ok(Vec::new()),
        },
        Err(error) => Err(error),
    };
    match tried {
        Ok(checks) => {
            for check in checks {
                send(&Event::Check(check))?;
            }
        }
        Err(error) => send(&Event::Failure {
            scenario: String::new(),
            step: 0,
            blame: Blame::Machine,
            message: error.to_string(),
            help: Some(error.cure().to_owned()),
        })?,
    }
    send(&Event::End {
        scenario: String::new(),
    })
}
