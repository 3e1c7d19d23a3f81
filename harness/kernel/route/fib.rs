//! The forwarding information base: all rules and all tables, and what they make of a packet.
//!
//! The kernel's own answer to a lookup (`RTM_GETROUTE`) is one error number for several reasons: a
//! blackhole route, a blackhole rule, a martian source and the reverse-path filter are all `EINVAL`,
//! and where forwarding is off nothing else shows. So rules and routes are read, and gone through in
//! the kernel's order (`fib_rules_lookup`, net/core/fib_rules.c; `fib_table_lookup`,
//! net/ipv4/fib_trie.c).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use rtnetlink::packet_route::route::{
    RouteAttribute, RouteFlags, RouteMessage, RouteNextHopFlags, RouteType,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::routes::{ip_of, table_of};
use super::{PolicyAction, PolicyRule, RouteSocket};
use crate::kernel::KernelError;

/// How a rule or route refuses a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// In silence.
    Blackhole,
    /// As an unreachable host.
    Unreachable,
    /// As administratively prohibited.
    Prohibit,
}

/// A route of any table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FibRoute {
    /// The table: 254 is `main`, 255 `local`.
    pub table: u32,
    /// What it does with packets.
    pub kind: FibKind,
    /// The destinations that it is for.
    pub prefix: IpNet,
    /// The lower is preferred.
    pub metric: u32,
    /// Where it sends them: gateway and interface, one or several.
    pub hops: Vec<FibHop>,
}

/// One way that a route sends packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FibHop {
    /// The gateway; none where the destination is on the link.
    pub gateway: Option<IpAddr>,
    /// The index of the interface; 0 where there is none.
    pub link: u32,
    /// The kernel does not use it: its interface is down.
    pub dead: bool,
}

/// What a route does with packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FibKind {
    /// Sends them on.
    Unicast,
    /// They are for this node.
    Local,
    /// They are for all of a link, this node too.
    Broadcast,
    /// It refuses them.
    Refuse(Refusal),
    /// Anything else.
    Other,
}

/// All rules and routes of a node, for one address family.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fib {
    /// The rules, in the order in which they are asked.
    pub rules: Vec<PolicyRule>,
    /// The routes of all tables.
    pub routes: Vec<FibRoute>,
}

/// What the rules and tables make of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found<'a> {
    /// A route.
    Route(&'a FibRoute),
    /// A rule that refuses it.
    Rule(&'a PolicyRule, Refusal),
    /// No rule and no route has anything to say.
    Nothing,
    /// A rule on the way has conditions that were not looked at.
    Unknown,
}

impl Fib {
    /// Looks up where a packet from `source` to `destination` goes that comes in by the interface
    /// named `iif`; `lo` is for packets of the node itself.
    pub fn lookup(&self, source: IpAddr, destination: IpAddr, iif: &str) -> Found<'_> {
        for rule in &self.rules {
            let is_in = |net: &Option<IpNet>, ip| net.is_none_or(|net| net.contains(&ip));
            let matches = is_in(&rule.from, source)
                && is_in(&rule.to, destination)
                && rule.input.as_deref().is_none_or(|name| name == iif);
            if matches == rule.inverted {
                continue;
            }
            if rule.detached {
                continue;
            }
            if rule.has_more || rule.mark.is_some() || rule.output.is_some() {
                return Found::Unknown;
            }
            match rule.action {
                PolicyAction::Table(table) => {
                    if let Some(route) = self.in_table(table, destination) {
                        return Found::Route(route);
                    }
                }
                PolicyAction::Blackhole => return Found::Rule(rule, Refusal::Blackhole),
                PolicyAction::Unreachable => return Found::Rule(rule, Refusal::Unreachable),
                PolicyAction::Prohibit => return Found::Rule(rule, Refusal::Prohibit),
                PolicyAction::Other(_) => return Found::Unknown,
            }
        }
        Found::Nothing
    }

    /// The longest prefix wins, then the lowest metric.
    fn in_table(&self, table: u32, destination: IpAddr) -> Option<&FibRoute> {
        self.routes
            .iter()
            .filter(|route| route.table == table && route.prefix.contains(&destination))
            .filter(|route| {
                route.kind != FibKind::Unicast || route.hops.iter().any(|hop| !hop.dead)
            })
            .max_by_key(|route| (route.prefix.prefix_len(), u32::MAX - route.metric))
    }
}

impl RouteSocket {
    /// Reads all rules and routes of the address family of `ip`.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub async fn fib(&self, ip: IpAddr) -> Result<Fib, KernelError> {
        let family = match ip {
            IpAddr::V4(_) => AddressFamily::Inet,
            IpAddr::V6(_) => AddressFamily::Inet6,
        };
        let mut question = RouteMessage::default();
        question.header.address_family = family;
        let routes = self.dump(RouteNetlinkMessage::GetRoute(question)).await?;
        Ok(Fib {
            rules: self.rules_of(family).await?,
            routes: routes
                .iter()
                .filter_map(|answer| match answer {
                    RouteNetlinkMessage::NewRoute(message) => route(message, ip),
                    _ => None,
                })
                .collect(),
        })
    }
}

