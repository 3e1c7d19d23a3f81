//! The sandbox that holds a run: its namespaces, its nodes, and the state that they start in.
//!
//! Invariants: the only `unsafe`, the only `setns` and `unshare` of the crate; nothing that a world
//! makes outlives its starter; nothing of the machine shows through in a node.

mod adopt;
mod baseline;
mod check;
mod child;
mod companion;
mod daemon;
pub mod deadline;
mod error;
mod feature;
mod forwarder;
mod furnish;
mod heard;
mod holder;
mod ids;
mod isolate;
mod launch;
mod machine;
mod node;
mod settle;
mod sys;
mod topology;
mod tuntap;
mod written;

use std::collections::BTreeMap;
use std::time::Instant;

use nix::unistd::Pid;

pub use baseline::{Baseline, PINS, Pin, Pinned};
pub use check::{Check, Status};
pub use child::{Daemon, HEARD, Said, converse, end_process, run_in, run_to_end, start_daemon};
pub use companion::{Companion, Listened};
pub use daemon::{NotReady, start_ready};
pub use error::{Stage, UNKNOWN_CURE, WorldError, exhaustion_cure};
pub use feature::features;
pub use forwarder::{Forwarder, Watch};
pub use furnish::{Interior, WORKDIR};
pub use heard::{Heard, Voice, run_heard};
pub use holder::{HOLD_REQUEST, hold};
pub use isolate::{Tier, isolate};
pub use launch::{
    Launch, LaunchError, Line, WORLD_ARGUMENT, WorldProcess, is_world_process, read_request,
};
pub use machine::settings;
pub use node::Node;
pub use settle::SettleError;
pub(crate) use sys::{Ipv4MtuDiscover, Ipv6MtuDiscover, link_address};
pub use topology::{Port, Topology};
use tuntap::Tunnel;
pub use tuntap::{Datagrams, TunTap, TunTapError};
pub use written::written;

use crate::scenario::{HOST, NodeName};

/// The nodes of a run, inside an isolated process.
pub struct World {
    nodes: BTreeMap<NodeName, Node>,
    baseline: Baseline,
    tunnels: Vec<Tunnel>,
}

