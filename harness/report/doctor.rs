//! What this machine can run, for a person at a terminal.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::human::styled;
use crate::run::Event;
use crate::world::{Check, Status, Tier};

/// The groups of checks, in the words of the headings.
const GROUPS: &[(&str, &str)] = &[
    ("tier", "Tiers"),
    ("setting", "Settings"),
    ("kernel", "Kernel"),
    ("tool", "Tools of other implementations"),
];

/// Writes the events of an examination, with ANSI styles: a line for each check, and under an
/// obstacle its cause and its cure.
pub fn doctor(events: &[Event]) -> String {
    let checks: Vec<(&str, &str, &Check)> = events
        .iter()
        .filter_map(|event| match event {
            Event::Check(check) => {
                let (group, name) = check.check.split_once('/')?;
                Some((group, name, check))
            }
            _ => None,
        })
        .collect();
    let mut text = String::new();
    for (group, heading) in GROUPS {
        let of_group = || checks.iter().filter(|it| it.0 == *group);
        let Some(width) = of_group().map(|(_, name, _)| name.len()).max() else {
            continue;
        };
        let _ = writeln!(text, "{}", styled(heading, Style::new().bold()));
        for (_, name, check) in of_group() {
            row(&mut text, name, width, check);
        }
    }
    for event in events {
        if let Event::Doctor { tiers, kernel, .. } = event {
            closing(&mut text, tiers, kernel);
        }
    }
    text
}

fn row(text: &mut String, name: &str, width: usize, check: &Check) {
    let Check {
        status,
        detail,
        cause,
        cure,
        ..
    } = check;
    let color = match status {
        Status::Ok => AnsiColor::Green,
        Status::Limited => AnsiColor::Yellow,
        Status::Missing => AnsiColor::Red,
    };
    let style = match (status, cause) {
        // Nobody's obstacle.
        (Status::Missing, None) => Style::new().dimmed(),
        _ => color.on_default().bold(),
    };
    let word = styled(&format!("{:>9}", status.word()), style);
    let _ = writeln!(text, "{word}  {name:<width$}  {detail}");
    for (what, said) in [("because", cause), ("cure", cure)] {
        if let Some(said) = said {
            let _ = writeln!(text, "{:11}  {what:<7}  {said}", "");
        }
    }
}

fn closing(text: &mut String, tiers: &[Tier], kernel: &str) {
    let how = match tiers.first() {
        None => "cannot run scenarios".to_owned(),
        Some(Tier::User) => "runs scenarios".to_owned(),
        Some(tier) => format!("runs scenarios, with `--tier {}`", tier.word()),
    };
    let _ = writeln!(
        text,
        "{}\nThis machine (Linux {kernel}) {how}.",
        "-".repeat(12)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_obstacle_has_its_cause_and_its_cure_below() {
        let events = [
            Event::Check(Check::ok("tier/user", "works")),
            Event::Check(Check::absent("kernel/vrf", "none").because(
                Status::Missing,
                "why",
                "what to do",
            )),
            Event::Check(Check::absent("tool/ovs", "not found")),
            Event::Doctor {
                kernel: "6.1".to_owned(),
                tiers: vec![Tier::Root],
                ok: 1,
                limited: 0,
                missing: 2,
            },
        ];
        let text = anstream::adapter::strip_str(&doctor(&events)).to_string();
        assert_eq!(
            text,
            "Tiers\n       ok  user  works\n\
             Kernel\n  missing  vrf  none\n             because  why\n             cure     what to do\n\
             Tools of other implementations\n  missing  ovs  not found\n\
             ------------\nThis machine (Linux 6.1) runs scenarios, with `--tier root`.\n"
        );
    }
}
