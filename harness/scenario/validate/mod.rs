//! What can be wrong with a scenario whose every part is well-formed: all of it at once.

mod claims;
mod family;
mod intents;
mod nodes;
mod routing;
mod rule;
mod shape;

use super::diagnostic::Diagnostic;
use super::model::Scenario;
use super::probe::Probe;
use super::value::ValueError;

/// Returns everything that is wrong with a scenario, in the order of the file whose text it is.
pub(crate) fn validate(scenario: &Scenario, text: &str) -> Vec<Diagnostic> {
    let mut problems = nodes::check(scenario, text);
    problems.extend(shape::check(scenario));
    problems.extend(family::check(scenario));
    problems.extend(intents::check(scenario));
    problems.sort_by_key(|problem| problem.span.map(|span| span.start));
    problems
}

/// Returns what is wrong with a probe that stands in no file, if anything.
pub(crate) fn probe_problem(probe: &Probe) -> Option<ValueError> {
    let problem = shape::check_probe(probe).into_iter().next()?;
    let help = problem.help.unwrap_or_default();
    Some(ValueError::new(problem.id, problem.message, help))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use crate::scenario::parse;

    /// Returns the ids of what is wrong with a scenario of these items.
    fn ids(items: &[&str]) -> Vec<&'static str> {
        let items: String = items
            .iter()
            .map(|item| format!("      - {item}\n"))
            .collect();
        let text = format!("title: a\nnodes: [web, host]\nsteps:\n  - name: a\n    do:\n{items}");
        let problems = parse("x.yaml", &text).err();
        let problems = problems.iter().flat_map(|problems| problems.problems());
        problems.map(|problem| problem.id).collect()
    }

    #[rstest]
    #[case::added_and_used(&["netns: {add: x}", "up: x/lo"], &[])]
    #[case::deleted_and_added_again(&["netns: {delete: web}", "netns: {add: web}", "up: web/lo"], &[])]
    #[case::used_before(&["up: x/lo", "netns: {add: x}"], &["node-not-yet-added"])]
    #[case::used_behind(&["netns: {delete: web}", "up: web/lo"], &["node-deleted"])]
    #[case::moved_to_nowhere(&["move: {dev: web/eth0, to: x}"], &["undeclared-node"])]
    #[case::added_twice(&["netns: {add: web}"], &["duplicate-node"])]
    #[case::shared(&["netns: {add: x, share: web}", "netns: {delete: web}", "up: x/lo"], &[])]
    #[case::shared_with_nobody(&["netns: {add: x, share: y}"], &["undeclared-node"])]
    #[case::shared_with_itself(&["netns: {add: x, share: x}"], &["node-not-yet-added"])]
    #[case::refused_addition(&["{netns: {add: web}, fails: File exists}"], &[])]
    #[case::refused_deletion(&["{netns: {delete: x}, fails: No such file or directory}"], &[])]
    #[case::refused_is_not_done(&["{netns: {add: x}, fails: a}", "up: x/lo"], &["undeclared-node"])]
    #[case::refused_is_not_undone(&["{netns: {delete: web}, fails: a}", "up: web/lo"], &[])]
    #[case::right_is_not_done(&["{netns: {add: x}, fails: a, right: {netns: {add: y}}}", "up: y/lo"], &["undeclared-node"])]
    #[case::right_uses(&["{up: web/l, fails: a, right: {up: x/lo}}"], &["undeclared-node"])]
    #[case::right_deletes(&["{netns: {delete: x}, fails: a, right: {netns: {delete: y}}}"], &["undeclared-node"])]
    #[case::refused_for_another_reason(&["{up: x/lo, fails: a}"], &["undeclared-node"])]
    fn a_node_has_to_be_there(#[case] items: &[&str], #[case] expected: &[&str]) {
        assert_eq!(ids(items), expected);
    }

    #[rstest]
    #[case::route_away("route: {in: web, delete: default}", &[])]
    #[case::route_by_interface("route: {in: web, add: default, dev: eth0}", &[])]
    #[case::route_to_nowhere("route: {in: web, add: default}", &["route-to-nowhere"])]
    #[case::all_ones("address: {dev: web/lo, add: 10.0.0.1/8, broadcast: +}", &[])]
    #[case::what_is_right_is_checked("{up: web/l, fails: a, right: {route: {in: web, add: default}}}", &["route-to-nowhere"])]
    #[case::inert("{up: web/lo, inert: a}", &[])]
    #[case::inert_for_no_reason("{up: web/lo, inert: ''}", &["bad-text"])]
    #[case::right_without_fails("{up: web/lo, right: {down: web/lo}}", &["right-without-fails"])]
    #[case::right_and_inert("{up: web/l, fails: a, right: {up: web/lo}, inert: a}", &["right-and-inert"])]
    #[case::one_name_in_two_nodes("veth: {add: web/eth0, peer: host/eth0}", &[])]
    #[case::one_name_in_one_node("veth: {add: web/eth0, peer: web/eth0}", &["same-interface-twice"])]
    #[case::both("address: {dev: web/lo, add: 10.0.0.1/8, delete: 10.0.0.1/8}", &["add-or-delete"])]
    #[case::everything("address: {dev: x/lo, delete: '::1', broadcast: '::1'}",
        &["undeclared-node", "ipv6-off", "broadcast-without-add", "wrong-family"])]
    #[case::ipv6_off("route: {in: web, add: default, via: 'fd00::1'}", &["ipv6-off"])]
    #[case::a_way_of_another_ip("route: {in: web, add: 10.0.0.0/8, via: 'fd00::1'}", &["wrong-family"])]
    #[case::a_rule_of_two("filter: {in: web, chain: input, family: ipv4, source: 'fd00::1', then: drop}", &["wrong-family"])]
    #[case::a_protocol_of_another_ip("filter: {in: web, chain: input, protocol: icmpv6, source: 10.0.0.1, then: drop}", &["wrong-family"])]
    #[case::a_rule_of_ipv6("policy: {in: web, chain: input, family: ipv6, to: drop}", &["ipv6-off"])]
    fn keys_fit_together(#[case] item: &str, #[case] expected: &[&str]) {
        assert_eq!(ids(&[item]), expected);
    }
}
