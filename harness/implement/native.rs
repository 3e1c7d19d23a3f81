//! The reference implementation: netlink and `/proc/sys`, no external binary.

use std::collections::HashMap;
use std::net::IpAddr;

use nix::errno::Errno;

use super::{Applied, Implementation, OperationError};
use crate::kernel::route::NewRoute;
use crate::kernel::{KernelError, Mac, NftSocket, sysctl};
use crate::scenario::{
    Address, Broadcast, Destination, InterfaceAddress, LinkRef, Masquerade, Move, Netns, NodeName,
    Operation, Route, Sysctl, Veth,
};
use crate::world::{Node, World};

/// Carries operations out over netlink.
#[derive(Debug, Default)]
pub struct Native {
    /// How many interfaces of a name were born in a node. Containers' interfaces are all born as
    /// `host/eth0` and moved away, and must not share one hardware address.
    births: HashMap<LinkRef, usize>,
}

impl Native {
    /// Chooses the hardware address of an interface that is about to be born: the same in every
    /// run, and the interface keeps it when it moves.
    fn mac(&mut self, link: &LinkRef) -> Mac {
        let births = self.births.entry(link.clone()).or_default();
        *births += 1;
        match births {
            1 => Mac::derived_from(&link.to_string()),
            again => Mac::derived_from(&format!("{link} {again}")),
        }
    }
}

impl Implementation for Native {
    fn name(&self) -> &str {
        "native"
    }

    fn apply<'a>(&'a mut self, world: &'a mut World, operation: &'a Operation) -> Applied<'a> {
        Box::pin(self.carry_out(world, operation))
    }
}

impl Native {
    async fn carry_out(
        &mut self,
        world: &mut World,
        operation: &Operation,
    ) -> Result<(), OperationError> {
        match operation {
            Operation::Netns(Netns::Add(name)) => Ok(world.add_node(name)?),
            Operation::Netns(Netns::Delete(name)) => Ok(world.delete_node(name).await?),
            Operation::Veth(veth) => self.add_veth(world, veth).await,
            Operation::Bridge(bridge) => {
                let added = node(world, &bridge.add.node)?
                    .route()
                    .add_bridge(bridge.add.ifname.as_str());
                added.await.map_err(|error| lacking("bridge", error))
            }
            Operation::Up(up) => {
                let link = &up.0.value;
                Ok(node(world, &link.node)?
                    .route()
                    .set_link_up(link.ifname.as_str(), true)
                    .await?)
            }
            Operation::Down(down) => {
                let link = &down.0.value;
                Ok(node(world, &link.node)?
                    .route()
                    .set_link_up(link.ifname.as_str(), false)
                    .await?)
            }
            Operation::Move(Move { dev, to }) => {
                let (from, to) = (node(world, &dev.node)?, node(world, to)?);
                Ok(from
                    .route()
                    .move_link(dev.ifname.as_str(), to.netns())
                    .await?)
            }
            Operation::Master(master) => {
                let route = node(world, &master.dev.node)?.route();
                let bridge = Some(master.to.as_str());
                Ok(route
                    .set_link_master(master.dev.ifname.as_str(), bridge)
                    .await?)
            }
            Operation::Nomaster(link) => {
                let route = node(world, &link.0.node)?.route();
                Ok(route.set_link_master(link.0.ifname.as_str(), None).await?)
            }
            Operation::Delete(link) => Ok(node(world, &link.0.node)?
                .route()
                .delete_link(link.0.ifname.as_str())
                .await?),
            Operation::Address(address) => change_address(world, address).await,
            Operation::Route(route) => change_route(world, route).await,
            Operation::Sysctl(Sysctl {
                node: name,
                key,
                value,
            }) => {
                let (path, value) = (key.path(), value.to_string());
                Ok(node(world, name)?.enter(|| sysctl::write(&path, &value))??)
            }
            Operation::Masquerade(masquerade) => add_masquerade(world, masquerade),
            Operation::Listen(_) => Err(OperationError::HarnessOnly(operation.verb())),
        }
    }

    async fn add_veth(&mut self, world: &World, veth: &Veth) -> Result<(), OperationError> {
        let (near, far) = (&veth.add.value, &veth.peer.value);
        let far_node = node(world, &far.node)?;
        let netns = (near.node != far.node).then(|| far_node.netns());
        let (mac, far_mac) = (self.mac(near), self.mac(far));
        node(world, &near.node)?
            .route()
            .add_veth(
                (near.ifname.as_str(), mac),
                (far.ifname.as_str(), far_mac),
                netns,
            )
            .await
            .map_err(|error| lacking("veth", error))
    }
}

/// Finds a node; a scenario that names one which is not there is refused before it runs, so this
/// can only be one that a refused `netns` left out.
fn node<'a>(world: &'a World, name: &NodeName) -> Result<&'a Node, KernelError> {
    world.node(name).ok_or(KernelError {
        errno: Errno::ENOENT,
        sentence: Some(format!("no network namespace `{name}`")),
    })
}

/// Tells a missing feature from a refusal.
fn lacking(feature: &'static str, reason: KernelError) -> OperationError {
    if reason.is_unsupported() {
        OperationError::Unsupported { feature, reason }
    } else {
        reason.into()
    }
}

async fn change_address(world: &World, address: &Address) -> Result<(), OperationError> {
    let route = node(world, &address.dev.node)?.route();
    let link = address.dev.ifname.as_str();
    if let Some(added) = &address.add {
        let broadcast = address
            .broadcast
            .as_ref()
            .and_then(|it| broadcast_of(it.value, added.value));
        route
            .add_address(link, added.address(), added.prefix_len(), broadcast)
            .await?;
    }
    if let Some(deleted) = &address.delete {
        route
            .delete_address(link, deleted.address(), deleted.prefix_len())
            .await?;
    }
    Ok(())
}

fn broadcast_of(broadcast: Broadcast, address: InterfaceAddress) -> Option<std::net::Ipv4Addr> {
    let wanted = match broadcast {
        Broadcast::AllOnes => address.all_ones(),
        Broadcast::Address(wanted) => wanted,
    };
    match wanted {
        IpAddr::V4(wanted) => Some(wanted),
        IpAddr::V6(_) => None,
    }
}

async fn change_route(world: &World, route: &Route) -> Result<(), OperationError> {
    let socket = node(world, &route.node)?.route();
    let to = |destination: Destination| NewRoute {
        destination: match destination {
            Destination::Default => None,
            Destination::Prefix(prefix) => Some(prefix),
        },
        gateway: route.via.as_ref().map(|via| via.value),
        link: route.dev.as_ref().map(|dev| dev.as_str()),
    };
    if let Some(added) = &route.add {
        socket.add_route(to(added.value)).await?;
    }
    if let Some(deleted) = &route.delete {
        socket.delete_route(to(deleted.value)).await?;
    }
    Ok(())
}

fn add_masquerade(world: &World, masquerade: &Masquerade) -> Result<(), OperationError> {
    let source = masquerade.source.as_ref().map(|source| source.0);
    let not_out = masquerade.not_out.as_ref().map(|name| name.as_str());
    let mut socket = node(world, &masquerade.node)?.enter(NftSocket::open)??;
    socket.masquerade(source, not_out).map_err(|reason| {
        // The transaction makes the table and the chain that the rule names, so what is not there
        // can only be the expression or the chain type.
        if reason.errno == Errno::ENOENT || reason.is_unsupported() {
            OperationError::Unsupported {
                feature: "nftables masquerade",
                reason,
            }
        } else {
            reason.into()
        }
    })
}
