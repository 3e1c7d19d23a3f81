//! `sysctl -w`.

use super::{Carry, Native, node};
use crate::implement::OperationError;
use crate::kernel::sysctl;
use crate::scenario::Sysctl;
use crate::world::World;

impl Carry for Sysctl {
    async fn carry(&self, _: &mut Native, world: &mut World) -> Result<(), OperationError> {
        let (path, value) = (self.key.path(), self.value.to_string());
        Ok(node(world, &self.node)?.enter(|| sysctl::write(&path, &value))??)
    }
}
