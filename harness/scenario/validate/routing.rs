//! What neighbours and forwarding entries may say together.

use super::shape::Shape;
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::operation::{Fdb, Neighbour, Operation};
use crate::scenario::value::{Located, Span};

/// Checks an operation that is about the way of packets; any other is right.
pub(super) fn check(shape: &mut Shape, operation: &Operation, span: Span) {
    match operation {
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

fn neighbour(shape: &mut Shape, it: &Neighbour, span: Span) {
    shape.one_of_add_and_delete("neighbour", (it.add.as_ref(), it.delete.as_ref()), span);
    for address in it.add.iter().chain(&it.delete) {
        shape.ipv4(address.value, address.span);
    }
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
    if let Some(dst) = &it.dst {
        shape.ipv4(dst.value, dst.span);
    } else if let Some(append) = &it.append {
        shape.push(
            "append-without-dst",
            append.span,
            "a bridge has only one entry for an address",
            "one more entry",
            "name the other end of a tunnel, `dst: 10.0.0.2`, or write `add`",
        );
    }
}
