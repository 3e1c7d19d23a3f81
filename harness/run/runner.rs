//! The starter's side: starts a world for a scenario and hears it out.

use std::process::ExitStatus;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use nix::sys::signal::Signal;

use super::conductor::with_sources;
use super::deadlines::Deadlines;
use super::event::{Blame, Event};
use super::fault::FaultAt;
use super::outcome::Outcome;
use super::request::{Goal, Request, Task, Trial};
use super::smoke::SmokeRequest;
use crate::implement::Choice;
use crate::kernel::KernelError;
use crate::scenario::{Deviation, Question};
use crate::world::{Interior, Launch, LaunchError, Line, Tier, WorldProcess, exhaustion_cure};

/// A scenario with its name and text, checked already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedScenario {
    /// The name, such as `tutorials/gateway`.
    pub name: String,
    /// The file, for messages.
    pub file: String,
    /// The text of the file.
    pub text: String,
}

/// Runs scenarios, each in a world of its own.
///
/// The program that a world's process runs, by default this one, must begin with
/// [`become_world`](super::become_world) when its arguments ask for it.
#[derive(Debug, Default)]
pub struct Runner {
    launch: Launch,
    tier: Tier,
    interior: Interior,
    implementation: Choice,
    /// The scenarios that are listed as failing with it.
    deviations: Vec<Deviation>,
    hostile: bool,
    packets: bool,
    deadlines: Deadlines,
    turn: AtomicUsize,
    /// Worlds that have told all, and dissolve while others run.
    leaving: Mutex<Vec<WorldProcess>>,
}

impl Runner {
    /// Makes a runner that starts this program for each world, of that tier. With `hostile`, every
    /// node starts with the opposite of each pinned setting, before pinning.
    pub fn new(tier: Tier, hostile: bool) -> Self {
        Self {
            tier,
            hostile,
            ..Self::default()
        }
    }

    /// Starts worlds otherwise.
    #[must_use]
    pub fn with_launch(mut self, launch: Launch) -> Self {
        self.launch = launch;
        self
    }

    /// Makes worlds with another interior than the bare one.
    #[must_use]
    pub fn with_interior(mut self, interior: Interior) -> Self {
        self.interior = interior;
        self
    }

    /// Lets another implementation than the native one carry operations out.
    #[must_use]
    pub fn with_implementation(mut self, implementation: Choice) -> Self {
        self.deviations = implementation.deviations();
        self.implementation = implementation;
        self
    }

    /// Keeps what the taps see, in [`Outcome::packets`].
    #[must_use]
    pub fn with_packets(mut self, packets: bool) -> Self {
        self.packets = packets;
        self
    }

    /// Gives operations and steps other deadlines; the scenario has that of the launch, or longer where its
    /// steps have longer than by default.
    #[must_use]
    pub fn with_deadlines(mut self, deadlines: Deadlines) -> Self {
        self.deadlines = deadlines;
        if deadlines.step > Deadlines::default().step {
            self.launch.deadline = self.launch.deadline.max(deadlines.of_scenario());
        }
        self
    }

    /// Runs one scenario and tells each event as it comes.
    ///
    /// There is always an outcome: where a world cannot be started, breaks off or outlives its
    /// deadline, it is an error, with everything that was told until then.
    pub fn run(&self, scenario: &NamedScenario, tell: &mut dyn FnMut(&Event)) -> Outcome {
        self.carry_out(scenario, Otherwise::default(), tell)
    }

    /// Runs a scenario with one operation done otherwise, to see whether an expectation depends on
    /// it.
    pub fn run_trial(
        &self,
        scenario: &NamedScenario,
        trial: Trial,
        tell: &mut dyn FnMut(&Event),
    ) -> Outcome {
        let otherwise = Otherwise {
            trial: Some(trial),
            ..Otherwise::default()
        };
        self.carry_out(scenario, otherwise, tell)
    }

