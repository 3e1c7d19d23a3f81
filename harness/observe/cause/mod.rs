//! Why a packet died, from evidence.
//!
//! Where a probe's packet was seen last says which part of the kernel had it: a wire, a bridge, the
//! routing of a node, a socket. That part is gone through in the kernel's own order, with what the
//! kernel shows of itself: interfaces, rules, routes, neighbours, settings, counters, and a trace of
//! rules where there are any. Nothing here knows what was expected.
//!
//! A cause that the evidence speaks against is not named. What is left is `unexplained`, with what
//! was excluded.

mod bridge;
mod frame;
mod legacy;
mod neighbour;
mod packet;
mod restored;
mod routing;
mod rules;
mod segment;
mod sender;
mod stale;
mod station;
mod tunnel;
mod wire;

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use self::packet::Packet;
pub(super) use self::stale::{Tracked, tracked};
use super::attempt::Attempt;
use super::fate::Fate;
use super::frame::{Direction, Frame};
use super::walk::Walk;
use super::{ObserveError, Observer};
use crate::kernel::counters::Counted;
use crate::kernel::sysctl;
use crate::scenario::{Cause, HOST, Leg, LinkRef, NodeName, Place, Probe};
use crate::world::{Node, Topology, World, deadline};

/// Why a packet died.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The cause.
    pub cause: Cause,
    /// Where it works.
    pub at: Place,
    /// What happened there, in one sentence.
    pub why: String,
    /// What shows it; for `unexplained`, what was looked at and excluded.
    pub evidence: Vec<Evidence>,
    /// The command that would mend it, as it is typed in `host`.
    pub mend: Option<String>,
    /// The rule was found by sending the probe once more, with a trace.
    pub replayed: bool,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Where it was looked for: a setting, a counter, a table.
    pub what: String,
    /// What was found there.
    pub found: String,
}

/// How often each node's counters moved: before and after the attempt.
pub(super) type Moved = BTreeMap<NodeName, (Counted, Counted)>;

/// What an attempt left behind, and the world in which it did.
pub(super) struct Scene<'a> {
    pub(super) world: &'a World,
    pub(super) topology: &'a Topology,
    pub(super) probe: &'a Probe,
    pub(super) walk: &'a Walk,
    pub(super) frames: &'a [Frame],
    pub(super) moved: &'a Moved,
    pub(super) tracked: &'a Tracked,
}

/// An explanation in the making: what was found on the way to it.
#[derive(Debug, Default)]
pub(super) struct Search {
    evidence: Vec<Evidence>,
    excluded: Vec<Evidence>,
}

impl Search {
    /// Notes what speaks for the cause that will be named.
    pub(super) fn found(&mut self, what: impl Into<String>, found: impl Into<String>) {
        self.evidence.push(Evidence {
            what: what.into(),
            found: found.into(),
        });
    }

    /// Notes what speaks against a cause.
    pub(super) fn excluded(&mut self, what: impl Into<String>, found: impl Into<String>) {
        self.excluded.push(Evidence {
            what: what.into(),
            found: found.into(),
        });
    }

    /// Names the cause.
    pub(super) fn name(
        &mut self,
        cause: Cause,
        at: impl Into<Place>,
        why: impl Into<String>,
        mend: Option<String>,
    ) -> Explanation {
        Explanation {
            cause,
            at: at.into(),
            why: why.into(),
            evidence: std::mem::take(&mut self.evidence),
            mend,
            replayed: false,
        }
    }

    /// Counts what was excluded as evidence: for a cause that nothing else speaks for.
    pub(super) fn by_exclusion(&mut self) {
        self.evidence
            .splice(..0, std::mem::take(&mut self.excluded));
    }

    fn unexplained(self, at: Place) -> Explanation {
        let mut evidence = self.excluded;
        evidence.extend(self.evidence);
        Explanation {
            cause: Cause::Unexplained,
            at,
            why: "nothing that was looked at explains it".to_owned(),
            evidence,
            mend: None,
            replayed: false,
        }
    }
}

impl Scene<'_> {
    pub(super) fn node(&self, name: &NodeName) -> Result<&Node, ObserveError> {
        self.world
            .node(name)
            .ok_or_else(|| ObserveError::NoSuchNode(name.clone()))
    }

    /// Reads a setting in a node; none where the kernel does not have it.
    pub(super) fn setting(
        &self,
        node: &NodeName,
        path: &str,
    ) -> Result<Option<String>, ObserveError> {
        let read = self.node(node)?.enter(|| sysctl::read(path))?;
        Ok(read.ok())
    }

    /// Returns by how much a counter of a node has moved.
    pub(super) fn moved(&self, node: &NodeName, counter: &str) -> u64 {
        self.moved
            .get(node)
            .map_or(0, |(before, after)| after.since(before, counter))
    }

    /// Finds the interface that has an address.
    pub(super) async fn owner(&self, ip: IpAddr) -> Result<Option<LinkRef>, ObserveError> {
        for node in self.world.nodes() {
            let addresses = node.route().addresses().await?;
            if let Some(found) = addresses.iter().find(|it| it.address == ip) {
                return Ok(packet::link_ref(self.topology, node.name(), found.link));
            }
        }
        Ok(None)
    }
}

