//! Observation: facts, probes, taps and fates.
//!
//! Invariant: nothing here changes the network. What it sends is probes and fences; what it opens
//! is sockets.

mod attempt;
mod capture;
mod cause;
pub mod facts;
mod fate;
mod frame;
mod identity;
mod matrix;
mod order;
mod probe;
mod quiet;
mod relay;
mod server;
mod tap;
mod target;
mod tunnel;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use capture::{Capture, CapturedFrame, Role, Sink};
pub use cause::{Evidence, Explanation};
pub use fate::Fate;
pub use frame::Direction;
pub use matrix::Cell;
pub use tap::TapError;
pub use tunnel::open_tunnel;
pub use walk::Sighting;

use attempt::Attempt;
use capture::Recorder;
use cause::Moved;
use server::Server;
use tap::Tap;

use crate::implement::OperationError;
use crate::kernel::counters::{Counted, Counters};
use crate::kernel::{KernelError, wait};
use crate::scenario::{Listen, NodeName, Probe};
use crate::world::{Topology, World, WorldError};

/// How often a probe is sent when nothing can be concluded from it, in all.
const ATTEMPTS: u32 = 5;

/// Why nothing could be observed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObserveError {
    /// The kernel refused to show something.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// A node could not be entered.
    #[error(transparent)]
    World(#[from] WorldError),
    /// A tap could not be used.
    #[error(transparent)]
    Tap(#[from] TapError),
    /// The matrix would need more neighbours than the machine has room for.
    #[error(
        "{nodes} nodes that ask for {addresses} addresses could fill the machine's neighbour table, \
         which all its namespaces share (gc_thresh2 is {limit})"
    )]
    TooManyNeighbours {
        /// How many nodes ask.
        nodes: usize,
        /// For how many addresses.
        addresses: usize,
        /// How many neighbours the machine keeps before it throws some away.
        limit: u32,
    },
    /// A probe names a node that is not there.
    #[error("there is no node `{0}` to send from")]
    NoSuchNode(NodeName),
    /// A probe names a port that the node's own socket has.
    #[error("`{node}` cannot send from port {port}: a socket of its own has it")]
    PortInUse {
        /// The node that sends.
        node: NodeName,
        /// The port that it should send from.
        port: u16,
    },
    /// A probe names an interface that is not there, or has no hardware address.
    #[error("there is no interface `{0}` to send on or to")]
    NoSuchLink(crate::scenario::LinkRef),
    /// A probe is sent to an interface that is not there, or has no address.
    #[error("there is no address of `{0}` to send to")]
    NoAddress(crate::scenario::LinkRef),
}

impl ObserveError {
    /// Tells whether the probe names what its scenario does not have, or has otherwise in use.
    pub fn is_of_scenario(&self) -> bool {
        matches!(
            self,
            Self::NoSuchNode(_) | Self::NoSuchLink(_) | Self::NoAddress(_) | Self::PortInUse { .. }
        )
    }

    /// Returns what the kernel said, where it was the kernel that refused.
    pub fn kernel(&self) -> Option<&KernelError> {
        match self {
            Self::Kernel(error) | Self::Tap(TapError::Kernel { source: error, .. }) => Some(error),
            Self::World(error) | Self::Tap(TapError::World(error)) => Some(&error.reason),
            Self::TooManyNeighbours { .. }
            | Self::NoSuchNode(_)
            | Self::NoSuchLink(_)
            | Self::NoAddress(_)
            | Self::PortInUse { .. } => None,
        }
    }
}

/// What was observed of one probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What became of it.
    pub fate: Fate,
    /// Where its packets were seen, in order, in the attempt that decided.
    pub sightings: Vec<Sighting>,
    /// How often it was sent.
    pub attempts: u32,
    /// Why it was sent again, once for each time.
    pub doubts: Vec<String>,
    /// How long all attempts took together, in milliseconds.
    pub ms: f64,
    /// Why it was not answered, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation>,
}

/// Sends probes into a world and watches what becomes of them.
#[derive(Debug, Default)]
pub struct Observer {
    taps: BTreeMap<NodeName, Tap>,
    servers: Vec<Server>,
    /// How many attempts were made; makes tokens and identifiers fresh.
    attempts: u32,
    /// How many ports were tried to send from.
    ports: u32,
    /// How often the machine's neighbour table was full, when last looked at.
    overflows: Option<u64>,
    /// How many rounds of fences were sent.
    round: u64,
    /// What the kernel counts in each node.
    counters: BTreeMap<NodeName, Counters>,
    /// How many frames this processor had dropped when the attempt began.
    backlog_dropped: u64,
    /// Hands on what the taps saw, where somebody wants it.
    recorder: Option<Recorder>,
}

impl Observer {
    /// Makes an observer that has opened nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes an observer that hands on what its taps see, attempt by attempt.
    pub fn recording(sink: Sink) -> Self {
        Self {
            recorder: Some(Recorder::new(sink)),
            ..Self::default()
        }
    }

    /// Runs a server in a node from now on.
    ///
    /// # Errors
    ///
    /// The kernel's refusal, such as `EADDRINUSE`.
    pub fn listen(&mut self, world: &World, operation: &Listen) -> Result<(), OperationError> {
        self.servers.extend(Server::open(world, operation)?);
        Ok(())
    }

