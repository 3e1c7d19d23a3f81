//! Every node that is named has to be there at that moment.

use std::collections::{BTreeMap, BTreeSet};

use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::expectation::{Expectation, ProbeExpectation};
use crate::scenario::fate::ExpectedFate;
use crate::scenario::limits::NODES_MAX;
use crate::scenario::model::Scenario;
use crate::scenario::name::{LinkRef, NodeName, Place};
use crate::scenario::observation::{Observation, Observed};
use crate::scenario::operation::{Item, Mention};
use crate::scenario::probe::{Probe, SentTo};
use crate::scenario::suggest;
use crate::scenario::value::{Located, Span};

/// Follows the nodes through the scenario; `text` is only looked at to point at a name.
pub(super) fn check<'a>(scenario: &'a Scenario, text: &'a str) -> Vec<Diagnostic> {
    let mut nodes = Nodes {
        text,
        ..Nodes::default()
    };
    for name in &scenario.nodes {
        nodes.declare(name);
    }
    for item in scenario.operations() {
        item.operation.mentions(&mut |mention| match mention {
            Mention::Adds(name, span) if item.fails.is_none() => {
                nodes.added_at.entry(name).or_insert(span);
                nodes.count(name, span);
            }
            _ => {}
        });
    }
    nodes.with_ipv6(&scenario.ipv6);
    for item in &scenario.given {
        nodes.item(item);
    }
    for step in &scenario.steps {
        for item in &step.operations {
            nodes.item(item);
        }
        for observation in &step.observe {
            nodes.observation(observation);
        }
        for expectation in &step.expectations {
            nodes.expectation(expectation);
        }
    }
    nodes.problems
}

#[derive(Default)]
struct Nodes<'a> {
    text: &'a str,
    /// The nodes that are there now, and where they came to be.
    present: BTreeMap<&'a NodeName, Span>,
    /// The nodes that are gone, and where they went.
    deleted_at: BTreeMap<&'a NodeName, Span>,
    /// Where a node is first added, now or later.
    added_at: BTreeMap<&'a NodeName, Span>,
    /// Every node that is ever there.
    named: BTreeSet<&'a NodeName>,
    problems: Vec<Diagnostic>,
}

impl<'a> Nodes<'a> {
    fn count(&mut self, name: &'a NodeName, span: Span) {
        if self.named.insert(name) && self.named.len() == NODES_MAX + 1 {
            let message = format!("the scenario has more than {NODES_MAX} nodes");
            self.problems.push(
                Diagnostic::new("too-many-nodes", span, message)
                    .label("one too many")
                    .help("each node is a network namespace; write several scenarios"),
            );
        }
    }

    fn declare(&mut self, name: &'a Located<NodeName>) {
        self.count(&name.value, name.span);
        if let Some(first) = self.present.insert(&name.value, name.span) {
            self.problems.push(
                Diagnostic::new(
                    "duplicate-node",
                    name.span,
                    format!("the node `{name}` is declared twice"),
                )
                .label("the second time")
                .also(first, "the first time")
                .help("remove one of the two"),
            );
        }
    }

    /// A node that has IPv6 on may come later, but it has to come.
    fn with_ipv6(&mut self, names: &'a [Located<NodeName>]) {
        let mut listed = BTreeMap::new();
        for name in names {
            if let Some(first) = listed.insert(&name.value, name.span) {
                self.problems.push(
                    Diagnostic::new(
                        "duplicate-node",
                        name.span,
                        format!("the node `{name}` stands twice under `ipv6`"),
                    )
                    .label("the second time")
                    .also(first, "the first time")
                    .help("remove one of the two"),
                );
            }
            if !self.named.contains(&name.value) {
                let problem = self.absence(&name.value, name.span);
                self.problems.push(problem);
            }
        }
    }

    fn item(&mut self, item: &'a Item) {
        let refused = item.fails.is_some();
        item.operation.mentions(&mut |mention| match mention {
            Mention::Adds(name, span) if !refused => self.add(name, span),
            Mention::Deletes(name, span) if !refused => self.delete(name, span),
            // The refusal may be just that the node is there already, or is not there.
            Mention::Adds(..) | Mention::Deletes(..) => {}
            Mention::Uses(name, span) => self.uses(name, span),
            Mention::Detaches(name, _) if self.deleted_at.contains_key(name) => {}
            Mention::Detaches(name, span) => self.uses(name, span),
        });
        // It is not carried out, so no node comes or goes by it.
        if let Some(right) = &item.right {
            right.operation.mentions(&mut |mention| match mention {
                Mention::Uses(name, span)
                | Mention::Deletes(name, span)
                | Mention::Detaches(name, span) => self.uses(name, span),
                Mention::Adds(..) => {}
            });
        }
    }

    fn add(&mut self, name: &'a NodeName, span: Span) {
        if let Some(first) = self.present.get(name).copied() {
            self.problems.push(
                Diagnostic::new(
                    "duplicate-node",
                    span,
                    format!("the node `{name}` is there already"),
                )
                .label("added again")
                .also(first, "here it came to be")
                .help("if the kernel is to refuse this, say so: `fails: File exists`"),
            );
        } else {
            self.present.insert(name, span);
        }
    }

