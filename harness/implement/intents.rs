//! Intents for an implementation that takes them: its requests, and what is kept between them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::join_all;
use nix::unistd::Pid;
use serde_json::Value;

use super::container::container_of;
use super::driver::Driver;
use super::protocol::{
    Asked, CHECK, EndpointSpec, Hello, NAMESPACES, NetworkSpec, Op, PROTOCOL, PublishSpec, Reply,
    Request,
};
use super::requires::meet;
use super::{Applied, Checked, Checking, EndpointClaim, Implementation, Native, OperationError};
use crate::scenario::{
    Attach, Detach, LinkRef, Located, Netns, Network, NetworkName, NodeName, Operation,
};
use crate::world::{Tier, WORKDIR, World, end_process};

/// Asks a driver for networks and endpoints. What is of level 1 in the same scenario is the world's
/// doing, and native; a scenario that has nothing else is not for it.
pub(super) struct Intents {
    name: String,
    driver: Box<dyn Driver>,
    /// Carries out what the world does; nothing in a scenario without intents.
    native: Option<Native>,
    /// How long a reply may take.
    deadline: Duration,
    /// The privileges of the world.
    tier: Tier,
    hello: Option<Hello>,
    seq: u64,
    networks: BTreeMap<NetworkName, NetworkSpec>,
    /// Networks that are gone, from which an endpoint may still have to be detached.
    deleted: BTreeMap<NetworkName, NetworkSpec>,
    /// Every endpoint that ever was, also when it is gone: it can be detached again.
    endpoints: BTreeMap<(NodeName, NetworkName), Kept>,
    claims: Vec<EndpointClaim>,
    /// It has broken off; nothing more is said to it.
    broken: bool,
}

/// What is kept of an endpoint.
struct Kept {
    spec: EndpointSpec,
    state: Value,
    attached: bool,
    /// The process that holds the container, where the implementation made that.
    container: Option<Pid>,
}

impl Intents {
    pub(super) fn new(
        name: &str,
        driver: Box<dyn Driver>,
        with_intents: bool,
        deadline: Duration,
        tier: Tier,
    ) -> Self {
        Self {
            name: name.to_owned(),
            driver,
            native: with_intents.then(Native::default),
            deadline,
            tier,
            hello: None,
            seq: 0,
            networks: BTreeMap::new(),
            deleted: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            claims: Vec::new(),
            broken: false,
        }
    }

    fn request(&mut self, op: Op) -> Request {
        self.seq += 1;
        Request {
            seq: self.seq,
            deadline_ms: self.deadline.as_millis() as u64,
            workdir: WORKDIR.to_owned(),
            op,
        }
    }

    async fn ask(&mut self, world: &World, op: Op) -> Result<Reply, OperationError> {
        let request = self.request(op);
        let reply = self.driver.ask(world, &request).await;
        self.judged(&request, reply)
    }

    /// Takes a reply apart: what is not `ok` is an error of its own kind.
    fn judged(
        &mut self,
        request: &Request,
        reply: Result<Reply, super::Broken>,
    ) -> Result<Reply, OperationError> {
        let reply = reply.inspect_err(|_| self.broken = true)?;
        if let Some(problem) = reply.problem(request.seq) {
            self.broken = true;
            return Err(super::Broken(problem).into());
        }
        if let Some(lacking) = reply.unsupported {
            return Err(OperationError::NotDone {
                implementation: self.name.clone(),
                feature: lacking.feature,
                reason: lacking.reason,
            });
        }
        if let Some(skipped) = reply.skipped {
            return Err(OperationError::Skipped {
                message: skipped.message,
                issue_url: skipped.issue_url,
            });
        }
        match reply.error {
            Some(failure) => Err(OperationError::Declined {
                code: failure.code,
                message: failure.message,
                stderr: failure.stderr,
            }),
            None => Ok(reply),
        }
    }

