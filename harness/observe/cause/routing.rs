//! Rules, routes and the checks of a source address, in the kernel's order
//! (`ip_route_input_slow` and `fib_validate_source`, net/ipv4).

use std::net::IpAddr;

use super::packet::link_ref;
use super::{Explanation, ObserveError, Scene, Search, in_node, key};
use crate::kernel::route::{Fib, FibHop, FibKind, Found, PolicyRule, Refusal};
use crate::scenario::{Cause, LinkRef, NodeName};

/// The name under which rules know packets that a node sends itself.
pub(super) const OWN: &str = "lo";

/// Where a packet goes on from a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// To the node itself.
    Here,
    /// Out again: this interface, to this address.
    Out {
        link: u32,
        hop: IpAddr,
        is_gateway: bool,
    },
    /// Nobody says where.
    Nowhere,
    /// It could not be told.
    Unknown,
}

/// The family's part of a path under `/proc/sys/net`.
pub(super) fn family(ip: IpAddr) -> &'static str {
    if ip.is_ipv4() { "ipv4" } else { "ipv6" }
}

/// Looks up where a packet goes, or which rule or route refuses it.
pub(super) fn way(
    scene: &Scene<'_>,
    search: &mut Search,
    node: &NodeName,
    fib: &Fib,
    (source, destination): (IpAddr, IpAddr),
    iif: &str,
) -> Result<Way, Box<Explanation>> {
    match fib.lookup(source, destination, iif) {
        Found::Nothing => Ok(Way::Nowhere),
        Found::Unknown => {
            search.excluded(
                format!("rules of {node}"),
                "one has conditions that are not looked at",
            );
            Ok(Way::Unknown)
        }
        Found::Rule(rule, refusal) => Err(Box::new(refused_by_rule(search, node, rule, refusal))),
        Found::Route(route) => {
            match route.kind {
                FibKind::Local | FibKind::Broadcast => Ok(Way::Here),
                FibKind::Other => Ok(Way::Unknown),
                FibKind::Refuse(refusal) => {
                    let (cause, word) = match refusal {
                        Refusal::Blackhole => (Cause::BlackholeRoute, "blackhole"),
                        Refusal::Unreachable => (Cause::UnreachableRoute, "unreachable"),
                        Refusal::Prohibit => (Cause::ProhibitRoute, "prohibit"),
                    };
                    let prefix = if route.prefix.prefix_len() == 0 {
                        "default".to_owned()
                    } else {
                        route.prefix.to_string()
                    };
                    search.found(
                        format!("route of {node} to {destination}"),
                        format!("{word} {prefix}"),
                    );
                    let why = format!("{node} has a route `{word} {prefix}`");
                    let mend = in_node(node, &format!("ip route delete {word} {prefix}"));
                    Err(Box::new(search.name(cause, node.clone(), why, Some(mend))))
                }
                FibKind::Unicast => Ok(route.hops.iter().find(|hop| !hop.dead).map_or(
                    Way::Unknown,
                    |hop: &FibHop| {
                        if let Some(at) = link_ref(scene.topology, node, hop.link) {
                            let via = hop
                                .gateway
                                .map_or(String::new(), |via| format!(" via {via}"));
                            search.excluded(
                                format!("route of {node} to {destination}"),
                                format!("{}{via} dev {}", route.prefix, at.ifname),
                            );
                        }
                        Way::Out {
                            link: hop.link,
                            hop: hop.gateway.unwrap_or(destination),
                            is_gateway: hop.gateway.is_some(),
                        }
                    },
                )),
            }
        }
    }
}

