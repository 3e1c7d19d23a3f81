//! Frames as taps see them, and what is in them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pnet::packet::Packet as _;
use pnet::packet::arp::{ArpOperations, ArpPacket};
use pnet::packet::ethernet::{EtherTypes, EthernetPacket};
use pnet::packet::icmp::{IcmpPacket, IcmpTypes};
use pnet::packet::ip::{IpNextHeaderProtocol, IpNextHeaderProtocols};
use pnet::packet::ipv4::Ipv4Packet;
use pnet::packet::ipv6::Ipv6Packet;
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
    /// An IPv4 or IPv6 packet.
    Ip(IpPacket),
    /// A frame of any other protocol.
    Raw {
        /// The hardware address that it comes from.
        sender: Mac,
        /// The bytes behind the header.
        payload: Vec<u8>,
    },
    /// What cannot be read.
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

/// An IPv4 or IPv6 packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IpPacket {
    /// The source address.
    pub source: IpAddr,
    /// The destination address.
    pub destination: IpAddr,
    /// The time to live; in IPv6 the hop limit.
    pub ttl: u8,
    /// What it carries.
    pub transport: Transport,
}

/// What an ICMP error says: its type and code, which are others in IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IcmpError {
    /// RFC 792.
    V4 { kind: u8, code: u8 },
    /// RFC 4443.
    V6 { kind: u8, code: u8 },
}

/// A neighbour solicitation or advertisement, RFC 4861 sections 4.3 and 4.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Discovery {
    /// An advertisement, not a solicitation.
    pub is_reply: bool,
    /// The address asked for, or answered.
    pub target: Ipv6Addr,
    /// The hardware address of the sender or the target, where it is told.
    pub mac: Option<Mac>,
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
        /// What it says.
        error: IcmpError,
        /// The packet that it is about, as far as it is quoted.
        about: Option<Box<IpPacket>>,
    },
    /// What ARP is in IPv4.
    Discovery(Discovery),
    /// What a node says by itself where IPv6 is on, RFC 3810 and RFC 4861: which groups it hears, and
    /// that there are routers, or should be.
    Housekeeping,
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
        EtherTypes::Ipv6 => read_ipv6(payload).map_or(Content::Other, Content::Ip),
        _ => {
            let mac = frame.get_source();
            Content::Raw {
                sender: Mac([mac.0, mac.1, mac.2, mac.3, mac.4, mac.5]),
                payload: payload.to_vec(),
            }
        }
    }
}

