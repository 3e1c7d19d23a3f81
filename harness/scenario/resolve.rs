//! An expectation with each node under the name that is asked for.

use super::expectation::ProbeExpectation;
use super::fate::{ExpectedFate, Sighting};
use super::name::{LinkRef, NodeName, Place};
use super::probe::{Probe, SentTo};

impl ProbeExpectation {
    /// Returns the same expectation with each node under the name that `first` gives for it, such
    /// as the first of several names of one node.
    pub fn with_nodes(&self, first: &dyn Fn(&NodeName) -> NodeName) -> Self {
        let mut expectation = self.clone();
        let node = |name: &mut NodeName| *name = first(name);
        let link = |link: &mut LinkRef| link.node = first(&link.node);
        let to = |to: &mut SentTo| {
            if let SentTo::Link(of) = to {
                link(of);
            }
        };
        match &mut expectation.probe {
            Probe::Ping(ping) => {
                node(&mut ping.from.value);
                to(&mut ping.to.value);
            }
            Probe::Arp(ask) | Probe::Ndp(ask) => link(&mut ask.from.value),
            Probe::Udp(exchange) | Probe::Tcp(exchange) => {
                node(&mut exchange.from.value);
                to(&mut exchange.to.value);
            }
            Probe::Frame(frame) => {
                link(&mut frame.from.value);
                link(&mut frame.to.value);
            }
        }
        match &mut expectation.fate {
            ExpectedFate::Reply(reply) => {
                if let Some(by) = &mut reply.value.by {
                    link(&mut by.value);
                }
            }
            ExpectedFate::Rejected(rejection) => node(&mut rejection.value.by.value),
            ExpectedFate::Lost(loss) => match &mut loss.value.after.value {
                Place::Node(name) => node(name),
                Place::Link(on) => link(on),
            },
            ExpectedFate::Unanswered(_) => {}
        }
        let sightings = expectation.seen.iter_mut();
        for Sighting { on, .. } in sightings.chain(&mut expectation.not_seen) {
            link(&mut on.value);
        }
        expectation
    }
}
