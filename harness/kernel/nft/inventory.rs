//! How many rules each chain has.

use std::collections::{BTreeMap, BTreeSet};

use netlink_packet_netfilter::NetfilterProtoFamily;
use netlink_packet_netfilter::nftables::{
    ChainAttribute, ChainMessage, NfTablesMessage, RuleAttribute, RuleMessage,
};

use super::NftSocket;
use super::batch::Batch;
use super::trace::TableFamily;
use crate::kernel::KernelError;

impl NftSocket {
    /// Removes all rules of every table of IPv4 and IPv6 in which a chain translates addresses, whoever
    /// made them.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn flush_all_translation(&mut self) -> Result<(), KernelError> {
        let question = NfTablesMessage::GetChain(ChainMessage { attributes: vec![] });
        let mut tables = BTreeSet::new();
        for (family, answer) in self.dump(NetfilterProtoFamily::Unspec, question)? {
            let NfTablesMessage::NewChain(chain) = answer else {
                continue;
            };
            let translates = chain
                .attributes
                .iter()
                .any(|it| matches!(it, ChainAttribute::Type(kind) if kind == "nat"));
            let name = chain.attributes.into_iter().find_map(|it| match it {
                ChainAttribute::Table(name) => Some(name),
                _ => None,
            });
            if let Some(name) = name.filter(|_| translates) {
                tables.insert((u8::from(family), name));
            }
        }
        let mut batch = Batch::default();
        for (family, table) in tables {
            let all = NfTablesMessage::DeleteRule(RuleMessage {
                attributes: vec![RuleAttribute::Table(table)],
            });
            batch.push(0, NetfilterProtoFamily::from(family), all);
        }
        self.commit(&batch)
    }

    /// Counts the rules of every chain that has any, also those of iptables-nft; a chain is known as
    /// `FAMILY TABLE CHAIN`.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn rules_by_chain(&mut self) -> Result<BTreeMap<String, usize>, KernelError> {
        let question = NfTablesMessage::GetRule(RuleMessage { attributes: vec![] });
        let mut chains = BTreeMap::new();
        for (family, answer) in self.dump(NetfilterProtoFamily::Unspec, question)? {
            let NfTablesMessage::NewRule(rule) = answer else {
                continue;
            };
            let (mut table, mut chain) = (String::new(), String::new());
            for attribute in rule.attributes {
                match attribute {
                    RuleAttribute::Table(name) => table = name,
                    RuleAttribute::Chain(name) => chain = name,
                    _ => {}
                }
            }
            let family = TableFamily::from_wire(family).map_or("?", TableFamily::word);
            *chains
                .entry(format!("{family} {table} {chain}"))
                .or_default() += 1;
        }
        Ok(chains)
    }
}
