//! Fences: the proof that nothing of a probe is still on its way.
//!
//! With the process on one processor, every frame that it causes waits in that processor's one
//! backlog (`softnet_data.input_pkt_queue`, net/core/dev.c) in the order of sending. A frame of our
//! own EtherType that goes down each wire after the probe is therefore behind it, and when it is
//! through, the probe was passed on, dropped, or parked. A round of fences during which no other
//! frame shows up means that nothing moves any more; what can be parked is known and waited for:
//! packets for a neighbour that is still being asked for, datagrams for our own servers, and what has come
//! out of a tun or tap device whose other end is ours. Frames for many could be in the queue of a macvlan
//! interface; where there is such a queue, nothing is proven.
//!
//! Where processes of others take packets and put them back, they are on the same processor, and a round
//! counts only if all of them slept at its end, with nothing left to read. What they keep for later, no
//! fence finds: a probe that ends there is waited for longer, by the clock ([`deadline::KEPT`]).
//!
//! The backlog is the machine's, not the world's: when somebody else fills it, frames are dropped,
//! the probe's among them, and the kernel counts them.
//!
//! A fence has a source address that no station may have (all zeros) and goes to the address of
//! pause frames: a bridge drops it before it learns or floods (`br_handle_frame`).

use std::collections::HashSet;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::time::Instant;

use nix::errno::Errno;

use super::frame::{Content, Direction, Frame, IpPacket, Transport, read};
use super::{ObserveError, Observer, relay};
use crate::kernel::route::{Change, LinkKind, NeighbourState};
use crate::kernel::{backlog, wait};
use crate::scenario::NodeName;
use crate::world::{Port, Topology, Watch, World, deadline};

/// IEEE 802 local experimental EtherType 1.
const FENCE_ETHERTYPE: [u8; 2] = [0x88, 0xb5];
/// The address of pause frames, IEEE 802.3 annex 31B; a bridge never passes them on.
const FENCE_DESTINATION: [u8; 6] = [0x01, 0x80, 0xc2, 0x00, 0x00, 0x01];
const FENCE_SOURCE: [u8; 6] = [0; 6];
const FENCE_MAGIC: &[u8; 8] = b"netproof";
/// The shortest Ethernet frame without its checksum, in bytes.
const FRAME_MIN: usize = 60;

/// What waiting for rest came to.
pub(super) struct Rest {
    /// Every frame that was seen, fences apart.
    pub(super) frames: Vec<Frame>,
    /// The neighbours that the kernel gave up meanwhile.
    pub(super) failed: Vec<Failed>,
    /// Why nothing can be concluded, if so.
    pub(super) doubt: Option<String>,
}

fn fence(round: u64) -> Vec<u8> {
    let mut frame = [
        &FENCE_DESTINATION[..],
        &FENCE_SOURCE,
        &FENCE_ETHERTYPE,
        FENCE_MAGIC,
    ]
    .concat();
    frame.extend(round.to_be_bytes());
    frame.resize(FRAME_MIN, 0);
    frame
}

/// The round of a fence; none if the frame is not one.
pub(super) fn round_of(frame: &[u8]) -> Option<u64> {
    let rest = frame
        .get(12..)?
        .strip_prefix(&FENCE_ETHERTYPE)?
        .strip_prefix(FENCE_MAGIC)?;
    rest.get(..8)?.try_into().ok().map(u64::from_be_bytes)
}

/// Frames of protocols that talk by themselves, and never carry a probe: LLDP, spanning tree, and what
/// IPv6 says of groups and routers.
fn is_background(frame: &[u8]) -> bool {
    match frame.get(12..14) {
        Some([0x88, 0xcc] | [0x00, ..=0xff]) => true,
        Some([0x86, 0xdd]) => matches!(
            read(frame),
            Content::Ip(IpPacket {
                transport: Transport::Housekeeping,
                ..
            })
        ),
        _ => false,
    }
}

