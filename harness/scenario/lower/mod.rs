//! From intents to operations of level 1: a bridge in `host`, a veth pair for each endpoint.
//!
//! This is how an implementation that knows only single commands gets networks of containers. Which
//! addresses are free is netproof's own book-keeping then, and so is what it refuses.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Value, json};

use super::name::{IfName, NodeName};
use super::net::Family;
use super::operation::{
    Attach, Detach, EntryChain, Item, Netns, Network, NetworkName, Operation, Publish, Rule,
    TranslationChain, hosts_of, is_host_of,
};

/// Why an intent cannot be lowered: it is refused, as an implementation would refuse it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unlowered {
    /// A word for the reason, the same in every run.
    pub code: &'static str,
    /// The reason, with the addresses and names that it is about.
    pub message: String,
}

/// The networks and endpoints that are there.
///
/// ```
/// use netproof::scenario::{Lowering, Operation, parse};
///
/// let text = "
/// title: t
/// nodes: [host, web]
/// steps:
///   - name: s
///     do:
///       - network: {add: front, subnet: 10.10.0.0/24}
///       - attach: {node: web, to: front}
/// ";
/// let scenario = parse("s.yaml", text)?;
/// let mut lowering = Lowering::default();
/// let mut commands = Vec::new();
/// for item in scenario.operations() {
///     let lowered = lowering.lower(&item.operation)?;
///     commands.extend(lowered.iter().map(Operation::command));
/// }
/// assert_eq!(commands[0], "ip link add br-front type bridge");
/// assert_eq!(commands[4], "ip link add veth1 type veth peer name eth0 netns web");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Lowering {
    networks: BTreeMap<NetworkName, Lowered>,
    /// How many endpoints there ever were: their ends in `host` are numbered.
    endpoints: usize,
    /// The rules of `host` that are nobody's endpoint's: they stay when those go.
    rules: Vec<Operation>,
}

/// A network that is there.
#[derive(Debug, Clone)]
struct Lowered {
    bridge: IfName,
    subnet: IpNet,
    gateway: IpAddr,
    masquerade: bool,
    internal: bool,
    mtu: Option<u32>,
    endpoints: BTreeMap<NodeName, Endpoint>,
}

/// A container's end on a network.
#[derive(Debug, Clone)]
struct Endpoint {
    /// The end in `host`.
    near: String,
    address: IpAddr,
    publish: Vec<Publish>,
    /// Its container is gone, and with it both ends.
    gone: bool,
}

impl Lowering {
    /// Returns the operations that do what an intent wants; one of level 1 comes back as it is.
    ///
    /// # Errors
    ///
    /// What makes the intent impossible: no such network, no free address, an address that is taken or
    /// outside of the subnet, subnets that overlap.
    pub fn lower(&mut self, operation: &Operation) -> Result<Vec<Operation>, Unlowered> {
        match operation {
            Operation::Network(network) => match (&network.add, &network.delete) {
                (Some(name), _) => self.add_network(name, network),
                (None, Some(name)) => self.delete_network(name),
                (None, None) => Ok(Vec::new()),
            },
            Operation::Attach(attach) => self.attach(attach),
            Operation::Detach(detach) => self.detach(detach),
            Operation::Netns(Netns {
                delete: Some(name), ..
            }) => {
                self.forget(name);
                Ok(vec![operation.clone()])
            }
            operation => {
                self.note(operation);
                Ok(vec![operation.clone()])
            }
        }
    }

    /// Keeps a rule of the scenario's own that translates in `host`, until its chain is flushed.
    fn note(&mut self, operation: &Operation) {
        match operation {
            Operation::Flush(flush) if flush.node.value == NodeName::host() => {
                let flushed = (flush.family(), flush.chain.value);
                self.rules.retain(|rule| translation(rule) != Some(flushed));
            }
            rule if translation(rule).is_some() => self.rules.push(rule.clone()),
            _ => {}
        }
    }

    /// Returns the intents that take away all that is still there, endpoints first.
    pub fn undo(&self) -> Vec<Operation> {
        let mut intents = Vec::new();
        for (name, network) in &self.networks {
            let nodes = network.endpoints.keys();
            let detach = |node: &NodeName| json!({"detach": {"node": node, "from": name}});
            intents.extend(nodes.map(detach));
        }
        let delete = |name: &NetworkName| json!({"network": {"delete": name}});
        intents.extend(self.networks.keys().map(delete));
        written(intents).unwrap_or_default()
    }

