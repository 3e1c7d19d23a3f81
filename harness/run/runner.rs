//! The starter's side: starts a world for a scenario and hears it out.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::event::{Blame, Event};
use super::outcome::Outcome;
use super::request::Request;
use crate::world::{Launch, LaunchError, Line, Tier, WorldProcess};

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

/// Why a scenario could not be run at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The world's process could not be started or heard.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The request could not be written down.
    #[error("cannot write the request")]
    Request(#[from] serde_json::Error),
}

/// Runs scenarios, each in a world of its own.
///
/// The program that a world's process runs, by default this one, must begin with
/// [`become_world`](super::become_world) when its arguments ask for it.
#[derive(Debug, Default)]
pub struct Runner {
    /// How worlds are started.
    pub launch: Launch,
    /// Which privileges they are made with.
    pub tier: Tier,
    /// Every node starts with the opposite of each pinned setting, before pinning.
    pub hostile: bool,
    turn: AtomicUsize,
    /// Worlds that have told all, and dissolve while others run.
    leaving: Mutex<Vec<WorldProcess>>,
}

impl Runner {
    /// Makes a runner that starts this program for each world.
    pub fn new(tier: Tier, hostile: bool) -> Self {
        Self {
            tier,
            hostile,
            ..Self::default()
        }
    }

    /// Runs one scenario and tells each event as it comes.
    ///
    /// A world that breaks off is no error of this call: the outcome says so, with everything that
    /// was told until then.
    ///
    /// # Errors
    ///
    /// The world's process cannot be started or heard.
    pub fn run(
        &self,
        scenario: &NamedScenario,
        tell: &mut dyn FnMut(&Event),
    ) -> Result<Outcome, RunError> {
        let begun = Instant::now();
        let request = serde_json::to_string(&Request {
            scenario: scenario.name.clone(),
            file: scenario.file.clone(),
            text: scenario.text.clone(),
            tier: self.tier,
            hostile: self.hostile,
            processor: self.turn.fetch_add(1, Ordering::Relaxed),
        })?;
        let mut world = self.launch.start(&request)?;
        let mut outcome = Outcome::new(&scenario.name);
        let mut hear = |outcome: &mut Outcome, event: Event| {
            outcome.take(&event);
            tell(&event);
        };
        let broke_off = |why: &str, blame| Event::Failure {
            scenario: scenario.name.clone(),
            step: 0,
            blame,
            message: why.to_owned(),
            help: None,
        };
        while !outcome.has_ended() && outcome.blame.is_none() {
            match world.next_line()? {
                Line::Event(line) => match serde_json::from_str(&line) {
                    Ok(event) => hear(&mut outcome, event),
                    Err(error) => {
                        let why = format!("the world said what is no event ({error}): {line}");
                        hear(&mut outcome, broke_off(&why, Blame::Netproof));
                    }
                },
                Line::End => {
                    let why = format!("the world broke off: {}", said(&world));
                    hear(&mut outcome, broke_off(&why, Blame::Netproof));
                }
                Line::Late => {
                    let limit = self.launch.deadline.as_secs();
                    let why = format!("the world was still busy after {limit} s: {}", said(&world));
                    hear(&mut outcome, broke_off(&why, Blame::Netproof));
                }
            }
        }
        outcome.ms = begun.elapsed().as_secs_f64() * 1e3;
        self.let_go(world);
        Ok(outcome)
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

fn said(world: &WorldProcess) -> String {
    let stderr = world.stderr();
    if stderr.is_empty() {
        "it said nothing".to_owned()
    } else {
        stderr
    }
}