/// Reads what a tunnel's packet may carry, with the header of the packet that carries it: a frame of
/// VXLAN, a packet, or a frame. Which it is, the datagram does not say, nor does the port, which a
/// scenario chooses; whoever asks knows its own packets.
pub(super) fn read_carried(bytes: &[u8]) -> Option<(IpPacket, Vec<Content>)> {
    /// Flags with the bit for a valid id, RFC 7348 section 5, and seven bytes more.
    const VXLAN_HEADER: usize = 8;
    const HAS_ID: u8 = 0x08;
    let Content::Ip(outer) = read(bytes) else {
        return None;
    };
    let Transport::Udp { payload } = &outer.transport else {
        return None;
    };
    let first = *payload.first()?;
    let vxlan = payload
        .get(VXLAN_HEADER..)
        .filter(|_| first & HAS_ID != 0)
        .map(read);
    let packet = match first >> 4 {
        4 => read_ip(payload),
        6 => read_ipv6(payload),
        _ => None,
    };
    let inner = vxlan
        .into_iter()
        .chain(packet.map(Content::Ip))
        .chain([read(payload)]);
    let inner = inner.collect();
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

/// Reads a packet from its IPv6 header on; it may be cut short.
fn read_ipv6(bytes: &[u8]) -> Option<IpPacket> {
    const HEADER: usize = 40;
    let packet = Ipv6Packet::new(bytes)?;
    let end = (HEADER + usize::from(packet.get_payload_length())).min(bytes.len());
    let mut body = bytes.get(HEADER..end).unwrap_or_default();
    let mut next = packet.get_next_header();
    // Extension headers, RFC 8200 section 4: each names the one behind it.
    let transport = loop {
        let length = match next {
            IpNextHeaderProtocols::Hopopt
            | IpNextHeaderProtocols::Ipv6Route
            | IpNextHeaderProtocols::Ipv6Opts => {
                body.get(1).map(|length| (usize::from(*length) + 1) * 8)
            }
            IpNextHeaderProtocols::Ipv6Frag => first_fragment(body).then_some(8),
            IpNextHeaderProtocols::Icmpv6 => break read_icmpv6(body),
            IpNextHeaderProtocols::Udp => {
                break UdpPacket::new(body).map(|udp| Transport::Udp {
                    payload: udp.payload().to_vec(),
                });
            }
            IpNextHeaderProtocols::Tcp => break read_tcp(body),
            _ => None,
        };
        let Some((header, rest)) = length.and_then(|length| body.split_at_checked(length)) else {
            break None;
        };
        (next, body) = (IpNextHeaderProtocol(header[0]), rest);
    };
    Some(IpPacket {
        source: packet.get_source().into(),
        destination: packet.get_destination().into(),
        ttl: packet.get_hop_limit(),
        transport: transport.unwrap_or(Transport::Other),
    })
}

/// Tells whether a fragment header is that of the first fragment: the offset is the upper 13 bits.
fn first_fragment(header: &[u8]) -> bool {
    header.len() >= 8 && u16::from_be_bytes([header[2], header[3]]) >> 3 == 0
}

fn read_icmpv6(body: &[u8]) -> Option<Transport> {
    /// Type, code, checksum, and four bytes that depend on the type, RFC 4443 section 2.1.
    const ICMP_HEADER: usize = 8;
    let (header, rest) = body.split_at_checked(ICMP_HEADER)?;
    let (kind, code) = (header[0], header[1]);
    Some(match kind {
        1..=4 => Transport::Error {
            error: IcmpError::V6 { kind, code },
            about: read_ipv6(rest).map(Box::new),
        },
        128 | 129 => Transport::Echo {
            is_reply: kind == 129,
            payload: rest.to_vec(),
        },
        130..=134 | 143 => Transport::Housekeeping,
        135 | 136 => Transport::Discovery(read_discovery(kind == 136, rest)?),
        _ => Transport::Other,
    })
}

/// Reads a target and the first option, which is the hardware address if there is one.
fn read_discovery(is_reply: bool, rest: &[u8]) -> Option<Discovery> {
    /// Source and target link-layer address, and their length in units of 8 bytes.
    const OPTIONS: [[u8; 2]; 2] = [[1, 1], [2, 1]];
    let (target, options) = rest.split_first_chunk::<16>()?;
    let mac = options
        .split_first_chunk::<2>()
        .filter(|(header, _)| **header == OPTIONS[usize::from(is_reply)])
        .and_then(|(_, value)| Mac::from_bytes(value.get(..6)?));
    Some(Discovery {
        is_reply,
        target: Ipv6Addr::from(*target),
        mac,
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
            error: IcmpError::V4 {
                kind: kind.0,
                code: icmp.get_icmp_code().0,
            },
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a frame that holds an IPv6 packet of these bytes behind its addresses.
    fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        let mut bytes = [
            &[0; 12][..],
            &[0x86, 0xdd, 0x60, 0, 0, 0],
            &length,
            &[next, 64],
        ]
        .concat();
        bytes.extend([0xfd; 32]);
        bytes.extend(payload);
        bytes
    }

    fn transport(bytes: &[u8]) -> Transport {
        match read(bytes) {
            Content::Ip(packet) => packet.transport,
            _ => Transport::Other,
        }
    }

    #[test]
    fn extension_headers_are_passed_over() {
        let echo = [&[128, 0, 0, 0, 0, 0, 0, 0][..], b"token"].concat();
        let expected = Transport::Echo {
            is_reply: false,
            payload: b"token".to_vec(),
        };
        assert_eq!(transport(&ipv6(58, &echo)), expected);
        let options = [&[58, 0, 5, 2, 0, 0, 1, 0][..], &echo].concat();
        assert_eq!(transport(&ipv6(0, &options)), expected);
        let later_fragment = [&[58, 0, 0, 8, 0, 0, 0, 0][..], &echo].concat();
        assert_eq!(transport(&ipv6(44, &later_fragment)), Transport::Other);
        let cut = [58, 200];
        assert_eq!(transport(&ipv6(0, &cut)), Transport::Other);
    }

    #[test]
    fn an_error_quotes_the_packet_that_it_is_about() {
        let about = &ipv6(17, &[0, 1, 0, 2, 0, 13, 0, 0, b't', b'o', b'k', b'e', b'n'])[14..];
        let error = [&[1, 4, 0, 0, 0, 0, 0, 0][..], about].concat();
        let Transport::Error { error, about } = transport(&ipv6(58, &error)) else {
            panic!("an error");
        };
        assert_eq!(error, IcmpError::V6 { kind: 1, code: 4 });
        let payload = b"token".to_vec();
        assert_eq!(about.unwrap().transport, Transport::Udp { payload });
    }

    /// Writes a frame with a datagram in it, behind a header whose ports say nothing.
    fn datagram(payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len() + 8).unwrap().to_be_bytes();
        ipv6(17, &[&[0, 1, 0, 2][..], &length, &[0, 0], payload].concat())
    }

    #[test]
    fn what_a_tunnel_carries_is_read_whatever_kind_it_is() {
        let echo = ipv6(58, &[&[128, 0, 0, 0, 0, 0, 0, 0][..], b"token"].concat());
        let packet = &echo[ETHERNET_HEADER..];
        let vxlan = [&[0x08, 0, 0, 0, 0, 0, 7, 0][..], &echo].concat();
        // The first byte of a broadcast has the bit of VXLAN.
        let broadcast = [&[0xff; 6][..], &echo[6..]].concat();
        for carried in [packet, &echo, &vxlan, &broadcast] {
            let (_, inner) = read_carried(&datagram(carried)).unwrap();
            assert!(inner.contains(&read(&echo)), "{carried:02x?}");
        }
        assert_eq!(read_carried(&echo), None);
        assert_eq!(read_carried(&datagram(&[])), None);
    }

    #[test]
    fn an_advertisement_may_give_a_hardware_address() {
        let bare = [&[136, 0, 0, 0, 0, 0, 0, 0][..], &[0xfd; 16]].concat();
        let given = [&bare[..], &[2, 1, 2, 0, 0, 0, 0, 9]].concat();
        let target = Ipv6Addr::from([0xfd; 16]);
        for (bytes, mac) in [(bare, None), (given, Some(Mac([2, 0, 0, 0, 0, 9])))] {
            let discovery = Discovery {
                is_reply: true,
                target,
                mac,
            };
            assert_eq!(
                transport(&ipv6(58, &bytes)),
                Transport::Discovery(discovery)
            );
        }
    }
}
