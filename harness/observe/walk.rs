//! The way of a probe through the world: where its packets were seen, in what order, and where
//! each branch ends.
//!
//! A walk is a tree: a flooded frame is on several ports at once, and a router that forwards shows
//! the packet on two interfaces. The order of the frames of one node is that of its tap; between
//! nodes the wires order them: a frame comes in only after it went out at the other end.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::frame::{Direction, Frame};
use super::identity::{Identity, Part};
use super::relay;
use crate::kernel::Mac;
use crate::kernel::route::{LinkKind, Particulars};
use crate::scenario::{Leg, LinkRef, NodeName};
use crate::world::{Forwarder, Port, Topology};

/// A packet of a probe at an interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// The interface.
    pub on: LinkRef,
    /// Whether it came in or went out there.
    pub direction: Direction,
    /// Which half of the exchange it is.
    pub leg: Leg,
    /// The source address in it; none in a frame that is no packet of IP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<IpAddr>,
    /// The destination address in it; none in a frame that is no packet of IP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<IpAddr>,
    /// The TTL in it; ARP, neighbour discovery and frames have none.
    pub ttl: Option<u8>,
    /// It came in for another hardware address, and the interface is no bridge port: it ends here.
    pub for_another: bool,
    /// Where it was before, as a position among the sightings of its probe; none where its leg
    /// begins.
    #[serde(default)]
    pub from: Option<usize>,
}

/// One frame of the walk with what it is to the probe.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) frame: Frame,
    pub(super) part: Part,
    /// It is inside of a tunnel's packet here.
    carried: bool,
}

/// Everything that was seen of one attempt.
#[derive(Debug, Clone, Default)]
pub(super) struct Walk {
    steps: Vec<Step>,
}

impl Walk {
    /// Picks a probe's frames out of all that were captured, and orders them from `source` on.
    pub(super) fn new(
        frames: Vec<Frame>,
        identity: &Identity,
        topology: &Topology,
        source: &NodeName,
    ) -> Self {
        let mut taps: BTreeMap<NodeName, VecDeque<Step>> = BTreeMap::new();
        for frame in frames {
            let carried = identity.carried_part(&frame);
            let is_carried = carried.is_some();
            if let Some(part) = carried.or_else(|| identity.part(&frame)) {
                taps.entry(frame.node.clone()).or_default().push_back(Step {
                    frame,
                    part,
                    carried: is_carried,
                });
            }
        }
        let mut walk = Self::default();
        // How often each interface has sent more of the probe's frames than its far end has shown.
        let mut on_the_wire: BTreeMap<(NodeName, u32), usize> = BTreeMap::new();
        while let Some(next) = next_tap(&taps, &on_the_wire, topology, source) {
            let Some(step) = taps.get_mut(&next).and_then(VecDeque::pop_front) else {
                break;
            };
            let frame = &step.frame;
            if frame.direction == Direction::In
                && let Some(count) = on_the_wire.get_mut(&(frame.node.clone(), frame.link))
            {
                *count = count.saturating_sub(1);
            }
            for port in arrives_at(&step, topology) {
                *on_the_wire.entry(port).or_default() += 1;
            }
            walk.steps.push(step);
        }
        walk
    }

    /// Goes through all steps in order.
    pub(super) fn steps(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter()
    }

    /// Returns every packet of the walk as a sighting. ICMP errors about it are not among them.
    ///
    /// Where several may have led to one, it was the latest: a node passes a packet on before it
    /// takes up the next.
    pub(super) fn sightings(&self, topology: &Topology) -> Vec<Sighting> {
        let mut seen: Vec<(&Step, Sighting)> = Vec::new();
        for step in &self.steps {
            let Some(mut sighting) = step.sighting(topology) else {
                continue;
            };
            sighting.from = seen.iter().rposition(|(earlier, of)| {
                of.leg == sighting.leg && leads_to(earlier, step, topology)
            });
            seen.push((step, sighting));
        }
        seen.into_iter().map(|(_, sighting)| sighting).collect()
    }

