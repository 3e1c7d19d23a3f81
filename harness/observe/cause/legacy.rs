//! Rules of iptables-legacy: the kernel neither counts nor traces what they end.

use super::packet::Packet;
use super::{Explanation, ObserveError, Scene, Search};
use crate::kernel::{Family, legacy};
use crate::observe::fate::Fate;
use crate::observe::frame::Direction;
use crate::scenario::{self, Cause, NodeName, Place, Probe, Rejection};

/// Names the tables of iptables-legacy where the packet may have met them. Asked only when there is
/// evidence for nothing else.
pub(super) fn by_exclusion(
    scene: &Scene<'_>,
    search: &mut Search,
    fate: &Fate,
) -> Result<Option<Explanation>, ObserveError> {
    let Some(name) = where_rules_run(scene, fate)? else {
        return Ok(None);
    };
    let family = match scene.probe.address().map(scenario::Family::of) {
        Some(scenario::Family::Ipv4) => Family::Ipv4,
        Some(scenario::Family::Ipv6) => Family::Ipv6,
        None => return Ok(None),
    };
    let tables = scene.node(&name)?.enter(|| legacy::tables(family))??;
    if tables.is_empty() {
        search.excluded(format!("tables of iptables-legacy in {name}"), "none");
        return Ok(None);
    }
    search.by_exclusion();
    let tables = tables.join(", ");
    search.found(
        format!("tables of iptables-legacy in {name}"),
        tables.clone(),
    );
    let why = format!(
        "{name} has tables of iptables-legacy ({tables}), and nothing else that could have ended it"
    );
    Ok(Some(search.name(Cause::LegacyTable, name, why, None)))
}

/// Returns the node whose rules for IP the packet came to, and behind which it was not seen.
fn where_rules_run(scene: &Scene<'_>, fate: &Fate) -> Result<Option<NodeName>, ObserveError> {
    if let Probe::Arp(_) | Probe::Ndp(_) | Probe::Frame(_) = scene.probe {
        return Ok(None);
    }
    match fate {
        Fate::Rejected { how, by } if is_of_rules(*how) => Ok(Some(by.clone())),
        Fate::Lost {
            after: Place::Node(name),
            ..
        } => Ok(Some(name.clone())),
        Fate::Lost { leg, .. } => {
            let ends = scene.walk.end_steps(*leg, scene.topology);
            for packet in ends
                .into_iter()
                .filter_map(|step| Packet::new(step, scene.topology))
            {
                if meets_rules(scene, &packet)? {
                    return Ok(Some(packet.on.node));
                }
            }
            Ok(None)
        }
        Fate::Rejected { .. } | Fate::Reply { .. } | Fate::Inconclusive { .. } => Ok(None),
    }
}

/// What the target REJECT says, iptables-extensions(8), and how a sender's kernel says DROP.
fn is_of_rules(how: Rejection) -> bool {
    match how {
        Rejection::NetworkUnreachable
        | Rejection::HostUnreachable
        | Rejection::ProtocolUnreachable
        | Rejection::PortUnreachable
        | Rejection::Prohibited => true,
        Rejection::FragmentationNeeded
        | Rejection::TtlExceeded
        | Rejection::InvalidArgument
        | Rejection::NoSourceAddress => false,
    }
}

/// Tells whether rules for IP see a packet behind the interface that it was seen on.
fn meets_rules(scene: &Scene<'_>, packet: &Packet) -> Result<bool, ObserveError> {
    if packet.direction == Direction::Out || packet.for_another {
        return Ok(false);
    }
    if packet.master.is_none() {
        return Ok(true);
    }
    // A bridge shows what it passes on to rules for IP only by way of br_netfilter.
    let path = match packet.destination {
        std::net::IpAddr::V4(_) => "net/bridge/bridge-nf-call-iptables",
        std::net::IpAddr::V6(_) => "net/bridge/bridge-nf-call-ip6tables",
    };
    let value = scene.setting(&packet.on.node, path)?;
    Ok(value.is_some_and(|value| value != "0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_rules_can_say_is_laid_to_them() {
        assert!(is_of_rules(Rejection::Prohibited));
        assert!(is_of_rules(Rejection::PortUnreachable));
        assert!(!is_of_rules(Rejection::TtlExceeded));
        assert!(!is_of_rules(Rejection::InvalidArgument));
    }
}
