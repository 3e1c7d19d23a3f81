//! The settings that every node starts with, whatever the machine's own are.
//!
//! A new network namespace copies its IPv4 settings from the machine's initial one
//! (`devconf_inherit_init_net`, Documentation/admin-guide/sysctl/net.rst), so that a node on a
//! machine that forwards would be born a router. Everything that changes what becomes of a packet is
//! therefore written, and an interface that comes later inherits it from `conf/default`.

use std::collections::{BTreeMap, BTreeSet};

use crate::kernel::{KernelError, sysctl};
use crate::scenario::NodeName;

/// One pinned setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin {
    /// The path under `/proc/sys`; `*` stands for every interface there is, `all` and `default`.
    pub path: &'static str,
    /// The value that every node starts with.
    pub value: &'static str,
    /// A value with the opposite effect, for the proof that pinning works.
    pub opposite: &'static str,
}

const fn pin(path: &'static str, value: &'static str, opposite: &'static str) -> Pin {
    Pin {
        path,
        value,
        opposite,
    }
}

/// The setting that is the other way round in nodes that a scenario wants IPv6 in.
const DISABLE_IPV6: &str = "net/ipv6/conf/*/disable_ipv6";

/// Every pinned setting, in the order of writing: `ip_forward` resets some of those behind it.
pub const PINS: &[Pin] = &[
    pin("net/ipv4/ip_forward", "0", "1"),
    pin("net/ipv4/ip_default_ttl", "64", "33"),
    pin("net/ipv4/ip_nonlocal_bind", "0", "1"),
    pin("net/ipv4/ip_no_pmtu_disc", "0", "1"),
    pin("net/ipv4/icmp_echo_ignore_all", "0", "1"),
    pin("net/ipv4/icmp_echo_ignore_broadcasts", "1", "0"),
    pin("net/ipv4/icmp_errors_use_inbound_ifaddr", "0", "1"),
    // With the default mask 11 of 300 port-unreachables arrive; with none, all 300.
    pin("net/ipv4/icmp_ratelimit", "0", "60000"),
    pin("net/ipv4/icmp_ratemask", "0", "1048575"),
    pin("net/ipv4/tcp_syncookies", "1", "0"),
    pin("net/ipv4/tcp_ecn", "2", "1"),
    pin("net/ipv4/tcp_timestamps", "1", "0"),
    pin("net/ipv4/fwmark_reflect", "0", "1"),
    pin(
        "net/ipv4/ip_local_port_range",
        "32768\t60999",
        "20000\t20999",
    ),
    // Which of several next hops a flow takes: with a seed of its own the same in every run.
    pin("net/ipv4/fib_multipath_hash_policy", "0", "1"),
    pin("net/ipv4/fib_multipath_hash_seed", "1", "2"),
    pin("net/ipv4/fib_multipath_use_neigh", "0", "1"),
    pin("net/ipv4/conf/*/accept_local", "0", "1"),
    pin("net/ipv4/conf/*/accept_redirects", "0", "1"),
    pin("net/ipv4/conf/*/accept_source_route", "0", "1"),
    pin("net/ipv4/conf/*/arp_accept", "0", "1"),
    pin("net/ipv4/conf/*/arp_announce", "0", "2"),
    pin("net/ipv4/conf/*/arp_evict_nocarrier", "1", "0"),
    pin("net/ipv4/conf/*/arp_filter", "0", "1"),
    pin("net/ipv4/conf/*/arp_ignore", "0", "8"),
    pin("net/ipv4/conf/*/arp_notify", "0", "1"),
    pin("net/ipv4/conf/*/bc_forwarding", "0", "1"),
    pin("net/ipv4/conf/*/disable_policy", "0", "1"),
    pin("net/ipv4/conf/*/drop_gratuitous_arp", "0", "1"),
    pin("net/ipv4/conf/*/drop_unicast_in_l2_multicast", "0", "1"),
    pin("net/ipv4/conf/*/forwarding", "0", "1"),
    pin("net/ipv4/conf/*/ignore_routes_with_linkdown", "0", "1"),
    pin("net/ipv4/conf/*/log_martians", "0", "1"),
    pin("net/ipv4/conf/*/promote_secondaries", "0", "1"),
    pin("net/ipv4/conf/*/proxy_arp", "0", "1"),
    pin("net/ipv4/conf/*/proxy_arp_pvlan", "0", "1"),
    pin("net/ipv4/conf/*/route_localnet", "0", "1"),
    pin("net/ipv4/conf/*/rp_filter", "0", "1"),
    pin("net/ipv4/conf/*/secure_redirects", "1", "0"),
    pin("net/ipv4/conf/*/send_redirects", "0", "1"),
    pin("net/ipv4/conf/*/shared_media", "1", "0"),
    pin("net/ipv4/conf/*/src_valid_mark", "0", "1"),
    pin("net/bridge/bridge-nf-call-arptables", "0", "1"),
    pin("net/bridge/bridge-nf-call-ip6tables", "0", "1"),
    pin("net/bridge/bridge-nf-call-iptables", "0", "1"),
    pin("net/bridge/bridge-nf-filter-pppoe-tagged", "0", "1"),
    pin("net/bridge/bridge-nf-filter-vlan-tagged", "0", "1"),
    pin("net/bridge/bridge-nf-pass-vlan-input-dev", "0", "1"),
    pin("net/ipv6/anycast_src_echo_reply", "0", "1"),
    pin("net/ipv6/auto_flowlabels", "1", "0"),
    pin("net/ipv6/bindv6only", "0", "1"),
    pin("net/ipv6/fwmark_reflect", "0", "1"),
    pin("net/ipv6/ip_nonlocal_bind", "0", "1"),
    pin("net/ipv6/icmp/echo_ignore_all", "0", "1"),
    pin("net/ipv6/icmp/echo_ignore_anycast", "0", "1"),
    pin("net/ipv6/icmp/echo_ignore_multicast", "0", "1"),
    pin("net/ipv6/icmp/error_anycast_as_unicast", "0", "1"),
    pin("net/ipv6/icmp/ratelimit", "0", "60000"),
    // A list of types. None can be empty by this file, and type 0 is of nothing.
    pin("net/ipv6/icmp/ratemask", "0", "0-255"),
    // First of its kind: it resets some of those behind it, in every directory.
    pin("net/ipv6/conf/*/forwarding", "0", "1"),
    // Nobody is asked whether an address is taken. That would last a second, and the scenario knows.
    pin("net/ipv6/conf/*/accept_dad", "0", "1"),
    pin("net/ipv6/conf/*/accept_ra", "0", "2"),
    pin("net/ipv6/conf/*/accept_redirects", "0", "1"),
    pin("net/ipv6/conf/*/accept_source_route", "0", "1"),
    pin("net/ipv6/conf/*/accept_untracked_na", "0", "2"),
    // The link-local address follows from the hardware address, which is derived from names.
    pin("net/ipv6/conf/*/addr_gen_mode", "0", "1"),
    pin("net/ipv6/conf/*/autoconf", "0", "1"),
    pin("net/ipv6/conf/*/dad_transmits", "0", "3"),
    pin("net/ipv6/conf/*/disable_policy", "0", "1"),
    pin("net/ipv6/conf/*/drop_unicast_in_l2_multicast", "0", "1"),
    pin("net/ipv6/conf/*/drop_unsolicited_na", "0", "1"),
    pin("net/ipv6/conf/*/enhanced_dad", "1", "0"),
    pin("net/ipv6/conf/*/force_forwarding", "0", "1"),
    pin("net/ipv6/conf/*/force_mld_version", "0", "1"),
    pin("net/ipv6/conf/*/force_tllao", "0", "1"),
    pin("net/ipv6/conf/*/hop_limit", "64", "33"),
    pin("net/ipv6/conf/*/ignore_routes_with_linkdown", "0", "1"),
    pin("net/ipv6/conf/*/keep_addr_on_down", "0", "1"),
    // Which groups a node hears it tells once, when it joins them, and not again at random.
    pin(
        "net/ipv6/conf/*/mldv1_unsolicited_report_interval",
        "3600000",
        "1",
    ),
    pin(
        "net/ipv6/conf/*/mldv2_unsolicited_report_interval",
        "3600000",
        "1",
    ),
    pin("net/ipv6/conf/*/ndisc_evict_nocarrier", "1", "0"),
    pin("net/ipv6/conf/*/ndisc_notify", "0", "1"),
    pin("net/ipv6/conf/*/ndisc_tclass", "0", "1"),
    pin("net/ipv6/conf/*/optimistic_dad", "0", "1"),
    pin("net/ipv6/conf/*/proxy_ndp", "0", "1"),
    pin("net/ipv6/conf/*/router_solicitations", "0", "3"),
    pin("net/ipv6/conf/*/rpl_seg_enabled", "0", "1"),
    pin("net/ipv6/conf/*/seg6_enabled", "0", "1"),
    pin("net/ipv6/conf/*/suppress_frag_ndisc", "1", "0"),
    pin("net/ipv6/conf/*/use_oif_addrs_only", "0", "1"),
    pin("net/ipv6/conf/*/use_optimistic", "0", "1"),
    pin("net/ipv6/conf/*/use_tempaddr", "0", "2"),
    // Last: what IPv6 does when it comes on is settled by then.
    pin(DISABLE_IPV6, "1", "0"),
];

