//! What is known of scenarios that come out otherwise with a driver's program.

use crate::scenario::Deviation;

/// Driver, scenario, why it comes out otherwise, and where in docs/findings.md more is said of it.
const DEVIATIONS: &[(&str, &str, &str, &str)] = &[
    (
        "cni-bridge",
        "containers/pool-exhausted",
        "ADD that finds no address leaves the interface behind",
        "what-a-refused-add-leaves",
    ),
    (
        "cni-bridge",
        "containers/restart",
        "the rules of a namespace that is gone stay, and the next DEL trips over them",
        "del-without-a-namespace",
    ),
    (
        "cni-bridge",
        "containers/subnet-again",
        "CNI has no command that deletes a network, so the bridge keeps its address",
        "a-network-is-never-deleted",
    ),
    (
        "cni-ptp",
        "containers/restart",
        "the rules of a namespace that is gone stay, and the next DEL trips over them",
        "del-without-a-namespace",
    ),
    (
        "netavark",
        "containers/detach-after-death",
        "teardown wants the namespace to be there",
        "teardown-without-a-namespace",
    ),
    (
        "netavark",
        "containers/restart",
        "teardown wants the namespace to be there",
        "teardown-without-a-namespace",
    ),
    (
        "netavark",
        "containers/detach-twice",
        "a second teardown fails",
        "teardown-twice",
    ),
    (
        "cni-bridge",
        "containers/address-of-gateway",
        "ADD that finds no address leaves the interface behind",
        "what-a-refused-add-leaves",
    ),
    (
        "cni-bridge",
        "containers/address-outside",
        "ADD that finds no address leaves the interface behind",
        "what-a-refused-add-leaves",
    ),
    (
        "cni-bridge",
        "containers/duplicate-address",
        "ADD that finds no address leaves the interface behind",
        "what-a-refused-add-leaves",
    ),
    (
        "cni-bridge",
        "containers/overlapping-subnets",
        "each network is a file of its own, which nobody compares with the others",
        "networks-are-not-compared",
    ),
    (
        "cni-ptp",
        "containers/overlapping-subnets",
        "each network is a file of its own, which nobody compares with the others",
        "networks-are-not-compared",
    ),
    (
        "cni-ptp",
        "containers/arp",
        "each container has a link of its own to the host, and nobody else is on it",
        "ptp-has-no-neighbours",
    ),
    (
        "podman",
        "containers/address-of-gateway",
        "a container gets the gateway's address if it asks for it",
        "the-address-of-the-gateway",
    ),
    (
        "docker",
        "containers/published-from-neighbour",
        "without its proxy, the reply of a neighbour goes past the host, which would have to translate it",
        "a-published-port-from-a-neighbour",
    ),
    (
        "slirp4netns",
        "containers/host-reaches-container",
        "nothing of the host leads to the container but published ports",
        "the-host-does-not-reach-the-container",
    ),
    (
        "slirp4netns",
        "containers/published-tcp",
        "the process answers a connection itself, before it speaks to the container",
        "a-process-answers-for-the-container",
    ),
    (
        "slirp4netns",
        "containers/published-passes-on",
        "the process answers a connection itself, before it speaks to the container",
        "a-process-answers-for-the-container",
    ),
    (
        "slirp4netns",
        "containers/published-from-host",
        "the process answers a connection itself, before it speaks to the container",
        "a-process-answers-for-the-container",
    ),
    (
        "pasta",
        "containers/published-tcp",
        "the process answers a connection itself, before it speaks to the container",
        "a-process-answers-for-the-container",
    ),
    (
        "pasta",
        "containers/published-passes-on",
        "the process answers a connection itself, before it speaks to the container",
        "a-process-answers-for-the-container",
    ),
    (
        "pasta",
        "containers/published-from-host",
        "the process answers a connection itself, before it speaks to the container",
        "a-process-answers-for-the-container",
    ),
    (
        "pasta",
        "containers/gateway-chosen",
        "echo requests to the gateway leave the host as they are",
        "the-gateway-does-not-answer",
    ),
    (
        "pasta",
        "containers/published-udp",
        "a container that has sent nothing gets frames for 00:00:00:00:00:00",
        "a-container-that-has-said-nothing",
    ),
    (
        "cni-bridge",
        "containers/gateway-outside",
        "ADD that cannot set a route leaves the interface behind",
        "what-a-refused-add-leaves",
    ),
    (
        "cni-ptp",
        "containers/gateway-outside",
        "ADD that cannot set a route leaves the interface behind",
        "what-a-refused-add-leaves",
    ),
    (
        "slirp4netns",
        "containers/overlapping-subnets",
        "every container is alone in its network, so nobody compares them",
        "networks-of-one",
    ),
];

/// Returns what is known of a driver's program.
pub(crate) fn deviations(driver: &str) -> Vec<Deviation> {
    let of_driver = DEVIATIONS.iter().filter(|(of, ..)| *of == driver);
    of_driver
        .map(|(_, scenario, reason, heading)| Deviation {
            scenario: (*scenario).to_owned(),
            reason: (*reason).to_owned(),
            link: Some(format!("docs/findings.md#{heading}")),
        })
        .collect()
}
