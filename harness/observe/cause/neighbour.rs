//! A neighbour that does not answer: the kernel's own question is followed, as a probe is.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::super::frame::{Arp, Content, Direction, IpPacket, Transport, read};
use super::super::identity::Identity;
use super::super::walk::Walk;
use super::packet::{Packet, link_ref};
use super::segment::{self, Segment};
use super::{
    Explanation, ObserveError, Scene, Search, bridge, in_node, routing, rules, tunnel, wire,
};
use crate::kernel::route::{Link, LinkKind, NeighbourState};
use crate::observe::Observer;
use crate::scenario::{Cause, Leg, LinkRef, NodeName};

/// Explains that a node does not find its next hop on a link.
pub(super) async fn unresolved(
    observer: &mut Observer,
    scene: &Scene<'_>,
    search: &mut Search,
    (node, link): (&NodeName, &Link),
    hop: IpAddr,
    is_gateway: bool,
) -> Result<Option<Explanation>, ObserveError> {
    let Some(here) = link_ref(scene.topology, node, link.index) else {
        return Ok(None);
    };
    let neighbours = scene.node(node)?.route().neighbours().await?;
    let entry = neighbours
        .iter()
        .find(|it| it.link == link.index && it.address == hop);
    match entry.map(|it| it.state) {
        Some(NeighbourState::Failed | NeighbourState::Incomplete) => {
            search.found(format!("neighbour {hop} on {here}"), "failed");
        }
        Some(state) => {
            search.excluded(format!("neighbour {hop} on {here}"), state.word());
            return Ok(None);
        }
        None => {}
    }
    let question = scene.frames.iter().find_map(|frame| {
        let sent =
            frame.node == *node && frame.link == link.index && frame.direction == Direction::Out;
        match read(&frame.bytes) {
            Content::Arp(Arp {
                is_reply: false,
                sender_mac,
                sender,
                target,
            }) if sent && IpAddr::V4(target) == hop => Some(Identity::Arp {
                mac: sender_mac,
                sender,
                target,
            }),
            Content::Ip(IpPacket {
                source: IpAddr::V6(sender),
                transport: Transport::Discovery(asked),
                ..
            }) if sent && !asked.is_reply && IpAddr::V6(asked.target) == hop => {
                Some(Identity::Ndp {
                    sender,
                    target: asked.target,
                })
            }
            _ => None,
        }
    });
    let Some(question) = question else {
        // The request is dropped before a tap sees it where there is no carrier.
        return Ok(wire::silent_link(scene.topology, search, node, link).filter(|_| !link.carrier));
    };
    let walk = Walk::new(scene.frames.to_vec(), &question, scene.topology, node);
    asked(observer, scene, search, &here, hop, &walk, is_gateway).await
}

