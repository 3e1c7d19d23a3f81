//! ICMP echo requests, RFC 792 and RFC 4443.

use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{MsgFlags, SockType, connect, send, setsockopt, sockopt};
use pnet::packet::Packet as _;
use pnet::packet::icmp::echo_reply::EchoReplyPacket;
use pnet::packet::icmp::echo_request::MutableEchoRequestPacket;
use pnet::packet::icmp::{IcmpPacket, IcmpType, IcmpTypes, checksum};
use pnet::packet::icmpv6::Icmpv6Types;
use pnet::packet::ipv4::Ipv4Packet;

use super::{Outcome, address, read_outcome};
use crate::observe::identity::TOKEN_LENGTH;
use crate::scenario::Family;
use crate::world::{Ipv4MtuDiscover, Ipv6MtuDiscover};

/// Type, code, checksum, identifier and sequence number.
const ECHO_HEADER: usize = 8;

/// As many bytes as ping(8) sends behind the header.
const PAYLOAD: u16 = 56;

/// An echo request that was sent, and the raw socket that waits for its reply.
#[derive(Debug)]
pub(in crate::observe) struct EchoProbe {
    socket: OwnedFd,
    family: Family,
    token: [u8; TOKEN_LENGTH],
    /// How many bytes it carries.
    size: usize,
}

impl EchoProbe {
    /// Opens a raw socket in the calling thread's network namespace, which reports ICMP errors. A
    /// request of a given size must not be cut on its way, nor by the sender.
    pub(in crate::observe) fn open(
        family: Family,
        token: [u8; TOKEN_LENGTH],
        ttl: Option<u8>,
        size: Option<u16>,
    ) -> Result<Self, Errno> {
        let socket = super::open(family, SockType::Raw, true)?;
        match (family, ttl.map(i32::from)) {
            (Family::Ipv4, Some(ttl)) => setsockopt(&socket, sockopt::Ipv4Ttl, &ttl)?,
            (Family::Ipv6, Some(ttl)) => setsockopt(&socket, sockopt::Ipv6Ttl, &ttl)?,
            (_, None) => {}
        }
        if size.is_some() {
            match family {
                Family::Ipv4 => setsockopt(&socket, Ipv4MtuDiscover, &libc::IP_PMTUDISC_PROBE)?,
                Family::Ipv6 => setsockopt(&socket, Ipv6MtuDiscover, &libc::IPV6_PMTUDISC_PROBE)?,
            }
        }
        Ok(Self {
            socket,
            family,
            token,
            size: usize::from(size.unwrap_or(PAYLOAD)),
        })
    }

    /// Sends the request.
    pub(in crate::observe) fn send(&self, to: IpAddr, identifier: u16) -> Result<(), Errno> {
        connect(self.socket.as_raw_fd(), &address(to, 0))?;
        let mut bytes = vec![0; ECHO_HEADER + self.size];
        // The buffer is as long as the header and more, so there is always a packet in it.
        let mut packet = MutableEchoRequestPacket::new(&mut bytes).ok_or(Errno::EINVAL)?;
        packet.set_icmp_type(match self.family {
            Family::Ipv4 => IcmpTypes::EchoRequest,
            Family::Ipv6 => IcmpType(Icmpv6Types::EchoRequest.0),
        });
        packet.set_identifier(identifier);
        packet.set_sequence_number(1);
        let mut payload = vec![0; self.size];
        payload
            .get_mut(..TOKEN_LENGTH)
            .ok_or(Errno::EINVAL)?
            .copy_from_slice(&self.token);
        packet.set_payload(&payload);
        // That of ICMPv6 covers addresses, which only the kernel knows; it writes its own over this.
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
        let is_reply = |kind, bytes: &[u8]| {
            EchoReplyPacket::new(bytes).is_some_and(|reply| {
                reply.get_icmp_type() == kind && reply.payload().starts_with(&self.token)
            })
        };
        read_outcome(&self.socket, |bytes| match self.family {
            Family::Ipv4 => Ipv4Packet::new(bytes)
                .is_some_and(|packet| is_reply(IcmpTypes::EchoReply, packet.payload())),
            // raw(7) hands out IPv6 packets without their header.
            Family::Ipv6 => is_reply(IcmpType(Icmpv6Types::EchoReply.0), bytes),
        })
    }
}
