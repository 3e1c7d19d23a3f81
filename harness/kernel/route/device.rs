//! Kinds of links and what is particular to each: bridges, their ports, and what stands on other
//! links.

use std::net::IpAddr;

use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{
    BridgeStpState, InfoBridge, InfoBridgePort, InfoData, InfoKind, InfoMacVlan, InfoPortData,
    InfoPortKind, InfoVlan, InfoVxlan, LinkAttribute, MacVlanMode,
};
use rtnetlink::{LinkMessageBuilder, LinkUnspec};

use super::link::{PortState, named};
use super::{RouteSocket, lost};
use crate::kernel::{KernelError, Mac};

/// The kernel tells times of bridges in hundredths of a second (`USER_HZ`).
const USER_HZ: u32 = 100;

/// Has the broadcasts for macvlan interfaces processed at once, not by a work queue; linux/if_link.h
/// calls it `IFLA_MACVLAN_BC_CUTOFF`, `ip link` calls it `bclim`.
const NO_BROADCAST_QUEUE: i32 = -1;

/// What is particular to the kind of a link.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Particulars {
    /// Nothing that is known here.
    #[default]
    None,
    /// Of a bridge.
    Bridge(BridgeSettings),
    /// Of a macvlan interface.
    Macvlan(MacvlanSettings),
    /// Of the interface of a VLAN: its number.
    Vlan(u16),
    /// Of the end of a VXLAN tunnel.
    Vxlan(VxlanSettings),
}

/// A macvlan interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MacvlanSettings {
    /// The mode, in the words of `ip link`.
    pub mode: &'static str,
    /// What goes to many waits in a work queue of the interface below: `bclim` is not -1.
    pub queues: bool,
}

/// Options of a bridge: all that the kernel tells, or those that are to change. Times are in
/// seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BridgeSettings {
    /// The spanning tree protocol.
    pub stp: Option<bool>,
    /// How long an address that was learned is kept.
    pub ageing: Option<u32>,
    /// How long a port listens, and again learns, before it forwards.
    pub forward_delay: Option<u32>,
    /// Whether ports belong to VLANs.
    pub vlan_filtering: Option<bool>,
    /// Whether multicast goes only where somebody asked for it.
    pub multicast_snooping: Option<bool>,
    /// What it is called by other bridges: a priority and a hardware address. It is only read.
    pub id: Option<(u16, Mac)>,
}

/// Options of a bridge port: all that the kernel tells, or those that are to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PortSettings {
    /// Exchanges frames only with ports that are not isolated.
    pub isolated: Option<bool>,
    /// The bridge learns addresses from it.
    pub learning: Option<bool>,
    /// Frames for unknown addresses go out of it.
    pub flood: Option<bool>,
    /// Frames may go out of the port that they came in by.
    pub hairpin: Option<bool>,
    /// How far it is to get; only to change. The kernel tells it as the state of the port.
    pub stage: Option<PortState>,
}

/// The end of a VXLAN tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VxlanSettings {
    /// The segment.
    pub id: u32,
    /// The other end, where nothing better was learned.
    pub remote: Option<IpAddr>,
    /// The source address.
    pub local: Option<IpAddr>,
    /// The UDP port of both ends.
    pub port: Option<u16>,
}

/// A link that can be made by [`RouteSocket::add_link`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewLink<'a> {
    /// A bridge.
    Bridge(BridgeSettings),
    /// An interface that goes nowhere.
    Dummy,
    /// An interface that a queue can be put on.
    Ifb,
    /// One more station on the interface below, with the mode in the words of `ip link`.
    Macvlan {
        /// The interface below.
        lower: &'a str,
        /// `private`, `vepa`, `bridge` or `passthru`.
        mode: &'static str,
    },
    /// A VLAN of the interface below.
    Vlan {
        /// The interface below.
        lower: &'a str,
        /// The VLAN.
        id: u16,
    },
    /// The end of a tunnel.
    Vxlan {
        /// Its settings.
        settings: VxlanSettings,
        /// The interface that the tunnel goes through.
        lower: Option<&'a str>,
    },
}

const MACVLAN_MODES: &[(MacVlanMode, &str)] = &[
    (MacVlanMode::Private, "private"),
    (MacVlanMode::Vepa, "vepa"),
    (MacVlanMode::Bridge, "bridge"),
    (MacVlanMode::Passthrough, "passthru"),
];

