//! Every expectation can fail: each one is turned into its opposite, in every way there is, and has to
//! be what fails.
//!
//! A flipped scenario is written out as JSON, which is YAML too, and run like any other file, with
//! the recorded snapshots of its original; so nothing but the flips can be what fails. To turn only one
//! thing at a time would take a world for each. So every second expectation is turned, in one way,
//! and those between have to pass.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use libtest_mimic::{Failed, Trial};
use netproof::judge::Verdict;
use netproof::run::{Event, NamedScenario};
use netproof::scenario::{
    Cause, Expectation, ExpectedFate, ExpectedLoss, ExpectedRejection, ExpectedReply,
    FactExpectation, Leg, LinkRef, Located, NodeName, Operation, Place, ProbeExpectation,
    Rejection, Scenario, Sighting, Table, parse,
};

use crate::support::{self, Ran};

/// A changed scenario, and all that has to fail in it, in order, each with how it was changed.
struct Flip {
    scenario: Scenario,
    targets: Vec<(Target, String)>,
}

/// What has to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// An expectation, by the numbers of its step and its own.
    Expectation(usize, usize),
    /// An operation of a step.
    Operation(usize),
}

pub(crate) fn trials(scenarios: &[NamedScenario]) -> Vec<Trial> {
    scenarios
        .iter()
        .cloned()
        .map(|scenario| {
            Trial::test(format!("flips/{}", scenario.name), move || {
                expectations(&scenario)?;
                snapshots(&scenario)
            })
        })
        .collect()
}

fn expectations(scenario: &NamedScenario) -> Result<(), Failed> {
    let original = parse(&scenario.file, &scenario.text)?;
    let flips = flips_of(&original);
    if flips.is_empty() {
        return Err("the scenario expects nothing".into());
    }
    let folder = tempfile::tempdir()?;
    let snapshots = folder.path().join("snapshots");
    fs::create_dir(&snapshots)?;
    for (number, flip) in flips.iter().enumerate() {
        let file = folder.path().join(format!("flip-{number}.yaml"));
        fs::write(file, serde_json::to_string(&flip.scenario)?)?;
        lend_snapshots(scenario, &snapshots, number, original.steps.len())?;
    }
    let ran = support::run(
        support::netproof_run()
            .arg(folder.path())
            .arg("--snapshots")
            .arg(&snapshots),
    )?;
    if let Some((feature, reason)) = support::lacking(&ran.events) {
        return support::unsupported(&feature, &reason);
    }
    if ran.code != Some(1) {
        return Err(format!("exit code {:?} in place of 1\n{}", ran.code, ran.stderr).into());
    }
    let wrong: Vec<String> = flips
        .iter()
        .enumerate()
        .filter_map(|(number, flip)| {
            let complaint = complaint(&ran, &format!("flip-{number}"), &flip.targets)?;
            let changes = flip.targets.iter().map(|(_, what)| format!("  {what}\n"));
            Some(format!(
                "{complaint}, where these were turned:\n{}",
                changes.collect::<String>()
            ))
        })
        .collect();
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n").into())
    }
}

/// Lets a flipped scenario have the snapshots of its original, under its own name.
fn lend_snapshots(
    scenario: &NamedScenario,
    folder: &Path,
    number: usize,
    steps: usize,
) -> Result<(), Failed> {
    for step in 1..=steps {
        let name = format!("{}__{step}.snap", scenario.name.replace('/', "__"));
        let recorded = support::root().join("snapshots").join(name);
        if recorded.exists() {
            symlink(recorded, folder.join(format!("flip-{number}__{step}.snap")))?;
        }
    }
    Ok(())
}

