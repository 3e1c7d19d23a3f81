//! The world's side of networks and endpoints: what is looked at beside what is expected, what an
//! implementation claims and checks, and what it leaves behind.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::conductor::{Conductor, Stop, send};
use super::event::Event;
use crate::implement::{EndpointClaim, OperationError};
use crate::judge::{Verdict, judge_claim, judge_operation};
use crate::kernel::route::LinkKind;
use crate::kernel::{KernelError, NftSocket};
use crate::observe::facts;
use crate::scenario::{
    Attach, FactKind, Item, LinkRef, NodeName, Observation, Observed, Operation, Requirement,
    Scenario,
};
use crate::world::{Node, SettleError, Topology, WORKDIR, World, written};

/// The tables in which an implementation may leave something behind.
const WATCHED: [FactKind; 4] = [
    FactKind::Links,
    FactKind::Addresses,
    FactKind::Routes,
    FactKind::Rules,
];

/// What was there before the first network.
pub(super) struct Before {
    /// The nodes that are no containers.
    nodes: BTreeSet<NodeName>,
    lines: BTreeSet<String>,
    /// The interfaces of these nodes.
    links: BTreeSet<LinkRef>,
    /// The interfaces of the containers, by the names that they had.
    of_containers: BTreeSet<LinkRef>,
}

impl Before {
    /// Looks at all nodes that nothing is ever attached to.
    pub(super) async fn read(world: &World, scenario: &Scenario) -> Result<Self, Stop> {
        let mut containers = BTreeSet::new();
        let observed = scenario.steps.iter().flat_map(|step| &step.observe);
        let tried = observed.filter_map(|observation| match &observation.of {
            Observed::Intent(operation) => Some(&**operation),
            _ => None,
        });
        let done = scenario.operations().map(|item| &item.operation);
        for operation in done.chain(tried) {
            if let Operation::Attach(attach) = operation {
                containers.extend(attach.containers().map(|name| &name.value));
            }
        }
        let names = world.nodes().map(Node::name);
        let nodes = names.filter(|name| !containers.contains(name)).cloned();
        let nodes: BTreeSet<NodeName> = nodes.collect();
        let containers = containers.into_iter().cloned().collect();
        let topology = world.settle().await?;
        let lines = lines_of(world, &topology, &nodes).await?;
        let links = links_of(&topology, &nodes).map(|(link, _)| link).collect();
        let of_containers = links_of(&topology, &containers);
        let of_containers = of_containers.map(|(link, _)| link).collect();
        Ok(Self {
            nodes,
            lines,
            links,
            of_containers,
        })
    }
}

/// Every line of the watched tables, and the rules of every chain.
pub(super) async fn lines_of(
    world: &World,
    topology: &Topology,
    nodes: &BTreeSet<NodeName>,
) -> Result<BTreeSet<String>, Stop> {
    let mut lines = BTreeSet::new();
    for name in nodes {
        for kind in WATCHED {
            let table = facts::table(world, topology, name, kind).await?;
            let of_table = table.into_iter().flatten();
            lines.extend(of_table.map(|line| format!("{} in {name}: {line}", kind.word())));
        }
        if let Some(node) = world.node(name) {
            let rules = rules_of(node).map_err(crate::observe::ObserveError::from)?;
            lines.extend(
                rules
                    .into_iter()
                    .map(|line| format!("netfilter in {name}: {line}")),
            );
        }
    }
    Ok(lines)
}

fn rules_of(node: &Node) -> Result<Vec<String>, KernelError> {
    let chains = node
        .enter(NftSocket::open)
        .map_err(|error| error.reason)??
        .rules_by_chain()?;
    let line = |(chain, rules): (String, usize)| match rules {
        1 => format!("{chain} has 1 rule"),
        rules => format!("{chain} has {rules} rules"),
    };
    Ok(chains.into_iter().map(line).collect())
}

fn links_of<'a>(
    topology: &'a Topology,
    nodes: &'a BTreeSet<NodeName>,
) -> impl Iterator<Item = (LinkRef, &'a LinkKind)> {
    nodes.iter().flat_map(|node| {
        topology.links_of(node).iter().filter_map(|link| {
            let ifname = link.name.parse().ok()?;
            let node = node.clone();
            Some((LinkRef { node, ifname }, &link.kind))
        })
    })
}