impl BridgeSettings {
    fn attributes(self) -> Vec<InfoBridge> {
        let stp = |on| match on {
            true => BridgeStpState::KernelStp,
            false => BridgeStpState::Disabled,
        };
        [
            // The delay first: with STP on, the kernel takes only what the standard allows.
            self.forward_delay
                .map(|seconds| InfoBridge::ForwardDelay(seconds * USER_HZ)),
            self.ageing
                .map(|seconds| InfoBridge::AgeingTime(seconds * USER_HZ)),
            self.stp.map(|on| InfoBridge::StpState(stp(on))),
            self.vlan_filtering.map(InfoBridge::VlanFiltering),
            self.multicast_snooping.map(InfoBridge::MulticastSnooping),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn read(attributes: &[InfoBridge]) -> Self {
        let mut settings = Self::default();
        for attribute in attributes {
            match attribute {
                InfoBridge::StpState(state) => {
                    settings.stp = Some(*state != BridgeStpState::Disabled);
                }
                InfoBridge::AgeingTime(time) => settings.ageing = Some(time / USER_HZ),
                InfoBridge::ForwardDelay(time) => settings.forward_delay = Some(time / USER_HZ),
                InfoBridge::VlanFiltering(on) => settings.vlan_filtering = Some(*on),
                InfoBridge::MulticastSnooping(on) => settings.multicast_snooping = Some(*on),
                InfoBridge::BridgeId(id) => settings.id = Some((id.priority, Mac(id.address))),
                _ => {}
            }
        }
        settings
    }

    /// Returns the first option of these that `is` does not have, in the words of `ip link`: a
    /// kernel that was built without it takes it and says nothing.
    pub fn not_kept(&self, is: &Self) -> Option<&'static str> {
        [
            ("stp_state", self.stp.is_some() && self.stp != is.stp),
            (
                "ageing_time",
                self.ageing.is_some() && self.ageing != is.ageing,
            ),
            (
                "forward_delay",
                self.forward_delay.is_some() && self.forward_delay != is.forward_delay,
            ),
            (
                "vlan_filtering",
                self.vlan_filtering.is_some() && self.vlan_filtering != is.vlan_filtering,
            ),
            (
                "mcast_snooping",
                self.multicast_snooping.is_some()
                    && self.multicast_snooping != is.multicast_snooping,
            ),
        ]
        .into_iter()
        .find_map(|(word, differs)| differs.then_some(word))
    }
}

impl PortSettings {
    fn attributes(self) -> Vec<InfoBridgePort> {
        [
            self.isolated.map(InfoBridgePort::Isolated),
            self.learning.map(InfoBridgePort::Learning),
            self.flood.map(InfoBridgePort::UnicastFlood),
            self.hairpin.map(InfoBridgePort::HairpinMode),
            self.stage.map(|stage| InfoBridgePort::State(stage.into())),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    pub(super) fn read(&mut self, attribute: &InfoBridgePort) {
        match attribute {
            InfoBridgePort::Isolated(on) => self.isolated = Some(*on),
            InfoBridgePort::Learning(on) => self.learning = Some(*on),
            InfoBridgePort::UnicastFlood(on) => self.flood = Some(*on),
            InfoBridgePort::HairpinMode(on) => self.hairpin = Some(*on),
            _ => {}
        }
    }

    /// Returns the first option of these that `is` does not have, in the words of `bridge link`.
    pub fn not_kept(&self, is: &Self) -> Option<&'static str> {
        let differs = |wanted: Option<bool>, is| wanted.is_some() && wanted != is;
        [
            ("isolated", differs(self.isolated, is.isolated)),
            ("learning", differs(self.learning, is.learning)),
            ("flood", differs(self.flood, is.flood)),
            ("hairpin", differs(self.hairpin, is.hairpin)),
        ]
        .into_iter()
        .find_map(|(word, differs)| differs.then_some(word))
    }
}

impl MacvlanSettings {
    fn read(attributes: &[InfoMacVlan]) -> Option<Self> {
        let mode = attributes.iter().find_map(|attribute| match attribute {
            InfoMacVlan::Mode(mode) => MACVLAN_MODES.iter().find(|(of, _)| of == mode),
            _ => None,
        });
        // Told only where it is not 1, and by no kernel before Linux 6.4, which always has the queue.
        let queues = !attributes.contains(&InfoMacVlan::BcCutoff(NO_BROADCAST_QUEUE));
        mode.map(|(_, mode)| Self { mode, queues })
    }
}

impl Particulars {
    /// Tells whether it is a macvlan interface that no other one of the same interface below hears.
    pub fn is_private_macvlan(&self) -> bool {
        matches!(self, Self::Macvlan(settings) if settings.mode == "private")
    }

