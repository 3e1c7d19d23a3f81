//! The address of an interface that a probe is sent to.

use std::net::IpAddr;

use super::ObserveError;
use crate::kernel::route::RouteScope;
use crate::scenario::{LinkRef, Located, Probe, SentTo};
use crate::world::{Topology, World};

/// Returns the probe with the address of the interface that it is sent to, where it names one.
///
/// That is the interface's first address, in the order in which the kernel has them, and one of IPv4
/// where there is any; what reaches no further than the link is left out.
pub(super) async fn addressed(
    world: &World,
    topology: &Topology,
    probe: &Probe,
) -> Result<Probe, ObserveError> {
    let mut probe = probe.clone();
    let to = match &mut probe {
        Probe::Ping(ping) => &mut ping.to,
        Probe::Udp(exchange) | Probe::Tcp(exchange) => &mut exchange.to,
        Probe::Arp(_) | Probe::Ndp(_) | Probe::Frame(_) => return Ok(probe),
    };
    if let SentTo::Link(link) = &to.value {
        to.value = SentTo::Address(address_of(world, topology, link).await?);
    }
    Ok(probe)
}

/// Returns the address of a probe that [`addressed`] returned.
pub(super) fn address(to: &Located<SentTo>) -> Result<IpAddr, ObserveError> {
    match &to.value {
        SentTo::Address(address) => Ok(*address),
        SentTo::Link(link) => Err(ObserveError::NoAddress(link.clone())),
    }
}

async fn address_of(
    world: &World,
    topology: &Topology,
    link: &LinkRef,
) -> Result<IpAddr, ObserveError> {
    let none = || ObserveError::NoAddress(link.clone());
    let node = world.node(&link.node).ok_or_else(none)?;
    let found = topology.link_named(node.name(), link.ifname.as_str());
    let index = found.ok_or_else(none)?.index;
    let addresses = node.route().addresses().await?;
    addresses
        .iter()
        .filter(|it| it.link == index && it.scope == RouteScope::UNIVERSE)
        .map(|it| it.address)
        .min_by_key(IpAddr::is_ipv6)
        .ok_or_else(none)
}