    /// Asks who it is, once.
    async fn greet(&mut self, world: &World) -> Result<(), OperationError> {
        if self.hello.is_some() {
            return Ok(());
        }
        let reply = self.ask(world, Op::Hello { protocol: PROTOCOL }).await?;
        let Some(hello) = reply.hello else {
            return Err(
                super::Broken("the reply to `hello` does not say who answers".to_owned()).into(),
            );
        };
        if hello.protocol != PROTOCOL {
            let problem = format!("it speaks protocol {}, not {PROTOCOL}", hello.protocol);
            return Err(super::Broken(problem).into());
        }
        let met = meet(&self.name, &hello.requires, self.tier);
        self.hello = Some(hello);
        met
    }

    fn has(&self, feature: &str) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.has(feature))
    }

    fn network(&self, name: &NetworkName) -> Result<NetworkSpec, OperationError> {
        let known = self.networks.get(name).or_else(|| self.deleted.get(name));
        let known = known.cloned();
        known.ok_or_else(|| OperationError::Declined {
            code: "no-network".to_owned(),
            message: format!("there is no network `{name}`"),
            stderr: String::new(),
        })
    }

    async fn carry_out(
        &mut self,
        world: &mut World,
        operation: &Operation,
    ) -> Result<(), OperationError> {
        if operation.is_intent() {
            self.greet(world).await?;
        }
        match operation {
            Operation::Network(network) => self.change_network(world, network).await,
            Operation::Attach(attach) => self.attach(world, attach).await,
            Operation::Detach(detach) => self.detach(world, detach).await,
            operation => {
                if let Operation::Netns(Netns {
                    delete: Some(name), ..
                }) = operation
                {
                    self.end_container(name).await?;
                }
                match &mut self.native {
                    Some(native) => native.apply(world, operation).await,
                    None => Err(OperationError::LevelOne(self.name.clone())),
                }
            }
        }
    }

    async fn change_network(
        &mut self,
        world: &World,
        network: &Network,
    ) -> Result<(), OperationError> {
        if let Some(name) = &network.add {
            let network = spec_of(name, network)?;
            let op = Op::Network {
                network: network.clone(),
            };
            self.ask(world, op).await?;
            self.networks.insert(name.value.clone(), network);
        } else if let Some(name) = &network.delete {
            let network = self.network(name)?;
            self.ask(world, Op::NetworkDelete { network }).await?;
            if let Some(network) = self.networks.remove(&name.value) {
                self.deleted.insert(name.value.clone(), network);
            }
        }
        Ok(())
    }

    async fn attach(&mut self, world: &mut World, attach: &Attach) -> Result<(), OperationError> {
        let network = self.network(&attach.to)?;
        let mut requests = Vec::new();
        for node in attach.containers() {
            let pid = self.process_in(world, node)?;
            let endpoint = endpoint_of(node, attach, pid)?;
            let op = Op::Attach {
                endpoint: endpoint.clone(),
                network: network.clone(),
            };
            requests.push((node.value.clone(), endpoint, self.request(op)));
        }
        let asked = requests
            .iter()
            .map(|(_, _, request)| self.driver.ask(world, request));
        let replies = join_all(asked).await;
        // Every reply counts, whatever became of the others: what was attached has to be detached.
        let mut first_error = Ok(());
        for ((node, spec, request), reply) in requests.into_iter().zip(replies) {
            let reply = match self.judged(&request, reply) {
                Ok(reply) => reply,
                Err(error) => {
                    first_error = first_error.and(Err(error));
                    continue;
                }
            };
            let hello = self.hello.as_ref();
            let container = match hello.map(|hello| container_of(hello, &reply)) {
                None => None,
                Some(Ok(container)) => container,
                Some(Err(broken)) => {
                    first_error = first_error.and(Err(broken.into()));
                    continue;
                }
            };
            if let Some(pid) = container
                && !self.is_in_container(&node)
            {
                // The one that was there in case stands aside for the implementation's own.
                if world.node(&node).is_some() {
                    world.delete_node(&node).await?;
                }
                world.adopt_process(&node, pid)?;
            }
            if let Some(claims) = &reply.claims {
                self.claims.push(EndpointClaim {
                    on: link_of(&node, &spec)?,
                    addresses: claims.addresses.clone(),
                });
            }
            let kept = Kept {
                spec,
                state: reply.state,
                attached: true,
                container,
            };
            let of = (node, attach.to.value.clone());
            self.endpoints.insert(of, kept);
        }
        first_error
    }

    /// Returns a process in a container's network namespace, where the implementation does not make that
    /// itself.
    fn process_in(
        &self,
        world: &mut World,
        node: &NodeName,
    ) -> Result<Option<u32>, OperationError> {
        if self.has(NAMESPACES) {
            return Ok(None);
        }
        Ok(Some(world.holder(node)?.as_raw().cast_unsigned()))
    }

    fn is_in_container(&self, node: &NodeName) -> bool {
        let mut of_node = self.endpoints.iter().filter(|((of, _), _)| of == node);
        of_node.any(|(_, kept)| kept.attached && kept.container.is_some())
    }

    async fn detach(&mut self, world: &mut World, detach: &Detach) -> Result<(), OperationError> {
        let network = self.network(&detach.from)?;
        for node in detach.containers() {
            let of = (node.value.clone(), detach.from.value.clone());
            let Some(kept) = self.endpoints.get(&of) else {
                return Err(OperationError::Declined {
                    code: "not-attached".to_owned(),
                    message: format!("`{node}` was never on the network `{}`", detach.from),
                    stderr: String::new(),
                });
            };
            let mut endpoint = kept.spec.clone();
            if world.node(node).is_none() {
                endpoint.pid = None;
            }
            let op = Op::Detach {
                endpoint,
                network: network.clone(),
                state: kept.state.clone(),
            };
            let had_container = self.is_in_container(node);
            self.ask(world, op).await?;
            if let Some(kept) = self.endpoints.get_mut(&of) {
                kept.attached = false;
            }
            if had_container && !self.is_in_container(node) && world.node(node).is_some() {
                // The container is gone; the node is only a name that we gave it.
                world.delete_node(node).await?;
            }
        }
        Ok(())
    }

    /// Ends the process that an implementation's own container hangs on.
    async fn end_container(&mut self, node: &NodeName) -> Result<(), OperationError> {
        let of_node = self.endpoints.iter_mut().filter(|((of, _), _)| of == node);
        for (_, kept) in of_node {
            if let Some(pid) = kept.container.take() {
                end_process(pid).await?;
            }
        }
        Ok(())
    }

    async fn check_all(&mut self, world: &World) -> Vec<Checked> {
        let mut checked = Vec::new();
        if !self.has(CHECK) {
            return checked;
        }
        let attached: Vec<_> = self
            .endpoints
            .iter()
            .filter(|(_, kept)| kept.attached)
            .map(|(of, kept)| (of.clone(), kept.spec.clone(), kept.state.clone()))
            .collect();
        for ((node, name), mut endpoint, state) in attached {
            let Ok(network) = self.network(&name) else {
                continue;
            };
            if world.node(&node).is_none() {
                endpoint.pid = None;
            }
            let op = Op::Check {
                endpoint,
                network,
                state,
            };
            let found = self.ask(world, op).await.map(|_| ());
            let broken = matches!(found, Err(OperationError::Broken(_)));
            checked.push(Checked {
                node,
                found: found.map_err(|error| error.to_string()),
                broken,
            });
            if broken {
                break;
            }
        }
        checked
    }
}

