//! TCP connections.

use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    SockType, SockaddrStorage, bind, connect, getpeername, getsockopt, setsockopt, sockopt,
};

use super::{Outcome, address, any};
use crate::scenario::Family;

/// A connection that was begun. Closing it resets it: nothing of it lives on in the nodes.
#[derive(Debug)]
pub(in crate::observe) struct TcpProbe {
    socket: OwnedFd,
}

impl TcpProbe {
    /// Opens a socket in the calling thread's network namespace, which reports ICMP errors at once.
    pub(in crate::observe) fn open(family: Family, port: u16) -> Result<Self, Errno> {
        let socket = super::open(family, SockType::Stream, false)?;
        setsockopt(
            &socket,
            sockopt::Linger,
            &libc::linger {
                l_onoff: 1,
                l_linger: 0,
            },
        )?;
        bind(socket.as_raw_fd(), &address(any(family), port))?;
        Ok(Self { socket })
    }

    /// Sends the SYN.
    pub(in crate::observe) fn send(&self, to: IpAddr, port: u16) -> Result<(), Errno> {
        match connect(self.socket.as_raw_fd(), &address(to, port)) {
            Ok(()) | Err(Errno::EINPROGRESS) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    /// Returns what became of the connection.
    pub(in crate::observe) fn outcome(&self) -> Outcome {
        match getsockopt(&self.socket, sockopt::SocketError) {
            Ok(0) => match getpeername::<SockaddrStorage>(self.socket.as_raw_fd()) {
                Ok(_) => Outcome::Answered,
                Err(_) => Outcome::Silent,
            },
            Ok(error) => Outcome::Failed(Errno::from_raw(error)),
            Err(errno) => Outcome::Failed(errno),
        }
    }
}
