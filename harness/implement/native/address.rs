//! `ip address`, `ip route` and `ip rule`.

use std::net::{IpAddr, Ipv4Addr};

use nix::errno::Errno;

use super::{Carry, Native, lacking, node};
use crate::implement::OperationError;
use crate::kernel::KernelError;
use crate::kernel::route::{NewNextHop, NewPolicyRule, NewRoute, PolicyAction, RouteKind};
use crate::scenario::{
    Address, Broadcast, Destination, Family, InterfaceAddress, PolicyRule, Refusal, Route,
};
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
                    IpAddr::V6(_) => lacking("ipv6", error),
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
        let next_hops: Vec<NewNextHop<'_>> = self
            .nexthops
            .iter()
            .flat_map(|hops| &hops.value)
            .map(|hop| NewNextHop {
                gateway: hop.via.as_ref().map(|via| via.value),
                link: hop.dev.as_ref().map(|dev| dev.as_str()),
                weight: hop.weight.as_ref().map(|weight| weight.value),
            })
            .collect();
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
            table: self.table.as_ref().map(|table| table.value.0),
            next_hops: &next_hops,
        };
        if let Some(added) = &self.add {
            let added = socket.add_route(to(added.value)).await;
            added.map_err(without_multipath)?;
        }
        if let Some(deleted) = &self.delete {
            socket.delete_route(to(deleted.value)).await?;
        }
        Ok(())
    }
}

/// A kernel without multipath routes says `EINVAL`, and only its sentence tells why
/// (net/ipv4/fib_semantics.c).
fn without_multipath(reason: KernelError) -> OperationError {
    let sentence = reason.sentence.as_deref().unwrap_or_default();
    if reason.errno == Errno::EINVAL && sentence.contains("support not enabled in kernel") {
        let feature = "multipath";
        OperationError::Unsupported { feature, reason }
    } else {
        reason.into()
    }
}

impl Carry for PolicyRule {
    async fn carry(&self, _: &mut Native, world: &mut World) -> Result<(), OperationError> {
        let route = node(world, &self.node)?.route();
        let action = match (self.kind.as_ref().map(|kind| kind.value), &self.table) {
            (Some(Refusal::Blackhole), _) => Some(PolicyAction::Blackhole),
            (Some(Refusal::Unreachable), _) => Some(PolicyAction::Unreachable),
            (Some(Refusal::Prohibit), _) => Some(PolicyAction::Prohibit),
            (None, Some(table)) => Some(PolicyAction::Table(table.value.0)),
            (None, None) => None,
        };
        let lacking = |error| lacking("rule", error);
        let ipv6 = self.family() == Family::Ipv6;
        if let (Some(added), Some(action)) = (&self.add, action) {
            let rule = NewPolicyRule {
                ipv6,
                priority: added.value,
                from: self.from.as_ref().map(|from| from.value.0),
                to: self.to.as_ref().map(|to| to.value.0),
                input: self.iif.as_ref().map(|iif| iif.as_str()),
                action,
            };
            route.add_rule(rule).await.map_err(lacking)?;
        }
        if let Some(deleted) = &self.delete {
            route
                .delete_rule(deleted.value, ipv6)
                .await
                .map_err(lacking)?;
        }
        Ok(())
    }
}
