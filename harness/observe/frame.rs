//! Frames as taps see them, and what is in them.

use std::net::{IpAddr, Ipv4Addr};

use pnet::packet::Packet as _;
use pnet::packet::arp::{ArpOperations, ArpPacket};
use pnet::packet::ethernet::{EtherTypes, EthernetPacket};
use pnet::packet::icmp::{IcmpPacket, IcmpTypes};
use pnet::packet::ip::IpNextHeaderProtocols;
use pnet::packet::ipv4::Ipv4Packet;
use pnet::packet::tcp::{TcpFlags, TcpPacket};
use pnet::packet::udp::UdpPacket;

use crate::kernel::Mac;
use crate::scenario::NodeName;

/// The length of an Ethernet header in bytes.
const ETHERNET_HEADER: usize = 14;

/// A frame at an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// The node that the interface is in.
    pub node: NodeName,
    /// The index of the interface.
    pub link: u32,
    /// Whether it came in or went out.
    pub direction: Direction,
    /// Came in, but for another hardware address than the interface's.
    pub for_another: bool,
    /// When it passed, in nanoseconds since 1970; none if the kernel did not look at the clock then.
    pub time: Option<u64>,
    /// The frame from its Ethernet header on.
    pub bytes: Vec<u8>,
}

impl Frame {
    /// Tells whether the frame goes to a hardware address.
    pub(super) fn is_for(&self, mac: Mac) -> bool {
        self.bytes.starts_with(&mac.0)
    }

    /// Tells whether the frame goes to a group: broadcast or multicast (IEEE 802, section 8).
    pub(super) fn is_for_many(&self) -> bool {
        self.bytes.first().is_some_and(|first| first & 1 != 0)
    }
}

/// Which way a frame passed an interface.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Into the node.
    In,
    /// Out of the node.
    Out,
}

/// What a frame holds, as far as probes need to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// An ARP message.
    Arp(Arp),
    /// An IPv4 packet.
    Ip(IpPacket),
    /// Anything else.
    Other,
}

/// An ARP message for IPv4 over Ethernet, RFC 826.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arp {
    /// A reply, not a request.
    pub is_reply: bool,
    /// The hardware address of the sender.
    pub sender_mac: Mac,
    /// The address of the sender.
    pub sender: Ipv4Addr,
    /// The address asked for, or answered.
    pub target: Ipv4Addr,
}

/// An IPv4 packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IpPacket {
    /// The source address.
    pub source: IpAddr,
    /// The destination address.
    pub destination: IpAddr,
    /// The time to live.
    pub ttl: u8,
    /// What it carries.
    pub transport: Transport,
}

/// What an IP packet carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Transport {
    /// An ICMP echo request or reply.
    Echo {
        /// A reply, not a request.
        is_reply: bool,
        /// The bytes behind the header.
        payload: Vec<u8>,
    },
    /// An ICMP error.
    Error {
        /// The ICMP type.
        kind: u8,
        /// The ICMP code.
        code: u8,
        /// The packet that it is about, as far as it is quoted.
        about: Option<Box<IpPacket>>,
    },
    /// A UDP datagram.
    Udp {
        /// The bytes behind the header.
        payload: Vec<u8>,
    },
    /// A TCP segment.
    Tcp {
        /// The source port.
        source_port: u16,
        /// The destination port.
        destination_port: u16,
        /// The sequence number.
        sequence: u32,
        /// The acknowledgement number.
        acknowledgement: u32,
        /// SYN is set.
        syn: bool,
        /// ACK is set.
        ack: bool,
        /// RST is set.
        rst: bool,
    },
    /// Anything else, and every fragment but the first.
    Other,
}

/// Reads what a frame holds. What cannot be read is [`Content::Other`].
pub(super) fn read(bytes: &[u8]) -> Content {
    let Some(frame) = EthernetPacket::new(bytes) else {
        return Content::Other;
    };
    let payload = bytes.get(ETHERNET_HEADER..).unwrap_or_default();
    match frame.get_ethertype() {
        EtherTypes::Arp => read_arp(payload),
        EtherTypes::Ipv4 => read_ip(payload).map_or(Content::Other, Content::Ip),
        _ => Content::Other,
    }
}

