//! Which interface is wired to which: all links of all nodes, with the two ends of each veth pair
//! known to each other, and each link known to those that stand on it.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use super::World;
use super::forwarder::Forwarder;
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
    /// The interface that a macvlan or VLAN interface stands on.
    lowers: HashMap<Port, Port>,
    /// The node in which the packets of a tunnel are sent: it stays when the tunnel's end moves.
    tunnels: HashMap<Port, NodeName>,
    /// Where the other end of a tun or tap device sends what comes out of it, where that end is ours.
    remotes: HashMap<Port, SocketAddr>,
    /// Processes of others that take packets and put them back.
    forwarders: Vec<Forwarder>,
}

impl Topology {
    /// Reads the links of every node and finds what each is wired to.
    pub(crate) async fn read(world: &World) -> Result<Self, KernelError> {
        let mut topology = Self {
            forwarders: world.forwarders(),
            ..Self::default()
        };
        for node in world.nodes() {
            topology
                .links
                .insert(node.name().clone(), node.route().links().await?);
        }
        topology.find_peers(world).await?;
        for tunnel in &world.tunnels {
            if let Some((node, name)) = tunnel.device(world.nodes())
                && let Some(link) = topology.link_named(node, &name)
            {
                let end = (node.clone(), link.index);
                topology.tunnels.insert(end.clone(), tunnel.node().clone());
                topology.remotes.insert(end, tunnel.remote());
            }
        }
        Ok(topology)
    }

    async fn find_peers(&mut self, world: &World) -> Result<(), KernelError> {
        // Per node: the number by which it knows another namespace, and whose that is.
        let mut known: HashMap<(NodeName, i32), NodeName> = HashMap::new();
        let (mut peers, mut lowers) = (HashMap::new(), HashMap::new());
        let mut tunnels = HashMap::new();
        for (name, link) in self.iter() {
            let tunnel = link.kind == LinkKind::Vxlan;
            let stands = matches!(link.kind, LinkKind::Macvlan | LinkKind::Vlan);
            if !tunnel && !stands && link.kind != LinkKind::Veth {
                continue;
            }
            let far = match link.peer_nsid {
                None => name.clone(),
                Some(nsid) => {
                    let known_peer = known.get(&(name.clone(), nsid)).cloned();
                    let far = match known_peer {
                        Some(far) => far,
                        None => match self.ask_for_peer(world, name, link, nsid).await? {
                            Some(far) => far,
                            // The other end is in a namespace that is no node of this world.
                            None => continue,
                        },
                    };
                    known.insert((name.clone(), nsid), far.clone());
                    far
                }
            };
            let here = (name.clone(), link.index);
            match link.peer_index {
                _ if tunnel => drop(tunnels.insert(here, far)),
                Some(index) if stands => drop(lowers.insert(here, (far, index))),
                Some(index) => drop(peers.insert(here, (far, index))),
                None => {}
            }
        }
        (self.peers, self.lowers, self.tunnels) = (peers, lowers, tunnels);
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

    /// Goes through the nodes with their links.
    pub fn nodes(&self) -> impl Iterator<Item = (&NodeName, &[Link])> {
        self.links
            .iter()
            .map(|(name, links)| (name, links.as_slice()))
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

    /// Returns the interface that a macvlan or VLAN interface stands on, where it is in this world.
    pub fn lower(&self, node: &NodeName, index: u32) -> Option<(&NodeName, &Link)> {
        let (node, index) = self.lowers.get(&(node.clone(), index))?;
        Some((node, self.link(node, *index)?))
    }

    /// Returns the interfaces that stand on another.
    pub fn uppers(&self, node: &NodeName, index: u32) -> impl Iterator<Item = &Port> {
        let below = (node.clone(), index);
        self.lowers
            .iter()
            .filter_map(move |(upper, lower)| (*lower == below).then_some(upper))
    }

    /// Returns the node in which the packets of a tunnel are sent and received, if the link is the
    /// end of one.
    pub fn tunnel(&self, node: &NodeName, index: u32) -> Option<&NodeName> {
        self.tunnels.get(&(node.clone(), index))
    }

    /// Returns where what comes out of a tun or tap device is sent to, in [the node of its
    /// tunnel](Self::tunnel), where its other end is ours.
    pub fn tunnel_remote(&self, node: &NodeName, index: u32) -> Option<SocketAddr> {
        self.remotes.get(&(node.clone(), index)).copied()
    }

    /// Returns the ends of tunnels whose packets are sent and received in a node.
    pub fn tunnels_in(&self, node: &NodeName) -> impl Iterator<Item = &Port> {
        self.tunnels
            .iter()
            .filter_map(move |(end, of)| (of == node).then_some(end))
    }

    /// Returns the processes of others that take packets and put them back.
    pub fn forwarders(&self) -> &[Forwarder] {
        &self.forwarders
    }

    /// Goes through the ports of a bridge.
    pub fn ports_of(&self, node: &NodeName, bridge: u32) -> impl Iterator<Item = &Link> {
        self.links_of(node)
            .iter()
            .filter(move |link| link.master == Some(bridge))
    }
}
