//! Waiting until the links have become what the operations made of them.
//!
//! A link is not ready when the request that sets it up is acknowledged: carrier, queueing
//! discipline, bridge port and the `linkdown` mark of routes follow from a work queue of the kernel
//! (net/core/link_watch.c), some milliseconds later, or a second. What has to come is known from
//! both ends, and that it came is a notification; so nothing here sleeps or guesses. An IPv6 address
//! waits in a work queue, too, before packets are taken for it.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::World;
use super::baseline::{NEIGHBOUR_PROBES, NEIGHBOUR_RETRANS_MS};
use super::deadline;
use super::topology::Topology;
use crate::kernel::route::{
    BridgeSettings, Link, LinkKind, NeighbourState, OperState, Particulars, PortState,
};
use crate::kernel::{KernelError, wait};
use crate::scenario::NodeName;

/// Why the links did not settle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettleError {
    /// The kernel refused to show or set something.
    #[error("cannot read the state of the links")]
    Kernel(#[from] KernelError),
    /// A link did not reach the state that its two ends call for.
    #[error("{link} did not become {wanted} within {} s", deadline::SETTLE.as_secs())]
    Stuck {
        /// The link, as `node/ifname`.
        link: String,
        /// What it should be.
        wanted: &'static str,
    },
}

/// What a link still has to become.
fn missing(topology: &Topology, node: &NodeName, link: &Link) -> Option<&'static str> {
    if link.kind == LinkKind::Veth
        && let Some((_, peer)) = topology.peer(node, link.index)
    {
        let wired = link.up && peer.up;
        if wired && !(link.running && link.oper_state == OperState::Up) {
            return Some("running");
        }
        if !wired && link.running {
            return Some("without carrier");
        }
    }
    if matches!(link.kind, LinkKind::Macvlan | LinkKind::Vlan)
        && let Some((_, lower)) = topology.lower(node, link.index)
        && lower.kind == LinkKind::Veth
    {
        let carries = link.up && lower.up && lower.running;
        match (carries, link.running) {
            (true, false) => return Some("running"),
            (false, true) => return Some("without carrier"),
            _ => {}
        }
    }
    if topology.tunnel_remote(node, link.index).is_some() && link.up && !link.running {
        return Some("running");
    }
    if let Some(master) = link.master.and_then(|master| topology.link(node, master)) {
        let carries = master.up && link.up && link.running;
        let stp = forward_delay(master).is_some();
        match (carries, link.port_state) {
            (true, Some(PortState::Blocking)) if stp => {}
            // Where no protocol does it, it was set by hand, and stays.
            (true, Some(PortState::Listening | PortState::Learning)) if !stp => {}
            (true, Some(PortState::Forwarding)) | (false, Some(PortState::Disabled)) => {}
            (_, None) => {}
            (true, Some(_)) => return Some("a forwarding port"),
            (false, Some(_)) => return Some("a disabled port"),
        }
    }
    if link.kind == LinkKind::Bridge && link.up {
        let mut ports = topology.ports_of(node, link.index).peekable();
        if ports.peek().is_some() {
            let forwards = ports.any(|port| port.port_state == Some(PortState::Forwarding));
            if forwards && !link.running {
                return Some("running");
            }
            if !forwards && link.running {
                return Some("without carrier");
            }
        }
    }
    None
}

/// How long a port of the bridge listens, and again learns, before it forwards; none if the bridge
/// does not speak the spanning tree protocol.
fn forward_delay(bridge: &Link) -> Option<Duration> {
    match bridge.particulars {
        Particulars::Bridge(BridgeSettings {
            stp: Some(true),
            forward_delay,
            ..
        }) => Some(Duration::from_secs(
            forward_delay.unwrap_or_default().into(),
        )),
        _ => None,
    }
}

impl World {
    /// Waits until every link is what the operations made of it, and returns all links.
    ///
    /// Sets each link's patience with silent neighbours as well, since links may have come; those
    /// requests take the lock under which the kernel's work queue changes links, so that what it
    /// was doing is done when they are answered.
    ///
    /// # Errors
    ///
    /// A link that does not become what it has to, or the kernel's refusal.
    pub async fn settle(&self) -> Result<Topology, SettleError> {
        let begun = Instant::now();
        loop {
            for node in self.nodes() {
                node.monitor().drain()?;
            }
            self.flush_link_watch().await?;
            let mut topology = Topology::read(self).await?;
            if self.have_no_queues(&topology).await? {
                topology = Topology::read(self).await?;
            }
            let mut stuck = topology
                .iter()
                .find_map(|(node, link)| Some((node, link, missing(&topology, node, link)?)));
            if stuck.is_none() {
                self.leave_nothing_waiting(&topology).await?;
                stuck = self.deaf_link(&topology).await?;
            }
            if stuck.is_none() {
                stuck = self.asking_link(&topology).await?;
            }
            let Some((node, link, wanted)) = stuck else {
                return Ok(topology);
            };
            // The spanning tree protocol's own delays are not the links' fault.
            let delays = topology.iter().filter_map(|(_, link)| forward_delay(link));
            let patience = deadline::SETTLE + 2 * delays.max().unwrap_or_default();
            if !self.wait_for_change(begun + patience)? {
                let link = format!("{node}/{}", link.name);
                return Err(SettleError::Stuck { link, wanted });
            }
        }
    }

