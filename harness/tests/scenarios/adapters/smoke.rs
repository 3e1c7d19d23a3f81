//! `netproof smoke`: the step at which a bad adapter fails, and that the samples do well.

use std::process::{Command, Stdio};

use libtest_mimic::{Failed, Trial};
use netproof::judge::Verdict;
use netproof::run::Event;

use super::needing;
use crate::support;

/// What `smoke` says of adapters: the first step that fails, and why; nothing where all is well.
const SMOKE: &[(&str, &str, &str)] = &[
    ("exec:fixtures/adapters/sample.sh", "", ""),
    ("serve:fixtures/adapters/sample.py", "", ""),
    ("exec:fixtures/adapters/sample-containers.sh", "", ""),
    (
        "exec:fixtures/adapters/bad/do-nothing.sh",
        "attach",
        "it says ok, and there is no interface c1/eth0",
    ),
    (
        "serve:fixtures/adapters/bad/crash.sh",
        "attach",
        "it was ended by SIGSEGV before its reply to `attach`; it said last: about to go",
    ),
    (
        "serve:fixtures/adapters/bad/hang.sh",
        "attach",
        "no reply to `attach` within 2000 ms",
    ),
    (
        "exec:fixtures/adapters/bad/half-a-line.sh",
        "network",
        "the reply to `network` breaks off: `{\"seq\":2,\"ok\":`",
    ),
    (
        "exec:fixtures/adapters/bad/false-address.sh",
        "attach",
        "it claims 192.0.2.1/24 for c1/eth0, which has 10.10.0.2/24",
    ),
    (
        "exec:fixtures/adapters/bad/leave-a-link.sh",
        "no endpoint is left",
        "host has left1, left",
    ),
    (
        "exec:fixtures/adapters/bad/one-gigabyte.sh",
        "network",
        "a reply is longer than 1 MiB",
    ),
    (
        "exec:fixtures/adapters/bad/escape-workdir.sh",
        "its workdir only",
        "it wrote /tmp/escaped",
    ),
    (
        "exec:fixtures/adapters/bad/wrong-seq.sh",
        "network",
        "the reply has seq 99, the request 2",
    ),
    (
        "exec:fixtures/adapters/bad/one-link.sh",
        "no endpoint is left",
        "host has left1",
    ),
    (
        "exec:fixtures/adapters/bad/pid-1.sh",
        "attach",
        "the reply names process 1, which is in the network namespace of host",
    ),
    (
        "exec:fixtures/adapters/bad/protocol-9.sh",
        "hello",
        "it speaks protocol 9, not 1",
    ),
    (
        "serve:fixtures/adapters/bad/wont-go.sh",
        "bye",
        "it has not ended 2000 ms after its reply to `bye`",
    ),
];

pub(super) fn trials() -> Vec<Trial> {
    let trial = |&(adapter, step, says): &'static (&str, &str, &str)| {
        let file = adapter.rsplit('/').next().unwrap();
        let way = adapter.split(':').next().unwrap();
        let name = format!("adapters/smoke/{way}/{file}");
        let trial = Trial::test(name, move || smokes(adapter, step, says));
        needing(&["ip", "python3", "nsenter", "unshare"], trial)
    };
    SMOKE.iter().map(trial).collect()
}

/// Tries an adapter without a scenario.
fn smokes(adapter: &str, step: &str, says: &str) -> Result<(), Failed> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netproof"));
    command
        .args(["smoke", "--validate", "--deadline", "2000"])
        .args(["--format", "json", adapter])
        .current_dir(support::root())
        .stdin(Stdio::null());
    let ran = support::run(&mut command)?;
    let failed = ran.events.iter().find_map(|event| match event {
        Event::Tried {
            step,
            verdict: Verdict::Fail,
            reason,
            ..
        } => Some((step.as_str(), reason.as_deref().unwrap_or_default())),
        _ => None,
    });
    let (wanted, code) = match step {
        "" => (None, 0),
        step => (Some((step, says)), 1),
    };
    if (failed, ran.code) != (wanted, Some(code)) {
        return Err(format!("{failed:?}, exit code {:?}, {}", ran.code, ran.stderr).into());
    }
    let is_tried = |event: &&Event| matches!(event, Event::Tried { .. });
    match (
        ran.events.iter().filter(is_tried).count(),
        ran.events.last(),
    ) {
        (14, Some(Event::Smoke { .. })) => Ok(()),
        (tried, last) => Err(format!("{tried} steps, and at the end {last:?}").into()),
    }
}
