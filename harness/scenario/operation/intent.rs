//! Level-2 operations: networks, and endpoints on them, without saying how they are made.
//!
//! An implementation that takes intents gets them as they are; for every other one they are lowered to
//! operations of level 1 (`lower`).

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arguments::{Arguments, Mention};
use super::conditions::Protocol;
use crate::scenario::hardware::{Mtu, Switch};
use crate::scenario::name::{IfName, NodeName, as_text};
use crate::scenario::net::Prefix;
use crate::scenario::value::{Located, ValueError};

/// The longest name of a network, so that the bridge that is called after it has a name too.
pub const NETWORK_NAME_MAX: usize = 11;

/// The name of a network: letters, digits and `-`, at most 11.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkName(String);

impl NetworkName {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NetworkName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let begins_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if begins_well && text.len() <= NETWORK_NAME_MAX && text.chars().all(plain) {
            return Ok(Self(text.to_owned()));
        }
        let help =
            format!("letters, digits and `-`, at most {NETWORK_NAME_MAX}, for example `front`");
        let message = format!("`{}` cannot be a network's name", text.escape_debug());
        Err(ValueError::new("bad-network-name", message, help))
    }
}

impl fmt::Display for NetworkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

as_text!(NetworkName);

/// A network that endpoints can be attached to, in the node `host`.
///
/// The implementation may make it now, or with the first endpoint. It is made of a bridge, where the
/// implementation is one that makes bridges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// The network to make.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add: Option<Located<NetworkName>>,
    /// The network to delete, from which everything is detached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete: Option<Located<NetworkName>>,
    /// The addresses of its endpoints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<Located<Prefix>>,
    /// The address of `host` in it; the first of the subnet when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Located<IpAddr>>,
    /// The name of the bridge; `br-` and the network's name when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bridge: Option<Located<IfName>>,
    /// Whether the source of what leaves the network is translated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masquerade: Option<Located<Switch>>,
    /// Whether nothing leaves the network: no way out, no translation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal: Option<Located<Switch>>,
    /// The largest packet in bytes; 1500 when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<Located<Mtu>>,
}

/// Gives a container, or several at once, an interface on a network.
///
/// The implementation chooses the address unless the item has one. With `nodes` it is asked for all of
/// them at the same time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attach {
    /// The container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Located<NodeName>>,
    /// Several containers, in no order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<Located<NodeName>>,
    /// The network.
    pub to: Located<NetworkName>,
    /// The name of the interface in the container; `eth0` when it is not given.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub ifname: Option<Located<IfName>>,
    /// The address that the endpoint is to have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Located<IpAddr>>,
    /// The ports of the container that can be reached at `host`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub publish: Vec<Publish>,
}

/// A port of a container that can be reached at an address of `host`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// TCP or UDP.
    pub protocol: Located<Protocol>,
    /// The address of `host`.
    pub address: Located<IpAddr>,
    /// The port at `host`.
    pub port: Located<u16>,
    /// The port of the container.
    pub to: Located<u16>,
}

/// Takes a container, or several at once, off a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Detach {
    /// The container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Located<NodeName>>,
    /// Several containers, in no order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<Located<NodeName>>,
    /// The network.
    pub from: Located<NetworkName>,
}

impl Network {
    /// Returns the name of the network's bridge.
    pub fn bridge(&self) -> Option<IfName> {
        match (&self.bridge, &self.add) {
            (Some(bridge), _) => Some(bridge.value.clone()),
            (None, Some(name)) => format!("br-{name}").parse().ok(),
            (None, None) => None,
        }
    }

    /// Returns the address of `host` in the network; the first of the subnet unless another is given.
    pub fn gateway(&self) -> Option<IpAddr> {
        let first = || hosts_of(self.subnet.as_ref()?.value.0).next();
        let given = self.gateway.as_ref().map(|gateway| gateway.value);
        given.or_else(first)
    }
}

impl Network {
    /// Returns the intent that deletes a network.
    pub fn deleted(name: NetworkName) -> Self {
        Self {
            add: None,
            delete: Some(Located::nowhere(name)),
            subnet: None,
            gateway: None,
            bridge: None,
            masquerade: None,
            internal: None,
            mtu: None,
        }
    }

    /// Tells whether the source of what leaves the network is translated.
    pub fn masquerades(&self) -> bool {
        is_on(self.masquerade.as_ref())
    }

    /// Tells whether nothing leaves the network.
    pub fn is_internal(&self) -> bool {
        is_on(self.internal.as_ref())
    }
}

