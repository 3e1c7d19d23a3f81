//! A scenario as a shell script: the commands that its operations stand for, in order, with all that
//! it says beside them as comments.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::expectation::Expectation;
use super::lower::Lowering;
use super::model::{FactKind, Scenario, Step};
use super::name::NodeName;
use super::operation::{HOST, Item, Netns, Operation, word};

/// What every script begins with, behind the title. It changes addresses, routes and namespaces of
/// wherever it runs, so it insists on a place where nothing is yet.
const GUARD: &str = r#"# For a network namespace that is thrown away, never for the machine itself:
#
#     unshare --user --map-root-user --net --mount --pid --fork --mount-proc \
#         sh -c 'mount -t tmpfs run /run && exec sh "$1"' sh SCRIPT
#
# A new namespace takes over settings of the machine, such as whether it forwards. `netproof run`
# pins them; this script does not.
set -eu

if [ "$(readlink /proc/1/ns/net)" != "$(readlink /proc/self/ns/net)" ]; then
    echo "$0: process 1 is in another network namespace: run it as its first lines say" >&2
    exit 1
fi
if [ -n "$(ip -o link show up)" ] || [ -n "$(ls -A /run/netns 2>/dev/null)" ]; then
    echo "$0: something is set up here already: run it as its first lines say" >&2
    exit 1
fi
"#;

/// What a script for `netproof judge` begins with, behind the title.
const GOAL: &str = r#"# For the world of `netproof judge`, never for the machine itself:
#
#     netproof judge SCENARIO -- sh SCRIPT
#
# Nodes, servers, and what is given are there already.
set -eu

if [ -z "${NETPROOF_NODES:-}" ]; then
    echo "$0: this is no world of netproof: run it as its first lines say" >&2
    exit 1
fi
"#;

impl Scenario {
    /// Writes the scenario as a POSIX shell script that builds its network with `ip`, `sysctl`,
    /// `iptables` and `ip6tables`, and stops where a command comes out otherwise than the scenario says.
    ///
    /// What is expected of packets stands in it as comments.
    ///
    /// ```
    /// # let text = "
    /// # title: A wire
    /// # nodes: [web]
    /// # steps:
    /// #   - name: s
    /// #     do:
    /// #       - up: web/lo
    /// # ";
    /// let scenario = netproof::scenario::parse("wire.yaml", text)?;
    /// assert!(scenario.script().contains("\nip -n web link set lo up\n"));
    /// # Ok::<(), netproof::scenario::Diagnostics>(())
    /// ```
    pub fn script(&self) -> String {
        let mut script = self.begin_script();
        script.text += GUARD;
        let made: Vec<_> = self
            .nodes
            .iter()
            .filter(|node| node.as_str() != HOST)
            .collect();
        let host_has_ipv6 = script.with_ipv6.iter().any(|node| node.as_str() == HOST);
        if !made.is_empty() || !self.given.is_empty() || host_has_ipv6 {
            script.heading("Given");
        }
        if host_has_ipv6 {
            script.line(&with_ipv6(""));
        }
        for node in made {
            script.line(&format!("ip netns add {node}"));
            script.switch_ipv6_on(node);
        }
        script.items(&self.given);
        for (at, step) in self.steps.iter().enumerate() {
            script.step(at + 1, step);
        }
        script.text
    }

    /// Writes what the steps up to this one do as a shell script for `netproof judge`, whose world has the
    /// nodes, and what is given, already; servers and the other ends of tunnels come after it.
    pub fn goal_script(&self, step: usize) -> String {
        let mut script = self.begin_script();
        script.text += GOAL;
        script.for_judge = true;
        for (at, step) in self.steps.iter().enumerate().take(step) {
            script.step(at + 1, step);
        }
        script.text
    }

    fn begin_script(&self) -> Script<'_> {
        let mut script = Script {
            with_ipv6: self.ipv6.iter().map(|node| &node.value).collect(),
            ..Script::default()
        };
        script.text += "#!/bin/sh\n";
        script.comment(&self.title);
        if let Some(source) = &self.source {
            script.comment(&format!("Source: {source}"));
        }
        script.comment("");
        script
    }
}

/// The command that switches IPv6 on, for interfaces that are there and that will come.
fn with_ipv6(exec: &str) -> String {
    format!("{exec}sysctl -w net.ipv6.conf.all.disable_ipv6=0")
}

#[derive(Default)]
struct Script<'a> {
    text: String,
    /// The nodes that have IPv6 on.
    with_ipv6: BTreeSet<&'a NodeName>,
    /// The networks that are there.
    lowering: Lowering,
    /// What the harness does in any case is left out.
    for_judge: bool,
}

