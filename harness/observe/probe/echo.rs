//! ICMP echo requests, RFC 792.

use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, connect, send, setsockopt, socket,
    sockopt,
};
use pnet::packet::Packet as _;
use pnet::packet::icmp::echo_reply::EchoReplyPacket;
use pnet::packet::icmp::echo_request::MutableEchoRequestPacket;
use pnet::packet::icmp::{IcmpPacket, IcmpTypes, checksum};
use pnet::packet::ipv4::Ipv4Packet;

use super::{Outcome, address, read_outcome};
use crate::observe::identity::TOKEN_LENGTH;
use crate::world::Ipv4MtuDiscover;

/// Type, code, checksum, identifier and sequence number.
const ECHO_HEADER: usize = 8;

/// As many bytes as ping(8) sends behind the header.
const PAYLOAD: u16 = 56;

/// An echo request that was sent, and the raw socket that waits for its reply.
#[derive(Debug)]
pub(in crate::observe) struct EchoProbe {
    socket: OwnedFd,
    token: [u8; TOKEN_LENGTH],
    /// How many bytes it carries.
    size: usize,
}

impl EchoProbe {
    /// Opens a raw socket in the calling thread's network namespace, which reports ICMP errors. A
    /// request of a given size must not be cut on its way, nor by the sender.
    pub(in crate::observe) fn open(
        token: [u8; TOKEN_LENGTH],
        ttl: Option<u8>,
        size: Option<u16>,
    ) -> Result<Self, Errno> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(
            AddressFamily::Inet,
            SockType::Raw,
            flags,
            SockProtocol::Icmp,
        )?;
        setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?;
        if let Some(ttl) = ttl {
            setsockopt(&socket, sockopt::Ipv4Ttl, &i32::from(ttl))?;
        }
        if size.is_some() {
            setsockopt(&socket, Ipv4MtuDiscover, &libc::IP_PMTUDISC_PROBE)?;
        }
        Ok(Self {
            socket,
            token,
            size: usize::from(size.unwrap_or(PAYLOAD)),
        })
    }

    /// Sends the request.
    pub(in crate::observe) fn send(&self, to: Ipv4Addr, identifier: u16) -> Result<(), Errno> {
        connect(self.socket.as_raw_fd(), &address(to, 0))?;
        let mut bytes = vec![0; ECHO_HEADER + self.size];
        // The buffer is as long as the header and more, so there is always a packet in it.
        let mut packet = MutableEchoRequestPacket::new(&mut bytes).ok_or(Errno::EINVAL)?;
        packet.set_icmp_type(IcmpTypes::EchoRequest);
        packet.set_identifier(identifier);
        packet.set_sequence_number(1);
        let mut payload = vec![0; self.size];
        payload
            .get_mut(..TOKEN_LENGTH)
            .ok_or(Errno::EINVAL)?
            .copy_from_slice(&self.token);
        packet.set_payload(&payload);
        let sum = checksum(&IcmpPacket::new(packet.packet()).ok_or(Errno::EINVAL)?);
        packet.set_checksum(sum);
        send(
            self.socket.as_raw_fd(),
            packet.packet(),
            MsgFlags::MSG_DONTWAIT,
        )
        .map(|_| ())
    }

    /// Returns what the socket got.
    pub(in crate::observe) fn outcome(&self) -> Outcome {
        read_outcome(&self.socket, |bytes| {
            Ipv4Packet::new(bytes).is_some_and(|packet| {
                EchoReplyPacket::new(packet.payload()).is_some_and(|reply| {
                    reply.get_icmp_type() == IcmpTypes::EchoReply
                        && reply.payload().starts_with(&self.token)
                })
            })
        })
    }
}