fn refused_by_rule(
    search: &mut Search,
    node: &NodeName,
    rule: &PolicyRule,
    refusal: Refusal,
) -> Explanation {
    let (cause, word) = match refusal {
        Refusal::Blackhole => (Cause::BlackholeRule, "blackhole"),
        Refusal::Unreachable => (Cause::UnreachableRule, "unreachable"),
        Refusal::Prohibit => (Cause::ProhibitRule, "prohibit"),
    };
    search.found(format!("rule {} of {node}", rule.priority), word);
    let why = format!("{node} has a rule {} that says `{word}`", rule.priority);
    let mend = in_node(node, &format!("ip rule delete priority {}", rule.priority));
    search.name(cause, node.clone(), why, Some(mend))
}

/// Checks the source of a packet that came in, as the kernel does before it takes or forwards it.
pub(super) fn source(
    scene: &Scene<'_>,
    search: &mut Search,
    at: &LinkRef,
    fib: &Fib,
    (source, destination): (IpAddr, IpAddr),
) -> Result<Option<Explanation>, ObserveError> {
    let IpAddr::V4(v4) = source else {
        // Only IPv4 has such checks.
        return Ok(None);
    };
    let node = &at.node;
    let number = |scene: &Scene<'_>, name: &str, of: &str| {
        let value = scene.setting(node, &format!("net/ipv4/conf/{of}/{name}"))?;
        Ok::<u8, ObserveError>(value.and_then(|text| text.parse().ok()).unwrap_or_default())
    };
    let ifname = at.ifname.as_str();
    let either = |name: &str| {
        Ok::<u8, ObserveError>(number(scene, name, "all")?.max(number(scene, name, ifname)?))
    };
    let martian = |search: &mut Search, why: String| {
        search.found(format!("source of the packet at {at}"), source.to_string());
        search.name(Cause::MartianSource, at.clone(), why, None)
    };
    let impossible = v4.is_multicast()
        || v4.is_broadcast()
        || v4.octets()[0] == 0
        || (v4.is_loopback() && either("route_localnet")? == 0);
    if impossible {
        let why = format!("{source} cannot be the source of a packet that comes in at {at}");
        return Ok(Some(martian(search, why)));
    }
    let rp_filter = either("rp_filter")?;
    // The way back is looked up as for a packet of the node's own.
    let back = fib.lookup(destination, source, OWN);
    let elsewhere = match back {
        Found::Route(route) if route.kind == FibKind::Local => {
            if either("accept_local")? != 0 {
                return Ok(None);
            }
            let why =
                format!("{source} is an address of {node} itself, so nobody else may send from it");
            return Ok(Some(martian(search, why)));
        }
        Found::Route(route) if route.kind == FibKind::Unicast => {
            let index = scene
                .topology
                .link_named(node, ifname)
                .map(|link| link.index);
            rp_filter == 1 && !route.hops.iter().any(|hop| Some(hop.link) == index)
        }
        Found::Nothing => rp_filter != 0,
        // A refusal is no way back, as if there were nothing.
        Found::Rule(..) => rp_filter != 0,
        Found::Route(route) if matches!(route.kind, FibKind::Refuse(_)) => rp_filter != 0,
        Found::Route(_) | Found::Unknown => return Ok(None),
    };
    let moved = scene.moved(node, "TcpExt IPReversePathFilter");
    if !elsewhere {
        search.excluded(format!("reverse path of {node} to {source}"), "as it came");
        return Ok(None);
    }
    if moved == 0 {
        search.excluded(format!("TcpExt IPReversePathFilter of {node}"), "not moved");
        return Ok(None);
    }
    let of = if number(scene, "rp_filter", "all")? >= rp_filter {
        "all"
    } else {
        ifname
    };
    let path = format!("net/ipv4/conf/{of}/rp_filter");
    search.found(key(&path), rp_filter.to_string());
    search.found(
        format!("TcpExt IPReversePathFilter of {node}"),
        format!("+{moved}"),
    );
    let why = format!("{node} would answer {source} by another way than {at}, and rp_filter is on");
    let mend = in_node(node, &format!("sysctl -w {}=0", key(&path)));
    let found = search.name(Cause::ReversePathFilter, at.clone(), why, Some(mend));
    Ok(Some(found))
}
