//! What a world's process is asked to do.

use serde::{Deserialize, Serialize};

use super::deadlines::Deadlines;
use super::fault::FaultAt;
use super::smoke::SmokeRequest;
use crate::implement::Choice;
use crate::scenario::Question;
use crate::world::{Interior, Tier};

/// What a world is for; it crosses the pipe as one line of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// To run a scenario.
    Scenario(Box<Request>),
    /// To try an adapter.
    Smoke(Box<SmokeRequest>),
    /// To try what the kernel can do, with the privileges of this tier.
    Features(Tier),
}

impl Task {
    /// Tells whether a program of somebody else has the run of the world: an adapter, or a command that is
    /// judged. It has the same rights there as netproof.
    pub(super) fn is_shared(&self) -> bool {
        match self {
            Self::Scenario(request) => {
                let by_adapter = matches!(request.implementation, Choice::Adapter { .. });
                by_adapter || request.goal.is_some()
            }
            Self::Smoke(_) => true,
            Self::Features(_) => false,
        }
    }
}

/// One scenario to be run in a world of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The scenario's name, such as `tutorials/gateway`.
    pub scenario: String,
    /// The file that it was read from, for messages.
    pub file: String,
    /// The text of the file.
    pub text: String,
    /// Which privileges the world is made with.
    pub tier: Tier,
    /// What the world has for programs of others.
    #[serde(default)]
    pub interior: Interior,
    /// Which implementation carries the operations out.
    pub implementation: Choice,
    /// Every node starts with the opposite of each pinned setting, before pinning.
    pub hostile: bool,
    /// Everything that the taps see is told too.
    #[serde(default)]
    pub packets: bool,
    /// Which of the processors that it may use the world keeps to; counted round.
    pub processor: usize,
    /// How long its parts may take.
    pub deadlines: Deadlines,
    /// What is done otherwise than the scenario says, to see whether it expects anything of it.
    pub trial: Option<Trial>,
    /// What is asked of the scenario, in place of judging it.
    pub question: Option<Box<Question>>,
    /// What builds the network in place of the scenario's operations, and what is judged of it.
    #[serde(default)]
    pub goal: Option<Goal>,
    /// What breaks on the way.
    #[serde(default)]
    pub fault: Option<FaultAt>,
}

/// A command that is to reach the state that a step expects, in its own way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Goal {
    /// The number of the step whose expectations are judged, from 1.
    pub step: usize,
    /// The command: a program and its arguments.
    pub command: Vec<String>,
    /// Whether the step's snapshot is taken, too.
    pub snapshot: bool,
}

/// One operation that is done otherwise, to see whether an expectation depends on it.
///
/// Operations that come out otherwise, as they may without it, do not end such a run. The first
/// expectation that fails does, unless its probe could not be sent. No facts are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// The number of the step, from 1.
    pub step: usize,
    /// The number of the operation in the step, from 1.
    pub operation: usize,
    /// What is done in its place.
    pub instead: Instead,
}

/// What is done in place of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Instead {
    /// Nothing at all.
    Nothing,
    /// The operation under its `right`; nothing where it has none.
    Right,
}
