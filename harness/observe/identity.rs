//! How the packets of one probe are told from all others, on every leg and after translation.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::frame::{
    Arp, Content, Discovery, Frame, IcmpError, IpPacket, Transport, read, read_carried,
};
use crate::kernel::Mac;
use crate::scenario::Leg;

/// How many bytes of a payload mark it as a probe's.
pub(super) const TOKEN_LENGTH: usize = 16;

/// What the packets of one attempt have in common. Address translation changes addresses, ports
/// and ICMP identifiers; it leaves payloads and TCP sequence numbers alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    /// An echo request and its reply carry the token.
    Echo { token: [u8; TOKEN_LENGTH] },
    /// A datagram carries the token and a byte that says which leg it is.
    Udp { token: [u8; TOKEN_LENGTH] },
    /// A SYN has the sequence number that the kernel chose; SYN-ACK or RST acknowledge it.
    Tcp { sequence: u32 },
    /// The request comes from `mac`; the reply is for `sender`.
    Arp {
        mac: Mac,
        sender: Ipv4Addr,
        target: Ipv4Addr,
    },
    /// The solicitation comes from `sender`; the advertisement is for it.
    Ndp { sender: Ipv6Addr, target: Ipv6Addr },
    /// A frame carries what a datagram does.
    Frame { token: [u8; TOKEN_LENGTH] },
}

/// What a datagram or frame says behind its token.
pub(super) const REQUEST: u8 = b'?';
/// What a server makes of it.
pub(super) const REPLY: u8 = b'!';

/// What a probe's frame is to the probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// The packet of one of the two legs.
    Packet {
        leg: Leg,
        source: IpAddr,
        destination: IpAddr,
        ttl: Option<u8>,
        reset: bool,
    },
    /// An ARP reply or a neighbour advertisement, with the hardware address that it gives.
    Advertised {
        mac: Mac,
        source: IpAddr,
        destination: IpAddr,
    },
    /// A frame of one of the two legs, with the hardware address that it comes from. It has addresses of
    /// IP only in a tunnel's packet.
    Frame {
        leg: Leg,
        sender: Mac,
        tunnel: Option<(IpAddr, IpAddr)>,
    },
    /// An ICMP error about the packet of a leg.
    Error { leg: Leg, error: IcmpError },
}

impl Identity {
    /// Tells what a frame is to the probe; none if it belongs to another.
    pub(super) fn part(&self, frame: &Frame) -> Option<Part> {
        self.content_part(&read(&frame.bytes))
    }

    /// Tells what the frame or packet in a tunnel's packet is to the probe. It has the addresses of the tunnel,
    /// and the rest of its own.
    pub(super) fn carried_part(&self, frame: &Frame) -> Option<Part> {
        let (outer, inner) = read_carried(&frame.bytes)?;
        let mut part = inner.iter().find_map(|inner| self.content_part(inner))?;
        match &mut part {
            Part::Packet {
                source,
                destination,
                ..
            }
            | Part::Advertised {
                source,
                destination,
                ..
            } => (*source, *destination) = (outer.source, outer.destination),
            Part::Frame { tunnel, .. } => *tunnel = Some((outer.source, outer.destination)),
            Part::Error { .. } => {}
        }
        Some(part)
    }

    fn content_part(&self, content: &Content) -> Option<Part> {
        match content {
            Content::Arp(arp) => self.arp_part(arp),
            Content::Ip(packet) => self.ip_part(packet),
            Content::Raw { sender, payload } => match self {
                Self::Frame { token } => Some(Part::Frame {
                    leg: leg_of_payload(payload, token)?,
                    sender: *sender,
                    tunnel: None,
                }),
                _ => None,
            },
            Content::Other => None,
        }
    }

    fn arp_part(&self, arp: &Arp) -> Option<Part> {
        let Self::Arp {
            mac,
            sender,
            target,
        } = *self
        else {
            return None;
        };
        let (source, destination) = (arp.sender.into(), arp.target.into());
        if arp.is_reply {
            (arp.sender == target && arp.target == sender).then_some(Part::Advertised {
                mac: arp.sender_mac,
                source,
                destination,
            })
        } else {
            (arp.sender_mac == mac && arp.target == target).then_some(Part::Packet {
                leg: Leg::Request,
                source,
                destination,
                ttl: None,
                reset: false,
            })
        }
    }