    /// Tells whether it is a macvlan interface with a work queue for what goes to many.
    pub fn has_queue(&self) -> bool {
        matches!(self, Self::Macvlan(settings) if settings.queues)
    }

    pub(super) fn read(data: &InfoData) -> Self {
        match data {
            InfoData::Bridge(attributes) => Self::Bridge(BridgeSettings::read(attributes)),
            InfoData::MacVlan(attributes) => {
                MacvlanSettings::read(attributes).map_or(Self::None, Self::Macvlan)
            }
            InfoData::Vlan(attributes) => attributes
                .iter()
                .find_map(|attribute| match attribute {
                    InfoVlan::Id(id) => Some(*id),
                    _ => None,
                })
                .map_or(Self::None, Self::Vlan),
            InfoData::Vxlan(attributes) => {
                let mut settings = VxlanSettings::default();
                for attribute in attributes {
                    match attribute {
                        InfoVxlan::Id(id) => settings.id = *id,
                        InfoVxlan::Group(address) => settings.remote = Some((*address).into()),
                        InfoVxlan::Group6(address) => settings.remote = Some((*address).into()),
                        InfoVxlan::Local(address) => settings.local = Some((*address).into()),
                        InfoVxlan::Local6(address) => settings.local = Some((*address).into()),
                        InfoVxlan::Port(port) => settings.port = Some(*port),
                        _ => {}
                    }
                }
                Self::Vxlan(settings)
            }
            _ => Self::None,
        }
    }
}

impl RouteSocket {
    /// Makes a link; it is down. A bridge takes the address of a port, whatever else has `mac`.
    ///
    /// # Errors
    ///
    /// `EEXIST` if the name is taken, `ENODEV` if there is no interface below, `EOPNOTSUPP` if the
    /// kernel does not have the kind.
    pub async fn add_link(
        &self,
        name: &str,
        mac: Option<Mac>,
        new: NewLink<'_>,
    ) -> Result<(), KernelError> {
        let (kind, data, lower) = match new {
            NewLink::Bridge(settings) => {
                let attributes = settings.attributes();
                let data = (!attributes.is_empty()).then_some(InfoData::Bridge(attributes));
                (InfoKind::Bridge, data, None)
            }
            NewLink::Dummy => (InfoKind::Dummy, None, None),
            NewLink::Ifb => (InfoKind::Ifb, None, None),
            NewLink::Macvlan { lower, mode } => {
                let (mode, _) = MACVLAN_MODES
                    .iter()
                    .find(|(_, word)| *word == mode)
                    .ok_or_else(|| lost("no mode of macvlan"))?;
                let attributes = vec![
                    InfoMacVlan::Mode(*mode),
                    InfoMacVlan::BcCutoff(NO_BROADCAST_QUEUE),
                ];
                let data = Some(InfoData::MacVlan(attributes));
                (InfoKind::MacVlan, data, Some(lower))
            }
            NewLink::Vlan { lower, id } => {
                let data = Some(InfoData::Vlan(vec![InfoVlan::Id(id)]));
                (InfoKind::Vlan, data, Some(lower))
            }
            NewLink::Vxlan { settings, lower } => {
                let mut attributes = vec![InfoVxlan::Id(settings.id)];
                attributes.extend(settings.remote.map(|address| match address {
                    IpAddr::V4(address) => InfoVxlan::Group(address),
                    IpAddr::V6(address) => InfoVxlan::Group6(address),
                }));
                attributes.extend(settings.local.map(|address| match address {
                    IpAddr::V4(address) => InfoVxlan::Local(address),
                    IpAddr::V6(address) => InfoVxlan::Local6(address),
                }));
                attributes.extend(settings.port.map(InfoVxlan::Port));
                if let Some(lower) = lower {
                    attributes.push(InfoVxlan::Link(self.link(lower).await?.index));
                }
                (InfoKind::Vxlan, Some(InfoData::Vxlan(attributes)), None)
            }
        };
        let mut link = LinkMessageBuilder::<LinkUnspec>::new_with_info_kind(kind).name(name);
        if let Some(mac) = mac {
            link = link.address(mac.0.to_vec());
        }
        if let Some(data) = data {
            link = link.set_info_data(data);
        }
        if let Some(lower) = lower {
            link = link.link(self.link(lower).await?.index);
        }
        self.change(
            RouteNetlinkMessage::NewLink(link.build()),
            NLM_F_CREATE | NLM_F_EXCL,
        )
        .await
    }

