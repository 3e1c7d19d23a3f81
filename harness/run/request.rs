//! What a world's process is asked to do.

use serde::{Deserialize, Serialize};

use crate::implement::Choice;
use crate::world::Tier;

/// One scenario to be run in a world of its own; it crosses the pipe as one line of JSON.
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
    /// Which implementation carries the operations out.
    pub implementation: Choice,
    /// Every node starts with the opposite of each pinned setting, before pinning.
    pub hostile: bool,
    /// Which of the processors that it may use the world keeps to; counted round.
    pub processor: usize,
}
