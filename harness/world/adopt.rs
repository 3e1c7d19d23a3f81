//! What somebody else has made of the names under `/run/netns`.

use std::fs;

use nix::errno::Errno;

use super::World;
use super::error::{Stage, WorldError};
use super::node::{NETNS_DIR, Node};
use super::topology::Topology;
use crate::kernel::Mac;
use crate::kernel::route::{Link, LinkKind};
use crate::scenario::{HOST, NodeName};

/// The name of the node that is gone last, and of its only interface.
const LAST: &str = "netproof-last";

impl World {
    /// Returns the names of nodes that stand for them no more, as after `ip netns delete`.
    pub fn lost_names(&self) -> Vec<NodeName> {
        let names = self
            .nodes()
            .flat_map(|node| node.names().map(move |name| (node, name)));
        names
            .filter(|(node, name)| name.as_str() != HOST && !node.is_named(name))
            .map(|(_, name)| name.clone())
            .collect()
    }

    /// Returns the names that are there and stand for no node yet, in the order of the alphabet.
    pub fn new_names(&self) -> Vec<NodeName> {
        let entries = fs::read_dir(NETNS_DIR).into_iter().flatten().flatten();
        let mut names: Vec<NodeName> = entries
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|name: &NodeName| name.as_str() != HOST && self.node(name).is_none())
            .collect();
        names.sort();
        names
    }

    /// Waits until the kernel has dissolved the namespaces that somebody has deleted. Those go in the order
    /// in which they were deleted, so one more of ours is made, and is gone last.
    ///
    /// # Errors
    ///
    /// The stage that the machine refuses; a link that does not go.
    pub async fn let_dissolve(&mut self) -> Result<(), WorldError> {
        let failed = |error| WorldError::new(Stage::NetNamespace, error);
        let topology = Topology::read(self).await.map_err(failed)?;
        let is_wired_elsewhere = |node: &NodeName, link: &Link| {
            link.kind == LinkKind::Veth && topology.peer(node, link.index).is_none()
        };
        let found = topology
            .iter()
            .find(|(node, link)| is_wired_elsewhere(node, link));
        let (Some((near, _)), Ok(last)) = (found, LAST.parse::<NodeName>()) else {
            return Ok(());
        };
        self.add_node(&last)?;
        if let (Some(near), Some(far)) = (self.node(near), self.node(&last)) {
            let ends = (
                (LAST, Mac([2, 0, 0, 0, 0, 1])),
                (LAST, Mac([2, 0, 0, 0, 0, 2])),
            );
            let wired = near.route().add_veth(ends.0, ends.1, Some(far.netns()));
            wired.await.map_err(failed)?;
        }
        self.delete_node(&last).await
    }

    /// Takes in a node that somebody else has made and set up. A setting that is as in every new network
    /// namespace of this machine is pinned; one that is otherwise was meant to be, and stays.
    ///
    /// A name that stands for no namespace is none of ours.
    ///
    /// # Errors
    ///
    /// The stage that the machine refuses.
    pub fn adopt_as_found(&mut self, name: &NodeName) -> Result<(), WorldError> {
        if let Some(node) = self.nodes.values_mut().find(|node| node.is_named(name)) {
            node.note(name);
            return Ok(());
        }
        match Node::adopt_as_found(name, self.baseline.of(name)) {
            Ok(node) => {
                self.nodes.insert(name.clone(), node);
                Ok(())
            }
            Err(error) if error.reason.errno == Errno::EINVAL => Ok(()),
            Err(error) => Err(error),
        }
    }
}
