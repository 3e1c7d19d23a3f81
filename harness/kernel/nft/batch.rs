//! A transaction on the wire, and the kernel's answers to it.

use netlink_packet_netfilter::{
    NetfilterHeader, NetfilterMessage, NetfilterProtoFamily, NetfilterSubsystem,
    nftables::NfTablesMessage, none::ControlMessage,
};
use nix::errno::Errno;
// The release of netlink-packet-core that the netfilter crate uses too.
use rtnetlink::packet_core::{
    NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};

use super::encode;
use super::rule::{Chain, Policy, Rule, Table};
use crate::kernel::{KernelError, error::sentence_of};

/// Changes that the kernel makes together or not at all.
#[derive(Debug, Default)]
pub(super) struct Batch {
    messages: Vec<Message>,
}

#[derive(Debug)]
struct Message {
    /// Of `NLM_F_*`, beside those of every request.
    flags: u16,
    family: NetfilterProtoFamily,
    inner: NfTablesMessage,
}

impl Batch {
    /// Makes a table where it is missing.
    pub(super) fn add_table(&mut self, table: Table) {
        self.push(NLM_F_CREATE, table.family, encode::table(table));
    }

    /// Makes a chain where it is missing. Without a policy, a new one accepts, and one that is
    /// there keeps its own.
    ///
    /// One of that name must be the same: `EEXIST` for another kind, `EOPNOTSUPP` for another hook
    /// or priority (nf_tables_api.c, `nf_tables_updchain`, `nft_chain_parse_hook`).
    pub(super) fn add_chain(&mut self, chain: &Chain, policy: Option<Policy>) {
        self.push(
            NLM_F_CREATE,
            chain.table.family,
            encode::chain(chain, policy),
        );
    }

    /// Adds a rule behind those of its chain.
    pub(super) fn append_rule(&mut self, rule: &Rule) {
        let flags = NLM_F_CREATE | NLM_F_APPEND;
        self.push(flags, rule.chain.table.family, encode::rule(rule));
    }

    /// Adds any change.
    pub(super) fn push(
        &mut self,
        flags: u16,
        family: NetfilterProtoFamily,
        inner: NfTablesMessage,
    ) {
        self.messages.push(Message {
            flags,
            family,
            inner,
        });
    }

    /// Returns how many sequence numbers the batch takes: its messages, its begin and its end.
    pub(super) fn sequence_numbers(&self) -> u32 {
        (self.messages.len() as u32).wrapping_add(2)
    }

    /// Writes the batch for a single send; `first` numbers its begin, and so on upwards.
    pub(super) fn encode(&self, first: u32) -> Vec<u8> {
        // `nfgenmsg.res_id` says whose batch it is.
        let subsystem = u8::from(NetfilterSubsystem::NfTables).into();
        let batch = NetfilterHeader::new(NetfilterProtoFamily::Unspec, 0, subsystem);
        let edge =
            |inner: ControlMessage| (NLM_F_REQUEST, NetfilterMessage::new(batch.clone(), inner));

        let changes = self.messages.iter().map(|message| {
            let header = NetfilterHeader::new(message.family, 0, 0);
            (
                NLM_F_REQUEST | NLM_F_ACK | message.flags,
                NetfilterMessage::new(header, message.inner.clone()),
            )
        });
        let whole = std::iter::once(edge(ControlMessage::BatchBegin))
            .chain(changes)
            .chain([edge(ControlMessage::BatchEnd)]);

        let mut bytes = Vec::new();
        let mut sequence = first;
        for (flags, inner) in whole {
            let mut message = NetlinkMessage::from(inner);
            message.header.flags = flags;
            message.header.sequence_number = sequence;
            message.finalize();
            // Attributes are padded, so each message ends where the next may begin.
            let start = bytes.len();
            bytes.resize(start + message.buffer_len(), 0);
            message.serialize(&mut bytes[start..]);
            sequence = sequence.wrapping_add(1);
        }
        bytes
    }
}

/// The answers to one batch, by the position of the message that they answer.
///
/// Each message gets one answer. The begin of the batch gets one only when the whole batch failed:
/// without the right to change anything, without nftables, or at the commit itself, and then the
/// messages may carry their acknowledgements all the same.
#[derive(Debug)]
pub(super) struct Answers {
    first: u32,
    /// The begin, the messages, the end.
    by_position: Vec<Option<Result<(), KernelError>>>,
}

impl Answers {
    /// Awaits the answers to `batch`, whose begin had the sequence number `first`.
    pub(super) fn new(first: u32, batch: &Batch) -> Self {
        Self {
            first,
            by_position: vec![None; batch.messages.len() + 2],
        }
    }

    /// Reads one datagram; what answers an earlier batch is skipped.
    ///
    /// `EPROTO` where it is no netlink message.
    pub(super) fn read(&mut self, datagram: &[u8]) -> Result<(), KernelError> {
        let mut rest = datagram;
        while !rest.is_empty() {
            let message = NetlinkMessage::<NetfilterMessage>::deserialize(rest)
                .map_err(|error| broken(format!("the kernel's answer is unreadable: {error}")))?;
            let length = (message.header.length as usize).next_multiple_of(4);
            rest = rest.get(length..).unwrap_or_default();

            let NetlinkPayload::Error(answer) = message.payload else {
                continue;
            };
            let position = message.header.sequence_number.wrapping_sub(self.first);
            if let Some(slot) = self.by_position.get_mut(position as usize) {
                *slot = Some(match answer.code {
                    None => Ok(()),
                    Some(code) => Err(KernelError {
                        errno: Errno::from_raw(code.get().wrapping_abs()),
                        sentence: sentence_of(&answer.header),
                    }),
                });
            }
        }
        Ok(())
    }

