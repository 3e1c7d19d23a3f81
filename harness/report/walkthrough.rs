//! A scenario told step by step: what was typed, what came of it and why, and the tables afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::carried::CLAIMS;
use crate::judge::Verdict;
use crate::run::Event;
use crate::scenario::{
    ClaimId, Claims, Expectation, ExpectedFate, FactExpectation, ProbeExpectation, Scenario, Step,
};

/// Tells one scenario as a section of a document in Markdown.
#[derive(Debug)]
pub struct Walkthrough<'a> {
    scenario: &'a Scenario,
    name: &'a str,
    /// The number of the scenario in the document.
    number: usize,
    shown: &'a Shown,
    text: String,
    step: Told<'a>,
    /// Why the last probe was not answered: its expectation is told next.
    cause: Option<String>,
    /// What this machine does not have and the scenario needs.
    missing: Option<String>,
}

/// Where a document shows that a claim holds: it takes all the items that decide it, so with the last
/// of them, by the numbers of scenario and step. Nowhere, if one shows that it does not.
#[derive(Debug, Default)]
pub struct Shown(BTreeMap<ClaimId, Option<(usize, usize)>>);

impl Shown {
    /// Looks for the claims of scenarios, which are in the order of the document.
    pub fn new<'a>(scenarios: impl IntoIterator<Item = &'a Scenario>) -> Self {
        let mut shown: BTreeMap<ClaimId, Option<(usize, usize)>> = BTreeMap::new();
        for (number, scenario) in scenarios.into_iter().enumerate() {
            for (at, step) in scenario.steps.iter().enumerate() {
                for claims in step.claims() {
                    for id in &claims.hold {
                        let place = shown.entry(id.value.clone()).or_insert(Some((0, 0)));
                        *place = place.map(|_| (number, at + 1));
                    }
                    for id in claims.refuted.keys() {
                        shown.insert(id.clone(), None);
                    }
                }
            }
        }
        Self(shown)
    }
}

/// What was told of a step, until its tables or its end.
#[derive(Debug, Default)]
struct Told<'a> {
    of: Option<&'a Step>,
    number: usize,
    /// How many of its operations were told.
    operations: usize,
    commands: Vec<String>,
    why: Option<String>,
    /// What its expectations came to: what was asked, what happened, and why.
    outcomes: Vec<[String; 3]>,
    /// The claims of its items that came out as they say, each with what happens instead.
    claims: BTreeMap<ClaimId, BTreeSet<String>>,
}

impl Told<'_> {
    fn decide(&mut self, claims: &Claims) {
        for id in &claims.hold {
            self.claims.entry(id.value.clone()).or_default();
        }
        for (id, instead) in &claims.refuted {
            let all = self.claims.entry(id.clone()).or_default();
            all.insert(instead.value.clone());
        }
    }
}

impl<'a> Walkthrough<'a> {
    /// Begins the section of a scenario of this name, which has this number in a document of several.
    pub fn new(name: &'a str, number: usize, scenario: &'a Scenario, shown: &'a Shown) -> Self {
        Self {
            name,
            scenario,
            number,
            shown,
            text: String::new(),
            step: Told::default(),
            cause: None,
            missing: None,
        }
    }

    /// Takes the next event of the scenario.
    pub fn take(&mut self, event: &Event) {
        match event {
            Event::Step {
                step, name, why, ..
            } => {
                self.end_step();
                let heading = match step {
                    0 => "What is there already".to_owned(),
                    _ if name.starts_with(|c: char| c.is_ascii_digit()) => name.clone(),
                    step => format!("{step}. {name}"),
                };
                let _ = writeln!(self.text, "\n### {heading}");
                self.step = Told {
                    of: step
                        .checked_sub(1)
                        .and_then(|at| self.scenario.steps.get(at)),
                    number: *step,
                    why: why.clone(),
                    ..Told::default()
                };
            }
            Event::Operation {
                command,
                verdict,
                fails,
                reason,
                ..
            } => {
                if *verdict == Verdict::Unsupported {
                    self.missing.clone_from(reason);
                }
                self.step.commands.push(command.clone());
                if fails.is_some()
                    && let Some(reason) = reason
                {
                    self.step.commands.push(format!("# refused: {reason}"));
                }
                let items = self.step.of.map_or(&[][..], |step| &step.operations);
                if *verdict == Verdict::Pass
                    && let Some(item) = items.get(self.step.operations)
                {
                    self.step.decide(&item.claims);
                }
                self.step.operations += 1;
            }
            Event::Probe { explanation, .. } => {
                self.cause = explanation.as_ref().map(|it| it.why.clone());
            }
            Event::Expectation {
                expectation,
                probe,
                observed,
                verdict,
                ..
            } => {
                let why = self.cause.take().unwrap_or_default();
                let all = self.step.of.map_or(&[][..], |step| &step.expectations);
                let number = expectation.checked_sub(1);
                let item = number.and_then(|at| all.get(at));
                let observed = match item.filter(|_| *verdict == Verdict::Pass) {
                    Some(item) => {
                        self.step.decide(item.claims());
                        in_full(item, observed)
                    }
                    None => observed.clone(),
                };
                self.step.outcomes.push([probe.clone(), observed, why]);
            }
            Event::Facts { text, .. } => {
                self.tell_step();
                let _ = writeln!(self.text, "\n```text\n{}\n```", text.trim_end());
            }
            _ => {}
        }
    }

