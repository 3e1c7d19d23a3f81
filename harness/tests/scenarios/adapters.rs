//! Adapters of others: the samples come to what netproof's own comes to, and whatever a bad one does
//! has a verdict and a sentence of its own, in a report that is whole; nothing of it outlives its world.
//!
//! Every adapter stands in a folder of its own for the time of a case, so that whatever it starts is
//! known by its path, and whatever it writes there is seen.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use netproof::implement::Choice;
use netproof::judge::Verdict;
use netproof::report::Human;
use netproof::run::{Deadlines, Event, NamedScenario, Runner};
use netproof::scenario::{Requirement, parse};
use netproof::world::Tier;

use crate::support;

const BAD: &str = "fixtures/adapters/bad";

/// The scenario that adapters are tried with.
const SCENARIO: &str = "containers/two-endpoints";

/// A scenario that attaches several containers at the same time.
const AT_ONCE: &str = "containers/parallel";

/// What a bad adapter comes to: each way to talk to it may have a sentence of its own.
struct Bad {
    name: &'static str,
    /// What netproof says of it when it is started for each request.
    started: Option<&'static str>,
    /// What netproof says of it when it serves.
    served: Option<&'static str>,
    verdict: Verdict,
    /// How long a reply may take, in milliseconds, where it is waited for.
    limit: u64,
}

const fn bad(name: &'static str, verdict: Verdict, says: &'static str) -> Bad {
    Bad {
        name,
        started: Some(says),
        served: Some(says),
        verdict,
        limit: 20_000,
    }
}

/// Long enough for all that comes before the reply that never comes.
const SHORT: u64 = 2000;

const ALL: &[Bad] = &[
    bad(
        "do-nothing",
        Verdict::Fail,
        "it says ok, and there is no interface c1/eth0",
    ),
    bad(
        "crash",
        Verdict::Error,
        "it was ended by SIGSEGV before its reply to `attach`; it said last: about to go",
    ),
    Bad {
        limit: SHORT,
        ..bad(
            "hang",
            Verdict::Error,
            "no reply to `attach` within 2000 ms",
        )
    },
    Bad {
        served: Some(
            "a line of it is no JSON, expected value at line 1 column 1: `Segmentation fault (core dumped)`",
        ),
        ..bad(
            "garbage",
            Verdict::Error,
            "the reply to `network` is no JSON, expected value at line 1 column 1: `Segmentation fault (core dumped)`",
        )
    },
    Bad {
        served: Some("its last line breaks off: `{\"seq\":2,\"ok\":`"),
        ..bad(
            "half-a-line",
            Verdict::Error,
            "the reply to `network` breaks off: `{\"seq\":2,\"ok\":`",
        )
    },
    bad(
        "false-address",
        Verdict::Fail,
        "it claims 192.0.2.1/24 for c1/eth0, which has 10.10.0.2/24",
    ),
    bad(
        "leave-a-link",
        Verdict::Fail,
        "left: links in host: left1: veth down mtu 1500 peer host/left",
    ),
    Bad {
        limit: SHORT,
        ..bad(
            "fork-for-ever",
            Verdict::Error,
            "no reply to `network` within 2000 ms",
        )
    },
    bad(
        "one-gigabyte",
        Verdict::Error,
        "a reply is longer than 1 MiB",
    ),
    bad(
        "escape-workdir",
        Verdict::Fail,
        "written outside of /run/netproof: /tmp/escaped",
    ),
    Bad {
        served: Some("a reply has seq 99, and what waits for one is seq 2"),
        ..bad(
            "wrong-seq",
            Verdict::Error,
            "the reply has seq 99, the request 2",
        )
    },
    bad(
        "hide-a-link",
        Verdict::Fail,
        "left: links in c1: eth0: veth up no-carrier mtu 1500 peer c1/vc1",
    ),
    bad(
        "crash-in-check",
        Verdict::Error,
        "it was ended by SIGSEGV before its reply to `check`",
    ),
    bad("protocol-9", Verdict::Error, "it speaks protocol 9, not 1"),
    bad(
        "pid-1",
        Verdict::Error,
        "the reply names no process of a container's",
    ),
    bad(
        "one-link",
        Verdict::Fail,
        "left: links in host: left1: vxlan down mtu 1500 id 9 dstport 4789",
    ),
    bad(
        "wrong-for-second",
        Verdict::Fail,
        "it claims 192.0.2.1/24 for c2/eth0, which has 10.10.0.3/24",
    ),
    Bad {
        limit: SHORT,
        started: None,
        ..bad(
            "wont-go",
            Verdict::Error,
            "it has not ended 2000 ms after its reply to `bye`",
        )
    },
];

