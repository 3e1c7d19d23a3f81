//! One IP in one item, and IPv6 only where it is on.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::expectation::{Expectation, ProbeExpectation};
use crate::scenario::fate::ExpectedFate;
use crate::scenario::model::Scenario;
use crate::scenario::name::NodeName;
use crate::scenario::net::{Broadcast, Destination, Family};
use crate::scenario::observation::Observed;
use crate::scenario::operation::{Address, HOST, Operation, Policy, Route, Rule, Vxlan};
use crate::scenario::probe::Probe;
use crate::scenario::value::{Located, Span};

/// What says which IP an item is of, and where.
type Said = (Family, Span);

/// Checks every address and every rule.
pub(super) fn check(scenario: &Scenario) -> Vec<Diagnostic> {
    let mut families = Families {
        with_ipv6: scenario.ipv6.iter().map(|node| &node.value).collect(),
        told: BTreeSet::new(),
        host: scenario
            .nodes
            .iter()
            .map(|node| &node.value)
            .find(|node| node.as_str() == HOST),
        problems: Vec::new(),
    };
    for item in scenario.operations() {
        families.operation(&item.operation);
        if let Some(right) = &item.right {
            families.operation(&right.operation);
        }
    }
    for step in &scenario.steps {
        for observation in &step.observe {
            if let Observed::Intent(operation) = &observation.of {
                families.operation(operation);
            }
        }
        for expectation in step.expectations.iter().filter_map(Expectation::probe) {
            families.expectation(expectation);
        }
    }
    families.problems
}

struct Families<'a> {
    with_ipv6: BTreeSet<&'a NodeName>,
    /// The nodes of which it was said that they have IPv6 off: once is enough.
    told: BTreeSet<&'a NodeName>,
    /// The node `host`, where it is declared.
    host: Option<&'a NodeName>,
    problems: Vec<Diagnostic>,
}

fn said(address: &Located<IpAddr>) -> Said {
    (Family::of(address.value), address.span)
}

impl<'a> Families<'a> {
    fn operation(&mut self, operation: &'a Operation) {
        match operation {
            Operation::Address(address) => self.address(address),
            Operation::Route(route) => self.route(route),
            Operation::Vxlan(vxlan) => self.vxlan(vxlan),
            Operation::Tunnel(tunnel) => {
                let ends = [&tunnel.local, &tunnel.remote];
                self.of_one_ip(&tunnel.dev.value.node, ends.map(said));
            }
            Operation::PolicyRule(rule) => {
                let prefixes = rule.from.iter().chain(&rule.to);
                let said = prefixes.map(|of| (Family::of(of.value.0.addr()), of.span));
                let family = rule.family.as_ref().map(|of| (of.value, of.span));
                self.of_one_ip(&rule.node.value, family.into_iter().chain(said));
            }
            Operation::Neighbour(neighbour) => {
                let addresses = neighbour.add.iter().chain(&neighbour.delete);
                self.of_one_ip(&neighbour.dev.value.node, addresses.map(said));
            }
            Operation::Fdb(fdb) => {
                self.of_one_ip(&fdb.dev.value.node, fdb.dst.iter().map(said));
            }
            Operation::Masquerade(rule) => self.rule(rule),
            Operation::Snat(rule) => self.rule(rule),
            Operation::Dnat(rule) => self.rule(rule),
            Operation::Filter(rule) => self.rule(rule),
            Operation::Notrack(rule) => self.rule(rule),
            Operation::Network(network) => {
                let subnet = network.subnet.iter();
                let subnet = subnet.map(|of| (Family::of(of.value.0.addr()), of.span));
                let said = subnet.chain(network.gateway.iter().map(said));
                if let Some(host) = self.host {
                    self.of_one_ip(host, said);
                }
            }
            Operation::Attach(attach) => {
                for node in attach.containers() {
                    self.of_one_ip(&node.value, attach.address.iter().map(said));
                }
                for publish in &attach.publish {
                    if let Some(host) = self.host {
                        self.of_one_ip(host, [said(&publish.address)]);
                    }
                }
            }
            Operation::Policy(Policy { node, family, .. }) => {
                let said = family.as_ref().map(|of| (of.value, of.span));
                self.of_one_ip(&node.value, said);
            }
            _ => {}
        }
    }

