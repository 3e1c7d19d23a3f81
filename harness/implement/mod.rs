//! Implementations: those that carry operations out.
//!
//! Invariant: an implementation never judges itself, and never reads an expectation.

mod adapter;
mod choice;
mod container;
mod driver;
mod drivers;
mod exec;
mod intents;
mod lowered;
mod manifest;
mod native;
mod programs;
pub mod protocol;
mod refusal;
mod requires;
pub mod schema;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;

pub use adapter::{Adapter, Question, Transport};
pub use choice::{Choice, ChoiceError};
pub(crate) use container::container_of;
pub use driver::{Answered, Broken, Driver};
pub use drivers::{DRIVERS, DriverInfo};
pub use exec::exec;
pub use native::Native;
pub use programs::{PATH, absence, bare, installed_version, missing, version};
pub(crate) use requires::meet;

use crate::kernel::KernelError;
use protocol::Hello;

use crate::scenario::{LinkRef, NoWay, NodeName, Operation, REFUSED, Unlowered};
use crate::world::{TunTap, TunTapError, World, WorldError};

/// What carrying out one operation will come to.
pub type Applied<'a> = Pin<Box<dyn Future<Output = Result<(), OperationError>> + 'a>>;

/// Something that changes the network of a world.
pub trait Implementation {
    /// Returns the name under which it is chosen and reported.
    fn name(&self) -> &str;

    /// Returns the commands that it has for an operation, as one would type them; none where it needs
    /// none.
    fn commands(&self, _: &Operation) -> Vec<String> {
        Vec::new()
    }

    /// Carries one operation out.
    fn apply<'a>(&'a mut self, world: &'a mut World, operation: &'a Operation) -> Applied<'a>;

    /// Returns the intents that take away all networks and endpoints that are still there.
    fn undo(&self) -> Vec<Operation> {
        Vec::new()
    }

    /// Takes what was claimed of endpoints since this was asked last.
    fn take_claims(&mut self) -> Vec<EndpointClaim> {
        Vec::new()
    }

    /// Tells whether it makes the containers' network namespaces itself, as far as it has said so.
    fn makes_namespaces(&self) -> bool {
        false
    }

    /// Asks it whether all endpoints are as they should be; nothing where it has no such question.
    fn check<'a>(&'a mut self, _: &'a World) -> Checking<'a> {
        Box::pin(std::future::ready(Vec::new()))
    }

    /// Tells whether it ends what takes too long by itself.
    fn keeps_deadlines(&self) -> bool {
        false
    }

    /// Tells it that nothing more is asked.
    fn leave<'a>(&'a mut self, _: &'a World) -> Applied<'a> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Returns where it may write, where it may not write everywhere.
    fn may_write(&self) -> Option<Vec<PathBuf>> {
        None
    }

    /// Returns who it says it is, once it was asked.
    fn hello(&self) -> Option<&Hello> {
        None
    }
}

/// What an implementation's own check will come to.
pub type Checking<'a> = Pin<Box<dyn Future<Output = Vec<Checked>> + 'a>>;

/// What an implementation found when it checked an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The container.
    pub node: NodeName,
    /// That all is well, or what is not.
    pub found: Result<(), String>,
    /// There was no answer: it broke off.
    pub broken: bool,
}

/// What an implementation says of an interface that it has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointClaim {
    /// The interface.
    pub on: LinkRef,
    /// Its addresses, with prefix lengths.
    pub addresses: Vec<String>,
}