    /// Carries a scenario out up to a step and tells what becomes of one probe there. Nothing is
    /// judged: the outcome is an error, or that of the operations.
    pub fn explain(
        &self,
        scenario: &NamedScenario,
        question: Question,
        tell: &mut dyn FnMut(&Event),
    ) -> Outcome {
        let otherwise = Otherwise {
            question: Some(Box::new(question)),
            ..Otherwise::default()
        };
        self.carry_out(scenario, otherwise, tell)
    }

    /// Lets a command build the network of a scenario in its own way, and judges what it comes to as a
    /// step expects it.
    pub fn judge(
        &self,
        scenario: &NamedScenario,
        goal: Goal,
        tell: &mut dyn FnMut(&Event),
    ) -> Outcome {
        let otherwise = Otherwise {
            goal: Some(goal),
            ..Otherwise::default()
        };
        self.carry_out(scenario, otherwise, tell)
    }

    /// Runs a scenario in which something breaks on the way, to see whether an expectation notices it.
    pub fn run_with_fault(
        &self,
        scenario: &NamedScenario,
        fault: FaultAt,
        tell: &mut dyn FnMut(&Event),
    ) -> Outcome {
        let otherwise = Otherwise {
            fault: Some(fault),
            ..Otherwise::default()
        };
        self.carry_out(scenario, otherwise, tell)
    }

    fn carry_out(
        &self,
        scenario: &NamedScenario,
        otherwise: Otherwise,
        tell: &mut dyn FnMut(&Event),
    ) -> Outcome {
        let Otherwise {
            trial,
            question,
            goal,
            fault,
        } = otherwise;
        let begun = Instant::now();
        let mut outcome = Outcome::new(&scenario.name);
        let task = Task::Scenario(Box::new(Request {
            scenario: scenario.name.clone(),
            file: scenario.file.clone(),
            text: scenario.text.clone(),
            tier: self.tier,
            interior: self.interior.clone(),
            implementation: self.implementation.clone(),
            hostile: self.hostile,
            packets: self.packets && trial.is_none(),
            processor: self.turn.fetch_add(1, Ordering::Relaxed),
            deadlines: self.deadlines,
            trial,
            question,
            goal,
            fault,
        }));
        self.tell_all(&task, &mut outcome, tell);
        let known = |it: &&Deviation| it.scenario == scenario.name;
        outcome.deviation = self.deviations.iter().find(known).cloned();
        outcome.ms = begun.elapsed().as_secs_f64() * 1e3;
        outcome
    }

    /// Tries an adapter in a world of its own, and tells each step.
    pub fn smoke(&self, request: SmokeRequest, tell: &mut dyn FnMut(&Event)) {
        let task = Task::Smoke(Box::new(request));
        self.tell_all(&task, &mut Outcome::new(""), tell);
    }

    /// Tries what the kernel can do, in a world that is of no other use, and tells each check.
    pub fn try_features(&self, tell: &mut dyn FnMut(&Event)) {
        self.tell_all(&Task::Features(self.tier), &mut Outcome::new(""), tell);
    }

    fn tell_all(&self, task: &Task, outcome: &mut Outcome, tell: &mut dyn FnMut(&Event)) {
        if let Err(broken) = self.hear_out(task, outcome, tell) {
            let event = broken.event(outcome);
            outcome.take(&event);
            tell(&event);
        }
    }

    fn hear_out(
        &self,
        task: &Task,
        outcome: &mut Outcome,
        tell: &mut dyn FnMut(&Event),
    ) -> Result<(), Broken> {
        let request = serde_json::to_string(task)
            .map_err(|error| Broken::ours(format!("the request cannot be written: {error}")))?;
        let mut world = self.launch.start(&request)?;
        while !outcome.has_ended() {
            match world.next_line()? {
                Line::Event(line) => {
                    let event: Event = serde_json::from_str(&line).map_err(|error| {
                        Broken::ours(format!("the world said what is no event ({error}): {line}"))
                    })?;
                    match event {
                        Event::Capture { capture, .. } => outcome.packets.add(capture),
                        event => {
                            outcome.take(&event);
                            tell(&event);
                        }
                    }
                }
                // It has said why itself.
                Line::End if outcome.blame.is_some() => break,
                Line::End => {
                    let status = world.end();
                    if let Some(signal) = signal_of(status).filter(|_| task.is_shared()) {
                        return Err(Broken::of_tested(signal));
                    }
                    let why = format!("the world broke off ({}): {}", how(status), said(&world));
                    return Err(Broken::ours(why));
                }
                Line::Late => {
                    let limit = self.launch.deadline.as_secs_f64();
                    let why = format!("the world was still busy after {limit} s: {}", said(&world));
                    return Err(Broken::ours(why));
                }
            }
        }
        self.let_go(world);
        Ok(())
    }

