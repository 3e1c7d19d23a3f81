//! Keys that exclude or need one another, and values that the network cannot have.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::expectation::{Expectation, ProbeExpectation};
use crate::scenario::fate::ExpectedFate;
use crate::scenario::limits::OPERATIONS_MAX;
use crate::scenario::model::{Scenario, Step};
use crate::scenario::operation::{Address, Exec, Item, Listen, Netns, Operation, Route, Veth};
use crate::scenario::probe::{Probe, RawFrame};
use crate::scenario::value::{Located, Span};

/// Checks a probe that stands in no file.
pub(super) fn check_probe(probe: &Probe) -> Vec<Diagnostic> {
    let mut shape = Shape::default();
    shape.probe(probe);
    shape.problems
}

/// Checks everything that does not depend on which nodes are there.
pub(super) fn check(scenario: &Scenario) -> Vec<Diagnostic> {
    let mut shape = Shape::default();
    shape.text("title", &scenario.title);
    for item in &scenario.given {
        if let Some(fails) = &item.fails {
            let message = "what is given cannot fail";
            let problem = Diagnostic::new("fails-in-given", fails.span, message)
                .label("a refusal")
                .help("move the operation to a step; what is given is not under test");
            shape.problems.push(problem);
        }
        if let Some(inert) = &item.inert {
            let message = "what is given needs no reason to be there";
            let problem = Diagnostic::new("inert-in-given", inert.span, message)
                .label("a reason")
                .help("remove it; what is given is not under test");
            shape.problems.push(problem);
        }
        super::claims::check_given(&mut shape, item);
    }
    for item in scenario.operations() {
        shape.item(item);
    }
    if let Some(item) = scenario.operations().nth(OPERATIONS_MAX) {
        let message = format!("the scenario has more than {OPERATIONS_MAX} operations");
        let problem = Diagnostic::new("too-many-operations", item.span, message)
            .label("one too many")
            .help("write several scenarios");
        shape.problems.push(problem);
    }
    let mut names = BTreeMap::new();
    for step in &scenario.steps {
        shape.step(step);
        if let Some(first) = names.insert(step.name.as_str(), step.name.span) {
            let message = format!("two steps are named `{}`", step.name.escape_debug());
            let problem = Diagnostic::new("duplicate-step-name", step.name.span, message)
                .label("the second one")
                .also(first, "the first one")
                .help("say what this step does, and the other does not");
            shape.problems.push(problem);
        }
    }
    shape.problems
}

#[derive(Default)]
pub(super) struct Shape {
    problems: Vec<Diagnostic>,
}

impl Shape {
    pub(super) fn add(&mut self, problem: Diagnostic) {
        self.problems.push(problem);
    }

    pub(super) fn push(
        &mut self,
        id: &'static str,
        span: Span,
        message: &str,
        label: &str,
        help: &str,
    ) {
        self.problems
            .push(Diagnostic::new(id, span, message).label(label).help(help));
    }

    /// Checks a text that people read in one line.
    pub(super) fn text(&mut self, key: &str, text: &Located<String>) {
        let help = "write one short line";
        if text.trim().is_empty() {
            self.push(
                "bad-text",
                text.span,
                &format!("`{key}` is empty"),
                "nothing to read",
                help,
            );
        } else if text.contains(char::is_control) {
            let message = format!("`{key}` is not one line of text");
            self.push(
                "bad-text",
                text.span,
                &message,
                "a line break, tab or control character",
                help,
            );
        }
    }

    fn step(&mut self, step: &Step) {
        self.text("name", &step.name);
        if let Some(why) = &step.why {
            self.text("why", why);
        }
        if step.operations.is_empty()
            && step.expectations.is_empty()
            && step.observe.is_empty()
            && step.snapshot.is_empty()
        {
            let help = "give it `do`, `expect` or `snapshot`, or remove it";
            self.push(
                "empty-step",
                step.name.span,
                "the step does nothing and expects nothing",
                "only a name",
                help,
            );
        }
        for expectation in &step.expectations {
            super::claims::check(self, expectation.claims());
            match expectation {
                Expectation::Probe(expectation) => self.expectation(expectation),
                Expectation::Fact(fact) => super::claims::table(self, fact),
            }
        }
        let mut kinds = BTreeMap::new();
        for kind in &step.snapshot {
            if let Some(first) = kinds.insert(kind.value, kind.span) {
                let message = format!("the snapshot holds `{}` twice", kind.word());
                let problem = Diagnostic::new("duplicate-fact", kind.span, message)
                    .label("the second one")
                    .also(first, "the first one")
                    .help("remove one of the two");
                self.problems.push(problem);
            }
        }
    }