    /// Returns the first refusal in the order of the batch; later ones mostly follow from it.
    ///
    /// `EPROTO` where a message got no answer.
    pub(super) fn verdict(self) -> Result<(), KernelError> {
        let messages = self.by_position.len() - 2;
        let answers = self.by_position.iter().skip(1).take(messages);
        let answered = answers.flatten().count();
        self.by_position
            .into_iter()
            .flatten()
            .collect::<Result<(), _>>()?;
        if answered < messages {
            return Err(broken(format!(
                "the kernel answered {answered} of {messages} messages"
            )));
        }
        Ok(())
    }
}

fn broken(sentence: String) -> KernelError {
    KernelError {
        errno: Errno::EPROTO,
        sentence: Some(sentence),
    }
}

#[cfg(test)]
mod tests {
    use netlink_packet_netfilter::nftables::InetHookNumber;

    use super::super::{Family, table};
    use super::*;
    use crate::kernel::nft::rule::{ChainKind, Statement};

    const FIRST: u32 = u32::MAX - 1;

    fn batch() -> Batch {
        let mut batch = Batch::default();
        let table = table(Family::Ipv4);
        batch.add_table(table);
        let chain = Chain {
            table,
            name: "nat_postrouting".to_owned(),
            kind: ChainKind::Nat,
            hook: InetHookNumber::PostRouting,
            priority: 100,
            device: None,
        };
        batch.add_chain(&chain, None);
        batch.append_rule(&Rule {
            chain,
            statements: vec![Statement::Masquerade],
        });
        batch
    }

    /// Writes an answer as a socket with `NETLINK_CAP_ACK` gets it.
    fn answer(position: u32, code: i32, sentence: &str) -> Vec<u8> {
        let mut payload = [&(-code).to_ne_bytes()[..], &[0; 16]].concat();
        if !sentence.is_empty() {
            let text = [sentence.as_bytes(), b"\0"].concat();
            payload.extend(u16::try_from(text.len() + 4).unwrap().to_ne_bytes());
            payload.extend(1u16.to_ne_bytes());
            payload.extend(text);
        }
        let mut bytes = u32::try_from(payload.len() + 16)
            .unwrap()
            .to_ne_bytes()
            .to_vec();
        bytes.extend(2u16.to_ne_bytes()); // NLMSG_ERROR
        bytes.extend(0u16.to_ne_bytes());
        bytes.extend(FIRST.wrapping_add(position).to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn verdict(datagrams: &[Vec<u8>]) -> Result<(), KernelError> {
        let mut answers = Answers::new(FIRST, &batch());
        for datagram in datagrams {
            answers.read(datagram)?;
        }
        answers.verdict()
    }

    #[test]
    fn a_batch_is_framed_numbered_and_asks_for_answers() {
        let bytes = batch().encode(FIRST);
        let mut rest = &bytes[..];
        let mut seen = Vec::new();
        while !rest.is_empty() {
            let message = NetlinkMessage::<NetfilterMessage>::deserialize(rest).unwrap();
            let header = message.header;
            seen.push((header.message_type, header.flags, header.sequence_number));
            rest = &rest[header.length as usize..];
        }
        assert_eq!(
            seen,
            [
                (0x10, 1, u32::MAX - 1),  // NFNL_MSG_BATCH_BEGIN, NLM_F_REQUEST
                (0xa00, 0x405, u32::MAX), // NFT_MSG_NEWTABLE, + NLM_F_ACK | NLM_F_CREATE
                (0xa03, 0x405, 0),        // NFT_MSG_NEWCHAIN
                (0xa06, 0xc05, 1),        // NFT_MSG_NEWRULE, + NLM_F_APPEND
                (0x11, 1, 2),             // NFNL_MSG_BATCH_END
            ]
        );
        // Behind the header of the begin: any family, version 0, nftables in network order.
        assert_eq!(bytes[16..20], [0, 0, 0, 10]);
        assert_eq!(batch().sequence_numbers(), 5);
    }

    #[test]
    fn all_acknowledged_in_any_packing_is_success() {
        let [one, two, three] = [1, 2, 3].map(|position| answer(position, 0, ""));
        assert_eq!(verdict(&[one.clone(), two.clone(), three.clone()]), Ok(()));
        assert_eq!(verdict(&[[one, two, three].concat()]), Ok(()));
    }

    #[test]
    fn the_first_refusal_of_the_batch_counts() {
        let refused = verdict(&[
            answer(3, libc::ENOENT, ""),
            answer(2, libc::EEXIST, "Chain of another kind"),
            answer(1, 0, ""),
        ])
        .unwrap_err();
        assert_eq!(refused.errno, Errno::EEXIST);
        assert_eq!(refused.sentence.as_deref(), Some("Chain of another kind"));
    }

    #[test]
    fn a_failed_commit_outweighs_acknowledgements() {
        let mut datagrams: Vec<_> = (1..4).map(|position| answer(position, 0, "")).collect();
        datagrams.push(answer(0, libc::EPERM, ""));
        assert_eq!(verdict(&datagrams), Err(Errno::EPERM.into()));
    }

    #[test]
    fn a_missing_answer_is_an_error() {
        let earlier = answer(u32::MAX, 0, "");
        let error = verdict(&[answer(1, 0, ""), answer(3, 0, ""), earlier]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the kernel answered 2 of 3 messages (Protocol error)"
        );
    }

    #[test]
    fn an_unreadable_answer_is_an_error() {
        let error = verdict(&[vec![1, 2, 3]]).unwrap_err();
        assert_eq!(error.errno, Errno::EPROTO);
    }
}