impl World {
    /// Makes a world in the runner's namespaces. The node `host` is the runner's own network
    /// namespace; every other node gets a new one.
    ///
    /// # Errors
    ///
    /// The stage that the machine refuses.
    ///
    /// # Panics
    ///
    /// Outside the context of a tokio runtime.
    pub fn new<'a>(
        names: impl IntoIterator<Item = &'a NodeName>,
        baseline: Baseline,
    ) -> Result<Self, WorldError> {
        let mut world = Self {
            nodes: BTreeMap::new(),
            baseline,
            tunnels: Vec::new(),
        };
        for name in names {
            world.add_node(name)?;
        }
        Ok(world)
    }

    /// Makes a node.
    ///
    /// # Errors
    ///
    /// The stage that the machine refuses; `EEXIST` if there is a node of that name.
    pub fn add_node(&mut self, name: &NodeName) -> Result<(), WorldError> {
        if self.node(name).is_some() {
            return Err(WorldError::new(Stage::NetNamespace, nix::errno::Errno::EEXIST).node(name));
        }
        let start = self.baseline.of(name);
        let node = if name.as_str() == HOST {
            Node::own(name, start)?
        } else {
            Node::create(name, start)?
        };
        self.nodes.insert(name.clone(), node);
        Ok(())
    }

    /// Makes a node of the network namespace of another: one node, with one name more.
    ///
    /// # Errors
    ///
    /// `EEXIST` if there is a node of that name, `ENOENT` if there is none to share.
    pub fn share_node(&mut self, name: &NodeName, with: &NodeName) -> Result<(), WorldError> {
        let failed = |errno, of| WorldError::new(Stage::NetNamespace, errno).node(of);
        if self.node(name).is_some() {
            return Err(failed(nix::errno::Errno::EEXIST, name));
        }
        self.node_mut(with)
            .ok_or_else(|| failed(nix::errno::Errno::ENOENT, with))?
            .share(name)
    }

    /// Takes in a node that something else in the world has made, as `ip netns add` does, with its
    /// name under `/run/netns`; its settings are pinned now. Where the namespace is that of a node
    /// already, that one has one name more.
    ///
    /// # Errors
    ///
    /// The stage that the machine refuses; `ENOENT` if there is no such name.
    pub fn adopt_node(&mut self, name: &NodeName) -> Result<(), WorldError> {
        if let Some(node) = self.nodes.values_mut().find(|node| node.is_named(name)) {
            node.note(name);
            return Ok(());
        }
        let node = Node::adopt(name, self.baseline.of(name))?;
        self.nodes.insert(name.clone(), node);
        Ok(())
    }

    /// Takes in as a node the network namespace of a process of the world, as that of a container, and
    /// gives it its name under `/run/netns`, as `ip netns attach` does; its settings are pinned now.
    /// Where it is that of a node already, as with a container in the host's, that one has one name more.
    ///
    /// # Errors
    ///
    /// The stage that the machine refuses; `EEXIST` if there is a node of that name, `ENOENT` if there
    /// is no such process.
    pub fn adopt_process(&mut self, name: &NodeName, process: Pid) -> Result<(), WorldError> {
        if self.node(name).is_some() {
            return Err(WorldError::new(Stage::NetNamespace, nix::errno::Errno::EEXIST).node(name));
        }
        node::name_process(name, process)?;
        self.adopt_node(name).inspect_err(|_| {
            // It is no node, so it has no name either.
            let _ = node::unname(name);
        })
    }

    /// Returns a process of our own that stands in a node and does nothing, for programs that know a
    /// network namespace only by a process in it. It is started when it is asked for first, one for
    /// each node, and ends with the node.
    ///
    /// # Errors
    ///
    /// `ENOENT` if there is no such node; the process cannot be started.
    pub fn holder(&mut self, name: &NodeName) -> Result<Pid, WorldError> {
        let node = self.node_mut(name);
        node.ok_or_else(|| WorldError::new(Stage::Process, nix::errno::Errno::ENOENT).node(name))?
            .holder()
    }

    /// Deletes a node; where others share it, only its name. Waits until the far ends of its links are gone from the other nodes, which
    /// the kernel does behind our back.
    ///
    /// Sockets and processes in the node keep it alive: they have to be gone before.
    ///
    /// # Errors
    ///
    /// `ENOENT` if there is no such node; a link that does not go.
    pub async fn delete_node(&mut self, name: &NodeName) -> Result<(), WorldError> {
        // `host` has no name that could be deleted.
        let Some(node) = self.node(name).filter(|_| name.as_str() != HOST) else {
            return Err(WorldError::new(Stage::NetNamespace, nix::errno::Errno::ENOENT).node(name));
        };
        node.unname(name)?;
        self.forget_node(name).await
    }

    /// Lets go of a node whose name is gone already, and waits as [`delete_node`](Self::delete_node)
    /// does.
    ///
    /// # Errors
    ///
    /// A link that does not go.
    pub async fn forget_node(&mut self, name: &NodeName) -> Result<(), WorldError> {
        let failed = |error| WorldError::new(Stage::NetNamespace, error).node(name);
        if self.node(name).is_some_and(|node| node.names().count() > 1) {
            self.drop_name(name);
            return Ok(());
        }
        let topology = Topology::read(self).await.map_err(failed)?;
        let doomed: Vec<Port> = topology
            .links_of(name)
            .iter()
            .filter_map(|link| topology.peer(name, link.index))
            .filter(|(peer_node, _)| *peer_node != name)
            .map(|(peer_node, peer)| (peer_node.clone(), peer.index))
            .collect();
        self.nodes.remove(name);
        // Their sockets would keep the namespace alive.
        self.tunnels.retain(|tunnel| tunnel.node() != name);
        // The netlink connection is a task of the runtime: it lets go of its socket when it runs.
        tokio::task::yield_now().await;
        let deadline = Instant::now() + deadline::DISSOLVE;
        loop {
            for node in self.nodes() {
                node.monitor().drain().map_err(failed)?;
            }
            let topology = Topology::read(self).await.map_err(failed)?;
            if doomed
                .iter()
                .all(|(node, index)| topology.link(node, *index).is_none())
            {
                return Ok(());
            }
            if !self.wait_for_change(deadline).map_err(failed)? {
                return Err(failed(nix::errno::Errno::ETIMEDOUT.into()));
            }
        }
    }

    /// Forgets one of several names of a node.
    fn drop_name(&mut self, name: &NodeName) {
        let first = self.node(name).map(|node| node.name().clone());
        if let Some(mut node) = first.and_then(|first| self.nodes.remove(&first)) {
            node.drop_name(name);
            for tunnel in &mut self.tunnels {
                if tunnel.node() == name {
                    tunnel.rename(node.name());
                }
            }
            self.nodes.insert(node.name().clone(), node);
        }
    }

    /// Holds the other end of a tun or tap device from now on: what comes out of it leaves the node in
    /// datagrams, when [`carry_tunnels`](Self::carry_tunnels) says so.
    ///
    /// # Errors
    ///
    /// [`TunTapError::Absent`] without `/dev/net/tun`; the kernel's refusal of device or addresses.
    pub fn open_tunnel(
        &mut self,
        node: &NodeName,
        name: &str,
        mode: TunTap,
        datagrams: Datagrams,
    ) -> Result<(), TunTapError> {
        let missing = || WorldError::new(Stage::NetNamespace, nix::errno::Errno::ENOENT).node(node);
        let node = self.node(node).ok_or_else(missing)?;
        let tunnel = Tunnel::open(node, name, mode, datagrams)?;
        self.tunnels.push(tunnel);
        Ok(())
    }

    /// Carries what waits at the other ends of tun and tap devices; tells whether there was anything.
    pub fn carry_tunnels(&self) -> bool {
        let mut carried = false;
        for tunnel in &self.tunnels {
            carried |= tunnel.carry();
        }
        carried
    }

    /// Returns a node by any of its names.
    pub fn node(&self, name: &NodeName) -> Option<&Node> {
        let by_first = self.nodes.get(name);
        by_first.or_else(|| self.nodes().find(|node| node.names().any(|it| it == name)))
    }

    fn node_mut(&mut self, name: &NodeName) -> Option<&mut Node> {
        let first = self.node(name)?.name().clone();
        self.nodes.get_mut(&first)
    }

    /// Returns the first name of the node that has the name; the name itself where there is none.
    pub fn first_name(&self, name: &NodeName) -> NodeName {
        self.node(name).map_or(name, Node::name).clone()
    }

    /// Goes through all nodes in the order of their names.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }
}
