//! One attempt: send, wait for rest, and conclude.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::cause::{Moved, Tracked, tracked};
use super::fate::{Fate, rejection_of_errno, rejection_of_icmp};
use super::frame::{Direction, Frame};
use super::identity::{Identity, Part, TOKEN_LENGTH, sequence_of_syn};
use super::probe::{ArpProbe, EchoProbe, FrameProbe, NdpProbe, Outcome, TcpProbe, UdpProbe};
use super::tap::send_through;
use super::target::address;
use super::walk::{Sighting, Walk};
use super::{ObserveError, Observer};
use crate::kernel::{Mac, sysctl};
use crate::scenario::{
    Exchange, Family, Leg, LinkRef, NodeName, Place, Probe, RawFrame, Rejection, Solicitation,
};
use crate::world::{Node, Topology, World, deadline};

/// The first port that probes are sent from; one for each attempt.
const FIRST_PORT: u16 = 33_000;
/// How many ports there are to go round.
const PORTS: u32 = 20_000;

/// Tells whether a port is one of those that probes are sent from where none is given.
pub(super) fn is_fresh(port: u16) -> bool {
    port.checked_sub(FIRST_PORT)
        .is_some_and(|above| u32::from(above) < PORTS)
}

/// What one attempt showed.
pub(super) struct Attempt {
    pub(super) fate: Fate,
    pub(super) sightings: Vec<Sighting>,
    /// The way of the probe's own packets.
    pub(super) walk: Walk,
    /// Every frame that was seen meanwhile.
    pub(super) frames: Vec<Frame>,
    /// The counters of every node, where the probe was not answered.
    pub(super) moved: Moved,
    /// The connections that were tracked before, where the probe may belong to one of them.
    pub(super) tracked: Tracked,
    /// How long the kernel needs before another attempt can show more.
    pub(super) wait: Duration,
}

/// The time in which the kernel lets a router send one more error about a missing or refusing route
/// to one source: `ip_rt_error_cost`, net/ipv4/route.c. After a burst of five it keeps silent. The
/// settings are the machine's, and no node's own.
const ROUTE_ERROR_INTERVAL: Duration = Duration::from_secs(1);

/// A probe on its way: the socket that waits for its answer.
enum Sent {
    Echo(EchoProbe),
    Udp(UdpProbe),
    Tcp(TcpProbe),
    /// The taps are all that hears the answer to ARP, neighbour discovery, or a frame.
    Unheard,
    /// The kernel refused to send it.
    Refused(Errno),
}

impl Sent {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Echo(probe) => probe.outcome(),
            Self::Udp(probe) => probe.outcome(),
            Self::Tcp(probe) => probe.outcome(),
            Self::Unheard => Outcome::Silent,
            Self::Refused(errno) => Outcome::Failed(*errno),
        }
    }
}

/// How the packets of an attempt will be known.
enum Mark {
    Known(Identity),
    /// By the sequence number of the SYN from this port, once it is seen.
    Syn {
        from_port: u16,
    },
}

