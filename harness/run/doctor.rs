//! What this machine can run: found out by running it.

use super::event::Event;
use super::runner::{NamedScenario, Runner};
use crate::judge::Verdict;
use crate::world::{Check, Status, Tier, UNKNOWN_CURE, settings};

/// The smallest scenario that needs all that every scenario needs.
pub const SMALLEST: &str = "\
title: Two nodes on one wire
nodes: [a, b]
steps:
  - name: Wire them up
    do:
      - veth: {add: a/eth0, peer: b/eth0}
      - address: {add: 10.0.0.1/24, dev: a/eth0}
      - address: {add: 10.0.0.2/24, dev: b/eth0}
      - up: a/eth0
      - up: b/eth0
    expect:
      - ping: {from: a, to: 10.0.0.2}
        reply: {ttl: 64}
";

/// Looks at this machine and tells each check: the tiers, the settings behind them, and what the
/// kernel can do. Returns the tiers that worlds can be made of.
///
/// Nothing of the machine is changed, and nothing is left behind.
pub fn examine(tell: &mut dyn FnMut(Check)) -> Vec<Tier> {
    let mut tiers = Vec::new();
    for tier in Tier::ALL {
        let check = try_tier(tier);
        if check.status == Status::Ok {
            tiers.push(tier);
        }
        tell(check);
    }
    settings(tiers.contains(&Tier::User))
        .into_iter()
        .for_each(&mut *tell);
    match tiers.first() {
        Some(tier) => try_features(*tier, tell),
        None => tell(not_tried(
            "there is no world to try them in",
            "mend a tier first",
        )),
    }
    tiers
}

/// Runs a scenario as `run` does, so that what is said of an obstacle is what `run` says.
fn try_tier(tier: Tier) -> Check {
    let name = format!("tier/{}", tier.word());
    let trial = NamedScenario {
        name: name.clone(),
        file: "trial.yaml".to_owned(),
        text: SMALLEST.to_owned(),
    };
    let mut why = None;
    let outcome = Runner::new(tier, false).run(&trial, &mut |event| {
        why = why.take().or_else(|| obstacle(event));
    });
    if outcome.verdict == Verdict::Pass {
        return Check::ok(name, "a world was made, and a ping in it was answered");
    }
    let (cause, cure) = why.unwrap_or_default();
    let cure = cure.unwrap_or_else(|| UNKNOWN_CURE.to_owned());
    Check::absent(name, "no scenario can be run").because(Status::Missing, cause, cure)
}

/// What an event says is in the way, and what mends it.
fn obstacle(event: &Event) -> Option<(String, Option<String>)> {
    match event {
        Event::Failure { message, help, .. } => Some((message.clone(), help.clone())),
        Event::Operation {
            command,
            verdict,
            reason,
            ..
        } if *verdict != Verdict::Pass => {
            let reason = reason.as_deref().unwrap_or("it came out otherwise");
            let help = "what the kernel has is below";
            Some((format!("`{command}`: {reason}"), Some(help.to_owned())))
        }
        Event::Expectation {
            probe,
            observed,
            verdict,
            ..
        } if *verdict != Verdict::Pass => Some((format!("{probe}: {observed}"), None)),
        _ => None,
    }
}

fn try_features(tier: Tier, tell: &mut dyn FnMut(Check)) {
    Runner::new(tier, false).try_features(&mut |event| match event {
        Event::Check(check) => tell(check.clone()),
        Event::Failure { message, help, .. } => {
            tell(not_tried(message, help.as_deref().unwrap_or(UNKNOWN_CURE)));
        }
        _ => {}
    });
}

fn not_tried(cause: &str, cure: &str) -> Check {
    Check::absent("kernel/features", "not tried").because(Status::Missing, cause, cure)
}

/// Returns the event that closes an examination.
pub fn summary(tiers: &[Tier], checks: &[Check]) -> Event {
    let count = |status| checks.iter().filter(|it| it.status == status).count();
    let kernel = crate::kernel::sysctl::read("kernel/osrelease").unwrap_or_default();
    Event::Doctor {
        kernel,
        tiers: tiers.to_vec(),
        ok: count(Status::Ok),
        limited: count(Status::Limited),
        missing: count(Status::Missing),
    }
}