/// Milliseconds that a link waits for each answer to ARP or neighbour discovery, in place of the
/// kernel's second.
pub(super) const NEIGHBOUR_RETRANS_MS: u64 = 10;

/// Requests before a neighbour counts as failed, in place of the kernel's three.
pub(super) const NEIGHBOUR_PROBES: u32 = 1;

/// What the nodes of a world begin with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Baseline {
    /// The nodes that have IPv6 on; in all others it is off.
    pub ipv6: BTreeSet<NodeName>,
    /// Every node starts with the opposite of each pinned setting, before pinning.
    pub hostile: bool,
}

/// What one node begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) ipv6: bool,
    pub(super) hostile: bool,
}

impl Baseline {
    /// Returns what a node begins with.
    pub(super) fn of(&self, node: &NodeName) -> Start {
        Start {
            ipv6: self.ipv6.contains(node),
            hostile: self.hostile,
        }
    }
}

impl Start {
    /// Returns the value of a pin in this node, and the opposite of it.
    fn values(self, pin: &Pin) -> (&'static str, &'static str) {
        if self.ipv6 && pin.path == DISABLE_IPV6 {
            (pin.opposite, pin.value)
        } else {
            (pin.value, pin.opposite)
        }
    }
}

/// What pinning a node came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pinned {
    /// How many settings were written.
    pub written: usize,
    /// Settings that this kernel does not have.
    pub absent: Vec<&'static str>,
}