    fn add_network(
        &mut self,
        name: &NetworkName,
        network: &Network,
    ) -> Result<Vec<Operation>, Unlowered> {
        if self.networks.contains_key(name) {
            return refuse(
                "network-exists",
                format!("there is a network `{name}` already"),
            );
        }
        let Some(subnet) = network.subnet.as_ref().map(|subnet| subnet.value.0) else {
            return refuse("no-subnet", format!("the network `{name}` has no subnet"));
        };
        let outside = || Unlowered {
            code: "no-room",
            message: format!("{subnet} has no room for a gateway"),
        };
        let gateway = network.gateway().ok_or_else(outside)?;
        if !is_host_of(subnet, gateway) {
            let message = format!("the gateway {gateway} is no host of {subnet}");
            return refuse("gateway-outside", message);
        }
        for (other, its) in &self.networks {
            if its.subnet.contains(&subnet) || subnet.contains(&its.subnet) {
                let message = format!("{subnet} overlaps {} of the network `{other}`", its.subnet);
                return refuse("overlap", message);
            }
        }
        let Some(bridge) = network.bridge() else {
            return refuse(
                "no-bridge",
                format!("the network `{name}` has no name for a bridge"),
            );
        };
        let lowered = Lowered {
            bridge,
            subnet,
            gateway,
            masquerade: network.masquerades(),
            internal: network.is_internal(),
            mtu: network.mtu.as_ref().map(|mtu| mtu.value.0),
            endpoints: BTreeMap::new(),
        };
        let operations = lowered.made();
        self.networks.insert(name.clone(), lowered);
        written(operations)
    }

    fn delete_network(&mut self, name: &NetworkName) -> Result<Vec<Operation>, Unlowered> {
        let Some(network) = self.networks.remove(name) else {
            return refuse("no-network", format!("there is no network `{name}`"));
        };
        let ends = network.endpoints.values().filter(|it| !it.gone);
        let mut operations: Vec<Value> = ends.map(Endpoint::deleted).collect();
        operations.push(json!({"delete": in_host(&network.bridge)}));
        if network.has_rules() {
            operations.extend(self.rules_anew(network.family()));
        }
        written(operations)
    }

    fn attach(&mut self, attach: &Attach) -> Result<Vec<Operation>, Unlowered> {
        let before = self.clone();
        let mut operations = Vec::new();
        for node in attach.containers() {
            match self.attach_one(node, attach) {
                Ok(more) => operations.extend(more),
                // Nothing is done of what is refused, so none of the others is there either.
                Err(refusal) => {
                    *self = before;
                    return Err(refusal);
                }
            }
        }
        written(operations)
    }

    fn attach_one(&mut self, node: &NodeName, attach: &Attach) -> Result<Vec<Value>, Unlowered> {
        let name = &attach.to.value;
        let has_gateway = self
            .networks
            .values()
            .any(|it| !it.internal && it.endpoints.get(node).is_some_and(|it| !it.gone));
        let Some(network) = self.networks.get_mut(name) else {
            return refuse("no-network", format!("there is no network `{name}`"));
        };
        if network.endpoints.get(node).is_some_and(|it| !it.gone) {
            return refuse(
                "attached",
                format!("`{node}` is on the network `{name}` already"),
            );
        }
        let address = match &attach.address {
            Some(address) => network.free(address.value)?,
            None => network.next_free(name)?,
        };
        let Some(ifname) = attach.ifname() else {
            return refuse("no-name", format!("`{node}` has no name for its interface"));
        };
        self.endpoints += 1;
        let endpoint = Endpoint {
            near: format!("veth{}", self.endpoints),
            address,
            publish: attach.publish.clone(),
            gone: false,
        };
        let mut operations = network.wired(node, &ifname, &endpoint);
        if !network.internal && !has_gateway {
            operations
                .push(json!({"route": {"in": node, "add": "default", "via": network.gateway}}));
        }
        operations.extend(network.published(&endpoint));
        network.endpoints.insert(node.clone(), endpoint);
        Ok(operations)
    }

