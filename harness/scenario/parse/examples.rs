//! Examples of keys: every one that a message or the reference of verbs shows.

use crate::scenario::Item;

/// Keys with examples of each; messages show the first, the reference of verbs shows all. What stands
/// under several keys with several meanings, such as `add`, has none.
const EXAMPLES: &[(&str, &str)] = &[
    ("title", "title: Two nodes and a cable"),
    ("nodes", "nodes: [web, database]"),
    ("ipv6", "ipv6: [web, database]"),
    ("requirement", "requirement: should"),
    ("profile", "profile: extended"),
    ("given", "given: [{netns: {add: web}}]"),
    ("do", "do: [{up: web/lo}]"),
    ("observe", "observe: [{links: {in: web}}]"),
    (
        "expect",
        "expect: [{ping: {from: web, to: 10.0.0.2}, reply: {}}]",
    ),
    ("snapshot", "snapshot: [links, routes]"),
    ("netns", "netns: {add: client}"),
    ("netns", "netns: {add: sidecar, share: web}"),
    ("netns", "netns: {add: sidecar, share: host}"),
    ("netns", "netns: {delete: web}"),
    ("veth", "veth: {add: web/eth0, peer: database/eth0}"),
    ("veth", "veth: {add: web/eth0, peer: host/veth0}"),
    ("veth", "veth: {add: web/veth0, peer: web/veth1}"),
    ("bridge", "bridge: {add: host/br0}"),
    (
        "bridge",
        "bridge: {add: host/br0, stp: true, forward-delay: 2}",
    ),
    ("dummy", "dummy: {add: web/dummy0}"),
    ("ifb", "ifb: {add: web/ifb0}"),
    ("tun", "tun: {add: web/tun0}"),
    ("tap", "tap: {add: web/tap0}"),
    (
        "macvlan",
        "macvlan: {add: web/mac0, link: eth0, mode: bridge}",
    ),
    ("vlan", "vlan: {add: web/eth0.10, link: eth0, id: 10}"),
    (
        "vxlan",
        "vxlan: {add: web/vx0, id: 42, remote: 10.0.0.2, dstport: 4789}",
    ),
    ("bridge-set", "bridge-set: {dev: host/br0, ageing: 0}"),
    (
        "bridge-port",
        "bridge-port: {dev: host/veth0, isolated: true}",
    ),
    ("rename", "rename: {dev: web/veth0, to: eth0}"),
    ("mtu", "mtu: {dev: web/eth0, to: 1400}"),
    ("mac", "mac: {dev: web/eth0, to: 02:00:00:00:00:01}"),
    ("delete", "delete: host/veth0"),
    ("up", "up: web/eth0"),
    ("down", "down: web/eth0"),
    ("move", "move: {dev: web/eth0, to: database}"),
    ("move", "move: {dev: host/eth0, to: web}"),
    ("master", "master: {dev: host/veth0, to: br0}"),
    ("nomaster", "nomaster: host/veth0"),
    ("address", "address: {add: 10.0.0.1/24, dev: web/eth0}"),
    (
        "address",
        "address: {add: 10.0.0.1/24, dev: web/eth0, broadcast: +}",
    ),
    ("address", "address: {add: 'fd00::1/64', dev: web/eth0}"),
    ("address", "address: {delete: 10.0.0.1/24, dev: web/eth0}"),
    ("route", "route: {in: web, add: default, via: 10.0.0.254}"),
    ("route", "route: {in: web, add: 10.1.0.0/16, dev: eth0}"),
    (
        "route",
        "route: {in: web, add: 10.1.0.0/16, dev: eth0, src: 10.0.0.1, metric: 50}",
    ),
    (
        "route",
        "route: {in: web, add: default, via: 10.9.0.1, dev: eth0, onlink: true}",
    ),
    (
        "route",
        "route: {in: host, add: 10.2.0.0/16, type: blackhole}",
    ),
    ("route", "route: {in: web, add: default, via: 'fd00::ff'}"),
    ("route", "route: {in: host, delete: default}"),
    (
        "route",
        "route: {in: web, add: default, via: 10.0.0.254, table: 100}",
    ),
    (
        "route",
        "route: {in: web, add: default, nexthops: [{via: 10.0.0.1}, {via: 10.1.0.1, dev: eth1, weight: 3}]}",
    ),
    (
        "rule",
        "rule: {in: web, add: 1000, from: 10.0.0.0/24, table: 100}",
    ),
    (
        "rule",
        "rule: {in: host, add: 900, to: 10.1.0.0/16, iif: eth0, type: prohibit}",
    ),
    ("rule", "rule: {in: web, delete: 1000}"),
    (
        "rule",
        "rule: {in: web, add: 1000, from: 'fd00::/64', table: 100}",
    ),
    ("nexthops", "nexthops: [{via: 10.0.0.1}, {via: 10.1.0.1}]"),
    (
        "neighbour",
        "neighbour: {add: 10.0.0.2, lladdr: 02:00:00:00:00:01, dev: web/eth0}",
    ),
    (
        "neighbour",
        "neighbour: {add: 10.0.0.9, proxy: true, dev: host/veth0}",
    ),
    ("neighbour", "neighbour: {delete: 10.0.0.2, dev: web/eth0}"),
    ("fdb", "fdb: {add: 02:00:00:00:00:01, dev: host/veth0}"),
    (
        "fdb",
        "fdb: {append: 00:00:00:00:00:00, dev: web/vx0, dst: 10.0.0.2}",
    ),
    ("fdb", "fdb: {delete: 02:00:00:00:00:01, dev: host/veth0}"),
    (
        "sysctl",
        "sysctl: {in: host, key: net.ipv4.ip_forward, value: 1}",
    ),
    (
        "sysctl",
        "sysctl: {in: web, key: net.ipv4.ip_forward, value: 1}",
    ),
    ("masquerade", "masquerade: {in: host, source: 10.0.0.0/24}"),
    ("masquerade", "masquerade: {in: host}"),
    (
        "masquerade",
        "masquerade: {in: host, source: 10.0.0.0/24, not-out: br0}",
    ),
    ("masquerade", "masquerade: {in: host, out: eth0}"),
    (
        "masquerade",
        "masquerade: {in: host, destination: 10.2.0.0/16}",
    ),
    (
        "snat",
        "snat: {in: host, source: 10.0.0.0/24, to: 192.0.2.1}",
    ),
    (
        "snat",
        "snat: {in: host, source: 10.0.0.0/24, out: eth0, to: 192.0.2.1}",
    ),
    (
        "dnat",
        "dnat: {in: host, protocol: tcp, port: 8080, to: 10.0.0.2:80}",
    ),
    (
        "dnat",
        "dnat: {in: host, input: eth0, protocol: tcp, port: 8080, to: 10.0.0.2:80}",
    ),
    (
        "dnat",
        "dnat: {in: host, chain: output, destination: 192.0.2.1, protocol: udp, port: 53, to: 10.0.0.2}",
    ),
    ("flush", "flush: {in: host, chain: postrouting}"),
    (
        "flush",
        "flush: {in: host, chain: prerouting, family: ipv6}",
    ),
    (
        "filter",
        "filter: {in: host, chain: forward, source: 10.0.0.0/24, then: drop}",
    ),
    (
        "filter",
        "filter: {in: host, chain: forward, input: br0, not-out: br0, then: drop}",
    ),
    (
        "filter",
        "filter: {in: host, chain: forward, state: [established, related], then: accept}",
    ),
    (
        "filter",
        "filter: {in: web, chain: input, protocol: tcp, port: 80, then: reject}",
    ),
    (
        "filter",
        "filter: {in: host, chain: input, protocol: icmpv6, then: drop}",
    ),
    ("policy", "policy: {in: host, chain: forward, to: drop}"),
    (
        "policy",
        "policy: {in: host, chain: forward, family: ipv6, to: drop}",
    ),
    (
        "filter",
        "filter: {in: host, chain: prerouting, input: eth0, then: drop}",
    ),
    (
        "bridge-filter",
        "bridge-filter: {in: host, chain: forward, input: veth0, out: veth1, then: drop}",
    ),
    (
        "bridge-policy",
        "bridge-policy: {in: host, chain: forward, to: drop}",
    ),
    (
        "ingress-filter",
        "ingress-filter: {dev: host/veth0, then: drop}",
    ),
    (
        "ingress-policy",
        "ingress-policy: {dev: host/veth0, to: drop}",
    ),
    ("notrack", "notrack: {in: host, source: 10.0.0.0/24}"),
    ("listen", "listen: {in: web, tcp: 80}"),
    ("listen", "listen: {in: web, udp: 53}"),
    ("listen", "listen: {in: web, ethertype: 0x88b6}"),
    (
        "tunnel",
        "tunnel: {dev: web/tun0, local: 192.0.2.1, remote: 192.0.2.2, port: 5000}",
    ),
    (
        "tunnel",
        "tunnel: {dev: host/tap0, mode: tap, local: 192.0.2.1, remote: 192.0.2.2, port: 5000}",
    ),
    (
        "exec",
        "exec: {in: host, argv: [ip, route, 10.0.0.0/24, dev, eth0]}",
    ),
    (
        "exec",
        "exec: {in: web, argv: [ip, address, add, 10.0.0.1, dev, eth0, -n, web]}",
    ),
    (
        "network",
        "network: {add: front, subnet: 10.10.0.0/24, masquerade: true}",
    ),
    (
        "network",
        "network: {add: back, subnet: 10.20.0.0/24, internal: true, mtu: 1400, bridge: br0}",
    ),
    ("network", "network: {delete: front}"),
    ("attach", "attach: {node: web, to: front}"),
    (
        "attach",
        "attach: {node: web, to: front, as: eth1, address: 10.10.0.7}",
    ),
    ("attach", "attach: {nodes: [web, database], to: front}"),
    (
        "attach",
        "attach: {node: web, to: front, publish: [{protocol: tcp, address: 192.0.2.1, port: 8080, to: 80}]}",
    ),
    ("detach", "detach: {node: web, from: front}"),
    (
        "publish",
        "publish: [{protocol: tcp, address: 192.0.2.1, port: 8080, to: 80}]",
    ),
    ("fails", "fails: No such device"),
    ("right", "right: {up: web/eth0}"),
    ("inert", "inert: It was up already"),
    ("ping", "ping: {from: web, to: 10.0.0.2}"),
    ("arp", "arp: {from: web/eth0, to: 10.0.0.2}"),
    ("ndp", "ndp: {from: web/eth0, to: 'fd00::2'}"),
    ("udp", "udp: {from: web, to: 10.0.0.2, port: 53}"),
    ("tcp", "tcp: {from: web, to: 10.0.0.2, port: 80}"),
    (
        "frame",
        "frame: {from: web/eth0, to: database/eth0, ethertype: 0x88b6}",
    ),
    ("reply", "reply: {}"),
    (
        "rejected",
        "rejected: {how: port-unreachable, by: database}",
    ),
    ("lost", "lost: {after: web/eth0}"),
    ("unanswered", "unanswered: {}"),
    ("seen", "seen: [{on: database/eth0}]"),
    ("not-seen", "not-seen: [{on: database/eth0}]"),
];

