//! `ip address` and `ip route`.

use std::net::{IpAddr, Ipv4Addr};

use super::{Carry, Native, node};
use crate::implement::OperationError;
use crate::kernel::route::{NewRoute, RouteKind};
use crate::scenario::{Address, Broadcast, Destination, InterfaceAddress, Refusal, Route};
use crate::world::World;

impl Carry for Address {
    async fn carry(&self, _: &mut Native, world: &mut World) -> Result<(), OperationError> {
        let route = node(world, &self.dev.node)?.route();
        let link = self.dev.ifname.as_str();
        if let Some(added) = &self.add {
            let broadcast = self
                .broadcast
                .as_ref()
                .and_then(|it| broadcast_of(it.value, added.value));
            route
                .add_address(link, added.address(), added.prefix_len(), broadcast)
                .await
                .map_err(|error| match added.address() {
                    IpAddr::V4(_) => error.into(),
                    IpAddr::V6(_) => super::lacking("ipv6", error),
                })?;
        }
        if let Some(deleted) = &self.delete {
            route
                .delete_address(link, deleted.address(), deleted.prefix_len())
                .await?;
        }
        Ok(())
    }
}

fn broadcast_of(broadcast: Broadcast, address: InterfaceAddress) -> Option<Ipv4Addr> {
    let wanted = match broadcast {
        Broadcast::AllOnes => address.all_ones(),
        Broadcast::Address(wanted) => wanted,
    };
    match wanted {
        IpAddr::V4(wanted) => Some(wanted),
        IpAddr::V6(_) => None,
    }
}

impl Carry for Route {
    async fn carry(&self, _: &mut Native, world: &mut World) -> Result<(), OperationError> {
        let socket = node(world, &self.node)?.route();
        let to = |destination: Destination| NewRoute {
            destination: match destination {
                Destination::Default => None,
                Destination::Prefix(prefix) => Some(prefix),
            },
            gateway: self.via.as_ref().map(|via| via.value),
            link: self.dev.as_ref().map(|dev| dev.as_str()),
            kind: match self.kind.as_ref().map(|kind| kind.value) {
                None => RouteKind::Unicast,
                Some(Refusal::Blackhole) => RouteKind::Blackhole,
                Some(Refusal::Unreachable) => RouteKind::Unreachable,
                Some(Refusal::Prohibit) => RouteKind::Prohibit,
            },
            preferred_source: self.src.as_ref().map(|src| src.value),
            metric: self.metric.as_ref().map(|metric| metric.value),
            onlink: self.onlink,
        };
        if let Some(added) = &self.add {
            socket.add_route(to(added.value)).await?;
        }
        if let Some(deleted) = &self.delete {
            socket.delete_route(to(deleted.value)).await?;
        }
        Ok(())
    }
}