    fn detach(&mut self, detach: &Detach) -> Result<Vec<Operation>, Unlowered> {
        let name = &detach.from.value;
        let mut operations = Vec::new();
        for node in detach.containers() {
            let Some(network) = self.networks.get_mut(name) else {
                return refuse("no-network", format!("there is no network `{name}`"));
            };
            let family = network.family();
            // To take away what is not there is to do nothing.
            let Some(endpoint) = network.endpoints.remove(&node.value) else {
                continue;
            };
            if !endpoint.gone {
                operations.push(endpoint.deleted());
            }
            if !endpoint.publish.is_empty() {
                operations.extend(self.rules_anew(family));
            }
        }
        written(operations)
    }

    /// Forgets endpoints that were refused when they were made.
    pub fn abandon(&mut self, operation: &Operation) {
        match operation {
            Operation::Attach(attach) => {
                if let Some(network) = self.networks.get_mut(&attach.to.value) {
                    for node in attach.containers() {
                        network.endpoints.remove(&node.value);
                    }
                }
            }
            Operation::Network(Network {
                add: Some(name), ..
            }) => {
                self.networks.remove(&name.value);
            }
            _ => {}
        }
    }

    /// A container is gone, and its interfaces with it.
    fn forget(&mut self, node: &NodeName) {
        for network in self.networks.values_mut() {
            if let Some(endpoint) = network.endpoints.get_mut(node) {
                endpoint.gone = true;
            }
        }
    }

    /// The rules of everything that is there, from none: a rule has no name by which it could go alone.
    fn rules_anew(&self, family: Family) -> Vec<Value> {
        let chains = ["postrouting", "prerouting", "output"];
        let flush =
            |chain| json!({"flush": {"in": NodeName::host(), "chain": chain, "family": family}});
        let mut operations: Vec<Value> = chains.into_iter().map(flush).collect();
        let own = self.rules.iter();
        let own = own.filter(|rule| translation(rule).is_some_and(|(of, _)| of == family));
        operations.extend(own.map(|rule| json!({rule.verb(): rule.arguments_value()})));
        for network in self.networks.values().filter(|it| it.family() == family) {
            operations.extend(network.translated());
            let endpoints = network.endpoints.values();
            operations.extend(endpoints.flat_map(|endpoint| network.rules_of(endpoint)));
        }
        operations
    }
}

impl Lowered {
    fn family(&self) -> Family {
        Family::of(self.gateway)
    }

    fn has_rules(&self) -> bool {
        let published = |endpoint: &Endpoint| !endpoint.publish.is_empty();
        self.masquerade || self.endpoints.values().any(published)
    }

    fn made(&self) -> Vec<Value> {
        let bridge = in_host(&self.bridge);
        let gateway = format!("{}/{}", self.gateway, self.subnet.prefix_len());
        let mut operations = vec![json!({"bridge": {"add": bridge}})];
        if let Some(mtu) = self.mtu {
            operations.push(json!({"mtu": {"dev": bridge, "to": mtu.to_string()}}));
        }
        operations.push(json!({"address": {"add": gateway, "dev": bridge}}));
        operations.push(json!({"up": bridge}));
        if !self.internal {
            let key = match self.family() {
                Family::Ipv4 => "net.ipv4.ip_forward",
                Family::Ipv6 => "net.ipv6.conf.all.forwarding",
            };
            operations.push(json!({"sysctl": {"in": NodeName::host(), "key": key, "value": "1"}}));
        }
        operations.extend(self.translated());
        operations
    }

    /// The source of what leaves the network is translated.
    fn translated(&self) -> Option<Value> {
        let rule = json!({"masquerade": {
            "in": NodeName::host(), "source": self.subnet.to_string(), "not-out": self.bridge,
        }});
        (self.masquerade && !self.internal).then_some(rule)
    }

    fn wired(&self, node: &NodeName, ifname: &IfName, endpoint: &Endpoint) -> Vec<Value> {
        let near = format!("{}/{}", NodeName::host(), endpoint.near);
        let far = format!("{node}/{ifname}");
        let address = format!("{}/{}", endpoint.address, self.subnet.prefix_len());
        let mut operations = vec![json!({"veth": {"add": near, "peer": far}})];
        if let Some(mtu) = self.mtu {
            operations.push(json!({"mtu": {"dev": near, "to": mtu.to_string()}}));
            operations.push(json!({"mtu": {"dev": far, "to": mtu.to_string()}}));
        }
        operations.extend([
            json!({"master": {"dev": near, "to": self.bridge}}),
            json!({"up": near}),
            json!({"address": {"add": address, "dev": far}}),
            json!({"up": format!("{node}/lo")}),
            json!({"up": far}),
        ]);
        operations
    }

