//! nftables over netlink, without the `nft` binary and without iptables.
//!
//! A change is one transaction: the kernel makes all of it or none of it. Rules that
//! iptables-legacy made are another table in the kernel and invisible here.

mod batch;
mod encode;
mod inventory;
mod rule;
mod trace;

use std::io;
use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_netfilter::{NetfilterProtoFamily, nftables::InetHookNumber};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};
use nix::errno::Errno;

use self::batch::{Answers, Batch};
pub use self::rule::Policy;
use self::rule::{Chain, ChainKind, InterfaceName, Rule, Statement, Table};
pub use self::trace::{BaseChain, Dropped, HookPoint, TableFamily, Trace};
use super::KernelError;

/// The IP that a table is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

/// Returns the table of one IP, `ip netproof` or `ip6 netproof`.
fn table(family: Family) -> Table {
    Table {
        family: match family {
            Family::Ipv4 => NetfilterProtoFamily::IPv4,
            Family::Ipv6 => NetfilterProtoFamily::IPv6,
        },
        name: "netproof",
    }
}

/// The tables of iptables: chains of one kind, that run together at one time.
///
/// netproof has all its chains of one IP in one table of nftables, and their names begin with these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Class {
    name: &'static str,
    kind: ChainKind,
}

const RAW: Class = Class {
    name: "raw",
    kind: ChainKind::Filter,
};
const NAT: Class = Class {
    name: "nat",
    kind: ChainKind::Nat,
};
const MANGLE: Class = Class {
    name: "mangle",
    kind: ChainKind::Filter,
};
const FILTER: Class = Class {
    name: "filter",
    kind: ChainKind::Filter,
};

/// A point of a packet's way where rules run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NftHook {
    /// Behind the incoming interface, before routing.
    Prerouting,
    /// Before a socket of this network namespace.
    Input,
    /// Between two interfaces.
    Forward,
    /// Behind a socket of this network namespace.
    Output,
    /// Before the outgoing interface.
    Postrouting,
}

/// What a packet has to be for a rule to act on it; what is not given may be anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Match<'a> {
    /// The source is in this prefix; host bits do not matter.
    pub source: Option<IpNet>,
    /// The destination is in this prefix; host bits do not matter.
    pub destination: Option<IpNet>,
    /// It came in by this interface.
    pub input: Option<&'a str>,
    /// It came in by no interface, or by another one.
    pub not_input: Option<&'a str>,
    /// It goes out by this interface.
    pub out: Option<&'a str>,
    /// It goes out by another interface.
    pub not_out: Option<&'a str>,
    /// The number of the protocol above IP.
    pub protocol: Option<u8>,
    /// The port that it goes to; needs a `protocol` that has ports.
    pub port: Option<u16>,
    /// Its connection is in one of these states; any if there is none.
    pub states: Vec<CtState>,
}

/// What connection tracking knows of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CtState {
    /// It belongs to no connection and cannot begin one.
    Invalid,
    /// Both directions of its connection were seen.
    Established,
    /// It begins a connection that another one announced, or is an error about one.
    Related,
    /// It begins a connection.
    New,
    /// It was exempt from tracking.
    Untracked,
}

impl CtState {
    /// `NF_CT_STATE_BIT` of linux/netfilter/nf_conntrack_common.h.
    fn bit(self) -> u32 {
        match self {
            Self::Invalid => 1,
            Self::Established => 1 << 1,
            Self::Related => 1 << 2,
            Self::New => 1 << 3,
            Self::Untracked => 1 << 6,
        }
    }
}

/// What a rule does. It decides which of the tables of iptables the rule is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// In `nat`: takes the address of the outgoing interface as source.
    Masquerade,
    /// In `nat`: takes this address as source.
    Snat(IpAddr),
    /// In `nat`: takes this address as destination, and this port where there is one.
    Dnat(IpAddr, Option<u16>),
    /// In `filter`: lets the packet pass the chain.
    Accept,
    /// In `filter`: drops the packet.
    Drop,
    /// In `filter`: drops the packet and tells the sender that the port is unreachable.
    Reject,
    /// In `raw`: exempts the packet from connection tracking.
    Notrack,
}

impl Action {
    fn class(self, hook: NftHook) -> Class {
        match self {
            Self::Masquerade | Self::Snat(_) | Self::Dnat(..) => NAT,
            Self::Accept | Self::Drop | Self::Reject => filtering(hook),
            Self::Notrack => RAW,
        }
    }

