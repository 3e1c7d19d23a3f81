//! What rules do with packets, by nftables' own trace.
//!
//! A rule of a table of our own marks every packet of a node (`meta nftrace set 1`), and the kernel
//! tells of each rule and policy that such a packet meets (`NFT_MSG_TRACE`, net/netfilter/
//! nf_tables_trace.c). The table is there for one probe and has no rule that decides anything.
//! What iptables-legacy has is no part of nftables and does not show.

use std::collections::BTreeMap;
use std::io;

use netlink_packet_netfilter::nftables::{
    ChainAttribute, ChainMessage, DataAttribute, Expressions, Hook, Immediate, Meta, MetaKey,
    NfTablesMessage, Register, RuleAttribute, RuleMessage, TableAttribute, TableMessage,
};
use netlink_packet_netfilter::{
    NetfilterHeader, NetfilterMessage, NetfilterMessageInner, NetfilterProtoFamily,
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};
use rtnetlink::packet_core::{
    DefaultNla, NLM_F_CREATE, NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload, Nla as _,
};

use super::NftSocket;
use super::batch::Batch;
use crate::kernel::KernelError;

/// The table, in each family; no fact shows rulesets, and it is gone after the probe.
const TABLE: &str = "netproof_trace";

/// `NFNLGRP_NFTRACE`, linux/netfilter/nfnetlink.h.
const GROUP: u32 = 9;

/// Before everything else at a hook; connection tracking has -200, raw tables -300.
const PRIORITY: i32 = i32::MIN + 1;

/// A point of a packet's way where chains run, in any family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookPoint {
    /// As soon as a frame has come in.
    Ingress,
    /// When a frame is about to go out.
    Egress,
    /// Behind the incoming interface.
    Prerouting,
    /// Before a socket, or a bridge's own interface.
    Input,
    /// Between two interfaces or ports.
    Forward,
    /// Behind a socket, or a bridge's own interface.
    Output,
    /// Before the outgoing interface.
    Postrouting,
}

/// The address family of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TableFamily {
    /// `ip`
    Ip,
    /// `ip6`
    Ip6,
    /// `inet`
    Inet,
    /// `arp`
    Arp,
    /// `bridge`
    Bridge,
    /// `netdev`
    Netdev,
}

/// A chain that runs at a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseChain {
    /// The family of its table.
    pub family: TableFamily,
    /// Its table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// Where it runs.
    pub hook: HookPoint,
}

/// The end that a rule or policy made of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// The chain that runs at a hook, in or below which it happened.
    pub base: BaseChain,
    /// The chain in which it happened.
    pub chain: String,
    /// The rule's place in the chain, from 1; none where it was the chain's policy.
    pub rule: Option<usize>,
    /// The IP header that the packet had when it was traced first.
    pub header: Vec<u8>,
}

/// A trace of all packets of one network namespace. Ended by [`Trace::end`].
#[derive(Debug)]
pub struct Trace {
    nft: NftSocket,
    listener: Socket,
    chains: Vec<BaseChain>,
    made: Vec<NetfilterProtoFamily>,
}

impl TableFamily {
    /// Returns the word that `nft` has for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Ip6 => "ip6",
            Self::Inet => "inet",
            Self::Arp => "arp",
            Self::Bridge => "bridge",
            Self::Netdev => "netdev",
        }
    }

    pub(super) fn from_wire(family: NetfilterProtoFamily) -> Option<Self> {
        Some(match family {
            NetfilterProtoFamily::IPv4 => Self::Ip,
            NetfilterProtoFamily::IPv6 => Self::Ip6,
            NetfilterProtoFamily::Inet => Self::Inet,
            NetfilterProtoFamily::ARP => Self::Arp,
            NetfilterProtoFamily::Bridge => Self::Bridge,
            NetfilterProtoFamily::NetDev => Self::Netdev,
            _ => return None,
        })
    }
}

/// Names a hook by its number in the family (linux/netfilter.h, netfilter_bridge.h, netfilter_arp.h).
fn hook_point(family: TableFamily, number: u32) -> Option<HookPoint> {
    use HookPoint::{Egress, Forward, Ingress, Input, Output, Postrouting, Prerouting};
    let of_family: &[HookPoint] = match family {
        TableFamily::Netdev => &[Ingress, Egress],
        TableFamily::Arp => &[Input, Output, Forward],
        _ => &[Prerouting, Input, Forward, Output, Postrouting, Ingress],
    };
    of_family.get(number as usize).copied()
}

