//! A packet that went out of an interface and came in nowhere.

use super::packet::{Packet, link_ref};
use super::{Explanation, ObserveError};
use super::{Scene, Search, in_node};
use crate::kernel::route::{Link, LinkKind};
use crate::scenario::{Cause, LinkRef, NodeName};
use crate::world::Topology;

pub(super) fn after_sending(
    scene: &Scene<'_>,
    search: &mut Search,
    packet: &Packet,
) -> Result<Option<Explanation>, ObserveError> {
    let node = &packet.on.node;
    let Some(link) = scene.topology.link(node, packet.link) else {
        return Ok(None);
    };
    if link.kind == LinkKind::Bridge {
        return Ok(super::bridge::from_itself(scene, search, packet, link));
    }
    Ok(silent_link(scene.topology, search, node, link))
}

/// Says what is wrong with an interface that packets go into and that nothing comes out of at the
/// other end.
pub(super) fn silent_link(
    topology: &Topology,
    search: &mut Search,
    node: &NodeName,
    link: &Link,
) -> Option<Explanation> {
    let here = link_ref(topology, node, link.index)?;
    if !link.up {
        return Some(down(search, &here));
    }
    match topology.peer(node, link.index) {
        Some((far, peer)) if !peer.up => {
            let there = link_ref(topology, far, peer.index)?;
            search.found(format!("{here}"), carrier(link));
            Some(down(search, &there))
        }
        Some((far, peer)) => {
            let there = link_ref(topology, far, peer.index)?;
            search.excluded(format!("{there}, the other end of {here}"), "up");
            None
        }
        None if link.carrier => None,
        None => {
            search.found(format!("{here}"), carrier(link));
            let why = format!("{here} is up, but there is nothing at its other end");
            Some(search.name(Cause::NoCarrier, here, why, None))
        }
    }
}

/// Says that an interface is down.
pub(super) fn down(search: &mut Search, at: &LinkRef) -> Explanation {
    search.found(format!("{at}"), "down");
    let mend = in_node(&at.node, &format!("ip link set {} up", at.ifname));
    search.name(
        Cause::LinkDown,
        at.clone(),
        format!("{at} is down"),
        Some(mend),
    )
}

fn carrier(link: &Link) -> &'static str {
    if link.carrier {
        "up, with carrier"
    } else {
        "up, without carrier"
    }
}
