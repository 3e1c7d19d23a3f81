//! In what implementations differ: the matrix shows it by itself, in scenarios that nothing is asked of.

use libtest_mimic::{Failed, Trial};
use netproof::implement::DRIVERS;
use netproof::run::Event;

use crate::{drivers, support};

/// A difference between two implementations, seen in one scenario.
struct Difference {
    name: &'static str,
    scenario: &'static str,
    /// What is looked at; nothing for what is left behind.
    of: Option<&'static str>,
    /// Implementations, each with how what it shows begins, or a line of what it leaves; nothing where it
    /// leaves nothing.
    shown: &'static [(&'static str, &'static str)],
}

const DIFFERENCES: &[Difference] = &[
    Difference {
        name: "lo-is-down",
        scenario: "containers/loopback",
        of: Some("links in c1, lo"),
        shown: &[
            ("native", "lo: loopback up"),
            ("cni-bridge", "lo: loopback down"),
            ("cni-ptp", "lo: loopback down"),
        ],
    },
    Difference {
        name: "metric",
        scenario: "containers/default-route",
        of: Some("routes in c1, default"),
        shown: &[
            ("native", "default via 10.10.0.1 dev eth0"),
            (
                "netavark",
                "default via 10.10.0.1 dev eth0 proto static metric 100",
            ),
        ],
    },
    Difference {
        name: "ttl",
        scenario: "containers/ttl",
        of: Some("ping from c1 to c2/eth0"),
        shown: &[("native", "reply ttl 64"), ("cni-ptp", "reply ttl 63")],
    },
    Difference {
        name: "forwarding-of-others",
        scenario: "containers/forwarding-of-others",
        of: Some("ping from outside to 198.51.100.2"),
        shown: &[
            ("native", "reply ttl 63"),
            ("docker", "lost after host/up0"),
        ],
    },
    Difference {
        name: "second-detach",
        scenario: "containers/detach-again",
        of: Some("detach c1 from n1"),
        shown: &[
            ("native", "done"),
            ("cni-bridge", "done"),
            (
                "netavark",
                "refused: exit 1: failed to delete container veth",
            ),
        ],
    },
    Difference {
        name: "left-behind",
        scenario: "containers/two-endpoints",
        of: None,
        shown: &[
            ("native", ""),
            (
                "cni-bridge",
                "links in host: br-n1: bridge up no-carrier mtu 1500",
            ),
            (
                "netavark",
                "netfilter in host: ip nat NETAVARK-HOSTPORT-MASQ has 1 rule",
            ),
            (
                "docker",
                "netfilter in host: ip filter DOCKER-USER has 1 rule",
            ),
        ],
    },
];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for difference in DIFFERENCES {
        for (name, expected) in difference.shown {
            let driver = DRIVERS.iter().find(|driver| driver.name == *name);
            let ignored = driver.is_some_and(drivers::is_ignored);
            let case = format!("differences/{}/{name}", difference.name);
            let trial = Trial::test(case, move || is_shown(difference, name, expected));
            trials.push(trial.with_ignored_flag(ignored));
        }
    }
    trials
}

fn is_shown(difference: &Difference, name: &str, expected: &str) -> Result<(), Failed> {
    let ran = support::run(support::netproof("conformance").args([
        "--implementation",
        name,
        difference.scenario,
    ]))?;
    let cell = ran.events.iter().find_map(|event| match event {
        Event::Cell { observed, left, .. } => Some((observed, left)),
        _ => None,
    });
    let (observed, left) =
        cell.ok_or_else(|| format!("exit code {:?}, no cell\n{}", ran.code, ran.stderr))?;
    let Some(of) = difference.of else {
        return match expected {
            "" if left.is_empty() => Ok(()),
            line if left.iter().any(|it| it == line) => Ok(()),
            _ => Err(format!("left: {left:#?}").into()),
        };
    };
    let seen = observed.iter().find(|it| it.of == of);
    match seen.is_some_and(|it| it.value.starts_with(expected)) {
        true => Ok(()),
        false => Err(format!("observed: {observed:#?}").into()),
    }
}
