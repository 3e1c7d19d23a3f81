//! A frame that came to a bridge and went on nowhere.

use super::packet::{Packet, link_ref, station};
use super::segment::{self, Segment};
use super::{Explanation, ObserveError, Scene, Search, in_node, rules, wire};
use crate::kernel::route::{Link, PortState};
use crate::observe::Observer;
use crate::scenario::{Cause, NodeName};
use crate::world::Topology;

/// Explains a frame that came in at a bridge port and is seen nowhere else.
pub(super) async fn at_port(
    observer: &mut Observer,
    scene: &Scene<'_>,
    search: &mut Search,
    packet: &Packet,
    master: u32,
) -> Result<Option<Explanation>, ObserveError> {
    let node = &packet.on.node;
    let topology = scene.topology;
    let (Some(port), Some(bridge)) = (
        topology.link(node, packet.link),
        topology.link(node, master),
    ) else {
        return Ok(None);
    };
    if let Some(found) = enters(topology, search, node, port, bridge) {
        return Ok(Some(found));
    }
    let target = station(topology, packet.to)
        .filter(|_| !packet.is_for_many())
        .map(|(far, link)| (far.clone(), link.index));
    if target.as_ref() == Some(&(node.clone(), bridge.index)) {
        search.excluded(
            format!("{node}/{}", bridge.name),
            "up, and the frame is for it",
        );
    } else if let Some(exit) = exit(topology, node, bridge, port, target.as_ref()) {
        let unicast = !packet.is_for_many();
        // Where it would have to go back, there may have been a shorter way that was closed to it.
        if exit.index == port.index
            && let Some(station) = &target
            && let Some(found) =
                segment::stopped(scene, search, scene.walk, packet.leg, station, unicast)?
        {
            return Ok(Some(found));
        }
        if let Some(found) = leaves(topology, search, node, Some(port), exit, unicast) {
            return Ok(Some(found));
        }
    }
    rules::ask(observer, scene, search, node, packet).await
}

/// Explains a frame that the node itself gave to a bridge and that is seen at no port.
pub(super) fn from_itself(
    scene: &Scene<'_>,
    search: &mut Search,
    packet: &Packet,
    bridge: &Link,
) -> Option<Explanation> {
    let node = &packet.on.node;
    let target = station(scene.topology, packet.to)
        .filter(|_| !packet.is_for_many())
        .map(|(far, link)| (far.clone(), link.index));
    let exits: Vec<&Link> = scene.topology.ports_of(node, bridge.index).collect();
    if exits.is_empty() {
        search.found(format!("{}", packet.on), "a bridge without ports");
        let why = format!("{} has no port that the frame could leave by", packet.on);
        return Some(search.name(Cause::NotEnslaved, packet.on.clone(), why, None));
    }
    let towards = target.and_then(|target| port_towards(scene.topology, node, &exits, &target));
    let exit = towards.or_else(|| exits.first().copied())?;
    leaves(
        scene.topology,
        search,
        node,
        None,
        exit,
        !packet.is_for_many(),
    )
}

/// Says what keeps a frame at a port from entering its bridge.
pub(super) fn enters(
    topology: &Topology,
    search: &mut Search,
    node: &NodeName,
    port: &Link,
    bridge: &Link,
) -> Option<Explanation> {
    let at = link_ref(topology, node, bridge.index)?;
    if !bridge.up {
        search.found(format!("{at}"), "down");
        let mend = in_node(node, &format!("ip link set {} up", bridge.name));
        let why = format!("the bridge {at} is down, and passes nothing on");
        return Some(search.name(Cause::BridgeDown, at, why, Some(mend)));
    }
    search.excluded(format!("{at}"), "up");
    not_forwarding(topology, search, node, port)
}

