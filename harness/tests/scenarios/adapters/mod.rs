//! Adapters of others: the samples come to what netproof's own comes to, each is asked as the protocol
//! says, and who says ok and does nothing passes nothing.
//!
//! Every adapter stands in a folder of its own for the time of a case, so that whatever it starts is
//! known by its path, and whatever it writes there is seen.

mod bad;
mod smoke;

use std::fs;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use netproof::implement::Choice;
use netproof::judge::Verdict;
use netproof::report::Human;
use netproof::run::{Blame, Deadlines, Event, NamedScenario, Runner};
use netproof::scenario::{Requirement, parse};
use netproof::world::Tier;

use crate::support;

const BAD: &str = "fixtures/adapters/bad";

/// The scenario that adapters are tried with.
const SCENARIO: &str = "containers/two-endpoints";

/// A container of it dies, and is detached afterwards.
const AFTER_DEATH: &str = "containers/detach-after-death";

/// What the samples pass, for they are copied: one after the other, at the same time, twice, and until
/// nothing is free.
const COPIED_WITH: &[&str] = &[
    "containers/two-endpoints",
    "containers/parallel",
    "containers/reattach",
    "containers/second-network",
    "containers/pool-exhausted",
];

/// What one passes whose containers are its own, with one endpoint each.
const COPIED_WITH_CONTAINERS: &[&str] = &[
    "containers/two-endpoints",
    "containers/parallel",
    "containers/reattach",
    "containers/pool-exhausted",
    "containers/detach",
    AFTER_DEATH,
];

/// A sample, the scenarios that it passes, and the tools that it needs.
type Sample = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

const SAMPLES: &[Sample] = &[
    ("exec:fixtures/adapters/sample.sh", COPIED_WITH, &["ip"]),
    (
        "serve:fixtures/adapters/sample.py",
        COPIED_WITH,
        &["ip", "python3"],
    ),
    (
        "exec:fixtures/adapters/sample-containers.sh",
        COPIED_WITH_CONTAINERS,
        &["ip", "nsenter", "unshare"],
    ),
    (
        "fixtures/adapters/sample.yaml",
        COPIED_WITH,
        &["ip", "sysctl"],
    ),
];

pub(crate) fn trials(scenarios: &[NamedScenario]) -> Vec<Trial> {
    let mut trials = bad::trials(scenarios);
    trials.extend(smoke::trials());
    for (choice, passed, tools) in SAMPLES {
        let file = choice.rsplit('/').next().unwrap();
        let copied = |it: &&NamedScenario| passed.contains(&it.name.as_str());
        for scenario in scenarios.iter().filter(copied) {
            let (scenario, name) = (
                scenario.clone(),
                format!("adapters/{file}/{}", scenario.name),
            );
            trials.push(needing(
                tools,
                Trial::test(name, move || passes(choice, &scenario)),
            ));
        }
    }
    for scenario in scenarios.iter().filter(|it| it.name == AFTER_DEATH) {
        for way in ["exec", "serve"] {
            let scenario = scenario.clone();
            let name = format!("adapters/asked-as-the-protocol-says/{way}");
            let trial = Trial::test(name, move || is_asked_rightly(way, &scenario));
            trials.push(needing(&["ip"], trial));
        }
    }
    for scenario in scenarios.iter().filter(|it| it.name == SCENARIO) {
        for (what, command, says) in LEFT {
            let (scenario, name) = (scenario.clone(), format!("adapters/left/{what}"));
            let trial = Trial::test(name, move || is_told(command, says, &scenario));
            trials.push(needing(&["ip", "iptables"], trial));
        }
        for way in ["exec", "serve"] {
            let (scenario, name) = (scenario.clone(), format!("adapters/kill-all/{way}"));
            trials.push(Trial::test(name, move || {
                ends_its_own_world(way, &scenario)
            }));
        }
        for (what, features, replies, says) in NO_CONTAINERS {
            let (scenario, name) = (scenario.clone(), format!("adapters/no-container/{what}"));
            let trial = Trial::test(name, move || {
                is_no_container(features, replies, says, &scenario)
            });
            trials.push(needing(&["ip"], trial));
        }
    }
    let trial = Trial::test("adapters/claims-beside-a-refusal", forgets_claims);
    trials.push(needing(&["ip"], trial));
    // Each case starts this program anew, so nothing is parsed before it is known which one runs.
    for scenario in scenarios {
        if scenario.name.starts_with("containers/") {
            let (scenario, name) = (scenario.clone(), format!("adapters/idle/{}", scenario.name));
            trials.push(Trial::test(name, move || does_not_pass(&scenario)));
        }
    }
    let level_one = scenarios
        .iter()
        .find(|it| it.name == "tutorials/gateway")
        .cloned();
    trials.push(Trial::test("adapters/single-commands", move || {
        is_unsupported(level_one.as_ref().ok_or("no such scenario")?)
    }));
    trials
}

