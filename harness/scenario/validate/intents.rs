//! Networks and endpoints: what can be told of them before anything is made.

use std::collections::BTreeSet;

use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::model::Scenario;
use crate::scenario::name::NodeName;
use crate::scenario::observation::Observed;
use crate::scenario::operation::{
    Attach, Detach, HOST, Item, Network, NetworkName, Operation, REFUSED,
};
use crate::scenario::suggest;
use crate::scenario::value::{Located, Span};

/// Follows the networks through the scenario.
pub(super) fn check(scenario: &Scenario) -> Vec<Diagnostic> {
    let mut intents = Intents::default();
    for item in &scenario.given {
        if item.operation.is_intent() {
            intents.problems.push(
                Diagnostic::new("intent-in-given", item.span, "a network is never given")
                    .label("what the implementation is asked for")
                    .help("move it to a step; what is given is not under test"),
            );
        }
    }
    for step in &scenario.steps {
        for item in &step.operations {
            intents.item(item);
        }
        for observation in &step.observe {
            if let Observed::Intent(operation) = &observation.of {
                intents.operation(operation, observation.span);
            }
        }
    }
    if let Some(span) = intents.first
        && !scenario.nodes.iter().any(|node| node.as_str() == HOST)
    {
        let problem = Diagnostic::new("no-host", span, "the scenario has no node `host`")
            .label("networks are made in `host`")
            .help("declare it: `nodes: [host, …]`");
        intents.problems.push(problem);
    }
    if intents.first.is_none() {
        let requirement = scenario
            .requirement
            .as_ref()
            .map(|it| ("requirement", it.span));
        let profile = scenario.profile.as_ref().map(|it| ("profile", it.span));
        for (key, span) in requirement.into_iter().chain(profile) {
            let message =
                format!("`{key}` stands in a scenario that asks no implementation for a network");
            let problem = Diagnostic::new("nothing-required", span, message)
                .label("of networks and endpoints only")
                .help(format!(
                    "remove `{key}`, or write a `network` and an `attach`"
                ));
            intents.problems.push(problem);
        }
    }
    intents.problems
}

#[derive(Default)]
struct Intents<'a> {
    /// The networks that are there now.
    present: BTreeSet<&'a NetworkName>,
    /// Where the first intent stands.
    first: Option<Span>,
    problems: Vec<Diagnostic>,
}

impl<'a> Intents<'a> {
    fn item(&mut self, item: &'a Item) {
        let Some(fails) = &item.fails else {
            return self.operation(&item.operation, item.span);
        };
        let intent = item.operation.is_intent();
        if intent {
            self.first.get_or_insert(item.span);
        }
        if intent != (fails.as_str() == REFUSED) {
            let (message, help) = if intent {
                let message = format!(
                    "`{}` cannot be refused in these words",
                    item.operation.verb()
                );
                (
                    message,
                    "every implementation has words of its own: write `fails: refused`",
                )
            } else {
                let message = "a command is refused for a reason".to_owned();
                (
                    message,
                    "write what the kernel says, for example `fails: File exists`",
                )
            };
            let problem = Diagnostic::new("bad-refusal", fails.span, message)
                .label("the reason")
                .help(help);
            self.problems.push(problem);
        }
    }

    fn operation(&mut self, operation: &'a Operation, span: Span) {
        if operation.is_intent() {
            self.first.get_or_insert(span);
        }
        match operation {
            Operation::Network(network) => self.network(network, span),
            Operation::Attach(attach) => {
                self.known(&attach.to);
                self.containers(attach.node.is_some(), attach.nodes.len(), span);
                self.not_host(attach.containers());
                self.one_address(attach);
            }
            Operation::Detach(Detach { node, nodes, from }) => {
                self.known(from);
                self.containers(node.is_some(), nodes.len(), span);
                self.not_host(node.iter().chain(nodes));
            }
            _ => {}
        }
    }

