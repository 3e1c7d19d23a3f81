//! Neighbour solicitations, RFC 4861 section 4.3.

use std::net::Ipv6Addr;

use nix::errno::Errno;
use pnet::packet::ethernet::{EtherTypes, MutableEthernetPacket};
use pnet::packet::icmpv6::{Icmpv6Packet, Icmpv6Types, checksum};
use pnet::packet::ip::IpNextHeaderProtocols;
use pnet::packet::ipv6::MutableIpv6Packet;
use pnet::util::MacAddr;

use crate::kernel::Mac;

const ETHERNET_HEADER: usize = 14;
const IPV6_HEADER: usize = 40;
/// Routers pass nothing on with it, and receivers take nothing else, RFC 4861 section 7.1.1.
const HOP_LIMIT: u8 = 255;

/// A neighbour solicitation for `target`, from an interface's own addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::observe) struct NdpProbe {
    pub(in crate::observe) mac: Mac,
    pub(in crate::observe) sender: Ipv6Addr,
    pub(in crate::observe) target: Ipv6Addr,
}

impl NdpProbe {
    /// Builds the frame.
    pub(in crate::observe) fn frame(&self) -> Result<Vec<u8>, Errno> {
        /// Source link-layer address, of 8 bytes.
        const SOURCE_OPTION: [u8; 2] = [1, 1];
        let (group, group_mac) = solicited_node(self.target);
        let mut body = vec![Icmpv6Types::NeighborSolicit.0, 0, 0, 0, 0, 0, 0, 0];
        body.extend(self.target.octets());
        // Whoever has no address must not give a hardware address either.
        if !self.sender.is_unspecified() {
            body.extend(SOURCE_OPTION);
            body.extend(self.mac.0);
        }
        // The buffers are as long as the packets, so there is always a packet in them.
        let unsummed = Icmpv6Packet::new(&body).ok_or(Errno::EINVAL)?;
        let sum = checksum(&unsummed, &self.sender, &group).to_be_bytes();
        body[2..4].copy_from_slice(&sum);

        let mut packet = vec![0; IPV6_HEADER + body.len()];
        let mut header = MutableIpv6Packet::new(&mut packet).ok_or(Errno::EINVAL)?;
        header.set_version(6);
        header.set_payload_length(body.len() as u16);
        header.set_next_header(IpNextHeaderProtocols::Icmpv6);
        header.set_hop_limit(HOP_LIMIT);
        header.set_source(self.sender);
        header.set_destination(group);
        header.set_payload(&body);

        let mut bytes = vec![0; ETHERNET_HEADER + packet.len()];
        let mut frame = MutableEthernetPacket::new(&mut bytes).ok_or(Errno::EINVAL)?;
        let mac = |Mac([a, b, c, d, e, f])| MacAddr::new(a, b, c, d, e, f);
        frame.set_destination(mac(group_mac));
        frame.set_source(mac(self.mac));
        frame.set_ethertype(EtherTypes::Ipv6);
        frame.set_payload(&packet);
        Ok(bytes)
    }
}

/// Returns the group that everyone with such an address hears, RFC 4291 section 2.7.1, and the
/// hardware address of the group, RFC 2464 section 7.
fn solicited_node(target: Ipv6Addr) -> (Ipv6Addr, Mac) {
    let [.., x, y, z] = target.octets();
    let low = u16::from_be_bytes([y, z]);
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(x), low);
    (group, Mac([0x33, 0x33, 0xff, x, y, z]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::frame::{Content, Discovery, Transport, read};

    #[test]
    fn a_solicitation_is_read_as_one() {
        let probe = NdpProbe {
            mac: Mac([2, 0, 0, 0, 0, 1]),
            sender: "fd00::1".parse().unwrap(),
            target: "fd00::aa:bbcc".parse().unwrap(),
        };
        let bytes = probe.frame().unwrap();
        assert_eq!(bytes[..6], [0x33, 0x33, 0xff, 0xaa, 0xbb, 0xcc]);
        let Content::Ip(packet) = read(&bytes) else {
            panic!("a packet");
        };
        assert_eq!(packet.destination.to_string(), "ff02::1:ffaa:bbcc");
        let expected = Discovery {
            is_reply: false,
            target: probe.target,
            mac: Some(probe.mac),
        };
        assert_eq!(packet.transport, Transport::Discovery(expected));
        let sender = Ipv6Addr::UNSPECIFIED;
        let nobody = NdpProbe { sender, ..probe }.frame().unwrap();
        assert_eq!(nobody.len() + 8, bytes.len());
    }
}
