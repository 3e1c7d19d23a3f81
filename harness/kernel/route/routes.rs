//! The routing tables.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use nix::errno::Errno;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteNextHop,
    RouteNextHopFlags, RouteProtocol as WireProtocol, RouteScope as WireScope, RouteType,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::RouteSocket;
use crate::kernel::KernelError;

/// The table that is asked where no rule says otherwise (`RT_TABLE_MAIN`, linux/rtnetlink.h).
pub const MAIN_TABLE: u32 = RouteHeader::RT_TABLE_MAIN as u32;

/// `RT_TABLE_LOCAL`.
const LOCAL_TABLE: u32 = 255;

/// A route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The table that it is in.
    pub table: u32,
    /// The kind; most are unicast.
    pub kind: RouteKind,
    /// The destination; none is the default route of IPv4, and `::/0` that of IPv6.
    pub destination: Option<IpNet>,
    /// The gateway.
    pub gateway: Option<IpAddr>,
    /// The index of the interface that packets leave by.
    pub link: Option<u32>,
    /// Who made the route.
    pub protocol: RouteProtocol,
    /// How far away the destination is.
    pub scope: RouteScope,
    /// The source address that packets get which have none yet.
    pub preferred_source: Option<IpAddr>,
    /// The metric: lower is preferred.
    pub metric: u32,
    /// The interface has no carrier (`RTNH_F_LINKDOWN`).
    pub link_down: bool,
    /// The gateway is taken to be on the link (`RTNH_F_ONLINK`).
    pub onlink: bool,
    /// The next hops, where there are several; then there is no gateway or interface beside them.
    pub next_hops: Vec<NextHop>,
}

/// One of several next hops of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextHop {
    /// The gateway.
    pub gateway: Option<IpAddr>,
    /// The index of the interface that packets leave by.
    pub link: u32,
    /// Its share of the flows.
    pub weight: u16,
    /// The interface is down (`RTNH_F_DEAD`): it gets none.
    pub dead: bool,
    /// The interface has no carrier (`RTNH_F_LINKDOWN`).
    pub link_down: bool,
}

/// What a route does with packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteKind {
    /// Sends them on.
    Unicast,
    /// Drops them and says nothing.
    Blackhole,
    /// Refuses them: host unreachable.
    Unreachable,
    /// Refuses them: administratively prohibited.
    Prohibit,
    /// Any other, by its number in linux/rtnetlink.h.
    Other(u8),
}

/// Who made a route, by its number in linux/rtnetlink.h (`RTPROT_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteProtocol(pub u8);

/// How far away a destination is, by its number in linux/rtnetlink.h (`RT_SCOPE_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteScope(u8);

/// A route to be added or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewRoute<'a> {
    /// The destination; none is the default route.
    pub destination: Option<IpNet>,
    /// The gateway.
    pub gateway: Option<IpAddr>,
    /// The name of the interface that packets leave by.
    pub link: Option<&'a str>,
    /// What the route does with packets.
    pub kind: RouteKind,
    /// The source address of packets that have none yet.
    pub preferred_source: Option<IpAddr>,
    /// The metric; the kernel takes 0 where none is given.
    pub metric: Option<u32>,
    /// The gateway is taken to be on the link.
    pub onlink: bool,
    /// The table; none is the main one.
    pub table: Option<u32>,
    /// Several next hops, in place of a gateway and an interface.
    pub next_hops: &'a [NewNextHop<'a>],
}

/// One of several next hops of a route that is to be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewNextHop<'a> {
    /// The gateway.
    pub gateway: Option<IpAddr>,
    /// The name of the interface that packets leave by.
    pub link: Option<&'a str>,
    /// Its share of the flows, from 1 to 256; the kernel takes 1 where none is given.
    pub weight: Option<u16>,
}

impl NewRoute<'_> {
    /// Tells which IP the route is of, as `ip route` does without `-4` and `-6`: the first address
    /// decides, and where there is none it is IPv4.
    fn is_ipv6(&self) -> bool {
        let destination = self.destination.map(|prefix| prefix.addr());
        let first = destination.or(self.gateway).or(self.preferred_source);
        first.is_some_and(|address| address.is_ipv6())
    }
}

