//! What a script makes of the world of `netproof judge`, by a real shell and real tools.
//!
//! These cases need `ip`, `iptables`, `ip6tables` and `sysctl`. Where one is missing they are shown as
//! ignored; `NETPROOF_REQUIRE=ip` says that none may be.

use std::process::{Command, Stdio};
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use netproof::judge::Verdict;
use netproof::run::{Blame, Deadlines, Event, Goal, NamedScenario, Runner};
use netproof::scenario::{Cause, parse};
use netproof::world::Tier;

use crate::support;

const TOOLS: &[&str] = &["ip", "iptables", "ip6tables", "sysctl", "python3"];

/// Scenarios whose last step asks nothing of what earlier probes have left behind: with nodes that the
/// script makes, shares and deletes, with servers, tunnels, rules, and IPv6.
const REACHED: &[&str] = &[
    "concepts/ipv6-bridge",
    "concepts/shared-namespace",
    "tutorials/clean-up",
    "tutorials/docker-bridge",
    "tutorials/gateway",
    "tutorials/masquerade",
    "tutorials/tap-bridge",
    "tutorials/tcp-server",
    "tutorials/web-database",
];

/// A line that the script forgets, and the cause that is named for it.
const FORGOTTEN: &[(&str, &str, &str, Cause)] = &[
    (
        "masquerade",
        "tutorials/docker-bridge",
        "MASQUERADE",
        Cause::NotTranslated,
    ),
    (
        "forwarding",
        "tutorials/docker-bridge",
        "net.ipv4.ip_forward=1",
        Cause::ForwardingOff,
    ),
];

pub(crate) fn trials(scenarios: &[NamedScenario]) -> Vec<Trial> {
    let missing: Vec<&str> = TOOLS
        .iter()
        .copied()
        .filter(|tool| !support::is_there(tool))
        .collect();
    let ignored =
        !missing.is_empty() && missing.iter().all(|tool| !support::required().holds(tool));
    if ignored {
        eprintln!("judge/: ignored, for there is no {}", missing.join(", no "));
    }
    let named = |name: &str| scenarios.iter().find(|it| it.name == name).cloned();
    let mut trials = Vec::new();
    for name in REACHED {
        let scenario = named(name);
        trials.push(Trial::test(format!("judge/script/{name}"), move || {
            is_reached(&scenario.ok_or("there is no such scenario")?)
        }));
    }
    for (what, name, line, cause) in FORGOTTEN {
        let scenario = named(name);
        trials.push(Trial::test(format!("judge/forgotten/{what}"), move || {
            is_missed(&scenario.ok_or("there is no such scenario")?, line, *cause)
        }));
    }
    trials.push(Trial::test(
        "judge/what-the-script-has-set-stays",
        keeps_what_was_set,
    ));
    for (protocol, code) in [("tcp", 0), ("udp", 1)] {
        let name = format!("judge/a-server-of-the-script/{protocol}");
        let trial = Trial::test(name, move || has_its_own_server(protocol, code));
        trials.push(trial);
    }
    trials = trials
        .into_iter()
        .map(|trial| trial.with_ignored_flag(ignored))
        .collect();
    trials.push(Trial::test("judge/a-command-that-hangs", ends_what_hangs));
    trials.push(Trial::test("judge/a-command-that-kills-all", kills_all));
    trials
}

/// Has a script judged that stands in a file of its own.
fn judge(scenario: &str, script: &str) -> Result<support::Ran, Failed> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("script.sh");
    std::fs::write(&file, script)?;
    support::run(
        Command::new(env!("CARGO_BIN_EXE_netproof"))
            .args(["judge", scenario, "--format", "json", "--", "sh"])
            .arg(&file)
            .env("NETPROOF_PCAP", "")
            .stdin(Stdio::null()),
    )
}

fn told(why: &str, ran: &support::Ran) -> Failed {
    let mut text = format!("{why}: exit code {:?}\n{}", ran.code, ran.stderr);
    let mut human = netproof::report::Human::new();
    for event in &ran.events {
        if let Event::Command { stderr, .. } = event {
            text += stderr;
        }
        text += &human.take(event);
    }
    support::plain(&text).into()
}

fn is_reached(scenario: &NamedScenario) -> Result<(), Failed> {
    let parsed = parse(&scenario.file, &scenario.text)?;
    let ran = judge(&scenario.name, &parsed.goal_script(parsed.steps.len()))?;
    let asked = ran
        .events
        .iter()
        .filter(|event| matches!(event, Event::Expectation { .. }));
    let all = parsed.steps.last().map(|step| step.expectations.len());
    if ran.code == Some(0) && Some(asked.count()) == all {
        Ok(())
    } else {
        Err(told("the goal is reached", &ran))
    }
}

fn is_missed(scenario: &NamedScenario, forgotten: &str, cause: Cause) -> Result<(), Failed> {
    let parsed = parse(&scenario.file, &scenario.text)?;
    let script = parsed.goal_script(parsed.steps.len());
    let kept: Vec<&str> = script
        .lines()
        .filter(|line| line.starts_with('#') || !line.contains(forgotten))
        .collect();
    if kept.len() == script.lines().count() {
        return Err("the script has no such line".into());
    }
    let ran = judge(&scenario.name, &(kept.join("\n") + "\n"))?;
    let is_named = ran
        .events
        .iter()
        .any(|event| matches!(event, Event::Probe { cause: Some(found), .. } if *found == cause));
    let ended_well = ran.events.iter().any(|event| {
        matches!(
            event,
            Event::Command {
                verdict: Verdict::Pass,
                ..
            }
        )
    });
    if ran.code == Some(1) && is_named && ended_well {
        Ok(())
    } else {
        Err(told(&format!("{cause} is named"), &ran))
    }
}

