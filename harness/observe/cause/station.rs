//! A packet that came in at an interface of a node and went on nowhere: its routing, and its sockets.

use std::net::IpAddr;

use super::packet::{Packet, link_ref, station};
use super::restored::restored;
use super::routing::{OWN, Way, family, source, way};
use super::{
    Explanation, ObserveError, Scene, Search, in_node, key, neighbour, rules, segment, sender,
    stale, tunnel, wire,
};
use crate::kernel::route::{Link, LinkKind, NeighbourState};
use crate::observe::Observer;
use crate::observe::frame::Direction;
use crate::scenario::{Cause, Leg, NodeName};

pub(super) async fn arrived(
    observer: &mut Observer,
    scene: &Scene<'_>,
    search: &mut Search,
    packet: &Packet,
) -> Result<Option<Explanation>, ObserveError> {
    let node = &packet.on.node;
    if packet.for_another {
        return for_another(scene, search, packet).await;
    }
    if let Some(found) = rules::ask(observer, scene, search, node, packet).await? {
        return Ok(Some(found));
    }
    match restored(scene, search, packet) {
        Some(packet) => routed(observer, scene, search, &packet).await,
        None => routed(observer, scene, search, packet).await,
    }
}

/// The frame came to an interface that does not have its hardware address.
async fn for_another(
    scene: &Scene<'_>,
    search: &mut Search,
    packet: &Packet,
) -> Result<Option<Explanation>, ObserveError> {
    let topology = scene.topology;
    let meant =
        station(topology, packet.to).and_then(|(node, link)| link_ref(topology, node, link.index));
    let whose = meant.map_or("nobody here".to_owned(), |link| link.to_string());
    search.found(
        format!("receiver of the frame at {}", packet.on),
        format!("{}, the address of {whose}", packet.to),
    );
    if let Some(found) = between_ports(scene, search, packet) {
        return Ok(Some(found));
    }
    // Whoever sent it believes that the next hop has this hardware address.
    for node in scene.world.nodes() {
        let sent = scene.walk.steps().any(|step| {
            step.frame.node == *node.name()
                && step.frame.direction == Direction::Out
                && super::packet::receiver(&step.frame) == Some(packet.to)
        });
        if !sent {
            continue;
        }
        let entries = node.route().neighbours().await?;
        let Some(entry) = entries.iter().find(|it| it.mac == Some(packet.to)) else {
            continue;
        };
        let Some(on) = link_ref(topology, node.name(), entry.link) else {
            continue;
        };
        if let Some((owner, link)) = station(topology, packet.to)
            && has_address(scene, owner, entry.address).await?
        {
            // Rightly: a bridge that has not learned the address sends the frame everywhere.
            let right = (owner.clone(), link.index);
            let stopped = segment::stopped(scene, search, scene.walk, packet.leg, &right, true)?;
            return Ok(stopped.or_else(|| not_joined(scene, search, packet)));
        }
        let how = if entry.state == NeighbourState::Permanent {
            "set by hand"
        } else {
            "learned before"
        };
        search.found(
            format!("neighbour {} on {on}", entry.address),
            format!("{}, {how}", packet.to),
        );
        let why = format!(
            "{} sends what is for {} to {}, the hardware address of {whose}",
            node.name(),
            entry.address,
            packet.to
        );
        let mend = in_node(
            node.name(),
            &format!("ip neighbour delete {} dev {}", entry.address, on.ifname),
        );
        return Ok(Some(search.name(
            Cause::WrongNeighbour,
            on,
            why,
            Some(mend),
        )));
    }
    Ok(None)
}

async fn has_address(
    scene: &Scene<'_>,
    node: &NodeName,
    address: IpAddr,
) -> Result<bool, ObserveError> {
    let Some(node) = scene.world.node(node) else {
        return Ok(false);
    };
    let addresses = node.route().addresses().await?;
    Ok(addresses.iter().any(|it| it.address == address))
}

/// The station that the frame is for hangs on another interface of this node, and no bridge joins
/// the two.
fn between_ports(scene: &Scene<'_>, search: &mut Search, packet: &Packet) -> Option<Explanation> {
    let (topology, node) = (scene.topology, &packet.on.node);
    let (owner, link) = station(topology, packet.to)?;
    let (far, port) = topology.peer(owner, link.index)?;
    if far != node || port.index == packet.link {
        return None;
    }
    let bridges: Vec<&Link> = topology
        .links_of(node)
        .iter()
        .filter(|link| link.kind == LinkKind::Bridge)
        .collect();
    let outside = match port.master {
        None => link_ref(topology, node, port.index)?,
        Some(_) => packet.on.clone(),
    };
    neighbour::not_enslaved(search, node, &outside, &bridges)
}

