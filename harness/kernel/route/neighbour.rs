//! The neighbour tables (ARP, and neighbour discovery of IPv6), and how patient they are.

use std::net::IpAddr;

use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage,
    NeighbourState as WireState,
};
use rtnetlink::packet_route::neighbour_table::{
    NeighbourTableAttribute, NeighbourTableMessage, NeighbourTableParameter,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::{RouteSocket, lost};
use crate::kernel::{KernelError, Mac};

/// Longer than any world lives.
const NEVER_MS: u64 = 3_600_000;

/// An entry of the neighbour table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// The index of the interface.
    pub link: u32,
    /// The neighbour's address.
    pub address: IpAddr,
    /// Its hardware address, once known.
    pub mac: Option<Mac>,
    /// What the kernel thinks of it.
    pub state: NeighbourState,
}

/// The state of a neighbour, with the states that only time tells apart folded into one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NeighbourState {
    /// The kernel asks for its hardware address; packets for it wait.
    Incomplete,
    /// The hardware address is known (reachable, stale, delay and probe).
    Reachable,
    /// Nobody answered.
    Failed,
    /// Set by hand.
    Permanent,
    /// Needs no hardware address, as on `lo`.
    NoArp,
    /// No neighbour: the node itself answers requests for the address, in place of somebody else.
    Proxy,
}

/// The neighbour tables of the machine, that of IPv4 and that of IPv6 taken together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeighbourTable {
    /// How often there was no room for one more neighbour (`table_fulls`).
    pub overflows: u64,
    /// From how many on the kernel throws neighbours away (`gc_thresh2`, arp(7)); the lower of both.
    pub soft_limit: u32,
}

impl NeighbourState {
    /// Returns the word that facts show.
    pub fn word(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::Reachable => "reachable",
            Self::Failed => "failed",
            Self::Permanent => "permanent",
            Self::NoArp => "noarp",
            Self::Proxy => "proxy",
        }
    }
}

impl Neighbour {
    pub(super) fn from_message(message: &NeighbourMessage) -> Option<Self> {
        let (mut address, mut mac) = (None, None);
        for attribute in &message.attributes {
            match attribute {
                NeighbourAttribute::Destination(NeighbourAddress::Inet(ip)) => {
                    address = Some(IpAddr::from(*ip));
                }
                NeighbourAttribute::Destination(NeighbourAddress::Inet6(ip)) => {
                    address = Some(IpAddr::from(*ip));
                }
                NeighbourAttribute::LinkLayerAddress(bytes) => mac = Mac::from_bytes(bytes),
                _ => {}
            }
        }
        Some(Self {
            link: message.header.ifindex,
            address: address?,
            mac,
            state: match message.header.state {
                _ if message.header.flags.contains(NeighbourFlags::Proxy) => NeighbourState::Proxy,
                WireState::Incomplete => NeighbourState::Incomplete,
                WireState::Failed | WireState::None => NeighbourState::Failed,
                WireState::Permanent => NeighbourState::Permanent,
                WireState::Noarp => NeighbourState::NoArp,
                _ => NeighbourState::Reachable,
            },
        })
    }
}