/// A router that the script makes forwards, since the script said so. How many errors it may send was not
/// said, and is pinned: no bucket of the kernel's runs empty.
fn keeps_what_was_set() -> Result<(), Failed> {
    let text = "
title: t
nodes: [host, web]
steps:
  - name: s
    do:
      - netns: {add: router}
      - netns: {add: database}
      - veth: {add: web/eth0, peer: router/web}
      - veth: {add: database/eth0, peer: router/database}
      - up: web/eth0
      - up: router/web
      - up: router/database
      - up: database/eth0
      - address: {add: 10.1.0.2/24, dev: web/eth0}
      - address: {add: 10.1.0.1/24, dev: router/web}
      - address: {add: 10.2.0.1/24, dev: router/database}
      - address: {add: 10.2.0.2/24, dev: database/eth0}
      - route: {in: web, add: default, via: 10.1.0.1}
      - route: {in: database, add: default, via: 10.2.0.1}
      - sysctl: {in: router, key: net.ipv4.ip_forward, value: 1}
    expect:
      - ping: {from: web, to: 10.2.0.2}
        reply: {ttl: 63}
";
    let refused = "      - ping: {from: web, to: 10.2.0.2, ttl: 1}\n        rejected: {how: ttl-exceeded, by: router}\n";
    let text = format!("{text}{}", refused.repeat(10));
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("router.yaml");
    std::fs::write(&file, &text)?;
    let script = parse("router.yaml", &text)?.goal_script(1);
    let ran = judge(&file.display().to_string(), &script)?;
    if ran.code == Some(0) {
        Ok(())
    } else {
        Err(told("the router forwards", &ran))
    }
}

/// A server that the script leaves running stands in for ours where the kernel answers for it; a datagram
/// only comes back from ours, so that its port is taken is told.
fn has_its_own_server(protocol: &str, code: i32) -> Result<(), Failed> {
    let text = format!(
        "
title: t
nodes: [host, web]
steps:
  - name: s
    do:
      - veth: {{add: host/eth0, peer: web/eth0}}
      - address: {{add: 10.1.0.1/24, dev: host/eth0}}
      - address: {{add: 10.1.0.2/24, dev: web/eth0}}
      - up: host/eth0
      - up: web/eth0
      - listen: {{in: web, {protocol}: 80}}
    expect:
      - {protocol}: {{from: host, to: 10.1.0.2, port: 80}}
        reply: {{}}
"
    );
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("served.yaml");
    std::fs::write(&file, &text)?;
    // What is sent to it is read, for nobody can tell yet what becomes of a datagram that is not.
    let (socket, reads) = match protocol {
        "tcp" => ("SOCK_STREAM); s.bind(('', 80)); s.listen()", "s.accept()"),
        _ => ("SOCK_DGRAM); s.bind(('', 80))", "s.recv(9)"),
    };
    let server = format!(
        "import socket; s = socket.socket(socket.AF_INET, socket.{socket}; print(flush=True); \
         [{reads} for _ in iter(int, 1)]"
    );
    let script = format!(
        "{}cd \"${{0%/*}}\"\nmkfifo ready\nip netns exec web python3 -c \"{server}\" >ready &\n\
         read -r _ <ready\n",
        parse("served.yaml", &text)?.goal_script(1)
    );
    let ran = judge(&file.display().to_string(), &script)?;
    let refused = ran.events.iter().any(|event| {
        matches!(event, Event::Operation { reason: Some(reason), .. } if reason.contains("Address already in use"))
    });
    if (ran.code, refused) == (Some(code), code == 1) {
        Ok(())
    } else {
        Err(told("the script's server", &ran))
    }
}

/// A command that kills netproof's own process has failed.
fn kills_all() -> Result<(), Failed> {
    let ran = judge("fixtures/readme/routed.yaml", "kill -9 -1; sleep 1000")?;
    let is_blamed = |event: &Event| {
        matches!(event, Event::Failure { blame: Blame::Tested, message, .. }
            if message == "netproof's own process in this world was killed by SIGKILL")
    };
    match ran.events.iter().any(is_blamed) && ran.code == Some(1) {
        true => Ok(()),
        false => Err(told("the command is blamed", &ran)),
    }
}

/// A command that is late is killed, that is told, and what it has built is judged.
fn ends_what_hangs() -> Result<(), Failed> {
    let scenario = NamedScenario {
        name: "routed".to_owned(),
        file: "routed.yaml".to_owned(),
        text: std::fs::read_to_string(support::root().join("fixtures/readme/routed.yaml"))?,
    };
    let script = "echo 1 >/proc/sys/net/ipv4/ip_forward; echo begun; exec sleep 1000";
    let goal = Goal {
        step: 1,
        command: ["sh", "-c", script].map(str::to_owned).to_vec(),
        snapshot: false,
    };
    let deadlines = Deadlines {
        step: Duration::from_secs(2),
        ..Deadlines::default()
    };
    let (mut ends, mut verdicts) = (Vec::new(), Vec::new());
    let outcome = Runner::new(Tier::User, false)
        .with_deadlines(deadlines)
        .judge(&scenario, goal, &mut |event| match event {
            Event::Command { ended, stdout, .. } => ends.push(format!("{ended}: {stdout}")),
            Event::Expectation { verdict, .. } => verdicts.push(*verdict),
            _ => {}
        });
    let as_wanted = ends == ["not done after 2 s, and killed: begun\n"]
        && verdicts == [Verdict::Pass, Verdict::Pass]
        && outcome.verdict == Verdict::Fail;
    if as_wanted {
        Ok(())
    } else {
        Err(format!("{ends:?} {verdicts:?} {outcome:?}").into())
    }
}
