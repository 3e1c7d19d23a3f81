//! The order of the frames of several taps.
//!
//! The kernel says when a frame passed, but only once it has begun to: where it has not yet, each
//! tap still has its own frames in order, and a frame comes in only after it went out at the other
//! end of the wire.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::frame::{Direction, Frame};
use super::tap::now;
use crate::scenario::NodeName;
use crate::world::{Port, Topology};

/// Puts frames in the order in which they passed, each with its time. Where the kernel does not
/// know it, it is a nanosecond after that of the frame before.
pub(super) fn in_order<'a>(frames: Vec<&'a Frame>, topology: &Topology) -> Vec<(u64, &'a Frame)> {
    let mut ordered = frames;
    if ordered.iter().all(|frame| frame.time.is_some()) {
        ordered.sort_by_key(|frame| frame.time);
    } else {
        ordered = merged(&ordered, topology);
    }
    let known = ordered.iter().find_map(|frame| frame.time);
    let mut last = known.map_or_else(now, |time| time.saturating_sub(ordered.len() as u64));
    let timed = ordered.into_iter().map(|frame| {
        last = frame.time.map_or(last + 1, |time| time.max(last));
        (last, frame)
    });
    timed.collect()
}

/// Merges what the taps saw: what is on a wire comes in before anything else goes out.
fn merged<'a>(frames: &[&'a Frame], topology: &Topology) -> Vec<&'a Frame> {
    let mut taps: BTreeMap<&NodeName, VecDeque<&Frame>> = BTreeMap::new();
    for frame in frames {
        taps.entry(&frame.node).or_default().push_back(frame);
    }
    let mut on_the_wire: HashMap<(Port, &[u8]), usize> = HashMap::new();
    let mut merged = Vec::new();
    let here = |frame: &Frame| (frame.node.clone(), frame.link);
    loop {
        let waiting = || {
            taps.iter()
                .filter_map(|(name, tap)| Some((*name, *tap.front()?)))
        };
        let is_on_the_wire = |frame: &Frame| {
            frame.direction == Direction::In
                && on_the_wire
                    .get(&(here(frame), frame.bytes.as_slice()))
                    .is_some_and(|count| *count > 0)
        };
        let can_come = |frame: &Frame| {
            frame.direction == Direction::Out || topology.peer(&frame.node, frame.link).is_none()
        };
        // A frame whose sending no tap saw must not hold up the rest.
        let next = waiting()
            .find(|(_, frame)| is_on_the_wire(frame))
            .or_else(|| waiting().find(|(_, frame)| can_come(frame)))
            .or_else(|| waiting().next());
        let Some((name, frame)) = next else { break };
        if let Some(count) = on_the_wire.get_mut(&(here(frame), frame.bytes.as_slice())) {
            *count = count.saturating_sub(usize::from(frame.direction == Direction::In));
        }
        if frame.direction == Direction::Out
            && let Some((node, peer)) = topology.peer(&frame.node, frame.link)
        {
            let there = (node.clone(), peer.index);
            *on_the_wire.entry((there, &frame.bytes)).or_default() += 1;
        }
        taps.get_mut(name).and_then(VecDeque::pop_front);
        merged.push(frame);
    }
    merged
}
