//! UDP datagrams that a server of ours sends back.

use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, SockType, bind, connect, send};

use super::{Outcome, address, any, read_outcome};
use crate::observe::identity::{REPLY, REQUEST, TOKEN_LENGTH};
use crate::scenario::Family;

/// A datagram that was sent, and the socket that waits for it to come back.
#[derive(Debug)]
pub(in crate::observe) struct UdpProbe {
    socket: OwnedFd,
    token: [u8; TOKEN_LENGTH],
}

impl UdpProbe {
    /// Opens a socket in the calling thread's network namespace, which reports ICMP errors.
    pub(in crate::observe) fn open(
        family: Family,
        token: [u8; TOKEN_LENGTH],
        port: u16,
    ) -> Result<Self, Errno> {
        let socket = super::open(family, SockType::Datagram, false)?;
        bind(socket.as_raw_fd(), &address(any(family), port))?;
        Ok(Self { socket, token })
    }

    /// Sends the datagram.
    pub(in crate::observe) fn send(&self, to: IpAddr, port: u16) -> Result<(), Errno> {
        connect(self.socket.as_raw_fd(), &address(to, port))?;
        let payload = [&self.token[..], &[REQUEST]].concat();
        send(self.socket.as_raw_fd(), &payload, MsgFlags::MSG_DONTWAIT).map(|_| ())
    }

    /// Returns what the socket got.
    pub(in crate::observe) fn outcome(&self) -> Outcome {
        read_outcome(&self.socket, |bytes| {
            bytes.strip_prefix(&self.token) == Some([REPLY].as_slice())
        })
    }
}
