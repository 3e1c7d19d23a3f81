//! A connection that is older than the rule which would translate it.
//!
//! The kernel asks the rules for translation once, for the first packet of a connection
//! (net/netfilter/nf_nat_core.c, `nf_nat_inet_fn`), and remembers what they said as long as it
//! remembers the connection.

use std::collections::BTreeMap;

use super::packet::Packet;
use super::{Explanation, ObserveError, Scene, Search, in_node};
use crate::kernel::conntrack::{Flow, flows};
use crate::observe::Observer;
use crate::observe::frame::Direction;
use crate::scenario::{Cause, Exchange, Leg, NodeName, Probe};
use crate::world::World;

/// The connections of a probe's sender and ports that each node tracks already.
pub(in crate::observe) type Tracked = BTreeMap<NodeName, Vec<Flow>>;

/// Reads the connections that a probe may belong to before it is sent. A probe from a fresh port
/// belongs to none.
pub(in crate::observe) fn tracked(world: &World, probe: &Probe) -> Result<Tracked, ObserveError> {
    let mut tracked = Tracked::new();
    let Some(asked) = asked(probe) else {
        return Ok(tracked);
    };
    for node in world.nodes() {
        // A kernel that cannot show what it tracks gives no evidence.
        let mut flows = node.enter(flows)?.unwrap_or_default();
        flows.retain(|flow| flow.protocol == asked.protocol && flow.source.port() == asked.port);
        if !flows.is_empty() {
            tracked.insert(node.name().clone(), flows);
        }
    }
    Ok(tracked)
}

/// What a probe asks for that makes it part of a connection.
struct Asked<'a> {
    exchange: &'a Exchange,
    protocol: u8,
    port: u16,
}

fn asked(probe: &Probe) -> Option<Asked<'_>> {
    let (exchange, protocol) = match probe {
        Probe::Udp(exchange) => (exchange, 17),
        Probe::Tcp(exchange) => (exchange, 6),
        Probe::Ping(_) | Probe::Arp(_) | Probe::Ndp(_) | Probe::Frame(_) => return None,
    };
    let port = exchange.from_port.as_ref()?.value;
    Some(Asked {
        exchange,
        protocol,
        port,
    })
}

/// Asks whether a router left the packet's source as it is only because of a connection that was
/// there before: it has one, and the same probe from a fresh port is translated there.
pub(super) async fn translation(
    observer: &mut Observer,
    scene: &Scene<'_>,
    search: &mut Search,
    packet: &Packet,
) -> Result<Option<Explanation>, ObserveError> {
    let Some(asked) = asked(scene.probe) else {
        return Ok(None);
    };
    let old: BTreeMap<&NodeName, &Flow> = scene
        .tracked
        .iter()
        .filter_map(|(node, flows)| {
            let flow = flows.iter().find(|flow| leaves_as_it_is(flow, packet))?;
            Some((node, flow))
        })
        .collect();
    if old.is_empty() {
        return Ok(None);
    }
    let fresh = Exchange {
        from_port: None,
        ..asked.exchange.clone()
    };
    let fresh = match scene.probe {
        Probe::Tcp(_) => Probe::Tcp(fresh),
        _ => Probe::Udp(fresh),
    };
    let again = observer
        .attempt(scene.world, scene.topology, &fresh)
        .await?;
    let translated = again.sightings.iter().find(|seen| {
        seen.leg == Leg::Request
            && seen.direction == Direction::Out
            && seen.source.is_some_and(|source| source != packet.source)
            && old.contains_key(&seen.on.node)
    });
    let Some((seen, (router, flow))) =
        translated.and_then(|seen| Some((seen, old.get_key_value(&seen.on.node)?)))
    else {
        return Ok(None);
    };
    let kind = scene.probe.kind();
    search.found(
        format!("connection of {router}, older than the probe"),
        format!(
            "{kind} {} to {}, not translated",
            flow.source, flow.destination
        ),
    );
    search.found(
        format!("the same from another port, behind {router}"),
        seen.source
            .map_or("no source".to_owned(), |source| format!("source {source}")),
    );
    let why = format!(
        "{kind} {} to {} is older than the rule of {router} that would translate it",
        flow.source, flow.destination
    );
    let command = format!(
        "conntrack -D -p {kind} -s {} --sport {} -d {} --dport {}",
        flow.source.ip(),
        flow.source.port(),
        flow.destination.ip(),
        flow.destination.port()
    );
    let mend = in_node(router, &command);
    let mut found = search.name(Cause::StaleTranslation, (*router).clone(), why, Some(mend));
    found.replayed = true;
    Ok(Some(found))
}

/// Tells whether a packet with these addresses belongs to the connection, which keeps its source.
fn leaves_as_it_is(flow: &Flow, packet: &Packet) -> bool {
    flow.source.ip() == packet.source
        && flow.answers_to == flow.source
        && flow.answers_from.ip() == packet.destination
}