/// Says what is wrong with how a flipped scenario came out; nothing if all that was turned failed and
/// said what was seen, and nothing else did.
fn complaint(ran: &Ran, name: &str, targets: &[(Target, String)]) -> Option<String> {
    let mut failed = Vec::new();
    let mut verdict = None;
    for event in &ran.events {
        match event {
            Event::Expectation {
                scenario,
                step,
                expectation,
                verdict,
                mismatches,
                ..
            } if scenario == name && *verdict != Verdict::Pass => {
                if mismatches.is_empty() || mismatches.iter().any(|it| it.seen.is_empty()) {
                    return Some("it does not say what was seen instead".to_owned());
                }
                failed.push(Target::Expectation(*step, *expectation));
            }
            Event::Operation {
                scenario,
                step,
                verdict,
                reason,
                ..
            } if scenario == name && *verdict != Verdict::Pass => {
                if reason.is_none() {
                    return Some("it does not say why the operation failed".to_owned());
                }
                failed.push(Target::Operation(*step));
            }
            Event::Snapshot {
                scenario,
                step,
                verdict,
                ..
            } if scenario == name && *verdict != Verdict::Pass => {
                return Some(format!("the snapshot of step {step} failed too"));
            }
            Event::Scenario {
                scenario,
                verdict: of,
                ..
            } if scenario == name => {
                verdict = Some(*of);
            }
            _ => {}
        }
    }
    if !failed.iter().eq(targets.iter().map(|(target, _)| target)) {
        return Some(format!("{failed:?} failed"));
    }
    (verdict != Some(Verdict::Fail)).then(|| format!("the scenario's verdict is {verdict:?}"))
}

/// Every way to turn what a scenario expects into something else. An operation that is not to fail ends
/// its scenario, so it is turned alone.
fn flips_of(original: &Scenario) -> Vec<Flip> {
    let mut alone = Vec::new();
    // By which way it is, and whether the number of the expectation is odd.
    let mut together: BTreeMap<(usize, bool), Flip> = BTreeMap::new();
    let unturned = || Flip {
        scenario: original.clone(),
        targets: Vec::new(),
    };
    let mut odd = false;
    for (step_at, step) in original.steps.iter().enumerate() {
        let number = step_at + 1;
        for (at, item) in step.operations.iter().enumerate() {
            if item.fails.is_some() {
                let mut flip = unturned();
                let operation = &mut flip.scenario.steps[step_at].operations[at];
                let command = item.operation.command();
                let what = if let Operation::Exec(_) = item.operation {
                    // It goes only with a reason.
                    operation.fails = Some(Located::nowhere("flipped".to_owned()));
                    format!("step {number}: `{command}` fails otherwise")
                } else {
                    (operation.fails, operation.right) = (None, None);
                    format!("step {number}: `{command}` is not to fail")
                };
                flip.targets.push((Target::Operation(number), what));
                alone.push(flip);
            }
        }
        for (at, expectation) in step.expectations.iter().enumerate() {
            odd = !odd;
            let ways = flips_of_expectation(original, expectation);
            for (way, (what, flipped)) in ways.into_iter().enumerate() {
                let flip = together.entry((way, odd)).or_insert_with(unturned);
                flip.scenario.steps[step_at].expectations[at] = flipped;
                let what = format!("step {number}, {expectation}: {what}");
                flip.targets
                    .push((Target::Expectation(number, at + 1), what));
            }
        }
    }
    alone.extend(together.into_values());
    alone
}

fn flips_of_expectation(scenario: &Scenario, original: &Expectation) -> Vec<(String, Expectation)> {
    match original {
        Expectation::Probe(original) => flips_of_probe(scenario, original)
            .into_iter()
            .map(|(what, flipped)| (what, Expectation::Probe(Box::new(flipped))))
            .collect(),
        Expectation::Fact(original) => flips_of_table(&original.table)
            .into_iter()
            .map(|(what, table)| {
                let flipped = FactExpectation {
                    table,
                    ..(**original).clone()
                };
                (what, Expectation::Fact(Box::new(flipped)))
            })
            .collect(),
    }
}

/// A table with a line more, a line less, and with one word more in each line that it has to have.
fn flips_of_table(original: &Table) -> Vec<(String, Table)> {
    let mut flips = Vec::new();
    // One that begins as those that are looked at.
    let only = original.only.as_ref().map_or("", |only| only.as_str());
    let flipped_line = || Located::nowhere(format!("{only}flipped"));
    if let Some(are) = &original.are {
        let with = |lines: Vec<Located<String>>| Table {
            are: Some(Located::nowhere(lines)),
            ..original.clone()
        };
        let more = are.iter().cloned().chain([flipped_line()]).collect();
        flips.push(("a line more".to_owned(), with(more)));
        if let Some((_, less)) = are.split_last() {
            flips.push(("a line less".to_owned(), with(less.to_vec())));
        }
    }
    for (at, line) in original.have.iter().enumerate() {
        let mut flipped = original.clone();
        flipped.have[at] = Located::nowhere(format!("{line} flipped"));
        flips.push((format!("`{line}` is another"), flipped));
    }
    flips
}