impl Script<'_> {
    fn switch_ipv6_on(&mut self, node: &NodeName) {
        if self.with_ipv6.contains(node) {
            self.line(&with_ipv6(&format!("ip netns exec {node} ")));
        }
    }

    fn line(&mut self, line: &str) {
        let _ = writeln!(self.text, "{line}");
    }

    /// Writes text that the shell must not read, whatever is in it.
    fn comment(&mut self, text: &str) {
        let text = text.replace(char::is_control, " ");
        self.line(format!("# {text}").trim_end());
    }

    fn heading(&mut self, text: &str) {
        self.line("");
        self.comment(&format!("--- {text}"));
    }

    fn step(&mut self, number: usize, step: &Step) {
        self.heading(&format!("Step {number}: {}", step.name));
        self.items(&step.operations);
        if !step.observe.is_empty() {
            self.comment("Look at:");
        }
        for observation in &step.observe {
            self.comment(&format!("  {observation}"));
        }
        if !step.expectations.is_empty() {
            self.comment("Now:");
        }
        for expectation in &step.expectations {
            self.expectation(expectation);
        }
        if !step.snapshot.is_empty() {
            let kinds: Vec<&str> = step
                .snapshot
                .iter()
                .map(|kind: &super::Located<FactKind>| kind.value.word())
                .collect();
            self.comment(&format!("Snapshot: {}", kinds.join(", ")));
        }
    }

    fn items(&mut self, items: &[Item]) {
        for item in items {
            self.item(item);
        }
    }

    /// Writes what an intent comes to where it is lowered.
    fn intent(&mut self, item: &Item) {
        self.comment(&format!("{}:", item.operation.command()));
        match self.lowering.lower(&item.operation) {
            Ok(operations) if item.fails.is_none() => {
                for operation in operations {
                    self.line(&operation.command());
                }
            }
            Ok(operations) => {
                self.lowering.abandon(&item.operation);
                self.comment("One of these is refused:");
                for operation in operations {
                    self.comment(&format!("  {}", operation.command()));
                }
            }
            Err(refusal) => self.comment(&format!("Refused: {refusal}")),
        }
    }

    fn item(&mut self, item: &Item) {
        if item.operation.is_intent() {
            return self.intent(item);
        }
        // Deleting a node takes its endpoints with it.
        let _ = self.lowering.lower(&item.operation);
        let command = item.operation.command();
        if self.for_judge && matches!(item.operation, Operation::Listen(_) | Operation::Tunnel(_)) {
            return self.comment(&format!("netproof's own: {command}"));
        }
        if let Operation::Tunnel(_) = item.operation {
            self.comment("Whatever holds the other end of the device does as well.");
        }
        if let Operation::Listen(listen) = &item.operation {
            self.comment(match listen.ethertype {
                None => "A server; any other on that port does as well.",
                Some(_) => "netproof sends such frames back; this shows them, and does not.",
            });
        }
        let Some(reason) = &item.fails else {
            self.line(&command);
            if let Operation::Netns(Netns {
                add: Some(node),
                share: None,
                ..
            }) = &item.operation
            {
                self.switch_ipv6_on(node);
            }
            return;
        };
        self.comment(&format!("Refused: {reason}"));
        // In the background nothing could be refused.
        let command = command.trim_end_matches(" &");
        let complaint = word(&format!("not refused: {command}")).into_owned();
        self.line(&format!("if {command}; then"));
        self.line(&format!("    echo {complaint} >&2"));
        self.line("    exit 1");
        self.line("fi");
    }

    fn expectation(&mut self, expectation: &Expectation) {
        self.comment(&format!("  {expectation}"));
        let Some(expectation) = expectation.probe() else {
            return;
        };
        for sighting in &expectation.seen {
            self.comment(&format!("    seen: {sighting}"));
        }
        for sighting in &expectation.not_seen {
            self.comment(&format!("    not seen: {sighting}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::scenario::parse;

    fn script(text: &str) -> String {
        parse("s.yaml", text).unwrap().script()
    }

    #[test]
    fn what_is_refused_ends_the_script_when_it_is_not() {
        let text = "
title: t
nodes: [host, web]
steps:
  - name: s
    do:
      - up: web/br0
        fails: No such device
";
        let expected = "\
# --- Step 1: s
# Refused: No such device
if ip -n web link set br0 up; then
    echo 'not refused: ip -n web link set br0 up' >&2
    exit 1
fi
";
        assert!(script(text).ends_with(expected), "{}", script(text));
    }

    #[test]
    fn only_a_node_other_than_host_is_made() {
        let text = "title: t\nnodes: [host, web]\nsteps: [{name: s, do: [up: host/lo]}]";
        let script = script(text);
        assert!(script.contains("\nip netns add web\n"), "{script}");
        assert!(!script.contains("netns add host"), "{script}");
    }

    #[test]
    fn ipv6_is_switched_on_where_it_is_to_be() {
        let text = "title: t\nnodes: [host, web, a]\nipv6: [host, web, late]
steps: [{name: s, do: [netns: {add: late}]}]";
        let script = script(text);
        let lines: Vec<&str> = script
            .lines()
            .filter(|line| line.contains("ip netns add") || line.contains("disable_ipv6"))
            .collect();
        let on = "sysctl -w net.ipv6.conf.all.disable_ipv6=0";
        let expected = [
            on,
            "ip netns add web",
            &format!("ip netns exec web {on}"),
            "ip netns add a",
            "ip netns add late",
            &format!("ip netns exec late {on}"),
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn nothing_that_a_scenario_says_is_read_as_shell() {
        let text = "title: $(reboot)
nodes: [host]
steps: [{name: '`reboot`', do: [bridge: {add: 'host/$(reboot)'}]}]";
        let script = script(text);
        let outside: Vec<&str> = script
            .lines()
            .filter(|line| line.contains("reboot") && !line.starts_with('#'))
            .collect();
        assert_eq!(outside, ["ip link add '$(reboot)' type bridge"]);
    }

    #[test]
    fn expectations_are_words_beside_the_commands() {
        let text = "
title: t
nodes: [web]
steps:
  - name: s
    expect:
      - ping: {from: web, to: 10.0.0.1}
        lost: {after: web/eth0}
        seen: [{on: web/eth0, source: 10.0.0.2}]
        not-seen: [{on: web/eth0, leg: reply}]
    snapshot: [routes, links]
";
        let expected = "\
# --- Step 1: s
# Now:
#   ping from web to 10.0.0.1: lost after web/eth0
#     seen: request on web/eth0 from 10.0.0.2
#     not seen: reply on web/eth0
# Snapshot: routes, links
";
        assert!(script(text).ends_with(expected), "{}", script(text));
    }
}
