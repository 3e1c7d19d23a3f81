//! A frame that no packet of IP is in: only links, bridges, and rules that see frames can end it.

use std::collections::BTreeSet;

use super::packet::{Packet, link_ref};
use super::segment::{self, Segment};
use super::{Explanation, ObserveError, Scene, Search, neighbour, rules, station, tunnel, wire};
use crate::kernel::packet_sockets;
use crate::observe::Observer;
use crate::observe::frame::Direction;
use crate::scenario::{Cause, Leg, LinkRef, NodeName, RawFrame};
use crate::world::Port;

/// Explains that a frame, or what was sent back for it, did not arrive.
pub(super) async fn lost(
    observer: &mut Observer,
    scene: &Scene<'_>,
    search: &mut Search,
    frame: &RawFrame,
    leg: Leg,
) -> Result<Option<Explanation>, ObserveError> {
    let topology = scene.topology;
    let (from, to) = match leg {
        Leg::Request => (&frame.from.value, &frame.to.value),
        Leg::Reply => (&frame.to.value, &frame.from.value),
    };
    let find = |of: &LinkRef| topology.link_named(&of.node, of.ifname.as_str());
    let (Some(sender), Some(receiver)) = (find(from), find(to)) else {
        return Ok(None);
    };
    let station = (to.node.clone(), receiver.index);
    let steps = || scene.walk.steps().filter(|step| step.leg() == Some(leg));
    if steps().next().is_none() {
        return Ok(wire::silent_link(topology, search, &from.node, sender));
    }
    let arrived = steps().find(|step| {
        let of = &step.frame;
        (&of.node, of.link, of.direction) == (&station.0, station.1, Direction::In)
    });
    if let Some(packet) = arrived.and_then(|step| Packet::new(step, topology)) {
        let ended = rules::ask(observer, scene, search, &to.node, &packet).await?;
        if ended.is_some() {
            return Ok(ended);
        }
        return nobody_listens(scene, search, frame, to);
    }
    let stopped = segment::stopped(scene, search, scene.walk, leg, &station, true)?;
    if stopped.is_some() {
        return Ok(stopped);
    }
    if let Some(found) = neighbour::at_owner(scene, search, to, receiver).await? {
        return Ok(Some(found));
    }
    let ended = ended_by_rules(observer, scene, search, leg).await?;
    if ended.is_some() {
        return Ok(ended);
    }
    let ends: Vec<Packet> = scene
        .walk
        .end_steps(leg, topology)
        .into_iter()
        .filter_map(|step| Packet::new(step, topology))
        .collect();
    if let Some(found) = neighbour::stray_port(scene, search, &ends).await? {
        return Ok(Some(found));
    }
    if let Some(found) = tunnel::ended(scene, search, &ends) {
        return Ok(Some(found));
    }
    let arrived = ends.iter().filter(|end| end.direction == Direction::In);
    let apart = arrived
        .filter(|end| end.master.is_none())
        .find_map(|end| station::not_joined(scene, search, end));
    if apart.is_some() {
        return Ok(apart);
    }
    for end in ends.iter().filter(|end| end.direction == Direction::Out) {
        let found = tunnel::not_sent(observer, scene, search, end).await?;
        if found.is_some() {
            return Ok(found);
        }
    }
    let sent_from: Port = (from.node.clone(), sender.index);
    if Segment::sent(topology, &sent_from).lacks(&station) {
        search.excluded(
            format!("{to}"),
            format!("on another link than {from}; frames pass no router"),
        );
    }
    Ok(None)
}

/// Asks in every node that took the frame in whether a rule ended it there.
async fn ended_by_rules(
    observer: &mut Observer,
    scene: &Scene<'_>,
    search: &mut Search,
    leg: Leg,
) -> Result<Option<Explanation>, ObserveError> {
    let mut asked: BTreeSet<&NodeName> = BTreeSet::new();
    for step in scene.walk.steps() {
        let frame = &step.frame;
        let is_it = step.leg() == Some(leg) && frame.direction == Direction::In;
        if !is_it || !asked.insert(&frame.node) {
            continue;
        }
        let Some(packet) = Packet::new(step, scene.topology) else {
            continue;
        };
        let ended = rules::ask(observer, scene, search, &frame.node, &packet).await?;
        if ended.is_some() {
            return Ok(ended);
        }
    }
    Ok(None)
}

/// No packet socket of the node hears the EtherType.
fn nobody_listens(
    scene: &Scene<'_>,
    search: &mut Search,
    frame: &RawFrame,
    at: &LinkRef,
) -> Result<Option<Explanation>, ObserveError> {
    let (node, ethertype) = (&at.node, frame.ethertype.value);
    let sockets = scene.node(node)?.enter(packet_sockets)??;
    let heard = sockets.iter().filter(|of| **of == ethertype.0).count();
    if heard > 0 {
        search.excluded(format!("packet sockets of {node}"), format!("{heard}"));
        return Ok(None);
    }
    let what = format!("packet sockets of {node} for {ethertype}");
    search.found(what, "none");
    // What came in at a port belongs to its bridge.
    if let Some(master) = scene
        .topology
        .link_named(node, at.ifname.as_str())
        .and_then(|link| link.master)
        && let Some(bridge) = link_ref(scene.topology, node, master)
    {
        search.found(format!("{at}"), format!("a port of {bridge}"));
    }
    let why = format!("{node} has no socket for frames of {ethertype}");
    Ok(Some(search.name(
        Cause::NobodyListening,
        node.clone(),
        why,
        None,
    )))
}