impl NftSocket {
    /// Lists the chains that run at hooks, of all families; none where the kernel has no nftables.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn base_chains(&mut self) -> Result<Vec<BaseChain>, KernelError> {
        let question = NfTablesMessage::GetChain(ChainMessage { attributes: vec![] });
        let mut chains = Vec::new();
        for (family, answer) in self.dump(NetfilterProtoFamily::Unspec, question)? {
            let NfTablesMessage::NewChain(chain) = answer else {
                continue;
            };
            let (mut table, mut name, mut number) = (String::new(), String::new(), None);
            for attribute in chain.attributes {
                match attribute {
                    ChainAttribute::Table(text) => table = text,
                    ChainAttribute::Name(text) => name = text,
                    ChainAttribute::Hook(hook) => {
                        number = hook.iter().find_map(|it| match it {
                            Hook::Number(number) => Some(u32::from(*number)),
                            _ => None,
                        });
                    }
                    _ => {}
                }
            }
            let family = TableFamily::from_wire(family);
            let hook = family
                .zip(number)
                .and_then(|(family, number)| hook_point(family, number));
            if let (Some(family), Some(hook)) = (family, hook)
                && table != TABLE
            {
                chains.push(BaseChain {
                    family,
                    table,
                    name,
                    hook,
                });
            }
        }
        Ok(chains)
    }

    /// Returns the handles of the rules of a chain, in their order.
    fn handles(
        &mut self,
        family: NetfilterProtoFamily,
        table: &str,
        chain: &str,
    ) -> Result<Vec<u64>, KernelError> {
        let question = NfTablesMessage::GetRule(RuleMessage {
            attributes: vec![
                RuleAttribute::Table(table.to_owned()),
                RuleAttribute::Chain(chain.to_owned()),
            ],
        });
        let mut handles = Vec::new();
        for (_, answer) in self.dump(family, question)? {
            if let NfTablesMessage::NewRule(rule) = answer {
                handles.extend(
                    rule.attributes
                        .iter()
                        .find_map(|attribute| match attribute {
                            RuleAttribute::Handle(handle) => Some(*handle),
                            _ => None,
                        }),
                );
            }
        }
        Ok(handles)
    }

    /// Asks for all objects of nftables of a kind.
    pub(super) fn dump(
        &mut self,
        family: NetfilterProtoFamily,
        question: NfTablesMessage,
    ) -> Result<Vec<(NetfilterProtoFamily, NfTablesMessage)>, KernelError> {
        let answers = self.dump_any(family, question)?;
        let of_nftables = |message: NetfilterMessage| match message.inner {
            NetfilterMessageInner::NfTables(answer) => Some((message.header.family, answer)),
            _ => None,
        };
        Ok(answers.into_iter().filter_map(of_nftables).collect())
    }

    /// Asks any part of netfilter for all objects of a kind.
    pub(in crate::kernel) fn dump_any(
        &mut self,
        family: NetfilterProtoFamily,
        question: impl Into<NetfilterMessageInner>,
    ) -> Result<Vec<NetfilterMessage>, KernelError> {
        let failed = |error: io::Error| KernelError::from_io(&error);
        let header = NetfilterHeader::new(family, 0, 0);
        let mut message = NetlinkMessage::from(NetfilterMessage::new(header, question));
        message.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        message.header.sequence_number = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0).map_err(failed)?;
        let mut answers = Vec::new();
        // The kernel writes the next part when the last one is read, so nothing here waits.
        loop {
            let (datagram, _) = match self.socket.recv_from_full() {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(answers),
                Err(error) => return Err(failed(error)),
            };
            for message in messages(&datagram) {
                match message.payload {
                    NetlinkPayload::InnerMessage(inner) => answers.push(inner),
                    NetlinkPayload::Done(_) => return Ok(answers),
                    NetlinkPayload::Error(error) => {
                        return match error.code {
                            None => Ok(answers),
                            Some(code) => {
                                Err(nix::errno::Errno::from_raw(code.get().saturating_abs()).into())
                            }
                        };
                    }
                    _ => {}
                }
            }
        }
    }
}

/// Takes a datagram apart; what cannot be read ends it.
fn messages(datagram: &[u8]) -> Vec<NetlinkMessage<NetfilterMessage>> {
    let mut rest = datagram;
    let mut messages = Vec::new();
    while let Ok(message) = NetlinkMessage::<NetfilterMessage>::deserialize(rest) {
        let length = (message.header.length as usize).next_multiple_of(4);
        rest = rest.get(length..).unwrap_or_default();
        messages.push(message);
        if rest.is_empty() {
            break;
        }
    }
    messages
}