/// Every wire in each direction in which it carries frames: where a fence goes in, and where it
/// comes out.
fn wires(topology: &Topology) -> Vec<(Port, Port)> {
    let mut wires = Vec::new();
    for (node, link) in topology.iter().filter(|(_, link)| link.up && link.running) {
        let here = (node.clone(), link.index);
        if link.kind == LinkKind::Loopback {
            wires.push((here.clone(), here));
        } else if let Some((far, peer)) = topology.peer(node, link.index)
            && peer.up
            && peer.running
        {
            wires.push((here, (far.clone(), peer.index)));
        }
    }
    wires
}

impl Rest {
    /// Adds what came later. An answer that came when its neighbour had been given up proves nothing.
    pub(super) fn extend(&mut self, later: Self, topology: &Topology) {
        self.frames.extend(later.frames);
        self.failed.extend(later.failed);
        self.doubt = later
            .doubt
            .or_else(|| late_answer(&self.frames, &self.failed, topology));
    }

    /// Tells whether a neighbour was given up that was asked for through a process of others, which may
    /// keep the question, or the answer, for longer than the kernel waits.
    pub(super) fn asked_through_process(&self, topology: &Topology) -> bool {
        let asks = |frame: &Frame, address: &IpAddr| match read(&frame.bytes) {
            Content::Arp(arp) => !arp.is_reply && *address == arp.target,
            Content::Ip(IpPacket {
                transport: Transport::Discovery(of),
                ..
            }) => !of.is_reply && *address == of.target,
            _ => false,
        };
        self.failed.iter().any(|(_, address)| {
            let mut asked = self.frames.iter().filter(|frame| asks(frame, address));
            asked.any(|frame| relay::takers(frame, topology).next().is_some())
        })
    }
}

impl Observer {
    /// Waits until nothing that `source` sent moves any more, and returns what was seen meanwhile.
    pub(super) async fn come_to_rest(
        &mut self,
        world: &World,
        topology: &Topology,
        source: &NodeName,
    ) -> Result<Rest, ObserveError> {
        let deadline = Instant::now() + deadline::QUIET;
        let wires = wires(topology);
        let dropped_before: u32 = self.taps.values().map(super::tap::Tap::dropped).sum();
        let mut rest = Rest {
            frames: Vec::new(),
            failed: Vec::new(),
            doubt: None,
        };
        let forwarders = watch(world, topology);
        loop {
            // Looked at before the fences: a neighbour that fails in between sends its error
            // messages ahead of them, and one that is asked for anew shows an ARP request.
            if collect_failures(world, &mut rest.failed)? {
                rest.doubt = Some("the kernel dropped notifications of neighbours".to_owned());
                break;
            }
            let parked = self
                .is_parked(world, topology, source, &rest.frames)
                .await?;
            let seen_before = rest.frames.len();
            if let Some(doubt) = self.pass_fences(&wires, deadline, &mut rest.frames)? {
                rest.doubt = Some(doubt);
                break;
            }
            let served = self.serve() | world.carry_tunnels();
            if !forwarders.is_empty() {
                if let Some(doubt) = forwarders.rest(deadline) {
                    rest.doubt = Some(doubt);
                    break;
                }
                self.take_frames(&mut rest.frames)?;
            }
            let moved = rest.frames[seen_before..]
                .iter()
                .any(|frame| !is_background(&frame.bytes));
            if served || moved {
                if Instant::now() > deadline {
                    rest.doubt = Some("packets were still moving at the deadline".to_owned());
                    break;
                }
            } else if !parked {
                break;
            } else if !world.watch_for_change(deadline)? {
                rest.doubt = Some("a neighbour was neither found nor given up".to_owned());
                break;
            }
        }
        collect_failures(world, &mut rest.failed)?;
        let dropped: u32 = self.taps.values().map(super::tap::Tap::dropped).sum();
        if dropped != dropped_before {
            rest.doubt = Some(format!(
                "the taps missed {} frames",
                dropped - dropped_before
            ));
        }
        if backlog::dropped()? != self.backlog_dropped {
            rest.doubt =
                Some("this processor's backlog was full, and frames were dropped".to_owned());
        }
        if self.neighbours_overflowed(world, source).await? {
            rest.doubt = Some("the machine's neighbour table was full".to_owned());
        }
        if let Some((node, link)) = topology
            .iter()
            .find(|(_, link)| link.particulars.has_queue())
        {
            rest.doubt = Some(format!(
                "the macvlan interface {node}/{} has a queue",
                link.name
            ));
        }
        if rest.doubt.is_none() {
            rest.doubt = late_answer(&rest.frames, &rest.failed, topology);
        }
        Ok(rest)
    }

