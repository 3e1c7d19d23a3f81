//! From tables, chains and rules to the messages that make them.
//!
//! Attributes are big-endian. What a register holds is not: addresses are in network order as in
//! the packet, while names and the numbers of `meta` are as the kernel keeps them
//! (linux/netfilter/nf_tables.h; net/netfilter/nft_meta.c).

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_netfilter::nftables::{
    Bitwise, ChainAttribute, ChainMessage, Cmp, DataAttribute, Expressions, Hook, Immediate, Meta,
    MetaKey, NfTablesMessage, Operator, Payload, Register, RuleAttribute, RuleMessage,
    TableAttribute, TableMessage, Verdict, VerdictAttribute,
};
use rtnetlink::packet_core::DefaultNla;

use super::Family;
use super::rule::{Chain, ChainKind, InterfaceName, Policy, Rule, Statement, Table};

/// The register that every condition loads and compares; 16 bytes wide.
const SCRATCH: Register = Register::Reg1;
/// The register that holds a port beside the address in the other.
const SECOND: Register = Register::Reg2;

/// Returns the message that makes a table.
pub(super) fn table(table: Table) -> NfTablesMessage {
    NfTablesMessage::NewTable(TableMessage {
        attributes: vec![TableAttribute::Name(table.name.to_owned())],
    })
}

/// Returns the message that makes a chain.
pub(super) fn chain(chain: &Chain, policy: Option<Policy>) -> NfTablesMessage {
    let kind = match chain.kind {
        ChainKind::Filter => "filter",
        ChainKind::Nat => "nat",
    };
    let mut hook = vec![
        Hook::Number(chain.hook.into()),
        // A signed number for the kernel, an unsigned one for the crate.
        Hook::Priority(chain.priority.cast_unsigned()),
    ];
    hook.extend(chain.device.clone().map(Hook::NetDeviceName));
    let mut attributes = vec![
        ChainAttribute::Table(chain.table.name.to_owned()),
        ChainAttribute::Name(chain.name.clone()),
        ChainAttribute::Hook(hook),
        ChainAttribute::Type(kind.to_owned()),
    ];
    attributes.extend(policy.map(|policy| ChainAttribute::Policy(verdict(policy))));
    NfTablesMessage::NewChain(ChainMessage { attributes })
}

fn verdict(policy: Policy) -> u32 {
    let code = match policy {
        Policy::Accept => libc::NF_ACCEPT,
        Policy::Drop => libc::NF_DROP,
    };
    code.cast_unsigned()
}

/// Returns the message that makes a rule.
pub(super) fn rule(rule: &Rule) -> NfTablesMessage {
    let expressions = rule.statements.iter().flat_map(expressions);
    NfTablesMessage::NewRule(RuleMessage {
        attributes: vec![
            RuleAttribute::Table(rule.chain.table.name.to_owned()),
            RuleAttribute::Chain(rule.chain.name.clone()),
            RuleAttribute::Expressions(expressions.map(Into::into).collect()),
        ],
    })
}

/// Returns the message that removes all rules of a chain: it names none (nf_tables_api.c,
/// `nf_tables_delrule`).
pub(super) fn no_rules(table: &str, chain: &str) -> NfTablesMessage {
    NfTablesMessage::DeleteRule(RuleMessage {
        attributes: vec![
            RuleAttribute::Table(table.to_owned()),
            RuleAttribute::Chain(chain.to_owned()),
        ],
    })
}