    fn item(&mut self, item: &Item) {
        if let Some(fails) = &item.fails {
            self.text("fails", fails);
        }
        if let Some(inert) = &item.inert {
            self.text("inert", inert);
        }
        if let Some(right) = &item.right {
            self.right(item, right);
            self.operation(right);
        }
        super::claims::check(self, &item.claims);
        if let (Operation::Exec(_), None) = (&item.operation, &item.fails) {
            self.push(
                "exec-without-fails",
                item.span,
                "`exec` goes only with `fails`",
                "it is for what the program refuses",
                "say what the program says: `fails: ...`; what works has a verb of its own",
            );
        }
        self.operation(item);
    }

    /// Checks whether there can be an operation that would be right.
    fn right(&mut self, item: &Item, right: &Item) {
        if item.fails.is_none() {
            self.push(
                "right-without-fails",
                right.span,
                "`right` goes only with `fails`",
                "the operation before it is right already",
                "say why that one is refused: `fails: No such device`",
            );
        }
        if let Some(inert) = &item.inert {
            let message = "one item has both `right` and `inert`";
            let problem = Diagnostic::new("right-and-inert", inert.span, message)
                .label("why nothing depends on it")
                .also(right.span, "what would change something")
                .help("remove one of the two");
            self.problems.push(problem);
        }
    }

    fn operation(&mut self, item: &Item) {
        match &item.operation {
            Operation::Netns(netns) => self.netns(netns, item.span),
            Operation::Veth(veth) => self.veth(veth),
            Operation::Address(address) => self.address(address, item.span),
            Operation::Route(route) => {
                self.route(route, item.span);
                super::routing::ways(self, route);
            }
            Operation::Listen(listen) => self.listen(listen, item.span),
            Operation::Vxlan(vxlan) => {
                self.ends_of_tunnel(vxlan.local.iter().chain(&vxlan.remote));
                if let Some(port) = &vxlan.dstport {
                    self.port(port.value, port.span);
                }
            }
            Operation::Tunnel(tunnel) => {
                self.ends_of_tunnel([&tunnel.local, &tunnel.remote]);
                self.port(tunnel.port.value, tunnel.port.span);
            }
            Operation::Exec(exec) => self.exec(exec),
            Operation::BridgeSet(set) if set.options().is_empty() => {
                self.nothing_to_set("bridge-set", "ageing: 0", item.span);
            }
            Operation::BridgePort(port)
                if port.options().next().is_none() && port.state.is_none() =>
            {
                self.nothing_to_set("bridge-port", "isolated: true", item.span);
            }
            operation => {
                super::rule::check(self, operation);
                super::routing::check(self, operation, item.span);
            }
        }
    }

    fn netns(&mut self, netns: &Netns, span: Span) {
        self.one_of_add_and_delete("netns", (netns.add.as_ref(), netns.delete.as_ref()), span);
        if let (Some(share), None) = (&netns.share, &netns.add) {
            self.push(
                "share-without-add",
                share.span,
                "`share` goes only with `add`",
                "nothing is added here",
                "name the node that is to share it: `netns: {add: sidecar, share: web}`",
            );
        }
    }

    fn veth(&mut self, veth: &Veth) {
        if veth.add.value == veth.peer.value {
            let message = format!("both ends of the pair are `{}`", veth.peer);
            let problem = Diagnostic::new("same-interface-twice", veth.peer.span, message)
                .label("the other end")
                .also(veth.add.span, "one end")
                .help("give one end another name, or put it into another node");
            self.problems.push(problem);
        }
    }

    fn nothing_to_set(&mut self, verb: &str, example: &str, span: Span) {
        let message = format!("`{verb}` sets nothing");
        let help = format!("name an option, for example `{example}`");
        self.push("nothing-to-set", span, &message, "only a `dev`", &help);
    }