/// Ignores a case whose tools are missing, unless they are required.
fn needing(tools: &[&str], trial: Trial) -> Trial {
    let required = support::required();
    let missing = |tool: &&&str| !support::is_there(tool) && !required.holds(tool);
    let ignored = tools.iter().any(|tool| missing(&tool));
    trial.with_ignored_flag(ignored)
}

/// What a run came to.
struct Came {
    verdict: Verdict,
    events: Vec<Event>,
}

fn run(choice: Choice, scenario: &NamedScenario, limit: Duration) -> Came {
    let deadlines = Deadlines {
        operation: limit,
        ..Deadlines::default()
    };
    let runner = Runner::new(Tier::User, false)
        .with_interior(choice.interior())
        .with_implementation(choice)
        .with_deadlines(deadlines);
    let mut events = Vec::new();
    let outcome = runner.run(scenario, &mut |event| events.push(event.clone()));
    runner.wait_until_gone();
    let verdict = outcome.verdict;
    Came { verdict, events }
}

/// All that is said of what did not come out well.
fn reasons(events: &[Event]) -> Vec<String> {
    let of = |event: &Event| match event {
        Event::Operation { reason, .. } => reason.clone(),
        Event::Failure { message, .. } => Some(message.clone()),
        Event::Left { left, .. } => left.first().map(|line| format!("left: {line}")),
        Event::Escaped { files, workdir, .. } => {
            let files = files.join(", ");
            Some(format!("written outside of {workdir}: {files}"))
        }
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

/// Fails where the report breaks off, or a line of it cannot be read.
fn is_whole(events: &[Event]) -> Result<(), Failed> {
    let mut human = Human::new();
    for event in events {
        let line = serde_json::to_string(event)?;
        if line.contains('\n') || serde_json::from_str::<Event>(&line)? != *event {
            return Err(format!("this is not what was told: {line}").into());
        }
        human.take(event);
    }
    match events.last() {
        Some(Event::End { .. }) => Ok(()),
        last => Err(format!("the report ends with {last:?}").into()),
    }
}

/// A copy of the bad adapters, in a folder with a name that no other process knows.
fn own_copy() -> Result<tempfile::TempDir, Failed> {
    let folder = tempfile::tempdir()?;
    for entry in fs::read_dir(support::root().join(BAD))? {
        let path = entry?.path();
        fs::copy(&path, folder.path().join(path.file_name().unwrap()))?;
    }
    Ok(folder)
}

fn passes(choice: &str, scenario: &NamedScenario) -> Result<(), Failed> {
    let root = support::root();
    let choice = match choice.split_once(':') {
        Some((way, file)) => format!("{way}:{}", root.join(file).display()),
        None => root.join(choice).display().to_string(),
    };
    let came = run(Choice::parse(&choice)?, scenario, Duration::from_secs(30));
    is_whole(&came.events)?;
    match came.verdict {
        Verdict::Pass => Ok(()),
        verdict => Err(format!("it is {verdict}: {:?}", reasons(&came.events)).into()),
    }
}

/// What is no interface and stays behind, by the command that makes it: it is told, and nothing fails.
const LEFT: &[(&str, &str, &str)] = &[
    (
        "route",
        "ip route replace unreachable 198.51.100.0/24 metric 1",
        "left: routes in host: unreachable 198.51.100.0/24 metric 1",
    ),
    (
        "rule",
        "ip rule add from 198.51.100.0/24 lookup 99 priority 99",
        "left: rules in host: 99: from 198.51.100.0/24 lookup 99",
    ),
    (
        "netfilter",
        "iptables -A FORWARD -s 198.51.100.0/24 -j DROP",
        "left: netfilter in host: ip filter FORWARD has 1 rule",
    ),
];

/// Does all that is asked, and something else.
fn is_told(command: &str, says: &str, scenario: &NamedScenario) -> Result<(), Failed> {
    let act = format!("act() {{ [ $(value op) = network ] && {command} >&2; well; }}");
    let (_folder, path) = own_adapter(&act)?;
    let choice = Choice::parse(&format!("serve:{path}"))?;
    let came = run(choice, scenario, Duration::from_secs(30));
    match (came.verdict, reasons(&came.events).as_slice()) {
        (Verdict::Pass, [told]) if told == says => is_whole(&came.events),
        (verdict, told) => Err(format!("it is {verdict}: {told:?}").into()),
    }
}

/// Writes an adapter that does everything well but what `act` does, beside a copy of the bad ones.
fn own_adapter(act: &str) -> Result<(tempfile::TempDir, String), Failed> {
    let folder = own_copy()?;
    let path = folder.path().join("own.sh");
    fs::write(
        &path,
        format!("#!/bin/sh\n. \"$(dirname \"$0\")/well.sh\"\n{act}\nserve\n"),
    )?;
    let copied = fs::metadata(folder.path().join("crash.sh"))?;
    fs::set_permissions(&path, copied.permissions())?;
    let path = path.display().to_string();
    Ok((folder, path))
}

/// The first container is refused, and what is claimed for the second, which was to be attached with it,
/// is false; a third is attached, and all that is said of it is true.
const REFUSED_IN_PART: &str = "
title: t
nodes: [host, c1, c2, c3]
steps:
  - name: s
    do:
      - network: {add: n1, subnet: 10.10.0.0/24}
      - attach: {nodes: [c1, c2], to: n1}
        fails: refused
      - attach: {node: c3, to: n1}
    expect:
      - ping: {from: c3, to: 10.10.0.1}
        reply: {}
";

/// What was claimed beside a refusal is not held against the next one.
fn forgets_claims() -> Result<(), Failed> {
    let act = r#"
act() {
  case $(value op)$(value netns) in
    attach*/c1) reply '"error":{"code":"no","message":"not this one"}' ;;
    attach*/c2) well | sed "s/\"addresses\":\[\"[^\"]*\"/\"addresses\":[\"192.0.2.1\/24\"/" ;;
    *) well ;;
  esac
}"#;
    let (_folder, path) = own_adapter(act)?;
    let scenario = NamedScenario {
        name: "refused-in-part".to_owned(),
        file: "refused-in-part.yaml".to_owned(),
        text: REFUSED_IN_PART.to_owned(),
    };
    passes(&format!("serve:{path}"), &scenario)
}

