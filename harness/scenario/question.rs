//! A question about a scenario: what becomes of one probe, in the world as it is after a step.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::model::Scenario;
use super::name::NodeName;
use super::operation::{Item, Mention};
use super::probe::Probe;
use super::suggest;
use super::validate::probe_problem;
use super::value::ValueError;

/// What is asked: a probe, and when it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The number of the step after which it is sent; 0 is the world as it is given.
    pub step: usize,
    /// What is sent.
    pub probe: Probe,
}

impl Question {
    /// Checks all of the question that can be told without a world: that its step and node are
    /// there, and that such a packet can be sent.
    ///
    /// # Errors
    ///
    /// What is wrong, and what would be right.
    pub fn check(&self, scenario: &Scenario) -> Result<(), ValueError> {
        let steps = scenario.steps.len();
        if self.step > steps {
            let message = match steps {
                1 => format!("there is no step {}: the scenario has one", self.step),
                _ => format!("there is no step {}: the scenario has {steps}", self.step),
            };
            let help = format!("write a number up to {steps}; 0 is the world as it is given");
            return Err(ValueError::new("no-such-step", message, help));
        }
        let (from, nodes) = (self.probe.from(), scenario.nodes_after(self.step));
        let no_such_node = |name: &NodeName| {
            let when = match self.step {
                0 => "in the world as it is given".to_owned(),
                step => format!("after step {step}"),
            };
            let message = format!("there is no node `{name}` {when}");
            let names: Vec<&str> = nodes.iter().map(|name| name.as_str()).collect();
            let help = suggest::help(name.as_str(), &names);
            ValueError::new("no-such-node", message, help)
        };
        if !nodes.contains(from) {
            return Err(no_such_node(from));
        }
        if let Probe::Frame(frame) = &self.probe
            && !nodes.contains(&frame.to.value.node)
        {
            return Err(no_such_node(&frame.to.value.node));
        }
        if let Some(to) = self.probe.address().filter(IpAddr::is_ipv6)
            && !scenario.ipv6.iter().any(|name| name.value == *from)
        {
            let message = format!("the node `{from}` has IPv6 off, and cannot ask for {to}");
            let help = "ask for an IPv4 address, or from a node under `ipv6`";
            return Err(ValueError::new("ipv6-off", message, help));
        }
        match probe_problem(&self.probe) {
            Some(problem) => Err(problem),
            None => Ok(()),
        }
    }
}

impl Scenario {
    /// Returns the nodes that are there when a step is done; 0 is what is given.
    pub fn nodes_after(&self, step: usize) -> BTreeSet<&NodeName> {
        let mut nodes: BTreeSet<&NodeName> = self.nodes.iter().map(|name| &name.value).collect();
        let steps = self.steps.iter().take(step);
        let done = |item: &&Item| item.fails.is_none();
        for item in self
            .given
            .iter()
            .chain(steps.flat_map(|step| &step.operations))
            .filter(done)
        {
            item.operation.mentions(&mut |mention| match mention {
                Mention::Adds(name, _) => {
                    nodes.insert(name);
                }
                Mention::Deletes(name, _) => {
                    nodes.remove(name);
                }
                Mention::Uses(..) | Mention::Detaches(..) => {}
            });
        }
        nodes
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::scenario::parse;

    const COMING_AND_GOING: &str = "
title: Nodes come and go
nodes: [web]
steps:
  - name: One comes
    do:
      - netns: {add: late}
      - {netns: {add: web}, fails: File exists}
  - name: One goes
    do:
      - netns: {delete: web}
";

    fn asked(step: usize, probe: &str) -> Result<(), String> {
        let probe = serde_json::from_str(probe).unwrap();
        Question { step, probe }
            .check(&parse("x.yaml", COMING_AND_GOING).unwrap())
            .map_err(|error| error.help)
    }

    #[rstest]
    #[case::given(0, &["web"])]
    #[case::added(1, &["late", "web"])]
    #[case::deleted(2, &["late"])]
    fn nodes_come_and_go_with_the_steps(#[case] step: usize, #[case] nodes: &[&str]) {
        let scenario = parse("x.yaml", COMING_AND_GOING).unwrap();
        let there = scenario.nodes_after(step);
        assert!(
            there
                .iter()
                .map(|name| name.as_str())
                .eq(nodes.iter().copied())
        );
    }

    #[rstest]
    #[case::right(2, r#"{"ping": {"from": "late", "to": "10.0.0.1"}}"#, None)]
    #[case::arp(1, r#"{"arp": {"from": "late/eth0", "to": "10.0.0.1"}}"#, None)]
    #[case::frame(
        1,
        r#"{"frame": {"from": "web/eth0", "to": "lte/eth0", "ethertype": "0x88b6"}}"#,
        Some("did you mean `late`?")
    )]
    #[case::step(
        3,
        r#"{"ping": {"from": "web", "to": "10.0.0.1"}}"#,
        Some("write a number up to 2; 0 is the world as it is given")
    )]
    #[case::misspelt(
        1,
        r#"{"ping": {"from": "wbe", "to": "10.0.0.1"}}"#,
        Some("did you mean `web`?")
    )]
    #[case::gone(
        2,
        r#"{"ping": {"from": "web", "to": "10.0.0.1"}}"#,
        Some("only `late` is known here")
    )]
    #[case::ipv6(
        0,
        r#"{"ping": {"from": "web", "to": "::1"}}"#,
        Some("ask for an IPv4 address, or from a node under `ipv6`")
    )]
    #[case::port(
        0,
        r#"{"udp": {"from": "web", "to": "10.0.0.1", "port": 0}}"#,
        Some("a port is a number from 1 to 65535")
    )]
    fn a_question_is_checked_before_there_is_a_world(
        #[case] step: usize,
        #[case] probe: &str,
        #[case] help: Option<&str>,
    ) {
        assert_eq!(asked(step, probe).err().as_deref(), help);
    }
}
