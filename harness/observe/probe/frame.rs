//! Frames of a protocol that nobody speaks, and that a server of ours sends back.

use crate::kernel::Mac;
use crate::observe::identity::{REQUEST, TOKEN_LENGTH};

/// The shortest Ethernet frame without its checksum, in bytes.
const FRAME_MIN: usize = 60;

/// A frame from one hardware address to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::observe) struct FrameProbe {
    pub(in crate::observe) sender: Mac,
    pub(in crate::observe) receiver: Mac,
    pub(in crate::observe) ethertype: u16,
    pub(in crate::observe) token: [u8; TOKEN_LENGTH],
}

impl FrameProbe {
    /// Builds the frame.
    pub(in crate::observe) fn frame(&self) -> Vec<u8> {
        let mut bytes = [
            &self.receiver.0[..],
            &self.sender.0,
            &self.ethertype.to_be_bytes(),
            &self.token,
            &[REQUEST],
        ]
        .concat();
        bytes.resize(FRAME_MIN, 0);
        bytes
    }
}