    /// Waits for what a process that forwards packets has kept; tells whether anything came before
    /// `until`. Where that cannot be told, says why.
    pub(super) fn wait_for_kept(
        &mut self,
        world: &World,
        topology: &Topology,
        until: Instant,
        frames: &mut Vec<Frame>,
    ) -> Result<Result<bool, String>, ObserveError> {
        if let Some(doubt) = watch(world, topology).doubt() {
            return Ok(Err(doubt));
        }
        let before = frames.len();
        while self.wait_for_frame(until)? {
            self.take_frames(frames)?;
            let new = &frames[before..];
            if new.iter().any(|frame| !is_background(&frame.bytes)) {
                return Ok(Ok(true));
            }
        }
        Ok(Ok(false))
    }

    /// Takes what the taps have, fences apart.
    fn take_frames(&mut self, frames: &mut Vec<Frame>) -> Result<(), ObserveError> {
        for tap in self.taps.values_mut() {
            tap.drain(&mut |frame| {
                if round_of(&frame.bytes).is_none() {
                    frames.push(frame);
                }
            })?;
        }
        Ok(())
    }

    /// Tells whether the kernel had no room for a neighbour since this was last asked: packets to it
    /// are dropped then, and no tap shows why.
    pub(super) async fn neighbours_overflowed(
        &mut self,
        world: &World,
        source: &NodeName,
    ) -> Result<bool, ObserveError> {
        let Some(node) = world.node(source) else {
            return Ok(false);
        };
        let overflows = node.route().neighbour_table().await?.overflows;
        let before = self.overflows.replace(overflows);
        Ok(before.is_some_and(|before| before != overflows))
    }

    /// Sends a fence down every wire and waits until each is through; returns what is wrong
    /// otherwise.
    fn pass_fences(
        &mut self,
        wires: &[(Port, Port)],
        deadline: Instant,
        frames: &mut Vec<Frame>,
    ) -> Result<Option<String>, ObserveError> {
        self.round += 1;
        let round = self.round;
        let frame = fence(round);
        let mut missing: HashSet<&Port> = HashSet::new();
        for ((node, link), out) in wires {
            let Some(tap) = self.taps.get(node) else {
                continue;
            };
            match tap.send(*link, &frame) {
                Ok(()) => {
                    missing.insert(out);
                }
                // The link fell after it was looked at; nothing can come through it now.
                Err(Errno::ENETDOWN | Errno::ENXIO | Errno::ENODEV) => {}
                Err(errno) => {
                    return Ok(Some(format!("no fence could be sent in {node}: {errno}")));
                }
            }
        }
        loop {
            for tap in self.taps.values_mut() {
                tap.drain(&mut |frame| match round_of(&frame.bytes) {
                    None => frames.push(frame),
                    Some(of) if of == round && frame.direction == Direction::In => {
                        missing.remove(&(frame.node, frame.link));
                    }
                    Some(_) => {}
                })?;
            }
            if missing.is_empty() {
                return Ok(None);
            }
            if !self.wait_for_frame(deadline)? {
                let wire = missing
                    .iter()
                    .next()
                    .map(|(node, link)| format!("{node}, link {link}"));
                return Ok(Some(format!(
                    "{} of {} fences did not arrive, one of them at {}",
                    missing.len(),
                    wires.len(),
                    wire.unwrap_or_default()
                )));
            }
        }
    }

    fn wait_for_frame(&self, deadline: Instant) -> Result<bool, ObserveError> {
        let taps = self.taps.values().map(|tap| tap.as_fd());
        wait::until_readable(taps, deadline).map_err(|errno| ObserveError::Kernel(errno.into()))
    }