fn flips_of_probe(
    scenario: &Scenario,
    original: &ProbeExpectation,
) -> Vec<(String, ProbeExpectation)> {
    let mut flips: Vec<(String, ProbeExpectation)> = Vec::new();
    let mut with = |what: &str, change: &dyn Fn(&mut ProbeExpectation)| {
        let mut flipped = original.clone();
        change(&mut flipped);
        flips.push((what.to_owned(), flipped));
    };
    let sender = original.probe.from();
    let nowhere = |node: &NodeName| LinkRef {
        node: node.clone(),
        ifname: "flipped".parse().unwrap(),
    };
    match &original.fate {
        ExpectedFate::Reply(reply) => {
            with("lost in place of a reply", &|it| {
                it.fate = lost(Place::Link(nowhere(sender)), None)
            });
            if let Some(ttl) = &reply.ttl {
                with("another ttl", &|it| {
                    change_reply(it, |reply| {
                        reply.ttl = Some(Located::nowhere(ttl.value.wrapping_add(1)));
                    })
                });
            }
            if reply.source.is_some() {
                with("another source", &|it| {
                    change_reply(it, |reply| reply.source = Some(elsewhere(original)))
                });
            }
            if let Some(by) = &reply.by {
                with("by another", &|it| {
                    change_reply(it, |reply| {
                        reply.by = Some(Located::nowhere(nowhere(&by.value.node)));
                    })
                });
            }
        }
        ExpectedFate::Rejected(rejected) => {
            with("a reply in place of a rejection", &|it| it.fate = reply());
            let how = match rejected.how.value {
                Rejection::Prohibited => Rejection::HostUnreachable,
                _ => Rejection::Prohibited,
            };
            with("rejected otherwise", &|it| {
                it.fate = rejection(how, &rejected.by)
            });
            if let Some(cause) = &rejected.because {
                with("because of something else", &|it| {
                    if let ExpectedFate::Rejected(rejected) = &mut it.fate {
                        rejected.value.because = Some(another(cause.value));
                    }
                });
            }
            if let Some(other) = scenario
                .nodes
                .iter()
                .find(|node| node.value != rejected.by.value)
            {
                with("rejected by another", &|it| {
                    it.fate = rejection(rejected.how.value, other)
                });
            }
        }
        ExpectedFate::Lost(loss) => {
            with("a reply in place of a loss", &|it| it.fate = reply());
            let leg = loss.leg.as_ref().map(|leg| leg.value);
            with("lost elsewhere", &|it| {
                it.fate = lost(Place::Link(nowhere(loss.after.value.node())), leg);
            });
            if let Some(cause) = &loss.because {
                with("because of something else", &|it| {
                    if let ExpectedFate::Lost(loss) = &mut it.fate {
                        loss.value.because = Some(another(cause.value));
                    }
                });
            }
            let other = match leg.unwrap_or_default() {
                Leg::Request => Leg::Reply,
                Leg::Reply => Leg::Request,
            };
            with("the other leg", &|it| {
                it.fate = lost(loss.after.value.clone(), Some(other))
            });
        }
        ExpectedFate::Unanswered(_) => {
            with("a reply in place of silence", &|it| it.fate = reply());
        }
    }
    for (at, sighting) in original.seen.iter().enumerate() {
        with(&format!("not seen on {}", sighting.on), &|it| {
            let sighting = it.seen.remove(at);
            it.not_seen.push(sighting);
        });
        with(&format!("seen on {} from elsewhere", sighting.on), &|it| {
            it.seen[at] = Sighting {
                source: Some(elsewhere(original)),
                ..it.seen[at].clone()
            };
        });
    }
    for (at, sighting) in original.not_seen.iter().enumerate() {
        with(&format!("seen on {}", sighting.on), &|it| {
            let sighting = it.not_seen.remove(at);
            it.seen.push(sighting);
        });
    }
    flips
}