    /// Ends the section and returns it. A scenario that needs what this machine does not have is not
    /// told: what came of the steps before would be half of the truth.
    pub fn finish(mut self) -> String {
        self.end_step();
        let title = &self.scenario.title;
        if let Some(missing) = self.missing {
            return format!("## {title}\n\n{NOT_SHOWN}{missing}.\n");
        }
        let nodes: Vec<String> = self.scenario.nodes.iter().map(code).collect();
        let (name, nodes, text) = (self.name, nodes.join(", "), self.text);
        format!("## {title}\n\nScenario `{name}`, which begins with {nodes}.\n{text}")
    }

    fn end_step(&mut self) {
        self.tell_step();
        self.cause = None;
    }

    /// Writes what was collected of the step.
    fn tell_step(&mut self) {
        let commands = std::mem::take(&mut self.step.commands);
        if !commands.is_empty() {
            let _ = writeln!(self.text, "\n```sh\n{}\n```", commands.join("\n"));
        }
        if let Some(why) = self.step.why.take() {
            let _ = writeln!(self.text, "\n{why}");
        }
        let outcomes = std::mem::take(&mut self.step.outcomes);
        if !outcomes.is_empty() {
            self.text += &table(outcomes);
        }
        let claims = std::mem::take(&mut self.step.claims);
        let lines: String = claims
            .iter()
            .filter_map(|(id, instead)| self.of_claim(id, instead))
            .collect();
        if !lines.is_empty() {
            let _ = write!(self.text, "\n{lines}");
        }
    }

    /// Says what the step means for a claim of the text that the scenario is from.
    fn of_claim(&self, id: &ClaimId, instead: &BTreeSet<String>) -> Option<String> {
        let source = self.scenario.source.as_ref()?;
        let name = id.to_string();
        let mut known = CLAIMS.iter().filter(|said| said.source == source.value);
        let says = known.find(|said| said.id == name)?.says;
        if !instead.is_empty() {
            let instead: Vec<&str> = instead.iter().map(String::as_str).collect();
            let instead = instead.join(". ");
            let text = format!("- **Not as the text says** ({id}): {says}. Instead: {instead}.\n");
            return Some(text);
        }
        let here = (self.number, self.step.number);
        (self.shown.0.get(id) == Some(&Some(here)))
            .then(|| format!("- As the text says ({id}): {says}.\n"))
    }
}

/// What stands in a section before the reason why it tells nothing.
const NOT_SHOWN: &str = "Not shown: ";

fn code(text: impl std::fmt::Display) -> String {
    format!("`{text}`")
}

fn table(outcomes: Vec<[String; 3]>) -> String {
    // An answer needs no cause.
    let columns = match outcomes.iter().any(|[.., why]| !why.is_empty()) {
        true => 3,
        false => 2,
    };
    let heads = ["asked", "what happens", "why"];
    let mut text = format!("\n| {} |\n", heads[..columns].join(" | "));
    let _ = writeln!(text, "|{}", "---|".repeat(columns));
    for cells in outcomes {
        let cells = cells.map(|cell| cell.replace('|', "\\|"));
        let _ = writeln!(text, "| {} |", cells[..columns].join(" | "));
    }
    text
}

/// Says what was observed, with what an expectation that came out as it says tells beyond that.
fn in_full(item: &Expectation, observed: &str) -> String {
    match item {
        Expectation::Probe(item) => of_probe(item, observed),
        Expectation::Fact(item) => of_table(item, observed),
    }
}

/// The source that the far side saw, and where the packets passed.
fn of_probe(item: &ProbeExpectation, observed: &str) -> String {
    let mut text = observed.to_owned();
    if let ExpectedFate::Reply(reply) = &item.fate
        && let Some(source) = &reply.source
    {
        let _ = write!(text, " source {source}");
    }
    // A flooded packet is lost in several places, and the last is observed.
    if let ExpectedFate::Lost(lost) = &item.fate
        && !observed.ends_with(&format!(" {}", lost.after))
    {
        let _ = write!(text, "<br>also lost after {}", lost.after);
    }
    for sighting in &item.seen {
        let _ = write!(text, "<br>seen: {sighting}");
    }
    for sighting in &item.not_seen {
        let _ = write!(text, "<br>not seen: {sighting}");
    }
    text
}