impl Implementation for Intents {
    fn name(&self) -> &str {
        &self.name
    }

    fn apply<'a>(&'a mut self, world: &'a mut World, operation: &'a Operation) -> Applied<'a> {
        Box::pin(self.carry_out(world, operation))
    }

    fn undo(&self) -> Vec<Operation> {
        let attached = self.endpoints.iter().filter(|(_, kept)| kept.attached);
        let detach = attached.map(|((node, network), _)| {
            Operation::Detach(Detach {
                node: Some(Located::nowhere(node.clone())),
                nodes: Vec::new(),
                from: Located::nowhere(network.clone()),
            })
        });
        let delete = |name: &NetworkName| Operation::Network(Network::deleted(name.clone()));
        detach.chain(self.networks.keys().map(delete)).collect()
    }

    fn take_claims(&mut self) -> Vec<EndpointClaim> {
        std::mem::take(&mut self.claims)
    }

    fn makes_namespaces(&self) -> bool {
        self.has(NAMESPACES)
    }

    fn check<'a>(&'a mut self, world: &'a World) -> Checking<'a> {
        Box::pin(self.check_all(world))
    }

    fn keeps_deadlines(&self) -> bool {
        self.driver.is_adapter()
    }

    fn leave<'a>(&'a mut self, world: &'a World) -> Applied<'a> {
        Box::pin(async {
            if self.hello.is_none() || self.broken {
                return Ok(());
            }
            match self.ask(world, Op::Bye).await {
                Err(OperationError::Broken(broken)) => Err(broken.into()),
                // Whether it has anything to do at the end is its own matter.
                _ => Ok(()),
            }
        })
    }

    fn may_write(&self) -> Option<Vec<PathBuf>> {
        let declared = self.hello.iter().flat_map(|hello| &hello.requires.writes);
        let paths = std::iter::once(WORKDIR).chain(declared.map(String::as_str));
        let all = paths.map(PathBuf::from).collect();
        self.driver.is_adapter().then_some(all)
    }

    fn hello(&self) -> Option<&Hello> {
        self.hello.as_ref()
    }
}