/// The station that the frame is rightly for hangs on another interface of this node, which has no
/// bridge at all.
pub(super) fn not_joined(
    scene: &Scene<'_>,
    search: &mut Search,
    packet: &Packet,
) -> Option<Explanation> {
    let (topology, node) = (scene.topology, &packet.on.node);
    let (owner, link) = station(topology, packet.to)?;
    let (far, port) = topology.peer(owner, link.index)?;
    let mut links = topology.links_of(node).iter();
    if far != node || port.index == packet.link || links.any(|link| link.kind == LinkKind::Bridge) {
        return None;
    }
    let (here, there) = (&packet.on, link_ref(topology, node, port.index)?);
    search.found(format!("bridges of {node}"), "none");
    let why = format!("no bridge of {node} joins {here} and {there}, behind which {owner} is");
    Some(search.name(Cause::NotEnslaved, here.clone(), why, None))
}

/// Rules let it pass: it is routed, or taken.
async fn routed(
    observer: &mut Observer,
    scene: &Scene<'_>,
    search: &mut Search,
    packet: &Packet,
) -> Result<Option<Explanation>, ObserveError> {
    let node = &packet.on.node;
    let fib = scene.node(node)?.route().fib(packet.destination).await?;
    let addresses = (packet.source, packet.destination);
    let ifname = packet.on.ifname.as_str();
    let path = format!(
        "net/{}/conf/{ifname}/forwarding",
        family(packet.destination)
    );
    let forwards = scene.setting(node, &path)?.is_none_or(|value| value != "0");
    let way = match way(scene, search, node, &fib, addresses, ifname) {
        Ok(way) => way,
        Err(refused) => return Ok(Some(*refused)),
    };
    // The kernel looks at the source of what it takes, and of what it forwards.
    if (way == Way::Here || forwards)
        && let Some(found) = source(scene, search, &packet.on, &fib, addresses)?
    {
        return Ok(Some(found));
    }
    match way {
        Way::Here => taken(observer, scene, search, packet).await,
        Way::Unknown => Ok(None),
        Way::Out { link, .. } if !forwards && link != packet.link => {
            Ok(forwarding_off(scene, search, packet, &path))
        }
        Way::Out { .. } | Way::Nowhere if !forwards => Ok(not_local(scene, search, packet)),
        Way::Nowhere => Ok(no_route(scene, search, packet)),
        Way::Out {
            link,
            hop,
            is_gateway,
        } => goes_out(observer, scene, search, packet, (link, hop, is_gateway)).await,
    }
}

/// Tells whether a counter of the node that has the packet has moved, and notes it. It has a name for
/// IPv4 and one for IPv6.
fn counted(
    scene: &Scene<'_>,
    search: &mut Search,
    packet: &Packet,
    (ipv4, ipv6): (&str, &str),
) -> bool {
    let node = &packet.on.node;
    let counter = match packet.destination {
        IpAddr::V4(_) => ipv4,
        IpAddr::V6(_) => ipv6,
    };
    let moved = scene.moved(node, counter);
    if moved == 0 {
        search.excluded(format!("{counter} of {node}"), "not moved");
        return false;
    }
    search.found(format!("{counter} of {node}"), format!("+{moved}"));
    true
}

/// Packets with an address that is not the node's.
const ADDRESS_ERRORS: (&str, &str) = ("Ip InAddrErrors", "Ip6InAddrErrors");

/// Packets to which the node has no route.
const NO_ROUTES: (&str, &str) = ("IpExt InNoRoutes", "Ip6InNoRoutes");

fn forwarding_off(
    scene: &Scene<'_>,
    search: &mut Search,
    packet: &Packet,
    path: &str,
) -> Option<Explanation> {
    let node = &packet.on.node;
    if !counted(scene, search, packet, ADDRESS_ERRORS) {
        return None;
    }
    search.found(key(path), "0");
    let all = match packet.destination {
        IpAddr::V4(_) => "net.ipv4.ip_forward".to_owned(),
        IpAddr::V6(_) => "net.ipv6.conf.all.forwarding".to_owned(),
    };
    let is_all = scene
        .setting(node, &all.replace('.', "/"))
        .ok()
        .flatten()
        .is_some_and(|value| value != "0");
    // Where all forward, it is this interface that does not.
    let mend = if is_all { key(path) } else { all };
    let why = format!("{node} is no router for what comes in at {}", packet.on);
    let mend = in_node(node, &format!("sysctl -w {mend}=1"));
    Some(search.name(Cause::ForwardingOff, packet.on.clone(), why, Some(mend)))
}

