//! The scenario model: what a YAML file may say, and what is wrong with one that says it badly.
//!
//! Invariant: nothing here opens a socket, touches the kernel or runs a command.

mod cause;
mod claim;
mod diagnostic;
mod expectation;
mod fact;
mod fate;
mod hardware;
pub mod limits;
mod lower;
mod manifest;
mod model;
mod name;
mod net;
mod observation;
mod operation;
mod parse;
mod probe;
mod question;
mod reference;
mod resolve;
mod schema;
mod script;
pub(crate) mod suggest;
mod validate;
mod value;

pub use cause::Cause;
pub use claim::{ClaimId, Claims};
pub use diagnostic::{Diagnostic, Diagnostics, Position};
pub use expectation::{Expectation, ProbeExpectation};
pub use fact::{FactExpectation, Table};
pub use fate::{
    ExpectedFate, ExpectedLoss, ExpectedRejection, ExpectedReply, ExpectedSilence, Leg, Rejection,
    Sighting,
};
pub use hardware::{EchoSize, EtherType, MacAddress, Mtu, Seconds, Switch, VlanId, VxlanId};
pub use lower::{Lowering, Unlowered};
pub use manifest::{Deviation, Manifest, NoWay};
pub use model::{FactKind, Profile, Requirement, Scenario, Step};
pub use name::{IFNAME_MAX, IfName, LinkRef, NODE_NAME_MAX, NodeName, Place};
pub use net::{Broadcast, Destination, Endpoint, Family, InterfaceAddress, Prefix, TableId};
pub use observation::{Observation, Observed, Shown};
pub(crate) use operation::verb_table;
pub use operation::{
    Address, Arguments, Attach, Bridge, BridgeChain, BridgeFilter, BridgeOptions, BridgePolicy,
    BridgePort, BridgeSet, Chain, Conditions, ConnectionState, Delete, Detach, Dnat, Down, Dummy,
    EntryChain, Exec, Fdb, Filter, FilterChain, Flush, HOST, Ifb, IngressFilter, IngressPolicy,
    Item, Listen, Macvlan, MacvlanMode, Masquerade, Master, Mention, Move, NETWORK_NAME_MAX,
    Neighbour, Netns, Network, NetworkName, NextHop, Nomaster, Notrack, Operation, Policy,
    PolicyRule, PolicyTarget, PortStage, Protocol, Publish, REFUSED, Refusal, Rename, Route, Rule,
    SetMac, SetMtu, Snat, Sysctl, SysctlKey, SysctlValue, Tap, Target, TranslationChain, Tun,
    Tunnel, TunnelMode, Up, Veth, Vlan, Vxlan, as_line, is_host_of,
};
pub use parse::{parse, parse_bytes, parse_manifest, parse_manifest_bytes, read, read_manifest};
pub use probe::{Exchange, Ping, Probe, RawFrame, SentTo, Solicitation};
pub use question::Question;
pub use value::{Located, Span, ValueError};