    fn ends_of_tunnel<'a>(&mut self, ends: impl IntoIterator<Item = &'a Located<IpAddr>>) {
        for address in ends {
            if address.is_multicast() {
                self.push(
                    "bad-address",
                    address.span,
                    &format!("`{address}` is a group, not one address"),
                    "multicast",
                    "write the address of one end of the tunnel",
                );
            }
        }
    }

    fn exec(&mut self, exec: &Exec) {
        if let Some(program) = exec.argv.first()
            && !Exec::PROGRAMS.contains(&program.as_str())
        {
            self.push(
                "bad-program",
                program.span,
                &format!("`{program}` is not a program that can be asked"),
                "the first word",
                "only `ip` and `bridge` can; whatever else changes the network has a verb",
            );
        }
        for word in &exec.argv {
            self.text("argv", word);
        }
    }

    pub(super) fn one_of_add_and_delete<T>(
        &mut self,
        verb: &str,
        (add, delete): (Option<&Located<T>>, Option<&Located<T>>),
        span: Span,
    ) {
        let id = "add-or-delete";
        match (add, delete) {
            (Some(add), Some(delete)) => {
                let message = format!("`{verb}` adds and deletes in one item");
                let problem = Diagnostic::new(id, delete.span, message)
                    .label("to delete")
                    .also(add.span, "to add")
                    .help("begin a new item: one `-` for each operation");
                self.problems.push(problem);
            }
            (None, None) => {
                let message = format!("`{verb}` neither adds nor deletes");
                self.push(
                    id,
                    span,
                    &message,
                    "`add` or `delete` is missing",
                    "write `add: ...` or `delete: ...`",
                );
            }
            _ => {}
        }
    }

    fn address(&mut self, address: &Address, span: Span) {
        self.one_of_add_and_delete(
            "address",
            (address.add.as_ref(), address.delete.as_ref()),
            span,
        );
        let Some(broadcast) = &address.broadcast else {
            return;
        };
        if address.add.is_none() {
            let help = "remove it: an address is deleted without naming its broadcast address";
            self.push(
                "broadcast-without-add",
                broadcast.span,
                "`broadcast` goes only with `add`",
                "nothing is added here",
                help,
            );
        }
    }

    fn route(&mut self, route: &Route, span: Span) {
        self.one_of_add_and_delete("route", (route.add.as_ref(), route.delete.as_ref()), span);
        let ways: Vec<Span> = [
            route.via.as_ref().map(|via| via.span),
            route.dev.as_ref().map(|dev| dev.span),
            route.src.as_ref().map(|src| src.span),
        ]
        .into_iter()
        .flatten()
        .collect();
        if let (Some(kind), Some(way)) = (&route.kind, ways.first()) {
            let problem = Diagnostic::new(
                "refusing-route-with-a-way",
                *way,
                format!("a `{kind}` route leads nowhere"),
            )
            .label("it has no gateway, interface or source")
            .also(kind.span, "because of this")
            .help("take out the one or the other");
            self.problems.push(problem);
        }
        if let Some(add) = &route.add
            && route.kind.is_none()
            && route.via.is_none()
            && route.dev.is_none()
            && route.nexthops.is_none()
        {
            let help = "name the gateway, `via: 10.0.0.254`, or the interface, `dev: eth0`";
            self.push(
                "route-to-nowhere",
                add.span,
                "the route has neither `via` nor `dev`",
                "how to get there is not said",
                help,
            );
        }
    }

    fn listen(&mut self, listen: &Listen, span: Span) {
        let id = "tcp-or-udp";
        let port = |of: &Option<Located<u16>>| of.as_ref().map(|port| port.span);
        let what = [
            (port(&listen.tcp), "for TCP"),
            (port(&listen.udp), "for UDP"),
            (listen.ethertype.as_ref().map(|of| of.span), "for frames"),
        ];
        let named: Vec<(Span, &str)> = what
            .into_iter()
            .filter_map(|(span, what)| Some((span?, what)))
            .collect();
        match named[..] {
            [] => self.push(
                id,
                span,
                "`listen` names no port",
                "`tcp` or `udp` is missing",
                "write `tcp: 80` or `udp: 53`, or `ethertype: 0x88b6` for frames",
            ),
            [_] => {}
            [(first, of_first), (second, of_second), ..] => {
                let message = match listen.ethertype {
                    None => "`listen` names two ports",
                    Some(_) => "`listen` names two servers",
                };
                let problem = Diagnostic::new(id, second, message)
                    .label(of_second)
                    .also(first, of_first)
                    .help("begin a new item: one `-` for each server");
                self.problems.push(problem);
            }
        }
        for port in listen.tcp.iter().chain(&listen.udp) {
            self.port(port.value, port.span);
        }
    }

    pub(super) fn port(&mut self, port: u16, span: Span) {
        if port == 0 {
            let help = "a port is a number from 1 to 65535";
            self.push(
                "port-zero",
                span,
                "port 0 cannot be reached",
                "the kernel reads 0 as any free port",
                help,
            );
        }
    }

    fn ttl(&mut self, ttl: Option<&Located<u8>>) {
        if let Some(ttl) = ttl
            && ttl.value == 0
        {
            let help = "a TTL is a number from 1 to 255";
            self.push(
                "ttl-zero",
                ttl.span,
                "no packet travels with TTL 0",
                "the kernel refuses it",
                help,
            );
        }
    }

    fn probe(&mut self, probe: &Probe) {
        match probe {
            Probe::Ping(ping) => self.ttl(ping.ttl.as_ref()),
            Probe::Arp(_) | Probe::Ndp(_) => {}
            Probe::Frame(frame) => self.not_to_itself(frame),
            Probe::Udp(exchange) | Probe::Tcp(exchange) => {
                self.port(exchange.port.value, exchange.port.span);
                if let Some(from) = &exchange.from_port {
                    self.port(from.value, from.span);
                    self.not_both_ports(from, &exchange.port);
                }
            }
        }
    }

    /// An interface does not hear what it sends.
    fn not_to_itself(&mut self, frame: &RawFrame) {
        if frame.from.value == frame.to.value {
            let message = format!("the frame goes from {} to itself", frame.from);
            let problem = Diagnostic::new("frame-to-itself", frame.to.span, message)
                .label("an interface does not hear what it sends")
                .also(frame.from.span, "sent here")
                .help("send it to the interface of another node");
            self.problems.push(problem);
        }
    }

    /// A socket that asks itself is answered by itself: TCP's simultaneous open, RFC 9293 section
    /// 3.5.
    fn not_both_ports(&mut self, from: &Located<u16>, to: &Located<u16>) {
        if from.value == to.value && from.value != 0 {
            let message = format!("the probe goes from port {from} to the same port");
            let problem = Diagnostic::new("same-port", from.span, message)
                .label("a socket that asks itself is answered by itself")
                .also(to.span, "sent to")
                .help("send from another port, or leave `from-port` out");
            self.problems.push(problem);
        }
    }

    fn expectation(&mut self, expectation: &ProbeExpectation) {
        self.probe(&expectation.probe);
        if let ExpectedFate::Reply(reply) = &expectation.fate {
            let arp = matches!(
                expectation.probe,
                Probe::Arp(_) | Probe::Ndp(_) | Probe::Frame(_)
            );
            let ip = reply.ttl.as_ref().map(|ttl| ("ttl", ttl.span));
            let ip = ip
                .into_iter()
                .chain(reply.source.as_ref().map(|source| ("source", source.span)));
            for (key, span) in ip.filter(|_| arp) {
                let (message, help) = match expectation.probe {
                    Probe::Ndp(_) => (
                        format!("the answer to `ndp` has no `{key}` of its own"),
                        "it never passes a router; `by` says whose MAC address answers",
                    ),
                    Probe::Frame(_) => (
                        format!("the answer to `frame` has no `{key}`"),
                        "it is no packet of IP; `by` says which interface answers",
                    ),
                    _ => (
                        format!("an ARP reply has no `{key}`"),
                        "ARP has no IP header; `by` says whose MAC address answers",
                    ),
                };
                let label = "a field of the IP header";
                self.push("reply-not-in-arp", span, &message, label, help);
            }
            if let Some(by) = reply.by.as_ref().filter(|_| !arp) {
                let message = format!("the reply to `{}` has no `by`", expectation.probe.kind());
                self.push(
                    "reply-only-in-arp",
                    by.span,
                    &message,
                    "only of the answer to `arp`, `ndp` or `frame`",
                    "`source` says which address the far side saw",
                );
            }
            self.ttl(reply.ttl.as_ref());
        }
    }
}
