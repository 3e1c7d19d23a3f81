//! Why a packet dies: the words for it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Makes the enum of causes and the list of their words from one table.
macro_rules! causes {
    ($($variant:ident $word:literal $what:literal,)+) => {
        /// Why a packet died.
        #[derive(
            Debug,
            Clone,
            Copy,
            PartialEq,
            Eq,
            PartialOrd,
            Ord,
            Hash,
            Serialize,
            Deserialize,
            JsonSchema,
        )]
        #[serde(rename_all = "kebab-case")]
        pub enum Cause {
            $(#[doc = $what] $variant,)+
        }

        impl Cause {
            /// Every cause, in the order of the reference.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the word that stands for it in a scenario.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// Returns what it means, in one sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $what,)+ }
            }
        }
    };
}

causes! {
    ForwardingOff "forwarding-off" "The node has a route for the packet, but is no router.",
    NoRoute "no-route" "The node has no route to the destination.",
    NoRouteBack "no-route-back" "The far side has no route back to the sender.",
    GatewayNotOnLink "gateway-not-on-link" "The route's gateway is not on the link that the route names.",
    BlackholeRoute "blackhole-route" "A route drops the packet.",
    UnreachableRoute "unreachable-route" "A route refuses the packet: host unreachable.",
    ProhibitRoute "prohibit-route" "A route refuses the packet: prohibited.",
    BlackholeRule "blackhole-rule" "A rule of the routing policy drops the packet.",
    UnreachableRule "unreachable-rule" "A rule of the routing policy refuses the packet: network unreachable.",
    ProhibitRule "prohibit-rule" "A rule of the routing policy refuses the packet: prohibited.",
    LinkDown "link-down" "An interface on the way is down.",
    NoCarrier "no-carrier" "An interface is up, but what is behind it carries nothing.",
    BridgeDown "bridge-down" "The bridge that the port belongs to is down.",
    NotEnslaved "not-enslaved" "The interface belongs to no bridge that could pass it on.",
    PortIsolated "port-isolated" "Both ports of the bridge are isolated.",
    PortNotForwarding "port-not-forwarding" "A port of the bridge does not forward.",
    PortNotFlooding "port-not-flooding" "The bridge does not know the address, and the port is not flooded.",
    HairpinOff "hairpin-off" "The frame would leave by the port that it came in by.",
    BridgeNetfilter "bridge-netfilter" "A rule for IP packets ended a frame that a bridge passes on.",
    NeighbourUnresolved "neighbour-unresolved" "Nobody on the link has the address of the next hop.",
    WrongNeighbour "wrong-neighbour" "The sender's neighbour entry has another hardware address.",
    AddressNotLocal "address-not-local" "The node that the packet came to does not have the address.",
    ReversePathFilter "reverse-path-filter" "The way back to the source leads elsewhere, and the node asks for the same way.",
    MartianSource "martian-source" "The source address cannot come from there.",
    IngressRule "ingress-rule" "A rule at the interface's ingress dropped the packet.",
    PreroutingRule "prerouting-rule" "A rule before routing dropped the packet.",
    InputRule "input-rule" "A rule for packets to the node ended the packet.",
    ForwardRule "forward-rule" "A rule for forwarded packets ended the packet.",
    OutputRule "output-rule" "A rule for the node's own packets ended the packet.",
    PostroutingRule "postrouting-rule" "A rule behind routing dropped the packet.",
    BridgeRule "bridge-rule" "A rule of the bridge family dropped the frame.",
    IngressPolicy "ingress-policy" "A chain's policy at the interface's ingress dropped the packet.",
    PreroutingPolicy "prerouting-policy" "A chain's policy before routing dropped the packet.",
    InputPolicy "input-policy" "The policy for packets to the node dropped the packet.",
    ForwardPolicy "forward-policy" "The policy for forwarded packets dropped the packet.",
    OutputPolicy "output-policy" "The policy for the node's own packets dropped the packet.",
    PostroutingPolicy "postrouting-policy" "A chain's policy behind routing dropped the packet.",
    BridgePolicy "bridge-policy" "The policy of a chain of the bridge family dropped the frame.",
    LegacyTable "legacy-table" "Everything else is excluded, and the node has a table of iptables-legacy.",
    NotTranslated "not-translated" "The far side has no route back to a private source that no router translated.",
    StaleTranslation "stale-translation" "The connection began before the rule, and is translated as it was then.",
    TtlExpired "ttl-expired" "The packet's TTL ran out.",
    TooBig "too-big" "The packet is larger than the MTU ahead and must not be cut.",
    NobodyListening "nobody-listening" "No socket has the port, or takes frames of the EtherType.",
    EchoIgnored "echo-ignored" "The node is set to ignore echo requests.",
    Unexplained "unexplained" "No cause has enough evidence.",
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_the_format() {
        for cause in Cause::ALL {
            assert_eq!(
                serde_json::to_value(cause).unwrap(),
                serde_json::Value::from(cause.word())
            );
        }
    }
}