/// Why an operation was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OperationError {
    /// The kernel refused it.
    #[error(transparent)]
    Refused(#[from] KernelError),
    /// The kernel does not have what it needs.
    #[error("this kernel has no {feature}: {reason}")]
    Unsupported {
        /// The missing feature.
        feature: &'static str,
        /// What the kernel said.
        reason: KernelError,
    },
    /// The world could not follow.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The program that it asks for does not take the command.
    #[error("{program} says: {said}")]
    RefusedByProgram {
        /// The program.
        program: String,
        /// What it said last.
        said: String,
    },
    /// The implementation has no commands for it.
    #[error("{implementation} has {no_way}")]
    NoWay {
        /// The implementation.
        implementation: String,
        /// What it has no commands for.
        no_way: NoWay,
    },
    /// A program that the implementation runs is not installed.
    #[error("there is no program `{0}`: install it")]
    NoProgram(String),
    /// The implementation does not do this, and says so.
    #[error("{implementation} does not do {feature}: {reason}")]
    NotDone {
        /// The implementation.
        implementation: String,
        /// What it does not do.
        feature: String,
        /// Why not.
        reason: String,
    },
    /// The implementation says that it needs something that this world does not have.
    #[error("{implementation} needs {what}")]
    Needs {
        /// The implementation.
        implementation: String,
        /// What it needs, and what is to be done.
        what: String,
    },
    /// The implementation takes networks and endpoints only.
    #[error("{0} takes networks and endpoints, not single commands")]
    LevelOne(String),
    /// The implementation leaves this out on purpose.
    #[error("{message}{}", issue_url.as_ref().map(|url| format!(" ({url})")).unwrap_or_default())]
    Skipped {
        /// Why.
        message: String,
        /// Where that is discussed.
        issue_url: Option<String>,
    },
    /// The implementation refused it, or failed in an orderly way.
    #[error("{code}: {message}{}", on_new_lines(.stderr))]
    Declined {
        /// A word or number of its own.
        code: String,
        /// Its own words.
        message: String,
        /// What else it said.
        stderr: String,
    },
    /// The implementation broke the protocol: it crashed, hung or spoke nonsense.
    #[error("the implementation broke off: {0}")]
    Broken(#[from] Broken),
    /// What is wanted of the network is impossible.
    #[error("{}: {}", .0.code, .0.message)]
    Unlowered(#[from] Unlowered),
    /// The operation is the harness's own: no implementation is asked for it.
    #[error("`{0}` is carried out by the harness, not by an implementation")]
    HarnessOnly(&'static str),
}

impl OperationError {
    /// Tells a missing driver from a refusal.
    pub(crate) fn of_tuntap(mode: TunTap, error: TunTapError) -> Self {
        let feature = match mode {
            TunTap::Tun => "tun",
            TunTap::Tap => "tap",
        };
        match error {
            TunTapError::Absent(reason) => Self::Unsupported { feature, reason },
            TunTapError::Refused(reason) => reason.into(),
            TunTapError::World(error) => error.into(),
        }
    }

    /// Tells whether there are no means for the operation here, as opposed to its being refused.
    pub fn is_unsupported(&self) -> bool {
        matches!(
            self,
            Self::Unsupported { .. }
                | Self::NoWay { .. }
                | Self::NoProgram(_)
                | Self::NotDone { .. }
                | Self::Needs { .. }
                | Self::LevelOne(_)
        )
    }

    /// Returns what this machine lacks, by name: a feature of the kernel, or a program.
    pub fn lacks(&self) -> Option<&str> {
        match self {
            Self::Unsupported { feature, .. } => Some(feature),
            Self::NoProgram(program) => Some(program),
            _ => None,
        }
    }

    /// Returns what the kernel said, where the operation was refused by it.
    pub fn refusal(&self) -> Option<&KernelError> {
        match self {
            Self::Refused(error) => Some(error),
            Self::World(error) => Some(&error.reason),
            Self::Unsupported { .. }
            | Self::RefusedByProgram { .. }
            | Self::NoWay { .. }
            | Self::NoProgram(_)
            | Self::NotDone { .. }
            | Self::Needs { .. }
            | Self::LevelOne(_)
            | Self::Skipped { .. }
            | Self::Declined { .. }
            | Self::Broken(_)
            | Self::Unlowered(_)
            | Self::HarnessOnly(_) => None,
        }
    }

    /// Tells whether it was refused with these words.
    pub fn is_refusal(&self, reason: &str) -> bool {
        match self {
            Self::Declined { .. } | Self::Unlowered(_) => reason == REFUSED,
            Self::RefusedByProgram { said, .. } => said == reason,
            error if reason == REFUSED => error.refusal().is_some(),
            error => error.refusal().is_some_and(|kernel| kernel.is(reason)),
        }
    }
}

/// What else was said, below what was said first.
fn on_new_lines(said: &str) -> String {
    let lines = said.trim().lines();
    lines.map(|line| format!("\n{line}")).collect()
}
