//! From tables, chains and rules to the messages that make them.
//!
//! Attributes are big-endian. What a register holds is not: addresses are in network order as in
//! the packet, while names and the numbers of `meta` are as the kernel keeps them
//! (linux/netfilter/nf_tables.h; net/netfilter/nft_meta.c).

use ipnet::Ipv4Net;
use netlink_packet_netfilter::nftables::{
    Bitwise, ChainAttribute, ChainMessage, Cmp, DataAttribute, Expressions, Hook, Meta, MetaKey,
    NfTablesMessage, Operator, Payload, Register, RuleAttribute, RuleMessage, TableAttribute,
    TableMessage,
};

use super::rule::{Chain, ChainKind, InterfaceName, Policy, Rule, Statement, Table};

/// The register that every condition loads and compares; 16 bytes wide.
const SCRATCH: Register = Register::Reg1;

/// Returns the message that makes a table.
pub(super) fn table(table: Table) -> NfTablesMessage {
    NfTablesMessage::NewTable(TableMessage {
        attributes: vec![TableAttribute::Name(table.name.to_owned())],
    })
}

/// Returns the message that makes a chain.
pub(super) fn chain(chain: &Chain) -> NfTablesMessage {
    let kind = match chain.kind {
        ChainKind::Nat => "nat",
    };
    let policy = match chain.policy {
        Policy::Accept => libc::NF_ACCEPT,
    };
    NfTablesMessage::NewChain(ChainMessage {
        attributes: vec![
            ChainAttribute::Table(chain.table.name.to_owned()),
            ChainAttribute::Name(chain.name.to_owned()),
            ChainAttribute::Hook(vec![
                Hook::Number(chain.hook.into()),
                // A signed number for the kernel, an unsigned one for the crate.
                Hook::Priority(chain.priority.cast_unsigned()),
            ]),
            ChainAttribute::Policy(policy.cast_unsigned()),
            ChainAttribute::Type(kind.to_owned()),
        ],
    })
}

/// Returns the message that makes a rule.
pub(super) fn rule(rule: &Rule) -> NfTablesMessage {
    let expressions = rule.statements.iter().flat_map(expressions);
    NfTablesMessage::NewRule(RuleMessage {
        attributes: vec![
            RuleAttribute::Table(rule.chain.table.name.to_owned()),
            RuleAttribute::Chain(rule.chain.name.to_owned()),
            RuleAttribute::Expressions(expressions.map(Into::into).collect()),
        ],
    })
}

fn expressions(statement: &Statement) -> Vec<Expressions> {
    match statement {
        Statement::SourceNet(net) => source_net(*net),
        Statement::OutInterfaceNot(name) => out_interface_not(name),
        // The crate has no type for it; without attributes it takes the interface's own address
        // and leaves the ports alone.
        Statement::Masquerade => vec![Expressions::Other {
            expression_type: "masq".to_owned(),
            attributes: Vec::new(),
        }],
    }
}

fn source_net(net: Ipv4Net) -> Vec<Expressions> {
    const NFT_PAYLOAD_NETWORK_HEADER: u32 = 1;
    const SOURCE_ADDRESS_OFFSET: u32 = 12;
    const ADDRESS_LENGTH: u32 = 4;

    vec![
        Expressions::Payload(vec![
            Payload::DestinationRegister(SCRATCH),
            Payload::Base(NFT_PAYLOAD_NETWORK_HEADER),
            Payload::Offset(SOURCE_ADDRESS_OFFSET),
            Payload::Len(ADDRESS_LENGTH),
        ]),
        Expressions::Bitwise(vec![
            Bitwise::SourceRegister(SCRATCH),
            Bitwise::DestinationRegister(SCRATCH),
            Bitwise::Length(ADDRESS_LENGTH),
            Bitwise::Mask(DataAttribute::Value(net.netmask().octets().to_vec())),
            Bitwise::Xor(DataAttribute::Value(vec![0; 4])),
        ]),
        // The kernel masks the packet's address only, so host bits here would never match.
        compare(Operator::Equal, &net.network().octets()),
    ]
}