fn expressions(statement: &Statement) -> Vec<Expressions> {
    match statement {
        Statement::SourceNet(net) => address_net(false, *net),
        Statement::DestinationNet(net) => address_net(true, *net),
        Statement::InInterface(name) => interface(MetaKey::Iifname, Operator::Equal, name),
        Statement::InInterfaceNot(name) => interface(MetaKey::Iifname, Operator::NotEqual, name),
        Statement::OutInterface(name) => interface(MetaKey::Oifname, Operator::Equal, name),
        Statement::OutInterfaceNot(name) => interface(MetaKey::Oifname, Operator::NotEqual, name),
        Statement::Protocol(number) => {
            vec![meta(MetaKey::L4Proto), compare(Operator::Equal, &[*number])]
        }
        Statement::DestinationPort(port) => destination_port(*port),
        Statement::ConnectionState(bits) => connection_state(*bits),
        // Without attributes it takes the interface's own address and leaves the ports alone.
        Statement::Masquerade => vec![other("masq", Vec::new())],
        Statement::Snat(address) => nat(NFT_NAT_SNAT, *address, None),
        Statement::Dnat(address, port) => nat(NFT_NAT_DNAT, *address, *port),
        Statement::Decide(policy) => vec![decide(*policy)],
        Statement::Reject(family) => vec![reject(*family)],
        Statement::Notrack => vec![other("notrack", Vec::new())],
    }
}

/// An expression that the crate has no type for.
fn other(name: &str, attributes: Vec<DefaultNla>) -> Expressions {
    Expressions::Other {
        expression_type: name.to_owned(),
        attributes,
    }
}

fn number(kind: u16, value: u32) -> DefaultNla {
    DefaultNla::new(kind, value.to_be_bytes().to_vec())
}

fn payload(base: u32, offset: u32, length: u32) -> Expressions {
    Expressions::Payload(vec![
        Payload::DestinationRegister(SCRATCH),
        Payload::Base(base),
        Payload::Offset(offset),
        Payload::Len(length),
    ])
}

fn masked(mask: &[u8]) -> Expressions {
    Expressions::Bitwise(vec![
        Bitwise::SourceRegister(SCRATCH),
        Bitwise::DestinationRegister(SCRATCH),
        Bitwise::Length(mask.len() as u32),
        Bitwise::Mask(DataAttribute::Value(mask.to_vec())),
        Bitwise::Xor(DataAttribute::Value(vec![0; mask.len()])),
    ])
}

fn meta(key: MetaKey) -> Expressions {
    Expressions::Meta(vec![Meta::DestinationRegister(SCRATCH), Meta::Key(key)])
}

fn immediate(register: Register, data: DataAttribute) -> Expressions {
    Expressions::Immediate(vec![
        Immediate::DestinationRegister(register),
        Immediate::Data(data),
    ])
}

