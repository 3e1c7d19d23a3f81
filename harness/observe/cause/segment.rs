//! Where on a link a frame could come to, whatever state the interfaces are in; and where, on its
//! way to one station of it, a frame that is flooded has stopped.

use std::collections::BTreeSet;

use super::super::frame::Direction;
use super::super::walk::{Step, Walk};
use super::packet::Packet;
use super::{Explanation, ObserveError, Scene, Search, bridge, wire};
use crate::kernel::route::{Link, LinkKind};
use crate::scenario::Leg;
use crate::world::{Port, Topology};

/// The interfaces that a frame could come to.
#[derive(Debug, Default)]
pub(super) struct Segment {
    reached: BTreeSet<Port>,
    seen: BTreeSet<(Port, bool)>,
    /// Some of it is in a tunnel, whose far ends nothing here knows.
    has_tunnel: bool,
}

impl Segment {
    /// Follows what goes out of an interface.
    pub(super) fn sent(topology: &Topology, port: &Port) -> Self {
        let mut segment = Self::default();
        segment.follow(topology, port.clone(), Direction::Out);
        segment
    }

    /// Follows what came in at an interface.
    fn arrived(topology: &Topology, port: &Port) -> Self {
        let mut segment = Self::default();
        segment.follow(topology, port.clone(), Direction::In);
        segment
    }

    /// Tells whether a station is surely none of it.
    pub(super) fn lacks(&self, station: &Port) -> bool {
        !self.has_tunnel && !self.reached.contains(station)
    }

    fn follow(&mut self, topology: &Topology, port: Port, direction: Direction) {
        let mut open = vec![(port, direction)];
        while let Some((port, direction)) = open.pop() {
            let is_out = direction == Direction::Out;
            if !self.seen.insert((port.clone(), is_out)) {
                continue;
            }
            let (node, index) = (&port.0, port.1);
            let Some(link) = topology.link(node, index) else {
                continue;
            };
            let ports = |of: u32| {
                topology
                    .ports_of(node, of)
                    .filter(|other| other.index != index)
                    .map(|other| ((node.clone(), other.index), Direction::Out))
            };
            if is_out {
                self.has_tunnel |= topology.tunnel(node, index).is_some();
                if link.kind == LinkKind::Bridge {
                    open.extend(ports(index));
                }
                if let Some((far, peer)) = topology.peer(node, index) {
                    open.push(((far.clone(), peer.index), Direction::In));
                }
                if let Some((below, lower)) = topology.lower(node, index) {
                    let lower = (below.clone(), lower.index);
                    open.push((lower.clone(), Direction::In));
                    open.push((lower, Direction::Out));
                }
            } else {
                let uppers = topology.uppers(node, index);
                open.extend(uppers.map(|upper| (upper.clone(), Direction::In)));
                if let Some(master) = link.master {
                    self.reached.insert((node.clone(), master));
                    open.extend(ports(master));
                }
                self.reached.insert(port);
            }
        }
    }
}

/// Finds where a frame of a leg stopped on its way to a station of its link: one for many, or a `unicast`
/// one to an address that bridges have not learned.
pub(super) fn stopped(
    scene: &Scene<'_>,
    search: &mut Search,
    walk: &Walk,
    leg: Leg,
    station: &Port,
    unicast: bool,
) -> Result<Option<Explanation>, ObserveError> {
    let topology = scene.topology;
    let of_leg = |step: &&Step| step.leg() == Some(leg);
    let went_out = |port: &Port| {
        walk.steps().filter(of_leg).any(|step| {
            let frame = &step.frame;
            (&frame.node, frame.link, frame.direction) == (&port.0, port.1, Direction::Out)
        })
    };
    for step in walk.all_end_steps(leg, topology) {
        let Some(end) = Packet::new(step, topology) else {
            continue;
        };
        let at = (end.on.node.clone(), end.link);
        if end.direction == Direction::Out && !Segment::sent(topology, &at).lacks(station) {
            let broken = wire::after_sending(scene, search, &end)?;
            if broken.is_some() {
                return Ok(broken);
            }
        }
    }
    // What came in at a port and did not go out by one that leads there, though it may have gone
    // out by others. Of several ways there, the one on which it came furthest tells most.
    let steps: Vec<_> = walk.steps().filter(of_leg).collect();
    for step in steps.into_iter().rev() {
        let frame = &step.frame;
        let node = &frame.node;
        let Some(port) = topology.link(node, frame.link) else {
            continue;
        };
        let Some(master) = port.master.filter(|_| frame.direction == Direction::In) else {
            continue;
        };
        let at = (node.clone(), port.index);
        let Some(bridge) = topology.link(node, master) else {
            continue;
        };
        if Segment::arrived(topology, &at).lacks(station) {
            continue;
        }
        let exit = topology.ports_of(node, master).find(|exit| {
            let exit = (node.clone(), exit.index);
            exit != at && !went_out(&exit) && !Segment::sent(topology, &exit).lacks(station)
        });
        let is_end = exit.is_some() || *station == (node.clone(), master);
        if is_end && let Some(found) = bridge::enters(topology, search, node, port, bridge) {
            return Ok(Some(found));
        }
        if let Some(exit) = exit
            && let Some(found) = bridge::leaves(topology, search, node, Some(port), exit, unicast)
        {
            return Ok(Some(found));
        }
    }
    Ok(not_sent_back(scene, search, walk, leg, station))
}

/// Finds a bridge port that a frame came in by and would have had to leave by again, as behind it is a
/// station that has no shorter way.
fn not_sent_back(
    scene: &Scene<'_>,
    search: &mut Search,
    walk: &Walk,
    leg: Leg,
    station: &Port,
) -> Option<Explanation> {
    let topology = scene.topology;
    // What goes to many from a private macvlan interface, or to one, is not passed on when it comes back
    // (drivers/net/macvlan.c, `macvlan_handle_frame`).
    let of_leg = |step: &&Step| step.leg() == Some(leg);
    let asker = walk.steps().find(of_leg).map(|step| &step.frame);
    let asker = asker.and_then(|frame| topology.link(&frame.node, frame.link));
    let station_link = topology.link(&station.0, station.1);
    let is_private = |link: &Link| link.particulars.is_private_macvlan();
    if [asker, station_link].into_iter().flatten().any(is_private) {
        return None;
    }
    walk.steps().filter(of_leg).find_map(|step| {
        let frame = &step.frame;
        let port = topology.link(&frame.node, frame.link)?;
        port.master.filter(|_| frame.direction == Direction::In)?;
        let at = (frame.node.clone(), port.index);
        let is_behind = !Segment::sent(topology, &at).lacks(station);
        (is_behind && port.port.hairpin != Some(true))
            .then(|| bridge::leaves(topology, search, &frame.node, Some(port), port, false))?
    })
}