fn not_local(scene: &Scene<'_>, search: &mut Search, packet: &Packet) -> Option<Explanation> {
    if !counted(scene, search, packet, ADDRESS_ERRORS) {
        return None;
    }
    let node = &packet.on.node;
    let destination = packet.destination;
    search.found(format!("addresses of {node}"), format!("not {destination}"));
    let why = format!("{node} does not have {destination}, and has no other way to send it");
    Some(search.name(Cause::AddressNotLocal, node.clone(), why, None))
}

fn no_route(scene: &Scene<'_>, search: &mut Search, packet: &Packet) -> Option<Explanation> {
    if !counted(scene, search, packet, NO_ROUTES) {
        return None;
    }
    let node = &packet.on.node;
    let why = format!("{node} has no route to {}", packet.destination);
    Some(search.name(Cause::NoRoute, node.clone(), why, None))
}

/// It is to be forwarded; something keeps it from leaving.
async fn goes_out(
    observer: &mut Observer,
    scene: &Scene<'_>,
    search: &mut Search,
    packet: &Packet,
    (link, hop, is_gateway): (u32, IpAddr, bool),
) -> Result<Option<Explanation>, ObserveError> {
    let node = &packet.on.node;
    if packet.ttl.is_some_and(|ttl| ttl <= 1) {
        return Ok(Some(expired(scene, search, packet)));
    }
    let Some(out) = scene.topology.link(node, link) else {
        return Ok(None);
    };
    if packet.length > out.mtu as usize && !packet.may_be_cut {
        return Ok(Some(too_big(scene, search, packet, link)));
    }
    let unresolved =
        neighbour::unresolved(observer, scene, search, (node, out), hop, is_gateway).await?;
    if unresolved.is_some() {
        return Ok(unresolved);
    }
    if out.carrier {
        return Ok(None);
    }
    Ok(wire::silent_link(scene.topology, search, node, out))
}

/// Says that the TTL ran out in a node.
pub(super) fn expired(scene: &Scene<'_>, search: &mut Search, packet: &Packet) -> Explanation {
    let node = &packet.on.node;
    let ttl = packet.ttl.unwrap_or_default();
    search.found(format!("TTL at {}", packet.on), ttl.to_string());
    let moved = scene.moved(node, "Icmp OutTimeExcds") + scene.moved(node, "Icmp6OutTimeExcds");
    search.found(
        format!("ICMP time exceeded, sent by {node}"),
        format!("+{moved}"),
    );
    let why = format!("the packet came to {node} with a TTL of {ttl}, and would have to go on");
    search.name(Cause::TtlExpired, node.clone(), why, None)
}

/// Says that the packet does not fit into what is ahead.
pub(super) fn too_big(
    scene: &Scene<'_>,
    search: &mut Search,
    packet: &Packet,
    link: u32,
) -> Explanation {
    let node = &packet.on.node;
    let ahead = link_ref(scene.topology, node, link);
    let mtu = scene.topology.link(node, link).map_or(0, |link| link.mtu);
    let name = ahead.map_or("the way out".to_owned(), |link| link.to_string());
    search.found(format!("MTU of {name}"), mtu.to_string());
    search.found("length of the packet", packet.length.to_string());
    let why = format!(
        "the packet has {} bytes, and {name} takes {mtu}",
        packet.length
    );
    search.name(Cause::TooBig, node.clone(), why, None)
}

