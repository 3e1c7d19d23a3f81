//! The frames of all taps as they were seen, for whoever wants to look at them by another tool.
//!
//! Each attempt is handed on when it has come to rest, with what came before it; so whatever ends
//! the world, no earlier attempt is lost. Fences are left out: they are in every capture alike, and
//! tell nothing of the network.

use std::collections::HashMap;
use std::fmt;
use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};

use super::frame::{Direction, Frame};
use super::identity::{Identity, Part};
use super::order::in_order;
use super::tap::timestamps;
use crate::scenario::{Leg, NodeName, Probe};
use crate::world::Topology;

/// What a frame counts beside its own bytes: small frames cost more than their bytes.
const FRAME_COST: usize = 64;

/// What the taps saw of one attempt to send a probe, and before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// The probe in words.
    pub probe: String,
    /// Which attempt of the probe it is, from 1.
    pub attempt: u32,
    /// Interfaces that no earlier capture of the world has told of, as `node/ifname`.
    pub interfaces: Vec<String>,
    /// The frames, in the order of time.
    pub frames: Vec<CapturedFrame>,
    /// How many more there were.
    pub left_out: usize,
}

/// A frame that a tap saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapturedFrame {
    /// The interface, by its position among all that the captures of the world tell of.
    pub interface: usize,
    /// When it passed, in nanoseconds since 1970.
    pub time: u64,
    /// Whether it came in or went out there.
    pub direction: Direction,
    /// It came in for another hardware address than the interface's.
    pub for_another: bool,
    /// What it is to the probe.
    pub role: Role,
    /// The frame from its Ethernet header on.
    #[serde(with = "hex")]
    pub bytes: Vec<u8>,
}

/// What a frame is to the probe with which it was captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The taps held it before the probe was sent.
    Before,
    /// It was seen meanwhile, and is no packet of the probe's, such as an ARP request.
    Meanwhile,
    /// It is the packet of a leg.
    Packet(Leg),
    /// It carries the packet of a leg through a tunnel.
    Carrier(Leg),
    /// It is an ICMP error about the packet of a leg.
    Error(Leg),
}

impl Capture {
    /// How many bytes of frames are kept of one attempt. The first ones are, since a storm begins
    /// with what caused it.
    pub const BYTES_MAX: usize = 1 << 20;
}

impl CapturedFrame {
    /// Returns what the frame counts where frames are limited.
    pub fn cost(&self) -> usize {
        self.bytes.len() + FRAME_COST
    }
}

/// Who takes each capture.
pub type Sink = Box<dyn FnMut(Capture)>;

/// Makes captures of what the taps saw.
pub(super) struct Recorder {
    sink: Sink,
    /// The interfaces that were told of, by name and position.
    known: HashMap<String, usize>,
    /// Makes the kernel say when frames passed.
    _timestamps: Option<OwnedFd>,
    /// Frames that the taps held before the attempt.
    before: Vec<Frame>,
    bytes: usize,
    left_out: usize,
    probe: String,
    attempt: u32,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

impl Recorder {
    pub(super) fn new(sink: Sink) -> Self {
        Self {
            sink,
            known: HashMap::new(),
            _timestamps: timestamps(),
            before: Vec::new(),
            bytes: 0,
            left_out: 0,
            probe: String::new(),
            attempt: 0,
        }
    }

    /// Says which attempt comes next.
    pub(super) fn begin(&mut self, probe: &Probe, attempt: u32) {
        (self.probe, self.attempt) = (probe.to_string(), attempt);
    }

    /// Keeps a frame that was there before the attempt.
    pub(super) fn take_before(&mut self, frame: Frame) {
        if self.has_room(&frame) {
            self.before.push(frame);
        }
    }

    fn has_room(&mut self, frame: &Frame) -> bool {
        self.bytes += frame.bytes.len() + FRAME_COST;
        let has_room = self.bytes <= Capture::BYTES_MAX;
        self.left_out += usize::from(!has_room);
        has_room
    }

    /// Hands on what was seen of an attempt. The identity is that of its packets, where it is known.
    pub(super) fn end(
        &mut self,
        frames: &[Frame],
        identity: Option<&Identity>,
        topology: &Topology,
    ) {
        let mut interfaces = Vec::new();
        for (node, link) in topology.iter() {
            self.position(format!("{node}/{}", link.name), &mut interfaces);
        }
        let before = std::mem::take(&mut self.before);
        let kept: Vec<&Frame> = frames.iter().filter(|frame| self.has_room(frame)).collect();
        let mut captured = Vec::new();
        for (time, frame) in in_order(before.iter().collect(), topology) {
            let interface = self.position(name_of(frame, topology), &mut interfaces);
            captured.push(capture(frame, time, interface, Role::Before));
        }
        for (time, frame) in in_order(kept, topology) {
            let role = identity.map_or(Role::Meanwhile, |identity| role_of(frame, identity));
            let interface = self.position(name_of(frame, topology), &mut interfaces);
            captured.push(capture(frame, time, interface, role));
        }
        self.bytes = 0;
        (self.sink)(Capture {
            probe: self.probe.clone(),
            attempt: self.attempt,
            interfaces,
            frames: captured,
            left_out: std::mem::take(&mut self.left_out),
        });
    }

