//! Servers that netproof runs in nodes: what a probe can reach.
//!
//! They run when they are asked to, not by themselves: a datagram that waits in a server's socket is
//! parked, and the proof that nothing moves any more has to include it.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, Backlog, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType,
    SockaddrIn, accept4, bind, listen, recvmsg, sendmsg, setsockopt, socket, sockopt,
};

use super::identity::{TOKEN_LENGTH, UDP_REPLY, UDP_REQUEST};
use crate::implement::OperationError;
use crate::kernel::KernelError;
use crate::scenario::{Listen, NodeName};
use crate::world::{Node, World};

/// A server in a node.
#[derive(Debug)]
pub(super) struct Server {
    node: NodeName,
    socket: OwnedFd,
    is_udp: bool,
}

impl Server {
    /// Opens a server on every address of a node.
    pub(super) fn open(world: &World, operation: &Listen) -> Result<Self, OperationError> {
        let name = &operation.node.value;
        let node = world
            .node(name)
            .ok_or(KernelError::from_errno(Errno::ENOENT))?;
        let (is_udp, port) = match (&operation.tcp, &operation.udp) {
            (Some(port), _) => (false, port.value),
            (None, Some(port)) => (true, port.value),
            (None, None) => return Err(KernelError::from_errno(Errno::EINVAL).into()),
        };
        let socket = open_socket(node, is_udp, port)?;
        Ok(Self {
            node: node.name().clone(),
            socket,
            is_udp,
        })
    }

    /// Returns the node that the server is in.
    pub(super) fn node(&self) -> &NodeName {
        &self.node
    }

    /// Follows its node to another name.
    pub(super) fn rename(&mut self, node: &NodeName) {
        self.node = node.clone();
    }

    /// Serves all who wait; tells whether there were any.
    pub(super) fn serve(&self) -> bool {
        let mut served = false;
        while if self.is_udp {
            self.answer()
        } else {
            self.greet()
        } {
            served = true;
        }
        served
    }

    /// Accepts one connection and closes it: that it was made is all that a probe asks.
    fn greet(&self) -> bool {
        match accept4(self.socket.as_raw_fd(), SockFlag::SOCK_CLOEXEC) {
            Ok(connection) => nix::unistd::close(connection).is_ok(),
            Err(_) => false,
        }
    }

    /// Sends one datagram back from the address that it came to.
    fn answer(&self) -> bool {
        let mut bytes = [0; 2048];
        let mut control = nix::cmsg_space!(libc::in_pktinfo);
        let (length, from, asked) = {
            let mut parts = [IoSliceMut::new(&mut bytes)];
            let received = recvmsg::<SockaddrIn>(
                self.socket.as_raw_fd(),
                &mut parts,
                Some(&mut control),
                MsgFlags::MSG_DONTWAIT,
            );
            let Ok(message) = received else { return false };
            let asked = message.cmsgs().ok().and_then(|mut parts| {
                parts.find_map(|part| match part {
                    ControlMessageOwned::Ipv4PacketInfo(info) => Some(info.ipi_spec_dst),
                    _ => None,
                })
            });
            (message.bytes, message.address, asked)
        };
        if length > TOKEN_LENGTH && bytes[TOKEN_LENGTH] == UDP_REQUEST {
            bytes[TOKEN_LENGTH] = UDP_REPLY;
        }
        if let (Some(from), Some(asked)) = (from, asked) {
            let info = libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: asked,
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            // Where the answer cannot be sent the probe is lost, and the taps show it.
            let _ = sendmsg(
                self.socket.as_raw_fd(),
                &[IoSlice::new(&bytes[..length])],
                &[ControlMessage::Ipv4PacketInfo(&info)],
                MsgFlags::MSG_DONTWAIT,
                Some(&from),
            );
        }
        true
    }
}

fn open_socket(node: &Node, is_udp: bool, port: u16) -> Result<OwnedFd, OperationError> {
    let open = || -> Result<OwnedFd, Errno> {
        let kind = if is_udp {
            SockType::Datagram
        } else {
            SockType::Stream
        };
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Inet, kind, flags, None)?;
        bind(socket.as_raw_fd(), &SockaddrIn::new(0, 0, 0, 0, port))?;
        if is_udp {
            setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        } else {
            listen(&socket, Backlog::MAXCONN)?;
        }
        Ok(socket)
    };
    Ok(node.enter(open)?.map_err(KernelError::from_errno)?)
}
