//! The packets of a world, as its starter keeps them.

use std::collections::VecDeque;

use crate::observe::{Capture, CapturedFrame};

/// Everything that the taps of a world saw, as far as there was room.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Packets {
    /// The release of the kernel that carried them.
    pub kernel: String,
    /// The interfaces, as `node/ifname`; frames name them by position.
    pub interfaces: Vec<String>,
    /// What was seen, attempt by attempt.
    pub attempts: VecDeque<AttemptPackets>,
    /// How many packets there was no room for.
    pub left_out: usize,
    step: (usize, String),
    bytes: usize,
}

/// What was seen of one attempt to send a probe, and before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptPackets {
    /// The step's number.
    pub step: usize,
    /// The step's name.
    pub name: String,
    /// The probe in words.
    pub probe: String,
    /// Which attempt of the probe it is, from 1.
    pub attempt: u32,
    /// The frames, in the order of time.
    pub frames: Vec<CapturedFrame>,
}

impl Packets {
    /// How many bytes of packets are kept of one world. The last ones are, since a scenario ends
    /// with what went wrong.
    pub const BYTES_MAX: usize = 16 << 20;

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// Returns how many there are.
    pub fn count(&self) -> usize {
        self.attempts.iter().map(|it| it.frames.len()).sum()
    }

    pub(super) fn begin_step(&mut self, step: usize, name: &str) {
        self.step = (step, name.to_owned());
    }

    /// Keeps an attempt, and gives up the oldest ones where there is no room.
    pub(super) fn add(&mut self, mut capture: Capture) {
        self.interfaces.append(&mut capture.interfaces);
        self.left_out += capture.left_out;
        let (step, name) = self.step.clone();
        let known = self.interfaces.len();
        // What names an interface that nobody told of could not be written.
        capture.frames.retain(|frame| frame.interface < known);
        let attempt = AttemptPackets {
            step,
            name,
            probe: capture.probe,
            attempt: capture.attempt,
            frames: capture.frames,
        };
        self.bytes += attempt.cost();
        self.attempts.push_back(attempt);
        while self.bytes > Self::BYTES_MAX
            && let Some(oldest) = self.attempts.pop_front()
        {
            self.bytes -= oldest.cost();
            self.left_out += oldest.frames.len();
        }
    }
}

impl AttemptPackets {
    fn cost(&self) -> usize {
        self.frames.iter().map(CapturedFrame::cost).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Direction, Role};

    fn capture(probe: usize, length: usize) -> Capture {
        let frame = |interface| CapturedFrame {
            interface,
            time: 0,
            direction: Direction::In,
            for_another: false,
            role: Role::Meanwhile,
            bytes: vec![0; length],
        };
        Capture {
            probe: probe.to_string(),
            attempt: 1,
            interfaces: Vec::from_iter((probe == 0).then(|| "a/eth0".to_owned())),
            frames: vec![frame(0), frame(7)],
            left_out: 1,
        }
    }

    #[test]
    fn the_oldest_attempts_make_room_and_are_counted() {
        let mut packets = Packets::default();
        packets.begin_step(3, "name");
        for probe in 0..20 {
            packets.add(capture(probe, (1 << 20) - 64));
        }
        // One of each attempt has no interface; sixteen of the others fit.
        assert_eq!((packets.count(), packets.left_out), (16, 24));
        assert_eq!(packets.interfaces, ["a/eth0"]);
        let first = &packets.attempts[0];
        assert_eq!((first.probe.as_str(), first.step), ("4", 3));
    }
}