    /// Returns where the branches of a leg end, the most telling first: where the packet was for
    /// the node itself, and latest.
    pub(super) fn ends(&self, leg: Leg, topology: &Topology) -> Vec<Sighting> {
        self.telling_ends(leg, topology)
            .into_iter()
            .map(|(sighting, _)| sighting)
            .collect()
    }

    /// Returns the frames at which the branches of a leg end, in the same order.
    pub(super) fn end_steps(&self, leg: Leg, topology: &Topology) -> Vec<&Step> {
        self.telling_ends(leg, topology)
            .into_iter()
            .map(|(_, step)| step)
            .collect()
    }

    /// Returns the frames at which all branches of a leg end, in the order of the walk.
    pub(super) fn all_end_steps(&self, leg: Leg, topology: &Topology) -> Vec<&Step> {
        let of_leg: Vec<&Step> = self
            .steps
            .iter()
            .filter(|step| step.leg() == Some(leg))
            .collect();
        of_leg
            .iter()
            .enumerate()
            .filter(|(at, step)| {
                !of_leg[at + 1..]
                    .iter()
                    .any(|later| leads_to(step, later, topology))
            })
            .map(|(_, step)| *step)
            .collect()
    }

    /// Tells whether a branch ends where a process of others takes the packet.
    pub(super) fn ends_at_process(&self, topology: &Topology) -> bool {
        self.takers(topology).next().is_some()
    }

    /// Goes through the frames at which branches end since a process of others takes the packet there.
    pub(super) fn takers<'a>(
        &'a self,
        topology: &'a Topology,
    ) -> impl Iterator<Item = (&'a Step, &'a Forwarder)> {
        let legs = [Leg::Request, Leg::Reply].into_iter();
        let ends = legs.flat_map(|leg| self.all_end_steps(leg, topology));
        ends.flat_map(|step| relay::takers(&step.frame, topology).map(move |taker| (step, taker)))
    }

    fn telling_ends(&self, leg: Leg, topology: &Topology) -> Vec<(Sighting, &Step)> {
        let mut ends: Vec<(Sighting, &Step)> = self
            .all_end_steps(leg, topology)
            .into_iter()
            .filter_map(|step| Some((step.sighting(topology)?, step)))
            .collect();
        ends.reverse();
        // A copy that was flooded to a bystander is no end of the way, if there is a better one:
        // one further on, ...
        let furthest = ends.iter().filter_map(|(end, _)| end.ttl).min();
        ends.retain(|(end, _)| end.ttl == furthest);
        // ... one that was for the interface itself, ...
        if ends.iter().any(|(end, _)| !end.for_another) {
            ends.retain(|(end, _)| !end.for_another);
        }
        // ... one at a station: a bridge port takes in everything, and what ends there was flooded.
        let at_port = |end: &Sighting| {
            end.direction == Direction::In
                && topology
                    .link_named(&end.on.node, end.on.ifname.as_str())
                    .is_some_and(|link| link.master.is_some())
        };
        let at_station = |end: &Sighting| end.direction == Direction::In && !at_port(end);
        if ends.iter().any(|(end, _)| at_station(end)) {
            ends.retain(|(end, _)| !at_port(end));
        }
        ends
    }
}

impl Step {
    /// Tells whether it is inside of a tunnel's packet.
    pub(super) fn is_carried(&self) -> bool {
        self.carried
    }

    /// Returns the leg that the frame is of; an error about one is of none.
    pub(super) fn leg(&self) -> Option<Leg> {
        match self.part {
            Part::Packet { leg, .. } | Part::Frame { leg, .. } => Some(leg),
            Part::Advertised { .. } => Some(Leg::Reply),
            Part::Error { .. } => None,
        }
    }