fn not_forwarding(
    topology: &Topology,
    search: &mut Search,
    node: &NodeName,
    port: &Link,
) -> Option<Explanation> {
    let state = match port.port_state {
        None | Some(PortState::Forwarding) => return None,
        Some(PortState::Disabled) => "disabled",
        Some(PortState::Blocking) => "blocking",
        Some(PortState::Listening) => "listening",
        Some(PortState::Learning) => "learning",
        Some(PortState::Other) => "in no state that is known",
    };
    let at = link_ref(topology, node, port.index)?;
    if !port.up {
        return Some(wire::down(search, &at));
    }
    if let Some((far, peer)) = topology.peer(node, port.index)
        && !peer.up
    {
        return Some(wire::down(search, &link_ref(topology, far, peer.index)?));
    }
    search.found(format!("{at}, state of the port"), state);
    let why = format!("the port {at} is {state}, so nothing passes it");
    Some(search.name(Cause::PortNotForwarding, at, why, None))
}

/// Says what keeps a bridge from sending a frame out of a port.
pub(super) fn leaves(
    topology: &Topology,
    search: &mut Search,
    node: &NodeName,
    from: Option<&Link>,
    exit: &Link,
    unicast: bool,
) -> Option<Explanation> {
    let at = link_ref(topology, node, exit.index)?;
    if let Some(found) = not_forwarding(topology, search, node, exit) {
        return Some(found);
    }
    if let Some(from) = from {
        let entry = link_ref(topology, node, from.index)?;
        if from.index == exit.index && exit.port.hairpin != Some(true) {
            search.found(format!("{at}"), "hairpin off");
            let why = format!("the frame would have to leave by {at}, where it came in");
            let mend = in_node(
                node,
                &format!("bridge link set dev {} hairpin on", exit.name),
            );
            return Some(search.name(Cause::HairpinOff, at, why, Some(mend)));
        }
        if from.port.isolated == Some(true) && exit.port.isolated == Some(true) {
            search.found(format!("{entry} and {at}"), "isolated on");
            let why = format!(
                "{entry} and {at} are isolated, and isolated ports hear nothing of each other"
            );
            let mend = in_node(
                node,
                &format!("bridge link set dev {} isolated off", exit.name),
            );
            return Some(search.name(Cause::PortIsolated, at, why, Some(mend)));
        }
    }
    if unicast && exit.port.flood == Some(false) {
        search.found(format!("{at}"), "flood off");
        let why = format!("the bridge has not learned who is behind {at}, and does not flood it");
        let mend = in_node(node, &format!("bridge link set dev {} flood on", exit.name));
        return Some(search.name(Cause::PortNotFlooding, at, why, Some(mend)));
    }
    search.excluded(format!("{at}"), "forwards, and is not isolated");
    None
}

/// Chooses the port that a frame should have left by: the one behind which the station is, be it the one
/// that it came in by, or the only other one.
fn exit<'a>(
    topology: &'a Topology,
    node: &NodeName,
    bridge: &Link,
    from: &Link,
    target: Option<&(NodeName, u32)>,
) -> Option<&'a Link> {
    let all: Vec<&Link> = topology.ports_of(node, bridge.index).collect();
    let towards = target.and_then(|target| port_towards(topology, node, &all, target));
    let mut others = all.iter().copied().filter(|port| port.index != from.index);
    let only = match (others.next(), others.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    };
    towards.or(only)
}

/// Finds the port that a station hangs on, directly or as the only one behind which it is.
pub(super) fn port_towards<'a>(
    topology: &Topology,
    node: &NodeName,
    ports: &[&'a Link],
    target: &(NodeName, u32),
) -> Option<&'a Link> {
    let direct = topology
        .peer(&target.0, target.1)
        .filter(|(far, _)| *far == node)
        .and_then(|(_, peer)| ports.iter().copied().find(|port| port.index == peer.index));
    let leads_there =
        |port: &&Link| !Segment::sent(topology, &(node.clone(), port.index)).lacks(target);
    let mut behind = ports.iter().copied().filter(leads_there);
    direct.or_else(|| match (behind.next(), behind.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    })
}
