//! Drivers: code of ours that drives a real program, one file each.
//!
//! A driver answers requests of the protocol by running the program as its users do. It says what the
//! program does not do, hands on what the program says, and judges nothing.

mod addresses;
mod by_hand;
mod cni;
mod command;
mod deviations;
mod docker;
mod engine;
mod ifupdown2;
mod lxc;
mod netavark;
mod networkd;
mod ovs;
mod pasta;
mod podman;
mod root;
mod slirp4netns;
mod solo;
mod steps;

use cni::{Cni, Plugin};
pub(super) use deviations::deviations;
use docker::Docker;
use ifupdown2::Ifupdown2;
use lxc::Lxc;
use netavark::Netavark;
use networkd::Networkd;
use ovs::Ovs;
use pasta::Pasta;
use podman::Podman;
use slirp4netns::Slirp;

use super::driver::Driver;
use crate::world::Tier;

/// What is known of a driver before anything is asked of it.
#[derive(Debug)]
pub struct DriverInfo {
    /// The name under which it is chosen and reported.
    pub name: &'static str,
    /// What it drives, in a line.
    pub about: &'static str,
    /// The least privileges that the program runs with.
    pub tier: Tier,
    /// The programs that it runs, by name or path.
    pub needs: &'static [&'static str],
    /// The devices that the program needs.
    pub devices: &'static [&'static str],
    /// The command that says which version is installed.
    pub version: &'static [&'static str],
    /// Makes the driver.
    pub make: fn() -> Box<dyn Driver>,
}

/// Every driver, in the order of the matrix.
pub const DRIVERS: &[DriverInfo] = &[
    DriverInfo {
        name: "cni-bridge",
        about: "the reference plugin `bridge` of CNI, with host-local and portmap",
        tier: Tier::User,
        needs: &[
            "/usr/lib/cni/bridge",
            "/usr/lib/cni/host-local",
            "/usr/lib/cni/portmap",
            "iptables",
        ],
        devices: &[],
        version: &["/usr/lib/cni/bridge"],
        make: || Box::new(Cni::new(Plugin::Bridge)),
    },
    DriverInfo {
        name: "cni-ptp",
        about: "the reference plugin `ptp` of CNI, with host-local and portmap",
        tier: Tier::User,
        needs: &[
            "/usr/lib/cni/ptp",
            "/usr/lib/cni/host-local",
            "/usr/lib/cni/portmap",
            "iptables",
        ],
        devices: &[],
        version: &["/usr/lib/cni/ptp"],
        make: || Box::new(Cni::new(Plugin::Ptp)),
    },
    DriverInfo {
        name: "netavark",
        about: "the network stack of Podman, driven without it",
        tier: Tier::User,
        needs: &[netavark::PROGRAM, "iptables"],
        devices: &[],
        version: &[netavark::PROGRAM, "--version"],
        make: || Box::new(Netavark::default()),
    },
    DriverInfo {
        name: "podman",
        about: "Podman with netavark and crun, networks and containers",
        tier: Tier::Subuid,
        needs: &[
            "podman",
            "crun",
            netavark::PROGRAM,
            "iptables",
            root::PROGRAM,
        ],
        devices: &[],
        version: &["podman", "--version"],
        make: || Box::new(Podman::default()),
    },
    DriverInfo {
        name: "openvswitch",
        about: "Open vSwitch with its datapath in user space; addresses, routes and masquerade by hand",
        tier: Tier::User,
        needs: &[
            "ethtool",
            "ip",
            "iptables",
            "ovs-vsctl",
            "ovs-vswitchd",
            "ovsdb-server",
            "ovsdb-tool",
            ovs::SCHEMA,
        ],
        devices: &["/dev/net/tun"],
        version: &["ovs-vswitchd", "--version"],
        make: || Box::new(Ovs::default()),
    },
    DriverInfo {
        name: "systemd-networkd",
        about: "systemd-networkd without systemd; containers' interfaces by hand",
        tier: Tier::User,
        needs: &["ip", networkd::DAEMON, networkd::WAIT],
        devices: &[],
        version: &[networkd::DAEMON, "--version"],
        make: || Box::new(Networkd::default()),
    },
    DriverInfo {
        name: "slirp4netns",
        about: "slirp4netns, a gateway in user space for each container",
        tier: Tier::User,
        needs: &["slirp4netns"],
        devices: &["/dev/net/tun"],
        version: &["slirp4netns", "--version"],
        make: || Box::new(Slirp::default()),
    },
    DriverInfo {
        name: "pasta",
        about: "pasta, a gateway in user space for each container",
        tier: Tier::User,
        needs: &["pasta", "ip"],
        devices: &["/dev/net/tun"],
        version: &["pasta", "--version"],
        make: || Box::new(Pasta::default()),
    },
    DriverInfo {
        name: "ifupdown2",
        about: "ifupdown2, unpacked in /opt/ifupdown2; containers' interfaces and masquerade by hand",
        tier: Tier::User,
        needs: &[ifupdown2::PROGRAM, "ip", "iptables", "python3", "sysctl"],
        devices: &[],
        version: ifupdown2::VERSION,
        make: || Box::new(Ifupdown2::default()),
    },
    DriverInfo {
        name: "docker",
        about: "Docker with its daemon, networks and containers",
        tier: Tier::Subuid,
        needs: &[
            docker::DAEMON,
            "docker",
            "containerd",
            docker::RUNTIME,
            "iptables",
            "tar",
            root::PROGRAM,
        ],
        devices: &[],
        version: &[docker::DAEMON, "--version"],
        make: || Box::new(Docker::default()),
    },
    DriverInfo {
        name: "lxc",
        about: "LXC, its network lxc-net and its containers",
        tier: Tier::Subuid,
        needs: &[lxc::NET, lxc::START, "dnsmasq", "ip", root::PROGRAM],
        devices: &[],
        version: &[lxc::START, "--version"],
        make: || Box::new(Lxc::default()),
    },
];
