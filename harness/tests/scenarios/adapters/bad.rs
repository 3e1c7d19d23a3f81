//! Bad adapters: whatever one does wrong has a verdict and a sentence of its own, in a report that is
//! whole; nothing of it outlives its world.

use std::fs;
use std::path::Path;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use netproof::implement::Choice;
use netproof::judge::Verdict;
use netproof::run::NamedScenario;

use super::{BAD, SCENARIO, is_whole, needing, own_copy, reasons, run};
use crate::support;

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
        "the reply names process 1, which is in the network namespace of host",
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

pub(super) fn trials(scenarios: &[NamedScenario]) -> Vec<Trial> {
    let named = |name: &str| scenarios.iter().find(|it| it.name == name).cloned();
    let tried = named(SCENARIO).expect("the scenario for adapters is there");
    let mut trials = vec![
        Trial::test("adapters/all-bad-ones-are-tried", all_are_tried),
        Trial::test("adapters/all-bad-ones-are-listed", all_are_listed),
    ];
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
    let at_once = named(AT_ONCE);
    let trial = Trial::test("adapters/at-once/wrong-for-second", move || {
        let says = "it claims 192.0.2.1/24 for c2/eth0, which has 10.10.0.3/29";
        let scenario = at_once.as_ref().ok_or("no such scenario")?;
        has_its_verdict(second, "serve", says, scenario)
    });
    trials.push(needing(&["ip"], trial));
    trials
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
