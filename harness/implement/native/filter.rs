//! Netfilter, over nftables netlink.

use nix::errno::Errno;

use super::{Carry, Native, node};
use crate::implement::OperationError;
use crate::kernel::NftSocket;
use crate::scenario::Masquerade;
use crate::world::World;

impl Carry for Masquerade {
    async fn carry(&self, _: &mut Native, world: &mut World) -> Result<(), OperationError> {
        let source = self.source.as_ref().map(|source| source.0);
        let not_out = self.not_out.as_ref().map(|name| name.as_str());
        let mut socket = node(world, &self.node)?.enter(NftSocket::open)??;
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
}
