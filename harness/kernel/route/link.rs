//! Links: network interfaces.

use std::os::fd::{AsRawFd, BorrowedFd};

use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::link::{
    BridgePortState, InfoBridgePort, InfoData, InfoKind, InfoPortData, InfoVeth, LinkAttribute,
    LinkFlags, LinkInfo, LinkLayerType, LinkMessage, State,
};
use rtnetlink::packet_route::nsid::{NsidAttribute, NsidMessage};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::{LinkMessageBuilder, LinkUnspec, LinkVeth};

use super::device::{Particulars, PortSettings};
use super::{RouteSocket, lost};
use crate::kernel::{KernelError, Mac};

/// A network interface as the kernel shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The number of the interface in its namespace.
    pub index: u32,
    /// The name.
    pub name: String,
    /// The kind.
    pub kind: LinkKind,
    /// Set up by an administrator (`IFF_UP`).
    pub up: bool,
    /// Ready to carry packets (`IFF_RUNNING`), as the kernel has announced it.
    pub running: bool,
    /// The lower layer has carrier (`IFF_LOWER_UP`).
    pub carrier: bool,
    /// The operational state, RFC 2863.
    pub oper_state: OperState,
    /// The largest packet in bytes.
    pub mtu: u32,
    /// The hardware address, where the interface has one.
    pub mac: Option<Mac>,
    /// The index of the bridge that the interface is a port of.
    pub master: Option<u32>,
    /// The state of the bridge port.
    pub port_state: Option<PortState>,
    /// The options of the bridge port; all unknown where it is none.
    pub port: PortSettings,
    /// What is particular to the kind.
    pub particulars: Particulars,
    /// The index of the other end (veth) or of the interface below, in its own namespace.
    pub peer_index: Option<u32>,
    /// The number by which this namespace knows that of the other end; none if it is the same.
    pub peer_nsid: Option<i32>,
}

/// The kind of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkKind {
    /// `lo`.
    Loopback,
    /// One end of a veth pair.
    Veth,
    /// A bridge.
    Bridge,
    /// One more station on the interface below.
    Macvlan,
    /// A VLAN of the interface below.
    Vlan,
    /// The end of a VXLAN tunnel.
    Vxlan,
    /// Any other, by the kernel's name; empty for a plain device.
    Other(String),
}

/// The operational state of an interface, RFC 2863 section 3.1.14.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperState {
    /// Passes packets.
    Up,
    /// Does not pass packets.
    Down,
    /// The driver does not say, as with `lo`.
    Unknown,
    /// Anything else.
    Other,
}

/// The state of a bridge port, IEEE 802.1D section 4.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortState {
    /// Passes no frames because it is down.
    Disabled,
    /// Passes frames.
    Forwarding,
    /// Keeps out of a loop, as the spanning tree protocol has it.
    Blocking,
    /// Passes nothing, and learns nothing yet.
    Listening,
    /// Passes nothing, and learns addresses.
    Learning,
    /// Anything else.
    Other,
}

impl From<PortState> for BridgePortState {
    fn from(state: PortState) -> Self {
        match state {
            PortState::Disabled | PortState::Other => Self::Disabled,
            PortState::Listening => Self::Listening,
            PortState::Learning => Self::Learning,
            PortState::Forwarding => Self::Forwarding,
            PortState::Blocking => Self::Blocking,
        }
    }
}

impl LinkKind {
    /// Returns the name that `ip link` gives the kind.
    pub fn name(&self) -> &str {
        match self {
            Self::Loopback => "loopback",
            Self::Veth => "veth",
            Self::Bridge => "bridge",
            Self::Macvlan => "macvlan",
            Self::Vlan => "vlan",
            Self::Vxlan => "vxlan",
            Self::Other(name) if name.is_empty() => "device",
            Self::Other(name) => name,
        }
    }
}

