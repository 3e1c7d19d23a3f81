//! A question in place of a run: one probe, in the world as it is after a step.

use super::conductor::{Conductor, Stop, send};
use super::event::{Blame, Event};
use crate::observe::ObserveError;
use crate::scenario::{
    Expectation, FactKind, LinkRef, NodeName, Question, Scenario, Step, suggest,
};
use crate::world::{Topology, World};

impl Conductor<'_> {
    /// Carries the scenario out up to a step, sends the probe that is asked about, and tells what
    /// became of it.
    pub(super) async fn answer(
        &mut self,
        world: &mut World,
        scenario: &Scenario,
        question: &Question,
    ) -> Result<(), Stop> {
        self.begin_step("as given", None)?;
        self.apply(world, &scenario.given).await?;
        for (at, step) in scenario.steps.iter().enumerate().take(question.step) {
            self.step = at + 1;
            self.begin_step(&step.name, step.why.as_ref())?;
            self.apply(world, &step.operations).await?;
            let topology = world.settle().await?;
            self.repeat_probes(world, &topology, step).await?;
        }
        let topology = world.settle().await?;
        let probe = &question.probe;
        match self
            .observer
            .probe_and_explain(world, &topology, probe)
            .await
        {
            Ok(record) => {
                send(&Event::probe(self.scenario, self.step, probe, &record))?;
                send(&Event::Answer {
                    scenario: self.scenario.to_owned(),
                    step: self.step,
                    probe: probe.to_string(),
                    observed: record.fate.to_string(),
                })?;
            }
            Err(ObserveError::NoSuchLink(link)) => send(&self.no_such_link(&link, &topology))?,
            Err(error @ ObserveError::PortInUse { .. }) => send(&Event::Failure {
                scenario: self.scenario.to_owned(),
                step: self.step,
                blame: Blame::Asker,
                message: error.to_string(),
                help: Some("send from another port".to_owned()),
            })?,
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Sends what a run sends in this step, and judges none of it: neighbours, bridges and
    /// connection tracking remember it, and the answer must be that of a run.
    async fn repeat_probes(
        &mut self,
        world: &World,
        topology: &Topology,
        step: &Step,
    ) -> Result<(), Stop> {
        for expectation in step.expectations.iter().filter_map(Expectation::probe) {
            let probe = &expectation.probe;
            match self.observer.probe(world, topology, probe).await {
                // That it cannot be sent is for a run to tell.
                Err(error) if !error.is_of_scenario() => return Err(error.into()),
                Ok(_) | Err(_) => {}
            }
        }
        if step
            .snapshot
            .iter()
            .any(|kind| kind.value == FactKind::Reachability)
        {
            self.observer.matrix(world, topology, &mut |_| {}).await?;
        }
        Ok(())
    }

    fn no_such_link(&self, link: &LinkRef, topology: &Topology) -> Event {
        let LinkRef { node, ifname } = link;
        let names: Vec<&str> = names_in(node, topology);
        Event::Failure {
            scenario: self.scenario.to_owned(),
            step: self.step,
            blame: Blame::Asker,
            message: format!(
                "there is no interface `{ifname}` in {node} that has a hardware address"
            ),
            help: Some(suggest::help(ifname.as_str(), &names)),
        }
    }
}

/// The interfaces of a node that have a hardware address.
fn names_in<'a>(node: &NodeName, topology: &'a Topology) -> Vec<&'a str> {
    let links = topology.links_of(node).iter();
    links
        .filter(|link| link.mac.is_some())
        .map(|link| link.name.as_str())
        .collect()
}
