//! Tests of the manifests that the program carries: what they render for every verb.

use crate::scenario::{Item, Manifest, Operation, parse_manifest};

/// Divides a line as a shell would that knows nothing but single quotation marks.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '\\' if !quoted => word.get_or_insert_default().extend(chars.next()),
            ' ' if !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// What no example and no carried scenario has: every key once, and both IPs.
const MORE: &[&str] = &[
    "bridge: {add: a/down, stp: false, ageing: 1, forward-delay: 2, vlan-filtering: true, multicast-snooping: false}",
    "bridge-set: {dev: host/up, stp: true, ageing: 1, forward-delay: 2, vlan-filtering: false, multicast-snooping: true}",
    "bridge-port: {dev: a/b, isolated: false, learning: true, flood: false, hairpin: true, state: learning}",
    "vxlan: {add: host/v, id: 1, remote: 10.0.0.1, local: 10.0.0.2, dstport: 9, dev: 'a$b'}",
    "veth: {add: a/mtu, peer: b/mtu}",
    "address: {delete: 'fd00::1/64', dev: host/it's}",
    "address: {add: 10.0.0.1, dev: host/eth0}",
    "route: {in: a, delete: 10.0.0.1, type: prohibit, table: local, metric: 0}",
    "route: {in: host, delete: 10.0.0.0/8, via: 10.0.0.1, dev: b, src: 10.0.0.2, onlink: true}",
    "rule: {in: a, delete: 5, from: 10.0.0.1/32, to: 10.0.0.0/8, iif: lo, table: main}",
    "rule: {in: host, add: 5, family: ipv6, type: unreachable}",
    "rule: {in: host, delete: 5, family: ipv4, type: blackhole}",
    "neighbour: {delete: 10.0.0.1, proxy: true, dev: a/b}",
    "neighbour: {delete: 'fd00::1', dev: host/b}",
    "fdb: {delete: '02:00:00:00:00:01', dev: a/b, dst: 10.0.0.1}",
    "fdb: {append: '00:00:00:00:00:00', dev: host/b, dst: 'fd00::1'}",
    "masquerade: {in: a, source: 10.0.0.1/32, out: b}",
    "masquerade: {in: host, family: ipv6, not-out: b}",
    "snat: {in: a, source: 'fd00::1/128', destination: 'fd00::2/128', not-out: b, to: 'fd00::3'}",
    "snat: {in: host, source: 10.0.0.1/32, destination: 10.0.0.2/32, out: b, to: 10.0.0.3}",
    "dnat: {in: a, chain: output, source: 10.0.0.1/32, destination: 10.0.0.2/32, protocol: tcp, port: 1, to: '10.0.0.3:2'}",
    "dnat: {in: host, source: 'fd00::1/128', destination: 'fd00::2/128', input: b, protocol: udp, to: '[fd00::3]:2'}",
    "dnat: {in: host, chain: prerouting, not-input: b, to: 10.0.0.1}",
    "notrack: {in: a, chain: output, source: 10.0.0.1/32, destination: 10.0.0.2/32, protocol: tcp, port: 1}",
    "notrack: {in: host, family: ipv6, not-input: b}",
    "notrack: {in: host, source: 10.0.0.1/32, destination: 10.0.0.2/32, input: b, protocol: udp, port: 1}",
    "filter: {in: a, chain: postrouting, source: 10.0.0.1/32, destination: 10.0.0.2/32, not-out: b, then: drop}",
    "filter: {in: host, chain: output, family: ipv6, out: b, protocol: udp, port: 1, then: accept}",
    "filter: {in: host, chain: forward, not-input: b, state: [new, invalid, untracked], then: reject}",
    "policy: {in: a, chain: prerouting, to: accept}",
    "policy: {in: host, chain: postrouting, family: ipv6, to: drop}",
    "bridge-filter: {in: a, chain: output, out: b, then: accept}",
    "bridge-filter: {in: host, chain: input, input: b, then: drop}",
    "ingress-filter: {dev: a/b@c, then: accept}",
];

/// Every operation that an example or a carried scenario has, and more.
fn operations() -> Vec<Operation> {
    let examples = Operation::VERBS.iter().flat_map(|verb| {
        let examples = crate::scenario::parse::examples::with_commands(verb);
        examples.filter_map(|(example, _)| crate::scenario::parse::item(example))
    });
    let mut items: Vec<Item> = examples.collect();
    let more = MORE
        .iter()
        .map(|text| crate::scenario::parse::item(text).expect(text));
    items.extend(more);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    for folder in std::fs::read_dir(folder).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let (_, scenario) = crate::scenario::read(&file.unwrap().path()).unwrap();
            items.extend(scenario.given);
            items.extend(scenario.steps.into_iter().flat_map(|step| step.operations));
        }
    }
    items.into_iter().map(|item| item.operation).collect()
}

fn carried(text: &str) -> Manifest {
    parse_manifest("carried.yaml", text).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn iproute2_and_iptables_do_what_the_commands_say() {
    let manifest = carried(include_str!(
        "../../implement/manifests/iproute2-iptables.yaml"
    ));
    let operations = operations();
    for operation in &operations {
        if Manifest::NOT_ITS_OWN.contains(&operation.verb()) {
            continue;
        }
        let commands = manifest.commands(operation);
        let command = operation.command();
        assert_eq!(commands, Ok(vec![words(&command)]), "{command}");
    }
    assert!(operations.len() > 1000, "{}", operations.len());
}

#[test]
fn nft_does_everything_that_iptables_does() {
    let manifest = carried(include_str!("../../implement/manifests/iproute2-nft.yaml"));
    for operation in operations() {
        if Manifest::NOT_ITS_OWN.contains(&operation.verb()) {
            continue;
        }
        let commands = manifest
            .commands(&operation)
            .unwrap_or_else(|it| panic!("{it}"));
        for word in commands.iter().flatten() {
            let is_iptables = ["iptables", "ip6tables", "ebtables"].contains(&word.as_str());
            assert!(!is_iptables, "{commands:?}");
        }
    }
}
