//! How many rules each chain has.

use std::collections::BTreeMap;

use netlink_packet_netfilter::NetfilterProtoFamily;
use netlink_packet_netfilter::nftables::{NfTablesMessage, RuleAttribute, RuleMessage};

use super::NftSocket;
use super::trace::TableFamily;
use crate::kernel::KernelError;

impl NftSocket {
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
