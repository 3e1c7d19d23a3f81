//! The one writer of facts: the text that snapshots hold.

use std::fmt::Write as _;

use ipnet::IpNet;

use super::{Facts, NodeFacts, owner_of, tracked};
use crate::kernel::Mac;
use crate::kernel::route::{
    Address, FdbEntry, FdbState, Link, LinkKind, MAIN_TABLE, Neighbour, Particulars, PolicyAction,
    PolicyRule, PortSettings, Route, RouteKind, RouteProtocol, RouteScope,
};
use crate::scenario::{FactKind, NodeName, TableId};
use crate::world::Topology;

/// Seconds that a bridge keeps an address, if nobody says otherwise (`BR_DEFAULT_AGEING_TIME`).
const BRIDGE_AGEING: u32 = 300;

/// Seconds that a port listens, and learns, if nobody says otherwise (`br_dev_setup`).
const FORWARD_DELAY: u32 = 15;

/// Writes the facts of one kind, node by node, in the words of `ip`.
///
/// Interfaces stand by name instead of number, and a hardware address as `mac(node/ifname)`.
pub fn write(facts: &Facts, kind: FactKind) -> String {
    let mut text = format!("[{}]\n", kind.word());
    for (node, known) in facts.names() {
        match known {
            Ok(of_node) => {
                let lines = lines(of_node, node, kind, &facts.topology);
                section(&mut text, node, &lines);
            }
            Err(first) => same(&mut text, node, first),
        }
    }
    text
}

/// Writes that a name stands for a node that has another name before.
pub(in crate::observe) fn same(text: &mut String, node: &NodeName, first: &NodeName) {
    let _ = writeln!(text, "{node} = {first}");
}

/// Writes what belongs to one node; a node without any says so.
pub(in crate::observe) fn section(text: &mut String, node: &NodeName, lines: &[String]) {
    let _ = writeln!(text, "{node}");
    for line in lines {
        let _ = writeln!(text, "  {line}");
    }
    if lines.is_empty() {
        text.push_str("  (none)\n");
    }
}

/// Writes one table of a node.
pub(super) fn lines(
    facts: &NodeFacts,
    node: &NodeName,
    kind: FactKind,
    topology: &Topology,
) -> Vec<String> {
    let name = |index: u32| {
        topology
            .link(node, index)
            .map_or_else(|| format!("if{index}"), |link| link.name.clone())
    };
    match kind {
        FactKind::Links => facts
            .links
            .iter()
            .map(|it| link_line(it, node, topology))
            .collect(),
        FactKind::Addresses => facts
            .addresses
            .iter()
            .map(|it| address_line(it, &name(it.link)))
            .collect(),
        FactKind::Routes => facts
            .routes
            .iter()
            .map(|it| route_line(it, &name))
            .collect(),
        FactKind::Rules => {
            let of_ipv6 = facts
                .ipv6_rules
                .iter()
                .map(|rule| format!("ipv6 {}", rule_line(rule)));
            facts.rules.iter().map(rule_line).chain(of_ipv6).collect()
        }
        FactKind::Neighbours => facts
            .neighbours
            .iter()
            .map(|it| neighbour_line(it, &name(it.link), topology))
            .collect(),
        FactKind::Fdb => {
            let line = |it| fdb_line(it, &name, topology);
            let mut lines: Vec<String> = facts.fdb.iter().map(line).collect();
            // By what is shown: the addresses themselves differ between implementations.
            lines.sort();
            lines
        }
        FactKind::Bridges => facts
            .links
            .iter()
            .filter_map(|it| bridge_line(it, &facts.links, topology))
            .collect(),
        FactKind::Conntrack => tracked::lines(&facts.tracked),
        FactKind::Mounts => {
            let line = |point: &String| format!("{point} type nsfs");
            facts.mounts.iter().map(line).collect()
        }
        // Not what the kernel says but what probes found; see `matrix`.
        FactKind::Reachability => Vec::new(),
    }
}

