//! Commands of intents, one after another.

use rstest::rstest;

use super::*;

fn read(item: Value) -> Operation {
    serde_json::from_value::<Item>(item).unwrap().operation
}

fn commands(lowering: &mut Lowering, item: Value) -> Result<Vec<String>, Unlowered> {
    let lowered = lowering.lower(&read(item))?;
    Ok(lowered.iter().map(Operation::command).collect())
}

#[test]
fn of_several_that_do_not_fit_none_is_attached() {
    let mut lowering = Lowering::default();
    let network = json!({"network": {"add": "n1", "subnet": "10.10.0.0/30"}});
    commands(&mut lowering, network).unwrap();
    let both = json!({"attach": {"nodes": ["a", "b"], "to": "n1"}});
    let refusal = commands(&mut lowering, both).unwrap_err();
    assert_eq!(refusal.code, "exhausted");
    let one = json!({"attach": {"node": "b", "to": "n1"}});
    assert!(commands(&mut lowering, one).is_ok());
}

#[test]
fn ipv6_has_a_gateway_that_is_a_host_and_forwarding_of_its_own() {
    let mut lowering = Lowering::default();
    let network = json!({"network": {"add": "n1", "subnet": "fd00::/64", "masquerade": "true"}});
    let made = commands(&mut lowering, network).unwrap();
    for command in [
        "ip address add fd00::1/64 dev br-n1 nodad",
        "sysctl -w net.ipv6.conf.all.forwarding=1",
        "ip6tables -t nat -A POSTROUTING -s fd00::/64 ! -o br-n1 -j MASQUERADE",
    ] {
        assert!(made.iter().any(|it| it == command), "{command}: {made:#?}");
    }
    let one = json!({"attach": {"node": "a", "to": "n1"}});
    let made = commands(&mut lowering, one).unwrap();
    let address = "ip -n a address add fd00::2/64 dev eth0 nodad";
    assert!(made.iter().any(|it| it == address), "{made:#?}");
}

fn network(name: &str, subnet: &str) -> Value {
    json!({"network": {"add": name, "subnet": subnet, "masquerade": "true"}})
}

/// Lowers several that are refused by nobody; returns the commands of the last one.
fn last_of(lowering: &mut Lowering, items: &[Value]) -> Vec<String> {
    let all = items
        .iter()
        .map(|item| commands(lowering, item.clone()).unwrap());
    all.last().unwrap_or_default()
}

fn published(node: &str, network: &str, at: &str) -> Value {
    let publish = json!([{"address": at, "protocol": "tcp", "port": 8080, "to": 80}]);
    json!({"attach": {"node": node, "to": network, "publish": publish}})
}

#[rstest]
#[case::the_same("10.10.0.0/24", true)]
#[case::inside("10.10.0.128/25", true)]
#[case::around("10.10.0.0/16", true)]
#[case::beside("10.10.1.0/24", false)]
#[case::of_the_other_ip("fd00::/64", false)]
fn a_subnet_overlaps_what_is_around_it_and_what_is_inside(
    #[case] subnet: &str,
    #[case] overlaps: bool,
) {
    let mut lowering = Lowering::default();
    commands(&mut lowering, network("n1", "10.10.0.0/24")).unwrap();
    let refusal = commands(&mut lowering, network("n2", subnet)).err();
    let message = format!("{subnet} overlaps 10.10.0.0/24 of the network `n1`");
    let expected = overlaps.then_some(Unlowered {
        code: "overlap",
        message,
    });
    assert_eq!(refusal, expected);
}

#[test]
fn a_container_gets_its_own_port_back_by_the_interface_that_asked() {
    let mut lowering = Lowering::default();
    let rule = "iptables -t nat -A POSTROUTING -s 10.10.0.0/24 -d 10.10.0.2 -j MASQUERADE";
    let items = [
        network("n1", "10.10.0.0/24"),
        published("a", "n1", "192.0.2.1"),
    ];
    let made = last_of(&mut lowering, &items);
    for command in ["bridge link set dev veth1 hairpin on", rule] {
        assert!(made.iter().any(|it| it == command), "{command}: {made:#?}");
    }
    // Whoever has no port needs none of it.
    let made = last_of(
        &mut lowering,
        &[json!({"attach": {"node": "b", "to": "n1"}})],
    );
    let is_hairpin = |it: &String| it.contains("hairpin") || it.contains("MASQUERADE");
    assert!(!made.iter().any(is_hairpin), "{made:#?}");
    // And when rules are written anew, it is there again.
    let items = [
        network("n2", "10.20.0.0/24"),
        json!({"network": {"delete": "n2"}}),
    ];
    let made = last_of(&mut lowering, &items);
    assert!(made.iter().any(|it| it == rule), "{made:#?}");
}

