//! A goal in place of a run: a command builds the network in its own way, and what comes of it is judged.

use std::process::ExitStatus;

use nix::errno::Errno;

use super::conductor::{Conductor, Stop, send};
use super::deadlines::within;
use super::event::{Blame, Event};
use super::request::Goal;
use crate::implement::{OperationError, bare};
use crate::judge::Verdict;
use crate::scenario::{Item, NodeName, Operation, Scenario, Span, Step, as_line};
use crate::world::{Heard, World, run_heard};

/// How a command came to its end.
enum Ended {
    /// It ended by itself, or by a signal.
    By(ExitStatus),
    /// It was ended, since it was late.
    Late(String),
}

impl Ended {
    fn verdict(&self) -> Verdict {
        match self {
            Self::By(status) if status.success() => Verdict::Pass,
            Self::By(_) | Self::Late(_) => Verdict::Fail,
        }
    }

    fn code(&self) -> Option<i32> {
        match self {
            Self::By(status) => status.code(),
            Self::Late(_) => None,
        }
    }

    fn in_words(&self) -> String {
        use std::os::unix::process::ExitStatusExt as _;
        match self {
            Self::By(status) => match (status.code(), status.signal()) {
                (Some(code), _) => format!("exit code {code}"),
                (None, Some(signal)) => match nix::sys::signal::Signal::try_from(signal) {
                    Ok(signal) => format!("killed by {signal}"),
                    Err(_) => format!("killed by signal {signal}"),
                },
                (None, None) => "killed".to_owned(),
            },
            Self::Late(late) => format!("{late}, and killed"),
        }
    }
}

