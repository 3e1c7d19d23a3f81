//! What is known of scenarios that come out otherwise with a driver's program.

use crate::scenario::Deviation;

/// Driver, scenario, why it comes out otherwise, a text in the first reason of its failure, and where in
/// docs/findings.md more is said of it.
const DEVIATIONS: &[(&str, &str, &str, &str, &str)] = &[
    (
        "cni-bridge",
        "containers/restart",
        "the rules of a namespace that is gone stay, and the next DEL trips over them",
        "Device or resource busy",
        "del-without-a-namespace",
    ),
    (
        "cni-bridge",
        "containers/subnet-again",
        "CNI has no command that deletes a network, so the bridge keeps its address",
        "ping from c1 to 10.10.0.1: lost after host/br-n2",
        "a-network-is-never-deleted",
    ),
    (
        "cni-ptp",
        "containers/restart",
        "the rules of a namespace that is gone stay, and the next DEL trips over them",
        "Device or resource busy",
        "del-without-a-namespace",
    ),
    (
        "netavark",
        "containers/detach-after-death",
        "teardown wants the namespace to be there",
        "open container netns",
        "teardown-without-a-namespace",
    ),
    (
        "netavark",
        "containers/restart",
        "teardown wants the namespace to be there",
        "open container netns",
        "teardown-without-a-namespace",
    ),
    (
        "netavark",
        "containers/detach-twice",
        "a second teardown fails",
        "No such device",
        "teardown-twice",
    ),
    (
        "cni-bridge",
        "containers/address-of-gateway",
        "after an ADD that was refused, the bridge takes no address",
        "could not set bridge's mac: invalid argument",
        "the-bridge-after-a-refused-add",
    ),
    (
        "cni-bridge",
        "containers/address-outside",
        "after an ADD that was refused, the bridge takes no address",
        "could not set bridge's mac: invalid argument",
        "the-bridge-after-a-refused-add",
    ),
    (
        "cni-bridge",
        "containers/overlapping-subnets",
        "each network is a file of its own, which nobody compares with the others",
        "attach c2 to n2: it was not refused",
        "networks-are-not-compared",
    ),
    (
        "cni-ptp",
        "containers/overlapping-subnets",
        "each network is a file of its own, which nobody compares with the others",
        "attach c2 to n2: it was not refused",
        "networks-are-not-compared",
    ),
    (
        "cni-ptp",
        "containers/arp",
        "each container has a link of its own to the host, and nobody else is on it",
        "arp from c1/eth0 for 10.10.0.20: lost after host/",
        "ptp-has-no-neighbours",
    ),
    (
        "podman",
        "containers/address-of-gateway",
        "a container gets the gateway's address if it asks for it",
        "attach c1 to n1 address 10.10.0.1: it was not refused",
        "the-address-of-the-gateway",
    ),
    (
        "docker",
        "containers/published-from-neighbour",
        "without its proxy, the reply of a neighbour goes past the host, which would have to translate it",
        "reply lost after c2/eth0",
        "a-published-port-from-a-neighbour",
    ),
    (
        "slirp4netns",
        "containers/host-reaches-container",
        "nothing of the host leads to the container but published ports",
        "rejected network-unreachable by host",
        "the-host-does-not-reach-the-container",
    ),
    (
        "slirp4netns",
        "containers/published-tcp",
        "the process answers a connection itself, before it speaks to the container",
        "reply ttl 64 (expected seen: request on c1/eth0)",
        "a-process-answers-for-the-container",
    ),
    (
        "slirp4netns",
        "containers/published-passes-on",
        "the process answers a connection itself, before it speaks to the container",
        "reply ttl 64 (expected seen: request on c1/eth0)",
        "a-process-answers-for-the-container",
    ),
    (
        "slirp4netns",
        "containers/published-from-host",
        "the process answers a connection itself, before it speaks to the container",
        "reply ttl 64 (expected seen: request on c1/eth0)",
        "a-process-answers-for-the-container",
    ),
    (
        "pasta",
        "containers/published-tcp",
        "the process answers a connection itself, before it speaks to the container",
        "reply ttl 64 (expected seen: request on c1/eth0)",
        "a-process-answers-for-the-container",
    ),
    (
        "pasta",
        "containers/published-passes-on",
        "the process answers a connection itself, before it speaks to the container",
        "reply ttl 64 (expected seen: request on c1/eth0)",
        "a-process-answers-for-the-container",
    ),
    (
        "pasta",
        "containers/published-from-host",
        "the process answers a connection itself, before it speaks to the container",
        "reply ttl 64 (expected seen: request on c1/eth0)",
        "a-process-answers-for-the-container",
    ),
    (
        "pasta",
        "containers/gateway-chosen",
        "echo requests to the gateway leave the host as they are",
        "lost after outside/eth0",
        "the-gateway-does-not-answer",
    ),
    (
        "pasta",
        "containers/published-udp",
        "a container that has sent nothing gets frames for 00:00:00:00:00:00",
        "lost after c1/eth0",
        "a-container-that-has-said-nothing",
    ),
    (
        "slirp4netns",
        "containers/overlapping-subnets",
        "every container is alone in its network, so nobody compares them",
        "attach c2 to n2: it was not refused",
        "networks-of-one",
    ),
];

/// Returns what is known of a driver's program.
pub(crate) fn deviations(driver: &str) -> Vec<Deviation> {
    let of_driver = DEVIATIONS.iter().filter(|(of, ..)| *of == driver);
    of_driver
        .map(|(_, scenario, reason, saw, heading)| Deviation {
            scenario: (*scenario).to_owned(),
            reason: (*reason).to_owned(),
            saw: Some((*saw).to_owned()),
            link: Some(format!("docs/findings.md#{heading}")),
        })
        .collect()
}