    /// Changes options of a bridge.
    ///
    /// # Errors
    ///
    /// `ENODEV` if there is none of that name, `EOPNOTSUPP` if it is no bridge, `ERANGE` where the
    /// standard does not allow a value.
    pub async fn set_bridge(&self, name: &str, to: BridgeSettings) -> Result<(), KernelError> {
        let message = LinkMessageBuilder::<LinkUnspec>::new_with_info_kind(InfoKind::Bridge)
            .name(name)
            .set_info_data(InfoData::Bridge(to.attributes()))
            .build();
        self.change(RouteNetlinkMessage::NewLink(message), 0).await
    }

    /// Has what goes to many processed at once at a macvlan interface, not in a work queue. A kernel
    /// before Linux 6.4 does not know the option, and says nothing.
    ///
    /// # Errors
    ///
    /// `ENODEV` if there is none of that name.
    pub async fn set_macvlan_at_once(&self, name: &str) -> Result<(), KernelError> {
        let at_once = InfoData::MacVlan(vec![InfoMacVlan::BcCutoff(NO_BROADCAST_QUEUE)]);
        let message = LinkMessageBuilder::<LinkUnspec>::new_with_info_kind(InfoKind::MacVlan)
            .name(name)
            .set_info_data(at_once)
            .build();
        self.change(RouteNetlinkMessage::NewLink(message), 0).await
    }

    /// Changes options of a bridge port.
    ///
    /// # Errors
    ///
    /// `ENODEV` if there is none of that name, `EOPNOTSUPP` if it is no port.
    pub async fn set_bridge_port(&self, name: &str, to: PortSettings) -> Result<(), KernelError> {
        let message = named(name)
            .set_port_kind(InfoPortKind::Bridge)
            .set_port_data(InfoPortData::BridgePort(to.attributes()))
            .build();
        self.change(RouteNetlinkMessage::NewLink(message), 0).await
    }

    /// Gives an interface another name.
    ///
    /// # Errors
    ///
    /// `ENODEV` if there is none of that name, `EEXIST` if the other is taken.
    pub async fn rename_link(&self, name: &str, to: &str) -> Result<(), KernelError> {
        let index = self.link(name).await?.index;
        let message = LinkUnspec::new_with_index(index).name(to).build();
        self.change(RouteNetlinkMessage::SetLink(message), 0).await
    }

    /// Sets the largest packet of an interface in bytes.
    ///
    /// # Errors
    ///
    /// `ENODEV` if there is none of that name, `EINVAL` if the kind does not take it.
    pub async fn set_link_mtu(&self, name: &str, mtu: u32) -> Result<(), KernelError> {
        let message = named(name).mtu(mtu).build();
        self.change(RouteNetlinkMessage::SetLink(message), 0).await
    }

    /// Sets the hardware address of an interface.
    ///
    /// # Errors
    ///
    /// `ENODEV` if there is none of that name, `EADDRNOTAVAIL` if no station can have the address.
    pub async fn set_link_mac(&self, name: &str, mac: Mac) -> Result<(), KernelError> {
        let mut message = named(name).build();
        message
            .attributes
            .push(LinkAttribute::Address(mac.0.to_vec()));
        self.change(RouteNetlinkMessage::SetLink(message), 0).await
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::at_once(Some(-1), false)]
    #[case::as_it_is_made(None, true)]
    #[case::all_of_it(Some(0), true)]
    #[case::of_many(Some(5), true)]
    fn a_macvlan_interface_has_a_queue_unless_it_says_otherwise(
        #[case] told: Option<i32>,
        #[case] queues: bool,
    ) {
        let mut attributes = vec![InfoMacVlan::Mode(MacVlanMode::Vepa)];
        attributes.extend(told.map(InfoMacVlan::BcCutoff));
        let read = Particulars::read(&InfoData::MacVlan(attributes));
        let mode = "vepa";
        assert_eq!(read, Particulars::Macvlan(MacvlanSettings { mode, queues }));
        assert_eq!(read.has_queue(), queues);
    }
}
