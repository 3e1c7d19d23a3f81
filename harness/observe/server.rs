//! Servers that netproof runs in nodes: what a probe can reach.
//!
//! They run when they are asked to, not by themselves: a datagram that waits in a server's socket is
//! parked, and the proof that nothing moves any more has to include it.

use std::io::{IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, Backlog, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType,
    SockaddrStorage, accept4, bind, listen, recvmsg, sendmsg, setsockopt, socket, sockopt,
};

use super::identity::{TOKEN_LENGTH, UDP_REPLY, UDP_REQUEST};
use crate::implement::OperationError;
use crate::kernel::KernelError;
use crate::scenario::{Family, Listen, NodeName};
use crate::world::{Node, World};

/// A server in a node.
#[derive(Debug)]
pub(super) struct Server {
    node: NodeName,
    socket: OwnedFd,
    is_udp: bool,
}

impl Server {
    /// Opens a server on every address of a node: one for IPv4, and one for IPv6 where that is on.
    pub(super) fn open(world: &World, operation: &Listen) -> Result<Vec<Self>, OperationError> {
        let name = &operation.node.value;
        let node = world
            .node(name)
            .ok_or(KernelError::from_errno(Errno::ENOENT))?;
        let (is_udp, port) = match (&operation.tcp, &operation.udp) {
            (Some(port), _) => (false, port.value),
            (None, Some(port)) => (true, port.value),
            (None, None) => return Err(KernelError::from_errno(Errno::EINVAL).into()),
        };
        let families: &[Family] = if node.has_ipv6() {
            &[Family::Ipv4, Family::Ipv6]
        } else {
            &[Family::Ipv4]
        };
        families
            .iter()
            .map(|family| {
                Ok(Self {
                    node: node.name().clone(),
                    socket: open_socket(node, *family, is_udp, port)?,
                    is_udp,
                })
            })
            .collect()
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
        let mut control = nix::cmsg_space!(libc::in6_pktinfo);
        let (length, from, asked) = {
            let mut parts = [IoSliceMut::new(&mut bytes)];
            let received = recvmsg::<SockaddrStorage>(
                self.socket.as_raw_fd(),
                &mut parts,
                Some(&mut control),
                MsgFlags::MSG_DONTWAIT,
            );
            let Ok(message) = received else { return false };
            let asked = message.cmsgs().ok().and_then(|mut parts| {
                parts.find_map(|part| match part {
                    ControlMessageOwned::Ipv4PacketInfo(info) => {
                        Some(Asked::V4(libc::in_pktinfo {
                            ipi_ifindex: 0,
                            ipi_spec_dst: info.ipi_spec_dst,
                            ipi_addr: libc::in_addr { s_addr: 0 },
                        }))
                    }
                    ControlMessageOwned::Ipv6PacketInfo(info) => {
                        Some(Asked::V6(libc::in6_pktinfo {
                            ipi6_ifindex: 0,
                            ipi6_addr: info.ipi6_addr,
                        }))
                    }
                    _ => None,
                })
            });
            (message.bytes, message.address, asked)
        };
        if length > TOKEN_LENGTH && bytes[TOKEN_LENGTH] == UDP_REQUEST {
            bytes[TOKEN_LENGTH] = UDP_REPLY;
        }
        if let (Some(from), Some(asked)) = (from, asked) {
            // Where the answer cannot be sent the probe is lost, and the taps show it.
            let _ = sendmsg(
                self.socket.as_raw_fd(),
                &[IoSlice::new(&bytes[..length])],
                &[match &asked {
                    Asked::V4(info) => ControlMessage::Ipv4PacketInfo(info),
                    Asked::V6(info) => ControlMessage::Ipv6PacketInfo(info),
                }],
                MsgFlags::MSG_DONTWAIT,
                Some(&from),
            );
        }
        true
    }
}

/// The address that a datagram came to, as the answer to it names it.
enum Asked {
    V4(libc::in_pktinfo),
    V6(libc::in6_pktinfo),
}

fn open_socket(
    node: &Node,
    family: Family,
    is_udp: bool,
    port: u16,
) -> Result<OwnedFd, OperationError> {
    let open = || -> Result<OwnedFd, Errno> {
        let kind = if is_udp {
            SockType::Datagram
        } else {
            SockType::Stream
        };
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let (of, any): (_, IpAddr) = match family {
            Family::Ipv4 => (AddressFamily::Inet, Ipv4Addr::UNSPECIFIED.into()),
            Family::Ipv6 => (AddressFamily::Inet6, Ipv6Addr::UNSPECIFIED.into()),
        };
        let socket = socket(of, kind, flags, None)?;
        if family == Family::Ipv6 {
            setsockopt(&socket, sockopt::Ipv6V6Only, &true)?;
        }
        let any = SockaddrStorage::from(SocketAddr::new(any, port));
        bind(socket.as_raw_fd(), &any)?;
        match (is_udp, family) {
            (false, _) => listen(&socket, Backlog::MAXCONN)?,
            (true, Family::Ipv4) => setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?,
            (true, Family::Ipv6) => setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?,
        }
        Ok(socket)
    };
    Ok(node.enter(open)?.map_err(KernelError::from_errno)?)
}
