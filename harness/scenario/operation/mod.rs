//! Operations. One of level 1 is one `ip`, `iptables` or `sysctl` command; one of level 2 is an intent.
//!
//! The table below is the one list of verbs: a row gives the key in the file, the type of its
//! arguments and what it stands for. The types say which nodes they name and which command they
//! are ([`Arguments`]); what carries them out is implemented for the same types elsewhere, and a row
//! without that does not compile.

mod address;
mod arguments;
mod bridge;
mod conditions;
mod device;
mod exec;
mod filter;
mod flush;
mod frames;
mod intent;
mod link;
mod listen;
mod neighbour;
mod rule;
mod setting;
mod tunnel;

use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use address::{Address, NextHop, Refusal, Route};
pub use arguments::{Arguments, HOST, Mention, as_line};
pub(super) use arguments::{is_word_of_ip_link, word};
pub use bridge::{Bridge, BridgeOptions, BridgePort, BridgeSet, PortStage};
pub use conditions::{Chain, Conditions, ConnectionState, Protocol, Rule};
pub use device::{Dummy, Ifb, Macvlan, MacvlanMode, Tap, Tun, Vlan, Vxlan};
pub use exec::Exec;
pub use filter::{
    Dnat, EntryChain, Filter, FilterChain, Masquerade, Notrack, Policy, PolicyTarget, Snat, Target,
};
pub use flush::{Flush, TranslationChain};
pub use frames::{BridgeChain, BridgeFilter, BridgePolicy, IngressFilter, IngressPolicy};
pub(in crate::scenario) use intent::hosts_of;
pub use intent::is_host_of;
pub use intent::{Attach, Detach, NETWORK_NAME_MAX, Network, NetworkName, Publish};
pub use link::{Delete, Down, Master, Move, Netns, Nomaster, Rename, SetMac, SetMtu, Up, Veth};
pub use listen::Listen;
pub use neighbour::{Fdb, Neighbour};
pub use rule::PolicyRule;
pub use setting::{Sysctl, SysctlKey, SysctlValue};
pub use tunnel::{Tunnel, TunnelMode};

use super::claim::Claims;
use super::value::{Located, Span};

/// The table of verbs: hands its rows to the macro that is named.
macro_rules! verb_table {
    ($with:ident) => {
        $with! {
            /// Makes or deletes a node: `ip netns`.
            "netns" => Netns,
            /// Makes a veth pair: `ip link add … type veth`.
            "veth" => Veth,
            /// Makes a bridge: `ip link add … type bridge`.
            "bridge" => Bridge,
            /// Makes an interface that goes nowhere: `ip link add … type dummy`.
            "dummy" => Dummy,
            /// Makes an interface that a queue can be put on: `ip link add … type ifb`.
            "ifb" => Ifb,
            /// Makes a device that hands its packets to a process: `ip tuntap add … mode tun`.
            "tun" => Tun,
            /// Makes a device that hands its frames to a process: `ip tuntap add … mode tap`.
            "tap" => Tap,
            /// Makes one more station on an interface: `ip link add … type macvlan`.
            "macvlan" => Macvlan,
            /// Makes the interface of a VLAN: `ip link add … type vlan`.
            "vlan" => Vlan,
            /// Makes the end of a tunnel for frames: `ip link add … type vxlan`.
            "vxlan" => Vxlan,
            /// Sets an interface up.
            "up" => Up,
            /// Sets an interface down.
            "down" => Down,
            /// Moves an interface to another node.
            "move" => Move,
            /// Makes an interface a port of a bridge.
            "master" => Master,
            /// Releases a port from its bridge.
            "nomaster" => Nomaster,
            /// Changes options of a bridge.
            "bridge-set" => BridgeSet,
            /// Changes options of a port of a bridge.
            "bridge-port" => BridgePort,
            /// Gives an interface another name.
            "rename" => Rename,
            /// Sets the largest packet of an interface.
            "mtu" => SetMtu,
            /// Sets the hardware address of an interface.
            "mac" => SetMac,
            /// Deletes an interface.
            "delete" => Delete,
            /// Adds or deletes an address.
            "address" => Address,
            /// Adds or deletes a route.
            "route" => Route,
            /// Adds or deletes a rule that chooses the routing table.
            "rule" => PolicyRule,
            /// Adds or deletes a neighbour, or an address to answer for.
            "neighbour" => Neighbour,
            /// Adds or deletes an entry of the forwarding table of a bridge or tunnel.
            "fdb" => Fdb,
            /// Changes a network setting.
            "sysctl" => Sysctl,
            /// Translates the source of packets that leave.
            "masquerade" => Masquerade,
            /// Translates the source of packets that leave to a given address.
            "snat" => Snat,
            /// Translates the destination of packets before they are routed.
            "dnat" => Dnat,
            /// Removes the rules of a chain that translates.
            "flush" => Flush,
            /// Lets packets pass or not: a rule.
            "filter" => Filter,
            /// Lets packets pass or not where no rule decides.
            "policy" => Policy,
            /// Lets frames pass a bridge or not.
            "bridge-filter" => BridgeFilter,
            /// Lets frames pass a bridge or not where no rule decides.
            "bridge-policy" => BridgePolicy,
            /// Lets frames come in at an interface or not.
            "ingress-filter" => IngressFilter,
            /// Lets frames come in at an interface or not where no rule decides.
            "ingress-policy" => IngressPolicy,
            /// Exempts packets from connection tracking.
            "notrack" => Notrack,
            /// Runs a server in a node.
            "listen" => Listen,
            /// Asks a real program for what it refuses.
            "exec" => Exec,
            /// Carries what comes out of a tun or tap device to another, in UDP datagrams.
            "tunnel" => Tunnel,
            /// Makes or deletes a network of containers, however the implementation does it.
            "network" => Network,
            /// Gives a container an interface on a network.
            "attach" => Attach,
            /// Takes a container off a network.
            "detach" => Detach,
        }
    };
}
pub(crate) use verb_table;