/// Writes every pin in the calling thread's network namespace.
///
/// In a hostile baseline, the opposite of each is written first, in every directory that pinning has to
/// reach; it is how the suite proves that nothing of the machine shows through.
///
/// # Errors
///
/// The path with the kernel's refusal. A setting that the kernel does not have is no error.
pub(super) fn pin_node(start: Start) -> Result<Pinned, (String, KernelError)> {
    if start.hostile {
        // What cannot take its opposite cannot be hostile either: the pin itself is what must hold.
        for pin in PINS {
            for path in expand(pin.path) {
                let _ = sysctl::write(&path, start.values(pin).1);
            }
        }
    }
    let mut pinned = Pinned::default();
    for pin in PINS {
        let mut found = false;
        for path in expand(pin.path) {
            match sysctl::write(&path, start.values(pin).0) {
                Ok(()) => (found, pinned.written) = (true, pinned.written + 1),
                Err(error) if error.errno == nix::errno::Errno::ENOENT => {}
                Err(error) => return Err((path, error)),
            }
        }
        if !found {
            pinned.absent.push(pin.path);
        }
    }
    Ok(pinned)
}

/// What a network namespace of this machine begins with, before anything is pinned.
pub(super) struct Born(BTreeMap<String, String>);

impl Born {
    /// Reads the settings of the calling thread's network namespace, which nobody has touched.
    pub(super) fn read() -> Self {
        let paths = PINS.iter().flat_map(|pin| expand(pin.path));
        Self(
            paths
                .filter_map(|path| sysctl::read(&path).ok().map(|value| (path, value)))
                .collect(),
        )
    }

    /// Tells whether a setting of the calling thread's network namespace is as it was in the beginning;
    /// an interface that came later took over what stands under `default`.
    fn is_still(&self, pin: &Pin, path: &str) -> bool {
        let of = |path: &str| self.0.get(path).cloned();
        let born = of(path).or_else(|| of(&pin.path.replace('*', "default")));
        born.is_some() && sysctl::read(path).ok() == born
    }
}

/// Writes the pins in the calling thread's network namespace as [`pin_node`] does, but only those that
/// nobody has changed since the namespace was made.
///
/// # Errors
///
/// As [`pin_node`].
pub(super) fn pin_untouched(start: Start, born: &Born) -> Result<Pinned, (String, KernelError)> {
    // Some reset others when they are written, so it is decided before the first is.
    let untouched: Vec<(&Pin, Vec<String>)> = PINS
        .iter()
        .map(|pin| {
            let mut paths = expand(pin.path);
            paths.retain(|path| born.is_still(pin, path));
            (pin, paths)
        })
        .collect();
    let mut pinned = Pinned::default();
    for (pin, paths) in untouched {
        for path in paths {
            match sysctl::write(&path, start.values(pin).0) {
                Ok(()) => pinned.written += 1,
                Err(error) if error.errno == nix::errno::Errno::ENOENT => {}
                Err(error) => return Err((path, error)),
            }
        }
    }
    Ok(pinned)
}

fn expand(path: &str) -> Vec<String> {
    match path.split_once('*') {
        None => vec![path.to_owned()],
        Some((folder, name)) => sysctl::list(folder)
            .into_iter()
            .map(|interface| format!("{folder}{interface}{name}"))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pin_has_a_real_opposite_and_stands_once() {
        for (at, pin) in PINS.iter().enumerate() {
            assert_ne!(pin.value, pin.opposite, "{}", pin.path);
            assert!(
                PINS[at + 1..].iter().all(|other| other.path != pin.path),
                "{}",
                pin.path
            );
        }
    }
}