    /// What the ports of an endpoint need beside its interface.
    fn published(&self, endpoint: &Endpoint) -> Vec<Value> {
        if endpoint.publish.is_empty() {
            return Vec::new();
        }
        let near = format!("{}/{}", NodeName::host(), endpoint.near);
        // A container that asks for its own port at `host` gets it back where it came from.
        let mut operations = vec![json!({"bridge-port": {"dev": near, "hairpin": "true"}})];
        operations.extend(self.rules_of(endpoint));
        operations
    }

    fn rules_of(&self, endpoint: &Endpoint) -> Vec<Value> {
        let host = NodeName::host();
        let mut rules = Vec::new();
        for publish in &endpoint.publish {
            let to = std::net::SocketAddr::new(endpoint.address, publish.to.value);
            for chain in ["prerouting", "output"] {
                rules.push(json!({"dnat": {
                    "in": host, "chain": chain, "destination": publish.address,
                    "protocol": publish.protocol, "port": publish.port, "to": to.to_string(),
                }}));
            }
        }
        if !endpoint.publish.is_empty() {
            // The reply to another endpoint of the network must come back here, to be translated back.
            rules.push(json!({"masquerade": {
                "in": host, "source": self.subnet.to_string(), "destination": endpoint.address,
            }}));
        }
        rules
    }

    /// Checks that an address is in the subnet, and nobody's.
    fn free(&self, address: IpAddr) -> Result<IpAddr, Unlowered> {
        if !is_host_of(self.subnet, address) {
            let message = format!("{address} is no host of {}", self.subnet);
            return refuse("address-outside", message);
        }
        if self.is_taken(address) {
            return refuse("address-taken", format!("{address} is taken"));
        }
        Ok(address)
    }

    fn next_free(&self, name: &NetworkName) -> Result<IpAddr, Unlowered> {
        let free = hosts_of(self.subnet).find(|it| !self.is_taken(*it));
        free.ok_or_else(|| Unlowered {
            code: "exhausted",
            message: format!(
                "no address of {} is free in the network `{name}`",
                self.subnet
            ),
        })
    }

    fn is_taken(&self, address: IpAddr) -> bool {
        let mut endpoints = self.endpoints.values();
        address == self.gateway || endpoints.any(|it| it.address == address)
    }
}

impl Endpoint {
    /// Deleting one end of a veth pair deletes the other.
    fn deleted(&self) -> Value {
        json!({"delete": format!("{}/{}", NodeName::host(), self.near)})
    }
}

fn in_host(ifname: &IfName) -> String {
    format!("{}/{ifname}", NodeName::host())
}

fn refuse<T>(code: &'static str, message: String) -> Result<T, Unlowered> {
    Err(Unlowered { code, message })
}

/// Returns the chain of `host` that an operation appends a rule to, where that translates.
fn translation(operation: &Operation) -> Option<(Family, TranslationChain)> {
    let (rule, chain): (&dyn Rule, _) = match operation {
        Operation::Masquerade(rule) => (rule, TranslationChain::Postrouting),
        Operation::Snat(rule) => (rule, TranslationChain::Postrouting),
        Operation::Dnat(rule) => match rule.chain.as_ref().map(|chain| chain.value) {
            None | Some(EntryChain::Prerouting) => (rule, TranslationChain::Prerouting),
            Some(EntryChain::Output) => (rule, TranslationChain::Output),
        },
        _ => return None,
    };
    (rule.node().value == NodeName::host()).then(|| (rule.family(), chain))
}

/// Reads operations that are written as a scenario has them.
fn written(items: Vec<Value>) -> Result<Vec<Operation>, Unlowered> {
    let read = |item: Value| serde_json::from_value::<Item>(item).map(|item| item.operation);
    let all: Result<Vec<Operation>, _> = items.into_iter().map(read).collect();
    all.map_err(|error| Unlowered {
        code: "not-written",
        message: error.to_string(),
    })
}
