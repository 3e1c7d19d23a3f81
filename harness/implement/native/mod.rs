//! The reference implementation: netlink and `/proc/sys`, no external binary.

mod address;
mod bridge;
mod device;
mod filter;
mod link;
mod neighbour;
mod setting;

use std::collections::HashMap;

use nix::errno::Errno;

use super::{Applied, Implementation, OperationError};
use crate::kernel::{KernelError, Mac};
use crate::scenario::{
    Attach, Detach, Exec, LinkRef, Listen, Network, NodeName, Operation, Tunnel, verb_table,
};
use crate::world::{Node, World};

/// Carries operations out over netlink.
#[derive(Debug, Default)]
pub struct Native {
    /// How many interfaces of a name were born in a node. Containers' interfaces are all born as
    /// `host/eth0` and moved away, and must not share one hardware address.
    births: HashMap<LinkRef, usize>,
}

impl Native {
    /// Chooses the hardware address of an interface that is about to be born: the same in every
    /// run, and the interface keeps it when it moves.
    fn mac(&mut self, link: &LinkRef) -> Mac {
        let births = self.births.entry(link.clone()).or_default();
        *births += 1;
        match births {
            1 => Mac::derived_from(&link.to_string()),
            again => Mac::derived_from(&format!("{link} {again}")),
        }
    }
}

/// How the native implementation carries out the verb with these arguments.
trait Carry {
    async fn carry(&self, native: &mut Native, world: &mut World) -> Result<(), OperationError>;
}

/// Finds for each verb of the table how it is carried out.
macro_rules! dispatch {
    ($($(#[$doc:meta])* $key:literal => $variant:ident,)+) => {
        async fn carry_out(
            native: &mut Native,
            world: &mut World,
            operation: &Operation,
        ) -> Result<(), OperationError> {
            match operation {
                $(Operation::$variant(arguments) => arguments.carry(native, world).await,)+
            }
        }
    };
}

verb_table!(dispatch);

impl Implementation for Native {
    fn name(&self) -> &str {
        "native"
    }

    fn apply<'a>(&'a mut self, world: &'a mut World, operation: &'a Operation) -> Applied<'a> {
        Box::pin(carry_out(self, world, operation))
    }
}

/// The verbs that never come here: the harness carries some out itself, and lowers others.
macro_rules! not_its_own {
    ($($type:ident => $verb:literal),+ $(,)?) => { $(
        impl Carry for $type {
            async fn carry(&self, _: &mut Native, _: &mut World) -> Result<(), OperationError> {
                Err(OperationError::HarnessOnly($verb))
            }
        }
    )+ };
}

not_its_own!(
    Listen => "listen",
    Tunnel => "tunnel",
    Exec => "exec",
    Network => "network",
    Attach => "attach",
    Detach => "detach",
);

/// Finds a node; a scenario that names one which is not there is refused before it runs, so this
/// can only be one that a refused `netns` left out.
fn node<'a>(world: &'a World, name: &NodeName) -> Result<&'a Node, KernelError> {
    world.node(name).ok_or(KernelError {
        errno: Errno::ENOENT,
        sentence: Some(format!("no network namespace `{name}`")),
    })
}

/// Tells a missing feature from a refusal.
fn lacking(feature: &'static str, reason: KernelError) -> OperationError {
    if reason.is_unsupported() {
        OperationError::Unsupported { feature, reason }
    } else {
        reason.into()
    }
}

/// A kernel that was built without an option takes it and does nothing, so what it has kept is read.
fn kept(not_kept: Option<&'static str>) -> Result<(), OperationError> {
    match not_kept {
        None => Ok(()),
        Some(feature) => Err(OperationError::Unsupported {
            feature,
            reason: KernelError {
                errno: Errno::EOPNOTSUPP,
                sentence: Some("the kernel takes the option and does not keep it".to_owned()),
            },
        }),
    }
}