impl Observer {
    /// Sends a probe once and waits for what becomes of it.
    pub(super) async fn attempt(
        &mut self,
        world: &World,
        topology: &Topology,
        probe: &Probe,
    ) -> Result<Attempt, ObserveError> {
        self.prepare_taps(world)?;
        self.attempts += 1;
        let from = probe.from();
        let node = world
            .node(from)
            .ok_or_else(|| ObserveError::NoSuchNode(from.clone()))?;
        if self.overflows.is_none() {
            self.neighbours_overflowed(world, from).await?;
        }
        let before = self.read_counters()?;
        let tracked = tracked(world, probe)?;
        let (sent, mark) = self.send(node, topology, probe).await?;
        let mut rest = self.come_to_rest(world, topology, from).await?;
        // What moves for longer than this does not come to an end.
        let deadline = Instant::now() + deadline::QUIET;
        let mut is_over = false;
        let (identity, walk, outcome) = loop {
            let identity = match &mark {
                Mark::Known(identity) => Some(*identity),
                Mark::Syn { from_port } => {
                    let own = rest.frames.iter().filter(|frame| frame.node == *from);
                    sequence_of_syn(own, *from_port).map(|sequence| Identity::Tcp { sequence })
                }
            };
            let walk = identity
                .as_ref()
                .map(|identity| Walk::new(rest.frames.clone(), identity, topology, from))
                .unwrap_or_default();
            let outcome = sent.outcome();
            let is_kept = (outcome == Outcome::Silent && walk.ends_at_process(topology))
                || rest.asked_through_process(topology);
            if !is_kept || is_over || rest.doubt.is_some() {
                break (identity, walk, outcome);
            }
            let until = Instant::now() + deadline::KEPT;
            match self.wait_for_kept(world, topology, until, &mut rest.frames)? {
                Ok(false) => is_over = true,
                Ok(true) if Instant::now() > deadline => {
                    let why = "a process that forwards packets goes on sending some";
                    rest.doubt = Some(why.to_owned());
                }
                Ok(true) => {
                    // It was kept, and is on its way again.
                    let later = self.come_to_rest(world, topology, from).await?;
                    rest.extend(later, topology);
                }
                Err(why) => rest.doubt = Some(why),
            }
        };
        if let Some(recorder) = &mut self.recorder {
            recorder.end(&rest.frames, identity.as_ref(), topology);
        }
        if let Some(why) = rest.doubt {
            return Ok(Attempt {
                fate: Fate::Inconclusive { why },
                sightings: Vec::new(),
                walk: Walk::default(),
                frames: Vec::new(),
                moved: Moved::new(),
                tracked: Tracked::new(),
                wait: Duration::ZERO,
            });
        }
        let fate = conclude(outcome, probe, &walk, topology);
        let sightings = walk.sightings(topology);
        let (fate, wait) = match silenced(world, topology, &fate, &walk).await? {
            Some(why) => (Fate::Inconclusive { why }, ROUTE_ERROR_INTERVAL),
            None => (fate, Duration::ZERO),
        };
        let moved = match fate {
            Fate::Lost { .. } | Fate::Rejected { .. } => {
                let seen = rest.frames.iter().flat_map(|frame| {
                    // A tunnel's packet is routed where the tunnel was made, if it is at all.
                    let tunnel = topology.tunnel(&frame.node, frame.link);
                    std::iter::once(&frame.node).chain(tunnel)
                });
                self.moved_since(before, &seen.chain([from]).collect())?
            }
            Fate::Reply { .. } | Fate::Inconclusive { .. } => Moved::new(),
        };
        Ok(Attempt {
            fate,
            sightings,
            walk,
            frames: rest.frames,
            moved,
            tracked,
            wait,
        })
    }

    /// Sends the probe.
    async fn send(
        &mut self,
        node: &Node,
        topology: &Topology,
        probe: &Probe,
    ) -> Result<(Sent, Mark), ObserveError> {
        let token = self.token();
        match probe {
            Probe::Ping(ping) => {
                let to = address(&ping.to)?;
                let family = Family::of(to);
                let ttl = ping.ttl.as_ref().map(|ttl| ttl.value);
                let size = ping.size.as_ref().map(|size| size.0);
                let identifier = (self.attempts % u32::from(u16::MAX)) as u16;
                let sent = match node.enter(|| EchoProbe::open(family, token, ttl, size))? {
                    Ok(echo) => after(echo.send(to, identifier), Sent::Echo(echo)),
                    Err(errno) => return Err(refused(errno)),
                };
                Ok((sent, Mark::Known(Identity::Echo { token })))
            }
            Probe::Udp(exchange) => {
                let to = address(&exchange.to)?;
                let family = Family::of(to);
                let open = |from_port| UdpProbe::open(family, token, from_port);
                let (udp, _) = self.open_on_port(node, exchange, open)?;
                let sent = after(udp.send(to, exchange.port.value), Sent::Udp(udp));
                Ok((sent, Mark::Known(Identity::Udp { token })))
            }
            Probe::Tcp(exchange) => {
                let to = address(&exchange.to)?;
                let family = Family::of(to);
                let open = |from_port| TcpProbe::open(family, from_port);
                let (tcp, from_port) = self.open_on_port(node, exchange, open)?;
                let sent = after(tcp.send(to, exchange.port.value), Sent::Tcp(tcp));
                Ok((sent, Mark::Syn { from_port }))
            }
            Probe::Arp(ask) | Probe::Ndp(ask) => {
                let to = ask.to.value;
                self.solicit(node, topology, &ask.from.value, to).await
            }
            Probe::Frame(frame) => send_frame(node, topology, frame, token),
        }
    }

