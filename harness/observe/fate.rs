//! What became of a probe.

use std::fmt;
use std::net::IpAddr;

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use super::frame::IcmpError;
use crate::scenario::{Leg, LinkRef, NodeName, Place, Rejection};

/// What became of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "fate")]
pub enum Fate {
    /// It was answered.
    Reply {
        /// The TTL with which the answer arrived; ARP and neighbour discovery have none.
        ttl: Option<u8>,
        /// The source address that the far side saw.
        source: Option<IpAddr>,
        /// The interface whose hardware address the answer to ARP or neighbour discovery gave.
        by: Option<LinkRef>,
    },
    /// It was refused.
    Rejected {
        /// How.
        how: Rejection,
        /// The node that refused.
        by: NodeName,
    },
    /// It vanished.
    Lost {
        /// The last place where it was seen.
        after: Place,
        /// Which of the two was lost there.
        leg: Leg,
        /// The ends of other branches, where a frame was flooded.
        also: Vec<Place>,
    },
    /// Nothing could be proven.
    Inconclusive {
        /// Why not.
        why: String,
    },
}

impl Fate {
    /// Returns the word that reports give the fate.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Reply { .. } => "reply",
            Self::Rejected { .. } => "rejected",
            Self::Lost { .. } => "lost",
            Self::Inconclusive { .. } => "inconclusive",
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply { ttl, by, .. } => {
                f.write_str("reply")?;
                if let Some(ttl) = ttl {
                    write!(f, " ttl {ttl}")?;
                }
                if let Some(by) = by {
                    write!(f, " by {by}")?;
                }
                Ok(())
            }
            Self::Rejected { how, by } => write!(f, "rejected {how} by {by}"),
            Self::Lost {
                after,
                leg: Leg::Request,
                ..
            } => write!(f, "lost after {after}"),
            Self::Lost {
                after,
                leg: Leg::Reply,
                ..
            } => {
                write!(f, "reply lost after {after}")
            }
            Self::Inconclusive { why } => write!(f, "inconclusive: {why}"),
        }
    }
}

/// Names an ICMP error.
pub(super) fn rejection_of_icmp(error: IcmpError) -> Option<Rejection> {
    match error {
        IcmpError::V4 { kind, code } => rejection_of_icmpv4(kind, code),
        IcmpError::V6 { kind, code } => rejection_of_icmpv6(kind, code),
    }
}

/// By type and code, RFC 4443 section 3. Linux turns them into the same error numbers
/// (`icmpv6_err_convert`, net/ipv6/icmp.c).
fn rejection_of_icmpv6(kind: u8, code: u8) -> Option<Rejection> {
    Some(match (kind, code) {
        (1, 0) => Rejection::NetworkUnreachable,
        (1, 1 | 5 | 6) => Rejection::Prohibited,
        (1, 2 | 3) => Rejection::HostUnreachable,
        (1, 4) => Rejection::PortUnreachable,
        (2, 0) => Rejection::FragmentationNeeded,
        (3, 0) => Rejection::TtlExceeded,
        (4, 1) => Rejection::ProtocolUnreachable,
        _ => return None,
    })
}

/// By type and code, RFC 792 and RFC 1812 section 5.2.7.1.
fn rejection_of_icmpv4(kind: u8, code: u8) -> Option<Rejection> {
    Some(match (kind, code) {
        (3, 0 | 6 | 11) => Rejection::NetworkUnreachable,
        (3, 1 | 7 | 12) => Rejection::HostUnreachable,
        (3, 2) => Rejection::ProtocolUnreachable,
        (3, 3) => Rejection::PortUnreachable,
        (3, 4) => Rejection::FragmentationNeeded,
        (3, 9 | 10 | 13) => Rejection::Prohibited,
        (11, 0) => Rejection::TtlExceeded,
        _ => return None,
    })
}

/// Names an error of the sender's own kernel.
pub(super) fn rejection_of_errno(errno: Errno) -> Option<Rejection> {
    Some(match errno {
        Errno::ENETUNREACH => Rejection::NetworkUnreachable,
        Errno::EHOSTUNREACH => Rejection::HostUnreachable,
        Errno::ENOPROTOOPT | Errno::EPROTO => Rejection::ProtocolUnreachable,
        Errno::ECONNREFUSED => Rejection::PortUnreachable,
        Errno::EMSGSIZE => Rejection::FragmentationNeeded,
        Errno::EACCES | Errno::EPERM => Rejection::Prohibited,
        Errno::EINVAL => Rejection::InvalidArgument,
        Errno::EADDRNOTAVAIL => Rejection::NoSourceAddress,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// The numbers are the same and the meanings are not.
    #[rstest]
    #[case(1, 0, None, Some(Rejection::NetworkUnreachable))]
    #[case(
        3,
        0,
        Some(Rejection::NetworkUnreachable),
        Some(Rejection::TtlExceeded)
    )]
    #[case(3, 1, Some(Rejection::HostUnreachable), None)]
    #[case(1, 3, None, Some(Rejection::HostUnreachable))]
    #[case(2, 0, None, Some(Rejection::FragmentationNeeded))]
    #[case(11, 0, Some(Rejection::TtlExceeded), None)]
    fn an_error_is_named_by_the_numbers_of_its_own_ip(
        #[case] kind: u8,
        #[case] code: u8,
        #[case] v4: Option<Rejection>,
        #[case] v6: Option<Rejection>,
    ) {
        assert_eq!(rejection_of_icmp(IcmpError::V4 { kind, code }), v4);
        assert_eq!(rejection_of_icmp(IcmpError::V6 { kind, code }), v6);
    }
}
