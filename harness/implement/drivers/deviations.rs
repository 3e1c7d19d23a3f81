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
        "netavark",
        "containers/egress-untranslated",
        "what leaves a network that is not internal is always translated",
        "always-translated",
    ),
    (
        "podman",
        "containers/egress-untranslated",
        "what leaves a network that is not internal is always translated",
        "always-translated",
    ),
    (
        "lxc",
        "containers/egress-untranslated",
        "what leaves lxc-net's network is always translated",
        "always-translated",
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
