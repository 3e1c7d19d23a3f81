//! Connections that are tracked, as lines of facts.

use std::net::IpAddr;

use crate::kernel::conntrack::{Ends, Tracked};
use crate::observe::attempt::is_fresh;

/// IGMP, which a bridge that watches multicast speaks by itself, at times of its own choice.
const IGMP: u8 = 2;

/// Writes each connection once, in the order of its text: protocol, way there, way back.
///
/// A port that was chosen for a single probe is `fresh`, and one that address translation put in its
/// place is `other`: both differ from run to run.
pub(super) fn lines(connections: &[Tracked]) -> Vec<String> {
    let asked_for = connections.iter().filter(|it| it.protocol != IGMP);
    let mut lines: Vec<String> = asked_for.map(line).collect();
    lines.sort();
    lines.dedup();
    lines
}

fn line(of: &Tracked) -> String {
    let protocol = match of.protocol {
        1 => "icmp".to_owned(),
        6 => "tcp".to_owned(),
        17 => "udp".to_owned(),
        58 => "icmpv6".to_owned(),
        number => format!("protocol {number}"),
    };
    let (there, back) = (&of.there, &of.back);
    format!(
        "{protocol} {} > {}, back {} > {}",
        end(there.source, there.ports.map(|(from, _)| port(from))),
        end(there.destination, there.ports.map(|(_, to)| to.to_string())),
        end(back.source, back.ports.map(|(from, _)| from.to_string())),
        end(back.destination, answered_port(there, back)),
    )
}

fn port(number: u16) -> String {
    if is_fresh(number) {
        "fresh".to_owned()
    } else {
        number.to_string()
    }
}

/// The port that answers go to, which is the one that the first packet came from unless translation
/// has put another in its place.
fn answered_port(there: &Ends, back: &Ends) -> Option<String> {
    let ((from, _), (_, to)) = (there.ports?, back.ports?);
    Some(if from == to {
        port(to)
    } else {
        "other".to_owned()
    })
}

fn end(address: IpAddr, port: Option<String>) -> String {
    match (address, port) {
        (address, None) => address.to_string(),
        (IpAddr::V4(address), Some(port)) => format!("{address}:{port}"),
        (IpAddr::V6(address), Some(port)) => format!("[{address}]:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use rstest::rstest;

    use super::*;

    fn ends(from: &str, to: &str) -> Ends {
        let (from, to): (SocketAddr, SocketAddr) = (from.parse().unwrap(), to.parse().unwrap());
        Ends {
            source: from.ip(),
            destination: to.ip(),
            ports: Some((from.port(), to.port())),
        }
    }

    #[rstest]
    #[case::as_it_is(
        "10.0.0.1:4000",
        "8.8.8.8:53",
        "10.0.0.1:4000",
        "udp 10.0.0.1:4000 > 8.8.8.8:53, back 8.8.8.8:53 > 10.0.0.1:4000"
    )]
    #[case::translated(
        "10.0.0.1:4000",
        "8.8.8.8:53",
        "1.1.1.1:4000",
        "udp 10.0.0.1:4000 > 8.8.8.8:53, back 8.8.8.8:53 > 1.1.1.1:4000"
    )]
    #[case::other_port(
        "10.0.0.1:4000",
        "8.8.8.8:53",
        "1.1.1.1:61234",
        "udp 10.0.0.1:4000 > 8.8.8.8:53, back 8.8.8.8:53 > 1.1.1.1:other"
    )]
    #[case::fresh(
        "10.0.0.1:33001",
        "8.8.8.8:53",
        "1.1.1.1:33001",
        "udp 10.0.0.1:fresh > 8.8.8.8:53, back 8.8.8.8:53 > 1.1.1.1:fresh"
    )]
    #[case::ipv6(
        "[fd00::1]:4000",
        "[fd00::2]:53",
        "[fd00::1]:4000",
        "udp [fd00::1]:4000 > [fd00::2]:53, back [fd00::2]:53 > [fd00::1]:4000"
    )]
    fn what_differs_from_run_to_run_stands_as_a_word(
        #[case] from: &str,
        #[case] to: &str,
        #[case] answers_to: &str,
        #[case] expected: &str,
    ) {
        let connection = Tracked {
            protocol: 17,
            there: ends(from, to),
            back: ends(to, answers_to),
        };
        assert_eq!(lines(&[connection.clone(), connection]), [expected]);
    }

    #[test]
    fn what_a_bridge_says_by_itself_is_left_out() {
        let connection = Tracked {
            protocol: IGMP,
            there: ends("10.10.0.1:0", "224.0.0.22:0"),
            back: ends("224.0.0.22:0", "10.10.0.1:0"),
        };
        assert_eq!(lines(&[connection]), Vec::<String>::new());
    }

    #[test]
    fn what_has_no_ports_shows_none() {
        let without = |ends: Ends| Ends {
            ports: None,
            ..ends
        };
        let connection = Tracked {
            protocol: 1,
            there: without(ends("10.0.0.1:0", "8.8.8.8:0")),
            back: without(ends("8.8.8.8:0", "10.0.0.1:0")),
        };
        assert_eq!(
            lines(&[connection]),
            ["icmp 10.0.0.1 > 8.8.8.8, back 8.8.8.8 > 10.0.0.1"]
        );
    }
}
