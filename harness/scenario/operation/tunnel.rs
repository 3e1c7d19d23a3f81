//! The process at the other end of a tun or tap device.

use std::fmt;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arguments::{Arguments, Mention, exec, word};
use crate::scenario::name::LinkRef;
use crate::scenario::value::Located;

/// `socat TUN,tun-name=NAME,tun-type=MODE,iff-no-pi UDP4-DATAGRAM:REMOTE:PORT,bind=LOCAL:PORT`.
///
/// The process at the other end of a tun or tap device, as in a VPN, without encryption. Each packet or
/// frame that comes out of the device leaves the node as one UDP datagram, from `local` to `remote`,
/// and what comes from there goes into the device. Nothing else is in the datagram. The device keeps its
/// own MTU: a packet as large as that makes a datagram that is cut on a link of the same MTU, unless
/// `mtu` makes the device smaller.
/// netproof runs it until the scenario ends or the node is deleted, whatever carries the operations out;
/// `socat` stands for it in the command. The device has to be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tunnel {
    /// The device.
    pub dev: Located<LinkRef>,
    /// What the device carries; packets, as `tun`, when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Located<TunnelMode>>,
    /// The address that the datagrams come from.
    pub local: Located<IpAddr>,
    /// The address that they go to.
    pub remote: Located<IpAddr>,
    /// The UDP port of both ends.
    pub port: Located<u16>,
}

/// What a tun or tap device carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TunnelMode {
    /// Packets of IP.
    #[default]
    Tun,
    /// Ethernet frames.
    Tap,
}

impl Tunnel {
    /// Returns what the device carries.
    pub fn carries(&self) -> TunnelMode {
        self.mode
            .as_ref()
            .map(|mode| mode.value)
            .unwrap_or_default()
    }
}

impl fmt::Display for TunnelMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tun => "tun",
            Self::Tap => "tap",
        })
    }
}

impl Arguments for Tunnel {
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        visit(Mention::Uses(&self.dev.value.node, self.dev.span));
    }

    fn command(&self) -> String {
        let LinkRef { node, ifname } = &self.dev.value;
        let device = format!(
            "TUN,tun-name={ifname},tun-type={},iff-no-pi",
            self.carries()
        );
        let (datagrams, remote, local) = match (self.remote.value, self.local.value) {
            (IpAddr::V6(remote), IpAddr::V6(local)) => {
                ("UDP6-DATAGRAM", format!("[{remote}]"), format!("[{local}]"))
            }
            (remote, local) => ("UDP4-DATAGRAM", remote.to_string(), local.to_string()),
        };
        let port = &self.port;
        let datagrams = format!("{datagrams}:{remote}:{port},bind={local}:{port}");
        let (device, datagrams) = (word(&device), word(&datagrams));
        format!("{}socat {device} {datagrams} &", exec(node))
    }
}
