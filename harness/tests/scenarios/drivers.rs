//! Drivers of real implementations, each with the scenarios that every one of them has to pass: it is the
//! real program that is run, and it does what is wanted.

use std::path::Path;

use libtest_mimic::{Failed, Trial};
use netproof::implement::{DRIVERS, DriverInfo};
use netproof::judge::Verdict;
use netproof::report::Human;
use netproof::run::Event;
use netproof::world::Tier;

use crate::support;

/// What every driver passes whose networks have more than one endpoint.
const SCENARIOS: &[&str] = &["containers/two-endpoints"];

/// Drivers whose networks have one endpoint, which reaches the outside through a process.
const SOLO: &[&str] = &["slirp4netns", "pasta"];

/// What those pass.
const SOLO_SCENARIOS: &[&str] = &["containers/egress", "containers/egress-udp"];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for driver in DRIVERS {
        let ignored = is_ignored(driver);
        let scenarios = if SOLO.contains(&driver.name) {
            SOLO_SCENARIOS
        } else {
            SCENARIOS
        };
        for scenario in scenarios {
            let name = format!("drivers/{}/{scenario}", driver.name);
            let trial = Trial::test(name, move || passes(driver, scenario));
            trials.push(trial.with_ignored_flag(ignored));
        }
    }
    trials
}

/// Says what is absent of what a driver needs, and tells whether nobody requires it.
pub(crate) fn is_ignored(driver: &DriverInfo) -> bool {
    let required = support::required();
    let is_root = nix::unistd::geteuid().is_root();
    let tier = (driver.tier != Tier::User && !is_root).then(|| driver.tier.word());
    let absent: Vec<&str> = driver
        .needs
        .iter()
        .copied()
        .filter(|program| !support::is_there(program))
        .chain(
            driver
                .devices
                .iter()
                .copied()
                .filter(|device| !Path::new(device).exists()),
        )
        .chain(tier)
        .collect();
    let of_interest = |word: &&str| required.holds(word) || required.holds(driver.name);
    let ignored = !absent.is_empty() && !absent.iter().any(of_interest);
    if ignored {
        let absent = absent.join(", no ");
        eprintln!(
            "{}: cases are ignored, for there is no {absent}",
            driver.name
        );
    }
    ignored
}

fn passes(driver: &DriverInfo, scenario: &str) -> Result<(), Failed> {
    let ran = support::run(
        support::netproof_run()
            .args(["--implementation", driver.name])
            .arg(scenario),
    )?;
    let said = |event: &Event| match event {
        Event::Hello { version, .. } => Some(version.clone()),
        _ => None,
    };
    let version = ran.events.iter().find_map(said).unwrap_or_default();
    let verdict = ran.events.iter().find_map(|event| match event {
        Event::Scenario { verdict, .. } => Some(*verdict),
        _ => None,
    });
    let (mut report, mut text) = (Human::new(), String::new());
    for event in &ran.events {
        text += &report.take(event);
    }
    let text = support::plain(&text);
    if (verdict, ran.code) != (Some(Verdict::Pass), Some(0)) {
        return Err(format!("exit code {:?}\n{text}{}", ran.code, ran.stderr).into());
    }
    // Some distributions build programs that do not know it: Debian's pasta and plugins of CNI.
    let unknown = version.is_empty() && ["pasta", "cni-bridge", "cni-ptp"].contains(&driver.name);
    match unknown || version.starts_with(|first: char| first.is_ascii_digit()) {
        true => Ok(()),
        false => Err(format!("its version is `{version}`").into()),
    }
}
