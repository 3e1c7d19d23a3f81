//! `ip link add … type …` for what stands on other links, or for itself.

use super::{Carry, Native, kept, lacking, node};
use crate::implement::OperationError;
use crate::kernel::route::{NewLink, VxlanSettings};
use crate::scenario::{Dummy, Ifb, LinkRef, Macvlan, MacvlanMode, Tap, Tun, Vlan, Vxlan};
use crate::world::{TunTap, World};

async fn add(
    native: &mut Native,
    world: &World,
    (link, feature): (&LinkRef, &'static str),
    new: NewLink<'_>,
) -> Result<(), OperationError> {
    let mac = native.mac(link);
    let route = node(world, &link.node)?.route();
    let added = route.add_link(link.ifname.as_str(), Some(mac), new);
    added.await.map_err(|error| lacking(feature, error))
}

impl Carry for Dummy {
    async fn carry(&self, native: &mut Native, world: &mut World) -> Result<(), OperationError> {
        add(native, world, (&self.add, "dummy"), NewLink::Dummy).await
    }
}

impl Carry for Ifb {
    async fn carry(&self, native: &mut Native, world: &mut World) -> Result<(), OperationError> {
        add(native, world, (&self.add, "ifb"), NewLink::Ifb).await
    }
}

fn add_tuntap(world: &World, link: &LinkRef, mode: TunTap) -> Result<(), OperationError> {
    node(world, &link.node)?
        .add_tuntap(link.ifname.as_str(), mode)
        .map_err(|error| OperationError::of_tuntap(mode, error))
}

impl Carry for Tun {
    async fn carry(&self, _: &mut Native, world: &mut World) -> Result<(), OperationError> {
        add_tuntap(world, &self.add, TunTap::Tun)
    }
}

impl Carry for Tap {
    async fn carry(&self, native: &mut Native, world: &mut World) -> Result<(), OperationError> {
        add_tuntap(world, &self.add, TunTap::Tap)?;
        // The kernel has made one up.
        let mac = native.mac(&self.add);
        let route = node(world, &self.add.node)?.route();
        Ok(route.set_link_mac(self.add.ifname.as_str(), mac).await?)
    }
}

impl Carry for Macvlan {
    async fn carry(&self, native: &mut Native, world: &mut World) -> Result<(), OperationError> {
        let mode = match self.mode.value {
            MacvlanMode::Private => "private",
            MacvlanMode::Vepa => "vepa",
            MacvlanMode::Bridge => "bridge",
            MacvlanMode::Passthru => "passthru",
        };
        let lower = self.link.as_str();
        let new = NewLink::Macvlan { lower, mode };
        add(native, world, (&self.add, "macvlan"), new).await?;
        // A kernel before Linux 6.4 takes the option and does not keep it.
        let route = node(world, &self.add.node)?.route();
        let made = route.link(self.add.ifname.as_str()).await?;
        kept(made.particulars.has_queue().then_some("macvlan bclim"))
    }
}

impl Carry for Vlan {
    async fn carry(&self, native: &mut Native, world: &mut World) -> Result<(), OperationError> {
        let (lower, id) = (self.link.as_str(), self.id.value.0);
        add(
            native,
            world,
            (&self.add, "vlan"),
            NewLink::Vlan { lower, id },
        )
        .await
    }
}

impl Carry for Vxlan {
    async fn carry(&self, native: &mut Native, world: &mut World) -> Result<(), OperationError> {
        let settings = VxlanSettings {
            id: self.id.value.0,
            remote: self.remote.as_ref().map(|it| it.value),
            local: self.local.as_ref().map(|it| it.value),
            port: self.dstport.as_ref().map(|it| it.value),
        };
        let lower = self.dev.as_ref().map(|it| it.as_str());
        let new = NewLink::Vxlan { settings, lower };
        add(native, world, (&self.add, "vxlan"), new).await
    }
}
