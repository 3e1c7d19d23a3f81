//! Rules and policies: the probe is sent once more, with a trace in the node where it died.
//!
//! A chain's policy has no counter, and not every rule has one. The trace is in a table of our own,
//! and is gone when the answer is there. The probe that it sees is another one than that which was
//! judged, so what it shows is marked as a replay.

use super::packet::Packet;
use super::{Explanation, ObserveError, Scene, Search};
use crate::kernel::{BaseChain, Dropped, HookPoint, NftSocket, TableFamily, Trace};
use crate::observe::Observer;
use crate::scenario::{Cause, NodeName};

/// Asks whether a rule of the node ended the packet.
pub(super) async fn ask(
    observer: &mut Observer,
    scene: &Scene<'_>,
    search: &mut Search,
    node: &NodeName,
    packet: &Packet,
) -> Result<Option<Explanation>, ObserveError> {
    ask_at(observer, scene, search, node, Some(packet)).await
}

/// Asks whether a rule of the node ended the packet, or one of the node's own where there is none.
pub(super) async fn ask_at(
    observer: &mut Observer,
    scene: &Scene<'_>,
    search: &mut Search,
    name: &NodeName,
    packet: Option<&Packet>,
) -> Result<Option<Explanation>, ObserveError> {
    let node = scene.node(name)?;
    let chains = node
        .enter(|| NftSocket::open().and_then(|mut socket| socket.base_chains()))?
        .unwrap_or_default();
    if chains.is_empty() {
        search.excluded(format!("nftables of {name}"), "no chain at any hook");
        return Ok(None);
    }
    let links: Vec<String> = scene
        .topology
        .links_of(name)
        .iter()
        .map(|link| link.name.clone())
        .collect();
    let mut trace = match node.enter(|| Trace::begin(&links))? {
        Ok(trace) => trace,
        Err(error) => {
            search.excluded(format!("trace of {name}"), error.to_string());
            return Ok(None);
        }
    };
    let again = observer
        .attempt(scene.world, scene.topology, scene.probe)
        .await;
    let dropped = trace.dropped();
    let ended = trace.end();
    again?;
    let dropped = dropped?;
    ended?;
    let of_probe = |end: &&Dropped| packet.is_none_or(|packet| is_of(end, packet));
    let Some(end) = dropped.iter().find(of_probe) else {
        search.excluded(
            format!("nftables of {name}, traced"),
            format!("{} chains, and all of them let it pass", chains.len()),
        );
        return Ok(None);
    };
    Ok(Some(explanation(search, name, end, packet)))
}

/// Tells whether a packet that was ended has the addresses of the one that died, where it has any.
fn is_of(end: &Dropped, packet: &Packet) -> bool {
    let is = |ip: std::net::IpAddr, at: usize| match ip {
        std::net::IpAddr::V4(ip) => end.header.get(at..at + 4) == Some(&ip.octets()[..]),
        std::net::IpAddr::V6(_) => true,
    };
    const SOURCE: usize = 12;
    const DESTINATION: usize = 16;
    let between = |source, destination| is(source, SOURCE) && is(destination, DESTINATION);
    end.header.is_empty()
        || end.header.first().is_none_or(|first| first >> 4 != 4)
        || between(packet.source, packet.destination)
        // The answer of the node that has the packet.
        || between(packet.destination, packet.source)
}

fn explanation(
    search: &mut Search,
    node: &NodeName,
    end: &Dropped,
    packet: Option<&Packet>,
) -> Explanation {
    let BaseChain {
        family,
        table,
        name,
        hook,
    } = &end.base;
    let by_bridge = packet.is_some_and(|packet| packet.master.is_some());
    let cause = cause(*family, *hook, end.rule.is_some(), by_bridge);
    let place = format!("{} {table} {}", family.word(), end.chain);
    let what = match end.rule {
        Some(number) => format!("rule {number} of the chain `{place}`"),
        None => format!("the policy of the chain `{place}`"),
    };
    search.found(format!("nftables of {node}, traced"), what.clone());
    if end.chain != *name {
        search.found("called from", format!("{} {table} {name}", family.word()));
    }
    let mend = end.rule.is_none().then(|| {
        let chain = format!(
            "nft chain {} {table} {} '{{ policy accept; }}'",
            family.word(),
            end.chain
        );
        super::in_node(node, &chain)
    });
    let why = format!("{what} in {node} ended it");
    let mut found = search.name(cause, node.clone(), why, mend);
    found.replayed = true;
    found
}

fn cause(family: TableFamily, hook: HookPoint, by_rule: bool, at_bridge_port: bool) -> Cause {
    let pick = |rule, policy| if by_rule { rule } else { policy };
    match (family, hook) {
        (TableFamily::Bridge, _) => pick(Cause::BridgeRule, Cause::BridgePolicy),
        // A frame that a bridge passes on meets rules for IP only by way of br_netfilter.
        (TableFamily::Ip | TableFamily::Ip6 | TableFamily::Inet, _) if at_bridge_port => {
            Cause::BridgeNetfilter
        }
        (_, HookPoint::Ingress | HookPoint::Egress) => {
            pick(Cause::IngressRule, Cause::IngressPolicy)
        }
        (_, HookPoint::Prerouting) => pick(Cause::PreroutingRule, Cause::PreroutingPolicy),
        (_, HookPoint::Input) => pick(Cause::InputRule, Cause::InputPolicy),
        (_, HookPoint::Forward) => pick(Cause::ForwardRule, Cause::ForwardPolicy),
        (_, HookPoint::Output) => pick(Cause::OutputRule, Cause::OutputPolicy),
        (_, HookPoint::Postrouting) => pick(Cause::PostroutingRule, Cause::PostroutingPolicy),
    }
}
