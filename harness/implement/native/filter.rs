//! Netfilter, over nftables netlink.

use nix::errno::Errno;

use super::{Carry, Native, node};
use crate::implement::OperationError;
use crate::kernel::{Action, CtState, FrameHook, KernelError, Match, NftHook, NftSocket, Policy};
use crate::scenario::{
    BridgeChain, BridgeFilter, BridgePolicy, Chain, Conditions, ConnectionState, Dnat, Family,
    Filter, Flush, IfName, IngressFilter, IngressPolicy, LinkRef, Located, Masquerade, NodeName,
    Notrack, Policy as SetPolicy, PolicyTarget, Protocol, Rule, Snat, Target, TranslationChain,
};
use crate::world::World;

impl Carry for Masquerade {
    async fn carry(&self, _: &mut Native, world: &mut World) -> Result<(), OperationError> {
        append(world, self, Action::Masquerade, "nftables masquerade")
    }
}

impl Carry for Flush {
    async fn carry(&self, _: &mut Native, world: &mut World) -> Result<(), OperationError> {
        let hook = match self.chain.value {
            TranslationChain::Prerouting => NftHook::Prerouting,
            TranslationChain::Output => NftHook::Output,
            TranslationChain::Postrouting => NftHook::Postrouting,
        };
        open(world, &self.node)?
            .flush_translation(kernel_family(self.family()), hook)
            .map_err(|reason| lacking("nftables address translation", reason))
    }
}

impl Carry for Snat {
    async fn carry(&self, _: &mut Native, world: &mut World) -> Result<(), OperationError> {
        let action = Action::Snat(self.to.value);
        append(world, self, action, "nftables source translation")
    }
}

impl Carry for Dnat {
    async fn carry(&self, _: &mut Native, world: &mut World) -> Result<(), OperationError> {
        let action = Action::Dnat(self.to.address, self.to.port);
        append(world, self, action, "nftables destination translation")
    }
}

impl Carry for Filter {
    async fn carry(&self, _: &mut Native, world: &mut World) -> Result<(), OperationError> {
        let action = match self.then.value {
            Target::Accept => Action::Accept,
            Target::Drop => Action::Drop,
            Target::Reject => Action::Reject,
        };
        append(world, self, action, "an nftables filter rule")
    }
}

impl Carry for SetPolicy {
    async fn carry(&self, _: &mut Native, world: &mut World) -> Result<(), OperationError> {
        let policy = policy(self.to.value);
        open(world, &self.node)?
            .set_policy(
                kernel_family(self.family()),
                hook(self.chain.value.into()),
                policy,
            )
            .map_err(|reason| lacking("nftables filter chains", reason))
    }
}

impl Carry for Notrack {
    async fn carry(&self, _: &mut Native, world: &mut World) -> Result<(), OperationError> {
        append(world, self, Action::Notrack, "nftables notrack")
    }
}

impl Carry for BridgeFilter {
    async fn carry(&self, _: &mut Native, world: &mut World) -> Result<(), OperationError> {
        let name = |name: &Option<Located<IfName>>| name.as_ref().map(|it| it.as_str().to_owned());
        let (input, out) = (name(&self.input), name(&self.out));
        open(world, &self.node)?
            .append_for_frames(
                bridge_hook(self.chain.value),
                (input.as_deref(), out.as_deref()),
                policy(self.then.value),
            )
            .map_err(|reason| lacking(FOR_BRIDGES, reason))
    }
}

impl Carry for BridgePolicy {
    async fn carry(&self, _: &mut Native, world: &mut World) -> Result<(), OperationError> {
        let hook = bridge_hook(self.chain.value);
        open(world, &self.node)?
            .set_policy_for_frames(hook, policy(self.to.value))
            .map_err(|reason| lacking(FOR_BRIDGES, reason))
    }
}

impl Carry for IngressFilter {
    async fn carry(&self, _: &mut Native, world: &mut World) -> Result<(), OperationError> {
        let (mut socket, hook) = at_ingress(world, &self.dev).await?;
        socket
            .append_for_frames(hook, (None, None), policy(self.then.value))
            .map_err(|reason| lacking(AT_INTERFACES, reason))
    }
}

