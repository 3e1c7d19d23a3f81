//! What items say of claims, and of the tables that decide many of them.

use std::collections::BTreeMap;

use super::shape::Shape;
use crate::scenario::claim::Claims;
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::fact::FactExpectation;
use crate::scenario::operation::Item;

/// Checks what one item says of claims.
pub(super) fn check(shape: &mut Shape, claims: &Claims) {
    let mut listed = BTreeMap::new();
    for id in &claims.hold {
        if let Some(first) = listed.insert(&id.value, id.span) {
            let problem = Diagnostic::new("duplicate-claim", id.span, format!("{id} stands twice"))
                .label("the second time")
                .also(first, "the first time")
                .help("remove one of the two");
            shape.add(problem);
        }
    }
    for (id, instead) in &claims.refuted {
        shape.text("refutes", instead);
        if let Some(holds) = listed.get(id) {
            let message = format!("{id} cannot both hold and not hold");
            let problem = Diagnostic::new("claim-both-ways", instead.span, message)
                .label("what happens instead")
                .also(*holds, "it holds")
                .help("decide it: remove it from `claims` or from `refutes`");
            shape.add(problem);
        }
    }
}

/// Checks that nothing is claimed of what is only given.
pub(super) fn check_given(shape: &mut Shape, item: &Item) {
    let first = item.claims.hold.first().map(|id| id.span);
    let refuted = item.claims.refuted.values().next().map(|text| text.span);
    if let Some(span) = first.or(refuted) {
        shape.push(
            "claim-in-given",
            span,
            "what is given decides no claim",
            "a claim",
            "move the operation to a step; what is given is not under test",
        );
    }
}

/// Checks the lines that a table is to show.
pub(super) fn table(shape: &mut Shape, fact: &FactExpectation) {
    let word = fact.kind.word();
    let (example, help) = (
        format!("{word}: {{in: {}, are: []}}", fact.table.node),
        format!(
            "write all lines under `are`, as a snapshot of `{word}` shows them, or some under `have`"
        ),
    );
    match &fact.table.are {
        Some(are) if !fact.table.have.is_empty() => {
            let message = format!("`{word}` has both `are` and `have`");
            shape.push("are-or-have", are.span, &message, "all lines", &help);
        }
        None if fact.table.have.is_empty() => {
            let message = format!("`{word}` says nothing of what is in it");
            let help = format!("{help}; where there is nothing: `{example}`");
            shape.push("are-or-have", fact.span, &message, "no line", &help);
        }
        _ => {}
    }
    let all = fact.table.are.iter().flat_map(|are| &are.value);
    for line in all.chain(&fact.table.have) {
        shape.text(word, line);
    }
}