    fn statement(self, family: Family) -> Result<Statement, KernelError> {
        Ok(match self {
            Self::Masquerade => Statement::Masquerade,
            Self::Snat(address) => Statement::Snat(family.holds(address)?),
            Self::Dnat(address, port) => Statement::Dnat(family.holds(address)?, port),
            Self::Accept => Statement::Decide(Policy::Accept),
            Self::Drop => Statement::Decide(Policy::Drop),
            Self::Reject => Statement::Reject(family),
            Self::Notrack => Statement::Notrack,
        })
    }
}

impl Family {
    /// Returns an address that is of this IP.
    fn holds(self, address: IpAddr) -> Result<IpAddr, KernelError> {
        match (self, address) {
            (Self::Ipv4, IpAddr::V4(_)) | (Self::Ipv6, IpAddr::V6(_)) => Ok(address),
            _ => Err(Errno::EAFNOSUPPORT.into()),
        }
    }
}

/// Returns the class of chains that let packets pass or not at a hook: iptables has no table `filter`
/// before and behind routing.
fn filtering(hook: NftHook) -> Class {
    match hook {
        NftHook::Prerouting | NftHook::Postrouting => MANGLE,
        NftHook::Input | NftHook::Forward | NftHook::Output => FILTER,
    }
}

/// Returns the chain of a class at a hook, with the priority that iptables has there
/// (linux/netfilter_ipv4.h, `NF_IP_PRI_*`; linux/netfilter_ipv6.h has the same).
fn chain(family: Family, class: Class, hook: NftHook) -> Chain {
    let (at, number) = match hook {
        NftHook::Prerouting => ("prerouting", InetHookNumber::PreRouting),
        NftHook::Input => ("input", InetHookNumber::LocalIn),
        NftHook::Forward => ("forward", InetHookNumber::Forward),
        NftHook::Output => ("output", InetHookNumber::LocalOut),
        NftHook::Postrouting => ("postrouting", InetHookNumber::PostRouting),
    };
    let priority = match (class, hook) {
        (RAW, _) => -300,
        (MANGLE, _) => -150,
        (NAT, NftHook::Prerouting | NftHook::Output) => -100,
        (NAT, _) => 100,
        _ => 0,
    };
    Chain {
        table: table(family),
        name: format!("{}_{at}", class.name),
        kind: class.kind,
        hook: number,
        priority,
        device: None,
    }
}

/// A point of a frame's way where rules run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameHook<'a> {
    /// In a bridge, before its own interface.
    BridgeInput,
    /// In a bridge, between two ports.
    BridgeForward,
    /// In a bridge, behind its own interface.
    BridgeOutput,
    /// At an interface, as soon as a frame has come in.
    Ingress(&'a str),
}

impl FrameHook<'_> {
    /// Returns the chain, with the priority that ebtables has there (linux/netfilter_bridge.h,
    /// `NF_BR_PRI_FILTER_*`).
    fn chain(self) -> Chain {
        let (family, name, hook, priority) = match self {
            Self::BridgeInput => ("bridge", "filter_input", InetHookNumber::LocalIn, -200),
            Self::BridgeForward => ("bridge", "filter_forward", InetHookNumber::Forward, -200),
            Self::BridgeOutput => ("bridge", "filter_output", InetHookNumber::LocalOut, 200),
            // `NF_NETDEV_INGRESS` has the number of the first hook.
            Self::Ingress(_) => ("netdev", "ingress", InetHookNumber::PreRouting, 0),
        };
        let device = match self {
            Self::Ingress(device) => Some(device.to_owned()),
            _ => None,
        };
        let family = match family {
            "bridge" => NetfilterProtoFamily::Bridge,
            _ => NetfilterProtoFamily::NetDev,
        };
        Chain {
            table: Table {
                family,
                name: "netproof",
            },
            name: match &device {
                Some(device) => format!("{name}_{device}"),
                None => name.to_owned(),
            },
            kind: ChainKind::Filter,
            hook,
            priority,
            device,
        }
    }
}

/// Changes the nftables rules of one network namespace.
#[derive(Debug)]
pub struct NftSocket {
    socket: Socket,
    /// The sequence number of the next message to send.
    sequence: u32,
}