    /// Asks for the hardware address of `target`: by ARP, or by neighbour discovery in IPv6.
    async fn solicit(
        &self,
        node: &Node,
        topology: &Topology,
        from: &LinkRef,
        target: IpAddr,
    ) -> Result<(Sent, Mark), ObserveError> {
        let no_link = || ObserveError::NoSuchLink(from.clone());
        let link = topology
            .link_named(&from.node, from.ifname.as_str())
            .ok_or_else(no_link)?;
        let mac = link.mac.ok_or_else(no_link)?;
        let own = node.route().addresses().await?;
        let own = own.iter().filter(|own| own.link == link.index);
        let (bytes, identity) = match target {
            IpAddr::V4(target) => ask_by_arp(mac, own.map(|own| own.address), target),
            IpAddr::V6(target) => ask_by_ndp(mac, own.map(|own| own.address), target),
        }
        .map_err(refused)?;
        let sent = send_through(node, link.index, &bytes)?;
        Ok((after(sent, Sent::Unheard), Mark::Known(identity)))
    }

    /// The mark of this attempt's packets, which no other attempt of the world has.
    fn token(&self) -> [u8; TOKEN_LENGTH] {
        let mut token = *b"netproof probe\0\0";
        token[TOKEN_LENGTH - 4..].copy_from_slice(&self.attempts.to_be_bytes());
        token
    }

    /// Opens a probe's socket on the port that it asks for, or on one that is free.
    fn open_on_port<T: Send>(
        &mut self,
        node: &Node,
        exchange: &Exchange,
        open: impl Fn(u16) -> Result<T, Errno> + Sync,
    ) -> Result<(T, u16), ObserveError> {
        let Some(port) = exchange.from_port.as_ref().map(|port| port.value) else {
            return self.open_on_free_port(node, exchange.port.value, open);
        };
        match node.enter(|| open(port))? {
            Ok(opened) => Ok((opened, port)),
            Err(Errno::EADDRINUSE) => Err(ObserveError::PortInUse {
                node: node.name().clone(),
                port,
            }),
            Err(errno) => Err(refused(errno)),
        }
    }

    /// Opens a probe's socket on a port that was not used before and that no server has. It is
    /// never the port that the probe goes to: a socket that asks itself is answered by itself
    /// (TCP's simultaneous open, RFC 9293 section 3.5).
    fn open_on_free_port<T: Send>(
        &mut self,
        node: &Node,
        to_port: u16,
        open: impl Fn(u16) -> Result<T, Errno> + Sync,
    ) -> Result<(T, u16), ObserveError> {
        for _ in 0..PORTS {
            let port = FIRST_PORT + (self.ports % PORTS) as u16;
            self.ports += 1;
            if port == to_port {
                continue;
            }
            match node.enter(|| open(port))? {
                Err(Errno::EADDRINUSE) => {}
                opened => return Ok((opened.map_err(refused)?, port)),
            }
        }
        Err(refused(Errno::EADDRINUSE))
    }
}