/// It is for this node. Nothing came of it, or what came of it was lost here.
async fn taken(
    observer: &mut Observer,
    scene: &Scene<'_>,
    search: &mut Search,
    packet: &Packet,
) -> Result<Option<Explanation>, ObserveError> {
    let node = &packet.on.node;
    if packet.carried {
        return Ok(tunnel::no_end(scene, search, node));
    }
    if packet.leg == Leg::Reply {
        search.excluded(format!("routes of {node}"), "the reply is for this node");
        return Ok(None);
    }
    // What a rule has translated since the tap saw it may be for another node.
    if packet.destination.is_ipv4() && scene.moved(node, "Ip InDelivers") == 0 {
        search.excluded(format!("Ip InDelivers of {node}"), "not moved");
        return Ok(None);
    }
    if packet.is_echo_request
        && let Some(found) = echo_ignored(scene, search, packet)?
    {
        return Ok(Some(found));
    }
    // That there is nobody is seen before an error about it has to find its way back.
    if let Some(found) = sender::nobody_listens(scene, search, node) {
        return Ok(Some(found));
    }
    let fib = scene.node(node)?.route().fib(packet.source).await?;
    // The way back: the node's own packet, from the address that was asked.
    let back = (packet.destination, packet.source);
    match way(scene, search, node, &fib, back, OWN) {
        Err(refused) => Ok(Some(*refused)),
        Ok(Way::Nowhere) => no_way_back(observer, scene, search, packet).await.map(Some),
        Ok(Way::Here | Way::Unknown) => Ok(None),
        Ok(Way::Out {
            link,
            hop,
            is_gateway,
        }) => {
            let Some(out) = scene.topology.link(node, link) else {
                return Ok(None);
            };
            let unresolved =
                neighbour::unresolved(observer, scene, search, (node, out), hop, is_gateway)
                    .await?;
            if unresolved.is_some() || out.carrier {
                return Ok(unresolved);
            }
            Ok(wire::silent_link(scene.topology, search, node, out))
        }
    }
}

fn echo_ignored(
    scene: &Scene<'_>,
    search: &mut Search,
    packet: &Packet,
) -> Result<Option<Explanation>, ObserveError> {
    let node = &packet.on.node;
    let path = match packet.destination {
        IpAddr::V4(_) => "net/ipv4/icmp_echo_ignore_all",
        IpAddr::V6(_) => "net/ipv6/icmp/echo_ignore_all",
    };
    let value = scene.setting(node, path)?;
    if value.as_deref().is_none_or(|value| value == "0") {
        search.excluded(key(path), "0");
        return Ok(None);
    }
    search.found(key(path), value.unwrap_or_default());
    let moved = scene.moved(node, "Icmp InEchos") + scene.moved(node, "Icmp6InEchos");
    search.found(
        format!("echo requests taken in by {node}"),
        format!("+{moved}"),
    );
    let why = format!("{node} is set to ignore echo requests");
    let mend = in_node(node, &format!("sysctl -w {}=0", key(path)));
    Ok(Some(search.name(
        Cause::EchoIgnored,
        node.clone(),
        why,
        Some(mend),
    )))
}

async fn no_way_back(
    observer: &mut Observer,
    scene: &Scene<'_>,
    search: &mut Search,
    packet: &Packet,
) -> Result<Explanation, ObserveError> {
    let node = &packet.on.node;
    let source = packet.source;
    search.found(format!("route of {node} back to {source}"), "none");
    let moved = scene.moved(node, "Icmp InEchos") + scene.moved(node, "Icmp6InEchos");
    if packet.is_echo_request && moved > 0 {
        search.found(
            format!("echo requests taken in by {node}"),
            format!("+{moved}"),
        );
        search.found(format!("echo replies sent by {node}"), "+0");
    }
    if is_private(source)
        && let Some(router) = last_router(scene, packet)
    {
        search.found(
            format!("source of the packet behind {router}"),
            format!("{source}, as it was before"),
        );
        if let Some(found) = stale::translation(observer, scene, search, packet).await? {
            return Ok(found);
        }
        let why = format!(
            "{node} has no route back to {source}, and {router} sent the packet on with that private source"
        );
        let tool = if source.is_ipv4() {
            "iptables"
        } else {
            "ip6tables"
        };
        let rule = format!("{tool} -t nat -A POSTROUTING -s {source} -j MASQUERADE");
        let mend = in_node(&router, &rule);
        return Ok(search.name(Cause::NotTranslated, router, why, Some(mend)));
    }
    let why = format!("{node} has no route back to {source}");
    Ok(search.name(Cause::NoRouteBack, node.clone(), why, None))
}

/// RFC 1918, and RFC 4193.
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private(),
        IpAddr::V6(ip) => ip.is_unique_local(),
    }
}

/// Returns the last node that forwarded the packet: its TTL is one less there.
fn last_router(scene: &Scene<'_>, packet: &Packet) -> Option<NodeName> {
    let mut last = None;
    let mut ttl: Option<u8> = None;
    for step in scene.walk.steps() {
        let Some(seen) = step
            .sighting(scene.topology)
            .filter(|it| it.leg == packet.leg)
        else {
            continue;
        };
        if seen.direction == Direction::Out
            && ttl.is_some_and(|before| seen.ttl.is_some_and(|now| now < before))
        {
            last = Some(seen.on.node.clone());
        }
        ttl = seen.ttl.or(ttl);
    }
    last
}
