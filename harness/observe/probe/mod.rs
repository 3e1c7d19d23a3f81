//! Probes: what is sent, and what the sender's own socket says of it.

mod arp;
mod echo;
mod tcp;
mod udp;

use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, SockaddrIn, recv};

pub(super) use arp::ArpProbe;
pub(super) use echo::EchoProbe;
pub(super) use tcp::TcpProbe;
pub(super) use udp::UdpProbe;

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

/// An IPv4 socket address.
fn address(ip: std::net::Ipv4Addr, port: u16) -> SockaddrIn {
    SockaddrIn::from(std::net::SocketAddrV4::new(ip, port))
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
