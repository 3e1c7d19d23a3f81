//! A probe that was refused, or that no interface has seen.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::packet::Packet;
use super::routing::{OWN, Way, way};
use super::{Explanation, ObserveError, Scene, Search, neighbour, rules, station, wire};
use crate::observe::Observer;
use crate::scenario::{Cause, Leg, NodeName, Probe, Rejection};

/// Explains that a node refused a probe, by an error of its kernel or a message.
pub(super) async fn rejected(
    observer: &mut Observer,
    scene: &Scene<'_>,
    search: &mut Search,
    how: Rejection,
    by: &NodeName,
) -> Result<Option<Explanation>, ObserveError> {
    // Where the packet was when it was refused; nowhere if it is the sender that refused it.
    let there = scene
        .walk
        .end_steps(Leg::Request, scene.topology)
        .into_iter()
        .filter_map(|step| Packet::new(step, scene.topology))
        .find(|packet| packet.on.node == *by);
    match (how, &there) {
        (Rejection::TtlExceeded, Some(packet)) => {
            return Ok(Some(station::expired(scene, search, packet)));
        }
        (Rejection::PortUnreachable | Rejection::ProtocolUnreachable, _) => {
            let asked = rules::ask_at(observer, scene, search, by, there.as_ref()).await?;
            if asked.is_some() {
                return Ok(asked);
            }
            return Ok(nobody_listens(scene, search, by));
        }
        _ => {}
    }
    if let Some(found) =
        refused_by_routing(observer, scene, search, how, by, there.as_ref()).await?
    {
        return Ok(Some(found));
    }
    rules::ask_at(observer, scene, search, by, there.as_ref()).await
}

/// Goes through the rules and routes of the node that refused.
async fn refused_by_routing(
    observer: &mut Observer,
    scene: &Scene<'_>,
    search: &mut Search,
    how: Rejection,
    by: &NodeName,
    there: Option<&Packet>,
) -> Result<Option<Explanation>, ObserveError> {
    let (source, destination, iif) = match (there, scene.probe.address()) {
        (Some(packet), _) => (packet.source, packet.destination, packet.on.ifname.as_str()),
        (None, Some(to)) => (nobody(to), to, OWN),
        (None, None) => return Ok(None),
    };
    let fib = scene.node(by)?.route().fib(destination).await?;
    let way = match way(scene, search, by, &fib, (source, destination), iif) {
        Ok(way) => way,
        Err(refused) => return Ok(Some(*refused)),
    };
    match (how, way) {
        (Rejection::NetworkUnreachable, Way::Nowhere) => {
            search.found(format!("route of {by} to {destination}"), "none");
            let why = format!("{by} has no route to {destination}");
            Ok(Some(search.name(Cause::NoRoute, by.clone(), why, None)))
        }
        (
            Rejection::HostUnreachable,
            Way::Out {
                link,
                hop,
                is_gateway,
            },
        ) => {
            let Some(out) = scene.topology.link(by, link) else {
                return Ok(None);
            };
            neighbour::unresolved(observer, scene, search, (by, out), hop, is_gateway).await
        }
        (Rejection::FragmentationNeeded, Way::Out { link, .. }) => Ok(there
            .map(|packet| station::too_big(scene, search, packet, link))
            .or_else(|| Some(too_big_to_send(scene, search, by, link)))),
        _ => Ok(None),
    }
}

fn too_big_to_send(
    scene: &Scene<'_>,
    search: &mut Search,
    by: &NodeName,
    link: u32,
) -> Explanation {
    let mtu = scene.topology.link(by, link).map_or(0, |link| link.mtu);
    search.found(format!("MTU of the way out of {by}"), mtu.to_string());
    let why = format!("the packet is larger than the {mtu} bytes that {by} can send");
    search.name(Cause::TooBig, by.clone(), why, None)
}

/// No socket of the node has the port.
pub(super) fn nobody_listens(
    scene: &Scene<'_>,
    search: &mut Search,
    by: &NodeName,
) -> Option<Explanation> {
    let (Probe::Udp(to) | Probe::Tcp(to)) = scene.probe else {
        return None;
    };
    let kind = scene.probe.kind();
    if !no_socket(scene, search, by, matches!(scene.probe, Probe::Udp(_))) {
        return None;
    }
    // A translated probe comes to another port than it was sent to.
    let why = format!("{by} has no socket for {kind} to port {}", to.port);
    Some(search.name(Cause::NobodyListening, by.clone(), why, None))
}

/// Tells whether a node counts a datagram, or else a segment, for which it has no socket.
pub(super) fn no_socket(
    scene: &Scene<'_>,
    search: &mut Search,
    by: &NodeName,
    is_udp: bool,
) -> bool {
    let (counter, moved) = if is_udp {
        (
            "UDP datagrams without a socket",
            scene.moved(by, "Udp NoPorts") + scene.moved(by, "Udp6NoPorts"),
        )
    } else {
        ("TCP resets sent", scene.moved(by, "Tcp OutRsts"))
    };
    if moved == 0 {
        search.excluded(format!("{counter} by {by}"), "not moved");
        return false;
    }
    search.found(format!("{counter} by {by}"), format!("+{moved}"));
    true
}

/// Explains that a probe left its sender's socket and was on no interface.
pub(super) async fn never_seen(
    observer: &mut Observer,
    scene: &Scene<'_>,
    search: &mut Search,
) -> Result<Option<Explanation>, ObserveError> {
    match scene.probe.address() {
        Some(to) => not_sent(observer, scene, search, scene.probe.from(), to).await,
        None => Ok(None),
    }
}

/// Explains that what a socket of a node sent to an address was on no interface.
pub(super) async fn not_sent(
    observer: &mut Observer,
    scene: &Scene<'_>,
    search: &mut Search,
    from: &NodeName,
    to: IpAddr,
) -> Result<Option<Explanation>, ObserveError> {
    let fib = scene.node(from)?.route().fib(to).await?;
    let way = match way(scene, search, from, &fib, (nobody(to), to), OWN) {
        Ok(way) => way,
        Err(refused) => return Ok(Some(*refused)),
    };
    if way == Way::Nowhere {
        search.found(format!("route of {from} to {to}"), "none");
        let why = format!("{from} has no route to {to}");
        return Ok(Some(search.name(Cause::NoRoute, from.clone(), why, None)));
    }
    let out = match way {
        Way::Here => scene.topology.link_named(from, OWN),
        Way::Out { link, .. } => scene.topology.link(from, link),
        Way::Nowhere | Way::Unknown => None,
    };
    if let Some(out) = out
        && !(out.up && out.carrier)
        && let Some(found) = wire::silent_link(scene.topology, search, from, out)
    {
        return Ok(Some(found));
    }
    if let (
        Some(out),
        Way::Out {
            hop, is_gateway, ..
        },
    ) = (out, way)
    {
        let found =
            neighbour::unresolved(observer, scene, search, (from, out), hop, is_gateway).await?;
        if found.is_some() {
            return Ok(found);
        }
    }
    rules::ask_at(observer, scene, search, from, None).await
}

/// The source of a packet that has none yet.
fn nobody(to: IpAddr) -> IpAddr {
    match to {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}