impl NftSocket {
    /// Opens a socket in the network namespace of the calling thread.
    ///
    /// The socket stays in that namespace wherever its thread goes later.
    ///
    /// # Errors
    ///
    /// `EPROTONOSUPPORT` where the kernel has no netfilter netlink. A missing nftables or a missing
    /// `CAP_NET_ADMIN` only shows at the first change.
    pub fn open() -> Result<Self, KernelError> {
        let open = || {
            let socket = Socket::new(NETLINK_NETFILTER)?;
            // Connected to the kernel (port 0): no process can queue a message here.
            socket.connect(&SocketAddr::new(0, 0))?;
            socket.set_ext_ack(true)?;
            socket.set_cap_ack(true)?;
            socket.set_non_blocking(true)?;
            Ok(socket)
        };
        Ok(Self {
            socket: open().map_err(|error| KernelError::from_io(&error))?,
            sequence: 1,
        })
    }

    /// Appends a rule to the chain of its action at a hook, in the table `ip netproof` or
    /// `ip6 netproof`.
    ///
    /// Makes the table and the chain where they are missing. Calling twice adds the rule twice, as
    /// `iptables -A` does.
    ///
    /// # Errors
    ///
    /// `EAFNOSUPPORT` for an address of the other IP; `EINVAL` for a name that cannot be an interface's;
    /// `ENOENT` where the kernel lacks an expression or a kind of chain, since the same transaction
    /// makes everything else that the rule names; otherwise what the kernel refused.
    pub fn append(
        &mut self,
        family: Family,
        hook: NftHook,
        conditions: &Match<'_>,
        action: Action,
    ) -> Result<(), KernelError> {
        let mut statements = conditions.statements(family)?;
        statements.push(action.statement(family)?);
        let rule = Rule {
            chain: chain(family, action.class(hook), hook),
            statements,
        };
        self.append_rule(&rule)
    }

    /// Appends a rule about frames, in the table `bridge netproof` or `netdev netproof`.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a name that cannot be an interface's, `ENOENT` where there is no such interface or
    /// the kernel lacks the family; otherwise what the kernel refused.
    pub fn append_for_frames(
        &mut self,
        hook: FrameHook<'_>,
        (input, out): (Option<&str>, Option<&str>),
        policy: Policy,
    ) -> Result<(), KernelError> {
        let mut statements = Vec::new();
        if let Some(name) = input {
            statements.push(Statement::InInterface(InterfaceName::new(name)?));
        }
        if let Some(name) = out {
            statements.push(Statement::OutInterface(InterfaceName::new(name)?));
        }
        statements.push(Statement::Decide(policy));
        let rule = Rule {
            chain: hook.chain(),
            statements,
        };
        self.append_rule(&rule)
    }

    /// Removes all rules that translate addresses at a hook, in the table of [`append`](Self::append).
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    pub fn flush_translation(&mut self, family: Family, hook: NftHook) -> Result<(), KernelError> {
        let chain = chain(family, NAT, hook);
        let mut batch = Batch::default();
        batch.add_table(chain.table);
        // One that is not there cannot be emptied, and has nothing that could go.
        batch.add_chain(&chain, None);
        batch.push(
            0,
            chain.table.family,
            encode::no_rules(chain.table.name, &chain.name),
        );
        self.commit(&batch)
    }

    fn append_rule(&mut self, rule: &Rule) -> Result<(), KernelError> {
        let mut batch = Batch::default();
        batch.add_table(rule.chain.table);
        batch.add_chain(&rule.chain, None);
        batch.append_rule(rule);
        self.commit(&batch)
    }

    /// Sets the policy of the filter chain at a hook, which is made where it is missing.
    ///
    /// # Errors
    ///
    /// `ENOENT` where the kernel lacks filter chains; otherwise what the kernel refused.
    pub fn set_policy(
        &mut self,
        family: Family,
        hook: NftHook,
        policy: Policy,
    ) -> Result<(), KernelError> {
        self.set_policy_of(&chain(family, filtering(hook), hook), policy)
    }

    /// Sets the policy of the chain for frames at a hook, which is made where it is missing.
    ///
    /// # Errors
    ///
    /// `ENOENT` where there is no such interface or the kernel lacks the family; otherwise what the
    /// kernel refused.
    pub fn set_policy_for_frames(
        &mut self,
        hook: FrameHook<'_>,
        policy: Policy,
    ) -> Result<(), KernelError> {
        self.set_policy_of(&hook.chain(), policy)
    }

    fn set_policy_of(&mut self, chain: &Chain, policy: Policy) -> Result<(), KernelError> {
        let mut batch = Batch::default();
        batch.add_table(chain.table);
        batch.add_chain(chain, Some(policy));
        self.commit(&batch)
    }