/// Sends a frame from one interface to the hardware address of another.
fn send_frame(
    node: &Node,
    topology: &Topology,
    raw: &RawFrame,
    token: [u8; TOKEN_LENGTH],
) -> Result<(Sent, Mark), ObserveError> {
    let find = |of: &LinkRef| {
        let link = topology.link_named(&of.node, of.ifname.as_str());
        let found = link.and_then(|link| Some((link.index, link.mac?)));
        found.ok_or_else(|| ObserveError::NoSuchLink(of.clone()))
    };
    let (link, sender) = find(&raw.from)?;
    let (_, receiver) = find(&raw.to)?;
    let bytes = FrameProbe {
        sender,
        receiver,
        ethertype: raw.ethertype.value.0,
        token,
    }
    .frame();
    let sent = send_through(node, link, &bytes)?;
    let identity = Identity::Frame { token };
    Ok((after(sent, Sent::Unheard), Mark::Known(identity)))
}

/// As arping(8): from the interface's own address, or from none as in address detection.
fn ask_by_arp(
    mac: Mac,
    own: impl Iterator<Item = IpAddr>,
    target: Ipv4Addr,
) -> Result<(Vec<u8>, Identity), Errno> {
    let sender = own
        .filter_map(|own| match own {
            IpAddr::V4(own) => Some(own),
            IpAddr::V6(_) => None,
        })
        .next()
        .unwrap_or(Ipv4Addr::UNSPECIFIED);
    let probe = ArpProbe {
        mac,
        sender,
        target,
    };
    let identity = Identity::Arp {
        mac,
        sender,
        target,
    };
    Ok((probe.frame()?, identity))
}

/// As ndisc6(8): from the interface's own address, a link-local one if it has no other.
fn ask_by_ndp(
    mac: Mac,
    own: impl Iterator<Item = IpAddr>,
    target: Ipv6Addr,
) -> Result<(Vec<u8>, Identity), Errno> {
    let sender = own
        .filter_map(|own| match own {
            IpAddr::V4(_) => None,
            IpAddr::V6(own) => Some(own),
        })
        .min_by_key(|own| own.is_unicast_link_local())
        .unwrap_or(Ipv6Addr::UNSPECIFIED);
    let probe = NdpProbe {
        mac,
        sender,
        target,
    };
    Ok((probe.frame()?, Identity::Ndp { sender, target }))
}

/// Finds out whether a probe that seems lost was refused by a router that may not say so: the kernel
/// limits errors about routes for each router and source, apart from `icmp_ratelimit`, and
/// nothing inside a namespace can lift that.
async fn silenced(
    world: &World,
    topology: &Topology,
    fate: &Fate,
    walk: &Walk,
) -> Result<Option<String>, ObserveError> {
    if !matches!(
        fate,
        Fate::Lost {
            leg: Leg::Request,
            ..
        }
    ) {
        return Ok(None);
    }
    let ends = walk.ends(Leg::Request, topology);
    let Some(end) = ends
        .first()
        .filter(|end| end.direction == Direction::In && end.ttl.is_some())
    else {
        return Ok(None);
    };
    let (Some(source), Some(destination)) = (end.source, end.destination) else {
        return Ok(None);
    };
    if destination.is_ipv6() {
        // What IPv6 limits is pinned away (net.ipv6.icmp.ratelimit).
        return Ok(None);
    }
    let name = end.on.ifname.as_str();
    let (Some(node), Some(link)) = (
        world.node(&end.on.node),
        topology.link_named(&end.on.node, name),
    ) else {
        return Ok(None);
    };
    // A node routes neither what came in at a port of a bridge nor what is for another station.
    if link.master.is_some() || end.for_another {
        return Ok(None);
    }
    // As sysctl(8) writes it, a dot in an interface's name is a slash; the path needs the dot.
    let forwarding = format!("net/ipv4/conf/{name}/forwarding");
    if node
        .enter(|| sysctl::read(&forwarding))?
        .is_ok_and(|value| value != "1")
    {
        return Ok(None);
    }
    match node.route().lookup(source, destination, link.index).await {
        Err(error)
            if matches!(
                error.errno,
                Errno::ENETUNREACH | Errno::EHOSTUNREACH | Errno::EACCES
            ) =>
        {
            // Without a way back it never says anything, and its silence is no doubt.
            if !node.route().has_way_to(source).await? {
                return Ok(None);
            }
            Ok(Some(format!(
                "{} would refuse it ({error}), and says so no more often than once a second",
                end.on.node
            )))
        }
        _ => Ok(None),
    }
}

