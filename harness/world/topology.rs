//! Which interface is wired to which: all links of all nodes, with the two ends of each veth pair
//! known to each other.

use std::collections::{BTreeMap, HashMap};

use super::World;
use crate::kernel::KernelError;
use crate::kernel::route::{Link, LinkKind};
use crate::scenario::NodeName;

/// An interface by its node and index.
pub type Port = (NodeName, u32);

/// All links of a world at one moment.
#[derive(Debug, Clone, Default)]
pub struct Topology {
    links: BTreeMap<NodeName, Vec<Link>>,
    peers: HashMap<Port, Port>,
}

impl Topology {
    /// Reads the links of every node and finds the peer of every veth.
    pub(super) async fn read(world: &World) -> Result<Self, KernelError> {
        let mut topology = Self::default();
        for node in world.nodes() {
            topology
                .links
                .insert(node.name().clone(), node.route().links().await?);
        }
        topology.find_peers(world).await?;
        Ok(topology)
    }

    async fn find_peers(&mut self, world: &World) -> Result<(), KernelError> {
        // Per node: the number by which it knows another namespace, and whose that is.
        let mut known: HashMap<(NodeName, i32), NodeName> = HashMap::new();
        let mut peers = HashMap::new();
        for (name, link) in self.iter().filter(|(_, link)| link.kind == LinkKind::Veth) {
            let Some(index) = link.peer_index else {
                continue;
            };
            let Some(nsid) = link.peer_nsid else {
                peers.insert((name.clone(), link.index), (name.clone(), index));
                continue;
            };
            let known_peer = known.get(&(name.clone(), nsid)).cloned();
            let peer = match known_peer {
                Some(peer) => peer,
                None => match self.ask_for_peer(world, name, link, nsid).await? {
                    Some(peer) => peer,
                    // The other end is in a namespace that is no node of this world.
                    None => continue,
                },
            };
            known.insert((name.clone(), nsid), peer.clone());
            peers.insert((name.clone(), link.index), (peer, index));
        }
        self.peers = peers;
        Ok(())
    }

    /// Asks the kernel by which number `name` knows each other node, those first whose links match.
    async fn ask_for_peer(
        &self,
        world: &World,
        name: &NodeName,
        link: &Link,
        nsid: i32,
    ) -> Result<Option<NodeName>, KernelError> {
        let Some(asking) = world.node(name) else {
            return Ok(None);
        };
        let matches = |other: &NodeName| {
            self.links_of(other)
                .iter()
                .any(|far| Some(far.index) == link.peer_index && far.peer_index == Some(link.index))
        };
        let mut candidates: Vec<_> = world.nodes().filter(|node| node.name() != name).collect();
        candidates.sort_by_key(|node| !matches(node.name()));
        for candidate in candidates {
            if asking.route().nsid_of(candidate.netns()).await? == Some(nsid) {
                return Ok(Some(candidate.name().clone()));
            }
        }
        Ok(None)
    }

    /// Goes through all links, node by node, in the order of their indexes.
    pub fn iter(&self) -> impl Iterator<Item = (&NodeName, &Link)> {
        self.links
            .iter()
            .flat_map(|(name, links)| links.iter().map(move |link| (name, link)))
    }

    /// Returns the links of a node, ordered by index; none if there is no such node.
    pub fn links_of(&self, node: &NodeName) -> &[Link] {
        self.links.get(node).map_or(&[], Vec::as_slice)
    }

    /// Returns the link with an index.
    pub fn link(&self, node: &NodeName, index: u32) -> Option<&Link> {
        self.links_of(node).iter().find(|link| link.index == index)
    }

    /// Returns the link with a name.
    pub fn link_named(&self, node: &NodeName, name: &str) -> Option<&Link> {
        self.links_of(node).iter().find(|link| link.name == name)
    }

    /// Returns the other end of a veth pair, where it is in this world.
    pub fn peer(&self, node: &NodeName, index: u32) -> Option<(&NodeName, &Link)> {
        let (node, index) = self.peers.get(&(node.clone(), index))?;
        Some((node, self.link(node, *index)?))
    }

    /// Goes through the ports of a bridge.
    pub fn ports_of(&self, node: &NodeName, bridge: u32) -> impl Iterator<Item = &Link> {
        self.links_of(node)
            .iter()
            .filter(move |link| link.master == Some(bridge))
    }
}
