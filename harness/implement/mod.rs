//! Implementations: those that carry operations out.
//!
//! Invariant: an implementation never judges itself, and never reads an expectation.

mod exec;
mod native;
mod shell;

use std::future::Future;
use std::pin::Pin;

use serde::{Deserialize, Serialize};

pub use exec::exec;
pub use native::Native;
pub use shell::Shell;

use crate::kernel::KernelError;
use crate::scenario::Operation;
use crate::world::{TunTap, TunTapError, World, WorldError};

/// What carrying out one operation will come to.
pub type Applied<'a> = Pin<Box<dyn Future<Output = Result<(), OperationError>> + 'a>>;

/// One of the implementations that netproof has, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// netproof's own, over netlink.
    #[default]
    Native,
    /// The commands that the operations stand for, run by a shell.
    Shell,
}

impl Choice {
    /// Makes the implementation, of which nothing has been asked yet.
    pub fn make(self) -> Box<dyn Implementation> {
        match self {
            Self::Native => Box::new(Native::default()),
            Self::Shell => Box::new(Shell),
        }
    }
}

/// Something that changes the network of a world.
pub trait Implementation {
    /// Returns the name under which it is chosen and reported.
    fn name(&self) -> &str;

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
    /// The program that it asks for is not installed.
    #[error("there is no program `{0}` here")]
    MissingProgram(String),
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

    /// Returns what the kernel said, where the operation was refused by it.
    pub fn refusal(&self) -> Option<&KernelError> {
        match self {
            Self::Refused(error) => Some(error),
            Self::World(error) => Some(&error.reason),
            Self::Unsupported { .. }
            | Self::RefusedByProgram { .. }
            | Self::MissingProgram(_)
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