    fn address(&mut self, address: &'a Address) {
        let own = address.add.iter().chain(&address.delete).next();
        let own = own.map(|own| (Family::of(own.address()), own.span));
        self.of_one_ip(&address.dev.value.node, own);
        let (Some((family, span)), Some(broadcast)) = (own, &address.broadcast) else {
            return;
        };
        let of_another = match broadcast.value {
            Broadcast::AllOnes => false,
            Broadcast::Address(address) => address.is_ipv6(),
        };
        if family == Family::Ipv6 || of_another {
            self.problems.push(
                Diagnostic::new(
                    "wrong-family",
                    broadcast.span,
                    "there is no broadcast address in IPv6",
                )
                .label("nothing of IPv6")
                .also(span, "the address")
                .help("remove it: IPv6 speaks to many by multicast"),
            );
        }
    }

    fn route(&mut self, route: &'a Route) {
        let destinations = route.add.iter().chain(&route.delete);
        let prefixes = destinations.filter_map(|of| match of.value {
            Destination::Default => None,
            Destination::Prefix(prefix) => Some((Family::of(prefix.addr()), of.span)),
        });
        let hops = route.nexthops.iter().flat_map(|hops| &hops.value);
        let gateways = hops.filter_map(|hop| hop.via.as_ref());
        let addresses = route.via.iter().chain(&route.src).chain(gateways).map(said);
        self.of_one_ip(&route.node.value, prefixes.chain(addresses));
    }

    fn vxlan(&mut self, vxlan: &'a Vxlan) {
        let ends = vxlan.remote.iter().chain(&vxlan.local);
        self.of_one_ip(&vxlan.add.value.node, ends.map(said));
    }

    fn rule(&mut self, rule: &'a impl Rule) {
        self.of_one_ip(&rule.node().value, rule.families());
    }

    fn expectation(&mut self, expectation: &'a ProbeExpectation) {
        let probe = &expectation.probe;
        let span = match probe {
            Probe::Ping(ping) => ping.to.span,
            Probe::Arp(ask) | Probe::Ndp(ask) => ask.to.span,
            Probe::Udp(exchange) | Probe::Tcp(exchange) => exchange.to.span,
            Probe::Frame(_) => return,
        };
        // Of which IP the address of an interface is, only the world knows.
        let Some(to) = probe.address() else {
            return;
        };
        let only = match (probe, Family::of(to)) {
            (Probe::Arp(_), of @ Family::Ipv6) => Some((of, "ARP", "ndp")),
            (Probe::Ndp(_), of @ Family::Ipv4) => Some((of, "neighbour discovery", "arp")),
            _ => None,
        };
        if let Some((family, lacks, instead)) = only {
            let message = format!("{family} has no {lacks}");
            let problem = Diagnostic::new("wrong-family", span, message)
                .label(format!("an {family} address"))
                .help(format!("ask for it by `{instead}`"));
            self.problems.push(problem);
            return;
        }
        let source = match &expectation.fate {
            ExpectedFate::Reply(reply) => reply.source.as_ref(),
            _ => None,
        };
        // What is seen on the way may be a tunnel's packet, of another IP.
        let to = std::iter::once((Family::of(to), span));
        self.of_one_ip(probe.from(), to.chain(source.map(said)));
    }

    /// Checks that an item is of one IP, which its node has.
    fn of_one_ip(&mut self, node: &'a NodeName, said: impl IntoIterator<Item = Said>) {
        let mut said = said.into_iter();
        let Some((family, span)) = said.next() else {
            return;
        };
        let mut ipv6 = (family == Family::Ipv6).then_some(span);
        if let Some((other, at)) = said.find(|(other, _)| *other != family) {
            self.problems.push(
                Diagnostic::new(
                    "wrong-family",
                    at,
                    format!("{family} and {other} stand in one item"),
                )
                .label(other.to_string())
                .also(span, family.to_string())
                .help("write one item for each"),
            );
            ipv6 = None;
        }
        if let Some(span) = ipv6
            && !self.with_ipv6.contains(node)
            && self.told.insert(node)
        {
            self.problems.push(
                Diagnostic::new("ipv6-off", span, format!("the node `{node}` has IPv6 off"))
                    .label("IPv6")
                    .help(format!(
                        "add the node to `ipv6`, for example `ipv6: [{node}]`"
                    )),
            );
        }
    }
}