    fn delete(&mut self, name: &'a NodeName, span: Span) {
        if self.present.remove(name).is_some() {
            self.deleted_at.insert(name, span);
        } else {
            let help =
                "if the kernel is to refuse this, say so: `fails: No such file or directory`";
            let problem = self.absence(name, span);
            self.problems.push(match problem.id {
                "node-deleted" => problem.label("deleted again").help(help),
                _ => problem,
            });
        }
    }

    fn expectation(&mut self, expectation: &'a Expectation) {
        match expectation {
            Expectation::Probe(expectation) => self.probe(expectation),
            Expectation::Fact(fact) => self.uses(&fact.table.node.value, fact.table.node.span),
        }
    }

    fn observation(&mut self, observation: &'a Observation) {
        match &observation.of {
            Observed::Probe(probe) => self.sender(probe),
            Observed::Table(_, shown) => self.uses(&shown.node.value, shown.node.span),
            Observed::Intent(operation) => operation.mentions(&mut |mention| match mention {
                Mention::Detaches(name, _) if self.deleted_at.contains_key(name) => {}
                Mention::Adds(name, span)
                | Mention::Deletes(name, span)
                | Mention::Detaches(name, span)
                | Mention::Uses(name, span) => self.uses(name, span),
            }),
        }
    }

    fn probe(&mut self, expectation: &'a ProbeExpectation) {
        self.sender(&expectation.probe);
        match &expectation.fate {
            ExpectedFate::Reply(reply) => {
                if let Some(by) = &reply.by {
                    self.link(by);
                }
            }
            ExpectedFate::Rejected(rejection) => self.uses(&rejection.by.value, rejection.by.span),
            ExpectedFate::Lost(loss) => match &loss.after.value {
                Place::Node(node) => self.uses(node, loss.after.span),
                Place::Link(link) => self.uses(&link.node, loss.after.span),
            },
            ExpectedFate::Unanswered(_) => {}
        }
        for sighting in expectation.seen.iter().chain(&expectation.not_seen) {
            self.link(&sighting.on);
        }
    }

    fn sender(&mut self, probe: &'a Probe) {
        match probe {
            Probe::Ping(ping) => {
                self.uses(&ping.from.value, ping.from.span);
                self.sent_to(&ping.to);
            }
            Probe::Arp(ask) | Probe::Ndp(ask) => self.link(&ask.from),
            Probe::Udp(exchange) | Probe::Tcp(exchange) => {
                self.uses(&exchange.from.value, exchange.from.span);
                self.sent_to(&exchange.to);
            }
            Probe::Frame(frame) => {
                self.link(&frame.from);
                self.link(&frame.to);
            }
        }
    }

    fn sent_to(&mut self, to: &'a Located<SentTo>) {
        if let SentTo::Link(link) = &to.value {
            self.uses(&link.node, to.span);
        }
    }

    fn link(&mut self, link: &'a Located<LinkRef>) {
        self.uses(&link.value.node, link.span);
    }

    fn uses(&mut self, name: &'a NodeName, span: Span) {
        if !self.present.contains_key(name) {
            let problem = self.absence(name, span);
            self.problems.push(problem);
        }
    }

    /// Says why a node that is not there is not there.
    fn absence(&self, name: &NodeName, span: Span) -> Diagnostic {
        let span = part_that_names(name, span, self.text);
        if let Some(deleted) = self.deleted_at.get(name) {
            Diagnostic::new(
                "node-deleted",
                span,
                format!("the node `{name}` is gone here"),
            )
            .label("used after it was deleted")
            .also(*deleted, "deleted here")
            .help(format!("add it again first: `netns: {{add: {name}}}`"))
        } else if let Some(added) = self.added_at.get(name) {
            Diagnostic::new(
                "node-not-yet-added",
                span,
                format!("the node `{name}` is not there yet"),
            )
            .label("used before it is added")
            .also(*added, "added here")
            .help("move this behind the `netns` that adds it, or declare it under `nodes`")
        } else {
            let known = self.named.iter().map(|name| name.as_str());
            let help = match suggest::closest(name.as_str(), known) {
                Some(close) => format!("did you mean `{close}`?"),
                None => format!("declare it under `nodes`, or add it: `netns: {{add: {name}}}`"),
            };
            Diagnostic::new(
                "undeclared-node",
                span,
                format!("there is no node `{name}`"),
            )
            .label("not among `nodes`, and never added")
            .help(help)
        }
    }
}

/// Narrows the span of `node/ifname` to the node, also where it stands in quotation marks.
fn part_that_names(name: &NodeName, span: Span, text: &str) -> Span {
    let written = text.get(span.start..span.end).unwrap_or_default();
    match written.find(name.as_str()) {
        Some(at) => Span {
            start: span.start + at,
            end: span.start + at + name.as_str().len(),
        },
        // An alias, or an escape in quotation marks.
        None => span,
    }
}
