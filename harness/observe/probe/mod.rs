//! Probes: what is sent, and what the sender's own socket says of it.

mod arp;
mod echo;
mod frame;
mod ndp;
mod tcp;
mod udp;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrStorage, recv, setsockopt,
    socket, sockopt,
};

pub(super) use arp::ArpProbe;
pub(super) use echo::EchoProbe;
pub(super) use frame::FrameProbe;
pub(super) use ndp::NdpProbe;
pub(super) use tcp::TcpProbe;
pub(super) use udp::UdpProbe;

use crate::scenario::Family;

/// What the sender's socket said when everything had come to rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The answer arrived.
    Answered,
    /// The kernel reported an error.
    Failed(Errno),
    /// Nothing.
    Silent,
}

/// A socket address.
fn address(ip: IpAddr, port: u16) -> SockaddrStorage {
    SockaddrStorage::from(SocketAddr::new(ip, port))
}

/// The address that stands for any of a node's own.
fn any(family: Family) -> IpAddr {
    match family {
        Family::Ipv4 => Ipv4Addr::UNSPECIFIED.into(),
        Family::Ipv6 => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// Opens a socket of one IP in the calling thread's network namespace, which reports ICMP errors.
fn open(family: Family, kind: SockType, icmp: bool) -> Result<OwnedFd, Errno> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let (of, protocol) = match family {
        Family::Ipv4 => (AddressFamily::Inet, SockProtocol::Icmp),
        Family::Ipv6 => (AddressFamily::Inet6, SockProtocol::IcmpV6),
    };
    let socket = socket(of, kind, flags, icmp.then_some(protocol))?;
    match family {
        Family::Ipv4 => setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?,
        Family::Ipv6 => setsockopt(&socket, sockopt::Ipv6RecvErr, &true)?,
    }
    Ok(socket)
}

/// Reads messages from a socket until one is the answer. An answer counts whatever else was
/// reported; an error counts if there is none.
fn read_outcome(socket: &OwnedFd, is_answer: impl Fn(&[u8]) -> bool) -> Outcome {
    let mut bytes = [0; 2048];
    let mut outcome = Outcome::Silent;
    loop {
        match recv(socket.as_raw_fd(), &mut bytes, MsgFlags::MSG_DONTWAIT) {
            Ok(length) if is_answer(&bytes[..length]) => return Outcome::Answered,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => return outcome,
            Err(errno) => outcome = Outcome::Failed(errno),
        }
    }
}
