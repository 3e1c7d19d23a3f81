//! nftables over netlink, without the `nft` binary and without iptables.
//!
//! A change is one transaction: the kernel makes all of it or none of it. Rules that
//! iptables-legacy made are another table in the kernel and invisible here.

mod batch;
mod encode;
mod rule;

use std::io;

use ipnet::IpNet;
use netlink_packet_netfilter::{NetfilterProtoFamily, nftables::InetHookNumber};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};
use nix::errno::Errno;

use self::batch::{Answers, Batch};
use self::rule::{Chain, ChainKind, InterfaceName, Policy, Rule, Statement, Table};
use super::KernelError;

const TABLE: Table = Table {
    family: NetfilterProtoFamily::IPv4,
    name: "netproof",
};

const POSTROUTING: Chain = Chain {
    table: TABLE,
    name: "postrouting",
    kind: ChainKind::Nat,
    hook: InetHookNumber::PostRouting,
    // NF_IP_PRI_NAT_SRC of linux/netfilter_ipv4.h, `srcnat` in nft(8).
    priority: 100,
    policy: Policy::Accept,
};

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

    /// Appends `ip saddr SOURCE oifname != "NOT_OUT" masquerade` to `ip netproof postrouting`.
    ///
    /// Makes the table and the chain (`type nat hook postrouting priority srcnat; policy accept`)
    /// where they are missing. Calling twice adds the rule twice, as `iptables -A` does. Host bits
    /// of `source` do not matter.
    ///
    /// # Errors
    ///
    /// `EAFNOSUPPORT` for an IPv6 source; `EINVAL` for a `not_out` that cannot name an interface;
    /// `ENOENT` where the kernel lacks NAT chains or masquerading, since the same transaction makes
    /// everything else that the rule names; otherwise what the kernel refused.
    pub fn masquerade(
        &mut self,
        source: Option<IpNet>,
        not_out: Option<&str>,
    ) -> Result<(), KernelError> {
        let rule = Rule {
            chain: POSTROUTING,
            statements: masquerade_statements(source, not_out)?,
        };
        let mut batch = Batch::default();
        batch.add_table(rule.chain.table);
        batch.add_chain(&rule.chain);
        batch.append_rule(&rule);
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

fn masquerade_statements(
    source: Option<IpNet>,
    not_out: Option<&str>,
) -> Result<Vec<Statement>, KernelError> {
    let mut statements = Vec::new();
    match source {
        Some(IpNet::V4(net)) => statements.push(Statement::SourceNet(net)),
        Some(IpNet::V6(_)) => return Err(Errno::EAFNOSUPPORT.into()),
        None => {}
    }
    if let Some(name) = not_out {
        statements.push(Statement::OutInterfaceNot(InterfaceName::new(name)?));
    }
    statements.push(Statement::Masquerade);
    Ok(statements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_come_before_the_translation() {
        let source = "10.10.0.0/16".parse().unwrap();
        assert_eq!(
            masquerade_statements(Some(IpNet::V4(source)), Some("app_br")),
            Ok(vec![
                Statement::SourceNet(source),
                Statement::OutInterfaceNot(InterfaceName::new("app_br").unwrap()),
                Statement::Masquerade,
            ])
        );
        assert_eq!(
            masquerade_statements(None, None),
            Ok(vec![Statement::Masquerade])
        );
    }

    #[test]
    fn an_ipv6_source_is_unsupported() {
        let error = masquerade_statements(Some("fd00::/64".parse().unwrap()), None).unwrap_err();
        assert_eq!(error.errno, Errno::EAFNOSUPPORT);
        assert!(error.is_unsupported());
    }
}