/// Processes that are none of a container's: what `hello` says besides, what the reply to `attach` does, and
/// what is said of it.
const NO_CONTAINERS: &[(&str, &str, &str, &str)] = &[
    (
        "not-there",
        r#""features":["namespaces"]"#,
        r#""ok":true,"pid":4194304"#,
        "the reply names process 4194304, which is not there",
    ),
    (
        "not-named",
        r#""features":["namespaces"]"#,
        r#""ok":true"#,
        "`hello` has `namespaces`, and the reply no `pid`",
    ),
    (
        "not-announced",
        r#""features":["namespace"]"#,
        r#""ok":true,"pid":4194304"#,
        "the reply has a `pid`, and `hello` no `namespaces`",
    ),
];

/// What is no container is not looked into, nor killed, and ends the scenario.
fn is_no_container(
    features: &str,
    replies: &str,
    says: &str,
    scenario: &NamedScenario,
) -> Result<(), Failed> {
    let hello = format!(r#""hello":{{"protocol":1,"name":"own","version":"0",{features}}}"#);
    let act = format!(
        "hello() {{ reply '\"ok\":true,{hello}'; }}\n\
         act() {{ [ $(value op) = attach ] && reply '{replies}' && return; well; }}"
    );
    let (_folder, path) = own_adapter(&act)?;
    let choice = Choice::parse(&format!("serve:{path}"))?;
    let came = run(choice, scenario, Duration::from_secs(30));
    let says = format!("the implementation broke off: {says}");
    match (came.verdict, reasons(&came.events).as_slice()) {
        (Verdict::Error, [told]) if *told == says => is_whole(&came.events),
        (verdict, told) => Err(format!("it is {verdict}: {told:?}").into()),
    }
}

/// Whoever kills all that it can, kills what judges it; that is its own failure, and not netproof's.
fn ends_its_own_world(way: &str, scenario: &NamedScenario) -> Result<(), Failed> {
    let (_folder, path) = own_adapter("act() { kill -9 -1; }")?;
    let choice = Choice::parse(&format!("{way}:{path}"))?;
    let came = run(choice, scenario, Duration::from_secs(30));
    let blame = came.events.iter().find_map(|event| match event {
        Event::Failure { blame, .. } => Some(*blame),
        _ => None,
    });
    let says = "netproof's own process in this world was killed by SIGKILL";
    match (came.verdict, blame, reasons(&came.events).as_slice()) {
        (Verdict::Error, Some(Blame::Tested), [told]) if told == says => Ok(()),
        (verdict, blame, told) => Err(format!("it is {verdict}, {blame:?}: {told:?}").into()),
    }
}

/// Refuses a request for a container whose namespace and process are not there together, and one about an
/// endpoint that is gone already, or a network that still has some.
const PARTICULAR: &str = r#"
act() {
  case $(value op) in
    attach|detach|check)
      if [ -e "$(value netns)" ] && [ -d "/proc/$(value pid)/ns" ]; then :
      elif ! [ -e "$(value netns)" ] && [ -z "$(value pid)" ]; then :
      else
        reply "\"error\":{\"code\":\"odd\",\"message\":\"$(value op) with pid <$(value pid)>\"}"
        return
      fi ;;
  esac
  netns=$(value netns) on=on-${netns##*/}
  case $(value op) in
    attach) : >"$on" ;;
    detach) rm "$on" || { odd; return; } ;;
    check) [ -e "$on" ] || exit 1 ;;
    network-delete) [ "$(echo on-*)" = 'on-*' ] || { odd; return; } ;;
  esac
  well
}
odd() { reply '"error":{"code":"odd","message":"that is not as it was left"}'; }"#;

