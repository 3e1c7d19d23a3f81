//! Tables, chains and rules, as far as netproof makes them.

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_netfilter::{NetfilterProtoFamily, nftables::InetHookNumber};
use nix::errno::Errno;

use super::Family;
use crate::kernel::KernelError;

/// A table: chains of one address family under one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) family: NetfilterProtoFamily,
    pub(super) name: &'static str,
}

/// A base chain: rules that run at one point of a packet's way.
///
/// The kernel takes any name, the grammar of `nft` takes none of its own keywords (`fwd`, `dup`):
/// such a chain could not be listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) table: Table,
    pub(super) name: String,
    pub(super) kind: ChainKind,
    pub(super) hook: InetHookNumber,
    /// The lower runs first.
    pub(super) priority: i32,
    /// The interface at whose ingress it runs; only in tables of the family `netdev`.
    pub(super) device: Option<String>,
}

/// What a chain may do with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChainKind {
    /// Sees every packet, and lets it pass or not.
    Filter,
    /// Sees the first packet of a connection and may translate its addresses.
    Nat,
}

/// What becomes of a packet that no rule of a chain decided on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// It passes the chain.
    Accept,
    /// It is dropped.
    Drop,
}

/// A rule: statements that run in order until a condition among them fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) chain: Chain,
    pub(super) statements: Vec<Statement>,
}

/// A condition on a packet, or an action on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Statement {
    /// `ip saddr NET` or `ip6 saddr NET`; the host bits of the address do not matter.
    SourceNet(IpNet),
    /// `ip daddr NET` or `ip6 daddr NET`, likewise.
    DestinationNet(IpNet),
    /// `iifname "NAME"`
    InInterface(InterfaceName),
    /// `iifname != "NAME"`
    InInterfaceNot(InterfaceName),
    /// `oifname "NAME"`
    OutInterface(InterfaceName),
    /// `oifname != "NAME"`
    OutInterfaceNot(InterfaceName),
    /// `meta l4proto NUMBER`
    Protocol(u8),
    /// `th dport PORT`; a condition on the protocol has to come before it.
    DestinationPort(u16),
    /// `ct state`, with one of the bits set.
    ConnectionState(u32),
    /// `masquerade`
    Masquerade,
    /// `snat to ADDRESS`
    Snat(IpAddr),
    /// `dnat to ADDRESS:PORT`
    Dnat(IpAddr, Option<u16>),
    /// `accept` or `drop`
    Decide(Policy),
    /// `reject with icmp port-unreachable`, or with that of ICMPv6
    Reject(Family),
    /// `notrack`
    Notrack,
}

/// The name of an interface as a register holds it: ended and filled up with NUL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InterfaceName([u8; libc::IFNAMSIZ]);

impl InterfaceName {
    /// Takes 1 to 15 bytes without NUL; anything else is `EINVAL`.
    ///
    /// All 16 bytes take part in a comparison, so `eth1` is not `eth10`. `nft` compares fewer bytes
    /// for a pattern (`eth*`), which is not offered here.
    pub(super) fn new(name: &str) -> Result<Self, KernelError> {
        let mut bytes = [0; libc::IFNAMSIZ];
        if name.is_empty() || name.len() >= bytes.len() || name.contains('\0') {
            return Err(Errno::EINVAL.into());
        }
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        Ok(Self(bytes))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fills_the_register_and_keeps_its_nul() {
        let name = InterfaceName::new("app_br").unwrap();
        assert_eq!(name.as_bytes(), b"app_br\0\0\0\0\0\0\0\0\0\0");
        let longest = InterfaceName::new("fifteen_letters").unwrap();
        assert_eq!(longest.as_bytes(), b"fifteen_letters\0");
    }

    #[test]
    fn what_cannot_name_an_interface_is_refused() {
        for name in ["", "sixteen__letters", "app\0br"] {
            assert_eq!(
                InterfaceName::new(name),
                Err(Errno::EINVAL.into()),
                "{name:?}"
            );
        }
    }
}