/// A verb that is also a key of other verbs, so that an example of it would help with none.
const AMBIGUOUS: &str = "delete";

/// Returns the example of a key that helps where its value is wrong.
pub(super) fn of(key: &str) -> Option<&'static str> {
    let key = Some(key).filter(|key| *key != AMBIGUOUS)?;
    all_of(key).next()
}

fn all_of(key: &str) -> impl Iterator<Item = &'static str> {
    EXAMPLES
        .iter()
        .filter(move |(known, _)| *known == key)
        .map(|(_, example)| *example)
}

/// Goes through the examples of a verb, each with the command that it stands for.
pub(in crate::scenario) fn with_commands(
    verb: &str,
) -> impl Iterator<Item = (&'static str, String)> {
    all_of(verb).filter_map(|example| {
        let item: Item = serde_yaml::from_str(example).ok()?;
        Some((example, item.operation.command()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Expectation, Operation, parse};

    #[test]
    fn every_verb_has_examples_that_are_right() {
        for verb in Operation::VERBS {
            let examples: Vec<&str> = all_of(verb).collect();
            assert!(!examples.is_empty(), "{verb}");
            assert_eq!(with_commands(verb).count(), examples.len(), "{verb}");
            let fails = match *verb {
                "exec" => ", fails: no",
                _ => "",
            };
            for example in examples {
                // What speaks of the network `front` needs it.
                let before = match *verb {
                    "attach" | "detach" | "network" if !example.contains("add: ") => {
                        "{network: {add: front, subnet: 10.10.0.0/24}}, "
                    }
                    _ => "",
                };
                let text = format!(
                    "title: t\nnodes: [host, web, database]\nipv6: [host, web, database]\nsteps:\n- {{name: s, do: [{before}{{{example}{fails}}}]}}"
                );
                let scenario = parse("example.yaml", &text).unwrap();
                let last = scenario.steps[0].operations.last().unwrap();
                assert_eq!(last.operation.verb(), *verb);
            }
        }
    }

    #[test]
    fn every_other_example_is_right() {
        let probes = ["ping", "arp", "ndp", "udp", "tcp", "frame"];
        let fates = ["reply", "rejected", "lost", "unanswered"];
        for (probe, fate) in probes
            .iter()
            .flat_map(|p| fates.iter().map(move |f| (p, f)))
        {
            let of = |key: &str| of(key).unwrap();
            let text = [of(probe), of(fate), of("seen"), of("not-seen")].join("\n");
            serde_yaml::from_str::<Expectation>(&text).unwrap();
        }
        let step = ["do", "observe", "expect", "snapshot"]
            .map(|key| of(key).unwrap())
            .join("\n    ");
        let text = format!(
            "{}\n{}\nsteps:\n  - name: a\n    {step}\n",
            of("title").unwrap(),
            of("nodes").unwrap()
        );
        parse("example.yaml", &text).unwrap();
    }
}
