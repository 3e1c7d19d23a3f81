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
    AddressFamily, Backlog, ControlMessage, ControlMessageOwned, LinkAddr, MsgFlags, SockFlag,
    SockType, SockaddrStorage, accept4, bind, listen, recvfrom, recvmsg, sendmsg, sendto,
    setsockopt, socket, sockopt,
};

use super::identity::{REPLY, REQUEST, TOKEN_LENGTH};
use crate::implement::OperationError;
use crate::kernel::KernelError;
use crate::scenario::{Family, Listen, NodeName};
use crate::world::{Node, World, link_address};

/// A server in a node.
#[derive(Debug)]
pub(super) struct Server {
    node: NodeName,
    socket: OwnedFd,
    kind: Kind,
}

/// What a server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Connections,
    Datagrams,
    Frames,
}

impl Server {
    /// Opens a server on every address of a node: one for IPv4, and one for IPv6 where that is on. One
    /// for frames is on every interface.
    pub(super) fn open(world: &World, operation: &Listen) -> Result<Vec<Self>, OperationError> {
        let name = &operation.node.value;
        let node = world
            .node(name)
            .ok_or(KernelError::from_errno(Errno::ENOENT))?;
        if let Some(ethertype) = &operation.ethertype {
            return Ok(vec![Self {
                node: node.name().clone(),
                socket: open_for_frames(node, ethertype.value.0)?,
                kind: Kind::Frames,
            }]);
        }
        let (kind, port) = match (&operation.tcp, &operation.udp) {
            (Some(port), _) => (Kind::Connections, port.value),
            (None, Some(port)) => (Kind::Datagrams, port.value),
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
                    socket: open_socket(node, *family, kind == Kind::Datagrams, port)?,
                    kind,
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
        while match self.kind {
            Kind::Connections => self.greet(),
            Kind::Datagrams => self.answer(),
            Kind::Frames => self.send_back(),
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

    /// Sends one frame back out of the interface that it came to; the kernel puts that one's hardware
    /// address into it. What was for somebody else is passed over.
    fn send_back(&self) -> bool {
        let mut bytes = [0; 2048];
        let received = recvfrom::<LinkAddr>(self.socket.as_raw_fd(), &mut bytes);
        let Ok((length, Some(from))) = received else {
            return false;
        };
        if from.pkttype() == libc::PACKET_HOST && as_reply(&mut bytes[..length]) {
            // Where the answer cannot be sent the probe is lost, and the taps show it.
            let bytes = &bytes[..length];
            let _ = sendto(
                self.socket.as_raw_fd(),
                bytes,
                &from,
                MsgFlags::MSG_DONTWAIT,
            );
        }
        true
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
        as_reply(&mut bytes[..length]);
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

/// Makes a reply of a request; tells whether it was one.
fn as_reply(bytes: &mut [u8]) -> bool {
    match bytes.get_mut(TOKEN_LENGTH) {
        Some(leg) if *leg == REQUEST => {
            *leg = REPLY;
            true
        }
        _ => false,
    }
}

/// The address that a datagram came to, as the answer to it names it.
enum Asked {
    V4(libc::in_pktinfo),
    V6(libc::in6_pktinfo),
}

/// Opens a socket that hears frames of an EtherType at all interfaces of a node, and not what is sent.
fn open_for_frames(node: &Node, ethertype: u16) -> Result<OwnedFd, OperationError> {
    let open = || -> Result<OwnedFd, Errno> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        // Protocol 0 hears nothing until it is bound.
        let socket = socket(AddressFamily::Packet, SockType::Datagram, flags, None)?;
        let everywhere = link_address(0, ethertype).ok_or(Errno::EINVAL)?;
        bind(socket.as_raw_fd(), &everywhere)?;
        Ok(socket)
    };
    Ok(node.enter(open)?.map_err(KernelError::from_errno)?)
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