    fn ip_part(&self, packet: &IpPacket) -> Option<Part> {
        if let Transport::Error { error, about } = &packet.transport {
            let (leg, _) = self.leg(about.as_deref()?)?;
            return Some(Part::Error { leg, error: *error });
        }
        if let Transport::Discovery(discovery) = &packet.transport {
            return self.ndp_part(packet, discovery);
        }
        let (leg, reset) = self.leg(packet)?;
        Some(Part::Packet {
            leg,
            source: packet.source,
            destination: packet.destination,
            ttl: Some(packet.ttl),
            reset,
        })
    }

    fn ndp_part(&self, packet: &IpPacket, of: &Discovery) -> Option<Part> {
        let Self::Ndp { sender, target } = *self else {
            return None;
        };
        let (source, destination) = (packet.source, packet.destination);
        let for_sender = if sender.is_unspecified() {
            // Whoever has no address is answered with all others, RFC 4861 section 7.2.4.
            destination.is_multicast()
        } else {
            destination == sender
        };
        match (of.is_reply, of.mac) {
            _ if of.target != target => None,
            (true, Some(mac)) => for_sender.then_some(Part::Advertised {
                mac,
                source,
                destination,
            }),
            (true, None) => None,
            (false, _) => (source == sender).then_some(Part::Packet {
                leg: Leg::Request,
                source,
                destination,
                // It is always 255, and no router passes it on.
                ttl: None,
                reset: false,
            }),
        }
    }

    /// The leg that a packet is of, and whether it is a TCP reset.
    fn leg(&self, packet: &IpPacket) -> Option<(Leg, bool)> {
        match (self, &packet.transport) {
            (Self::Echo { token }, Transport::Echo { is_reply, payload }) => payload
                .starts_with(token)
                .then_some((if *is_reply { Leg::Reply } else { Leg::Request }, false)),
            (Self::Udp { token }, Transport::Udp { payload }) => {
                leg_of_payload(payload, token).map(|leg| (leg, false))
            }
            (
                Self::Tcp { sequence },
                Transport::Tcp {
                    sequence: seq,
                    acknowledgement,
                    syn,
                    ack,
                    rst,
                    ..
                },
            ) => {
                if *syn && !*ack && seq == sequence {
                    Some((Leg::Request, false))
                } else if *ack && *acknowledgement == sequence.wrapping_add(1) && (*syn || *rst) {
                    Some((Leg::Reply, *rst))
                } else {
                    None
                }
            }
            _ => None,
        }
    }
}

/// The leg that a payload with a token says it is of.
fn leg_of_payload(payload: &[u8], token: &[u8; TOKEN_LENGTH]) -> Option<Leg> {
    match payload.strip_prefix(token)?.first() {
        Some(&REQUEST) => Some(Leg::Request),
        Some(&REPLY) => Some(Leg::Reply),
        _ => None,
    }
}

/// Finds the sequence number of the first SYN from a port of a node: the kernel chose it, and only
/// the wire shows it. The port that it goes to says nothing: a rule of the sender's own may have
/// translated it. The one that it comes from is new with each attempt.
pub(super) fn sequence_of_syn<'a>(
    frames: impl IntoIterator<Item = &'a Frame>,
    from_port: u16,
) -> Option<u32> {
    frames
        .into_iter()
        .find_map(|frame| match read(&frame.bytes) {
            Content::Ip(IpPacket {
                transport:
                    Transport::Tcp {
                        source_port,
                        sequence,
                        syn: true,
                        ack: false,
                        ..
                    },
                ..
            }) if source_port == from_port => Some(sequence),
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advertisement_is_for_whoever_asked() {
        let target: Ipv6Addr = "fd00::2".parse().unwrap();
        let asked_by = |sender: &str| Identity::Ndp {
            sender: sender.parse().unwrap(),
            target,
        };
        let packet = |source: &str, destination: &str, is_reply| IpPacket {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            ttl: 255,
            transport: Transport::Discovery(Discovery {
                is_reply,
                target,
                mac: Some(Mac([2, 0, 0, 0, 0, 1])),
            }),
        };
        let is_part = |identity: Identity, packet| identity.ip_part(&packet).is_some();
        let question = || packet("fd00::1", "ff02::1:ff00:2", false);
        assert!(is_part(asked_by("fd00::1"), question()));
        assert!(!is_part(asked_by("fd00::3"), question()));
        let answer = || packet("fd00::2", "fd00::1", true);
        assert!(is_part(asked_by("fd00::1"), answer()));
        assert!(!is_part(asked_by("fd00::3"), answer()));
        assert!(!is_part(asked_by("::"), answer()));
        assert!(is_part(asked_by("::"), packet("fd00::2", "ff02::1", true)));
    }
}