fn after(result: Result<(), Errno>, sent: Sent) -> Sent {
    match result {
        Ok(()) => sent,
        Err(errno) => Sent::Refused(errno),
    }
}

fn refused(errno: Errno) -> ObserveError {
    ObserveError::Kernel(errno.into())
}

/// Says what became of a probe, from what its socket and the taps saw.
fn conclude(outcome: Outcome, probe: &Probe, walk: &Walk, topology: &Topology) -> Fate {
    match probe {
        Probe::Arp(Solicitation { from, .. })
        | Probe::Ndp(Solicitation { from, .. })
        | Probe::Frame(RawFrame { from, .. }) => {
            return conclude_unheard(outcome, from, walk, topology);
        }
        Probe::Ping(_) | Probe::Udp(_) | Probe::Tcp(_) => {}
    }
    match outcome {
        Outcome::Answered => reply(walk, topology),
        Outcome::Failed(errno) => rejected(errno, probe.from(), walk),
        Outcome::Silent => lost(probe.from(), walk, topology),
    }
}

fn reply(walk: &Walk, topology: &Topology) -> Fate {
    let last = |leg| walk.ends(leg, topology).into_iter().next();
    Fate::Reply {
        ttl: last(Leg::Reply).and_then(|sighting| sighting.ttl),
        source: last(Leg::Request).and_then(|sighting| sighting.source),
        by: None,
    }
}

/// Concludes from what the taps saw: the sender has no socket that hears an answer.
fn conclude_unheard(outcome: Outcome, from: &LinkRef, walk: &Walk, topology: &Topology) -> Fate {
    if outcome != Outcome::Silent {
        // The link is down: the request never left.
        return lost(&from.node, walk, topology);
    }
    let own = topology
        .link_named(&from.node, from.ifname.as_str())
        .map(|link| link.index);
    let answer = walk.steps().find_map(|step| {
        let here = step.frame.node == from.node
            && Some(step.frame.link) == own
            && step.frame.direction == Direction::In;
        step.answered_mac().filter(|_| here)
    });
    match answer {
        None => lost(&from.node, walk, topology),
        Some(mac) => Fate::Reply {
            ttl: None,
            source: walk
                .ends(Leg::Request, topology)
                .into_iter()
                .next()
                .and_then(|seen| seen.source),
            by: super::facts::owner_of(mac, topology),
        },
    }
}

fn rejected(errno: Errno, from: &NodeName, walk: &Walk) -> Fate {
    // What refused it on the way is on the wire; what the sender's kernel refused is only an errno.
    let on_the_wire = walk.steps().find_map(|step| match step.part {
        Part::Error {
            leg: Leg::Request,
            error,
        } => Some((rejection_of_icmp(error)?, step.frame.node.clone())),
        Part::Packet {
            leg: Leg::Reply,
            reset: true,
            ..
        } => Some((Rejection::PortUnreachable, step.frame.node.clone())),
        _ => None,
    });
    match on_the_wire.or_else(|| Some((rejection_of_errno(errno)?, from.clone()))) {
        Some((how, by)) => Fate::Rejected { how, by },
        None => Fate::Inconclusive {
            why: format!("the sender's socket says: {}", errno.desc()),
        },
    }
}

fn lost(from: &NodeName, walk: &Walk, topology: &Topology) -> Fate {
    let place = |sighting: Sighting| Place::Link(sighting.on);
    for leg in [Leg::Reply, Leg::Request] {
        let mut ends = walk.ends(leg, topology).into_iter();
        if let Some(end) = ends.next() {
            return Fate::Lost {
                after: place(end),
                leg,
                also: ends.map(place).collect(),
            };
        }
    }
    Fate::Lost {
        after: Place::Node(from.clone()),
        leg: Leg::Request,
        also: Vec::new(),
    }
}
