//! The kernel's interfaces: route netlink, nftables netlink, and settings under `/proc/sys`.
//!
//! Invariant: no other module names a netlink type. What comes out of here is netproof's own.

pub mod backlog;
pub mod conntrack;
pub mod counters;
mod error;
pub mod legacy;
mod mac;
mod nft;
pub mod route;
mod sockets;
pub mod sysctl;
pub mod wait;

pub use error::KernelError;
pub use mac::Mac;
pub use nft::{
    Action, BaseChain, CtState, Dropped, Family, FrameHook, HookPoint, Match, NftHook, NftSocket,
    Policy, TableFamily, Trace,
};
pub use sockets::packet_sockets;