    /// Asks for each link by itself, which makes the kernel do at once what its work queue has for
    /// it (`linkwatch_sync_dev` in `rtnl_getlink`, since Linux 6.8); otherwise that may take the
    /// second for which the queue limits its rate. Cables come first and bridges last: the carrier
    /// of what stands on others follows from theirs.
    async fn flush_link_watch(&self) -> Result<(), KernelError> {
        for node in self.nodes() {
            let mut links = node.route().links().await?;
            links.sort_by_key(|link| (link.kind == LinkKind::Bridge, link.kind != LinkKind::Veth));
            for link in links.iter().filter(|link| link.kind != LinkKind::Loopback) {
                match node.route().link(&link.name).await {
                    Err(error) if error.errno == Errno::ENODEV => {}
                    result => drop(result?),
                }
            }
        }
        Ok(())
    }

    /// Finds a link that does not take packets yet for each of its IPv6 addresses: a work queue has
    /// to deal with them first, also with those that nobody is asked about.
    async fn deaf_link<'a>(
        &self,
        topology: &'a Topology,
    ) -> Result<Option<(&'a NodeName, &'a Link, &'static str)>, KernelError> {
        for (name, links) in topology.nodes() {
            let Some(node) = self.node(name).filter(|node| node.has_ipv6()) else {
                continue;
            };
            let addresses = node.route().addresses().await?;
            let received = node.route().received_ipv6().await?;
            let deaf = links.iter().filter(|link| link.up).find(|link| {
                addresses.iter().any(|of| {
                    let heard = !of.tentative && received.contains(&of.address);
                    of.link == link.index && of.address.is_ipv6() && !of.refused && !heard
                })
            });
            if let Some(link) = deaf {
                return Ok(Some((name, link, "ready at all its IPv6 addresses")));
            }
        }
        Ok(None)
    }

    /// Finds a link on which a neighbour is still asked for. Nodes speak of multicast groups as soon as
    /// IPv6 is on, also into tunnels, and what asked before the far side was ready gets no answer: a
    /// probe's packet that waited for that one would be lost with it.
    async fn asking_link<'a>(
        &self,
        topology: &'a Topology,
    ) -> Result<Option<(&'a NodeName, &'a Link, &'static str)>, KernelError> {
        for (name, _) in topology.nodes() {
            let Some(node) = self.node(name) else {
                continue;
            };
            let neighbours = node.route().neighbours().await?;
            let asking = neighbours
                .iter()
                .filter(|of| of.state == NeighbourState::Incomplete)
                .find_map(|of| topology.link(name, of.link));
            if let Some(link) = asking {
                return Ok(Some((name, link, "done with asking for a neighbour")));
            }
        }
        Ok(None)
    }

    /// Takes the queue of frames for many from macvlan interfaces that have one, whoever made them: what
    /// waits in a work queue, no fence passes. Tells whether there was one. A kernel before Linux 6.4
    /// leaves it as it is.
    async fn have_no_queues(&self, topology: &Topology) -> Result<bool, KernelError> {
        let mut had = false;
        for (name, link) in topology
            .iter()
            .filter(|(_, link)| link.particulars.has_queue())
        {
            let Some(node) = self.node(name) else {
                continue;
            };
            had = true;
            match node.route().set_macvlan_at_once(&link.name).await {
                Err(error) if error.errno == Errno::ENODEV => {}
                result => result?,
            }
        }
        Ok(had)
    }

    /// Sets what decides how long a packet can wait for something that no tap sees: each link's patience
    /// with silent neighbours.
    async fn leave_nothing_waiting(&self, topology: &Topology) -> Result<(), KernelError> {
        for (name, link) in topology
            .iter()
            .filter(|(_, link)| link.kind != LinkKind::Loopback)
        {
            let Some(node) = self.node(name) else {
                continue;
            };
            let families: &[bool] = if node.has_ipv6() {
                &[false, true]
            } else {
                &[false]
            };
            for ipv6 in families {
                let patience = node.route().set_neighbour_patience(
                    link.index,
                    *ipv6,
                    NEIGHBOUR_RETRANS_MS,
                    NEIGHBOUR_PROBES,
                );
                match patience.await {
                    // The link is gone again, or has no IPv4 (an MTU under 68 bytes), or no IPv6
                    // (under 1280).
                    Err(error) if error.errno == Errno::ENOENT => {}
                    result => result?,
                }
            }
        }
        Ok(())
    }

    /// Waits until a link or neighbour of any node changes; tells whether one did in time.
    ///
    /// # Errors
    ///
    /// The kernel's refusal to wait.
    pub fn wait_for_change(&self, deadline: Instant) -> Result<bool, KernelError> {
        Ok(wait::until_readable(self.monitors(), deadline)?)
    }

    /// Waits as [`wait_for_change`](Self::wait_for_change) does, but keeps the processor awake.
    ///
    /// The timers of an idle processor may be run by another one (kernel/time/timer_migration.c),
    /// and what they send then waits in that one's backlog, where nothing of ours passes. So where
    /// the change is a timer's, as with a neighbour that is given up, the processor must not idle;
    /// others who want it get it.
    ///
    /// # Errors
    ///
    /// The kernel's refusal to look.
    pub fn watch_for_change(&self, deadline: Instant) -> Result<bool, KernelError> {
        while Instant::now() < deadline {
            if wait::is_readable(self.monitors())? {
                return Ok(true);
            }
            std::thread::yield_now();
        }
        Ok(false)
    }

    fn monitors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.nodes().map(|node| node.monitor().as_fd())
    }
}