/// An address that no scenario uses, of the IP of an expectation: from TEST-NET-3 (RFC 5737), or
/// from the second prefix for documentation (RFC 9637).
fn elsewhere(of: &ProbeExpectation) -> Located<std::net::IpAddr> {
    let address = match of.probe.address().is_some_and(|to| to.is_ipv6()) {
        true => "3fff::77",
        false => "203.0.113.77",
    };
    Located::nowhere(address.parse().unwrap())
}

/// The cause that stands behind it in the reference.
fn another(cause: Cause) -> Located<Cause> {
    let at = Cause::ALL.iter().position(|it| *it == cause);
    let next = at.map_or(0, |at| (at + 1) % Cause::ALL.len());
    Located::nowhere(Cause::ALL[next])
}

fn reply() -> ExpectedFate {
    ExpectedFate::Reply(Located::nowhere(ExpectedReply::default()))
}

fn rejection(how: Rejection, by: &NodeName) -> ExpectedFate {
    ExpectedFate::Rejected(Located::nowhere(ExpectedRejection {
        how: Located::nowhere(how),
        by: Located::nowhere(by.clone()),
        because: None,
    }))
}

fn lost(after: Place, leg: Option<Leg>) -> ExpectedFate {
    ExpectedFate::Lost(Located::nowhere(ExpectedLoss {
        after: Located::nowhere(after),
        leg: leg.map(Located::nowhere),
        because: None,
    }))
}

fn change_reply(expectation: &mut ProbeExpectation, change: impl FnOnce(&mut ExpectedReply)) {
    if let ExpectedFate::Reply(reply) = &mut expectation.fate {
        change(&mut reply.value);
    }
}

/// Every recorded snapshot, with one of its lines changed, has to fail; every second one is changed at
/// a time, and those between have to pass.
fn snapshots(scenario: &NamedScenario) -> Result<(), Failed> {
    let stem = scenario.name.replace('/', "__");
    let steps = parse(&scenario.file, &scenario.text)?.steps.len();
    let recorded: Vec<(String, String)> = (1..=steps)
        .filter_map(|step| {
            let name = format!("{stem}__{step}");
            let file = support::root().join(format!("snapshots/{name}.snap"));
            Some((name, fs::read_to_string(file).ok()?))
        })
        .collect();
    for turn in 0..recorded.len().min(2) {
        let folder = tempfile::tempdir()?;
        let mut changed = Vec::new();
        for (at, (name, text)) in recorded.iter().enumerate() {
            let file = folder.path().join(format!("{name}.snap"));
            if at % 2 == turn {
                fs::write(file, with_one_line_changed(text)?)?;
                changed.push(name);
            } else {
                fs::write(file, text)?;
            }
        }
        let ran = support::run(
            support::netproof_run()
                .arg(support::root().join(&scenario.file))
                .arg("--snapshots")
                .arg(folder.path()),
        )?;
        let failed: Vec<&Event> = ran
            .events
            .iter()
            .filter(|event| {
                matches!(event,
                    Event::Snapshot { verdict, .. } | Event::Expectation { verdict, .. }
                        if *verdict != Verdict::Pass)
            })
            .collect();
        let shown = failed.iter().map(|event| match event {
            Event::Snapshot {
                name,
                difference: Some(diff),
                ..
            } if diff.contains("+  ") && diff.contains("-  ") => Some(name),
            _ => None,
        });
        if ran.code != Some(1) || !shown.eq(changed.iter().copied().map(Some)) {
            let code = ran.code;
            return Err(format!("{changed:?}: exit code {code:?}, failed: {failed:?}").into());
        }
    }
    Ok(())
}

/// Changes the last line of facts: a wrong word in a route, an address, a link or a fate.
fn with_one_line_changed(snapshot: &str) -> Result<String, Failed> {
    let last = snapshot
        .lines()
        .rev()
        .find(|line| line.starts_with("  "))
        .ok_or("the snapshot holds no facts")?;
    Ok(snapshot.replacen(last, &format!("{last} flipped"), 1))
}
