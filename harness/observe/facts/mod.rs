//! Facts: what the kernel says of every node, with everything left out that differs between
//! machines, runs and implementations that do the same.

mod text;
mod tracked;

use std::collections::BTreeMap;
use std::net::IpAddr;

pub use text::write;
pub(super) use text::{same, section};

use super::ObserveError;
use crate::kernel::Mac;
use crate::kernel::conntrack::{self, Tracked};
use crate::kernel::route::{
    Address, FdbEntry, FdbState, Link, LinkKind, MAIN_TABLE, Neighbour, NeighbourState, PolicyRule,
    Route, RouteProtocol,
};
use crate::scenario::{FactKind, LinkRef, NodeName};
use crate::world::{Node, Topology, World};

/// Interfaces that some kernels put into every new namespace, and others do not.
const FALLBACK_TUNNELS: &[&str] = &[
    "erspan0", "gre0", "gretap0", "ip6_vti0", "ip6gre0", "ip6tnl0", "ip_vti0", "sit0", "tunl0",
];

/// What the kernel says of one node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeFacts {
    /// The interfaces.
    pub links: Vec<Link>,
    /// Their addresses.
    pub addresses: Vec<Address>,
    /// The routes of all tables but the local one.
    pub routes: Vec<Route>,
    /// The rules that choose the table, in the order in which they decide.
    pub rules: Vec<PolicyRule>,
    /// The same of IPv6, where it is on.
    pub ipv6_rules: Vec<PolicyRule>,
    /// The neighbours, and the addresses that the node answers for.
    pub neighbours: Vec<Neighbour>,
    /// The forwarding tables of bridges and tunnels.
    pub fdb: Vec<FdbEntry>,
    /// The connections that are tracked.
    pub tracked: Vec<Tracked>,
    /// Where the namespace is mounted.
    pub mounts: Vec<String>,
}

/// What the kernel says of every node.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    nodes: BTreeMap<NodeName, NodeFacts>,
    /// The other names of nodes, with the first name of each.
    shared: BTreeMap<NodeName, NodeName>,
    topology: Topology,
}

impl Facts {
    /// Reads the facts of every node, of the kinds that are asked for.
    ///
    /// # Errors
    ///
    /// The kernel's refusal to show them.
    pub async fn read(
        world: &World,
        topology: &Topology,
        kinds: &[FactKind],
    ) -> Result<Self, ObserveError> {
        let mut facts = Self {
            nodes: BTreeMap::new(),
            shared: shared_names(world),
            topology: topology.clone(),
        };
        for node in world.nodes() {
            let of_node = NodeFacts::read(node, topology, kinds).await?;
            facts.nodes.insert(node.name().clone(), of_node);
        }
        Ok(facts)
    }

    /// Goes through all names of nodes in their order, each with the facts of the node or, where it
    /// is not the first name of it, with that one.
    fn names(&self) -> BTreeMap<&NodeName, Result<&NodeFacts, &NodeName>> {
        let nodes = self.nodes.iter().map(|(name, facts)| (name, Ok(facts)));
        let shared = self.shared.iter().map(|(name, first)| (name, Err(first)));
        nodes.chain(shared).collect()
    }
}

/// The names of nodes that are not the first one of their node, each with that one.
pub(super) fn shared_names(world: &World) -> BTreeMap<NodeName, NodeName> {
    let others = |node: &'_ Node| -> Vec<(NodeName, NodeName)> {
        let names = node.names().skip(1);
        names
            .map(|name| (name.clone(), node.name().clone()))
            .collect()
    };
    world.nodes().flat_map(others).collect()
}

/// Reads one table of one node, line by line; nothing where there is no such node.
///
/// # Errors
///
/// As [`Facts::read`].
pub async fn table(
    world: &World,
    topology: &Topology,
    node: &NodeName,
    kind: FactKind,
) -> Result<Option<Vec<String>>, ObserveError> {
    let Some(node) = world.node(node) else {
        return Ok(None);
    };
    let facts = NodeFacts::read(node, topology, &[kind]).await?;
    Ok(Some(text::lines(&facts, node.name(), kind, topology)))
}

