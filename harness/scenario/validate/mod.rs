//! What can be wrong with a scenario whose every part is well-formed: all of it at once.

mod nodes;
mod shape;

use super::diagnostic::Diagnostic;
use super::model::Scenario;

/// Returns everything that is wrong with a scenario, in the order of the file whose text it is.
pub(crate) fn validate(scenario: &Scenario, text: &str) -> Vec<Diagnostic> {
    let mut problems = nodes::check(scenario, text);
    problems.extend(shape::check(scenario));
    problems.sort_by_key(|problem| problem.span.map(|span| span.start));
    problems
}