/// `web_veth: veth up carrier mtu 1500 master br0 peer host/x`. The operational state is left out:
/// for a link that is down it depends on the order of interface numbers.
fn link_line(link: &Link, node: &NodeName, topology: &Topology) -> String {
    let mut line = format!("{}: {}", link.name, link.kind.name());
    line.push_str(if link.up { " up" } else { " down" });
    // Carrier means nothing while the link is down: a bridge keeps what it had.
    if link.up {
        line.push_str(if link.carrier {
            " carrier"
        } else {
            " no-carrier"
        });
    }
    let _ = write!(line, " mtu {}", link.mtu);
    if let Some(master) = link.master.and_then(|index| topology.link(node, index)) {
        let _ = write!(line, " master {}", master.name);
    }
    if link.kind == LinkKind::Veth {
        match topology.peer(node, link.index) {
            Some((peer_node, peer)) => {
                let _ = write!(line, " peer {peer_node}/{}", peer.name);
            }
            None => line.push_str(" peer elsewhere"),
        }
    }
    if matches!(link.kind, LinkKind::Macvlan | LinkKind::Vlan) {
        match topology.lower(node, link.index) {
            Some((lower_node, lower)) => {
                let _ = write!(line, " link {lower_node}/{}", lower.name);
            }
            None => line.push_str(" link elsewhere"),
        }
    }
    line + &particulars(&link.particulars) + &port(&link.port)
}

/// `br0: id 8000.mac(host/br0) stp off ports veth1 veth2`, as brctl(8) shows a bridge.
fn bridge_line(of: &Link, links: &[Link], topology: &Topology) -> Option<String> {
    let Particulars::Bridge(bridge) = &of.particulars else {
        return None;
    };
    let mut line = format!("{}:", of.name);
    if let Some((priority, address)) = bridge.id {
        let _ = write!(line, " id {priority:04x}.{}", station(address, topology));
    }
    let stp = match bridge.stp {
        Some(true) => "on",
        _ => "off",
    };
    let ports: Vec<&str> = links
        .iter()
        .filter(|link| link.master == Some(of.index))
        .map(|link| link.name.as_str())
        .collect();
    let _ = match ports.as_slice() {
        [] => write!(line, " stp {stp} no ports"),
        ports => write!(line, " stp {stp} ports {}", ports.join(" ")),
    };
    Some(line)
}

/// What is particular to the kind; of a bridge, only what is not the kernel's default.
fn particulars(of: &Particulars) -> String {
    match of {
        Particulars::None => String::new(),
        Particulars::Bridge(bridge) => {
            let mut words = String::new();
            if bridge.stp == Some(true) {
                words.push_str(" stp");
            }
            if let Some(seconds) = bridge.ageing.filter(|it| *it != BRIDGE_AGEING) {
                let _ = write!(words, " ageing {seconds}");
            }
            if let Some(seconds) = bridge.forward_delay.filter(|it| *it != FORWARD_DELAY) {
                let _ = write!(words, " forward-delay {seconds}");
            }
            if bridge.vlan_filtering == Some(true) {
                words.push_str(" vlan-filtering");
            }
            if bridge.multicast_snooping == Some(false) {
                words.push_str(" no multicast-snooping");
            }
            words
        }
        Particulars::Macvlan(settings) => format!(" mode {}", settings.mode),
        Particulars::Vlan(id) => format!(" id {id}"),
        Particulars::Vxlan(vxlan) => {
            let mut words = format!(" id {}", vxlan.id);
            if let Some(remote) = vxlan.remote {
                let _ = write!(words, " remote {remote}");
            }
            if let Some(local) = vxlan.local {
                let _ = write!(words, " local {local}");
            }
            if let Some(port) = vxlan.port {
                let _ = write!(words, " dstport {port}");
            }
            words
        }
    }
}

/// The options of a bridge port that are not the kernel's default.
fn port(port: &PortSettings) -> String {
    [
        (port.isolated == Some(true), " isolated"),
        (port.learning == Some(false), " no learning"),
        (port.flood == Some(false), " no flood"),
        (port.hairpin == Some(true), " hairpin"),
    ]
    .into_iter()
    .filter_map(|(differs, words)| differs.then_some(words))
    .collect()
}

fn address_line(address: &Address, link: &str) -> String {
    let mut line = format!("{link}: {}/{}", address.address, address.prefix_len);
    if let Some(broadcast) = address.broadcast {
        let _ = write!(line, " brd {broadcast}");
    }
    let _ = write!(line, " scope {}", address.scope);
    if address.secondary {
        line.push_str(" secondary");
    }
    line
}

