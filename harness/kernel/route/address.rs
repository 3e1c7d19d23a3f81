//! Interface addresses.

use std::net::{IpAddr, Ipv4Addr};

use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressScope,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::{RouteScope, RouteSocket};
use crate::kernel::KernelError;

/// An address of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The index of the interface.
    pub link: u32,
    /// The address itself.
    pub address: IpAddr,
    /// The prefix length in bits.
    pub prefix_len: u8,
    /// The broadcast address, IPv4 only.
    pub broadcast: Option<Ipv4Addr>,
    /// How far the address is valid.
    pub scope: RouteScope,
    /// Another address of the interface has the same prefix and came first.
    pub secondary: bool,
    /// The kernel still has to find out whether it may be used (RFC 4862 section 5.4), IPv6 only.
    pub tentative: bool,
    /// Another node has it, so it is never used, IPv6 only.
    pub refused: bool,
}

fn message(link: u32, address: IpAddr, prefix_len: u8) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.index = link;
    message.header.prefix_len = prefix_len;
    message.header.family = if address.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    };
    // ip-address(8): an address of 127/8 is valid on the host only.
    if address.is_loopback() {
        message.header.scope = AddressScope::Host;
    }
    message.attributes.push(AddressAttribute::Local(address));
    message.attributes.push(AddressAttribute::Address(address));
    message
}

impl RouteSocket {
    /// Reads all addresses, ordered by interface and address.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub async fn addresses(&self) -> Result<Vec<Address>, KernelError> {
        let answers = self
            .dump(RouteNetlinkMessage::GetAddress(AddressMessage::default()))
            .await?;
        let mut addresses: Vec<Address> = answers
            .into_iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewAddress(message) => from_message(&message),
                _ => None,
            })
            .collect();
        addresses.sort_by_key(|address| (address.link, address.address));
        Ok(addresses)
    }

    /// Adds an address; a broadcast address only where one is given, as ip-address(8) does. Nobody is
    /// asked whether an IPv6 address is taken (`nodad`).
    ///
    /// # Errors
    ///
    /// `EEXIST` if the interface has it, `ENODEV` if there is no such interface, `EACCES` for an IPv6
    /// address where IPv6 is off, `EOPNOTSUPP` where the kernel has none.
    pub async fn add_address(
        &self,
        link: &str,
        address: IpAddr,
        prefix_len: u8,
        broadcast: Option<Ipv4Addr>,
    ) -> Result<(), KernelError> {
        let mut message = message(self.link(link).await?.index, address, prefix_len);
        if let Some(broadcast) = broadcast {
            message
                .attributes
                .push(AddressAttribute::Broadcast(broadcast));
        }
        if address.is_ipv6() {
            message
                .attributes
                .push(AddressAttribute::Flags(AddressFlags::Nodad));
        }
        self.change(
            RouteNetlinkMessage::NewAddress(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
        .await
    }

    /// Deletes an address.
    ///
    /// # Errors
    ///
    /// `EADDRNOTAVAIL` if the interface does not have it, `ENODEV` if there is no such interface.
    pub async fn delete_address(
        &self,
        link: &str,
        address: IpAddr,
        prefix_len: u8,
    ) -> Result<(), KernelError> {
        let message = message(self.link(link).await?.index, address, prefix_len);
        self.change(RouteNetlinkMessage::DelAddress(message), 0)
            .await
    }
}

fn from_message(message: &AddressMessage) -> Option<Address> {
    let (mut local, mut address, mut broadcast) = (None, None, None);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(ip) => local = Some(*ip),
            AddressAttribute::Address(ip) => address = Some(*ip),
            AddressAttribute::Broadcast(ip) => broadcast = Some(*ip),
            _ => {}
        }
    }
    let flags = message.header.flags;
    Some(Address {
        link: message.header.index,
        // On a point-to-point interface ADDRESS is the peer's, LOCAL one's own; IPv6 has no LOCAL.
        address: local.or(address)?,
        prefix_len: message.header.prefix_len,
        broadcast,
        scope: RouteScope::from_number(u8::from(message.header.scope)),
        secondary: flags.contains(AddressHeaderFlags::Secondary),
        tentative: flags.contains(AddressHeaderFlags::Tentative),
        refused: flags.contains(AddressHeaderFlags::Dadfailed),
    })
}
