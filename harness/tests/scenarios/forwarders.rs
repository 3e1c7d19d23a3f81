//! A process that forwards packets: what it passes on late is no loss, and what it swallows is one.

use libtest_mimic::{Failed, Trial};
use netproof::run::Event;
use netproof::scenario::Cause;

use crate::support;

/// What the relay does with frames, and what becomes of a ping through it.
struct Case {
    mode: &'static str,
    fate: &'static str,
    after: Option<&'static str>,
    cause: Option<Cause>,
    /// How often the ping is sent: a question by ARP that is answered after the kernel has given up is
    /// no proof, and makes another attempt.
    attempts: u32,
}

const CASES: &[Case] = &[
    Case {
        mode: "pass",
        fate: "reply",
        after: None,
        cause: None,
        attempts: 1,
    },
    Case {
        mode: "keep",
        fate: "reply",
        after: None,
        cause: None,
        attempts: 2,
    },
    Case {
        mode: "swallow",
        fate: "lost",
        after: Some("left"),
        cause: Some(Cause::NeighbourUnresolved),
        attempts: 1,
    },
    Case {
        mode: "swallow-ip",
        fate: "lost",
        after: Some("host/veth0"),
        cause: Some(Cause::Unexplained),
        attempts: 1,
    },
];

pub(crate) fn trials() -> Vec<Trial> {
    let ignored = !support::is_there("python3") && !support::required().holds("python3");
    let trial = |case: &'static Case| {
        let name = format!("forwarders/{}", case.mode);
        Trial::test(name, move || comes_out(case)).with_ignored_flag(ignored)
    };
    CASES.iter().map(trial).collect()
}

fn comes_out(case: &Case) -> Result<(), Failed> {
    let ran = support::run(support::netproof("judge").args([
        "fixtures/forwarders/relay.yaml",
        "--",
        "python3",
        "fixtures/forwarders/relay.py",
        case.mode,
    ]))?;
    let probe = ran.events.iter().find_map(|event| match event {
        Event::Probe {
            fate,
            after,
            cause,
            attempts,
            ..
        } => Some((
            fate.clone(),
            after.as_ref().map(ToString::to_string),
            *cause,
            *attempts,
        )),
        _ => None,
    });
    let expected = (
        case.fate.to_owned(),
        case.after.map(str::to_owned),
        case.cause,
        case.attempts,
    );
    match probe == Some(expected) {
        true => Ok(()),
        false => Err(format!("{probe:?}\n{}", ran.stderr).into()),
    }
}