fn out_interface_not(name: &InterfaceName) -> Vec<Expressions> {
    vec![
        Expressions::Meta(vec![
            Meta::DestinationRegister(SCRATCH),
            Meta::Key(MetaKey::Oifname),
        ]),
        compare(Operator::NotEqual, name.as_bytes()),
    ]
}

fn compare(operator: Operator, value: &[u8]) -> Expressions {
    Expressions::Cmp(vec![
        Cmp::SourceRegister(SCRATCH),
        Cmp::Op(operator),
        Cmp::Data(DataAttribute::Value(value.to_vec())),
    ])
}

#[cfg(test)]
mod tests {
    use rtnetlink::packet_core::Emitable;

    use super::*;

    /// `NLA_F_NESTED` of linux/netlink.h.
    const NESTED: u16 = 0x8000;

    fn emitted(value: &impl Emitable) -> Vec<u8> {
        let mut bytes = vec![0; value.buffer_len()];
        value.emit(&mut bytes);
        bytes
    }

    /// Writes an attribute from its type and value as linux/netlink.h lays it out.
    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(value.len() + 4).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn attributes_are_big_endian_and_registers_are_not() {
        let [load, compare] = &out_interface_not(&InterfaceName::new("app_br").unwrap())[..] else {
            panic!("a load and a comparison");
        };
        assert_eq!(
            emitted(load),
            [
                attribute(1, &[0, 0, 0, 1]), // NFTA_META_DREG: NFT_REG_1
                attribute(2, &[0, 0, 0, 7]), // NFTA_META_KEY: NFT_META_OIFNAME
            ]
            .concat()
        );
        assert_eq!(
            emitted(compare),
            [
                attribute(1, &[0, 0, 0, 1]), // NFTA_CMP_SREG: NFT_REG_1
                attribute(2, &[0, 0, 0, 1]), // NFTA_CMP_OP: NFT_CMP_NEQ
                // NFTA_CMP_DATA: NFTA_DATA_VALUE
                attribute(3 | NESTED, &attribute(1, b"app_br\0\0\0\0\0\0\0\0\0\0")),
            ]
            .concat()
        );
    }

    #[test]
    fn host_bits_do_not_take_part() {
        let [load, mask, compared] = &source_net("10.10.131.4/17".parse().unwrap())[..] else {
            panic!("a load, a mask and a comparison");
        };
        assert_eq!(
            emitted(load),
            [
                attribute(1, &[0, 0, 0, 1]),  // NFTA_PAYLOAD_DREG: NFT_REG_1
                attribute(2, &[0, 0, 0, 1]),  // NFTA_PAYLOAD_BASE: NFT_PAYLOAD_NETWORK_HEADER
                attribute(3, &[0, 0, 0, 12]), // NFTA_PAYLOAD_OFFSET
                attribute(4, &[0, 0, 0, 4]),  // NFTA_PAYLOAD_LEN
            ]
            .concat()
        );
        assert_eq!(
            emitted(mask),
            [
                attribute(1, &[0, 0, 0, 1]), // NFTA_BITWISE_SREG: NFT_REG_1
                attribute(2, &[0, 0, 0, 1]), // NFTA_BITWISE_DREG: NFT_REG_1
                attribute(3, &[0, 0, 0, 4]), // NFTA_BITWISE_LEN
                attribute(4 | NESTED, &attribute(1, &[255, 255, 128, 0])), // NFTA_BITWISE_MASK
                attribute(5 | NESTED, &attribute(1, &[0; 4])), // NFTA_BITWISE_XOR
            ]
            .concat()
        );
        assert_eq!(*compared, compare(Operator::Equal, &[10, 10, 128, 0]));
    }

    #[test]
    fn masquerade_is_a_name_and_an_empty_nest() {
        assert_eq!(
            expressions(&Statement::Masquerade),
            [Expressions::Other {
                expression_type: "masq".to_owned(),
                attributes: Vec::new(),
            }]
        );
    }
}
