//! The other ends of tun and tap devices, which netproof holds where a scenario has a `tunnel`.
//!
//! They are run as the servers are: between two rounds of fences, since a packet that has come out of
//! a device and has not been sent on is parked.

use nix::errno::Errno;

use crate::implement::OperationError;
use crate::kernel::KernelError;
use crate::scenario::{Tunnel, TunnelMode};
use crate::world::{Datagrams, TunTap, World};

/// Holds the other end of a device from now on.
///
/// # Errors
///
/// The kernel's refusal: `ENODEV` if there is no such device, `EINVAL` if it is of another kind, `EBUSY`
/// if its other end is held already, `EADDRNOTAVAIL` if the node does not have the address.
pub async fn open_tunnel(world: &mut World, operation: &Tunnel) -> Result<(), OperationError> {
    let (dev, port) = (&operation.dev.value, operation.port.value);
    let mode = match operation.carries() {
        TunnelMode::Tun => TunTap::Tun,
        TunnelMode::Tap => TunTap::Tap,
    };
    let node = world.node(&dev.node);
    let node = node.ok_or(KernelError::from_errno(Errno::ENOENT))?;
    // What opens a device that is not there makes it.
    node.route().link(dev.ifname.as_str()).await?;
    let datagrams = Datagrams {
        local: (operation.local.value, port).into(),
        remote: (operation.remote.value, port).into(),
    };
    let opened = world.open_tunnel(&dev.node, dev.ifname.as_str(), mode, datagrams);
    opened.map_err(|error| OperationError::of_tuntap(mode, error))
}
