//! What connection tracking remembers: the table of `conntrack -L`.

use std::net::{IpAddr, SocketAddr};

use netlink_packet_netfilter::conntrack::{
    ConntrackAttribute, ConntrackMessage, IPTuple, ProtoTuple, Tuple,
};
use netlink_packet_netfilter::{NetfilterMessageInner, NetfilterProtoFamily};

use super::{KernelError, NftSocket};

/// A connection that has ports, and that a network namespace tracks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// The number of the protocol above IP.
    pub protocol: u8,
    /// Where its first packet came from.
    pub source: SocketAddr,
    /// Where its first packet went.
    pub destination: SocketAddr,
    /// Where answers are expected from: another than `destination` where that is translated.
    pub answers_from: SocketAddr,
    /// Where answers are expected to go: another than `source` where that is translated.
    pub answers_to: SocketAddr,
}

/// What is tracked of one connection, also where its protocol has no ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracked {
    /// The number of the protocol above IP.
    pub protocol: u8,
    /// The way of its first packet.
    pub there: Ends,
    /// The way on which answers are expected.
    pub back: Ends,
}

/// The two ends of one direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// Where packets come from.
    pub source: IpAddr,
    /// Where they go.
    pub destination: IpAddr,
    /// The ports of both, where the protocol has some.
    pub ports: Option<(u16, u16)>,
}

/// Reads the connections that the network namespace of the calling thread tracks.
///
/// # Errors
///
/// The kernel's refusal; `EINVAL` where it cannot show what it tracks.
pub fn tracked() -> Result<Vec<Tracked>, KernelError> {
    let question = ConntrackMessage::Get(Vec::new());
    let answers = NftSocket::open()?.dump_any(NetfilterProtoFamily::Unspec, question)?;
    let read = |answer: NetfilterMessageInner| match answer {
        NetfilterMessageInner::Conntrack(ConntrackMessage::New(attributes)) => {
            connection(&attributes)
        }
        _ => None,
    };
    Ok(answers
        .into_iter()
        .filter_map(|answer| read(answer.inner))
        .collect())
}

/// Reads the connections with ports that the network namespace of the calling thread tracks.
///
/// # Errors
///
/// As [`tracked`].
pub fn flows() -> Result<Vec<Flow>, KernelError> {
    Ok(tracked()?.iter().filter_map(Tracked::flow).collect())
}

impl Tracked {
    fn flow(&self) -> Option<Flow> {
        let (source, destination) = self.there.sockets()?;
        let (answers_from, answers_to) = self.back.sockets()?;
        Some(Flow {
            protocol: self.protocol,
            source,
            destination,
            answers_from,
            answers_to,
        })
    }
}

impl Ends {
    fn sockets(&self) -> Option<(SocketAddr, SocketAddr)> {
        let (from, to) = self.ports?;
        Some((
            SocketAddr::new(self.source, from),
            SocketAddr::new(self.destination, to),
        ))
    }
}

fn connection(attributes: &[ConntrackAttribute]) -> Option<Tracked> {
    let mut there = None;
    let mut back = None;
    for attribute in attributes {
        match attribute {
            ConntrackAttribute::CtaTupleOrig(tuple) => there = ends(tuple),
            ConntrackAttribute::CtaTupleReply(tuple) => back = ends(tuple),
            _ => {}
        }
    }
    let (protocol, there) = there?;
    let (_, back) = back?;
    Some(Tracked {
        protocol,
        there,
        back,
    })
}

/// Reads the protocol and the ends of one direction.
fn ends(tuple: &[Tuple]) -> Option<(u8, Ends)> {
    let mut ips: (Option<IpAddr>, Option<IpAddr>) = (None, None);
    let mut ports = (None, None);
    let mut protocol = None;
    for part in tuple {
        match part {
            Tuple::Ip(addresses) => {
                for address in addresses {
                    match address {
                        IPTuple::SourceAddress(ip) => ips.0 = Some(*ip),
                        IPTuple::DestinationAddress(ip) => ips.1 = Some(*ip),
                        _ => {}
                    }
                }
            }
            Tuple::Proto(values) => {
                for value in values {
                    match value {
                        ProtoTuple::Protocol(number) => protocol = Some(u8::from(*number)),
                        ProtoTuple::SourcePort(port) => ports.0 = Some(*port),
                        ProtoTuple::DestinationPort(port) => ports.1 = Some(*port),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    let ends = Ends {
        source: ips.0?,
        destination: ips.1?,
        ports: ports.0.zip(ports.1),
    };
    Some((protocol?, ends))
}

#[cfg(test)]
mod tests {
    use netlink_packet_netfilter::conntrack::Protocol;

    use super::*;

    fn tuple(from: [u8; 4], to: [u8; 4], ports: Option<(u16, u16)>) -> Vec<Tuple> {
        let mut values = vec![ProtoTuple::Protocol(Protocol::Udp)];
        if let Some((from, to)) = ports {
            values.push(ProtoTuple::SourcePort(from));
            values.push(ProtoTuple::DestinationPort(to));
        }
        let addresses = vec![
            IPTuple::SourceAddress(from.into()),
            IPTuple::DestinationAddress(to.into()),
        ];
        vec![Tuple::Ip(addresses), Tuple::Proto(values)]
    }

    #[test]
    fn both_directions_of_a_connection_are_read() {
        let (web, far, host) = ([10, 1, 0, 2], [192, 0, 2, 2], [192, 0, 2, 1]);
        let there = tuple(web, far, Some((4000, 53)));
        let back = tuple(far, host, Some((53, 4000)));
        let attributes = [
            ConntrackAttribute::CtaTupleOrig(there),
            ConntrackAttribute::CtaTupleReply(back),
        ];
        let found = connection(&attributes).and_then(|it| it.flow()).unwrap();
        assert_eq!(found.protocol, 17);
        assert_eq!(found.source, (web, 4000).into());
        assert_eq!(found.destination, (far, 53).into());
        assert_eq!(found.answers_from, (far, 53).into());
        assert_eq!(found.answers_to, (host, 4000).into());
    }

    #[test]
    fn what_has_no_ports_is_no_flow() {
        let (web, far) = ([10, 1, 0, 2], [192, 0, 2, 2]);
        let attributes = [
            ConntrackAttribute::CtaTupleOrig(tuple(web, far, None)),
            ConntrackAttribute::CtaTupleReply(tuple(far, web, None)),
        ];
        let found = connection(&attributes).unwrap();
        assert_eq!((found.there.ports, found.flow()), (None, None));
        assert_eq!(found.back.source, IpAddr::from(far));
    }
}
