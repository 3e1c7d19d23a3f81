//! Whatever answers the requests of the protocol.

use std::future::Future;
use std::pin::Pin;

use super::protocol::{Reply, Request};
use crate::world::World;

/// What a request will come to.
pub type Answered<'a> = Pin<Box<dyn Future<Output = Result<Reply, Broken>> + 'a>>;

/// Something that answers requests: a process that speaks the protocol, or code of our own that drives a
/// real program.
///
/// Requests may come while others are under way.
pub trait Driver {
    /// Answers a request.
    ///
    /// # Errors
    ///
    /// There is no reply, or none that can be read: a crash, silence, nonsense. What was refused or went
    /// wrong in an orderly way is a reply.
    fn ask<'a>(&'a self, world: &'a World, request: &'a Request) -> Answered<'a>;

    /// Tells whether it is a program of somebody else, which ends by itself what takes too long, and
    /// which may write to its workdir only.
    fn is_adapter(&self) -> bool {
        false
    }
}

/// An implementation that does not answer as the protocol says: what it did instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Broken(pub String);
