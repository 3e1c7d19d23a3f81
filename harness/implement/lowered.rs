//! Intents for an implementation that knows only operations of level 1.

use super::{Applied, Implementation, Native, OperationError};
use crate::scenario::{Lowering, Operation};
use crate::world::World;

/// Lowers intents, and has another implementation carry out what comes of it. What is of level 1 in the
/// same scenario is the world's doing, and native.
pub(super) struct Lowered {
    lowering: Lowering,
    inner: Box<dyn Implementation>,
    /// Carries out what the world does beside the intents; nothing where there are none.
    world: Option<Native>,
}

impl Lowered {
    /// Wraps an implementation of level 1. With intents, only these are its own.
    pub(super) fn new(inner: Box<dyn Implementation>, with_intents: bool) -> Self {
        Self {
            lowering: Lowering::default(),
            inner,
            world: with_intents.then(Native::default),
        }
    }

    async fn carry_out(
        &mut self,
        world: &mut World,
        operation: &Operation,
    ) -> Result<(), OperationError> {
        let lowered = self.lowering.lower(operation)?;
        if !operation.is_intent() {
            return match &mut self.world {
                Some(native) => native.apply(world, operation).await,
                None => self.inner.apply(world, operation).await,
            };
        }
        for each in &lowered {
            if let Err(error) = self.inner.apply(world, each).await {
                self.lowering.abandon(operation);
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Implementation for Lowered {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn commands(&self, operation: &Operation) -> Vec<String> {
        if !operation.is_intent() {
            return match &self.world {
                Some(_) => Vec::new(),
                None => self.inner.commands(operation),
            };
        }
        let lowered = self.lowering.clone().lower(operation).unwrap_or_default();
        let own = |each: &Operation| match self.inner.commands(each) {
            none if none.is_empty() => vec![each.command()],
            some => some,
        };
        lowered.iter().flat_map(own).collect()
    }

    fn apply<'a>(&'a mut self, world: &'a mut World, operation: &'a Operation) -> Applied<'a> {
        Box::pin(self.carry_out(world, operation))
    }

    fn undo(&self) -> Vec<Operation> {
        self.lowering.undo()
    }
}
