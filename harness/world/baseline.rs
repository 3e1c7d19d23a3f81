//! The settings that every node starts with, whatever the machine's own are.
//!
//! A new network namespace copies its IPv4 settings from the machine's initial one
//! (`devconf_inherit_init_net`, Documentation/admin-guide/sysctl/net.rst), so that a node on a
//! machine that forwards would be born a router. Everything that changes what becomes of a packet is
//! therefore written, and an interface that comes later inherits it from `conf/default`.

use crate::kernel::{KernelError, sysctl};

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
    // No scenario speaks IPv6 yet; its autoconfiguration would only add noise.
    pin("net/ipv6/conf/*/disable_ipv6", "1", "0"),
    pin("net/ipv6/conf/*/accept_ra", "0", "2"),
    pin("net/ipv6/conf/*/autoconf", "0", "1"),
    pin("net/ipv6/conf/*/router_solicitations", "0", "3"),
    pin("net/ipv6/conf/*/forwarding", "0", "1"),
];

/// Milliseconds that a link waits for each ARP answer, in place of the kernel's second.
pub(super) const NEIGHBOUR_RETRANS_MS: u64 = 10;

/// ARP requests before a neighbour counts as failed, in place of the kernel's three.
pub(super) const NEIGHBOUR_PROBES: u32 = 1;

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
/// With `hostile`, the opposite of each is written first, in every directory that pinning has to
/// reach; it is how the suite proves that nothing of the machine shows through.
///
/// # Errors
///
/// The path with the kernel's refusal. A setting that the kernel does not have is no error.
pub(super) fn pin_node(hostile: bool) -> Result<Pinned, (String, KernelError)> {
    if hostile {
        // What cannot take its opposite cannot be hostile either: the pin itself is what must hold.
        for pin in PINS {
            for path in expand(pin.path) {
                let _ = sysctl::write(&path, pin.opposite);
            }
        }
    }
    let mut pinned = Pinned::default();
    for pin in PINS {
        let mut found = false;
        for path in expand(pin.path) {
            match sysctl::write(&path, pin.value) {
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