impl RouteSocket {
    /// Reads the neighbour tables of IPv4 and IPv6, ordered by interface and address.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub async fn neighbours(&self) -> Result<Vec<Neighbour>, KernelError> {
        self.neighbours_with(NeighbourFlags::empty()).await
    }

    /// Reads the IPv4 addresses that the node answers for in place of others, by entries of their
    /// own, ordered by interface and address.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub async fn proxied(&self) -> Result<Vec<Neighbour>, KernelError> {
        self.neighbours_with(NeighbourFlags::Proxy).await
    }

    async fn neighbours_with(&self, flags: NeighbourFlags) -> Result<Vec<Neighbour>, KernelError> {
        let mut question = NeighbourMessage::default();
        question.header.family = AddressFamily::Unspec;
        question.header.flags = flags;
        let answers = self
            .dump(RouteNetlinkMessage::GetNeighbour(question))
            .await?;
        let mut neighbours: Vec<Neighbour> = answers
            .into_iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewNeighbour(message) => Neighbour::from_message(&message),
                _ => None,
            })
            .collect();
        neighbours.sort_by_key(|neighbour| (neighbour.link, neighbour.address));
        Ok(neighbours)
    }

    /// Adds a neighbour by hand, permanently; with no hardware address, one that the node answers
    /// for in place of somebody else.
    ///
    /// # Errors
    ///
    /// `EEXIST` if the neighbour is known, `ENODEV` if there is no such interface.
    pub async fn add_neighbour(
        &self,
        link: &str,
        address: IpAddr,
        mac: Option<Mac>,
    ) -> Result<(), KernelError> {
        let mut message = self.neighbour(link, address, mac.is_none()).await?;
        message.header.state = WireState::Permanent;
        message
            .attributes
            .extend(mac.map(|mac| NeighbourAttribute::LinkLayerAddress(mac.0.to_vec())));
        self.change(
            RouteNetlinkMessage::NewNeighbour(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
        .await
    }

    /// Deletes a neighbour, or one that the node answers for.
    ///
    /// # Errors
    ///
    /// `ENOENT` if there is none such, `ENODEV` if there is no such interface.
    pub async fn delete_neighbour(
        &self,
        link: &str,
        address: IpAddr,
        proxied: bool,
    ) -> Result<(), KernelError> {
        let message = self.neighbour(link, address, proxied).await?;
        self.change(RouteNetlinkMessage::DelNeighbour(message), 0)
            .await
    }

    async fn neighbour(
        &self,
        link: &str,
        address: IpAddr,
        proxied: bool,
    ) -> Result<NeighbourMessage, KernelError> {
        let mut message = NeighbourMessage::default();
        message.header.family = match address {
            IpAddr::V4(_) => AddressFamily::Inet,
            IpAddr::V6(_) => AddressFamily::Inet6,
        };
        message.header.ifindex = self.link(link).await?.index;
        if proxied {
            message.header.flags = NeighbourFlags::Proxy;
        }
        let destination = NeighbourAttribute::Destination(address.into());
        message.attributes.push(destination);
        Ok(message)
    }

    /// Reads what the kernel says of its neighbour tables as a whole, that of IPv4 and that of IPv6.
    /// They are the machine's: all its namespaces share them.
    ///
    /// # Errors
    ///
    /// The kernel's refusal, or `EIO` where it does not say.
    pub async fn neighbour_table(&self) -> Result<NeighbourTable, KernelError> {
        let mut question = NeighbourTableMessage::default();
        question.header.family = AddressFamily::Unspec;
        let answers = self
            .dump(RouteNetlinkMessage::GetNeighbourTable(question))
            .await?;
        let (mut overflows, mut soft_limit) = (None, None);
        for answer in answers {
            let RouteNetlinkMessage::NewNeighbourTable(message) = answer else {
                continue;
            };
            for attribute in message.attributes {
                match attribute {
                    NeighbourTableAttribute::Stats(stats) => {
                        overflows = Some(overflows.unwrap_or(0) + stats.table_fulls);
                    }
                    NeighbourTableAttribute::Threshold2(limit) => {
                        soft_limit = Some(soft_limit.map_or(limit, |least| limit.min(least)));
                    }
                    _ => {}
                }
            }
        }
        match (overflows, soft_limit) {
            (Some(overflows), Some(soft_limit)) => Ok(NeighbourTable {
                overflows,
                soft_limit,
            }),
            _ => Err(lost(
                "the kernel does not say how full the neighbour table is",
            )),
        }
    }

    /// Sets how long the kernel waits on one interface for an answer to ARP, or with `ipv6` to
    /// neighbour discovery: `retrans_ms` milliseconds for each of `probes` requests, arp(7). It answers
    /// at once what it answers in place of others, and for anycast addresses: with a delay such requests
    /// wait in a queue that nothing shows (`pneigh_enqueue`, net/core/neighbour.c). And it does not ask
    /// again for a neighbour that it knows (`delay_first_probe_time`).
    ///
    /// The same settings under `/proc/sys/net/ipv4/neigh` are hidden inside a user namespace, and
    /// those of the table itself cannot be set there at all (`ENOENT`).
    ///
    /// # Errors
    ///
    /// `ENOENT` if there is no such interface.
    pub async fn set_neighbour_patience(
        &self,
        link: u32,
        ipv6: bool,
        retrans_ms: u64,
        probes: u32,
    ) -> Result<(), KernelError> {
        let mut message = NeighbourTableMessage::default();
        let (family, table) = if ipv6 {
            (AddressFamily::Inet6, "ndisc_cache")
        } else {
            (AddressFamily::Inet, "arp_cache")
        };
        message.header.family = family;
        message
            .attributes
            .push(NeighbourTableAttribute::Name(table.to_owned()));
        message.attributes.push(NeighbourTableAttribute::Parms(vec![
            NeighbourTableParameter::Ifindex(link),
            NeighbourTableParameter::RetransTime(retrans_ms),
            NeighbourTableParameter::McastProbes(probes),
            NeighbourTableParameter::ProxyDelay(0),
            NeighbourTableParameter::DelayProbeTime(NEVER_MS),
        ]));
        self.change(RouteNetlinkMessage::SetNeighbourTable(message), 0)
            .await
    }
}
