//! One example for each key whose value is easily written in the wrong shape.

/// Keys with an example of each; what stands under several keys with several meanings, such as
/// `add`, has none.
const EXAMPLES: &[(&str, &str)] = &[
    ("title", "title: Two nodes and a cable"),
    ("nodes", "nodes: [web, database]"),
    ("ipv6", "ipv6: [web, database]"),
    ("given", "given: [{netns: {add: web}}]"),
    ("do", "do: [{up: web/lo}]"),
    (
        "expect",
        "expect: [{ping: {from: web, to: 10.0.0.2}, reply: {}}]",
    ),
    ("snapshot", "snapshot: [links, routes]"),
    ("netns", "netns: {add: client}"),
    ("veth", "veth: {add: web/eth0, peer: database/eth0}"),
    ("bridge", "bridge: {add: host/br0}"),
    ("dummy", "dummy: {add: web/dummy0}"),
    ("ifb", "ifb: {add: web/ifb0}"),
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
    ("up", "up: web/eth0"),
    ("down", "down: web/eth0"),
    ("move", "move: {dev: web/eth0, to: database}"),
    ("master", "master: {dev: host/veth0, to: br0}"),
    ("nomaster", "nomaster: host/veth0"),
    ("address", "address: {add: 10.0.0.1/24, dev: web/eth0}"),
    ("route", "route: {in: web, add: default, via: 10.0.0.254}"),
    (
        "sysctl",
        "sysctl: {in: host, key: net.ipv4.ip_forward, value: 1}",
    ),
    ("masquerade", "masquerade: {in: host, source: 10.0.0.0/24}"),
    (
        "snat",
        "snat: {in: host, source: 10.0.0.0/24, to: 192.0.2.1}",
    ),
    (
        "dnat",
        "dnat: {in: host, protocol: tcp, port: 8080, to: 10.0.0.2:80}",
    ),
    (
        "filter",
        "filter: {in: host, chain: forward, source: 10.0.0.0/24, then: drop}",
    ),
    ("policy", "policy: {in: host, chain: forward, to: drop}"),
    ("notrack", "notrack: {in: host, source: 10.0.0.0/24}"),
    ("listen", "listen: {in: web, tcp: 80}"),
    ("fails", "fails: No such device"),
    ("right", "right: {up: web/eth0}"),
    ("inert", "inert: It was up already"),
    ("ping", "ping: {from: web, to: 10.0.0.2}"),
    ("arp", "arp: {from: web/eth0, to: 10.0.0.2}"),
    ("ndp", "ndp: {from: web/eth0, to: 'fd00::2'}"),
    ("udp", "udp: {from: web, to: 10.0.0.2, port: 53}"),
    ("tcp", "tcp: {from: web, to: 10.0.0.2, port: 80}"),
    ("reply", "reply: {}"),
    (
        "rejected",
        "rejected: {how: port-unreachable, by: database}",
    ),
    ("lost", "lost: {after: web/eth0}"),
    ("seen", "seen: [{on: database/eth0}]"),
    ("not-seen", "not-seen: [{on: database/eth0}]"),
];

/// Returns an example of a key with its value.
pub(super) fn of(key: &str) -> Option<&'static str> {
    EXAMPLES
        .iter()
        .find(|(known, _)| *known == key)
        .map(|(_, example)| *example)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Expectation, Item, Operation, parse};

    #[test]
    fn every_verb_has_an_example_that_is_right() {
        for verb in Operation::VERBS {
            // `delete` is a verb, and a key of other verbs.
            let example = of(verb).unwrap_or("delete: web/eth0");
            let item: Item = serde_yaml::from_str(example).unwrap();
            assert_eq!(item.operation.verb(), *verb);
        }
    }

    #[test]
    fn every_other_example_is_right() {
        let probes = ["ping", "arp", "ndp", "udp", "tcp"];
        let fates = ["reply", "rejected", "lost"];
        for (probe, fate) in probes
            .iter()
            .flat_map(|p| fates.iter().map(move |f| (p, f)))
        {
            let of = |key: &str| of(key).unwrap();
            let text = [of(probe), of(fate), of("seen"), of("not-seen")].join("\n");
            serde_yaml::from_str::<Expectation>(&text).unwrap();
        }
        let step = ["do", "expect", "snapshot"]
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
