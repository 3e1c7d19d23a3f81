//! Rules that choose the routing table (`ip rule`).

use ipnet::IpNet;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::rule::{RuleAction, RuleAttribute, RuleFlags, RuleMessage};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::{MAIN_TABLE, RouteSocket};
use crate::kernel::KernelError;

/// A rule: of all that match a packet, that with the lowest priority decides first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRule {
    /// Where it stands.
    pub priority: u32,
    /// The rule is for what does not match.
    pub inverted: bool,
    /// The source addresses that it is for; none is all.
    pub from: Option<IpNet>,
    /// The destination addresses that it is for; none is all.
    pub to: Option<IpNet>,
    /// The mark and mask of packets that it is for.
    pub mark: Option<(u32, u32)>,
    /// The name of the interface that packets came in by; `lo` for the node's own.
    pub input: Option<String>,
    /// The name of the interface that the sender has bound itself to.
    pub output: Option<String>,
    /// One of the interfaces is not there.
    pub detached: bool,
    /// It has conditions of which nothing is known here: ports, a user, a tunnel.
    pub has_more: bool,
    /// What it does.
    pub action: PolicyAction,
}

/// What a rule does with packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyAction {
    /// Asks a table; if that has no route, the next rule decides.
    Table(u32),
    /// Drops them and says nothing.
    Blackhole,
    /// Refuses them: network unreachable.
    Unreachable,
    /// Refuses them: administratively prohibited.
    Prohibit,
    /// Anything else, by its number in linux/fib_rules.h.
    Other(u8),
}

/// A rule to be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewPolicyRule<'a> {
    /// The rule is of IPv6.
    pub ipv6: bool,
    /// Where it stands.
    pub priority: u32,
    /// The source addresses that it is for; none is all.
    pub from: Option<IpNet>,
    /// The destination addresses that it is for; none is all.
    pub to: Option<IpNet>,
    /// The name of the interface that packets came in by; `lo` for the node's own.
    pub input: Option<&'a str>,
    /// What it does.
    pub action: PolicyAction,
}

impl RouteSocket {
    /// Reads the rules of IPv4, or of IPv6, in the order in which they decide.
    ///
    /// # Errors
    ///
    /// The kernel's refusal; `EOPNOTSUPP` if it has no policy routing.
    pub async fn rules(&self, ipv6: bool) -> Result<Vec<PolicyRule>, KernelError> {
        self.rules_of(family(ipv6)).await
    }

    pub(super) async fn rules_of(
        &self,
        family: AddressFamily,
    ) -> Result<Vec<PolicyRule>, KernelError> {
        let mut question = RuleMessage::default();
        question.header.family = family;
        let answers = self.dump(RouteNetlinkMessage::GetRule(question)).await?;
        Ok(answers
            .into_iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewRule(message) => Some(from_message(&message)),
                _ => None,
            })
            .collect())
    }

    /// Adds a rule.
    ///
    /// # Errors
    ///
    /// `EEXIST` if there is one just like it, `EOPNOTSUPP` if the kernel has no policy routing.
    pub async fn add_rule(&self, rule: NewPolicyRule<'_>) -> Result<(), KernelError> {
        let mut message = RuleMessage::default();
        message.header.family = family(rule.ipv6);
        let attributes = &mut message.attributes;
        attributes.push(RuleAttribute::Priority(rule.priority));
        if let Some(from) = rule.from {
            message.header.src_len = from.prefix_len();
            attributes.push(RuleAttribute::Source(from.addr()));
        }
        if let Some(to) = rule.to {
            message.header.dst_len = to.prefix_len();
            attributes.push(RuleAttribute::Destination(to.addr()));
        }
        if let Some(input) = rule.input {
            attributes.push(RuleAttribute::Iifname(input.to_owned()));
        }
        let (action, table) = match rule.action {
            PolicyAction::Table(table) => (RuleAction::ToTable, table),
            PolicyAction::Blackhole => (RuleAction::Blackhole, MAIN_TABLE),
            PolicyAction::Unreachable => (RuleAction::Unreachable, MAIN_TABLE),
            PolicyAction::Prohibit => (RuleAction::Prohibit, MAIN_TABLE),
            PolicyAction::Other(number) => (RuleAction::from(number), MAIN_TABLE),
        };
        message.header.action = action;
        match u8::try_from(table) {
            Ok(table) => message.header.table = table,
            Err(_) => attributes.push(RuleAttribute::Table(table)),
        }
        self.change(
            RouteNetlinkMessage::NewRule(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
        .await
    }

    /// Deletes the first rule with a priority, of IPv4 or of IPv6.
    ///
    /// # Errors
    ///
    /// `ENOENT` if there is none such.
    pub async fn delete_rule(&self, priority: u32, ipv6: bool) -> Result<(), KernelError> {
        let mut message = RuleMessage::default();
        message.header.family = family(ipv6);
        message.attributes.push(RuleAttribute::Priority(priority));
        self.change(RouteNetlinkMessage::DelRule(message), 0).await
    }
}

fn family(ipv6: bool) -> AddressFamily {
    if ipv6 {
        AddressFamily::Inet6
    } else {
        AddressFamily::Inet
    }
}

fn from_message(message: &RuleMessage) -> PolicyRule {
    let header = &message.header;
    let flags = header.flags;
    let mut rule = PolicyRule {
        // The kernel leaves out a priority of 0.
        priority: 0,
        inverted: flags.contains(RuleFlags::Invert),
        from: None,
        to: None,
        mark: None,
        input: None,
        output: None,
        detached: flags.intersects(RuleFlags::IifDetached | RuleFlags::OifDetached),
        has_more: header.tos != 0,
        action: PolicyAction::Table(header.table.into()),
    };
    let (mut mark, mut mask) = (None, u32::MAX);
    for attribute in &message.attributes {
        match attribute {
            RuleAttribute::Priority(priority) => rule.priority = *priority,
            RuleAttribute::Source(ip) => rule.from = IpNet::new(*ip, header.src_len).ok(),
            RuleAttribute::Destination(ip) => rule.to = IpNet::new(*ip, header.dst_len).ok(),
            RuleAttribute::FwMark(is) => mark = Some(*is),
            RuleAttribute::FwMask(is) => mask = *is,
            RuleAttribute::Iifname(name) => rule.input = Some(name.clone()),
            RuleAttribute::Oifname(name) => rule.output = Some(name.clone()),
            RuleAttribute::Table(table) => rule.action = PolicyAction::Table(*table),
            // The kernel always tells these; all ones means that there is none. The last one pads.
            RuleAttribute::SuppressPrefixLen(u32::MAX)
            | RuleAttribute::SuppressIfGroup(u32::MAX)
            | RuleAttribute::Protocol(_)
            | RuleAttribute::L3MDev(false)
            | RuleAttribute::Other(_) => {}
            _ => rule.has_more = true,
        }
    }
    rule.mark = mark.map(|mark| (mark, mask));
    rule.action = match header.action {
        RuleAction::ToTable => rule.action,
        RuleAction::Blackhole => PolicyAction::Blackhole,
        RuleAction::Unreachable => PolicyAction::Unreachable,
        RuleAction::Prohibit => PolicyAction::Prohibit,
        other => PolicyAction::Other(other.into()),
    };
    rule
}
