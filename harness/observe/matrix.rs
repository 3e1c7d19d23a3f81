//! The reachability matrix: a ping from every node to every address.

use std::collections::BTreeMap;

use super::facts::{Facts, askable_addresses, shared_names};
use super::{ObserveError, Observer, Record};
use crate::scenario::{FactKind, Located, NodeName, Ping, Probe, SentTo};
use crate::world::{Topology, World};

/// One cell of the matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// The node that asked.
    pub from: NodeName,
    /// The ping.
    pub probe: Probe,
    /// What became of it.
    pub record: Record,
}

impl Observer {
    /// Pings every address of the world from every node. Hands each cell to `take` as it is known.
    ///
    /// # Errors
    ///
    /// The kernel's refusal to let it be watched.
    pub async fn matrix(
        &mut self,
        world: &World,
        topology: &Topology,
        take: &mut dyn FnMut(&Cell),
    ) -> Result<String, ObserveError> {
        let facts = Facts::read(world, topology, &[FactKind::Addresses]).await?;
        let addresses = askable_addresses(&facts);
        refuse_if_too_large(world, addresses.len()).await?;
        let width = addresses
            .iter()
            .map(|to| to.to_string().len())
            .max()
            .unwrap_or_default();
        let mut text = format!("[{}]\n", FactKind::Reachability.word());
        let mut sections = BTreeMap::new();
        for (name, first) in shared_names(world) {
            let mut text = String::new();
            super::facts::same(&mut text, &name, &first);
            sections.insert(name, text);
        }
        for node in world.nodes() {
            let mut lines = Vec::new();
            for to in &addresses {
                let probe = Probe::Ping(Ping {
                    from: Located::nowhere(node.name().clone()),
                    to: Located::nowhere(SentTo::Address(*to)),
                    ttl: None,
                    size: None,
                });
                let record = self.probe(world, topology, &probe).await?;
                lines.push(format!("{:<width$}  {}", to.to_string(), record.fate));
                take(&Cell {
                    from: node.name().clone(),
                    probe,
                    record,
                });
            }
            let mut section = String::new();
            super::facts::section(&mut section, node.name(), &lines);
            sections.insert(node.name().clone(), section);
        }
        text.extend(sections.into_values());
        Ok(text)
    }
}

/// Refuses a matrix that could fill the table that all namespaces of the machine share: it would
/// hurt others, and prove nothing.
async fn refuse_if_too_large(world: &World, addresses: usize) -> Result<(), ObserveError> {
    let nodes = world.nodes().count();
    let Some(node) = world.nodes().next() else {
        return Ok(());
    };
    let limit = node.route().neighbour_table().await?.soft_limit;
    if nodes * addresses > limit as usize {
        return Err(ObserveError::TooManyNeighbours {
            nodes,
            addresses,
            limit,
        });
    }
    Ok(())
}