/// Reads what a VXLAN packet carries, with the header of the packet that carries it.
///
/// The port is not looked at, since a scenario chooses it: whoever asks knows its own packets.
pub(super) fn read_carried(bytes: &[u8]) -> Option<(IpPacket, Content)> {
    /// Flags with the bit for a valid id, RFC 7348 section 5, and seven bytes more.
    const VXLAN_HEADER: usize = 8;
    const HAS_ID: u8 = 0x08;
    let Content::Ip(outer) = read(bytes) else {
        return None;
    };
    let Transport::Udp { payload } = &outer.transport else {
        return None;
    };
    let (header, inner) = payload.split_at_checked(VXLAN_HEADER)?;
    if header[0] & HAS_ID == 0 {
        return None;
    }
    let inner = read(inner);
    Some((outer, inner))
}

fn read_arp(bytes: &[u8]) -> Content {
    let Some(arp) = ArpPacket::new(bytes) else {
        return Content::Other;
    };
    let mac = arp.get_sender_hw_addr();
    Content::Arp(Arp {
        is_reply: arp.get_operation() == ArpOperations::Reply,
        sender_mac: Mac([mac.0, mac.1, mac.2, mac.3, mac.4, mac.5]),
        sender: arp.get_sender_proto_addr(),
        target: arp.get_target_proto_addr(),
    })
}

/// Reads a packet from its IP header on; it may be cut short, as in the quote of an ICMP error.
fn read_ip(bytes: &[u8]) -> Option<IpPacket> {
    let packet = Ipv4Packet::new(bytes)?;
    let header = usize::from(packet.get_header_length()) * 4;
    let end = usize::from(packet.get_total_length()).min(bytes.len());
    let body = bytes.get(header..end.max(header)).unwrap_or_default();
    let transport = if packet.get_fragment_offset() > 0 {
        None
    } else {
        match packet.get_next_level_protocol() {
            IpNextHeaderProtocols::Icmp => read_icmp(body),
            IpNextHeaderProtocols::Udp => UdpPacket::new(body).map(|udp| Transport::Udp {
                payload: udp.payload().to_vec(),
            }),
            IpNextHeaderProtocols::Tcp => read_tcp(body),
            _ => None,
        }
    };
    Some(IpPacket {
        source: packet.get_source().into(),
        destination: packet.get_destination().into(),
        ttl: packet.get_ttl(),
        transport: transport.unwrap_or(Transport::Other),
    })
}

fn read_icmp(body: &[u8]) -> Option<Transport> {
    /// Type, code, checksum, and four bytes that depend on the type, RFC 792.
    const ICMP_HEADER: usize = 8;
    let icmp = IcmpPacket::new(body)?;
    let rest = body.get(ICMP_HEADER..).unwrap_or_default();
    Some(match icmp.get_icmp_type() {
        kind @ (IcmpTypes::EchoRequest | IcmpTypes::EchoReply) => Transport::Echo {
            is_reply: kind == IcmpTypes::EchoReply,
            payload: rest.to_vec(),
        },
        kind @ (IcmpTypes::DestinationUnreachable
        | IcmpTypes::TimeExceeded
        | IcmpTypes::ParameterProblem) => Transport::Error {
            kind: kind.0,
            code: icmp.get_icmp_code().0,
            about: read_ip(rest).map(Box::new),
        },
        _ => Transport::Other,
    })
}

/// Reads a segment of which an ICMP error may quote only the first eight bytes.
fn read_tcp(body: &[u8]) -> Option<Transport> {
    if let Some(tcp) = TcpPacket::new(body) {
        let has = |flag| tcp.get_flags() & flag != 0;
        return Some(Transport::Tcp {
            source_port: tcp.get_source(),
            destination_port: tcp.get_destination(),
            sequence: tcp.get_sequence(),
            acknowledgement: tcp.get_acknowledgement(),
            syn: has(TcpFlags::SYN),
            ack: has(TcpFlags::ACK),
            rst: has(TcpFlags::RST),
        });
    }
    let head: [u8; 8] = body.get(..8)?.try_into().ok()?;
    let [a, b, c, d, e, f, g, h] = head;
    Some(Transport::Tcp {
        source_port: u16::from_be_bytes([a, b]),
        destination_port: u16::from_be_bytes([c, d]),
        sequence: u32::from_be_bytes([e, f, g, h]),
        acknowledgement: 0,
        syn: true,
        ack: false,
        rst: false,
    })
}