impl RouteProtocol {
    /// Made by the kernel itself, for an address.
    pub const KERNEL: Self = Self(2);
    /// Made by hand; `ip route` does not show it.
    pub const BOOT: Self = Self(3);
    /// Made by a network manager.
    pub const STATIC: Self = Self(4);
}

impl RouteScope {
    /// Anywhere.
    pub const UNIVERSE: Self = Self(0);
    /// On the link itself.
    pub const LINK: Self = Self(253);
    /// On this host.
    pub const HOST: Self = Self(254);

    pub(super) fn from_number(number: u8) -> Self {
        Self(number)
    }
}

impl fmt::Display for RouteProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::KERNEL => f.write_str("kernel"),
            Self::BOOT => f.write_str("boot"),
            Self::STATIC => f.write_str("static"),
            Self(number) => number.fmt(f),
        }
    }
}

impl fmt::Display for RouteScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::UNIVERSE => f.write_str("global"),
            Self::LINK => f.write_str("link"),
            Self::HOST => f.write_str("host"),
            Self(number) => number.fmt(f),
        }
    }
}

impl RouteSocket {
    /// Reads the routes of all tables but the local one, which follows from the addresses; those of IPv4
    /// before those of IPv6.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub async fn routes(&self) -> Result<Vec<Route>, KernelError> {
        let mut routes = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let of_family = self.dump_routes(family).await?;
            routes.extend(
                of_family
                    .iter()
                    .filter(|message| table_of(message) != LOCAL_TABLE)
                    .map(from_message),
            );
        }
        Ok(routes)
    }

    /// Reads for which IPv6 addresses the node takes packets: those that have a route of type local.
    /// An address that was just added has none until a work queue of the kernel has dealt with it
    /// (`addrconf_dad_work`, net/ipv6/addrconf.c), and nobody who asks for it is answered before.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub async fn received_ipv6(&self) -> Result<Vec<IpAddr>, KernelError> {
        let routes = self.dump_routes(AddressFamily::Inet6).await?;
        let local = routes
            .iter()
            .filter(|message| message.header.kind == RouteType::Local);
        Ok(local
            .filter_map(|message| Some(from_message(message).destination?.addr()))
            .collect())
    }

    /// Reads the routes of all tables, without those that only remember what was learned on the way
    /// (`RTM_F_CLONED`).
    async fn dump_routes(&self, family: AddressFamily) -> Result<Vec<RouteMessage>, KernelError> {
        let mut question = RouteMessage::default();
        question.header.address_family = family;
        let answers = match self.dump(RouteNetlinkMessage::GetRoute(question)).await {
            // The kernel has no IPv6.
            Err(error) if family == AddressFamily::Inet6 && error.is_unsupported() => Vec::new(),
            answers => answers?,
        };
        Ok(answers
            .into_iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewRoute(message) => Some(message),
                _ => None,
            })
            .filter(|message| !message.header.flags.contains(RouteFlags::Cloned))
            .collect())
    }

    /// Adds a route, as ip-route(8) does: protocol boot, scope link unless there
    /// is a gateway. Scopes are a matter of IPv4.
    ///
    /// # Errors
    ///
    /// `EEXIST` if the destination has one, `ENETUNREACH` if the gateway is on no link, `ENODEV` if
    /// there is no such interface, `EINVAL` where the kernel has no multipath routes.
    pub async fn add_route(&self, route: NewRoute<'_>) -> Result<(), KernelError> {
        let mut message = self.message(route).await?;
        message.header.protocol = WireProtocol::Boot;
        message.header.kind = wire_kind(route.kind);
        // iproute2 gives scope link to what is neither behind a gateway nor refused.
        let scoped = message.header.address_family == AddressFamily::Inet;
        let way = route.gateway.is_some() || !route.next_hops.is_empty();
        message.header.scope = if scoped && !way && route.kind == RouteKind::Unicast {
            WireScope::Link
        } else {
            WireScope::Universe
        };
        self.change(
            RouteNetlinkMessage::NewRoute(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
        .await
    }

    /// Deletes a route.
    ///
    /// # Errors
    ///
    /// `ESRCH` if there is none such.
    pub async fn delete_route(&self, route: NewRoute<'_>) -> Result<(), KernelError> {
        let mut message = self.message(route).await?;
        message.header.protocol = WireProtocol::Unspec;
        message.header.kind = match route.kind {
            // As `ip route delete` without a type: any.
            RouteKind::Unicast => RouteType::Unspec,
            kind => wire_kind(kind),
        };
        message.header.scope = WireScope::NoWhere;
        self.change(RouteNetlinkMessage::DelRoute(message), 0).await
    }

    /// Asks what the kernel would do with a packet that comes in by the interface `link`, as
    /// `ip route get DESTINATION from SOURCE iif NAME` does.
    ///
    /// # Errors
    ///
    /// What the kernel would do other than pass it on: `ENETUNREACH` without a route,
    /// `EHOSTUNREACH` and `EACCES` for routes that refuse or where forwarding is off, `EINVAL` for
    /// those that drop.
    pub async fn lookup(
        &self,
        source: IpAddr,
        destination: IpAddr,
        link: u32,
    ) -> Result<(), KernelError> {
        let mut question = RouteMessage::default();
        question.header.address_family = AddressFamily::Inet;
        question.header.destination_prefix_length = 32;
        question.header.source_prefix_length = 32;
        question.attributes = vec![
            RouteAttribute::Destination(destination.into()),
            RouteAttribute::Source(source.into()),
            RouteAttribute::Iif(link),
        ];
        self.get(RouteNetlinkMessage::GetRoute(question))
            .await
            .map(|_| ())
    }

    /// Tells whether the node has a way for packets of its own to an address, as
    /// `ip route get DESTINATION` does.
    ///
    /// # Errors
    ///
    /// The kernel's refusal to say.
    pub async fn has_way_to(&self, destination: IpAddr) -> Result<bool, KernelError> {
        let mut question = RouteMessage::default();
        question.header.address_family = AddressFamily::Inet;
        question.header.destination_prefix_length = 32;
        question.attributes = vec![RouteAttribute::Destination(destination.into())];
        match self.get(RouteNetlinkMessage::GetRoute(question)).await {
            Ok(_) => Ok(true),
            Err(error) => match error.errno {
                Errno::ENETUNREACH | Errno::EHOSTUNREACH | Errno::EACCES | Errno::EINVAL => {
                    Ok(false)
                }
                _ => Err(error),
            },
        }
    }

    async fn message(&self, route: NewRoute<'_>) -> Result<RouteMessage, KernelError> {
        let mut message = RouteMessage::default();
        match u8::try_from(route.table.unwrap_or(MAIN_TABLE)) {
            Ok(table) => message.header.table = table,
            Err(_) => message
                .attributes
                .extend(route.table.map(RouteAttribute::Table)),
        }
        message.header.address_family = if route.is_ipv6() {
            AddressFamily::Inet6
        } else {
            AddressFamily::Inet
        };
        if let Some(destination) = route.destination {
            message.header.destination_prefix_length = destination.prefix_len();
            message
                .attributes
                .push(RouteAttribute::Destination(destination.addr().into()));
        }
        if let Some(gateway) = route.gateway {
            message
                .attributes
                .push(RouteAttribute::Gateway(gateway.into()));
        }
        if let Some(source) = route.preferred_source {
            message
                .attributes
                .push(RouteAttribute::PrefSource(source.into()));
        }
        if let Some(metric) = route.metric {
            message.attributes.push(RouteAttribute::Priority(metric));
        }
        if route.onlink {
            message.header.flags |= RouteFlags::Onlink;
        }
        if let Some(link) = route.link {
            message
                .attributes
                .push(RouteAttribute::Oif(self.link(link).await?.index));
        }
        let mut next_hops = Vec::new();
        for hop in route.next_hops {
            let mut next_hop = RouteNextHop::default();
            if let Some(link) = hop.link {
                next_hop.interface_index = self.link(link).await?.index;
            }
            // The field counts from 0 (`rtnh_hops`, linux/rtnetlink.h).
            next_hop.hops = hop
                .weight
                .map_or(0, |it| it.saturating_sub(1).min(255) as u8);
            let gateway = hop.gateway.map(|it| RouteAttribute::Gateway(it.into()));
            next_hop.attributes.extend(gateway);
            next_hops.push(next_hop);
        }
        if !next_hops.is_empty() {
            message
                .attributes
                .push(RouteAttribute::MultiPath(next_hops));
        }
        Ok(message)
    }
}

fn wire_kind(kind: RouteKind) -> RouteType {
    match kind {
        RouteKind::Unicast => RouteType::Unicast,
        RouteKind::Blackhole => RouteType::BlackHole,
        RouteKind::Unreachable => RouteType::Unreachable,
        RouteKind::Prohibit => RouteType::Prohibit,
        RouteKind::Other(number) => RouteType::from(number),
    }
}

/// Returns the number of the table that a route is in.
pub(super) fn table_of(message: &RouteMessage) -> u32 {
    let table = message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            RouteAttribute::Table(table) => Some(*table),
            _ => None,
        });
    table.unwrap_or(u32::from(message.header.table))
}