impl Link {
    pub(super) fn from_message(message: LinkMessage) -> Self {
        let flags = message.header.flags;
        let mut link = Self {
            index: message.header.index,
            name: String::new(),
            kind: LinkKind::Other(String::new()),
            up: flags.contains(LinkFlags::Up),
            running: flags.contains(LinkFlags::Running),
            carrier: flags.contains(LinkFlags::LowerUp),
            oper_state: OperState::Unknown,
            mtu: 0,
            mac: None,
            master: None,
            port_state: None,
            port: PortSettings::default(),
            particulars: Particulars::None,
            peer_index: None,
            peer_nsid: None,
        };
        if message.header.link_layer_type == LinkLayerType::Loopback {
            link.kind = LinkKind::Loopback;
        }
        let ethernet = message.header.link_layer_type == LinkLayerType::Ether;
        for attribute in message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name = name,
                LinkAttribute::Mtu(mtu) => link.mtu = mtu,
                LinkAttribute::Address(bytes) => link.mac = Mac::from_bytes(&bytes),
                LinkAttribute::Controller(index) => link.master = Some(index),
                LinkAttribute::Link(index) => link.peer_index = Some(index),
                LinkAttribute::LinkNetNsId(nsid) => link.peer_nsid = Some(nsid),
                LinkAttribute::OperState(state) => {
                    link.oper_state = match state {
                        State::Up => OperState::Up,
                        State::Down | State::LowerLayerDown => OperState::Down,
                        State::Unknown => OperState::Unknown,
                        _ => OperState::Other,
                    }
                }
                LinkAttribute::LinkInfo(infos) => link.read_infos(infos),
                _ => {}
            }
        }
        // One driver has both kinds, and calls them `tun`.
        if ethernet && link.kind == LinkKind::Other("tun".to_owned()) {
            link.kind = LinkKind::Other("tap".to_owned());
        }
        link
    }

    fn read_infos(&mut self, infos: Vec<LinkInfo>) {
        for info in infos {
            match info {
                LinkInfo::Kind(InfoKind::Veth) => self.kind = LinkKind::Veth,
                LinkInfo::Kind(InfoKind::Bridge) => self.kind = LinkKind::Bridge,
                LinkInfo::Kind(InfoKind::MacVlan) => self.kind = LinkKind::Macvlan,
                LinkInfo::Kind(InfoKind::Vlan) => self.kind = LinkKind::Vlan,
                LinkInfo::Kind(InfoKind::Vxlan) => self.kind = LinkKind::Vxlan,
                LinkInfo::Kind(kind) => self.kind = LinkKind::Other(kind.to_string()),
                LinkInfo::Data(data) => self.particulars = Particulars::read(&data),
                LinkInfo::PortData(InfoPortData::BridgePort(attributes)) => {
                    for attribute in attributes {
                        self.port.read(&attribute);
                        if let InfoBridgePort::State(state) = attribute {
                            self.port_state = Some(match state {
                                BridgePortState::Forwarding => PortState::Forwarding,
                                BridgePortState::Disabled => PortState::Disabled,
                                BridgePortState::Blocking => PortState::Blocking,
                                BridgePortState::Listening => PortState::Listening,
                                BridgePortState::Learning => PortState::Learning,
                                _ => PortState::Other,
                            });
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

/// Begins a message about an interface that is named, not numbered: the kernel looks it up itself
/// and answers `ENODEV` where there is none.
pub(super) fn named(name: &str) -> LinkMessageBuilder<LinkUnspec> {
    LinkUnspec::new_with_name(name)
}

impl RouteSocket {
    /// Reads all interfaces, ordered by index.
    ///
    /// # Errors
    ///
    /// The kernel's refusal, or `EIO` where an interface could not be read.
    pub async fn links(&self) -> Result<Vec<Link>, KernelError> {
        let answers = self
            .dump(RouteNetlinkMessage::GetLink(LinkMessage::default()))
            .await?;
        let mut links: Vec<Link> = answers
            .into_iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewLink(message) => Some(Link::from_message(message)),
                _ => None,
            })
            .collect();
        if links.is_empty() {
            // Every namespace has lo; a message that could not be decoded is dropped below us.
            return Err(lost("no interface could be read, not even lo"));
        }
        links.sort_by_key(|link| link.index);
        Ok(links)
    }

    /// Reads one interface.
    ///
    /// # Errors
    ///
    /// `ENODEV` if there is none of that name.
    pub async fn link(&self, name: &str) -> Result<Link, KernelError> {
        match self
            .get(RouteNetlinkMessage::GetLink(named(name).build()))
            .await?
        {
            RouteNetlinkMessage::NewLink(message) => Ok(Link::from_message(message)),
            _ => Err(lost(
                "the kernel answered with something else than an interface",
            )),
        }
    }

    /// Makes a veth pair, its first end in this namespace, the second in `peer_netns` or here too.
    ///
    /// Both ends are born in place: moving one afterwards costs an RCU grace period.
    ///
    /// # Errors
    ///
    /// `EEXIST` if a name is taken, `EOPNOTSUPP` if the kernel has no veth.
    pub async fn add_veth(
        &self,
        (name, mac): (&str, Mac),
        (peer, peer_mac): (&str, Mac),
        peer_netns: Option<BorrowedFd<'_>>,
    ) -> Result<(), KernelError> {
        let mut far = named(peer).address(peer_mac.0.to_vec());
        if let Some(fd) = peer_netns {
            far = far.setns_by_fd(fd.as_raw_fd());
        }
        let message = LinkVeth::new(name, peer)
            .address(mac.0.to_vec())
            .set_info_data(InfoData::Veth(InfoVeth::Peer(far.build())))
            .build();
        self.change(
            RouteNetlinkMessage::NewLink(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
        .await
    }

    /// Sets an interface up or down.
    ///
    /// # Errors
    ///
    /// `ENODEV` if there is none of that name.
    pub async fn set_link_up(&self, name: &str, up: bool) -> Result<(), KernelError> {
        let link = named(name);
        let message = if up { link.up() } else { link.down() }.build();
        self.change(RouteNetlinkMessage::SetLink(message), 0).await
    }

    /// Makes an interface a port of the bridge `master`, or of none.
    ///
    /// # Errors
    ///
    /// `ENODEV` if there is no interface or no bridge of that name, `EINVAL` or `ELOOP` where it
    /// cannot be a port.
    pub async fn set_link_master(
        &self,
        name: &str,
        master: Option<&str>,
    ) -> Result<(), KernelError> {
        let link = named(name);
        let message = match master {
            Some(master) => link.controller(self.link(master).await?.index),
            None => link.nocontroller(),
        };
        self.change(RouteNetlinkMessage::SetLink(message.build()), 0)
            .await
    }

    /// Moves an interface to another namespace; it arrives there down and without addresses.
    ///
    /// # Errors
    ///
    /// `ENODEV` if there is none of that name, `EEXIST` if the name is taken there, `EINVAL` if the
    /// kind cannot leave its namespace.
    pub async fn move_link(&self, name: &str, netns: BorrowedFd<'_>) -> Result<(), KernelError> {
        let message = named(name).setns_by_fd(netns.as_raw_fd()).build();
        self.change(RouteNetlinkMessage::SetLink(message), 0).await
    }

    /// Deletes an interface; with one end of a veth pair the other goes too.
    ///
    /// # Errors
    ///
    /// `ENODEV` if there is none of that name, `EOPNOTSUPP` if the kind cannot be deleted (`lo`).
    pub async fn delete_link(&self, name: &str) -> Result<(), KernelError> {
        self.change(RouteNetlinkMessage::DelLink(named(name).build()), 0)
            .await
    }

    /// Returns the number by which this namespace knows another, if it has given it one.
    ///
    /// # Errors
    ///
    /// The kernel's refusal of the file descriptor.
    pub async fn nsid_of(&self, netns: BorrowedFd<'_>) -> Result<Option<i32>, KernelError> {
        let mut message = NsidMessage::default();
        message.header.family = AddressFamily::Unspec;
        let fd = u32::try_from(netns.as_raw_fd()).map_err(|_| lost("a negative descriptor"))?;
        message.attributes.push(NsidAttribute::Fd(fd));
        match self.get(RouteNetlinkMessage::GetNsId(message)).await? {
            RouteNetlinkMessage::NewNsId(answer) => {
                Ok(answer
                    .attributes
                    .iter()
                    .find_map(|attribute| match attribute {
                        NsidAttribute::Id(id) if *id >= 0 => Some(*id),
                        _ => None,
                    }))
            }
            _ => Err(lost(
                "the kernel answered with something else than a namespace number",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::packets(LinkLayerType::None, "tun")]
    #[case::frames(LinkLayerType::Ether, "tap")]
    fn the_two_kinds_of_one_driver_are_told_apart(
        #[case] layer: LinkLayerType,
        #[case] kind: &str,
    ) {
        let mut message = LinkMessage::default();
        message.header.link_layer_type = layer;
        let info = LinkInfo::Kind(InfoKind::Tun);
        message.attributes.push(LinkAttribute::LinkInfo(vec![info]));
        assert_eq!(Link::from_message(message).kind.name(), kind);
    }
}