fn route(message: &RouteMessage, family: IpAddr) -> Option<FibRoute> {
    let header = &message.header;
    let anything: IpAddr = match family {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let mut destination = anything;
    let mut route = FibRoute {
        table: table_of(message),
        kind: match header.kind {
            RouteType::Unicast => FibKind::Unicast,
            RouteType::Local => FibKind::Local,
            RouteType::Broadcast => FibKind::Broadcast,
            RouteType::BlackHole => FibKind::Refuse(Refusal::Blackhole),
            RouteType::Unreachable => FibKind::Refuse(Refusal::Unreachable),
            RouteType::Prohibit => FibKind::Refuse(Refusal::Prohibit),
            _ => FibKind::Other,
        },
        prefix: IpNet::new(anything, 0).ok()?,
        metric: 0,
        hops: Vec::new(),
    };
    let mut hop = FibHop {
        gateway: None,
        link: 0,
        dead: header.flags.contains(RouteFlags::Dead),
    };
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(address) => destination = ip_of(address)?,
            RouteAttribute::Gateway(address) => hop.gateway = ip_of(address),
            RouteAttribute::Oif(index) => hop.link = *index,
            RouteAttribute::Priority(metric) => route.metric = *metric,
            RouteAttribute::MultiPath(several) => {
                route.hops = several
                    .iter()
                    .map(|one| FibHop {
                        gateway: one.attributes.iter().find_map(|attribute| match attribute {
                            RouteAttribute::Gateway(address) => ip_of(address),
                            _ => None,
                        }),
                        link: one.interface_index,
                        dead: one.flags.contains(RouteNextHopFlags::Dead),
                    })
                    .collect();
            }
            _ => {}
        }
    }
    if route.hops.is_empty() {
        route.hops.push(hop);
    }
    route.prefix = IpNet::new(destination, header.destination_prefix_length).ok()?;
    Some(route)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn table(number: u32, priority: u32) -> PolicyRule {
        PolicyRule {
            priority,
            inverted: false,
            from: None,
            to: None,
            mark: None,
            input: None,
            output: None,
            detached: false,
            has_more: false,
            action: PolicyAction::Table(number),
        }
    }

    fn to(prefix: &str, metric: u32, kind: FibKind) -> FibRoute {
        FibRoute {
            table: 254,
            kind,
            prefix: prefix.parse().unwrap(),
            metric,
            hops: vec![FibHop {
                gateway: None,
                link: metric,
                dead: false,
            }],
        }
    }

    fn fib() -> Fib {
        Fib {
            rules: vec![
                PolicyRule {
                    from: "10.9.0.0/16".parse().ok(),
                    action: PolicyAction::Prohibit,
                    ..table(0, 10)
                },
                PolicyRule {
                    input: Some("eth1".to_owned()),
                    has_more: true,
                    ..table(7, 20)
                },
                table(255, 30),
                table(254, 32766),
            ],
            routes: vec![
                to("0.0.0.0/0", 5, FibKind::Unicast),
                to("10.1.0.0/16", 6, FibKind::Unicast),
                to("10.1.0.0/16", 1, FibKind::Refuse(Refusal::Blackhole)),
                to("10.1.2.0/24", 7, FibKind::Unicast),
            ],
        }
    }

    #[rstest]
    #[case::longest("10.0.0.1", "10.1.2.3", "eth0", Some(7))]
    #[case::metric("10.0.0.1", "10.1.3.3", "eth0", Some(1))]
    #[case::default("10.0.0.1", "8.8.8.8", "eth0", Some(5))]
    #[case::by_rule("10.9.0.1", "8.8.8.8", "eth0", None)]
    fn rules_come_before_prefixes_and_prefixes_before_metrics(
        #[case] source: &str,
        #[case] destination: &str,
        #[case] iif: &str,
        #[case] metric: Option<u32>,
    ) {
        let fib = fib();
        let found = fib.lookup(source.parse().unwrap(), destination.parse().unwrap(), iif);
        match (found, metric) {
            (Found::Route(route), Some(metric)) => assert_eq!(route.metric, metric),
            (Found::Rule(_, Refusal::Prohibit), None) => {}
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_not_looked_at_is_not_guessed() {
        let fib = fib();
        let ip = |text: &str| text.parse().unwrap();
        assert_eq!(
            fib.lookup(ip("10.0.0.1"), ip("8.8.8.8"), "eth1"),
            Found::Unknown
        );
        assert_eq!(
            Fib::default().lookup(ip("10.0.0.1"), ip("8.8.8.8"), "lo"),
            Found::Nothing
        );
    }

    #[test]
    fn a_route_whose_interface_is_down_is_not_used() {
        let mut fib = fib();
        for hop in &mut fib.routes[3].hops {
            hop.dead = true;
        }
        let ip = |text: &str| text.parse().unwrap();
        let found = fib.lookup(ip("10.0.0.1"), ip("10.1.2.3"), "eth0");
        assert!(matches!(found, Found::Route(route) if route.metric == 1));
    }
}