fn spec_of(name: &NetworkName, network: &Network) -> Result<NetworkSpec, OperationError> {
    let missing = |what: &str| OperationError::Declined {
        code: "no-such-network".to_owned(),
        message: format!("the network `{name}` has no {what}"),
        stderr: String::new(),
    };
    let subnet = network.subnet.as_ref().ok_or_else(|| missing("subnet"))?;
    Ok(NetworkSpec {
        id: name.to_string(),
        bridge: network
            .bridge()
            .ok_or_else(|| missing("bridge"))?
            .to_string(),
        subnet: subnet.to_string(),
        gateway: network.gateway().ok_or_else(|| missing("gateway"))?,
        masquerade: network.masquerades(),
        internal: network.is_internal(),
        mtu: network.mtu.as_ref().map(|mtu| mtu.value.0),
        asked: [
            network.gateway.is_some().then_some(Asked::Gateway),
            network.masquerade.is_some().then_some(Asked::Masquerade),
        ]
        .into_iter()
        .flatten()
        .collect(),
    })
}

fn endpoint_of(
    node: &NodeName,
    attach: &Attach,
    pid: Option<u32>,
) -> Result<EndpointSpec, OperationError> {
    let ifname = attach
        .ifname()
        .ok_or_else(|| super::Broken("no interface name".to_owned()))?;
    let publish = attach.publish.iter().map(|publish| PublishSpec {
        protocol: publish.protocol.value.word().to_owned(),
        address: publish.address.value,
        port: publish.port.value,
        to: publish.to.value,
    });
    Ok(EndpointSpec {
        id: node.to_string(),
        netns: format!("/run/netns/{node}"),
        pid,
        ifname: ifname.to_string(),
        address: attach.address.as_ref().map(|address| address.value),
        publish: publish.collect(),
    })
}

fn link_of(node: &NodeName, spec: &EndpointSpec) -> Result<LinkRef, OperationError> {
    let ifname = spec.ifname.parse();
    let ifname = ifname.map_err(|_| super::Broken("no interface name".to_owned()))?;
    Ok(LinkRef {
        node: node.clone(),
        ifname,
    })
}