/// Begins a command in a node, as it is typed in `host`.
pub(super) fn in_node(node: &NodeName, command: &str) -> String {
    match (node.as_str() == HOST, command.split_once(' ')) {
        (true, _) => command.to_owned(),
        (false, Some((tool @ ("ip" | "bridge"), rest))) => format!("{tool} -n {node} {rest}"),
        (false, _) => format!("ip netns exec {node} {command}"),
    }
}

/// Writes a setting in the manner of sysctl(8), where a dot in an interface's name is a slash.
pub(super) fn key(path: &str) -> String {
    path.chars()
        .map(|c| match c {
            '/' => '.',
            '.' => '/',
            c => c,
        })
        .collect()
}

/// Says why a probe came to its end; nothing if it was answered, or if nothing is known of it.
pub(super) async fn explain(
    observer: &mut Observer,
    world: &World,
    topology: &Topology,
    probe: &Probe,
    attempt: &Attempt,
) -> Result<Option<Explanation>, ObserveError> {
    let scene = Scene {
        world,
        topology,
        probe,
        walk: &attempt.walk,
        frames: &attempt.frames,
        moved: &attempt.moved,
        tracked: &attempt.tracked,
    };
    let mut search = Search::default();
    if matches!(attempt.fate, Fate::Lost { .. }) && attempt.walk.ends_at_process(topology) {
        // What a process does with a packet, nothing shows.
        for (step, taker) in attempt.walk.takers(topology) {
            let Some(at) = packet::link_ref(topology, &step.frame.node, step.frame.link) else {
                continue;
            };
            search.found(
                format!("who takes packets at {at}"),
                format!(
                    "{} (process {}), which sent nothing on for {} ms",
                    taker.name,
                    taker.process,
                    deadline::KEPT.as_millis()
                ),
            );
        }
        let Fate::Lost { after, .. } = &attempt.fate else {
            return Ok(None);
        };
        return Ok(Some(search.unexplained(after.clone())));
    }
    let explained = match &attempt.fate {
        Fate::Reply { .. } | Fate::Inconclusive { .. } => return Ok(None),
        Fate::Rejected { how, by } => {
            sender::rejected(observer, &scene, &mut search, *how, by).await?
        }
        Fate::Lost { after, leg, .. } => lost(observer, &scene, &mut search, after, *leg).await?,
    };
    let explained = match explained {
        Some(found) => Some(found),
        None => legacy::by_exclusion(&scene, &mut search, &attempt.fate)?,
    };
    let at = match &attempt.fate {
        Fate::Rejected { by, .. } => Place::Node(by.clone()),
        Fate::Lost { after, .. } => after.clone(),
        _ => Place::Node(probe.from().clone()),
    };
    Ok(Some(explained.unwrap_or_else(|| search.unexplained(at))))
}

async fn lost(
    observer: &mut Observer,
    scene: &Scene<'_>,
    search: &mut Search,
    after: &Place,
    leg: Leg,
) -> Result<Option<Explanation>, ObserveError> {
    if let Probe::Arp(ask) | Probe::Ndp(ask) = scene.probe {
        let link = &ask.from.value;
        return neighbour::asked(
            observer,
            scene,
            search,
            link,
            ask.to.value,
            scene.walk,
            false,
        )
        .await;
    }
    if let Probe::Frame(raw) = scene.probe {
        return frame::lost(observer, scene, search, raw, leg).await;
    }
    let Place::Link(_) = after else {
        return sender::never_seen(observer, scene, search).await;
    };
    let ends: Vec<Packet> = scene
        .walk
        .end_steps(leg, scene.topology)
        .into_iter()
        .filter_map(|step| Packet::new(step, scene.topology))
        .collect();
    for packet in &ends {
        let found = match packet.direction {
            Direction::Out => match tunnel::not_sent(observer, scene, search, packet).await? {
                Some(found) => Some(found),
                None => match wire::after_sending(scene, search, packet)? {
                    // Rules of its own are between a bridge's interface and its ports.
                    None if packet.is_on_bridge(scene.topology) => {
                        rules::ask(observer, scene, search, &packet.on.node, packet).await?
                    }
                    found => found,
                },
            },
            Direction::In => match packet.master {
                Some(master) => bridge::at_port(observer, scene, search, packet, master).await?,
                None => station::arrived(observer, scene, search, packet).await?,
            },
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}
