//! Rules of iptables-legacy, of which nftables shows nothing, are named where nothing else explains.
//!
//! netproof writes its rules by nftables, so they are carried out here by the commands that they
//! stand for, and `iptables` is iptables-legacy in the mount namespace of the case. Where that tool is
//! missing the cases are shown as ignored; `NETPROOF_REQUIRE=iptables-legacy` says that it may not be.

use std::process::{Command, Stdio};

use libtest_mimic::{Failed, Trial};
use netproof::judge::Verdict;
use netproof::report::Human;
use netproof::run::Event;

use crate::support;

const TOOL: &str = "iptables-legacy";

/// What each case begins with: a router that something would have to keep from its work.
const ROUTER: &str = "
title: A router with rules of iptables-legacy
nodes: [web, router, database]
given:
  - veth: {add: web/eth0, peer: router/web}
  - veth: {add: database/eth0, peer: router/database}
  - address: {add: 10.1.0.2/24, dev: web/eth0}
  - address: {add: 10.1.0.1/24, dev: router/web}
  - address: {add: 10.2.0.1/24, dev: router/database}
  - address: {add: 10.2.0.2/24, dev: database/eth0}
  - up: web/eth0
  - up: router/web
  - up: router/database
  - up: database/eth0
  - route: {in: web, add: default, via: 10.1.0.1}
  - route: {in: database, add: default, via: 10.2.0.1}
  - sysctl: {in: router, key: net.ipv4.ip_forward, value: 1}
steps:
  - name: The packet passes
    expect: [{ping: {from: web, to: 10.2.0.2}, reply: {}}]
  - name: Something is done
";

/// A rule of each chain, and what it does to the packet.
const CASES: &[(&str, &str)] = &[
    (
        "forward",
        "
    do: [{filter: {in: router, chain: forward, input: web, then: drop}}]
    expect: [{ping: {from: web, to: 10.2.0.2}, lost: {after: router/web, because: legacy-table}}]
",
    ),
    (
        "reject",
        "
    do: [{filter: {in: router, chain: forward, input: web, then: reject}}]
    expect:
      - ping: {from: web, to: 10.2.0.2}
        rejected: {how: port-unreachable, by: router, because: legacy-table}
",
    ),
    (
        "input-policy",
        "
    do: [{policy: {in: database, chain: input, to: drop}}]
    expect: [{ping: {from: web, to: 10.2.0.2}, lost: {after: database/eth0, because: legacy-table}}]
",
    ),
    (
        "output",
        "
    do: [{filter: {in: web, chain: output, protocol: icmp, then: drop}}]
    expect: [{ping: {from: web, to: 10.2.0.2}, rejected: {how: prohibited, by: web, because: legacy-table}}]
",
    ),
    (
        "output-of-the-reply",
        "
    do: [{filter: {in: database, chain: output, protocol: icmp, then: drop}}]
    expect: [{ping: {from: web, to: 10.2.0.2}, lost: {after: database/eth0, because: legacy-table}}]
",
    ),
    // What has evidence of its own comes first, whatever tables there are.
    (
        "not-before-others",
        "
    do:
      - filter: {in: router, chain: forward, protocol: tcp, then: drop}
      - filter: {in: database, chain: input, protocol: tcp, then: drop}
      - sysctl: {in: database, key: net.ipv4.icmp_echo_ignore_all, value: 1}
    expect:
      - ping: {from: web, to: 10.2.0.2, ttl: 1}
        rejected: {how: ttl-exceeded, by: router, because: ttl-expired}
      - ping: {from: web, to: 10.2.0.2}
        lost: {after: database/eth0, because: echo-ignored}
",
    ),
];

pub(crate) fn trials() -> Vec<Trial> {
    let missing = !support::is_there(TOOL);
    let ignored = missing && !support::required().holds(TOOL);
    if ignored {
        eprintln!("legacy/: ignored, for there is no {TOOL}");
    }
    let cases = CASES.iter().map(|(name, step)| {
        let case = move || explained(step);
        Trial::test(format!("legacy/{name}"), case).with_ignored_flag(ignored)
    });
    cases.collect()
}

/// Runs a case where `iptables` is iptables-legacy.
fn explained(step: &str) -> Result<(), Failed> {
    let path = support::FOLDERS.join(":");
    let asked = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", TOOL, "-S"])
        .env("PATH", &path)
        .stdin(Stdio::null())
        .output()?;
    if !asked.status.success() {
        let said = String::from_utf8_lossy(&asked.stderr);
        return support::unsupported(TOOL, said.trim());
    }
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("legacy.yaml");
    std::fs::write(&file, format!("{}{}", ROUTER.trim_start(), &step[1..]))?;
    let is_legacy = "mount --bind \"$(readlink -f \"$(command -v iptables-legacy)\")\" \
                     \"$(readlink -f \"$(command -v iptables)\")\" && exec \"$@\"";
    let ran = support::run(
        Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c"])
            .args([is_legacy, "sh", env!("CARGO_BIN_EXE_netproof"), "run"])
            .args(["--format", "json", "--implementation", "iproute2-iptables"])
            .arg(&file)
            .env("PATH", &path)
            .env("NETPROOF_PCAP", "")
            .stdin(Stdio::null()),
    )?;
    let (mut report, mut text, mut passed) = (Human::new(), String::new(), false);
    for event in &ran.events {
        text += &report.take(event);
        passed |= matches!(
            event,
            Event::Scenario {
                verdict: Verdict::Pass,
                ..
            }
        );
    }
    if passed && ran.code == Some(0) {
        return Ok(());
    }
    let text = support::plain(&text);
    Err(format!("exit code {:?}\n{text}{}", ran.code, ran.stderr).into())
}
