//! ARP requests, RFC 826.

use std::net::Ipv4Addr;

use nix::errno::Errno;
use pnet::packet::Packet as _;
use pnet::packet::arp::{ArpHardwareTypes, ArpOperations, MutableArpPacket};
use pnet::packet::ethernet::{EtherTypes, MutableEthernetPacket};
use pnet::util::MacAddr;

use crate::kernel::Mac;

const ETHERNET_HEADER: usize = 14;
const ARP_LENGTH: usize = 28;

/// An ARP request for `target`, from an interface's own addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::observe) struct ArpProbe {
    pub(in crate::observe) mac: Mac,
    pub(in crate::observe) sender: Ipv4Addr,
    pub(in crate::observe) target: Ipv4Addr,
}

impl ArpProbe {
    /// Builds the frame.
    pub(in crate::observe) fn frame(&self) -> Result<Vec<u8>, Errno> {
        let [a, b, c, d, e, f] = self.mac.0;
        let mac = MacAddr::new(a, b, c, d, e, f);
        let mut bytes = vec![0; ETHERNET_HEADER + ARP_LENGTH];
        // The buffers are as long as the packets, so there is always a packet in them.
        let mut frame = MutableEthernetPacket::new(&mut bytes).ok_or(Errno::EINVAL)?;
        frame.set_destination(MacAddr::broadcast());
        frame.set_source(mac);
        frame.set_ethertype(EtherTypes::Arp);
        let mut body = vec![0; ARP_LENGTH];
        let mut arp = MutableArpPacket::new(&mut body).ok_or(Errno::EINVAL)?;
        arp.set_hardware_type(ArpHardwareTypes::Ethernet);
        arp.set_protocol_type(EtherTypes::Ipv4);
        arp.set_hw_addr_len(6);
        arp.set_proto_addr_len(4);
        arp.set_operation(ArpOperations::Request);
        arp.set_sender_hw_addr(mac);
        arp.set_sender_proto_addr(self.sender);
        arp.set_target_proto_addr(self.target);
        frame.set_payload(arp.packet());
        Ok(bytes)
    }
}