/// Explains that an ARP request from `from` for `ip`, whose way is known, is not answered.
pub(super) async fn asked(
    observer: &mut Observer,
    scene: &Scene<'_>,
    search: &mut Search,
    from: &LinkRef,
    ip: IpAddr,
    walk: &Walk,
    is_gateway: bool,
) -> Result<Option<Explanation>, ObserveError> {
    let topology = scene.topology;
    let Some(asking) = topology.link_named(&from.node, from.ifname.as_str()) else {
        return Ok(None);
    };
    let requests = walk.end_steps(Leg::Request, topology);
    let ends: Vec<Packet> = requests
        .iter()
        .filter_map(|step| Packet::new(step, topology))
        .collect();
    if ends.is_empty() {
        return Ok(wire::silent_link(topology, search, &from.node, asking));
    }
    let owner = scene.owner(ip).await?;
    let station = owner.and_then(|owner| {
        let link = topology.link_named(&owner.node, owner.ifname.as_str())?;
        Some((owner, link))
    });
    let Some((owner, link)) = station else {
        if let Some(broken) = broken_end(scene, search, &ends)? {
            return Ok(Some(broken));
        }
        return nobody(scene, search, from, ip, is_gateway, &ends).await;
    };
    search.found(format!("{ip}"), format!("an address of {owner}"));
    // The interface that the owner hears by: itself, or a port if it is a bridge.
    let reached = walk.steps().any(|step| {
        step.frame.node == owner.node
            && step.frame.link == link.index
            && step.frame.direction == Direction::In
    });
    if reached {
        search.excluded(format!("{owner}"), "heard the question");
        let refused = refused_as_source(scene, search, walk, &owner, ip).await?;
        return match refused {
            None => rules::ask_at(observer, scene, search, &owner.node, None).await,
            found => Ok(found),
        };
    }
    let station = (owner.node.clone(), link.index);
    if let Some(found) = segment::stopped(scene, search, walk, Leg::Request, &station, false)? {
        return Ok(Some(found));
    }
    if let Some(found) = at_owner(scene, search, &owner, link).await? {
        return Ok(Some(found));
    }
    if let Some(found) = stray_port(scene, search, &ends).await? {
        return Ok(Some(found));
    }
    if let Some(found) = tunnel::ended(scene, search, &ends) {
        return Ok(Some(found));
    }
    let asked_from = (from.node.clone(), asking.index);
    if Segment::sent(topology, &asked_from).lacks(&station) {
        return nobody(scene, search, from, ip, is_gateway, &ends).await;
    }
    dropped_by_bridge(observer, scene, search, walk).await
}

/// Finds a bridge whose rules do not let the question pass.
async fn dropped_by_bridge(
    observer: &mut Observer,
    scene: &Scene<'_>,
    search: &mut Search,
    walk: &Walk,
) -> Result<Option<Explanation>, ObserveError> {
    let mut looked_at = BTreeSet::new();
    for step in walk.steps() {
        let Some(packet) = Packet::new(step, scene.topology) else {
            continue;
        };
        let at_bridge = packet.master.is_some() || packet.is_on_bridge(scene.topology);
        if at_bridge && looked_at.insert(packet.on.node.clone()) {
            let found = rules::ask(observer, scene, search, &packet.on.node, &packet).await?;
            if found.is_some() {
                return Ok(found);
            }
        }
    }
    Ok(None)
}

/// Finds an end where it went out and came in nowhere, or came to a bridge that is shut.
fn broken_end(
    scene: &Scene<'_>,
    search: &mut Search,
    ends: &[Packet],
) -> Result<Option<Explanation>, ObserveError> {
    let topology = scene.topology;
    for end in ends {
        let broken = match (end.direction, end.master) {
            (Direction::Out, _) => wire::after_sending(scene, search, end)?,
            (Direction::In, Some(master)) => topology
                .link(&end.on.node, end.link)
                .zip(topology.link(&end.on.node, master))
                .and_then(|(port, bridge)| {
                    bridge::enters(topology, search, &end.on.node, port, bridge)
                }),
            (Direction::In, None) => None,
        };
        if broken.is_some() {
            return Ok(broken);
        }
    }
    Ok(None)
}

/// The owner of the address heard the question: it answers nobody who asks from an address that
/// cannot be there (`arp_process`, net/ipv4/arp.c, looks the source up as for any packet).
async fn refused_as_source(
    scene: &Scene<'_>,
    search: &mut Search,
    walk: &Walk,
    owner: &LinkRef,
    ip: IpAddr,
) -> Result<Option<Explanation>, ObserveError> {
    let asker = walk.steps().find_map(|step| step.sighting(scene.topology));
    let asker = asker.and_then(|it| it.source);
    let Some(asker) = asker.filter(|it| !it.is_unspecified()) else {
        return Ok(None);
    };
    let fib = scene.node(&owner.node)?.route().fib(ip).await?;
    routing::source(scene, search, owner, &fib, (asker, ip))
}