    /// Returns the hardware address that an ARP reply or a neighbour advertisement gives, or from which
    /// a frame was sent back.
    pub(super) fn answered_mac(&self) -> Option<Mac> {
        match self.part {
            Part::Advertised { mac, .. } => Some(mac),
            Part::Frame {
                leg: Leg::Reply,
                sender,
                ..
            } => Some(sender),
            _ => None,
        }
    }

    pub(super) fn sighting(&self, topology: &Topology) -> Option<Sighting> {
        let (leg, source, destination, ttl) = match &self.part {
            Part::Packet {
                leg,
                source,
                destination,
                ttl,
                ..
            } => (*leg, Some(*source), Some(*destination), *ttl),
            Part::Advertised {
                source,
                destination,
                ..
            } => (Leg::Reply, Some(*source), Some(*destination), None),
            Part::Frame { leg, tunnel, .. } => {
                let (source, destination) = tunnel.unzip();
                (*leg, source, destination, None)
            }
            Part::Error { .. } => return None,
        };
        let link = topology.link(&self.frame.node, self.frame.link)?;
        Some(Sighting {
            on: LinkRef {
                node: self.frame.node.clone(),
                ifname: link.name.parse().ok()?,
            },
            direction: self.frame.direction,
            leg,
            source,
            destination,
            ttl,
            // A bridge port takes in frames for everyone.
            for_another: self.frame.for_another && link.master.is_none(),
            from: None,
        })
    }
}

/// Chooses the tap whose next frame can come now: one that is not still on the wire, the source's
/// own first.
fn next_tap(
    taps: &BTreeMap<NodeName, VecDeque<Step>>,
    on_the_wire: &BTreeMap<(NodeName, u32), usize>,
    topology: &Topology,
    source: &NodeName,
) -> Option<NodeName> {
    let can_come = |step: &Step| {
        let frame = &step.frame;
        frame.direction == Direction::Out
            || !is_fed(frame, topology)
            || on_the_wire
                .get(&(frame.node.clone(), frame.link))
                .is_some_and(|count| *count > 0)
    };
    let waiting = |name: &NodeName| taps.get(name).and_then(VecDeque::front);
    let mut names: Vec<&NodeName> = taps.keys().filter(|name| waiting(name).is_some()).collect();
    // What a link or tunnel sends may be what another node sent down to it.
    let comes_from_above = |step: &Step| {
        let frame = &step.frame;
        let above = |upper: &Port| {
            upper.0 != frame.node
                && taps.get(&upper.0).is_some_and(|tap| {
                    tap.iter().any(|step| {
                        let of = &step.frame;
                        of.link == upper.1 && of.direction == Direction::Out
                    })
                })
        };
        frame.direction == Direction::Out
            && (topology.uppers(&frame.node, frame.link).any(above)
                || (step.carried && topology.tunnels_in(&frame.node).any(above)))
    };
    // What has been sent arrives before anything new is sent; the source begins.
    names.sort_by_key(|name| {
        let step = waiting(name);
        let incoming = step.is_some_and(|step| step.frame.direction == Direction::In);
        let later = step.is_some_and(comes_from_above);
        (later, !incoming, *name != source)
    });
    let ready = names
        .iter()
        .find(|name| waiting(name).is_some_and(can_come));
    // A frame whose sending no tap saw must not hold up the rest.
    ready.or(names.first()).map(|name| (*name).clone())
}

