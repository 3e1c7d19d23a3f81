//! What rules, next hops, neighbours and forwarding entries may say together.

use super::shape::Shape;
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::operation::{Fdb, Neighbour, Operation, PolicyRule, Route};
use crate::scenario::value::{Located, Span};

/// The highest share of the flows that the kernel takes: its field has eight bits.
const WEIGHT_MAX: u16 = 256;

/// Checks an operation that is about the way of packets; any other is right.
pub(super) fn check(shape: &mut Shape, operation: &Operation, span: Span) {
    match operation {
        Operation::PolicyRule(it) => rule(shape, it, span),
        Operation::Neighbour(it) => neighbour(shape, it, span),
        Operation::Fdb(it) => fdb(shape, it, span),
        _ => {}
    }
}

fn only_with_add(shape: &mut Shape, key: &str, span: Span) {
    shape.push(
        "only-with-add",
        span,
        &format!("`{key}` goes only with `add`"),
        "nothing is added here",
        "remove it: what is deleted is known without it",
    );
}

/// Checks the ways of a route that has several.
pub(super) fn ways(shape: &mut Shape, route: &Route) {
    let Some(hops) = &route.nexthops else {
        return;
    };
    if route.add.is_none() {
        only_with_add(shape, "nexthops", hops.span);
    }
    let alone = [
        ("via", route.via.as_ref().map(|it| it.span)),
        ("dev", route.dev.as_ref().map(|it| it.span)),
        ("type", route.kind.as_ref().map(|it| it.span)),
    ];
    for (key, span) in alone {
        if let Some(span) = span {
            let message = format!("`{key}` and `nexthops` stand in one route");
            let problem = Diagnostic::new("nexthops-and-a-way", span, message)
                .label("what becomes of all packets")
                .also(hops.span, "ways for a part of them each")
                .help("remove the one or the other");
            shape.add(problem);
        }
    }
    if hops.len() < 2 {
        shape.push(
            "too-few-nexthops",
            hops.span,
            "the route has not several next hops",
            "a list of at least two",
            "write `via` and `dev` where there is only one way",
        );
    }
    for hop in &hops.value {
        if hop.via.is_none() && hop.dev.is_none() {
            let span = hop.weight.as_ref().map_or(hops.span, |it| it.span);
            shape.push(
                "route-to-nowhere",
                span,
                "the next hop has neither `via` nor `dev`",
                "how to get there is not said",
                "name the gateway, `via: 10.0.0.254`, or the interface, `dev: eth0`",
            );
        }
        if let Some(weight) = &hop.weight
            && !(1..=WEIGHT_MAX).contains(&weight.value)
        {
            shape.push(
                "bad-number",
                weight.span,
                &format!("`{weight}` is not a weight"),
                "a share of the flows",
                &format!("a weight is a number from 1 to {WEIGHT_MAX}"),
            );
        }
    }
}

fn rule(shape: &mut Shape, it: &PolicyRule, span: Span) {
    shape.one_of_add_and_delete("rule", (it.add.as_ref(), it.delete.as_ref()), span);
    let Some(add) = &it.add else {
        let of_add = [
            ("from", it.from.as_ref().map(|it| it.span)),
            ("to", it.to.as_ref().map(|it| it.span)),
            ("iif", it.iif.as_ref().map(|it| it.span)),
            ("table", it.table.as_ref().map(|it| it.span)),
            ("type", it.kind.as_ref().map(|it| it.span)),
        ];
        for (key, span) in of_add {
            if let Some(span) = span {
                only_with_add(shape, key, span);
            }
        }
        return;
    };
    let id = "table-or-type";
    match (&it.table, &it.kind) {
        (Some(table), Some(kind)) => {
            let message = format!("a `{kind}` rule asks no table");
            let problem = Diagnostic::new(id, table.span, message)
                .label("the table")
                .also(kind.span, "because of this")
                .help("remove the one or the other");
            shape.add(problem);
        }
        (None, None) => shape.push(
            id,
            add.span,
            "the rule does not say what it does",
            "`table` or `type` is missing",
            "write the table that it asks, `table: 100`, or `type: prohibit`",
        ),
        _ => {}
    }
}

fn neighbour(shape: &mut Shape, it: &Neighbour, span: Span) {
    shape.one_of_add_and_delete("neighbour", (it.add.as_ref(), it.delete.as_ref()), span);
    if let (Some(lladdr), None) = (&it.lladdr, &it.add) {
        only_with_add(shape, "lladdr", lladdr.span);
    }
    let Some(add) = &it.add else {
        return;
    };
    let id = "lladdr-or-proxy";
    match (&it.lladdr, it.proxy) {
        (Some(lladdr), true) => {
            let message = "`neighbour` says both who answers and where it is";
            let problem = Diagnostic::new(id, lladdr.span, message)
                .label("where the neighbour is")
                .also(add.span, "what the node itself answers for")
                .help("remove `lladdr` or `proxy`");
            shape.add(problem);
        }
        (None, false) => shape.push(
            id,
            add.span,
            "`neighbour` does not say who answers",
            "`lladdr` or `proxy` is missing",
            "write the hardware address, `lladdr: 02:00:00:00:00:01`, or `proxy: true`",
        ),
        _ => {}
    }
}

fn fdb(shape: &mut Shape, it: &Fdb, span: Span) {
    if let (Some(add), Some(append)) = (&it.add, &it.append) {
        let problem = Diagnostic::new("add-or-delete", append.span, "`fdb` adds twice in one item")
            .label("the second time")
            .also(add.span, "the first time")
            .help("begin a new item: one `-` for each operation");
        shape.add(problem);
    }
    let added: Option<&Located<_>> = it.add.as_ref().or(it.append.as_ref());
    shape.one_of_add_and_delete("fdb", (added, it.delete.as_ref()), span);
    if let (None, Some(append)) = (&it.dst, &it.append) {
        shape.push(
            "append-without-dst",
            append.span,
            "a bridge has only one entry for an address",
            "one more entry",
            "name the other end of a tunnel, `dst: 10.0.0.2`, or write `add`",
        );
    }
}