pub(super) fn ip_of(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(ip) => Some((*ip).into()),
        RouteAddress::Inet6(ip) => Some((*ip).into()),
        _ => None,
    }
}

fn next_hop_from(hop: &RouteNextHop) -> NextHop {
    NextHop {
        gateway: hop.attributes.iter().find_map(|attribute| match attribute {
            RouteAttribute::Gateway(address) => ip_of(address),
            _ => None,
        }),
        link: hop.interface_index,
        weight: u16::from(hop.hops) + 1,
        dead: hop.flags.contains(RouteNextHopFlags::Dead),
        link_down: hop.flags.contains(RouteNextHopFlags::Linkdown),
    }
}

fn from_message(message: &RouteMessage) -> Route {
    let header = &message.header;
    let mut route = Route {
        table: header.table.into(),
        kind: match header.kind {
            RouteType::Unicast => RouteKind::Unicast,
            RouteType::BlackHole => RouteKind::Blackhole,
            RouteType::Unreachable => RouteKind::Unreachable,
            RouteType::Prohibit => RouteKind::Prohibit,
            other => RouteKind::Other(other.into()),
        },
        destination: None,
        gateway: None,
        link: None,
        protocol: RouteProtocol(header.protocol.into()),
        scope: RouteScope(header.scope.into()),
        preferred_source: None,
        metric: 0,
        link_down: header.flags.contains(RouteFlags::Linkdown),
        onlink: header.flags.contains(RouteFlags::Onlink),
        next_hops: Vec::new(),
    };
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(address) => {
                let length = header.destination_prefix_length;
                route.destination = ip_of(address).and_then(|ip| IpNet::new(ip, length).ok());
            }
            RouteAttribute::Gateway(address) => route.gateway = ip_of(address),
            RouteAttribute::PrefSource(address) => route.preferred_source = ip_of(address),
            RouteAttribute::Oif(index) => route.link = Some(*index),
            RouteAttribute::Priority(metric) => route.metric = *metric,
            RouteAttribute::Table(table) => route.table = *table,
            RouteAttribute::MultiPath(hops) => {
                route.next_hops = hops.iter().map(next_hop_from).collect();
            }
            _ => {}
        }
    }
    if route.destination.is_none() && header.address_family == AddressFamily::Inet6 {
        let length = header.destination_prefix_length;
        route.destination = IpNet::new(Ipv6Addr::UNSPECIFIED.into(), length).ok();
    }
    // The kernel leaves out the destination of a route for 0.0.0.0/n with n > 0, too.
    if route.destination.is_none() && header.destination_prefix_length > 0 {
        let length = header.destination_prefix_length;
        route.destination = IpNet::new(Ipv4Addr::UNSPECIFIED.into(), length).ok();
    }
    route
}