/// Makes the enum of operations, its list of keys, and the two directions of serde from one table.
macro_rules! verbs {
    ($($(#[doc = $doc:literal])* $key:literal => $variant:ident,)+) => {
        /// One change to the network.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Operation {
            $($(#[doc = $doc])* $variant($variant),)+
        }

        impl Operation {
            /// The keys that stand for an operation in a scenario, in the order of the reference.
            pub const VERBS: &'static [&'static str] = &[$($key),+];

            /// Returns the key that stands for the operation in a scenario.
            pub fn verb(&self) -> &'static str {
                match self { $(Self::$variant(_) => $key,)+ }
            }

            fn arguments(&self) -> &dyn Arguments {
                match self { $(Self::$variant(arguments) => arguments,)+ }
            }

            /// What each verb does, in the words of its row.
            pub(in crate::scenario) const PURPOSES: &'static [&'static str] =
                &[$(concat!($($doc),*)),+];

            /// Describes the arguments of every verb.
            pub(in crate::scenario) fn argument_schemas(
                generator: &mut schemars::SchemaGenerator,
            ) -> Vec<(&'static str, schemars::Schema)> {
                vec![$(($key, generator.subschema_for::<$variant>())),+]
            }

            fn next_value<'de, A: MapAccess<'de>>(key: &str, map: &mut A) -> Result<Option<Self>, A::Error> {
                match key {
                    $($key => map.next_value().map(|arguments| Some(Self::$variant(arguments))),)+
                    _ => Ok(None),
                }
            }

            /// Returns the arguments as a scenario has them.
            pub(in crate::scenario) fn arguments_value(&self) -> serde_json::Value {
                let value = match self { $(Self::$variant(arguments) => serde_json::to_value(arguments),)+ };
                value.unwrap_or_default()
            }

            fn serialize_entry<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
                match self { $(Self::$variant(arguments) => map.serialize_entry($key, arguments),)+ }
            }
        }

        /// Every key of an item under `do`.
        const ITEM_KEYS: &[&str] =
            &[$($key,)+ FAILS, RIGHT, INERT, Claims::KEYS[0], Claims::KEYS[1]];
    };
}

/// The key that says that an operation is refused, and why.
const FAILS: &str = "fails";

/// The reason with which an intent has to fail: every implementation has other words for it.
pub const REFUSED: &str = "refused";

/// The key that says what would have been right in place of an operation that is refused.
const RIGHT: &str = "right";

/// The key that says why nothing that is expected depends on an operation.
const INERT: &str = "inert";

verb_table!(verbs);

