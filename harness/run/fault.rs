//! Faults: one deliberate break, to see whether a scenario notices it and knows what it is.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::conductor::{Conductor, Stop, send};
use super::event::Event;
use crate::implement::{Implementation as _, Native};
use crate::judge::{Verdict, judge_operation};
use crate::kernel::NftSocket;
use crate::kernel::route::{Address, RouteScope};
use crate::observe::ObserveError;
use crate::scenario::{Cause, Item, LinkRef, NodeName};
use crate::world::{Topology, World};

/// A break in what a container's interface needs: its own address and route, its cable, the bridge, and
/// what `host` does for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The rules that translate addresses are gone.
    TranslationFlushed,
    /// `host` does not forward.
    ForwardingOff,
    /// The bridge has not the address that the container's routes go to.
    GatewayAddressDeleted,
    /// The bridge is down.
    BridgeDown,
    /// The cable's end in `host` is down.
    HostLinkDown,
    /// What no rule lets pass is dropped where packets are forwarded.
    ForwardPolicyDrop,
    /// The cable's end in `host` is no port of the bridge.
    PortDetached,
    /// The container has no default route.
    DefaultRouteDeleted,
    /// The container's interface has no address.
    AddressDeleted,
}

/// A fault, and when and where it comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultAt {
    /// What breaks.
    pub fault: Fault,
    /// The number of the step after whose operations it comes, from 1.
    pub step: usize,
    /// The container's interface.
    pub on: LinkRef,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 9] = [
        Self::TranslationFlushed,
        Self::ForwardingOff,
        Self::GatewayAddressDeleted,
        Self::BridgeDown,
        Self::HostLinkDown,
        Self::ForwardPolicyDrop,
        Self::PortDetached,
        Self::DefaultRouteDeleted,
        Self::AddressDeleted,
    ];

    /// Returns the word that stands for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::TranslationFlushed => "translation-flushed",
            Self::ForwardingOff => "forwarding-off",
            Self::GatewayAddressDeleted => "gateway-address-deleted",
            Self::BridgeDown => "bridge-down",
            Self::HostLinkDown => "host-link-down",
            Self::ForwardPolicyDrop => "forward-policy-drop",
            Self::PortDetached => "port-detached",
            Self::DefaultRouteDeleted => "default-route-deleted",
            Self::AddressDeleted => "address-deleted",
        }
    }

    /// Returns the causes that say what it is, where a probe that needs the broken part is explained. A
    /// probe that cannot even be sent has no cause: then it is said by the error of the sender.
    pub fn causes(self) -> &'static [Cause] {
        match self {
            Self::TranslationFlushed => &[Cause::NotTranslated],
            Self::ForwardingOff => &[Cause::ForwardingOff],
            Self::GatewayAddressDeleted => &[Cause::NeighbourUnresolved],
            Self::BridgeDown => &[Cause::BridgeDown],
            Self::HostLinkDown => &[Cause::LinkDown, Cause::NoCarrier],
            Self::ForwardPolicyDrop => &[Cause::ForwardPolicy],
            Self::PortDetached => &[Cause::NotEnslaved],
            Self::DefaultRouteDeleted | Self::AddressDeleted => &[Cause::NoRoute],
        }
    }
}

/// What a fault is to be done to.
struct Target {
    node: NodeName,
    ifname: String,
    addresses: Vec<Address>,
    /// The other end of the cable, in `host`.
    near: String,
    bridge: Option<String>,
    /// The addresses of the bridge.
    gateways: Vec<Address>,
}

