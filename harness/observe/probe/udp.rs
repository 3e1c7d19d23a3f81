//! UDP datagrams that a server of ours sends back.

use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, bind, connect, send, setsockopt, socket, sockopt,
};

use super::{Outcome, address, read_outcome};
use crate::observe::identity::{TOKEN_LENGTH, UDP_REPLY, UDP_REQUEST};

/// A datagram that was sent, and the socket that waits for it to come back.
#[derive(Debug)]
pub(in crate::observe) struct UdpProbe {
    socket: OwnedFd,
    token: [u8; TOKEN_LENGTH],
}

impl UdpProbe {
    /// Opens a socket in the calling thread's network namespace, which reports ICMP errors.
    pub(in crate::observe) fn open(token: [u8; TOKEN_LENGTH], port: u16) -> Result<Self, Errno> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Inet, SockType::Datagram, flags, None)?;
        setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?;
        bind(socket.as_raw_fd(), &address(Ipv4Addr::UNSPECIFIED, port))?;
        Ok(Self { socket, token })
    }

    /// Sends the datagram.
    pub(in crate::observe) fn send(&self, to: Ipv4Addr, port: u16) -> Result<(), Errno> {
        connect(self.socket.as_raw_fd(), &address(to, port))?;
        let payload = [&self.token[..], &[UDP_REQUEST]].concat();
        send(self.socket.as_raw_fd(), &payload, MsgFlags::MSG_DONTWAIT).map(|_| ())
    }

    /// Returns what the socket got.
    pub(in crate::observe) fn outcome(&self) -> Outcome {
        read_outcome(&self.socket, |bytes| {
            bytes.strip_prefix(&self.token) == Some([UDP_REPLY].as_slice())
        })
    }
}