/// Looks at the station that should have heard a frame, and at what it hangs on.
pub(super) async fn at_owner(
    scene: &Scene<'_>,
    search: &mut Search,
    owner: &LinkRef,
    link: &Link,
) -> Result<Option<Explanation>, ObserveError> {
    let topology = scene.topology;
    if !link.up {
        return Ok(Some(wire::down(search, owner)));
    }
    let Some((far, port)) = topology.peer(&owner.node, link.index) else {
        return Ok(None);
    };
    let Some(at) = link_ref(topology, far, port.index) else {
        return Ok(None);
    };
    if !port.up {
        return Ok(Some(wire::down(search, &at)));
    }
    // An interface with an address of its own is there to be routed from.
    let addresses = scene.node(far)?.route().addresses().await?;
    if port.master.is_some() || addresses.iter().any(|it| it.link == port.index) {
        return Ok(None);
    }
    let bridges: Vec<&Link> = topology
        .links_of(far)
        .iter()
        .filter(|link| link.kind == LinkKind::Bridge)
        .collect();
    Ok(not_enslaved(search, far, &at, &bridges))
}

/// Finds an end at an interface that has neither a bridge nor an address, in a node that has a
/// bridge.
pub(super) async fn stray_port(
    scene: &Scene<'_>,
    search: &mut Search,
    ends: &[Packet],
) -> Result<Option<Explanation>, ObserveError> {
    for end in ends {
        if end.direction != Direction::In || end.master.is_some() {
            continue;
        }
        let node = &end.on.node;
        let links = scene.topology.links_of(node);
        let bridges: Vec<&Link> = links
            .iter()
            .filter(|link| link.kind == LinkKind::Bridge)
            .collect();
        let is_bridge = bridges.iter().any(|bridge| bridge.index == end.link);
        let addresses = scene.node(node)?.route().addresses().await?;
        let has_address = addresses.iter().any(|it| it.link == end.link);
        if !is_bridge
            && !has_address
            && let Some(found) = not_enslaved(search, node, &end.on, &bridges)
        {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

pub(super) fn not_enslaved(
    search: &mut Search,
    node: &NodeName,
    at: &LinkRef,
    bridges: &[&Link],
) -> Option<Explanation> {
    let bridge = bridges.first()?;
    search.found(format!("{at}"), "port of no bridge");
    let why = format!("{at} belongs to no bridge, so what comes in there goes no further");
    let mend = match bridges {
        [_] => Some(in_node(
            node,
            &format!("ip link set {} master {}", at.ifname, bridge.name),
        )),
        _ => None,
    };
    Some(search.name(Cause::NotEnslaved, at.clone(), why, mend))
}

/// Says that nobody who hears the question has the address.
async fn nobody(
    scene: &Scene<'_>,
    search: &mut Search,
    from: &LinkRef,
    ip: IpAddr,
    is_gateway: bool,
    ends: &[Packet],
) -> Result<Option<Explanation>, ObserveError> {
    if scene.owner(ip).await?.is_none()
        && let Some(found) = stray_port(scene, search, ends).await?
    {
        return Ok(Some(found));
    }
    let heard: Vec<String> = ends.iter().map(|end| end.on.to_string()).collect();
    search.found(format!("who was asked for {ip}"), heard.join(", "));
    if is_gateway {
        let addresses = scene.node(&from.node)?.route().addresses().await?;
        let on_link = addresses.iter().any(|it| {
            let index = scene
                .topology
                .link_named(&from.node, from.ifname.as_str())
                .map(|link| link.index);
            Some(it.link) == index
                && ipnet::IpNet::new(it.address, it.prefix_len).is_ok_and(|net| net.contains(&ip))
        });
        if !on_link {
            search.found(
                format!("addresses of {from}"),
                format!("no prefix with {ip}"),
            );
            let why = format!("the gateway {ip} is not on the link {from}");
            return Ok(Some(search.name(
                Cause::GatewayNotOnLink,
                from.clone(),
                why,
                None,
            )));
        }
    }
    let why = format!("nobody on the link of {from} answers for {ip}");
    Ok(Some(search.name(
        Cause::NeighbourUnresolved,
        from.clone(),
        why,
        None,
    )))
}