impl Conductor<'_> {
    /// Breaks what is to be broken after this step, if anything.
    pub(super) async fn break_something(&mut self, world: &mut World) -> Result<(), Stop> {
        let Some(at) = self.fault.clone().filter(|at| at.step == self.step) else {
            return Ok(());
        };
        let topology = world.settle().await?;
        let target = Target::find(world, &topology, &at.on).await?;
        let Some(target) = target else {
            return self.tell_fault(at.fault, Verdict::Error, Some("there is nothing to break"));
        };
        if at.fault == Fault::TranslationFlushed {
            flush(world)?;
            return self.tell_fault(at.fault, Verdict::Pass, None);
        }
        let mut native = Native::default();
        for item in target.operations(at.fault) {
            let item: Result<Item, _> = serde_json::from_value(item);
            let Ok(item) = item else {
                return self.tell_fault(at.fault, Verdict::Error, Some("it cannot be written"));
            };
            let result = native.apply(world, &item.operation).await;
            let judgement = judge_operation(&item, &result);
            if judgement.verdict != Verdict::Pass {
                return self.tell_fault(at.fault, Verdict::Error, judgement.reason.as_deref());
            }
        }
        self.tell_fault(at.fault, Verdict::Pass, None)
    }

    fn tell_fault(&self, fault: Fault, verdict: Verdict, reason: Option<&str>) -> Result<(), Stop> {
        Ok(send(&Event::Fault {
            scenario: self.scenario.to_owned(),
            step: self.step,
            fault,
            verdict,
            reason: reason.map(str::to_owned),
        })?)
    }
}

impl Target {
    /// Finds what the container's interface hangs on; nothing where it is not there or is no cable.
    async fn find(
        world: &World,
        topology: &Topology,
        on: &LinkRef,
    ) -> Result<Option<Self>, ObserveError> {
        let (Some(node), Some(host)) = (world.node(&on.node), world.node(&NodeName::host())) else {
            return Ok(None);
        };
        let Some(link) = topology.link_named(node.name(), on.ifname.as_str()) else {
            return Ok(None);
        };
        let near = topology
            .peer(node.name(), link.index)
            .filter(|(of, _)| *of == host.name())
            .map(|(_, near)| near);
        let Some(near) = near else {
            return Ok(None);
        };
        let master = near
            .master
            .and_then(|index| topology.link(host.name(), index));
        let addresses = node.route().addresses().await?;
        let of_host = host.route().addresses().await?;
        let global = |of: Vec<Address>, index: Option<u32>| {
            let on = |it: &Address| Some(it.link) == index && it.scope == RouteScope::UNIVERSE;
            of.into_iter().filter(on).collect()
        };
        Ok(Some(Self {
            node: on.node.clone(),
            ifname: on.ifname.to_string(),
            addresses: global(addresses, Some(link.index)),
            near: near.name.clone(),
            bridge: master.map(|bridge| bridge.name.clone()),
            gateways: global(of_host, master.map(|bridge| bridge.index)),
        }))
    }

    /// The operations that do it, as a scenario has them.
    fn operations(&self, fault: Fault) -> Vec<Value> {
        let host = NodeName::host();
        let near = format!("{host}/{}", self.near);
        let own = format!("{}/{}", self.node, self.ifname);
        let bridge = self
            .bridge
            .as_ref()
            .map(|bridge| format!("{host}/{bridge}"));
        let deleted = |of: &Address, dev: &str| {
            let address: (IpAddr, u8) = (of.address, of.prefix_len);
            json!({"address": {"delete": format!("{}/{}", address.0, address.1), "dev": dev}})
        };
        match fault {
            Fault::TranslationFlushed => Vec::new(),
            Fault::ForwardingOff => {
                let key = "net.ipv4.ip_forward";
                vec![json!({"sysctl": {"in": host, "key": key, "value": "0"}})]
            }
            Fault::GatewayAddressDeleted => {
                let dev = bridge.unwrap_or_default();
                self.gateways.iter().map(|it| deleted(it, &dev)).collect()
            }
            Fault::BridgeDown => bridge.into_iter().map(|it| json!({"down": it})).collect(),
            Fault::HostLinkDown => vec![json!({"down": near})],
            Fault::ForwardPolicyDrop => {
                vec![json!({"policy": {"in": host, "chain": "forward", "to": "drop"}})]
            }
            Fault::PortDetached => vec![json!({"nomaster": near})],
            Fault::DefaultRouteDeleted => {
                vec![json!({"route": {"in": self.node, "delete": "default"}})]
            }
            Fault::AddressDeleted => self.addresses.iter().map(|it| deleted(it, &own)).collect(),
        }
    }
}

/// Empties every table in which anything translates addresses.
fn flush(world: &World) -> Result<(), ObserveError> {
    if let Some(host) = world.node(&NodeName::host()) {
        host.enter(NftSocket::open)??.flush_all_translation()?;
    }
    Ok(())
}