/// Compares the source, or the destination, with a prefix.
fn address_net(destination: bool, net: IpNet) -> Vec<Expressions> {
    const NFT_PAYLOAD_NETWORK_HEADER: u32 = 1;
    // Where the source stands in the header; the destination is behind it.
    let (offset, length) = match net {
        IpNet::V4(_) => (12, 4),
        IpNet::V6(_) => (8, 16),
    };
    let offset = if destination { offset + length } else { offset };

    vec![
        payload(NFT_PAYLOAD_NETWORK_HEADER, offset, length),
        masked(&octets(net.netmask())),
        // The kernel masks the packet's address only, so host bits here would never match.
        compare(Operator::Equal, &octets(net.network())),
    ]
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn interface(key: MetaKey, operator: Operator, name: &InterfaceName) -> Vec<Expressions> {
    vec![meta(key), compare(operator, name.as_bytes())]
}

/// TCP and UDP have it in the same place.
fn destination_port(port: u16) -> Vec<Expressions> {
    const NFT_PAYLOAD_TRANSPORT_HEADER: u32 = 2;
    const DESTINATION_PORT_OFFSET: u32 = 2;
    const PORT_LENGTH: u32 = 2;

    vec![
        payload(
            NFT_PAYLOAD_TRANSPORT_HEADER,
            DESTINATION_PORT_OFFSET,
            PORT_LENGTH,
        ),
        compare(Operator::Equal, &port.to_be_bytes()),
    ]
}

fn connection_state(bits: u32) -> Vec<Expressions> {
    const NFTA_CT_DREG: u16 = 1;
    const NFTA_CT_KEY: u16 = 2;
    const NFT_CT_STATE: u32 = 0;

    vec![
        other(
            "ct",
            vec![
                number(NFTA_CT_DREG, SCRATCH.into()),
                number(NFTA_CT_KEY, NFT_CT_STATE),
            ],
        ),
        masked(&bits.to_ne_bytes()),
        compare(Operator::NotEqual, &[0; 4]),
    ]
}

const NFT_NAT_SNAT: u32 = 0;
const NFT_NAT_DNAT: u32 = 1;

fn nat(kind: u32, address: IpAddr, port: Option<u16>) -> Vec<Expressions> {
    const NFTA_NAT_TYPE: u16 = 1;
    const NFTA_NAT_FAMILY: u16 = 2;
    const NFTA_NAT_REG_ADDR_MIN: u16 = 3;
    const NFTA_NAT_REG_PROTO_MIN: u16 = 5;

    let family = match address {
        IpAddr::V4(_) => libc::NFPROTO_IPV4,
        IpAddr::V6(_) => libc::NFPROTO_IPV6,
    };
    let mut expressions = vec![immediate(SCRATCH, DataAttribute::Value(octets(address)))];
    let mut attributes = vec![
        number(NFTA_NAT_TYPE, kind),
        number(NFTA_NAT_FAMILY, family.cast_unsigned()),
        number(NFTA_NAT_REG_ADDR_MIN, SCRATCH.into()),
    ];
    if let Some(port) = port {
        let value = DataAttribute::Value(port.to_be_bytes().to_vec());
        expressions.push(immediate(SECOND, value));
        attributes.push(number(NFTA_NAT_REG_PROTO_MIN, SECOND.into()));
    }
    expressions.push(other("nat", attributes));
    expressions
}

fn decide(policy: Policy) -> Expressions {
    let code = VerdictAttribute::Code(Verdict::Other(verdict(policy)));
    immediate(Register::Verdict, DataAttribute::Verdict(vec![code]))
}

/// ICMP port unreachable, whatever the protocol, as iptables does it.
fn reject(family: Family) -> Expressions {
    const NFTA_REJECT_TYPE: u16 = 1;
    const NFTA_REJECT_ICMP_CODE: u16 = 2;
    const NFT_REJECT_ICMP_UNREACH: u32 = 0;
    // linux/icmp.h and linux/icmpv6.h; the kernel takes the number as one of the table's own IP.
    let port_unreachable = match family {
        Family::Ipv4 => 3,
        Family::Ipv6 => 4,
    };

    other(
        "reject",
        vec![
            number(NFTA_REJECT_TYPE, NFT_REJECT_ICMP_UNREACH),
            DefaultNla::new(NFTA_REJECT_ICMP_CODE, vec![port_unreachable]),
        ],
    )
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

    /// Writes what a comparison of some bits consists of: a load, a mask and the comparison.
    fn of_bits(statement: &Statement) -> [Expressions; 3] {
        let parts = expressions(statement);
        parts.try_into().expect("a load, a mask and a comparison")
    }

    #[test]
    fn attributes_are_big_endian_and_registers_are_not() {
        let [load, compare] = &expressions(&Statement::OutInterfaceNot(
            InterfaceName::new("app_br").unwrap(),
        ))[..] else {
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
        let net = "10.10.131.4/17".parse().unwrap();
        let [load, mask, compared] = of_bits(&Statement::SourceNet(net));
        assert_eq!(
            emitted(&load),
            [
                attribute(1, &[0, 0, 0, 1]),  // NFTA_PAYLOAD_DREG: NFT_REG_1
                attribute(2, &[0, 0, 0, 1]),  // NFTA_PAYLOAD_BASE: NFT_PAYLOAD_NETWORK_HEADER
                attribute(3, &[0, 0, 0, 12]), // NFTA_PAYLOAD_OFFSET
                attribute(4, &[0, 0, 0, 4]),  // NFTA_PAYLOAD_LEN
            ]
            .concat()
        );
        assert_eq!(
            emitted(&mask),
            [
                attribute(1, &[0, 0, 0, 1]), // NFTA_BITWISE_SREG: NFT_REG_1
                attribute(2, &[0, 0, 0, 1]), // NFTA_BITWISE_DREG: NFT_REG_1
                attribute(3, &[0, 0, 0, 4]), // NFTA_BITWISE_LEN
                attribute(4 | NESTED, &attribute(1, &[255, 255, 128, 0])), // NFTA_BITWISE_MASK
                attribute(5 | NESTED, &attribute(1, &[0; 4])), // NFTA_BITWISE_XOR
            ]
            .concat()
        );
        assert_eq!(compared, compare(Operator::Equal, &[10, 10, 128, 0]));
    }

    #[test]
    fn an_ipv6_address_is_longer_and_elsewhere() {
        let [load, _, compared] =
            &expressions(&Statement::DestinationNet("fd00::/8".parse().unwrap()))[..]
        else {
            panic!("a load, a mask and a comparison");
        };
        assert_eq!(*load, payload(1, 24, 16));
        let fd = [&[0xfd][..], &[0; 15]].concat();
        assert_eq!(*compared, compare(Operator::Equal, &fd));
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

    #[test]
    fn a_state_is_a_bit_of_the_machines_own_order() {
        let [load, mask, compared] = of_bits(&Statement::ConnectionState(6));
        assert_eq!(
            emitted(&load),
            [
                attribute(1, &[0, 0, 0, 1]), // NFTA_CT_DREG: NFT_REG_1
                attribute(2, &[0, 0, 0, 0]), // NFTA_CT_KEY: NFT_CT_STATE
            ]
            .concat()
        );
        assert_eq!(mask, masked(&6u32.to_ne_bytes()));
        assert_eq!(compared, compare(Operator::NotEqual, &[0; 4]));
    }

    #[test]
    fn a_published_port_is_an_address_and_a_port_in_two_registers() {
        let to = Statement::Dnat("10.0.0.2".parse().unwrap(), Some(80));
        let [address, port, nat] = &expressions(&to)[..] else {
            panic!("two values and a translation");
        };
        assert_eq!(
            emitted(address),
            [
                attribute(1, &[0, 0, 0, 1]), // NFTA_IMMEDIATE_DREG: NFT_REG_1
                // NFTA_IMMEDIATE_DATA: NFTA_DATA_VALUE
                attribute(2 | NESTED, &attribute(1, &[10, 0, 0, 2])),
            ]
            .concat()
        );
        assert_eq!(*port, immediate(SECOND, DataAttribute::Value(vec![0, 80])));
        assert_eq!(
            emitted(nat),
            [
                attribute(1, &[0, 0, 0, 1]), // NFTA_NAT_TYPE: NFT_NAT_DNAT
                attribute(2, &[0, 0, 0, 2]), // NFTA_NAT_FAMILY: NFPROTO_IPV4
                attribute(3, &[0, 0, 0, 1]), // NFTA_NAT_REG_ADDR_MIN: NFT_REG_1
                attribute(5, &[0, 0, 0, 2]), // NFTA_NAT_REG_PROTO_MIN: NFT_REG_2
            ]
            .concat()
        );
    }

    #[test]
    fn a_verdict_goes_to_its_own_register() {
        let verdict = attribute(1, &[0, 0, 0, 0]); // NFTA_VERDICT_CODE: NF_DROP
        assert_eq!(
            emitted(&decide(Policy::Drop)),
            [
                attribute(1, &[0, 0, 0, 0]), // NFTA_IMMEDIATE_DREG: NFT_REG_VERDICT
                // NFTA_IMMEDIATE_DATA: NFTA_DATA_VERDICT
                attribute(2 | NESTED, &attribute(2 | NESTED, &verdict)),
            ]
            .concat()
        );
    }

    #[test]
    fn a_rule_leaves_the_policy_of_its_chain_alone() {
        let of = |policy| {
            let (ipv4, filter) = (Family::Ipv4, super::super::FILTER);
            let chain = super::super::chain(ipv4, filter, super::super::NftHook::Forward);
            match super::chain(&chain, policy) {
                NfTablesMessage::NewChain(message) => message.attributes,
                _ => Vec::new(),
            }
        };
        assert!(
            !of(None)
                .iter()
                .any(|it| matches!(it, ChainAttribute::Policy(_)))
        );
        assert!(of(Some(Policy::Drop)).contains(&ChainAttribute::Policy(0)));
    }
}