/// A process is named for as long as the container is there, and no longer.
fn is_asked_rightly(way: &str, scenario: &NamedScenario) -> Result<(), Failed> {
    let (_folder, path) = own_adapter(PARTICULAR)?;
    passes(&format!("{way}:{path}"), scenario)
}

/// Whoever says ok and does nothing must not pass.
fn does_not_pass(scenario: &NamedScenario) -> Result<(), Failed> {
    let parsed = parse(&scenario.file, &scenario.text)?;
    if !parsed.has_intents() || parsed.requirement() != Requirement::Must {
        println!("nobody has to pass this");
        return Ok(());
    }
    let folder = own_copy()?;
    let path = folder.path().join("do-nothing.sh");
    let choice = Choice::parse(&format!("serve:{}", path.display()))?;
    let came = run(choice, scenario, Duration::from_secs(30));
    match came.verdict {
        Verdict::Fail => is_whole(&came.events),
        verdict => Err(format!("it is {verdict}: {:?}", reasons(&came.events)).into()),
    }
}

/// Single commands are nothing that an adapter is asked for.
fn is_unsupported(scenario: &NamedScenario) -> Result<(), Failed> {
    let folder = own_copy()?;
    let path = folder.path().join("do-nothing.sh");
    let choice = Choice::parse(&format!("serve:{}", path.display()))?;
    let came = run(choice, scenario, Duration::from_secs(30));
    let said = "do-nothing.sh takes networks and endpoints, not single commands".to_owned();
    match (came.verdict, reasons(&came.events)) {
        (Verdict::Unsupported, reasons) if reasons == [said] => Ok(()),
        (verdict, reasons) => Err(format!("it is {verdict}: {reasons:?}").into()),
    }
}
