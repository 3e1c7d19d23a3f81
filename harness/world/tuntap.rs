//! Devices whose other end is a process: tun and tap, Documentation/networking/tuntap.rst.

use std::fs;
use std::os::fd::OwnedFd;

use super::error::WorldError;
use super::machine::{TUN, tun_cure};
use super::node::Node;
use super::sys;
use crate::kernel::KernelError;

/// What such a device carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TunTap {
    /// IP packets.
    Tun,
    /// Ethernet frames.
    Tap,
}

/// Why a tun or tap device was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TunTapError {
    /// The node cannot be entered.
    #[error(transparent)]
    World(#[from] WorldError),
    /// `/dev/net/tun` cannot be opened; the sentence has the cure.
    #[error("{0}")]
    Absent(KernelError),
    /// The kernel refused the device.
    #[error(transparent)]
    Refused(#[from] KernelError),
}

impl Node {
    /// Makes a tun or tap device that stays when nobody has it open, as `ip tuntap add` does. It is
    /// down, and without a process at its other end it has no carrier.
    ///
    /// # Errors
    ///
    /// [`TunTapError::Absent`] without `/dev/net/tun`; `EBUSY` if there is such a device, `EINVAL`
    /// if the name is that of another kind.
    pub fn add_tuntap(&self, name: &str, mode: TunTap) -> Result<(), TunTapError> {
        let device = self.open_tuntap(name, mode)?;
        sys::keep_tuntap(&device).map_err(KernelError::from_errno)?;
        Ok(())
    }

    /// Makes a tun or tap device, and returns its other end.
    fn open_tuntap(&self, name: &str, mode: TunTap) -> Result<OwnedFd, TunTapError> {
        // A device belongs to the namespace of the thread that opened the file.
        let opened = self.enter(|| fs::File::options().read(true).write(true).open(TUN))?;
        let device = OwnedFd::from(opened.map_err(|error| {
            let reason = KernelError::from_io(&error);
            let sentence = format!("{TUN} cannot be opened: {}", tun_cure(&error));
            TunTapError::Absent(KernelError {
                sentence: Some(sentence),
                ..reason
            })
        })?);
        sys::attach_tuntap(&device, name, mode).map_err(KernelError::from_errno)?;
        Ok(device)
    }
}
