//! Faults of a container's network: each is noticed, and named for what it is, whoever made the network.
//!
//! An implementation's own check is asked as well; what it notices decides nothing.

use libtest_mimic::{Failed, Trial};
use netproof::implement::{Choice, absence};
use netproof::judge::Verdict;
use netproof::run::{Event, Fault, FaultAt, NamedScenario, Outcome, Runner};

use crate::support;

/// Who makes the network.
const IMPLEMENTATIONS: &[&str] = &["native", "cni-bridge", "netavark"];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for name in IMPLEMENTATIONS {
        trials.push(case(name, "none", unharmed));
        for fault in Fault::ALL {
            trials.push(case(name, fault.word(), move |choice| {
                noticed(choice, fault)
            }));
        }
    }
    trials
}

fn case(
    name: &'static str,
    fault: &str,
    run: impl Fn(&Choice) -> Result<(), Failed> + Send + 'static,
) -> Trial {
    let choice = Choice::named(name);
    let absent = choice.as_ref().and_then(absence);
    let ignored = absent.is_some() && !support::required().holds(name);
    Trial::test(format!("faults/{name}/{fault}"), move || {
        let choice = choice.as_ref().ok_or("there is no such implementation")?;
        match &absent {
            Some(absent) => Err(Failed::from(format!("{name} cannot be tried: {absent}"))),
            None => run(choice),
        }
    })
    .with_ignored_flag(ignored)
}

fn scenario() -> Result<NamedScenario, Failed> {
    let file = "fixtures/faults/egress.yaml";
    Ok(NamedScenario {
        name: "faults/egress".to_owned(),
        file: file.to_owned(),
        text: std::fs::read_to_string(support::root().join(file))?,
    })
}

fn runner(choice: &Choice) -> Runner {
    Runner::new(choice.tier(), false)
        .with_interior(choice.interior())
        .with_implementation(choice.clone())
}

fn unharmed(choice: &Choice) -> Result<(), Failed> {
    let mut events = Vec::new();
    let outcome = runner(choice).run(&scenario()?, &mut |event| events.push(event.clone()));
    if outcome.verdict == Verdict::Pass {
        return Ok(());
    }
    Err(told("it fails without a fault", &outcome, &events))
}

fn noticed(choice: &Choice, fault: Fault) -> Result<(), Failed> {
    let at = FaultAt {
        fault,
        step: 1,
        on: "c1/eth0".parse().map_err(|_| "no interface")?,
    };
    let mut events = Vec::new();
    let outcome =
        runner(choice).run_with_fault(&scenario()?, at, &mut |event| events.push(event.clone()));
    let broken = events
        .iter()
        .any(|event| matches!(event, Event::Fault { verdict, .. } if *verdict == Verdict::Pass));
    if !broken {
        return Err(told("nothing was broken", &outcome, &events));
    }
    if outcome.verdict != Verdict::Fail {
        return Err(told("nobody noticed", &outcome, &events));
    }
    for event in &events {
        if let Event::SelfCheck {
            node, ok, reason, ..
        } = event
        {
            let found = reason.as_deref().unwrap_or("all is well");
            println!(
                "its own check of {node}: {} ({found})",
                if *ok { "ok" } else { "not ok" }
            );
        }
    }
    let unanswered: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Probe { fate, cause, .. } if fate != "reply" => Some(*cause),
            _ => None,
        })
        .collect();
    let named = |cause: &Option<netproof::scenario::Cause>| {
        cause.is_some_and(|cause| fault.causes().contains(&cause))
    };
    if unanswered.is_empty() || !unanswered.iter().all(named) {
        return Err(told("it is not named for what it is", &outcome, &events));
    }
    Ok(())
}

fn told(what: &str, outcome: &Outcome, events: &[Event]) -> Failed {
    let lines: Vec<String> = events
        .iter()
        .filter(|event| !matches!(event, Event::World { .. }))
        .filter_map(|event| serde_json::to_string(event).ok())
        .collect();
    Failed::from(format!("{what}: {}\n{}", outcome.verdict, lines.join("\n")))
}