/// The lines that were looked for: of a long table the others say nothing here.
fn of_table(item: &FactExpectation, observed: &str) -> String {
    let lines = match &item.table.are {
        Some(all) => &all.value,
        None => &item.table.have,
    };
    if lines.is_empty() {
        return observed.to_owned();
    }
    let lines: Vec<String> = lines.iter().map(code).collect();
    lines.join("<br>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::parse;

    const SCENARIO: &str = "
title: Two ends
source: virtual-networking-gist
nodes: [web, database]
steps:
  - name: Look
    expect:
      - routes: {in: web, have: [a | b]}
        claims: [G7, G8, L1]
  - name: 2 Look again
    expect:
      - routes: {in: web, are: []}
        claims: [G7]
        refutes: {G9: It does so, G6: And so}
      - ping: {from: web, to: 10.0.0.1}
        reply: {source: 10.0.0.2}
        seen: [{on: database/eth0}]
";

    const TOLD: &str = r"## Two ends

Scenario `s`, which begins with `web`, `database`.

### What is there already

```sh
ip link set lo up
```

### 1. Look

It is so.

| asked | what happens |
|---|---|
| asked | `a \| b` |

- As the text says (G8): The routing table of a new namespace is empty.

### 2 Look again

| asked | what happens |
|---|---|
| asked | none |
| asked | reply source 10.0.0.2<br>seen: request on database/eth0 |

- **Not as the text says** (G6): The two namespaces then ping each other both ways without loss. Instead: And so.
- As the text says (G7): A new namespace has lo, which is down.
- **Not as the text says** (G9): A named namespace is a mount of type nsfs under /run/netns. Instead: It does so.
";

    const TOLD_AS_SEEN: &str = r"## Two ends

Scenario `s`, which begins with `web`, `database`.

### 2 Look again

| asked | what happens |
|---|---|
| asked | d |
| asked | rejected |
";

    fn step(number: usize, name: &str) -> Event {
        Event::Step {
            scenario: "s".to_owned(),
            step: number,
            name: name.to_owned(),
            why: (number == 1).then(|| "It is so.".to_owned()),
        }
    }

    fn operation(verdict: Verdict, reason: Option<&str>) -> Event {
        Event::Operation {
            scenario: "s".to_owned(),
            step: 0,
            command: "ip link set lo up".to_owned(),
            verdict,
            fails: None,
            reason: reason.map(str::to_owned),
            lacks: None,
            ran: Vec::new(),
            line: Some(1),
        }
    }

    fn expectation(step: usize, number: usize, observed: &str, verdict: Verdict) -> Event {
        Event::Expectation {
            scenario: "s".to_owned(),
            step,
            expectation: number,
            probe: "asked".to_owned(),
            observed: observed.to_owned(),
            verdict,
            mismatches: Vec::new(),
            path: Vec::new(),
            line: 1,
        }
    }

    fn told(events: &[Event]) -> String {
        let scenario = parse("s.yaml", SCENARIO).unwrap();
        let shown = Shown::new([&scenario]);
        let mut section = Walkthrough::new("s", 0, &scenario, &shown);
        for event in events {
            section.take(event);
        }
        section.finish()
    }

    #[test]
    fn a_step_has_commands_reason_outcomes_and_claims() {
        let text = told(&[
            step(0, "given"),
            operation(Verdict::Pass, None),
            step(1, "Look"),
            expectation(1, 1, "a | b; c", Verdict::Pass),
            step(2, "2 Look again"),
            expectation(2, 1, "none", Verdict::Pass),
            expectation(2, 2, "reply", Verdict::Pass),
        ]);
        assert_eq!(text, TOLD);
    }

    #[test]
    fn what_came_out_otherwise_is_told_as_it_was_seen_and_decides_nothing() {
        let text = told(&[
            step(2, "2 Look again"),
            expectation(2, 1, "d", Verdict::Fail),
            expectation(2, 2, "rejected", Verdict::Fail),
        ]);
        assert_eq!(text, TOLD_AS_SEEN);
    }

    #[test]
    fn a_scenario_that_this_machine_cannot_carry_out_is_not_told() {
        let text = told(&[
            step(0, "given"),
            operation(Verdict::Pass, None),
            step(1, "Look"),
            operation(Verdict::Unsupported, Some("this kernel has no vlan")),
        ]);
        assert_eq!(text, "## Two ends\n\nNot shown: this kernel has no vlan.\n");
    }
}
