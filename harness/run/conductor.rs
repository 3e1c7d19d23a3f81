//! The world's side: carries one scenario through, step by step.

use std::io::{self, Write as _};

use super::deadlines::{Deadlines, Late, within};
use super::event::{Blame, Event};
use super::fault::FaultAt;
use super::intents::Before;
use super::request::{Instead, Request, Trial};
use crate::implement::{self, Implementation, OperationError};
use crate::judge::{Verdict, judge_operation};
use crate::observe::{ObserveError, Observer, open_tunnel};
use crate::scenario::{
    HOST, Item, Located, Netns, NodeName, Operation, Requirement, Scenario, Span, Step,
};
use crate::world::{Baseline, PINS, SettleError, Stage, World, WorldError, exhaustion_cure};

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

pub(super) fn send(event: &Event) -> io::Result<()> {
    let mut line = serde_json::to_string(event)?;
    line.push('\n');
    let mut out = io::stdout().lock();
    out.write_all(line.as_bytes())?;
    out.flush()
}

pub(super) async fn carry_through(
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
        fault: request.fault.clone(),
        requirement: scenario.requirement(),
        introduced: false,
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
    pub(super) under_way: String,
    pub(super) deadlines: Deadlines,
    /// What is done otherwise than the scenario says.
    pub(super) trial: Option<Trial>,
    /// What breaks on the way.
    pub(super) fault: Option<FaultAt>,
    /// How much the scenario asks.
    pub(super) requirement: Requirement,
    /// Whether it was told who the implementation says it is.
    pub(super) introduced: bool,
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
        if let Some(goal) = &request.goal {
            return self.judge_goal(&mut world, scenario, goal).await;
        }
        let done = self.carry_out_steps(&mut world, scenario).await;
        if matches!(done, Err(Stop::Unheard(_))) {
            return done;
        }
        let parted = within(self.deadlines.step, self.take_leave(&world)).await;
        let parted = parted.unwrap_or_else(|late| Err(self.late(late)));
        done.and(parted)
    }

    async fn carry_out_steps(
        &mut self,
        world: &mut World,
        scenario: &Scenario,
    ) -> Result<(), Stop> {
        self.give(world, scenario).await?;
        let before = match scenario.has_intents() {
            true => Some(Before::read(world, scenario).await?),
            false => None,
        };
        for (at, step) in scenario.steps.iter().enumerate() {
            self.step = at + 1;
            self.begin_step(&step.name, step.why.as_ref())?;
            let done = within(self.deadlines.step, self.carry_out(world, step)).await;
            done.unwrap_or_else(|late| Err(self.late(late)))?;
        }
        match before.filter(|_| self.trial.is_none()) {
            Some(before) => {
                self.under_way = "what is left at the end".to_owned();
                let taken = within(self.deadlines.step, self.take_away(world, &before)).await;
                taken.unwrap_or_else(|late| Err(self.late(late)))
            }
            None => Ok(()),
        }
    }

    /// Sets the scene.
    pub(super) async fn give(
        &mut self,
        world: &mut World,
        scenario: &Scenario,
    ) -> Result<(), Stop> {
        if scenario.given.is_empty() {
            return Ok(());
        }
        self.begin_step("given", None)?;
        let given = within(self.deadlines.step, self.apply(world, &scenario.given));
        given.await.unwrap_or_else(|late| Err(self.late(late)))
    }

    /// The line of the scenario's file that a place is in, from 1.
    pub(super) fn line_of(&self, span: Span) -> usize {
        let before = &self.text[..span.start.min(self.text.len())];
        before.lines().count().max(1)
    }

    pub(super) fn late(&self, late: Late) -> Stop {
        let under_way = self.under_way.clone();
        Stop::Late { late, under_way }
    }

    async fn carry_out(&mut self, world: &mut World, step: &Step) -> Result<(), Stop> {
        self.apply(world, &step.operations).await?;
        self.break_something(world).await?;
        self.under_way = "the wait for the links".to_owned();
        self.observe(world, &step.observe).await?;
        self.judge_step(world, step, self.trial.is_none()).await?;
        self.self_check(world).await
    }

    /// Asks all that a step expects, when the links have come to rest.
    pub(super) async fn judge_step(
        &mut self,
        world: &World,
        step: &Step,
        snapshot: bool,
    ) -> Result<(), Stop> {
        self.under_way = "the wait for the links".to_owned();
        let topology = world.settle().await?;
        for (at, expectation) in step.expectations.iter().enumerate() {
            self.under_way = format!("`{expectation}`");
            self.expect(world, &topology, at + 1, expectation).await?;
        }
        if !step.snapshot.is_empty() && snapshot {
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
            // Whoever ends by itself what takes too long tells more.
            let own = item.operation.is_intent() && self.implementation.keeps_deadlines();
            let limit = match own {
                true => self.deadlines.step,
                false => self.deadlines.operation,
            };
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
                        line: Some(self.line_of(item.span)),
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
            self.introduce()?;
            let mut judgement = judge_operation(item, &result);
            // Also of what failed: they are about this one, and no other.
            let claims = self.implementation.take_claims();
            if let (Operation::Attach(attach), Ok(())) = (&item.operation, &result)
                && let Some(reason) = self.false_claim(world, attach, claims).await?
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
                line: Some(self.line_of(item.span)),
            })?;
            if judgement.verdict != Verdict::Pass && self.trial.is_none() {
                return Err(Stop::Operation);
            }
        }
        Ok(())
    }

    pub(super) async fn apply_one(
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
        self.leave_containers(operation);
        self.implementation.apply(world, operation).await
    }

    async fn delete_node(
        &mut self,
        world: &mut World,
        operation: &Operation,
        name: &NodeName,
    ) -> Result<(), OperationError> {
        let before = self.let_go_of(world, name);
        self.implementation.apply(world, operation).await?;
        self.follow_rename(&before, name);
        Ok(())
    }

    /// Lets go of a node whose name somebody else has taken away.
    pub(super) async fn forget_name(
        &mut self,
        world: &mut World,
        name: &NodeName,
    ) -> Result<(), WorldError> {
        let before = self.let_go_of(world, name);
        world.forget_node(name).await?;
        self.follow_rename(&before, name);
        Ok(())
    }

    /// Closes what would keep a node alive when its last name goes; returns all its names.
    fn let_go_of(&mut self, world: &World, name: &NodeName) -> Vec<NodeName> {
        let node = world.node(name);
        let before: Vec<NodeName> = node.map_or_else(Vec::new, |it| it.names().cloned().collect());
        if before.len() < 2 {
            // Our own sockets in the node would keep it alive.
            self.observer.forget(name);
        }
        before
    }

    /// Where the first of several names is gone, the node goes on under the next.
    fn follow_rename(&mut self, before: &[NodeName], name: &NodeName) {
        if let [first, next, ..] = before
            && first == name
        {
            self.observer.rename(first, next);
        }
    }
}
