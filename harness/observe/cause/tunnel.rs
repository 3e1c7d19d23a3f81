//! A packet on its way into a tunnel or out of one.

use super::packet::Packet;
use super::{Explanation, ObserveError, Scene, Search, sender};
use crate::observe::Observer;
use crate::observe::frame::Direction;
use crate::scenario::{Cause, NodeName};

/// Explains that what came out of a tun or tap device whose other end is ours was not sent on.
pub(super) async fn not_sent(
    observer: &mut Observer,
    scene: &Scene<'_>,
    search: &mut Search,
    packet: &Packet,
) -> Result<Option<Explanation>, ObserveError> {
    let device = (&packet.on.node, packet.link);
    let (Some(node), Some(remote)) = (
        scene.topology.tunnel(device.0, device.1),
        scene.topology.tunnel_remote(device.0, device.1),
    ) else {
        return Ok(None);
    };
    search.found(
        format!("other end of {}", packet.on),
        format!("sends from {node} to {}", remote.ip()),
    );
    sender::not_sent(observer, scene, search, node, remote.ip()).await
}

/// Explains that a tunnel's packet came to a node where the tunnel has no end; among all where the
/// packet ended.
pub(super) fn ended(
    scene: &Scene<'_>,
    search: &mut Search,
    ends: &[Packet],
) -> Option<Explanation> {
    ends.iter()
        .filter(|end| end.carried && end.direction == Direction::In && !end.for_another)
        .find_map(|end| no_end(scene, search, &end.on.node))
}

/// No socket of the node has the port of the tunnel whose packet came there.
pub(super) fn no_end(scene: &Scene<'_>, search: &mut Search, by: &NodeName) -> Option<Explanation> {
    let why = format!("{by} has no socket for the tunnel's datagrams");
    sender::no_socket(scene, search, by, true)
        .then(|| search.name(Cause::NobodyListening, by.clone(), why, None))
}
