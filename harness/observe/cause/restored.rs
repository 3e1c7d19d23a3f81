//! A reply in the node that translated the request's source: its destination is what that was before.

use super::packet::Packet;
use super::{Scene, Search};
use crate::observe::frame::Direction;
use crate::scenario::Leg;

/// Returns the reply as the node routes it, where it translated the source of the request.
///
/// Connection tracking restores the address before the reply is routed; a tap sees it before that.
pub(super) fn restored(scene: &Scene<'_>, search: &mut Search, packet: &Packet) -> Option<Packet> {
    if packet.leg != Leg::Reply {
        return None;
    }
    let sightings = scene
        .walk
        .steps()
        .filter_map(|step| step.sighting(scene.topology));
    let mut before = None;
    for seen in sightings.filter(|it| it.leg == Leg::Request && it.on.node == packet.on.node) {
        match (seen.direction, before) {
            (Direction::In, _) => before = seen.source,
            (Direction::Out, Some(original))
                if seen.source == Some(packet.destination) && original != packet.destination =>
            {
                let node = &packet.on.node;
                search.found(
                    format!("source of the request in {node}"),
                    format!("{original}, translated to {}", packet.destination),
                );
                return Some(Packet {
                    destination: original,
                    ..packet.clone()
                });
            }
            (Direction::Out, _) => {}
        }
    }
    None
}