impl Conductor<'_> {
    /// Sets the scene, runs the command, and judges what is there then as the step expects it.
    pub(super) async fn judge_goal(
        &mut self,
        world: &mut World,
        scenario: &Scenario,
        goal: &Goal,
    ) -> Result<(), Stop> {
        let wanted = goal.step.checked_sub(1);
        let Some(step) = wanted.and_then(|at| scenario.steps.get(at)) else {
            return Ok(());
        };
        self.give(world, scenario).await?;
        self.step = goal.step;
        self.begin_step(&step.name, step.why.as_ref())?;
        // What it has left running is to be heard for as long as the world lasts.
        let mut heard = Heard::default();
        if !self.run_command(scenario, goal, &mut heard).await? {
            return Ok(());
        }
        let judged = within(
            self.deadlines.step,
            self.judge_what_is_there(world, scenario, goal, step),
        );
        judged.await.unwrap_or_else(|late| Err(self.late(late)))
    }

    /// Runs the command in the runner's own network namespace, which is the node `host`; tells whether
    /// it was one that can be run.
    async fn run_command(
        &self,
        scenario: &Scenario,
        goal: &Goal,
        heard: &mut Heard,
    ) -> Result<bool, Stop> {
        let Some((program, arguments)) = goal.command.split_first() else {
            return Ok(false);
        };
        let nodes: Vec<&str> = scenario.nodes.iter().map(|name| name.as_str()).collect();
        let mut command = bare(program, arguments);
        command.env("NETPROOF_NODES", nodes.join(" "));
        let ended = match within(self.deadlines.step, run_heard(&mut command, heard)).await {
            Ok(Ok(status)) => Ended::By(status),
            Ok(Err(error)) => match error.reason.errno {
                Errno::ENOENT | Errno::EACCES | Errno::ENOEXEC | Errno::ENOTDIR => {
                    send(&Event::Failure {
                        scenario: self.scenario.to_owned(),
                        step: self.step,
                        blame: Blame::Asker,
                        message: format!("`{program}` cannot be run: {}", error.reason),
                        help: Some(format!(
                            "write a program that is there, or `sh FILE`; it is looked for in {}",
                            crate::implement::PATH
                        )),
                    })?;
                    return Ok(false);
                }
                _ => return Err(error.into()),
            },
            Err(late) => Ended::Late(late.to_string()),
        };
        send(&Event::Command {
            scenario: self.scenario.to_owned(),
            step: self.step,
            command: as_line(&goal.command),
            verdict: ended.verdict(),
            code: ended.code(),
            ended: ended.in_words(),
            stdout: heard.output.text(),
            stderr: heard.errors.text(),
            left_out: heard.output.left_out + heard.errors.left_out,
        })?;
        Ok(true)
    }

    async fn judge_what_is_there(
        &mut self,
        world: &mut World,
        scenario: &Scenario,
        goal: &Goal,
        step: &Step,
    ) -> Result<(), Stop> {
        self.under_way = "the look at what namespaces there are".to_owned();
        self.follow_names(world).await?;
        self.miss_nodes(world, scenario, goal)?;
        self.serve(world, scenario, goal).await?;
        self.judge_step(world, step, goal.snapshot).await
    }

    /// Takes the world as the command has left it: nodes whose names are gone, and names that came.
    async fn follow_names(&mut self, world: &mut World) -> Result<(), Stop> {
        for name in world.lost_names() {
            self.forget_name(world, &name).await?;
        }
        for name in world.new_names() {
            world.adopt_as_found(&name)?;
        }
        Ok(world.let_dissolve().await?)
    }

    /// Tells of each node that has to be there by now and is not.
    fn miss_nodes(&self, world: &World, scenario: &Scenario, goal: &Goal) -> Result<(), Stop> {
        let wanted = scenario.nodes_after(goal.step);
        for name in wanted.into_iter().filter(|name| world.node(name).is_none()) {
            let given = scenario.nodes.iter().find(|of| of.value == *name);
            let (why, span) = match given {
                Some(declared) => ("was there, and is gone", declared.span),
                None => ("was not made", added_at(scenario, goal, name)),
            };
            send(&Event::Operation {
                scenario: self.scenario.to_owned(),
                step: self.step,
                command: format!("ip netns add {name}"),
                ran: Vec::new(),
                verdict: Verdict::Fail,
                fails: None,
                reason: Some(format!("the network namespace `{name}` {why}")),
                lacks: None,
                line: Some(self.line_of(span)),
            })?;
        }
        Ok(())
    }

    /// Carries out what is the harness's own: servers, and the other ends of tun and tap devices.
    async fn serve(
        &mut self,
        world: &mut World,
        scenario: &Scenario,
        goal: &Goal,
    ) -> Result<(), Stop> {
        let nodes = scenario.nodes_after(goal.step);
        for item in items(scenario, goal) {
            let of = match &item.operation {
                Operation::Listen(listen) => &listen.node.value,
                Operation::Tunnel(tunnel) => &tunnel.dev.value.node,
                _ => continue,
            };
            // Of a node that was for a while only, or that was missed already, nothing is asked.
            if item.fails.is_some() || !nodes.contains(of) || world.node(of).is_none() {
                continue;
            }
            let command = item.operation.command();
            self.under_way = format!("`{command}`");
            let result = self.apply_one(world, &item.operation).await;
            if let Err(error) = &result
                && !is_served_already(&item.operation, error)
            {
                send(&Event::Operation {
                    scenario: self.scenario.to_owned(),
                    step: self.step,
                    command,
                    ran: Vec::new(),
                    verdict: if error.is_unsupported() {
                        Verdict::Unsupported
                    } else {
                        Verdict::Fail
                    },
                    fails: None,
                    reason: Some(error.to_string()),
                    lacks: error.lacks().map(str::to_owned),
                    line: Some(self.line_of(item.span)),
                })?;
            }
        }
        Ok(())
    }
}

/// The operations of the steps up to the one that is judged.
fn items<'a>(scenario: &'a Scenario, goal: &Goal) -> impl Iterator<Item = &'a Item> {
    let steps = scenario.steps.iter().take(goal.step);
    steps.flat_map(|step| &step.operations)
}

/// Where the scenario makes a node.
fn added_at(scenario: &Scenario, goal: &Goal, node: &NodeName) -> Span {
    let adds = |item: &&Item| match &item.operation {
        Operation::Netns(netns) => netns.add.as_ref().is_some_and(|name| name.value == *node),
        _ => false,
    };
    let found = items(scenario, goal).find(adds);
    found.map(|item| item.span).unwrap_or_default()
}

/// Tells whether a server of the command's own is where ours was to be. The kernel accepts connections for
/// it; a datagram would have to be sent back as ours do it.
fn is_served_already(operation: &Operation, error: &OperationError) -> bool {
    let in_use = error.refusal().map(|it| it.errno) == Some(Errno::EADDRINUSE);
    in_use && matches!(operation, Operation::Listen(listen) if listen.tcp.is_some())
}