/// What `smoke` says of adapters: the first step that fails, and why; nothing where all is well.
const SMOKE: &[(&str, &str, &str)] = &[
    ("exec:fixtures/adapters/sample.sh", "", ""),
    ("serve:fixtures/adapters/sample.py", "", ""),
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
        "nothing is left",
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
        "nothing is left",
        "host has left1",
    ),
    (
        "exec:fixtures/adapters/bad/pid-1.sh",
        "attach",
        "1 is no process of it",
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

pub(crate) fn trials(scenarios: &[NamedScenario]) -> Vec<Trial> {
    let found = scenarios.iter().find(|it| it.name == SCENARIO);
    let tried = found.expect("the scenario for adapters is there");
    let mut trials = vec![
        Trial::test("adapters/all-bad-ones-are-tried", all_are_tried),
        Trial::test("adapters/all-bad-ones-are-listed", all_are_listed),
    ];
    for &(adapter, step, says) in SMOKE {
        let file = adapter.rsplit('/').next().unwrap();
        let way = adapter.split(':').next().unwrap();
        let name = format!("adapters/smoke/{way}/{file}");
        let trial = Trial::test(name, move || smokes(adapter, step, says));
        trials.push(needing(&["ip", "python3"], trial));
    }
    for bad in ALL {
        for (way, says) in [("exec", bad.started), ("serve", bad.served)] {
            let Some(says) = says else { continue };
            let (tried, name) = (tried.clone(), format!("adapters/{way}/{}", bad.name));
            let trial = Trial::test(name, move || has_its_verdict(bad, way, says, &tried));
            trials.push(needing(&["ip"], trial));
        }
    }
    // Of several that are attached at once, the first is not the only one that is compared.
    let second = ALL.iter().find(|bad| bad.name == "wrong-for-second");
    let second = second.expect("it is one of all");
    let at_once = scenarios.iter().find(|it| it.name == AT_ONCE).cloned();
    let trial = Trial::test("adapters/at-once/wrong-for-second", move || {
        let says = "it claims 192.0.2.1/24 for c2/eth0, which has 10.10.0.3/29";
        let scenario = at_once.as_ref().ok_or("no such scenario")?;
        has_its_verdict(second, "serve", says, scenario)
    });
    trials.push(needing(&["ip"], trial));
    for (choice, tools) in [
        ("exec:fixtures/adapters/sample.sh", &["ip"][..]),
        ("serve:fixtures/adapters/sample.py", &["ip", "python3"]),
        ("fixtures/adapters/sample.yaml", &["ip", "sysctl"]),
    ] {
        let file = choice.rsplit('/').next().unwrap();
        let copied = |it: &&NamedScenario| COPIED_WITH.contains(&it.name.as_str());
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

fn all_are_tried() -> Result<(), Failed> {
    let mut on_disk = Vec::new();
    support::files_below(&support::root().join(BAD), "sh", &mut on_disk)?;
    let stem = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    let mut on_disk: Vec<String> = on_disk.iter().map(|path| stem(path)).collect();
    on_disk.retain(|name| name != "well");
    on_disk.sort();
    let mut tried: Vec<&str> = ALL.iter().map(|bad| bad.name).collect();
    tried.sort_unstable();
    if on_disk != tried {
        return Err(format!("on disk {on_disk:?}, tried {tried:?}").into());
    }
    Ok(())
}

/// The bad ones stand in the document on the protocol, with what is said of them.
fn all_are_listed() -> Result<(), Failed> {
    let text = fs::read_to_string(support::root().join("docs/protocol.md"))?;
    for bad in ALL {
        let Some(says) = bad.started else { continue };
        let file = format!("../{BAD}/{}.sh", bad.name);
        let row = format!("| [`{}`]({file}) | `{}` | {says} |", bad.name, bad.verdict);
        if !text.contains(&row) {
            return Err(format!("docs/protocol.md has no row {row}").into());
        }
    }
    Ok(())
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

/// Every process with the text in its command line.
fn processes_of(text: &str) -> Result<Vec<String>, Failed> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Ok(line) = fs::read(entry?.path().join("cmdline")) else {
            continue;
        };
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        found.extend(line.contains(text).then_some(line));
    }
    Ok(found)
}

fn files_of(folder: &Path) -> Result<Vec<String>, Failed> {
    let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name()));
    let names = names.collect::<Result<Vec<_>, std::io::Error>>()?;
    let mut names: Vec<String> = names.iter().map(|it| it.display().to_string()).collect();
    names.sort();
    Ok(names)
}

fn has_its_verdict(
    bad: &Bad,
    way: &str,
    says: &str,
    scenario: &NamedScenario,
) -> Result<(), Failed> {
    let folder = own_copy()?;
    let before = files_of(folder.path())?;
    let path = folder.path().join(format!("{}.sh", bad.name));
    let choice = Choice::parse(&format!("{way}:{}", path.display()))?;
    let came = run(choice, scenario, Duration::from_millis(bad.limit));
    is_whole(&came.events)?;
    let reasons = reasons(&came.events);
    if came.verdict != bad.verdict {
        return Err(format!("it is {}: {reasons:?}", came.verdict).into());
    }
    let wanted = match bad.verdict {
        Verdict::Error => format!("the implementation broke off: {says}"),
        _ => says.to_owned(),
    };
    if reasons != [wanted.clone()] {
        return Err(format!("it is said {reasons:#?}, not {wanted:?}").into());
    }
    let left = processes_of(&folder.path().display().to_string())?;
    if !left.is_empty() {
        return Err(format!("processes are left: {left:?}").into());
    }
    let after = files_of(folder.path())?;
    if after != before || Path::new("/tmp/escaped").exists() {
        return Err(format!("files are left: {after:?}, before {before:?}").into());
    }
    Ok(())
}

fn passes(choice: &str, scenario: &NamedScenario) -> Result<(), Failed> {
    let path = support::root().display();
    let choice = match choice.split_once(':') {
        Some((way, file)) => format!("{way}:{path}/{file}"),
        None => format!("{path}/{choice}"),
    };
    let came = run(Choice::parse(&choice)?, scenario, Duration::from_secs(30));
    is_whole(&came.events)?;
    match came.verdict {
        Verdict::Pass => Ok(()),
        verdict => Err(format!("it is {verdict}: {:?}", reasons(&came.events)).into()),
    }
}

/// What the samples pass, for they are copied: one after the other, at the same time, twice, and until
/// nothing is free.
const COPIED_WITH: &[&str] = &[
    "containers/two-endpoints",
    "containers/parallel",
    "containers/reattach",
    "containers/second-network",
    "containers/pool-exhausted",
];

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
