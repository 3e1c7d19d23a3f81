//! A probe's packets at processes of others that forward packets: where such a process takes them, and
//! where it puts them back.

use super::frame::{Direction, Frame};
use crate::world::{Forwarder, Port, Topology};

/// Returns the processes that take a frame where it was seen.
pub(super) fn takers<'a>(
    frame: &'a Frame,
    topology: &'a Topology,
) -> impl Iterator<Item = &'a Forwarder> {
    topology
        .forwarders()
        .iter()
        .filter(|it| match frame.direction {
            Direction::Out => has_device(it, frame, topology),
            Direction::In => {
                it.hears(&frame.node, frame.link)
                    || (!frame.for_another && it.has_socket_in(&frame.node))
            }
        })
}

/// Tells whether a process that takes one frame may have sent another: the other comes in by a device of
/// the process, or leaves where it has a socket.
pub(super) fn passes(frame: &Frame, later: &Frame, topology: &Topology) -> bool {
    takers(frame, topology).any(|taker| match later.direction {
        Direction::In => has_device(taker, later, topology),
        Direction::Out => taker.hears(&later.node, later.link) || taker.has_socket_in(&later.node),
    })
}

/// Tells whether what comes in at an interface was sent by a process of others.
pub(super) fn is_from_process(frame: &Frame, topology: &Topology) -> bool {
    let mut forwarders = topology.forwarders().iter();
    frame.direction == Direction::In && forwarders.any(|it| has_device(it, frame, topology))
}

/// Lists the devices by which a process may send on what it takes there, apart from the one that it came
/// out of.
pub(super) fn may_come_in_at(frame: &Frame, topology: &Topology) -> Vec<Port> {
    let devices = takers(frame, topology).flat_map(Forwarder::devices);
    let ports = devices.filter_map(|(node, name)| {
        let link = topology.link_named(node, name)?;
        Some((node.clone(), link.index))
    });
    ports
        .filter(|port| *port != (frame.node.clone(), frame.link))
        .collect()
}

fn has_device(forwarder: &Forwarder, frame: &Frame, topology: &Topology) -> bool {
    let link = topology.link(&frame.node, frame.link);
    link.is_some_and(|link| forwarder.has_device(&frame.node, &link.name))
}