    /// Tells whether a packet waits for a neighbour that the kernel is still asking for, in a node
    /// that has had a hand in the probe. The request itself may be invisible: on a link without
    /// carrier it is dropped before the tap, and the packet waits all the same.
    async fn is_parked(
        &self,
        world: &World,
        topology: &Topology,
        source: &NodeName,
        frames: &[Frame],
    ) -> Result<bool, ObserveError> {
        let mut involved: HashSet<&NodeName> = HashSet::from([source]);
        for frame in frames {
            involved.insert(&frame.node);
            // The tunnel's packet waits where the tunnel was made.
            involved.extend(topology.tunnel(&frame.node, frame.link));
        }
        for name in involved {
            let Some(node) = world.node(name) else {
                continue;
            };
            let neighbours = node.route().neighbours().await?;
            if neighbours
                .iter()
                .any(|neighbour| neighbour.state == NeighbourState::Incomplete)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Watches the processes that forward packets, if there were any when the links were looked at.
fn watch(world: &World, topology: &Topology) -> Watch {
    if topology.forwarders().is_empty() {
        Watch::default()
    } else {
        world.watch_forwarders()
    }
}

/// A neighbour that the kernel gave up: the interface that it was asked for on, and its address.
pub(super) type Failed = (Port, IpAddr);

/// Takes the notifications of all nodes and keeps which neighbours failed; tells whether some
/// notifications were lost.
fn collect_failures(world: &World, failed: &mut Vec<Failed>) -> Result<bool, ObserveError> {
    let mut overrun = false;
    for node in world.nodes() {
        for change in node.monitor().drain()? {
            match change {
                Change::Neighbour(neighbour) if neighbour.state == NeighbourState::Failed => {
                    failed.push(((node.name().clone(), neighbour.link), neighbour.address));
                }
                Change::Overrun => overrun = true,
                _ => {}
            }
        }
    }
    Ok(overrun)
}

/// Finds a neighbour that the kernel gave up although it answered: on a loaded machine the answer
/// may wait longer than the kernel does, and what follows from it proves nothing.
///
/// Only an answer that could have been taken counts: one to the interface that asked, for its own
/// hardware address, and not at a bridge port, whose frames all go to the bridge.
fn late_answer(frames: &[Frame], failed: &[Failed], topology: &Topology) -> Option<String> {
    let takes = |(node, link): &Port| {
        topology
            .link(node, *link)
            .is_some_and(|link| link.master.is_none())
    };
    let answered = |(node, link): &Port, address: &IpAddr| {
        frames.iter().any(|frame| {
            (&frame.node, frame.link) == (node, *link)
                && frame.direction == Direction::In
                && !frame.for_another
                && match read(&frame.bytes) {
                    Content::Arp(arp) => arp.is_reply && *address == arp.sender,
                    Content::Ip(IpPacket {
                        transport: Transport::Discovery(of),
                        ..
                    }) => of.is_reply && *address == of.target,
                    _ => false,
                }
        })
    };
    let ((node, _), address) = failed
        .iter()
        .find(|(port, address)| takes(port) && answered(port, address))?;
    Some(format!(
        "{node} gave {address} up before its reply was processed"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_is_told_from_other_frames() {
        assert_eq!(round_of(&fence(7)), Some(7));
        assert_eq!(fence(u64::MAX).len(), FRAME_MIN);
        assert_eq!(round_of(&[0; 60]), None);
        assert_eq!(round_of(&fence(7)[..20]), None);
    }

    #[test]
    fn only_what_talks_by_itself_is_background() {
        let with = |ethertype: [u8; 2]| [&[0; 12][..], &ethertype].concat();
        assert!(!is_background(&with([0x08, 0x00])) && !is_background(&with([0x08, 0x06])));
        assert!(is_background(&with([0x88, 0xcc])) && is_background(&with([0x00, 0x26])));
        // From an IPv6 header on: next header, hop limit and addresses, then the type of ICMPv6.
        let icmpv6 = |kind| {
            let header = [&[0x60, 0, 0, 0, 0, 8, 58, 255][..], &[0xfd; 32]].concat();
            [with([0x86, 0xdd]), header, vec![kind, 0, 0, 0, 0, 0, 0, 0]].concat()
        };
        assert!(is_background(&icmpv6(143)) && is_background(&icmpv6(133)));
        assert!(!is_background(&icmpv6(128)) && !is_background(&icmpv6(1)));
        assert!(!is_background(&with([0x86, 0xdd])));
        assert!(!is_background(&[]));
    }
}
