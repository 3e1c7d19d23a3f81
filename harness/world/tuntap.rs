//! Devices whose other end is a process: tun and tap, Documentation/networking/tuntap.rst.

use std::fs;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, SockaddrStorage, bind, recvfrom, sendto, socket,
};
use nix::sys::stat::fstat;
use nix::unistd::{read, write};

use super::error::WorldError;
use super::machine::{TUN, tun_cure};
use super::node::Node;
use super::sys;
use crate::kernel::KernelError;
use crate::scenario::NodeName;

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
        let device = self.open_tun()?;
        sys::attach_tuntap(&device, name, mode, true).map_err(KernelError::from_errno)?;
        sys::keep_tuntap(&device).map_err(KernelError::from_errno)?;
        Ok(())
    }

    /// Opens what the other end of a device of this node will be.
    fn open_tun(&self) -> Result<OwnedFd, TunTapError> {
        // A device belongs to the namespace of the thread that opened the file.
        let opened = self.enter(|| {
            fs::File::options()
                .read(true)
                .write(true)
                .custom_flags(libc::O_NONBLOCK)
                .open(TUN)
        })?;
        Ok(OwnedFd::from(opened.map_err(|error| {
            let reason = KernelError::from_io(&error);
            let sentence = format!("{TUN} cannot be opened: {}", tun_cure(&error));
            TunTapError::Absent(KernelError {
                sentence: Some(sentence),
                ..reason
            })
        })?))
    }
}

/// Where the datagrams of a tunnel come from and go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datagrams {
    /// The address and port that they come from.
    pub local: SocketAddr,
    /// The address and port that they go to.
    pub remote: SocketAddr,
}

/// The other end of a tun or tap device, and the socket by which what comes out of it leaves the node.
#[derive(Debug)]
pub(super) struct Tunnel {
    node: NodeName,
    device: OwnedFd,
    socket: OwnedFd,
    datagrams: Datagrams,
}

/// The largest packet or frame, with room for a header.
const PACKET_MAX: usize = 65_550;

/// How many packets are carried at once, each way: one that goes round in circles, into the device
/// that it has come from, must not keep us for ever.
const AT_ONCE: usize = 256;

impl Tunnel {
    /// Takes the other end of a device that is there, and opens the socket in the same node.
    pub(super) fn open(
        node: &Node,
        name: &str,
        mode: TunTap,
        datagrams: Datagrams,
    ) -> Result<Self, TunTapError> {
        let local = SockaddrStorage::from(datagrams.local);
        let socket = || -> Result<OwnedFd, Errno> {
            let family = match datagrams.local {
                SocketAddr::V4(_) => AddressFamily::Inet,
                SocketAddr::V6(_) => AddressFamily::Inet6,
            };
            let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
            let socket = socket(family, SockType::Datagram, flags, None)?;
            bind(socket.as_raw_fd(), &local)?;
            Ok(socket)
        };
        let socket = node.enter(socket)?.map_err(KernelError::from_errno)?;
        let device = node.open_tun()?;
        sys::attach_tuntap(&device, name, mode, false).map_err(KernelError::from_errno)?;
        Ok(Self {
            node: node.name().clone(),
            device,
            socket,
            datagrams,
        })
    }

    /// Returns the node that the datagrams leave and come to. The device may have been moved to another.
    pub(super) fn node(&self) -> &NodeName {
        &self.node
    }

    /// Follows the node to another name.
    pub(super) fn rename(&mut self, node: &NodeName) {
        self.node = node.clone();
    }

    /// Returns where the datagrams go to.
    pub(super) fn remote(&self) -> SocketAddr {
        self.datagrams.remote
    }

    /// Finds the device, in whatever node and under whatever name it is now; none if it is gone.
    pub(super) fn device<'a>(
        &self,
        nodes: impl IntoIterator<Item = &'a Node>,
    ) -> Option<(&'a NodeName, String)> {
        let name = sys::name_of_tuntap(&self.device).ok()?;
        let netns = sys::netns_of_tuntap(&self.device).ok();
        let inode = |netns: BorrowedFd<'_>| fstat(netns).ok().map(|it| (it.st_dev, it.st_ino));
        let wanted = netns.and_then(|netns| inode(netns.as_fd()));
        let node = nodes.into_iter().find(|node| match wanted {
            Some(_) => inode(node.netns()) == wanted,
            // Before Linux 5.7 the kernel does not say where it is.
            None => *node.name() == self.node,
        });
        Some((node?.name(), name))
    }

    /// Carries what waits at both ends; tells whether there was anything.
    pub(super) fn carry(&self) -> bool {
        let mut bytes = vec![0; PACKET_MAX];
        // Both, whatever the first of them found.
        self.carry_out(&mut bytes) | self.carry_in(&mut bytes)
    }

    fn carry_out(&self, bytes: &mut [u8]) -> bool {
        let remote = SockaddrStorage::from(self.datagrams.remote);
        for at in 0..AT_ONCE {
            let length = match read(&self.device, bytes) {
                Ok(length) if length > 0 => length,
                Err(Errno::EINTR) => continue,
                _ => return at > 0,
            };
            // Where it cannot be sent it is lost, and the taps show it.
            let bytes = &bytes[..length];
            let _ = sendto(
                self.socket.as_raw_fd(),
                bytes,
                &remote,
                MsgFlags::MSG_DONTWAIT,
            );
        }
        true
    }

    fn carry_in(&self, bytes: &mut [u8]) -> bool {
        let remote = SockaddrStorage::from(self.datagrams.remote);
        for at in 0..AT_ONCE {
            let (length, from) = match recvfrom::<SockaddrStorage>(self.socket.as_raw_fd(), bytes) {
                Ok(received) => received,
                Err(Errno::EINTR) => continue,
                Err(_) => return at > 0,
            };
            // What comes from elsewhere, or while the device is down, goes no further.
            if from == Some(remote) {
                let _ = write(&self.device, &bytes[..length]);
            }
        }
        true
    }
}
