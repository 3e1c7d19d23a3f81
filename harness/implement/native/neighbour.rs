//! `ip neighbour` and `bridge fdb`.

use super::{Carry, Native, node};
use crate::implement::OperationError;
use crate::kernel::Mac;
use crate::kernel::route::NewFdbEntry;
use crate::scenario::{Fdb, MacAddress, Neighbour};
use crate::world::World;

impl Carry for Neighbour {
    async fn carry(&self, _: &mut Native, world: &mut World) -> Result<(), OperationError> {
        let route = node(world, &self.dev.node)?.route();
        let link = self.dev.ifname.as_str();
        if let Some(added) = &self.add {
            let mac = self.lladdr.as_ref().map(|lladdr| Mac(lladdr.value.0));
            route.add_neighbour(link, added.value, mac).await?;
        }
        if let Some(deleted) = &self.delete {
            route
                .delete_neighbour(link, deleted.value, self.proxy)
                .await?;
        }
        Ok(())
    }
}

impl Carry for Fdb {
    async fn carry(&self, _: &mut Native, world: &mut World) -> Result<(), OperationError> {
        let route = node(world, &self.dev.node)?.route();
        let entry = |mac: MacAddress| NewFdbEntry {
            mac: Mac(mac.0),
            link: self.dev.ifname.as_str(),
            remote: self.dst.as_ref().map(|dst| dst.value),
        };
        if let Some(added) = &self.add {
            route.add_fdb(entry(added.value), false).await?;
        }
        if let Some(appended) = &self.append {
            route.add_fdb(entry(appended.value), true).await?;
        }
        if let Some(deleted) = &self.delete {
            route.delete_fdb(entry(deleted.value)).await?;
        }
        Ok(())
    }
}
