//! The world's side: carries one scenario through, step by step.

use std::io::{self, Write as _};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use super::deadlines::{Deadlines, Late, within};
use super::event::{Blame, Event};
use super::intents::Before;
use super::request::{Instead, Request, Task, Trial};
use crate::implement::{self, Implementation, OperationError};
use crate::judge::{Verdict, judge_operation};
use crate::observe::{ObserveError, Observer, open_tunnel};
use crate::scenario::{
    HOST, Item, Located, Netns, NodeName, Operation, Scenario, Span, Step, parse,
};
use crate::world::{
    Baseline, HOLD_REQUEST, Interior, PINS, SettleError, Stage, Tier, World, WorldError,
    exhaustion_cure, features, hold, isolate, read_request,
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

/// Why a scenario was not carried through.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stop {
    /// An operation did not do what the scenario says; its event has been sent.
    #[error("an operation came out otherwise")]
    Operation,
    #[error(transparent)]
    World(#[from] WorldError),
    #[error(transparent)]
    Settle(#[from] SettleError),
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// An expectation failed in a trial, which is all that it was to show.
    #[error("an expectation depends on the operation")]
    Shown,
    /// A step outlived its deadline.
    #[error("the step was {late}; {under_way} was under way")]
    Late {
        late: Late,
        /// What it was busy with.
        under_way: String,
    },
    /// Nobody takes the events.
    #[error(transparent)]
    Unheard(#[from] io::Error),
}

impl Stop {
    /// Whose matter it is, and what can be done about it.
    fn blame(&self) -> (Blame, Option<&'static str>) {
        let exhausted = match self {
            Self::World(error) => return (Blame::Machine, Some(error.cure())),
            Self::Settle(SettleError::Kernel(error)) => Some(error),
            Self::Observe(ObserveError::TooManyNeighbours { .. }) => {
                let help = "leave `reachability` out of the snapshot, or raise the limit: \
                            `sudo sysctl -w net.ipv4.neigh.default.gc_thresh2=4096 \
                            net.ipv4.neigh.default.gc_thresh3=8192`";
                return (Blame::Machine, Some(help));
            }
            Self::Observe(error) => error.kernel(),
            _ => None,
        };
        match exhausted.filter(|error| error.is_exhaustion()) {
            Some(error) => (Blame::Machine, Some(exhaustion_cure(error))),
            None => (Blame::Netproof, None),
        }
    }
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
    let implementation = match request
        .implementation
        .make(scenario.has_intents(), request.deadlines.operation)
    {
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

pub(super) fn send(event: &Event) -> io::Result<()> {
    let mut line = serde_json::to_string(event)?;
    line.push('\n');
    let mut out = io::stdout().lock();
    out.write_all(line.as_bytes())?;
    out.flush()
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

async fn carry_through(
    request: &Request,
    scenario: &Scenario,
    implementation: Box<dyn Implementation>,
) -> io::Result<()> {
    let mut conductor = Conductor {
        scenario: &request.scenario,
        text: &request.text,
        implementation,
        observer: observer(request),
        step: 0,
        under_way: String::new(),
        deadlines: request.deadlines,
        trial: request.trial,
    };
    match conductor.run(request, scenario).await {
        Ok(()) | Err(Stop::Operation | Stop::Shown) => {}
        Err(Stop::Unheard(error)) => return Err(error),
        Err(stop) => {
            let (blame, help) = stop.blame();
            send(&Event::Failure {
                scenario: request.scenario.clone(),
                step: conductor.step,
                blame,
                message: with_sources(&stop),
                help: help.map(str::to_owned),
            })?;
        }
    }
    send(&Event::End {
        scenario: request.scenario.clone(),
    })
}

fn observer(request: &Request) -> Observer {
    if !request.packets {
        return Observer::new();
    }
    let scenario = request.scenario.clone();
    Observer::recording(Box::new(move |capture| {
        let scenario = scenario.clone();
        // Where nobody takes it, nobody takes the next event either, which ends the world.
        let _ = send(&Event::Capture { scenario, capture });
    }))
}

/// Writes an error with all that it comes from.
pub(super) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text += &format!(": {next}");
        }
        source = error.source();
    }
    text
}

/// Carries one scenario through one implementation.
pub(super) struct Conductor<'a> {
    pub(super) scenario: &'a str,
    text: &'a str,
    pub(super) implementation: Box<dyn Implementation>,
    pub(super) observer: Observer,
    /// The number of the step that is under way.
    pub(super) step: usize,
    /// What is being done, for the report of a step that takes too long.
    under_way: String,
    deadlines: Deadlines,
    /// What is done otherwise than the scenario says.
    pub(super) trial: Option<Trial>,
}

impl Conductor<'_> {
    async fn run(&mut self, request: &Request, scenario: &Scenario) -> Result<(), Stop> {
        let baseline = Baseline {
            ipv6: scenario
                .ipv6
                .iter()
                .map(|name| name.value.clone())
                .collect(),
            hostile: request.hostile,
        };
        let nodes = scenario.nodes.iter().map(|name| &name.value);
        let mut world = World::new(nodes, baseline)?;
        self.send_world(request, &world)?;
        if let Some(question) = &request.question {
            return self.answer(&mut world, scenario, question).await;
        }
        if !scenario.given.is_empty() {
            self.begin_step("given", None)?;
            let given = within(self.deadlines.step, self.apply(&mut world, &scenario.given));
            given.await.unwrap_or_else(|late| Err(self.late(late)))?;
        }
        let before = match scenario.has_intents() {
            true => Some(Before::read(&world, scenario).await?),
            false => None,
        };
        for (at, step) in scenario.steps.iter().enumerate() {
            self.step = at + 1;
            self.begin_step(&step.name, step.why.as_ref())?;
            let done = within(self.deadlines.step, self.carry_out(&mut world, step)).await;
            done.unwrap_or_else(|late| Err(self.late(late)))?;
        }
        match before.filter(|_| self.trial.is_none()) {
            Some(before) => {
                self.introduce()?;
                self.under_way = "what is left at the end".to_owned();
                let taken = within(self.deadlines.step, self.take_away(&mut world, &before)).await;
                taken.unwrap_or_else(|late| Err(self.late(late)))
            }
            None => Ok(()),
        }
    }

    /// The line of the scenario's file that a place is in, from 1.
    pub(super) fn line_of(&self, span: Span) -> usize {
        let before = &self.text[..span.start.min(self.text.len())];
        before.lines().count().max(1)
    }

    fn late(&self, late: Late) -> Stop {
        let under_way = self.under_way.clone();
        Stop::Late { late, under_way }
    }

    async fn carry_out(&mut self, world: &mut World, step: &Step) -> Result<(), Stop> {
        self.apply(world, &step.operations).await?;
        self.under_way = "the wait for the links".to_owned();
        self.observe(world, &step.observe).await?;
        let topology = world.settle().await?;
        for (at, expectation) in step.expectations.iter().enumerate() {
            self.under_way = format!("`{expectation}`");
            self.expect(world, &topology, at + 1, expectation).await?;
        }
        self.self_check(world).await?;
        if !step.snapshot.is_empty() && self.trial.is_none() {
            self.under_way = "the snapshot".to_owned();
            self.take_facts(world, &topology, step).await?;
        }
        Ok(())
    }

    fn send_world(&self, request: &Request, world: &World) -> Result<(), Stop> {
        let mut absent: Vec<String> = world
            .nodes()
            .flat_map(|node| &node.pinned().absent)
            .map(|path| (*path).to_owned())
            .collect();
        absent.sort();
        absent.dedup();
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Ok(send(&Event::World {
            scenario: self.scenario.to_owned(),
            implementation: self.implementation.name().to_owned(),
            tier: request.tier,
            kernel: kernel.trim_end().to_owned(),
            pinned: PINS
                .iter()
                .map(|pin| (pin.path.to_owned(), pin.value.to_owned()))
                .collect(),
            ipv6: world
                .nodes()
                .filter(|node| node.has_ipv6())
                .map(|node| node.name().clone())
                .collect(),
            absent,
        })?)
    }

    pub(super) fn begin_step(&self, name: &str, why: Option<&Located<String>>) -> Result<(), Stop> {
        Ok(send(&Event::Step {
            scenario: self.scenario.to_owned(),
            step: self.step,
            name: name.to_owned(),
            why: why.map(|text| text.value.clone()),
        })?)
    }

    /// Carries operations out until one comes out otherwise than the scenario says.
    pub(super) async fn apply(&mut self, world: &mut World, items: &[Item]) -> Result<(), Stop> {
        for (at, item) in items.iter().enumerate() {
            let item = match self.trial {
                Some(trial) if (trial.step, trial.operation) == (self.step, at + 1) => {
                    match (trial.instead, &item.right) {
                        (Instead::Right, Some(right)) => right,
                        _ => continue,
                    }
                }
                _ => item,
            };
            let command = item.operation.command();
            let ran = self.implementation.commands(&item.operation);
            self.under_way = match ran.last() {
                Some(ran) => format!("`{ran}`"),
                None => format!("`{command}`"),
            };
            let limit = self.deadlines.operation;
            let result = match within(limit, self.apply_one(world, &item.operation)).await {
                Ok(result) => result,
                Err(late) => {
                    send(&Event::Operation {
                        scenario: self.scenario.to_owned(),
                        step: self.step,
                        command,
                        ran,
                        verdict: Verdict::Error,
                        fails: item.fails.as_ref().map(|reason| reason.value.clone()),
                        reason: Some(late.to_string()),
                        lacks: None,
                        line: self.line_of(item.span),
                    })?;
                    return Err(Stop::Operation);
                }
            };
            // Not the scenario's matter, whatever it expects.
            if let Err(OperationError::World(error)) = &result
                && (error.reason.is_exhaustion()
                    || matches!(
                        error.stage,
                        Stage::Process | Stage::Socket | Stage::Baseline
                    ))
            {
                return Err(error.clone().into());
            }
            let mut judgement = judge_operation(item, &result);
            if let (Operation::Attach(attach), Ok(())) = (&item.operation, &result)
                && let Some(reason) = self.false_claim(world, attach).await?
            {
                (judgement.verdict, judgement.reason) = (Verdict::Fail, Some(reason));
            }
            send(&Event::Operation {
                scenario: self.scenario.to_owned(),
                step: self.step,
                command,
                ran,
                verdict: judgement.verdict,
                fails: item.fails.as_ref().map(|reason| reason.value.clone()),
                reason: judgement.reason,
                lacks: judgement.lacks,
                line: self.line_of(item.span),
            })?;
            if judgement.verdict != Verdict::Pass && self.trial.is_none() {
                return Err(Stop::Operation);
            }
        }
        Ok(())
    }

    async fn apply_one(
        &mut self,
        world: &mut World,
        operation: &Operation,
    ) -> Result<(), OperationError> {
        match operation {
            Operation::Listen(listen) => return self.observer.listen(world, listen),
            Operation::Exec(exec) => return implement::exec(world, exec).await,
            Operation::Tunnel(tunnel) => return open_tunnel(world, tunnel).await,
            // `host` cannot be deleted.
            Operation::Netns(Netns {
                delete: Some(name), ..
            }) if name.as_str() != HOST => return self.delete_node(world, operation, name).await,
            _ => {}
        }
        self.let_go_of(operation);
        self.implementation.apply(world, operation).await
    }

    async fn delete_node(
        &mut self,
        world: &mut World,
        operation: &Operation,
        name: &NodeName,
    ) -> Result<(), OperationError> {
        let names = |world: &World| -> Vec<NodeName> {
            let names = world.node(name).map(|node| node.names().cloned().collect());
            names.unwrap_or_default()
        };
        let before = names(world);
        if before.len() < 2 {
            // Our own sockets in the node would keep it alive.
            self.observer.forget(name);
        }
        self.implementation.apply(world, operation).await?;
        if let [first, next, ..] = before.as_slice()
            && first == name
        {
            self.observer.rename(first, next);
        }
        Ok(())
    }
}
