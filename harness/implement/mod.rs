//! Implementations: those that carry operations out.
//!
//! Invariant: an implementation never judges itself, and never reads an expectation.

mod choice;
mod exec;
mod manifest;
mod native;
mod programs;
mod refusal;

use std::future::Future;
use std::pin::Pin;

pub use choice::Choice;
pub use exec::exec;
pub use native::Native;
pub use programs::{PATH, bare, missing, version};

use crate::kernel::KernelError;
use crate::scenario::{NoWay, Operation};
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
            Self::Unsupported { .. } | Self::NoWay { .. } | Self::NoProgram(_)
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
            | Self::HarnessOnly(_) => None,
        }
    }

    /// Tells whether it was refused with these words.
    pub fn is_refusal(&self, reason: &str) -> bool {
        match self {
            Self::RefusedByProgram { said, .. } => said == reason,
            error => error.refusal().is_some_and(|kernel| kernel.is(reason)),
        }
    }
}