    fn network(&mut self, network: &'a Network, span: Span) {
        match (&network.add, &network.delete) {
            (Some(name), None) => {
                if !self.present.insert(&name.value) {
                    let message = format!("there is a network `{name}` already");
                    let problem = Diagnostic::new("duplicate-network", name.span, message)
                        .label("added again")
                        .help("give it another name, or delete the first one before");
                    self.problems.push(problem);
                }
                if network.subnet.is_none() {
                    let message = format!("the network `{name}` has no subnet");
                    let problem = Diagnostic::new("no-subnet", name.span, message)
                        .label("no addresses for its endpoints")
                        .help("add it, for example `subnet: 10.10.0.0/24`");
                    self.problems.push(problem);
                }
            }
            (None, Some(name)) => {
                self.known(name);
                self.present.remove(&name.value);
                self.name_alone(network);
            }
            _ => {
                let problem = Diagnostic::new("add-or-delete", span, "`network` has `add` or `delete`")
                    .label("not both, and not neither")
                    .help("write `network: {add: front, subnet: 10.10.0.0/24}` or `network: {delete: front}`");
                self.problems.push(problem);
            }
        }
    }

    /// A network that goes has its name, and nothing that it was made with.
    fn name_alone(&mut self, network: &Network) {
        let Network {
            add: _,
            delete: _,
            subnet,
            gateway,
            bridge,
            masquerade,
            internal,
            mtu,
        } = network;
        let keys = [
            ("subnet", subnet.as_ref().map(|it| it.span)),
            ("gateway", gateway.as_ref().map(|it| it.span)),
            ("bridge", bridge.as_ref().map(|it| it.span)),
            ("masquerade", masquerade.as_ref().map(|it| it.span)),
            ("internal", internal.as_ref().map(|it| it.span)),
            ("mtu", mtu.as_ref().map(|it| it.span)),
        ];
        for (key, span) in keys {
            let Some(span) = span else { continue };
            let message = format!("`{key}` is of no use to a network that is deleted");
            let problem = Diagnostic::new("only-with-add", span, message)
                .label("says how a network is made")
                .help(format!(
                    "remove `{key}`; the name alone says which one goes"
                ));
            self.problems.push(problem);
        }
    }

    fn known(&mut self, name: &'a Located<NetworkName>) {
        if self.present.contains(&name.value) {
            return;
        }
        let names: Vec<&str> = self.present.iter().map(|it| it.as_str()).collect();
        let help = match suggest::closest(name.as_str(), names) {
            Some(close) => format!("did you mean `{close}`?"),
            None => format!("add it first: `network: {{add: {name}, subnet: 10.10.0.0/24}}`"),
        };
        let message = format!("there is no network `{name}` here");
        let problem = Diagnostic::new("undeclared-network", name.span, message)
            .label("not added, or deleted before")
            .help(help);
        self.problems.push(problem);
    }

    fn containers(&mut self, one: bool, several: usize, span: Span) {
        if one == (several == 0) {
            return;
        }
        let problem = Diagnostic::new("node-or-nodes", span, "the item has `node` or `nodes`")
            .label("not both, and not neither")
            .help(
                "write `node: web`, or `nodes: [web, database]` for all of them at the same time",
            );
        self.problems.push(problem);
    }

    /// Networks are made in the host, for containers beside it.
    fn not_host(&mut self, containers: impl Iterator<Item = &'a Located<NodeName>>) {
        for name in containers.filter(|name| name.as_str() == HOST) {
            let problem = Diagnostic::new("host-attached", name.span, "`host` is no container")
                .label("has every network's bridge already")
                .help("write the name of another node");
            self.problems.push(problem);
        }
    }

    /// Several containers cannot have one address, nor one port.
    fn one_address(&mut self, attach: &'a Attach) {
        if attach.nodes.len() < 2 {
            return;
        }
        let address = attach.address.as_ref().map(|it| ("address", it.span));
        let publish = attach.publish.first().map(|it| ("publish", it.port.span));
        for (key, span) in address.into_iter().chain(publish) {
            let message = format!("`{key}` is that of one container");
            let problem = Diagnostic::new("one-for-several", span, message)
                .label("several containers stand under `nodes`")
                .help("write an item with `node` for each");
            self.problems.push(problem);
        }
    }
}