#[test]
fn the_rules_of_the_other_ip_stay_when_rules_are_written_anew() {
    let mut lowering = Lowering::default();
    let items = [
        network("four", "10.10.0.0/24"),
        network("four-too", "10.20.0.0/24"),
        network("six", "fd00::/64"),
        published("a", "four", "192.0.2.1"),
        published("b", "six", "2001:db8::1"),
        json!({"detach": {"node": "b", "from": "six"}}),
    ];
    let made = last_of(&mut lowering, &items);
    let expected = [
        "ip link delete veth2",
        "ip6tables -t nat -F POSTROUTING",
        "ip6tables -t nat -F PREROUTING",
        "ip6tables -t nat -F OUTPUT",
        "ip6tables -t nat -A POSTROUTING -s fd00::/64 ! -o br-six -j MASQUERADE",
    ];
    assert_eq!(made, expected);
    let made = last_of(&mut lowering, &[json!({"network": {"delete": "four-too"}})]);
    let of_six = |it: &&String| it.contains("ip6tables") || it.contains("br-six");
    assert_eq!(made.iter().find(of_six), None, "{made:#?}");
    let kept = "iptables -t nat -A POSTROUTING -s 10.10.0.0/24 ! -o br-four -j MASQUERADE";
    assert!(made.iter().any(|it| it == kept), "{made:#?}");
}

#[rstest]
#[case::ipv4("10.10.0.0/24")]
#[case::ipv6("fd00::/64")]
fn an_internal_network_neither_forwards_nor_translates(#[case] subnet: &str) {
    let made = |internal: &str| {
        let mut network = network("n1", subnet);
        network["network"]["internal"] = internal.into();
        let attach = json!({"attach": {"node": "a", "to": "n1"}});
        let mut lowering = Lowering::default();
        let mut all = commands(&mut lowering, network).unwrap();
        all.extend(commands(&mut lowering, attach).unwrap());
        let leads_out = ["forward", "MASQUERADE", "default"];
        all.retain(|command| leads_out.iter().any(|word| command.contains(word)));
        all
    };
    assert_eq!(made("true"), [""; 0]);
    assert_eq!(made("false").len(), 3, "{:#?}", made("false"));
}

#[test]
fn rules_that_are_nobodys_endpoint_s_stay_when_all_are_written_anew() {
    let mut lowering = Lowering::default();
    let own = json!({"masquerade": {"in": "host", "source": "192.168.9.0/24"}});
    let elsewhere = json!({"masquerade": {"in": "router", "source": "192.168.8.0/24"}});
    let flushed = json!({"dnat": {"in": "host", "protocol": "tcp", "port": 1, "to": "10.0.0.2:1"}});
    let items = [
        own,
        elsewhere,
        flushed,
        json!({"flush": {"in": "host", "chain": "prerouting"}}),
        network("n1", "10.10.0.0/24"),
        json!({"network": {"delete": "n1"}}),
    ];
    let anew = last_of(&mut lowering, &items);
    let rules: Vec<&String> = anew.iter().filter(|it| it.contains(" -A ")).collect();
    assert_eq!(
        rules,
        ["iptables -t nat -A POSTROUTING -s 192.168.9.0/24 -j MASQUERADE"]
    );
}

#[test]
fn a_container_that_is_gone_is_attached_anew_with_all_that_it_had() {
    let mut lowering = Lowering::default();
    let one = json!({"attach": {"node": "a", "to": "n1"}});
    let items = [
        network("n1", "10.10.0.0/24"),
        one.clone(),
        json!({"netns": {"delete": "a"}}),
        json!({"netns": {"add": "a"}}),
        one,
    ];
    let anew = last_of(&mut lowering, &items);
    let route = "ip -n a route add default via 10.10.0.1";
    assert!(anew.iter().any(|it| it == route), "{anew:#?}");
}

#[rstest]
#[case::of_the_network("10.10.0.0")]
#[case::of_everybody("10.10.0.255")]
fn an_address_that_is_no_hosts_is_refused(#[case] address: &str) {
    let mut lowering = Lowering::default();
    commands(&mut lowering, network("n1", "10.10.0.0/24")).unwrap();
    let one = json!({"attach": {"node": "a", "to": "n1", "address": address}});
    let refusal = commands(&mut lowering, one).unwrap_err();
    assert_eq!(refusal.code, "address-outside");
    let gateway =
        json!({"network": {"add": "n2", "subnet": "10.20.0.0/24", "gateway": "10.20.0.255"}});
    assert_eq!(
        commands(&mut lowering, gateway).unwrap_err().code,
        "gateway-outside"
    );
}