    /// Sends a transaction and reads the kernel's answers to it.
    ///
    /// The kernel works on the batch inside `sendmsg` and has queued every answer when that
    /// returns (net/netfilter/nfnetlink.c, `nfnetlink_rcv_batch`), so nothing here waits.
    ///
    /// The default receive buffer holds the answers to 250 messages (measured on Linux 6.18).
    /// Above that the error is `ENOBUFS` although the changes may have been made.
    fn commit(&mut self, batch: &Batch) -> Result<(), KernelError> {
        let first = self.sequence;
        self.sequence = first.wrapping_add(batch.sequence_numbers());

        let failed = |error: io::Error| KernelError::from_io(&error);
        self.socket.send(&batch.encode(first), 0).map_err(failed)?;

        let mut answers = Answers::new(first, batch);
        loop {
            match self.socket.recv_from_full() {
                Ok((datagram, _)) => answers.read(&datagram)?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(failed(error)),
            }
        }
        answers.verdict()
    }
}

impl Match<'_> {
    /// Returns the conditions as statements, the protocol before its port.
    fn statements(&self, family: Family) -> Result<Vec<Statement>, KernelError> {
        let net = |net: IpNet| family.holds(net.addr()).map(|_| net);
        let mut statements = Vec::new();
        if let Some(source) = self.source {
            statements.push(Statement::SourceNet(net(source)?));
        }
        if let Some(destination) = self.destination {
            statements.push(Statement::DestinationNet(net(destination)?));
        }
        for (name, side) in [
            (self.input, Statement::InInterface as fn(_) -> _),
            (self.not_input, Statement::InInterfaceNot),
            (self.out, Statement::OutInterface),
            (self.not_out, Statement::OutInterfaceNot),
        ] {
            if let Some(name) = name {
                statements.push(side(InterfaceName::new(name)?));
            }
        }
        statements.extend(self.protocol.map(Statement::Protocol));
        statements.extend(self.port.map(Statement::DestinationPort));
        if !self.states.is_empty() {
            let bits = self.states.iter().fold(0, |bits, state| bits | state.bit());
            statements.push(Statement::ConnectionState(bits));
        }
        Ok(statements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_condition_is_one_statement_and_the_protocol_precedes_the_port() {
        let net: IpNet = "10.10.0.0/16".parse().unwrap();
        let name = |name| InterfaceName::new(name).unwrap();
        let conditions = Match {
            source: Some(net),
            destination: Some(net),
            input: Some("a"),
            not_input: Some("b"),
            out: Some("c"),
            not_out: Some("d"),
            protocol: Some(6),
            port: Some(80),
            states: vec![CtState::Established, CtState::Related],
        };
        assert_eq!(
            conditions.statements(Family::Ipv4),
            Ok(vec![
                Statement::SourceNet(net),
                Statement::DestinationNet(net),
                Statement::InInterface(name("a")),
                Statement::InInterfaceNot(name("b")),
                Statement::OutInterface(name("c")),
                Statement::OutInterfaceNot(name("d")),
                Statement::Protocol(6),
                Statement::DestinationPort(80),
                Statement::ConnectionState(6),
            ])
        );
        assert_eq!(Match::default().statements(Family::Ipv4), Ok(Vec::new()));
    }

    #[test]
    fn an_address_of_the_other_ip_is_refused() {
        let conditions = Match {
            source: Some("fd00::/64".parse().unwrap()),
            ..Match::default()
        };
        let error = conditions.statements(Family::Ipv4).unwrap_err();
        assert_eq!(error.errno, Errno::EAFNOSUPPORT);
        assert!(conditions.statements(Family::Ipv6).is_ok());
        let to = "fd00::1".parse().unwrap();
        for action in [Action::Snat(to), Action::Dnat(to, None)] {
            let refused = Err(Errno::EAFNOSUPPORT.into());
            assert_eq!(action.statement(Family::Ipv4), refused);
            assert!(action.statement(Family::Ipv6).is_ok());
        }
    }

    #[test]
    fn chains_run_when_those_of_iptables_do() {
        let priority =
            |action: Action, hook| chain(Family::Ipv6, action.class(hook), hook).priority;
        assert_eq!(priority(Action::Notrack, NftHook::Output), -300);
        assert_eq!(priority(Action::Masquerade, NftHook::Postrouting), 100);
        let dnat = Action::Dnat("10.0.0.2".parse().unwrap(), None);
        assert_eq!(priority(dnat, NftHook::Prerouting), -100);
        assert_eq!(priority(dnat, NftHook::Output), -100);
        assert_eq!(priority(Action::Drop, NftHook::Forward), 0);
    }
}
