//! The sandbox that holds a run: its namespaces, its nodes, and the state that they start in.
//!
//! Invariants: the only `unsafe`, the only `setns` and `unshare` of the crate; nothing that a world
//! makes outlives its starter; nothing of the machine shows through in a node.

mod baseline;
mod check;
mod error;
mod feature;
mod isolate;
mod launch;
mod machine;
mod node;
mod settle;
mod sys;
mod topology;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

pub use baseline::{Baseline, PINS, Pin, Pinned};
pub use check::{Check, Status};
pub use error::{Stage, UNKNOWN_CURE, WorldError, exhaustion_cure};
pub use feature::features;
pub use isolate::{Tier, isolate};
pub use launch::{
    Launch, LaunchError, Line, WORLD_ARGUMENT, WorldProcess, is_world_process, read_request,
};
pub use machine::settings;
pub use node::Node;
pub use settle::SettleError;
pub(crate) use sys::link_address;
pub use topology::{Port, Topology};

use crate::scenario::{HOST, NodeName};

/// How long the kernel may take to dissolve a deleted node before that is an error.
const DISSOLVE_DEADLINE: Duration = Duration::from_secs(20);

/// The nodes of a run, inside an isolated process.
pub struct World {
    nodes: BTreeMap<NodeName, Node>,
    baseline: Baseline,
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
        if self.nodes.contains_key(name) {
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

    /// Takes in a node that something else in the world has made, as `ip netns add` does, with its
    /// name under `/run/netns`; its settings are pinned now.
    ///
    /// # Errors
    ///
    /// The stage that the machine refuses; `ENOENT` if there is no such name.
    pub fn adopt_node(&mut self, name: &NodeName) -> Result<(), WorldError> {
        let node = Node::adopt(name, self.baseline.of(name))?;
        self.nodes.insert(name.clone(), node);
        Ok(())
    }

    /// Deletes a node and waits until the far ends of its links are gone from the other nodes, which
    /// the kernel does behind our back.
    ///
    /// Sockets and processes in the node keep it alive: they have to be gone before.
    ///
    /// # Errors
    ///
    /// `ENOENT` if there is no such node; a link that does not go.
    pub async fn delete_node(&mut self, name: &NodeName) -> Result<(), WorldError> {
        // `host` has no name that could be deleted.
        let Some(node) = self.nodes.get(name).filter(|_| name.as_str() != HOST) else {
            return Err(WorldError::new(Stage::NetNamespace, nix::errno::Errno::ENOENT).node(name));
        };
        node.unname()?;
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
        let topology = Topology::read(self).await.map_err(failed)?;
        let doomed: Vec<Port> = topology
            .links_of(name)
            .iter()
            .filter_map(|link| topology.peer(name, link.index))
            .filter(|(peer_node, _)| *peer_node != name)
            .map(|(peer_node, peer)| (peer_node.clone(), peer.index))
            .collect();
        self.nodes.remove(name);
        // The netlink connection is a task of the runtime: it lets go of its socket when it runs.
        tokio::task::yield_now().await;
        let deadline = Instant::now() + DISSOLVE_DEADLINE;
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

    /// Returns a node.
    pub fn node(&self, name: &NodeName) -> Option<&Node> {
        self.nodes.get(name)
    }

    /// Goes through all nodes in the order of their names.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }
}