impl NodeFacts {
    async fn read(
        node: &Node,
        topology: &Topology,
        kinds: &[FactKind],
    ) -> Result<Self, ObserveError> {
        let route = node.route();
        let mut facts = Self {
            links: topology.links_of(node.name()).to_vec(),
            ..Default::default()
        };
        if kinds.contains(&FactKind::Addresses) {
            facts.addresses = route.addresses().await?;
        }
        if kinds.contains(&FactKind::Routes) {
            facts.routes = route.routes().await?;
        }
        if kinds.contains(&FactKind::Rules) {
            facts.rules = route.rules(false).await?;
            if node.has_ipv6() {
                facts.ipv6_rules = route.rules(true).await?;
            }
        }
        if kinds.contains(&FactKind::Neighbours) {
            facts.neighbours = route.neighbours().await?;
            facts.neighbours.extend(route.proxied().await?);
        }
        if kinds.contains(&FactKind::Fdb) {
            facts.fdb = route.fdb().await?;
        }
        if kinds.contains(&FactKind::Conntrack) {
            facts.tracked = node.enter(conntrack::tracked)??;
        }
        if kinds.contains(&FactKind::Mounts) {
            facts.mounts = node.mounts()?;
        }
        Ok(facts
            .without_fallback_tunnels()
            .without_addressless_neighbours()
            .without_own_addresses()
            .without_link_local()
            .sorted())
    }

    /// Leaves out the tunnels that depend on what the kernel was built with.
    fn without_fallback_tunnels(mut self) -> Self {
        let is_fallback = |link: &Link| {
            !matches!(link.kind, LinkKind::Veth | LinkKind::Bridge)
                && FALLBACK_TUNNELS.contains(&link.name.as_str())
        };
        self.links.retain(|link| !is_fallback(link));
        self
    }

    /// Leaves out the entries that stand for no station: those of `lo`, and of multicast.
    fn without_addressless_neighbours(mut self) -> Self {
        self.neighbours.retain(|neighbour| {
            neighbour.state != NeighbourState::NoArp && !neighbour.address.is_multicast()
        });
        self
    }

    /// Leaves out what a bridge knows without being told: the addresses of its own ports.
    fn without_own_addresses(mut self) -> Self {
        self.fdb
            .retain(|entry| entry.bridge.is_none() || entry.state != FdbState::Permanent);
        self
    }

    /// Leaves out what every interface has by itself where IPv6 is on: an address of `fe80::/10`, its
    /// route, and the neighbours that talk from such addresses when they happen to.
    fn without_link_local(mut self) -> Self {
        let is_link_local = |ip: IpAddr| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
        self.addresses.retain(|of| !is_link_local(of.address));
        self.neighbours.retain(|of| !is_link_local(of.address));
        self.routes.retain(|route| {
            !(route.protocol == RouteProtocol::KERNEL
                && route.destination.is_some_and(|to| is_link_local(to.addr())))
        });
        self
    }

    /// Orders everything by what it says, not by index or age.
    fn sorted(mut self) -> Self {
        let names: BTreeMap<u32, String> = self
            .links
            .iter()
            .map(|link| (link.index, link.name.clone()))
            .collect();
        let name = |index: u32| names.get(&index).cloned().unwrap_or_default();
        self.links.sort_by(|a, b| a.name.cmp(&b.name));
        self.addresses
            .sort_by_key(|address| (name(address.link), address.address));
        self.neighbours
            .sort_by_key(|neighbour| (neighbour.address, name(neighbour.link)));
        self.routes.sort_by_key(|route| {
            let destination = route
                .destination
                .map(|prefix| (prefix.addr(), prefix.prefix_len()));
            (
                // The main table comes first.
                (route.table != MAIN_TABLE, route.table),
                destination,
                route.metric,
                route.link.map(name),
                route.gateway,
            )
        });
        self
    }
}

/// Finds the interface that a hardware address belongs to. A bridge takes over the address of one
/// of its ports, and then speaks for it. The zeros of `lo` belong to nobody.
pub(super) fn owner_of(mac: Mac, topology: &Topology) -> Option<LinkRef> {
    let mut owners: Vec<(&NodeName, &Link)> = topology
        .iter()
        .filter(|(_, link)| link.mac == Some(mac) && link.kind != LinkKind::Loopback)
        .collect();
    owners.sort_by_key(|(node, link)| {
        (
            link.kind != LinkKind::Bridge,
            link.master.is_some(),
            (*node).clone(),
            link.name.clone(),
        )
    });
    let (node, link) = owners.first()?;
    Some(LinkRef {
        node: (*node).clone(),
        ifname: link.name.parse().ok()?,
    })
}

/// Lists the addresses at which nodes can be asked, each once, in order.
pub(super) fn askable_addresses(facts: &Facts) -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> = facts
        .nodes
        .values()
        .flat_map(|node| &node.addresses)
        .map(|address| address.address)
        .filter(|address| !address.is_loopback())
        .collect();
    addresses.sort();
    addresses.dedup();
    addresses
}