/// As `ip route` prints it, with the defaults left out in the same way.
fn route_line(route: &Route, name: &dyn Fn(u32) -> String) -> String {
    let mut line = match route.kind {
        RouteKind::Unicast => String::new(),
        RouteKind::Blackhole => "blackhole ".to_owned(),
        RouteKind::Unreachable => "unreachable ".to_owned(),
        RouteKind::Prohibit => "prohibit ".to_owned(),
        RouteKind::Other(number) => format!("type {number} "),
    };
    match route.destination {
        None => line.push_str("default"),
        Some(prefix) if prefix.prefix_len() == 0 => line.push_str("default"),
        Some(prefix) => line.push_str(&short(prefix)),
    }
    if let Some(gateway) = route.gateway {
        let _ = write!(line, " via {gateway}");
    }
    if let Some(link) = route.link {
        let _ = write!(line, " dev {}", name(link));
    }
    if route.table != MAIN_TABLE {
        let _ = write!(line, " table {}", TableId(route.table));
    }
    if route.protocol != RouteProtocol::BOOT {
        let _ = write!(line, " proto {}", route.protocol);
    }
    if route.scope != RouteScope::UNIVERSE {
        let _ = write!(line, " scope {}", route.scope);
    }
    if let Some(source) = route.preferred_source {
        let _ = write!(line, " src {source}");
    }
    if route.metric != 0 {
        let _ = write!(line, " metric {}", route.metric);
    }
    if route.onlink {
        line.push_str(" onlink");
    }
    if route.link_down {
        line.push_str(" linkdown");
    }
    for hop in &route.next_hops {
        line.push_str(" nexthop");
        if let Some(gateway) = hop.gateway {
            let _ = write!(line, " via {gateway}");
        }
        let _ = write!(line, " dev {} weight {}", name(hop.link), hop.weight);
        if hop.dead {
            line.push_str(" dead");
        }
        if hop.link_down {
            line.push_str(" linkdown");
        }
    }
    line
}

/// A prefix as `ip` prints it: one that is a single address, without its length.
fn short(prefix: IpNet) -> String {
    if prefix.prefix_len() == prefix.max_prefix_len() {
        prefix.addr().to_string()
    } else {
        prefix.to_string()
    }
}

/// `1000: from 10.0.0.0/24 lookup 100`, as `ip rule` prints it. The three rules that every node begins
/// with are shown too: what a rule does depends on where it stands between them.
fn rule_line(rule: &PolicyRule) -> String {
    let mut line = format!("{}:", rule.priority);
    if rule.inverted {
        line.push_str(" not");
    }
    let from = rule.from.map_or_else(|| "all".to_owned(), short);
    let _ = write!(line, " from {from}");
    if let Some(to) = rule.to {
        let _ = write!(line, " to {}", short(to));
    }
    match rule.mark {
        Some((mark, u32::MAX)) => drop(write!(line, " fwmark {mark:#x}")),
        Some((mark, mask)) => drop(write!(line, " fwmark {mark:#x}/{mask:#x}")),
        None => {}
    }
    for (word, interface) in [("iif", &rule.input), ("oif", &rule.output)] {
        if let Some(interface) = interface {
            let _ = write!(line, " {word} {interface}");
        }
    }
    if rule.detached {
        line.push_str(" [detached]");
    }
    let _ = match rule.action {
        PolicyAction::Table(table) => write!(line, " lookup {}", TableId(table)),
        PolicyAction::Blackhole => write!(line, " blackhole"),
        PolicyAction::Unreachable => write!(line, " unreachable"),
        PolicyAction::Prohibit => write!(line, " prohibit"),
        PolicyAction::Other(number) => write!(line, " action {number}"),
    };
    line
}

fn neighbour_line(neighbour: &Neighbour, link: &str, topology: &Topology) -> String {
    let mut line = format!("{} dev {link}", neighbour.address);
    if let Some(mac) = neighbour.mac {
        let _ = write!(line, " lladdr {}", station(mac, topology));
    }
    let _ = write!(line, " {}", neighbour.state.word());
    line
}

/// `mac(web/eth0) dev veth0 master br0 static`, in the order of `bridge fdb`. Set by hand is `static`
/// everywhere; `self` and `permanent` say no more than that there is no bridge.
fn fdb_line(entry: &FdbEntry, name: &dyn Fn(u32) -> String, topology: &Topology) -> String {
    let mut line = format!("{} dev {}", station(entry.mac, topology), name(entry.link));
    if let Some(vlan) = entry.vlan {
        let _ = write!(line, " vlan {vlan}");
    }
    if let Some(remote) = entry.remote {
        let _ = write!(line, " dst {remote}");
    }
    if let Some(bridge) = entry.bridge {
        let _ = write!(line, " master {}", name(bridge));
    }
    line.push_str(match entry.state {
        FdbState::Learned => " learned",
        FdbState::Static | FdbState::Permanent => " static",
    });
    line
}

/// A hardware address by the interface that has it.
fn station(mac: Mac, topology: &Topology) -> String {
    match owner_of(mac, topology) {
        Some(owner) => format!("mac({owner})"),
        None => mac.to_string(),
    }
}
