//! Servers that probes can reach.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arguments::{Arguments, Mention, exec};
use crate::scenario::hardware::EtherType;
use crate::scenario::name::NodeName;
use crate::scenario::value::Located;

/// A server of netproof's own, with `tcp`, `udp` or `ethertype`.
///
/// TCP accepts a connection and closes it; UDP sends back what it gets, and so does one for frames of an
/// EtherType. The server runs until the scenario ends or its node is deleted. netproof opens it,
/// whatever carries the operations out; `nc` stands for it in the command, and for frames `tcpdump`, which
/// sends nothing back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// The node that the server is in.
    #[serde(rename = "in")]
    pub node: Located<NodeName>,
    /// The TCP port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<Located<u16>>,
    /// The UDP port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub udp: Option<Located<u16>>,
    /// The EtherType of the frames that are for one of the node's own interfaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ethertype: Option<Located<EtherType>>,
}

impl Arguments for Listen {
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        visit(Mention::Uses(&self.node.value, self.node.span));
    }

    fn command(&self) -> String {
        if let Some(ethertype) = &self.ethertype {
            let filter = format!("ether proto {ethertype}");
            return format!("{}tcpdump -ni any {filter} &", exec(&self.node));
        }
        let mut text = format!("{}nc -lk", exec(&self.node));
        if let Some(port) = &self.tcp {
            text += &format!(" {port}");
        }
        if let Some(port) = &self.udp {
            text += &format!(" -u {port}");
        }
        text + " &"
    }
}
