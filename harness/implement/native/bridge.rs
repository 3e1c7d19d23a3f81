//! `ip link … type bridge` and `bridge link set`.

use super::{Carry, Native, kept, lacking, node};
use crate::implement::OperationError;
use crate::kernel::route::{BridgeSettings, NewLink, Particulars, PortSettings, PortState};
use crate::scenario::{Bridge, BridgeOptions, BridgePort, BridgeSet, LinkRef, PortStage};
use crate::world::World;

fn settings(options: BridgeOptions) -> BridgeSettings {
    BridgeSettings {
        stp: options.stp,
        ageing: options.ageing,
        forward_delay: options.forward_delay,
        vlan_filtering: options.vlan_filtering,
        multicast_snooping: options.multicast_snooping,
        id: None,
    }
}

async fn check(world: &World, bridge: &LinkRef, to: BridgeSettings) -> Result<(), OperationError> {
    let route = node(world, &bridge.node)?.route();
    let link = route.link(bridge.ifname.as_str()).await?;
    let is = match link.particulars {
        Particulars::Bridge(is) => is,
        _ => BridgeSettings::default(),
    };
    kept(to.not_kept(&is))
}

impl Carry for Bridge {
    async fn carry(&self, _: &mut Native, world: &mut World) -> Result<(), OperationError> {
        let to = settings(self.options());
        // It gets no address of ours: a bridge takes that of a port, as the kernel does for
        // everyone.
        let route = node(world, &self.add.node)?.route();
        let added = route.add_link(self.add.ifname.as_str(), None, NewLink::Bridge(to));
        added.await.map_err(|error| lacking("bridge", error))?;
        check(world, &self.add, to).await
    }
}

impl Carry for BridgeSet {
    async fn carry(&self, _: &mut Native, world: &mut World) -> Result<(), OperationError> {
        let to = settings(self.options());
        let (route, name) = (
            node(world, &self.dev.node)?.route(),
            self.dev.ifname.as_str(),
        );
        if let Err(refused) = route.set_bridge(name, to).await {
            // What is no bridge is refused with the same number.
            let of_bridge = matches!(route.link(name).await?.particulars, Particulars::Bridge(_));
            return Err(match to.not_kept(&BridgeSettings::default()) {
                Some(option) if of_bridge => lacking(option, refused),
                _ => refused.into(),
            });
        }
        check(world, &self.dev, to).await
    }
}

impl Carry for BridgePort {
    async fn carry(&self, _: &mut Native, world: &mut World) -> Result<(), OperationError> {
        let to = PortSettings {
            isolated: self.isolated.as_ref().map(|it| it.value.0),
            learning: self.learning.as_ref().map(|it| it.value.0),
            flood: self.flood.as_ref().map(|it| it.value.0),
            hairpin: self.hairpin.as_ref().map(|it| it.value.0),
            stage: self.state.as_ref().map(|it| match it.value {
                PortStage::Listening => PortState::Listening,
                PortStage::Learning => PortState::Learning,
                PortStage::Forwarding => PortState::Forwarding,
            }),
        };
        let (route, name) = (
            node(world, &self.dev.node)?.route(),
            self.dev.ifname.as_str(),
        );
        route.set_bridge_port(name, to).await?;
        kept(to.not_kept(&route.link(name).await?.port))
    }
}