/// What is still in containers, which have no endpoint any more: every interface that was not there before
/// and that every namespace does not have.
async fn left_in_containers(
    world: &World,
    topology: &Topology,
    before: &Before,
) -> Result<Vec<String>, Stop> {
    let containers: BTreeSet<NodeName> = world
        .nodes()
        .map(|node| node.name().clone())
        .filter(|name| !before.nodes.contains(name))
        .collect();
    let mut lines = Vec::new();
    for (link, kind) in links_of(topology, &containers) {
        if *kind == LinkKind::Loopback || before.of_containers.contains(&link) {
            continue;
        }
        let table = facts::table(world, topology, &link.node, FactKind::Links).await?;
        let of_link = |line: &String| line.starts_with(&format!("{}:", link.ifname));
        let table = table.into_iter().flatten().filter(of_link);
        lines.extend(table.map(|line| format!("links in {}: {line}", link.node)));
    }
    Ok(lines)
}

impl Conductor<'_> {
    /// Looks at what a step wants looked at.
    pub(super) async fn observe(
        &mut self,
        world: &mut World,
        observations: &[Observation],
    ) -> Result<(), Stop> {
        for observation in observations {
            let value = match &observation.of {
                Observed::Intent(operation) => self.try_out(world, operation, observation).await?,
                Observed::Probe(probe) => {
                    let topology = world.settle().await?;
                    let answer = self
                        .observer
                        .probe_and_explain(world, &topology, probe)
                        .await;
                    match answer {
                        Ok(record) => {
                            send(&Event::probe(self.scenario, self.step, probe, &record))?;
                            record.fate.to_string()
                        }
                        Err(error) if error.is_of_scenario() => error.to_string(),
                        Err(error) => return Err(error.into()),
                    }
                }
                Observed::Table(kind, shown) => {
                    let topology = world.settle().await?;
                    let lines = facts::table(world, &topology, &shown.node, *kind).await?;
                    let only = shown.only.as_ref().map_or("", |only| only.as_str());
                    let lines: Vec<String> = lines
                        .unwrap_or_default()
                        .into_iter()
                        .filter(|line| line.starts_with(only))
                        .collect();
                    match lines.as_slice() {
                        [] => "none".to_owned(),
                        lines => lines.join("; "),
                    }
                }
            };
            send(&Event::Observed {
                scenario: self.scenario.to_owned(),
                step: self.step,
                of: observation.to_string(),
                value,
                line: self.line_of(observation.span),
            })?;
        }
        Ok(())
    }

    /// Carries an intent out and says what came of it: done, or refused. What the implementation does not
    /// do is an answer where nothing is asked; where something is, the scenario is not for it. What is no
    /// answer at all ends every scenario.
    async fn try_out(
        &mut self,
        world: &mut World,
        operation: &Operation,
        observation: &Observation,
    ) -> Result<String, Stop> {
        self.leave_containers(operation);
        let result = self.implementation.apply(world, operation).await;
        self.introduce()?;
        let claims = self.implementation.take_claims();
        let error = match &result {
            Ok(()) => match operation {
                Operation::Attach(attach) => {
                    let lie = self.false_claim(world, attach, claims).await?;
                    return Ok(lie.unwrap_or_else(|| "done".to_owned()));
                }
                _ => return Ok("done".to_owned()),
            },
            Err(OperationError::World(error)) => return Err(error.clone().into()),
            Err(error) => error,
        };
        let judgement = judge_operation(&Item::bare(operation.clone()), &result);
        let is_answer = match judgement.verdict {
            Verdict::Error => false,
            Verdict::Unsupported | Verdict::Skipped => self.requirement == Requirement::Info,
            _ => true,
        };
        if is_answer {
            let how = match judgement.verdict {
                Verdict::Fail => "refused",
                verdict => verdict.word(),
            };
            return Ok(format!("{how}: {error}"));
        }
        send(&Event::Operation {
            scenario: self.scenario.to_owned(),
            step: self.step,
            command: operation.command(),
            ran: Vec::new(),
            verdict: judgement.verdict,
            fails: None,
            reason: judgement.reason,
            lacks: judgement.lacks,
            line: Some(self.line_of(observation.span)),
        })?;
        Err(Stop::Operation)
    }

    /// Closes what is open in containers that go with their last endpoint: it would keep them.
    pub(super) fn leave_containers(&mut self, operation: &Operation) {
        if !self.implementation.makes_namespaces() {
            return;
        }
        let containers: Vec<&NodeName> = match operation {
            Operation::Attach(attach) => attach.containers().map(|name| &name.value).collect(),
            Operation::Detach(detach) => detach.containers().map(|name| &name.value).collect(),
            _ => Vec::new(),
        };
        for name in containers {
            self.observer.forget(name);
        }
    }

    /// Compares what the implementation says that it has made with what the kernel says.
    pub(super) async fn false_claim(
        &mut self,
        world: &World,
        attach: &Attach,
        claims: Vec<EndpointClaim>,
    ) -> Result<Option<String>, Stop> {
        let topology = Topology::read(world).await.map_err(SettleError::Kernel)?;
        for claim in claims {
            let node = &claim.on.node;
            let has = facts::table(world, &topology, node, FactKind::Addresses).await?;
            let has = has.unwrap_or_default();
            if let Some(reason) = judge_claim(&claim, &has) {
                return Ok(Some(reason));
            }
        }
        // An interface that was never made has no addresses to be compared.
        for node in attach.containers() {
            let ifname = attach.ifname();
            let there = |name: &str| topology.link_named(node, name).is_some();
            if let Some(ifname) = ifname.filter(|name| !there(name.as_str())) {
                return Ok(Some(format!(
                    "it says ok, and there is no interface {node}/{ifname}"
                )));
            }
        }
        Ok(None)
    }

    /// Has the implementation check its endpoints, which decides nothing.
    pub(super) async fn self_check(&mut self, world: &World) -> Result<(), Stop> {
        for checked in self.implementation.check(world).await {
            if let (true, Err(reason)) = (checked.broken, &checked.found) {
                send(&Event::Operation {
                    scenario: self.scenario.to_owned(),
                    step: self.step,
                    command: format!("check of {}", checked.node),
                    ran: Vec::new(),
                    verdict: Verdict::Error,
                    fails: None,
                    reason: Some(reason.clone()),
                    lacks: None,
                    line: None,
                })?;
                return Err(Stop::Operation);
            }
            send(&Event::SelfCheck {
                scenario: self.scenario.to_owned(),
                step: self.step,
                node: checked.node,
                ok: checked.found.is_ok(),
                reason: checked.found.err(),
            })?;
        }
        Ok(())
    }

    /// Tells who the implementation says it is, as soon as it has said so.
    pub(super) fn introduce(&mut self) -> Result<(), Stop> {
        let Some(hello) = self.implementation.hello() else {
            return Ok(());
        };
        if std::mem::replace(&mut self.introduced, true) {
            return Ok(());
        }
        Ok(send(&Event::Hello {
            scenario: self.scenario.to_owned(),
            implementation: hello.name.clone(),
            version: hello.version.clone(),
            features: hello.features.clone(),
        })?)
    }

    /// Tells the implementation that nothing more is asked, and looks at what it wrote where it may not.
    pub(super) async fn take_leave(&mut self, world: &World) -> Result<(), Stop> {
        if let Err(error) = self.implementation.leave(world).await {
            send(&Event::Operation {
                scenario: self.scenario.to_owned(),
                step: self.step,
                command: "bye".to_owned(),
                ran: Vec::new(),
                verdict: Verdict::Error,
                fails: None,
                reason: Some(error.to_string()),
                lacks: None,
                line: None,
            })?;
        }
        let Some(allowed) = self.implementation.may_write() else {
            return Ok(());
        };
        let allowed: Vec<&Path> = allowed.iter().map(PathBuf::as_path).collect();
        let files = written(&allowed)?.into_iter();
        let files: Vec<String> = files.map(|path| path.display().to_string()).collect();
        if !files.is_empty() {
            send(&Event::Escaped {
                scenario: self.scenario.to_owned(),
                verdict: Verdict::Fail,
                files,
                workdir: WORKDIR.to_owned(),
            })?;
        }
        Ok(())
    }

    /// Takes away every endpoint and network that is left, and compares what was there before with what
    /// is there now.
    pub(super) async fn take_away(
        &mut self,
        world: &mut World,
        before: &Before,
    ) -> Result<(), Stop> {
        for operation in self.implementation.undo() {
            let item = Item::bare(operation);
            self.leave_containers(&item.operation);
            let result = self.implementation.apply(world, &item.operation).await;
            let judgement = judge_operation(&item, &result);
            send(&Event::Operation {
                scenario: self.scenario.to_owned(),
                step: self.step,
                command: item.operation.command(),
                ran: Vec::new(),
                verdict: judgement.verdict,
                fails: None,
                reason: judgement.reason,
                lacks: judgement.lacks,
                line: None,
            })?;
            if judgement.verdict != Verdict::Pass {
                return Ok(());
            }
        }
        let topology = world.settle().await?;
        let now = lines_of(world, &topology, &before.nodes).await?;
        let endpoints = links_of(&topology, &before.nodes)
            .filter(|(link, kind)| !before.links.contains(link) && **kind != LinkKind::Bridge);
        let endpoints = endpoints.count();
        let mut left: Vec<String> = now.difference(&before.lines).cloned().collect();
        let in_containers = left_in_containers(world, &topology, before).await?;
        let lost: Vec<String> = before.lines.difference(&now).cloned().collect();
        let verdict = match endpoints == 0 && in_containers.is_empty() && lost.is_empty() {
            true => Verdict::Pass,
            false => Verdict::Fail,
        };
        left.extend(in_containers);
        Ok(send(&Event::Left {
            scenario: self.scenario.to_owned(),
            verdict,
            left,
            lost,
        })?)
    }
}
