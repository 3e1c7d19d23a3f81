//! Forwarding tables: which hardware address is where, as bridges and VXLAN tunnels see it.

use std::net::IpAddr;

use rtnetlink::packet_core::{NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage,
    NeighbourState as WireState,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::RouteSocket;
use crate::kernel::{KernelError, Mac};

/// `NUD_NOARP` and `NUD_PERMANENT`, linux/neighbour.h: of forwarding tables they are flags.
const NOARP: u16 = 0x40;
const PERMANENT: u16 = 0x80;

/// What bridge(8) calls `static`: `NUD_REACHABLE | NUD_NOARP`.
const STATIC: WireState = WireState::Other(0x42);

/// What it calls `permanent`.
const LOCAL: WireState = WireState::Other(NOARP | PERMANENT);

/// An entry of the forwarding table of a bridge or of a tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FdbEntry {
    /// The index of the interface that frames for the address leave by.
    pub link: u32,
    /// The hardware address.
    pub mac: Mac,
    /// The index of the bridge whose table it is; none for that of a tunnel.
    pub bridge: Option<u32>,
    /// The other end of the tunnel.
    pub remote: Option<IpAddr>,
    /// The VLAN that it is about.
    pub vlan: Option<u16>,
    /// What the kernel thinks of it.
    pub state: FdbState,
}

/// How an address came into a forwarding table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FdbState {
    /// Frames came from there.
    Learned,
    /// Set by hand: frames for it go there, and it does not age.
    Static,
    /// Set for the interface itself, such as its own address: of a bridge, frames for it are taken
    /// in; of a tunnel, it is `Static` by another name.
    Permanent,
}

/// An entry to be added or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewFdbEntry<'a> {
    /// The hardware address.
    pub mac: Mac,
    /// The port of a bridge, or the end of a tunnel.
    pub link: &'a str,
    /// The other end of the tunnel; none is an entry of the bridge that the interface is a port of.
    pub remote: Option<IpAddr>,
}

impl RouteSocket {
    /// Reads the forwarding tables of all bridges and tunnels. What interfaces filter by themselves,
    /// such as multicast, is not among it.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub async fn fdb(&self) -> Result<Vec<FdbEntry>, KernelError> {
        let mut question = NeighbourMessage::default();
        question.header.family = AddressFamily::Bridge;
        let answers = self
            .dump(RouteNetlinkMessage::GetNeighbour(question))
            .await?;
        Ok(answers
            .into_iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewNeighbour(message) => from_message(&message),
                _ => None,
            })
            .collect())
    }

    /// Adds an entry; with `append`, one more for an address that has some.
    ///
    /// # Errors
    ///
    /// `EEXIST` if the address has one, `ENODEV` if there is no such interface, `EINVAL` if it is no
    /// port, `EOPNOTSUPP` if it is no tunnel.
    pub async fn add_fdb(&self, entry: NewFdbEntry<'_>, append: bool) -> Result<(), KernelError> {
        let mut message = self.fdb_message(entry).await?;
        // As bridge(8): `master static` at a port, and permanent at a tunnel.
        message.header.state = match entry.remote {
            None => STATIC,
            Some(_) => LOCAL,
        };
        let how = if append { NLM_F_APPEND } else { NLM_F_EXCL };
        self.change(
            RouteNetlinkMessage::NewNeighbour(message),
            NLM_F_CREATE | how,
        )
        .await
    }

    /// Deletes an entry.
    ///
    /// # Errors
    ///
    /// `ENOENT` if there is none such, `ENODEV` if there is no such interface.
    pub async fn delete_fdb(&self, entry: NewFdbEntry<'_>) -> Result<(), KernelError> {
        let mut message = self.fdb_message(entry).await?;
        message.header.state = LOCAL;
        self.change(RouteNetlinkMessage::DelNeighbour(message), 0)
            .await
    }

    async fn fdb_message(&self, entry: NewFdbEntry<'_>) -> Result<NeighbourMessage, KernelError> {
        let mut message = NeighbourMessage::default();
        message.header.family = AddressFamily::Bridge;
        message.header.ifindex = self.link(entry.link).await?.index;
        message.header.flags = match entry.remote {
            None => NeighbourFlags::Controller,
            Some(_) => NeighbourFlags::Own,
        };
        message
            .attributes
            .push(NeighbourAttribute::LinkLayerAddress(entry.mac.0.to_vec()));
        message.attributes.extend(
            entry
                .remote
                .map(|remote| NeighbourAttribute::Destination(remote.into())),
        );
        Ok(message)
    }
}

fn from_message(message: &NeighbourMessage) -> Option<FdbEntry> {
    let header = &message.header;
    let (mut mac, mut bridge, mut remote, mut vlan) = (None, None, None, None);
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::LinkLayerAddress(bytes) => mac = Mac::from_bytes(bytes),
            NeighbourAttribute::Controller(index) => bridge = Some(*index),
            NeighbourAttribute::Vlan(id) => vlan = Some(*id),
            NeighbourAttribute::Destination(address) => remote = ip_of(address),
            _ => {}
        }
    }
    if bridge.is_none() && remote.is_none() {
        return None;
    }
    Some(FdbEntry {
        link: header.ifindex,
        mac: mac?,
        bridge,
        remote,
        vlan,
        state: match u16::from(header.state) {
            state if state & PERMANENT != 0 => FdbState::Permanent,
            state if state & NOARP != 0 => FdbState::Static,
            _ => FdbState::Learned,
        },
    })
}

/// The crate does not know which addresses a table of hardware addresses leads to.
fn ip_of(address: &NeighbourAddress) -> Option<IpAddr> {
    match address {
        NeighbourAddress::Inet(ip) => Some((*ip).into()),
        NeighbourAddress::Inet6(ip) => Some((*ip).into()),
        NeighbourAddress::Other(bytes) => {
            let v4 = <[u8; 4]>::try_from(bytes.as_slice()).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(bytes.as_slice()).map(IpAddr::from))
                .ok()
        }
        _ => None,
    }
}