    /// Closes everything in a node, which its sockets would otherwise keep alive.
    pub fn forget(&mut self, node: &NodeName) {
        self.taps.remove(node);
        self.counters.remove(node);
        self.servers.retain(|server| server.node() != node);
    }

    /// Follows a node that goes on under another name.
    pub fn rename(&mut self, node: &NodeName, to: &NodeName) {
        // It is opened again, under the other name, when it is needed.
        self.taps.remove(node);
        self.counters.remove(node);
        for server in &mut self.servers {
            if server.node() == node {
                server.rename(to);
            }
        }
    }

    /// Sends a probe and says what became of it; again, with fresh identifiers, where nothing can
    /// be concluded.
    ///
    /// # Errors
    ///
    /// A node or interface that is not there, or the kernel's refusal to let it be watched.
    pub async fn probe(
        &mut self,
        world: &World,
        topology: &Topology,
        probe: &Probe,
    ) -> Result<Record, ObserveError> {
        let probe = &target::addressed(world, topology, probe).await?;
        let (record, _) = self.send_until_sure(world, topology, probe).await?;
        Ok(record)
    }

    /// Sends a probe, says what became of it, and why where it was not answered.
    ///
    /// # Errors
    ///
    /// As [`Observer::probe`].
    pub async fn probe_and_explain(
        &mut self,
        world: &World,
        topology: &Topology,
        probe: &Probe,
    ) -> Result<Record, ObserveError> {
        for node in world.nodes() {
            if !self.counters.contains_key(node.name()) {
                let counters = node.enter(Counters::open)??;
                self.counters.insert(node.name().clone(), counters);
            }
        }
        let probe = &target::addressed(world, topology, probe).await?;
        let (mut record, attempt) = self.send_until_sure(world, topology, probe).await?;
        record.explanation = cause::explain(self, world, topology, probe, &attempt).await?;
        Ok(record)
    }

    async fn send_until_sure(
        &mut self,
        world: &World,
        topology: &Topology,
        probe: &Probe,
    ) -> Result<(Record, Attempt), ObserveError> {
        let begun = std::time::Instant::now();
        let mut doubts = Vec::new();
        loop {
            if let Some(recorder) = &mut self.recorder {
                recorder.begin(probe, doubts.len() as u32 + 1);
            }
            let attempt = self.attempt(world, topology, probe).await?;
            if !attempt.wait.is_zero() && doubts.len() + 1 < ATTEMPTS as usize {
                // What is waited for is the clock: the kernel counts by it, and tells nobody.
                let until = std::time::Instant::now() + attempt.wait;
                wait::until_readable([], until).map_err(KernelError::from_errno)?;
            }
            let (fate, again) = match attempt.fate.clone() {
                Fate::Inconclusive { why } => {
                    doubts.push(why.clone());
                    let again = doubts.len() < ATTEMPTS as usize;
                    (Fate::Inconclusive { why }, again)
                }
                fate => (fate, false),
            };
            if !again {
                let repeated = doubts.len() as u32;
                let attempts = if matches!(fate, Fate::Inconclusive { .. }) {
                    repeated
                } else {
                    repeated + 1
                };
                let record = Record {
                    fate,
                    sightings: attempt.sightings.clone(),
                    attempts,
                    doubts,
                    ms: begun.elapsed().as_secs_f64() * 1e3,
                    explanation: None,
                };
                return Ok((record, attempt));
            }
        }
    }

    /// Opens the taps that are missing and empties the others.
    fn prepare_taps(&mut self, world: &World) -> Result<(), ObserveError> {
        for node in world.nodes() {
            if !self.taps.contains_key(node.name()) {
                self.taps.insert(node.name().clone(), Tap::open(node)?);
            }
        }
        for tap in self.taps.values_mut() {
            tap.drain(&mut |frame| {
                if let Some(recorder) = &mut self.recorder
                    && quiet::round_of(&frame.bytes).is_none()
                {
                    recorder.take_before(frame);
                }
            })?;
        }
        self.backlog_dropped = crate::kernel::backlog::dropped()?;
        Ok(())
    }

    fn read_counters(&self) -> Result<BTreeMap<NodeName, Counted>, KernelError> {
        self.counters
            .iter()
            .map(|(name, counters)| Ok((name.clone(), counters.read()?)))
            .collect()
    }

    /// Reads the counters of nodes again. Of those that are not `involved`, none has moved: what a
    /// node counts of a probe, its tap sees, or that of the tunnel that leads to it.
    fn moved_since(
        &self,
        before: BTreeMap<NodeName, Counted>,
        involved: &BTreeSet<&NodeName>,
    ) -> Result<Moved, KernelError> {
        let mut moved = Moved::new();
        for (name, before) in before {
            if let Some(counters) = self
                .counters
                .get(&name)
                .filter(|_| involved.contains(&name))
            {
                moved.insert(name, (before, counters.read()?));
            }
        }
        Ok(moved)
    }

    /// Lets every server serve those who wait; tells whether there were any.
    fn serve(&self) -> bool {
        let mut served = false;
        for server in &self.servers {
            served |= server.serve();
        }
        served
    }
}