impl Attach {
    /// Goes through the containers.
    pub fn containers(&self) -> impl Iterator<Item = &Located<NodeName>> {
        self.node.iter().chain(&self.nodes)
    }

    /// Returns the name of the interface in each container.
    pub fn ifname(&self) -> Option<IfName> {
        match &self.ifname {
            Some(name) => Some(name.value.clone()),
            None => "eth0".parse().ok(),
        }
    }
}

impl Detach {
    /// Goes through the containers.
    pub fn containers(&self) -> impl Iterator<Item = &Located<NodeName>> {
        self.node.iter().chain(&self.nodes)
    }
}

impl Arguments for Network {
    fn mentions<'a>(&'a self, _: &mut dyn FnMut(Mention<'a>)) {}

    fn command(&self) -> String {
        let mut text = match (&self.add, &self.delete) {
            (Some(name), _) => format!("network add {name}"),
            (None, Some(name)) => return format!("network delete {name}"),
            (None, None) => "network".to_owned(),
        };
        let mut say = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                text += &format!(" {key} {value}");
            }
        };
        say("subnet", self.subnet.as_ref().map(ToString::to_string));
        say("gateway", self.gateway.as_ref().map(ToString::to_string));
        say("bridge", self.bridge.as_ref().map(ToString::to_string));
        say("mtu", self.mtu.as_ref().map(ToString::to_string));
        for (word, switch) in [
            ("masquerade", &self.masquerade),
            ("internal", &self.internal),
        ] {
            if is_on(switch.as_ref()) {
                text += &format!(" {word}");
            }
        }
        text
    }
}

impl Arguments for Attach {
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        for name in self.containers() {
            visit(Mention::Uses(&name.value, name.span));
        }
    }

    fn command(&self) -> String {
        let mut text = format!("attach {} to {}", listed(self.containers()), self.to);
        if let Some(name) = &self.ifname {
            text += &format!(" as {name}");
        }
        if let Some(address) = &self.address {
            text += &format!(" address {address}");
        }
        for publish in &self.publish {
            text += &format!(" publish {publish}");
        }
        text
    }
}

impl Arguments for Detach {
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        for name in self.containers() {
            visit(Mention::Detaches(&name.value, name.span));
        }
    }

    fn command(&self) -> String {
        format!("detach {} from {}", listed(self.containers()), self.from)
    }
}

impl fmt::Display for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            protocol,
            address,
            port,
            to,
        } = self;
        let at = SocketAddr::new(address.value, port.value);
        write!(f, "{} {at} to {to}", protocol.word())
    }
}

/// Goes through the addresses that hosts of a subnet may have. The first of an IPv6 subnet is that of
/// all its routers (RFC 4291, 2.6.1), except between two of them (RFC 6164).
pub(in crate::scenario) fn hosts_of(subnet: IpNet) -> impl Iterator<Item = IpAddr> {
    let is_anycast = matches!(subnet, IpNet::V6(subnet) if subnet.prefix_len() < 127);
    subnet.hosts().skip(usize::from(is_anycast))
}

/// Tells whether a host of a subnet may have an address: it is none that stands for all of them, or for
/// their routers.
pub fn is_host_of(subnet: IpNet, address: IpAddr) -> bool {
    let is_for_all = match subnet {
        IpNet::V4(subnet) if subnet.prefix_len() < 31 => {
            address == subnet.network() || address == subnet.broadcast()
        }
        // That of all routers of the subnet, RFC 4291 section 2.6.1.
        IpNet::V6(subnet) if subnet.prefix_len() < 127 => address == subnet.network(),
        _ => false,
    };
    subnet.contains(&address) && !is_for_all
}

/// Tells whether a switch is there and on.
fn is_on(switch: Option<&Located<Switch>>) -> bool {
    switch.is_some_and(|switch| switch.value.0)
}

fn listed<'a>(names: impl Iterator<Item = &'a Located<NodeName>>) -> String {
    let names: Vec<&str> = names.map(|name| name.as_str()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("10.10.0.0/24", "10.10.0.1")]
    #[case("10.10.0.0/31", "10.10.0.0")]
    #[case("fd00:10::/64", "fd00:10::1")]
    #[case("fd00:10::/127", "fd00:10::")]
    fn the_gateway_is_the_first_host(#[case] subnet: &str, #[case] gateway: &str) {
        let network = serde_json::json!({"add": "n1", "subnet": subnet});
        let network: Network = serde_json::from_value(network).unwrap();
        assert_eq!(network.gateway(), gateway.parse().ok());
    }
}