impl Carry for IngressPolicy {
    async fn carry(&self, _: &mut Native, world: &mut World) -> Result<(), OperationError> {
        let (mut socket, hook) = at_ingress(world, &self.dev).await?;
        socket
            .set_policy_for_frames(hook, policy(self.to.value))
            .map_err(|reason| lacking(AT_INTERFACES, reason))
    }
}

const FOR_BRIDGES: &str = "nftables for bridges";
const AT_INTERFACES: &str = "nftables at interfaces";

fn bridge_hook(chain: BridgeChain) -> FrameHook<'static> {
    match chain {
        BridgeChain::Input => FrameHook::BridgeInput,
        BridgeChain::Forward => FrameHook::BridgeForward,
        BridgeChain::Output => FrameHook::BridgeOutput,
    }
}

/// Opens a socket for what happens at the ingress of an interface that is there: without it the kernel
/// says what it says without the family.
async fn at_ingress<'a>(
    world: &World,
    dev: &'a LinkRef,
) -> Result<(NftSocket, FrameHook<'a>), OperationError> {
    let node = node(world, &dev.node)?;
    let name = dev.ifname.as_str();
    node.route().link(name).await?;
    Ok((node.enter(NftSocket::open)??, FrameHook::Ingress(name)))
}

fn policy(target: PolicyTarget) -> Policy {
    match target {
        PolicyTarget::Accept => Policy::Accept,
        PolicyTarget::Drop => Policy::Drop,
    }
}

fn open(world: &World, name: &Located<NodeName>) -> Result<NftSocket, OperationError> {
    Ok(node(world, name)?.enter(NftSocket::open)??)
}

fn append(
    world: &World,
    rule: &impl Rule,
    action: Action,
    feature: &'static str,
) -> Result<(), OperationError> {
    let conditions = rule.conditions();
    open(world, rule.node())?
        .append(
            kernel_family(rule.family()),
            hook(conditions.chain),
            &matching(&conditions),
            action,
        )
        .map_err(|reason| lacking(feature, reason))
}

/// A transaction makes the table and the chain that it names, so what is not there can only be an
/// expression or a type of chain.
fn lacking(feature: &'static str, reason: KernelError) -> OperationError {
    if reason.errno == Errno::ENOENT {
        OperationError::Unsupported { feature, reason }
    } else {
        super::lacking(feature, reason)
    }
}

fn kernel_family(family: Family) -> crate::kernel::Family {
    match family {
        Family::Ipv4 => crate::kernel::Family::Ipv4,
        Family::Ipv6 => crate::kernel::Family::Ipv6,
    }
}

fn hook(chain: Chain) -> NftHook {
    match chain {
        Chain::Prerouting => NftHook::Prerouting,
        Chain::Input => NftHook::Input,
        Chain::Forward => NftHook::Forward,
        Chain::Output => NftHook::Output,
        Chain::Postrouting => NftHook::Postrouting,
    }
}

fn matching<'a>(conditions: &Conditions<'a>) -> Match<'a> {
    Match {
        source: conditions.source.map(|prefix| prefix.0),
        destination: conditions.destination.map(|prefix| prefix.0),
        input: conditions.input.map(|name| name.as_str()),
        not_input: conditions.not_input.map(|name| name.as_str()),
        out: conditions.out.map(|name| name.as_str()),
        not_out: conditions.not_out.map(|name| name.as_str()),
        protocol: conditions.protocol.map(|protocol| match protocol.value {
            Protocol::Icmp => libc::IPPROTO_ICMP as u8,
            Protocol::Icmpv6 => libc::IPPROTO_ICMPV6 as u8,
            Protocol::Tcp => libc::IPPROTO_TCP as u8,
            Protocol::Udp => libc::IPPROTO_UDP as u8,
        }),
        port: conditions.port.map(|port| port.value),
        states: conditions
            .state
            .iter()
            .map(|state| match state.value {
                ConnectionState::New => CtState::New,
                ConnectionState::Established => CtState::Established,
                ConnectionState::Related => CtState::Related,
                ConnectionState::Invalid => CtState::Invalid,
                ConnectionState::Untracked => CtState::Untracked,
            })
            .collect(),
    }
}