    /// Returns the position of an interface, a new one for a name that was not told of yet.
    fn position(&mut self, name: String, new: &mut Vec<String>) -> usize {
        let next = self.known.len();
        *self.known.entry(name).or_insert_with_key(|name| {
            new.push(name.clone());
            next
        })
    }
}

/// Names the interface of a frame; one that is gone by now has but its number.
fn name_of(frame: &Frame, topology: &Topology) -> String {
    let node: &NodeName = &frame.node;
    match topology.link(node, frame.link) {
        Some(link) => format!("{node}/{}", link.name),
        None => format!("{node}/({})", frame.link),
    }
}

fn role_of(frame: &Frame, identity: &Identity) -> Role {
    let leg = |part: Part| match part {
        Part::Packet { leg, .. } => (leg, false),
        Part::Advertised { .. } => (Leg::Reply, false),
        Part::Frame { leg, .. } => (leg, false),
        Part::Error { leg, .. } => (leg, true),
    };
    match (
        identity.carried_part(frame).map(leg),
        identity.part(frame).map(leg),
    ) {
        (Some((leg, _)), _) => Role::Carrier(leg),
        (None, Some((leg, true))) => Role::Error(leg),
        (None, Some((leg, false))) => Role::Packet(leg),
        (None, None) => Role::Meanwhile,
    }
}

fn capture(frame: &Frame, time: u64, interface: usize, role: Role) -> CapturedFrame {
    CapturedFrame {
        interface,
        time,
        direction: frame.direction,
        for_another: frame.for_another,
        role,
        bytes: frame.bytes.clone(),
    }
}

/// Bytes as two digits each: a string is half as long as a list of numbers.
mod hex {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value & 0xf)]);
        let digits: String = bytes
            .iter()
            .flat_map(|byte| [digit(byte >> 4), digit(*byte)])
            .collect();
        to.serialize_str(&digits)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let digits = String::deserialize(from)?;
        let value = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
        let mut pairs = digits.as_bytes().chunks(2);
        pairs
            .try_fold(Vec::with_capacity(digits.len() / 2), |mut bytes, pair| {
                let [high, low] = pair.try_into().ok()?;
                bytes.push(value(high)? << 4 | value(low)?);
                Some(bytes)
            })
            .ok_or_else(|| D::Error::custom("not pairs of hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    fn frame(time: u64, length: usize) -> Frame {
        Frame {
            node: "web".parse().unwrap(),
            link: 7,
            direction: Direction::Out,
            for_another: false,
            time: Some(time),
            bytes: vec![0xa5; length],
        }
    }

    fn recorded(before: Vec<Frame>, frames: &[&[Frame]]) -> Vec<Capture> {
        let captures = Rc::new(RefCell::new(Vec::new()));
        let sink = captures.clone();
        let mut recorder = Recorder::new(Box::new(move |it| sink.borrow_mut().push(it)));
        for frame in before {
            recorder.take_before(frame);
        }
        for frames in frames {
            recorder.end(frames, None, &Topology::default());
        }
        captures.take()
    }

    #[test]
    fn frames_are_in_the_order_of_time_and_an_interface_is_told_once() {
        let all = recorded(
            vec![frame(1, 60)],
            &[&[frame(3, 60), frame(2, 60)], &[frame(4, 60)]],
        );
        let times: Vec<u64> = all[0].frames.iter().map(|frame| frame.time).collect();
        assert_eq!(times, [1, 2, 3]);
        assert_eq!(all[0].frames[0].role, Role::Before);
        assert_eq!(all[0].frames[1].role, Role::Meanwhile);
        assert_eq!(all[0].interfaces, ["web/(7)"]);
        assert_eq!(all[1].interfaces, [""; 0]);
        assert_eq!(all[1].frames[0].interface, 0);
    }

    #[test]
    fn a_storm_is_cut_and_the_next_attempt_is_whole() {
        let storm = vec![frame(1, 60_000); 20];
        let all = recorded(Vec::new(), &[&storm, &[frame(2, 60)]]);
        assert_eq!((all[0].frames.len(), all[0].left_out), (17, 3));
        assert_eq!((all[1].frames.len(), all[1].left_out), (1, 0));
    }

    #[test]
    fn a_frame_crosses_the_pipe_unchanged() {
        let mut frame = capture(&frame(1, 3), u64::MAX, 2, Role::Carrier(Leg::Reply));
        frame.bytes = vec![0x00, 0x9f, 0xff];
        let line = serde_json::to_string(&frame).unwrap();
        assert!(line.contains("\"009fff\""), "{line}");
        assert_eq!(serde_json::from_str::<CapturedFrame>(&line).unwrap(), frame);
        for wrong in ["00f", "0g"] {
            assert!(serde_json::from_str::<CapturedFrame>(&line.replace("009fff", wrong)).is_err());
        }
    }
}