impl Operation {
    /// Calls `visit` for each node that the operation names.
    pub fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        self.arguments().mentions(visit);
    }

    /// Returns the command that does the same, as one would type it in the node `host`.
    ///
    /// ```
    /// # use netproof::scenario::{Located, Operation, Up};
    /// let up = Operation::Up(Up(Located::nowhere("web/lo".parse()?)));
    /// assert_eq!(up.command(), "ip -n web link set lo up");
    /// # Ok::<(), netproof::scenario::ValueError>(())
    /// ```
    pub fn command(&self) -> String {
        self.arguments().command()
    }

    /// The verbs of level 2.
    pub const INTENTS: &'static [&'static str] = &["network", "attach", "detach"];

    /// Tells whether it is of level 2: it says what is wanted, and not how that is made.
    pub fn is_intent(&self) -> bool {
        Self::INTENTS.contains(&self.verb())
    }
}

/// One item under `do` or `given`: an operation, whether the kernel is to refuse it, and whether it
/// matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The operation.
    pub operation: Operation,
    /// The reason with which it has to fail: the kernel's own sentence, or that of its error
    /// number as in errno(3), such as `No such device`.
    pub fails: Option<Located<String>>,
    /// The operation that would be right in place of one that fails; it is not carried out. It has
    /// none of the other keys itself.
    pub right: Option<Box<Item>>,
    /// Why no expectation would fail without the operation; none where one would.
    pub inert: Option<Located<String>>,
    /// The claims that its outcome decides.
    pub claims: Claims,
    /// Where the verb stands.
    pub span: Span,
}

impl Item {
    /// Makes an item of nothing but an operation, which stands in no file.
    pub fn bare(operation: Operation) -> Self {
        Self {
            operation,
            fails: None,
            right: None,
            inert: None,
            claims: Claims::default(),
            span: Span::default(),
        }
    }
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// The operation under `right`: an item with nothing but its verb.
        struct Right(Item);

        impl<'de> Deserialize<'de> for Right {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let visitor = ItemVisitor {
                    keys: Operation::VERBS,
                };
                deserializer.deserialize_map(visitor).map(Self)
            }
        }

        struct ItemVisitor {
            keys: &'static [&'static str],
        }

        impl<'de> Visitor<'de> for ItemVisitor {
            type Value = Item;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an operation, for example `up: web/lo`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Item, A::Error> {
                let mut found: Option<(Operation, Span)> = None;
                let (mut fails, mut right, mut inert) = (None, None, None);
                let mut claims = Claims::default();
                while let Some(key) = map.next_key::<Located<String>>()? {
                    if !self.keys.contains(&key.as_str()) {
                        return Err(de::Error::unknown_field(&key, self.keys));
                    }
                    match key.as_str() {
                        FAILS => {
                            fails = Some(map.next_value()?);
                            continue;
                        }
                        RIGHT => {
                            right = Some(Box::new(map.next_value::<Right>()?.0));
                            continue;
                        }
                        INERT => {
                            inert = Some(map.next_value()?);
                            continue;
                        }
                        of_claims if Claims::KEYS.contains(&of_claims) => {
                            claims.read(of_claims, &mut map)?;
                            continue;
                        }
                        _ => {}
                    }
                    if let Some((first, _)) = &found {
                        return Err(de::Error::custom(
                            super::ValueError::new(
                                "two-operations",
                                format!("`{key}` stands in one item with `{}`", first.verb()),
                                "begin a new item: one `-` for each operation",
                            )
                            .pack_at(key.span),
                        ));
                    }
                    match Operation::next_value(&key, &mut map)? {
                        Some(operation) => found = Some((operation, key.span)),
                        None => return Err(de::Error::unknown_field(&key, self.keys)),
                    }
                }
                let Some((operation, span)) = found else {
                    return Err(de::Error::custom(
                        super::ValueError::new(
                            "no-operation",
                            "the item names no operation",
                            format!("write one of: {}", Operation::VERBS.join(", ")),
                        )
                        .pack(),
                    ));
                };
                Ok(Item {
                    operation,
                    fails,
                    right,
                    inert,
                    claims,
                    span,
                })
            }
        }

        deserializer.deserialize_map(ItemVisitor { keys: ITEM_KEYS })
    }
}

impl Serialize for Item {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.operation.serialize_entry(&mut map)?;
        if let Some(fails) = &self.fails {
            map.serialize_entry(FAILS, fails)?;
        }
        if let Some(right) = &self.right {
            map.serialize_entry(RIGHT, right)?;
        }
        if let Some(inert) = &self.inert {
            map.serialize_entry(INERT, inert)?;
        }
        self.claims.write(&mut map)?;
        map.end()
    }
}
