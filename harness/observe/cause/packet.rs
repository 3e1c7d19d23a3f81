//! A packet where it was seen last.

use std::net::IpAddr;

use super::super::frame::{Content, Direction, Frame, Transport, read};
use super::super::walk::Step;
use crate::kernel::Mac;
use crate::kernel::route::{Link, LinkKind};
use crate::scenario::{Leg, LinkRef, NodeName};
use crate::world::Topology;

/// The addresses of a frame that is no packet of IP. Where one is, nothing that goes by them is asked.
const NO_ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);

/// A packet of a probe at an interface, with what the part of the kernel that has it goes by.
#[derive(Debug, Clone)]
pub(super) struct Packet {
    pub(super) on: LinkRef,
    pub(super) link: u32,
    /// The bridge that the interface is a port of.
    pub(super) master: Option<u32>,
    pub(super) direction: Direction,
    pub(super) leg: Leg,
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) ttl: Option<u8>,
    pub(super) to: Mac,
    pub(super) for_another: bool,
    /// The length of what the frame carries, in bytes.
    pub(super) length: usize,
    /// A router may send it on in fragments.
    pub(super) may_be_cut: bool,
    pub(super) is_echo_request: bool,
    /// It is in a tunnel's packet.
    pub(super) carried: bool,
}

impl Packet {
    pub(super) fn new(step: &Step, topology: &Topology) -> Option<Self> {
        let sighting = step.sighting(topology)?;
        let frame = &step.frame;
        let link = topology.link(&frame.node, frame.link)?;
        let is_echo_request = matches!(
            read(&frame.bytes),
            Content::Ip(ip) if matches!(ip.transport, Transport::Echo { is_reply: false, .. })
        );
        Some(Self {
            on: sighting.on,
            link: frame.link,
            master: link.master,
            direction: frame.direction,
            leg: sighting.leg,
            source: sighting.source.unwrap_or(NO_ADDRESS),
            destination: sighting.destination.unwrap_or(NO_ADDRESS),
            ttl: sighting.ttl,
            to: receiver(frame)?,
            for_another: sighting.for_another,
            length: frame.bytes.len().saturating_sub(14),
            may_be_cut: may_be_cut(&frame.bytes),
            is_echo_request,
            carried: step.is_carried(),
        })
    }

    /// Tells whether it is at a bridge's own interface.
    pub(super) fn is_on_bridge(&self, topology: &Topology) -> bool {
        let link = topology.link(&self.on.node, self.link);
        link.is_some_and(|link| link.kind == LinkKind::Bridge)
    }

    /// Tells whether it goes to a group.
    pub(super) fn is_for_many(&self) -> bool {
        self.to.0[0] & 1 != 0
    }
}

/// Tells whether a frame has a packet of IPv4 without the flag DF.
fn may_be_cut(frame: &[u8]) -> bool {
    const DONT_FRAGMENT: u8 = 0x40;
    frame.get(12..14) == Some(&[0x08, 0x00])
        && frame.get(20).is_some_and(|it| it & DONT_FRAGMENT == 0)
}

/// The hardware address that a frame goes to.
pub(super) fn receiver(frame: &Frame) -> Option<Mac> {
    Mac::from_bytes(frame.bytes.get(..6)?)
}

/// Names an interface by its index.
pub(super) fn link_ref(topology: &Topology, node: &NodeName, index: u32) -> Option<LinkRef> {
    let link = topology.link(node, index)?;
    Some(LinkRef {
        node: node.clone(),
        ifname: link.name.parse().ok()?,
    })
}

/// Finds the station that has a hardware address: an interface that is no bridge port, if there is
/// one.
pub(super) fn station(topology: &Topology, mac: Mac) -> Option<(&NodeName, &Link)> {
    let all = || {
        topology
            .iter()
            .filter(move |(_, link)| link.mac == Some(mac))
    };
    all()
        .find(|(_, link)| link.master.is_none() && link.kind != LinkKind::Loopback)
        .or_else(|| all().next())
}
