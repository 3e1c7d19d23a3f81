//! Bridges and their ports: `ip link … type bridge` and `bridge link set`.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arguments::{Arguments, HOST, Mention, ip, link, word};
use crate::scenario::hardware::{Seconds, Switch};
use crate::scenario::name::LinkRef;
use crate::scenario::value::Located;

/// Options of a bridge that an operation names; those that it does not name stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BridgeOptions {
    /// The spanning tree protocol.
    pub stp: Option<bool>,
    /// Seconds until an address that was learned is forgotten.
    pub ageing: Option<u32>,
    /// Seconds that a port listens, and again learns, before it forwards.
    pub forward_delay: Option<u32>,
    /// Whether ports belong to VLANs.
    pub vlan_filtering: Option<bool>,
    /// Whether multicast goes only where somebody asked for it.
    pub multicast_snooping: Option<bool>,
}

impl BridgeOptions {
    /// Tells whether no option is named.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the words of `ip link`, which counts in hundredths of a second.
    fn words(&self) -> String {
        let number = |on: bool| u32::from(on);
        let words = [
            ("ageing_time", self.ageing.map(|seconds| seconds * 100)),
            (
                "forward_delay",
                self.forward_delay.map(|seconds| seconds * 100),
            ),
            ("stp_state", self.stp.map(number)),
            ("vlan_filtering", self.vlan_filtering.map(number)),
            ("mcast_snooping", self.multicast_snooping.map(number)),
        ];
        words
            .iter()
            .filter_map(|(word, value)| value.map(|value| format!(" {word} {value}")))
            .collect()
    }
}

/// Makes the arguments of a verb that names a bridge and options of it.
macro_rules! with_bridge_options {
    ($(#[$doc:meta])* $name:ident, $(#[$link_doc:meta])* $link:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        pub struct $name {
            $(#[$link_doc])*
            pub $link: Located<LinkRef>,
            /// Whether it speaks the spanning tree protocol.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub stp: Option<Located<Switch>>,
            /// Seconds until an address that was learned is forgotten.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub ageing: Option<Located<Seconds>>,
            /// Seconds that a port listens, and again learns, before it forwards.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub forward_delay: Option<Located<Seconds>>,
            /// Whether ports belong to VLANs.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub vlan_filtering: Option<Located<Switch>>,
            /// Whether multicast goes only where somebody asked for it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub multicast_snooping: Option<Located<Switch>>,
        }

        impl $name {
            /// Returns the options that are named.
            pub fn options(&self) -> BridgeOptions {
                BridgeOptions {
                    stp: self.stp.as_ref().map(|it| it.value.0),
                    ageing: self.ageing.as_ref().map(|it| it.value.0),
                    forward_delay: self.forward_delay.as_ref().map(|it| it.value.0),
                    vlan_filtering: self.vlan_filtering.as_ref().map(|it| it.value.0),
                    multicast_snooping: self.multicast_snooping.as_ref().map(|it| it.value.0),
                }
            }
        }
    };
}

with_bridge_options!(
    /// `ip link add NAME type bridge [OPTION VALUE]…`.
    ///
    /// Times are in seconds here, and in hundredths of a second in the command. With `stp`, a port
    /// needs twice the `forward-delay` before links have come to rest; the kernel's default is 15, and
    /// it takes no less than 2.
    Bridge,
    /// The bridge.
    add
);

with_bridge_options!(
    /// `ip link set NAME type bridge OPTION VALUE…`.
    ///
    /// The options are those of `bridge`; one that is not named stays as it is.
    BridgeSet,
    /// The bridge.
    dev
);

/// `bridge link set dev NAME OPTION on|off…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BridgePort {
    /// The port.
    pub dev: Located<LinkRef>,
    /// Whether it exchanges frames only with ports that are not isolated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolated: Option<Located<Switch>>,
    /// Whether the bridge learns addresses from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning: Option<Located<Switch>>,
    /// Whether frames for addresses that nobody knows go out of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flood: Option<Located<Switch>>,
    /// Whether frames may go out of the port that they came in by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hairpin: Option<Located<Switch>>,
    /// How far the port has got on its way to forwarding; only where no spanning tree protocol decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Located<PortStage>>,
}

/// How far a port of a bridge has got on its way to forwarding, IEEE 802.1D section 4.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PortStage {
    /// It passes nothing on.
    Listening,
    /// It learns addresses, and passes nothing on.
    Learning,
    /// It passes frames on.
    Forwarding,
}

impl fmt::Display for PortStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Listening => "listening",
            Self::Learning => "learning",
            Self::Forwarding => "forwarding",
        })
    }
}

impl BridgePort {
    /// Returns each option that is named, and whether it is to be on.
    pub fn options(&self) -> impl Iterator<Item = (&'static str, bool)> {
        [
            ("isolated", &self.isolated),
            ("learning", &self.learning),
            ("flood", &self.flood),
            ("hairpin", &self.hairpin),
        ]
        .into_iter()
        .filter_map(|(word, value)| Some((word, value.as_ref()?.value.0)))
    }
}

impl Arguments for Bridge {
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        visit(Mention::Uses(&self.add.value.node, self.add.span));
    }

    fn command(&self) -> String {
        let (ip, words) = (ip(&self.add.node), self.options().words());
        let ifname = link("name", &self.add.ifname);
        format!("{ip} link add {ifname} type bridge{words}")
    }
}

impl Arguments for BridgeSet {
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        visit(Mention::Uses(&self.dev.value.node, self.dev.span));
    }

    fn command(&self) -> String {
        let (ip, words) = (ip(&self.dev.node), self.options().words());
        let ifname = link("dev", &self.dev.ifname);
        format!("{ip} link set {ifname} type bridge{words}")
    }
}

impl Arguments for BridgePort {
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        visit(Mention::Uses(&self.dev.value.node, self.dev.span));
    }

    fn command(&self) -> String {
        let node = if self.dev.node.as_str() == HOST {
            String::new()
        } else {
            format!(" -n {}", self.dev.node)
        };
        let mut text = format!(
            "bridge{node} link set dev {}",
            word(self.dev.ifname.as_str())
        );
        for (word, on) in self.options() {
            text += &format!(" {word} {}", if on { "on" } else { "off" });
        }
        if let Some(state) = &self.state {
            text += &format!(" state {state}");
        }
        text
    }
}