impl Trace {
    /// Begins a trace in the network namespace of the calling thread, of what comes in by the
    /// interfaces named and of what its own sockets send.
    ///
    /// # Errors
    ///
    /// What the kernel refused; `EOPNOTSUPP` or `ENOENT` where it has no traces.
    pub fn begin(links: &[String]) -> Result<Self, KernelError> {
        let failed = |error: io::Error| KernelError::from_io(&error);
        let mut listener = Socket::new(NETLINK_NETFILTER).map_err(failed)?;
        listener.bind(&SocketAddr::new(0, 0)).map_err(failed)?;
        listener.set_non_blocking(true).map_err(failed)?;
        listener.add_membership(GROUP).map_err(failed)?;
        let mut nft = NftSocket::open()?;
        let chains = nft.base_chains()?;
        let mut trace = Self {
            nft,
            listener,
            chains,
            made: Vec::new(),
        };
        let started = trace.mark(links);
        if let Err(error) = started {
            let _ = trace.end();
            return Err(error);
        }
        Ok(trace)
    }

    fn mark(&mut self, links: &[String]) -> Result<(), KernelError> {
        use NetfilterProtoFamily::{Bridge, Inet, NetDev};
        const PREROUTING: u32 = 0;
        const OUTPUT: u32 = 3;
        let any = [String::new()];
        // A bridge or an incoming interface that has no chains of its own need not be traced.
        for (family, hook, devices) in [
            (NetDev, PREROUTING, links),
            (Bridge, PREROUTING, &any[..]),
            (Bridge, OUTPUT, &any[..]),
            (Inet, PREROUTING, &any[..]),
            (Inet, OUTPUT, &any[..]),
        ] {
            let mut batch = Batch::default();
            batch.push(NLM_F_CREATE, family, table());
            for (at, device) in devices.iter().enumerate() {
                let chain = format!("at_{hook}_{at}");
                batch.push(NLM_F_CREATE, family, base_chain(&chain, hook, device));
                batch.push(NLM_F_CREATE, family, marking_rule(&chain));
            }
            match self.nft.commit(&batch) {
                Ok(()) if !self.made.contains(&family) => self.made.push(family),
                Ok(()) => {}
                // A kernel without the family has no chains in it that could drop anything.
                Err(_) if family != Inet => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Returns every packet that a rule or policy ended since the trace began.
    ///
    /// # Errors
    ///
    /// The kernel's refusal; `ENOBUFS` where notifications were lost.
    pub fn dropped(&mut self) -> Result<Vec<Dropped>, KernelError> {
        let mut packets: BTreeMap<u32, Packet> = BTreeMap::new();
        let mut found = Vec::new();
        loop {
            let (datagram, _) = match self.listener.recv_from_full() {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(KernelError::from_io(&error)),
            };
            for message in messages(&datagram) {
                if let NetlinkPayload::InnerMessage(inner) = message.payload
                    && let Some(family) = TableFamily::from_wire(inner.header.family)
                    && let NetfilterMessageInner::NfTables(NfTablesMessage::Trace(attributes)) =
                        inner.inner
                {
                    let event = TraceEvent::read(&attributes);
                    found.extend(self.take(family, event, &mut packets));
                }
            }
        }
        let mut dropped = Vec::new();
        for (end, handle) in found {
            let family = wire(end.base.family);
            let rule = match handle {
                Some(handle) => {
                    let handles = self.nft.handles(family, &end.base.table, &end.chain)?;
                    handles.iter().position(|it| *it == handle).map(|at| at + 1)
                }
                None => None,
            };
            dropped.push(Dropped { rule, ..end });
        }
        Ok(dropped)
    }

    fn take(
        &self,
        family: TableFamily,
        event: TraceEvent,
        packets: &mut BTreeMap<u32, Packet>,
    ) -> Option<(Dropped, Option<u64>)> {
        let packet = packets.entry(event.id).or_default();
        if packet.header.is_empty() {
            packet.header = event.header;
        }
        if let Some(base) = self.chains.iter().find(|chain| {
            (chain.family, &chain.table, &chain.name) == (family, &event.table, &event.chain)
        }) {
            packet.base = Some(base.clone());
        }
        let base = packet.base.clone().filter(|_| event.drops)?;
        let end = Dropped {
            base,
            chain: event.chain,
            rule: None,
            header: packet.header.clone(),
        };
        Some((end, event.handle))
    }

    /// Ends the trace: nothing of it is left.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn end(mut self) -> Result<(), KernelError> {
        let mut batch = Batch::default();
        for family in &self.made {
            let table = TableMessage {
                attributes: vec![TableAttribute::Name(TABLE.to_owned())],
            };
            batch.push(0, *family, NfTablesMessage::DeleteTable(table));
        }
        self.nft.commit(&batch)
    }
}

#[derive(Debug, Default)]
struct Packet {
    header: Vec<u8>,
    base: Option<BaseChain>,
}

/// One notification, `enum nft_trace_attributes` of linux/netfilter/nf_tables.h.
#[derive(Debug, Default)]
struct TraceEvent {
    id: u32,
    table: String,
    chain: String,
    handle: Option<u64>,
    drops: bool,
    header: Vec<u8>,
}

impl TraceEvent {
    fn read(attributes: &[DefaultNla]) -> Self {
        const TABLE: u16 = 1;
        const CHAIN: u16 = 2;
        const RULE_HANDLE: u16 = 3;
        const VERDICT: u16 = 5;
        const ID: u16 = 6;
        const NETWORK_HEADER: u16 = 8;
        const POLICY: u16 = 16;
        const NF_DROP: u32 = 0;
        const TYPE_MASK: u16 = 0x3fff;

        let mut event = Self::default();
        for attribute in attributes {
            let mut value = vec![0; attribute.value_len()];
            attribute.emit_value(&mut value);
            match attribute.kind() & TYPE_MASK {
                TABLE => event.table = text(&value),
                CHAIN => event.chain = text(&value),
                RULE_HANDLE => event.handle = value.try_into().ok().map(u64::from_be_bytes),
                // Nested: a header of four bytes, then the code.
                VERDICT => event.drops |= value.get(4..8).and_then(number) == Some(NF_DROP),
                POLICY => event.drops |= number(&value) == Some(NF_DROP),
                ID => event.id = number(&value).unwrap_or_default(),
                NETWORK_HEADER => event.header = value,
                _ => {}
            }
        }
        event
    }
}

fn number(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().ok().map(u32::from_be_bytes)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .trim_end_matches('\0')
        .to_owned()
}

fn wire(family: TableFamily) -> NetfilterProtoFamily {
    match family {
        TableFamily::Ip => NetfilterProtoFamily::IPv4,
        TableFamily::Ip6 => NetfilterProtoFamily::IPv6,
        TableFamily::Inet => NetfilterProtoFamily::Inet,
        TableFamily::Arp => NetfilterProtoFamily::ARP,
        TableFamily::Bridge => NetfilterProtoFamily::Bridge,
        TableFamily::Netdev => NetfilterProtoFamily::NetDev,
    }
}

fn table() -> NfTablesMessage {
    NfTablesMessage::NewTable(TableMessage {
        attributes: vec![TableAttribute::Name(TABLE.to_owned())],
    })
}

fn base_chain(name: &str, hook: u32, device: &str) -> NfTablesMessage {
    let mut at = vec![
        Hook::Number(netlink_packet_netfilter::nftables::InetHookNumber::from(hook).into()),
        Hook::Priority(PRIORITY.cast_unsigned()),
    ];
    if !device.is_empty() {
        at.push(Hook::NetDeviceName(device.to_owned()));
    }
    NfTablesMessage::NewChain(ChainMessage {
        attributes: vec![
            ChainAttribute::Table(TABLE.to_owned()),
            ChainAttribute::Name(name.to_owned()),
            ChainAttribute::Hook(at),
            ChainAttribute::Type("filter".to_owned()),
        ],
    })
}

/// `meta nftrace set 1`
fn marking_rule(chain: &str) -> NfTablesMessage {
    let expressions = [
        Expressions::Immediate(vec![
            Immediate::DestinationRegister(Register::Reg1),
            Immediate::Data(DataAttribute::Value(vec![1])),
        ]),
        Expressions::Meta(vec![
            Meta::Key(MetaKey::NftraceBit),
            Meta::SourceRegister(Register::Reg1),
        ]),
    ];
    NfTablesMessage::NewRule(RuleMessage {
        attributes: vec![
            RuleAttribute::Table(TABLE.to_owned()),
            RuleAttribute::Chain(chain.to_owned()),
            RuleAttribute::Expressions(expressions.into_iter().map(Into::into).collect()),
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(parts: &[(u16, &[u8])]) -> TraceEvent {
        let attributes: Vec<DefaultNla> = parts
            .iter()
            .map(|(kind, value)| DefaultNla::new(*kind, value.to_vec()))
            .collect();
        TraceEvent::read(&attributes)
    }

    #[test]
    fn a_drop_is_told_from_what_goes_on() {
        let dropped = [0, 8, 0, 1, 0, 0, 0, 0];
        let accepted = [0, 8, 0, 1, 0, 0, 0, 1];
        assert!(event(&[(1, b"filter\0"), (0x8005, &dropped)]).drops);
        assert!(!event(&[(1, b"filter\0"), (0x8005, &accepted)]).drops);
        assert!(event(&[(16, &[0, 0, 0, 0])]).drops);
        assert!(!event(&[(16, &[0, 0, 0, 1])]).drops);
        assert!(!event(&[(16, &[])]).drops);
        let rule = event(&[(2, b"FORWARD\0"), (3, &7u64.to_be_bytes())]);
        assert_eq!((rule.chain.as_str(), rule.handle), ("FORWARD", Some(7)));
    }
}
