//! What a rule of netfilter may say together.

use super::shape::Shape;
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::operation::{Chain, Conditions, FilterChain, Operation, Rule, Target};
use crate::scenario::value::Span;

/// Checks an operation that appends a rule; any other is right.
pub(super) fn check(shape: &mut Shape, operation: &Operation) {
    match operation {
        Operation::Masquerade(rule) => conditions(shape, &rule.conditions()),
        Operation::Filter(rule) => {
            conditions(shape, &rule.conditions());
            let told = matches!(
                rule.chain.value,
                FilterChain::Prerouting | FilterChain::Postrouting
            );
            if told && rule.then.value == Target::Reject {
                let message = format!(
                    "nothing can be rejected in the chain {}",
                    rule.conditions().chain
                );
                let problem = Diagnostic::new("reject-not-in-chain", rule.then.span, message)
                    .label("the sender would be told")
                    .also(rule.chain.span, "here")
                    .help("write `drop`, or name the chain `input`, `forward` or `output`");
                shape.add(problem);
            }
        }
        Operation::Notrack(rule) => conditions(shape, &rule.conditions()),
        Operation::Snat(rule) => conditions(shape, &rule.conditions()),
        Operation::Dnat(rule) => {
            let of = rule.conditions();
            conditions(shape, &of);
            if let Some(port) = rule.to.port {
                shape.port(port, rule.to.span);
                // A condition on a port asks for the protocol by itself.
                if of.port.is_none() {
                    protocol_with_ports(shape, &of, "the new destination has a port", rule.to.span);
                }
            }
        }
        _ => {}
    }
}

fn conditions(shape: &mut Shape, of: &Conditions<'_>) {
    let pairs = [
        ("input", of.input, "not-input", of.not_input),
        ("out", of.out, "not-out", of.not_out),
    ];
    for (key, is, not_key, is_not) in pairs {
        if let (Some(is), Some(is_not)) = (is, is_not) {
            let message = format!("`{key}` and `{not_key}` stand in one rule");
            let problem = Diagnostic::new("interface-twice", is_not.span, message)
                .label("another than this")
                .also(is.span, "this one")
                .help(format!(
                    "keep one of them: `{key}` already excludes all others"
                ));
            shape.add(problem);
        }
    }
    let (unknown, why, instead) = match of.chain {
        Chain::Output => (
            [("input", of.input), ("not-input", of.not_input)],
            "the node's own packets come in by no interface",
            "out",
        ),
        Chain::Input => (
            [("out", of.out), ("not-out", of.not_out)],
            "packets to the node itself leave by no interface",
            "input",
        ),
        Chain::Prerouting => (
            [("out", of.out), ("not-out", of.not_out)],
            "it is not known yet by which interface they leave",
            "input",
        ),
        Chain::Postrouting => (
            [("input", of.input), ("not-input", of.not_input)],
            "iptables does not know any more by which interface they came",
            "out",
        ),
        Chain::Forward => ([("", None), ("", None)], "", ""),
    };
    for (key, name) in unknown {
        if let Some(name) = name {
            let message = format!("`{key}` cannot stand in a rule of the chain {}", of.chain);
            let problem = Diagnostic::new("interface-not-in-chain", name.span, message)
                .label(why)
                .help(format!(
                    "remove it, name another chain, or match by `{instead}`"
                ));
            shape.add(problem);
        }
    }
    if let Some(port) = of.port {
        shape.port(port.value, port.span);
        protocol_with_ports(shape, of, "the rule matches a port", port.span);
    }
}

fn protocol_with_ports(shape: &mut Shape, of: &Conditions<'_>, what: &str, span: Span) {
    if of.protocol.is_some_and(|protocol| protocol.has_ports()) {
        return;
    }
    let problem = Diagnostic::new(
        "port-without-protocol",
        span,
        format!("{what}, and no protocol that has ports"),
    )
    .label("a port")
    .help("write `protocol: tcp` or `protocol: udp`");
    let problem = match of.protocol {
        Some(protocol) => problem.also(protocol.span, "has no ports"),
        None => problem,
    };
    shape.add(problem);
}
