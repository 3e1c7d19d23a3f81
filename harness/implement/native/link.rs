//! `ip netns` and `ip link`.

use nix::errno::Errno;

use super::{Carry, Native, lacking, node};
use crate::implement::OperationError;
use crate::kernel::{KernelError, Mac};
use crate::scenario::{
    Delete, Down, LinkRef, Master, Move, Netns, Nomaster, Rename, SetMac, SetMtu, Up, Veth,
};
use crate::world::World;

impl Carry for Netns {
    async fn carry(&self, _: &mut Native, world: &mut World) -> Result<(), OperationError> {
        match (&self.add, &self.share, &self.delete) {
            (Some(name), None, _) => Ok(world.add_node(name)?),
            (Some(name), Some(share), _) => Ok(world.share_node(name, share)?),
            (None, _, Some(name)) => Ok(world.delete_node(name).await?),
            (None, _, None) => Err(KernelError::from_errno(Errno::EINVAL).into()),
        }
    }
}

impl Carry for Veth {
    async fn carry(&self, native: &mut Native, world: &mut World) -> Result<(), OperationError> {
        let (near, far) = (&self.add.value, &self.peer.value);
        let far_node = node(world, &far.node)?;
        let netns = (near.node != far.node).then(|| far_node.netns());
        let ends = (
            (near.ifname.as_str(), native.mac(near)),
            (far.ifname.as_str(), native.mac(far)),
        );
        let added = node(world, &near.node)?
            .route()
            .add_veth(ends.0, ends.1, netns);
        added.await.map_err(|error| lacking("veth", error))
    }
}

async fn set_up(world: &World, link: &LinkRef, up: bool) -> Result<(), OperationError> {
    Ok(node(world, &link.node)?
        .route()
        .set_link_up(link.ifname.as_str(), up)
        .await?)
}

impl Carry for Up {
    async fn carry(&self, _: &mut Native, world: &mut World) -> Result<(), OperationError> {
        set_up(world, &self.0, true).await
    }
}

impl Carry for Down {
    async fn carry(&self, _: &mut Native, world: &mut World) -> Result<(), OperationError> {
        set_up(world, &self.0, false).await
    }
}

impl Carry for Move {
    async fn carry(&self, _: &mut Native, world: &mut World) -> Result<(), OperationError> {
        let (from, to) = (node(world, &self.dev.node)?, node(world, &self.to)?);
        Ok(from
            .route()
            .move_link(self.dev.ifname.as_str(), to.netns())
            .await?)
    }
}

impl Carry for Master {
    async fn carry(&self, _: &mut Native, world: &mut World) -> Result<(), OperationError> {
        let route = node(world, &self.dev.node)?.route();
        let bridge = Some(self.to.as_str());
        Ok(route
            .set_link_master(self.dev.ifname.as_str(), bridge)
            .await?)
    }
}

impl Carry for Nomaster {
    async fn carry(&self, _: &mut Native, world: &mut World) -> Result<(), OperationError> {
        let route = node(world, &self.0.node)?.route();
        Ok(route.set_link_master(self.0.ifname.as_str(), None).await?)
    }
}

impl Carry for Delete {
    async fn carry(&self, _: &mut Native, world: &mut World) -> Result<(), OperationError> {
        let route = node(world, &self.0.node)?.route();
        Ok(route.delete_link(self.0.ifname.as_str()).await?)
    }
}

impl Carry for Rename {
    async fn carry(&self, _: &mut Native, world: &mut World) -> Result<(), OperationError> {
        let route = node(world, &self.dev.node)?.route();
        let (from, to) = (self.dev.ifname.as_str(), self.to.as_str());
        Ok(route.rename_link(from, to).await?)
    }
}

impl Carry for SetMtu {
    async fn carry(&self, _: &mut Native, world: &mut World) -> Result<(), OperationError> {
        let route = node(world, &self.dev.node)?.route();
        let (link, mtu) = (self.dev.ifname.as_str(), self.to.value.0);
        Ok(route.set_link_mtu(link, mtu).await?)
    }
}

impl Carry for SetMac {
    async fn carry(&self, _: &mut Native, world: &mut World) -> Result<(), OperationError> {
        let route = node(world, &self.dev.node)?.route();
        let (link, mac) = (self.dev.ifname.as_str(), Mac(self.to.value.0));
        Ok(route.set_link_mac(link, mac).await?)
    }
}