    /// Lets a world dissolve by itself, and takes leave of those that have.
    fn let_go(&self, world: WorldProcess) {
        let Ok(mut leaving) = self.leaving.lock() else {
            return;
        };
        leaving.push(world);
        leaving.retain_mut(|world| !world.is_gone());
    }

    /// Waits until everything of every world is gone. Dropping the runner does so too.
    pub fn wait_until_gone(&self) {
        let leaving = self
            .leaving
            .lock()
            .map(|mut worlds| std::mem::take(&mut *worlds));
        drop(leaving);
    }
}

/// What is done with a scenario in place of running it.
#[derive(Debug, Default)]
struct Otherwise {
    trial: Option<Trial>,
    question: Option<Box<Question>>,
    goal: Option<Goal>,
    fault: Option<FaultAt>,
}

/// Why a world could not be heard out.
struct Broken {
    blame: Blame,
    message: String,
    help: Option<&'static str>,
}

impl Broken {
    fn ours(message: String) -> Self {
        Self {
            blame: Blame::Netproof,
            message,
            help: None,
        }
    }

    /// A program of others may end whatever is in its world, and netproof cannot keep it from doing so.
    fn of_tested(signal: Signal) -> Self {
        Self {
            blame: Blame::Tested,
            message: format!("netproof's own process in this world was killed by {signal}"),
            help: Some("look for `kill -1`, and for numbers of processes that are not its own"),
        }
    }

    /// The event that says so, in the step that was under way.
    fn event(self, outcome: &Outcome) -> Event {
        Event::Failure {
            scenario: outcome.scenario.clone(),
            step: outcome.steps,
            blame: self.blame,
            message: self.message,
            help: self.help.map(str::to_owned),
        }
    }
}

impl From<LaunchError> for Broken {
    fn from(error: LaunchError) -> Self {
        let message = with_sources(&error);
        let reason = KernelError::from_io(&error.source);
        if error.program == Launch::default().program && error.what == "start" {
            // This very program runs, so it can be started unless /proc is missing or hidden.
            let help = if reason.is_exhaustion() {
                exhaustion_cure(&reason)
            } else {
                "netproof starts itself anew for each world and needs /proc: mount it"
            };
            Self {
                blame: Blame::Machine,
                message,
                help: Some(help),
            }
        } else if reason.is_exhaustion() {
            Self {
                blame: Blame::Machine,
                message,
                help: Some(exhaustion_cure(&reason)),
            }
        } else {
            Self::ours(message)
        }
    }
}

/// The signal that ended a world's runner. Its init and shim hand its status on, as a shell does.
fn signal_of(status: Option<ExitStatus>) -> Option<Signal> {
    const SIGNAL: i32 = 128;
    let code = status.and_then(|status| status.code())?;
    Signal::try_from(code - SIGNAL).ok()
}

/// How a world's runner ended.
fn how(status: Option<ExitStatus>) -> String {
    match (signal_of(status), status.and_then(|status| status.code())) {
        (Some(signal), _) => format!("killed by {signal}"),
        (None, Some(code)) => format!("exit code {code}"),
        (None, None) => "killed".to_owned(),
    }
}

fn said(world: &WorldProcess) -> String {
    let stderr = world.stderr();
    if stderr.is_empty() {
        "it said nothing".to_owned()
    } else {
        stderr
    }
}
