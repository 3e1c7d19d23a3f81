//! Notifications: what changed in a namespace, as it changes (`ip monitor`).

use std::os::fd::{AsFd, BorrowedFd};

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::errno::Errno;
use rtnetlink::packet_core::{NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;

use super::{Link, Neighbour};
use crate::kernel::KernelError;

/// `RTNLGRP_LINK`, `RTNLGRP_NEIGH`, `RTNLGRP_IPV6_IFADDR` and `RTNLGRP_IPV6_ROUTE`,
/// linux/rtnetlink.h. The last two only wake those who wait until an address can be used.
const GROUPS: [u32; 4] = [1, 3, 9, 11];

/// One notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// An interface is new or changed.
    Link(Link),
    /// An interface is gone.
    LinkGone(Link),
    /// A neighbour is new or changed.
    Neighbour(Neighbour),
    /// Notifications were lost: whatever is known must be read anew.
    Overrun,
}

/// A socket that hears of every change to the links and neighbours of one namespace, and wakes also
/// when an IPv6 address or route changes.
pub struct Monitor {
    socket: Socket,
}

impl Monitor {
    /// Begins to listen in the calling thread's network namespace.
    ///
    /// # Errors
    ///
    /// The kernel's refusal of the socket.
    pub fn open() -> Result<Self, KernelError> {
        let io = |error: std::io::Error| KernelError::from_io(&error);
        let mut socket = Socket::new(NETLINK_ROUTE).map_err(io)?;
        socket.bind(&SocketAddr::new(0, 0)).map_err(io)?;
        for group in GROUPS {
            socket.add_membership(group).map_err(io)?;
        }
        socket.set_non_blocking(true).map_err(io)?;
        Ok(Self { socket })
    }

    /// Takes all notifications that are there; does not wait.
    ///
    /// # Errors
    ///
    /// The kernel's refusal to read.
    pub fn drain(&self) -> Result<Vec<Change>, KernelError> {
        let mut changes = Vec::new();
        loop {
            match self.socket.recv_from_full() {
                Ok((bytes, _)) => read_changes(&bytes, &mut changes),
                Err(error) => match KernelError::from_io(&error) {
                    KernelError {
                        errno: Errno::EAGAIN,
                        ..
                    } => return Ok(changes),
                    KernelError {
                        errno: Errno::EINTR,
                        ..
                    } => {}
                    KernelError {
                        errno: Errno::ENOBUFS,
                        ..
                    } => changes.push(Change::Overrun),
                    error => return Err(error),
                },
            }
        }
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn read_changes(mut bytes: &[u8], changes: &mut Vec<Change>) {
    while !bytes.is_empty() {
        let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes) else {
            // What cannot be read may have been what is waited for.
            changes.push(Change::Overrun);
            return;
        };
        let length = usize::try_from(message.header.length).unwrap_or(usize::MAX);
        if let NetlinkPayload::InnerMessage(inner) = message.payload {
            match inner {
                RouteNetlinkMessage::NewLink(link) => {
                    changes.push(Change::Link(Link::from_message(link)));
                }
                RouteNetlinkMessage::DelLink(link) => {
                    changes.push(Change::LinkGone(Link::from_message(link)));
                }
                RouteNetlinkMessage::NewNeighbour(neighbour)
                | RouteNetlinkMessage::DelNeighbour(neighbour) => {
                    changes.extend(Neighbour::from_message(&neighbour).map(Change::Neighbour));
                }
                _ => {}
            }
        }
        match bytes.get(length.next_multiple_of(4)..) {
            Some(rest) if length > 0 => bytes = rest,
            _ => return,
        }
    }
}