/// Lists the interfaces at which a frame comes in next, where that may be in another node.
fn arrives_at(step: &Step, topology: &Topology) -> Vec<Port> {
    let frame = &step.frame;
    let (node, link) = (&frame.node, frame.link);
    let mut by_process = relay::may_come_in_at(frame, topology);
    let by_kernel = match frame.direction {
        Direction::Out => {
            let mut ports = Vec::new();
            if let Some((node, peer)) = topology.peer(node, link) {
                ports.push((node.clone(), peer.index));
            }
            if let Some((below, lower)) = topology.lower(node, link) {
                let mut siblings = topology
                    .uppers(below, lower.index)
                    .filter(|sibling| **sibling != (node.clone(), link));
                if frame.is_for_many() {
                    ports.extend(siblings.cloned());
                } else if siblings.any(|sibling| takes(frame, sibling, topology)) {
                    // The kernel shows it to the interface below first.
                    ports.push((below.clone(), lower.index));
                }
            }
            ports
        }
        Direction::In if step.carried => topology.tunnels_in(node).cloned().collect(),
        Direction::In => topology
            .uppers(node, link)
            .filter(|upper| takes(frame, upper, topology))
            .cloned()
            .collect(),
    };
    by_process.extend(by_kernel);
    by_process
}

/// Tells whether an interface that stands on another takes a frame that comes in there.
fn takes(frame: &Frame, (node, index): &Port, topology: &Topology) -> bool {
    topology.link(node, *index).is_some_and(|link| {
        let everything =
            matches!(&link.particulars, Particulars::Macvlan(it) if it.mode == "passthru");
        everything || frame.is_for_many() || link.mac.is_some_and(|mac| frame.is_for(mac))
    })
}

/// Tells whether what comes in at an interface was seen elsewhere before.
fn is_fed(frame: &Frame, topology: &Topology) -> bool {
    topology.peer(&frame.node, frame.link).is_some()
        || topology.lower(&frame.node, frame.link).is_some()
        || topology.tunnel(&frame.node, frame.link).is_some()
        || relay::is_from_process(frame, topology)
}

/// Tells whether the packet of one frame goes on as another, later one.
fn leads_to(step: &Step, other: &Step, topology: &Topology) -> bool {
    let (frame, later) = (&step.frame, &other.frame);
    let Some(link) = topology.link(&frame.node, frame.link) else {
        return false;
    };
    if relay::passes(frame, later, topology) {
        return true;
    }
    let same_node = frame.node == later.node;
    let is_later = |(node, index): (&NodeName, u32)| *node == later.node && index == later.link;
    match frame.direction {
        Direction::Out if topology.peer(&frame.node, frame.link).is_some() => {
            let peer = topology.peer(&frame.node, frame.link);
            peer.is_some_and(|(node, peer)| is_later((node, peer.index)))
                && later.direction == Direction::In
        }
        Direction::Out if let Some((node, lower)) = topology.lower(&frame.node, frame.link) => {
            // Down, and out or back up there, or across to a neighbour.
            is_later((node, lower.index))
                || (later.direction == Direction::In
                    && topology
                        .uppers(node, lower.index)
                        .any(|(node, index)| is_later((node, *index))))
        }
        Direction::Out if let Some(node) = topology.tunnel(&frame.node, frame.link) => {
            other.carried && *node == later.node && later.direction == Direction::Out
        }
        Direction::Out => match link.kind {
            LinkKind::Bridge => {
                let onto_port = topology
                    .link(&later.node, later.link)
                    .is_some_and(|port| port.master == Some(link.index));
                same_node && onto_port && later.direction == Direction::Out
            }
            LinkKind::Loopback => {
                same_node && later.link == frame.link && later.direction == Direction::In
            }
            _ => false,
        },
        // From a port up to its bridge, out again anywhere in the node, or up to what stands on the
        // interface. A tunnel's packet goes on as one, or ends where the tunnel does.
        Direction::In => {
            let up = later.direction == Direction::In
                && (topology
                    .uppers(&frame.node, frame.link)
                    .any(|(node, index)| is_later((node, *index)))
                    || (step.carried
                        && topology
                            .tunnels_in(&frame.node)
                            .any(|(node, index)| is_later((node, *index)))));
            // What the tunnel sends was in its end before.
            let out = later.direction == Direction::Out && step.carried == other.carried;
            up || (same_node
                && (out || (link.master == Some(later.link) && later.direction == Direction::In)))
        }
    }
}
