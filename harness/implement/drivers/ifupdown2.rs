//! ifupdown2, from `/etc/network/interfaces`, which `ifreload` follows.
//!
//! It makes the bridge with its address and the pairs of interfaces. By hand, as its users do it: the end
//! of a pair goes into the container, which ifupdown2 has no word for, and gets its address and routes
//! there; what leaves the network is translated by a command that its file has (`post-up`). It publishes
//! no ports. `ip-forward on` is for one interface only, so the file lets the whole host forward, too.
//!
//! The package cannot be installed beside ifupdown, so it is unpacked in a folder of its own, which is
//! faster when it was compiled there (`python3 -m compileall`). Sources:
//! interfaces(5) of ifupdown2, ifreload(8), ifquery(8).

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::by_hand::{Book, configure_container, delete_link, name_of, with_prefix};
use super::command::command;
use super::solo::broken;
use super::steps::{Stop, must, reply, succeed};
use crate::implement::driver::{Answered, Broken, Driver};
use crate::implement::protocol::{
    CHECK, Claimed, EndpointSpec, Hello, NetworkSpec, Op, PROTOCOL, Reply, Request, Requires,
};

/// Where the package is unpacked: `dpkg-deb -x ifupdown2_VERSION_all.deb /opt/ifupdown2`.
const FOLDER: &str = "/opt/ifupdown2";
/// Says its version, which its programs do not: what the package says of itself.
pub(super) const VERSION: &[&str] = &[
    "sh",
    "-c",
    "sed -n 's/^Version: //p' /opt/ifupdown2/usr/share/ifupdown2-*.egg-info/PKG-INFO",
];
/// Its one program, which is called by several names.
pub(super) const PROGRAM: &str = "/opt/ifupdown2/usr/share/ifupdown2/__main__.py";

/// How long a bridge may wait for its ports, in seconds.
const WAITPORT: u32 = 30;

const INTERFACES: &str = "/etc/network/interfaces";
const CONFIGURATION: &str = "/etc/network/ifupdown2";
/// Folders that the package makes otherwise.
const FOLDERS: &[&str] = &[
    "/run/network",
    "/etc/network/run",
    "/var/lib/ifupdown2",
    CONFIGURATION,
];

/// Writes the file, and has it followed.
#[derive(Debug, Default)]
pub(super) struct Ifupdown2 {
    book: Book,
    /// What the file is to say: networks by their bridges, with the ports of each.
    networks: RefCell<BTreeMap<String, (NetworkSpec, BTreeSet<String>)>>,
    /// Counts the pairs, which have to have names of their own.
    pairs: Cell<u32>,
    prepared: Cell<bool>,
    /// One reload at a time: it is for all changes that were made before it.
    reloading: Mutex<()>,
    changes: Cell<u64>,
    followed: Cell<u64>,
}

impl Driver for Ifupdown2 {
    fn ask<'a>(&'a self, _: &'a crate::world::World, request: &'a Request) -> Answered<'a> {
        Box::pin(self.answer(request))
    }
}

impl Ifupdown2 {
    async fn answer(&self, request: &Request) -> Result<Reply, Broken> {
        let seq = request.seq;
        let ended = match &request.op {
            Op::Hello { .. } => hello(seq).await,
            Op::Network { network } => self.add_network(request, network).await,
            Op::NetworkDelete { network } => {
                self.book.close(network);
                self.networks.borrow_mut().remove(&network.bridge);
                self.reload(request).await.map(|()| Reply::done(seq))
            }
            Op::Attach { endpoint, network } => self.attach(request, endpoint, network).await,
            Op::Detach { network, state, .. } => self.detach(request, network, state).await,
            Op::Check { network, state, .. } => check(request, network, state).await,
            Op::Bye => Ok(Reply::done(seq)),
        };
        reply(seq, ended)
    }

    async fn add_network(&self, request: &Request, network: &NetworkSpec) -> Result<Reply, Stop> {
        self.book.open(network)?;
        let of = (network.clone(), BTreeSet::new());
        self.networks
            .borrow_mut()
            .insert(network.bridge.clone(), of);
        self.reload(request).await?;
        Ok(Reply::done(request.seq))
    }

    async fn attach(
        &self,
        request: &Request,
        endpoint: &EndpointSpec,
        network: &NetworkSpec,
    ) -> Result<Reply, Stop> {
        if !endpoint.publish.is_empty() {
            return Err(Stop::Lacks {
                feature: "publish",
                reason: "ifupdown2 publishes no ports",
            });
        }
        let address = self.book.take(endpoint, network)?;
        self.pairs.set(self.pairs.get() + 1);
        let port = format!("ifport{}", self.pairs.get());
        self.change_ports(network, |ports| ports.insert(port.clone()));
        let joined = match self.reload(request).await {
            Ok(()) => join(&port, endpoint, network, address).await,
            stop => stop,
        };
        if let Err(stop) = joined {
            self.book.give_back(network, address);
            self.change_ports(network, |ports| ports.remove(&port));
            return Err(stop);
        }
        Ok(Reply {
            claims: Some(Claimed {
                addresses: vec![with_prefix(address, network)?],
            }),
            state: json!({"port": port, "address": address}),
            ..Reply::done(request.seq)
        })
    }

    async fn detach(
        &self,
        request: &Request,
        network: &NetworkSpec,
        state: &Value,
    ) -> Result<Reply, Stop> {
        let port = state["port"].as_str().unwrap_or_default();
        if self.change_ports(network, |ports| ports.remove(port)) {
            self.reload(request).await?;
        }
        delete_link(port).await?;
        if let Some(address) = state["address"].as_str().and_then(|it| it.parse().ok()) {
            self.book.give_back(network, address);
        }
        Ok(Reply::done(request.seq))
    }

    fn change_ports(
        &self,
        network: &NetworkSpec,
        change: impl FnOnce(&mut BTreeSet<String>) -> bool,
    ) -> bool {
        let mut networks = self.networks.borrow_mut();
        let of = networks.get_mut(&network.bridge);
        of.is_some_and(|(_, ports)| change(ports))
    }

    /// Writes the file and has it followed.
    async fn reload(&self, request: &Request) -> Result<(), Stop> {
        self.changes.set(self.changes.get() + 1);
        let own = self.changes.get();
        let _alone = self.reloading.lock().await;
        if self.followed.get() >= own {
            return Ok(());
        }
        let followed = self.changes.get();
        if !self.prepared.replace(true) {
            prepare(&request.workdir).map_err(broken)?;
        }
        fs::write(INTERFACES, self.file()?).map_err(broken)?;
        tool("ifreload", &request.workdir, &["-a"]).await?;
        self.followed.set(followed);
        Ok(())
    }

    /// What the file says: ports first, for the bridge wants them.
    fn file(&self) -> Result<String, Stop> {
        let mut file = String::new();
        for (bridge, (network, ports)) in &*self.networks.borrow() {
            let mtu = network.mtu.map(|mtu| format!("    mtu {mtu}\n"));
            let mtu = mtu.unwrap_or_default();
            for port in ports {
                let peer = peer_of(port);
                let _ = write!(
                    file,
                    "auto {port}\niface {port}\n    link-type veth\n    veth-peer-name {peer}\n{mtu}\n"
                );
            }
            let listed: Vec<&str> = ports.iter().map(String::as_str).collect();
            let listed = if listed.is_empty() {
                "none".to_owned()
            } else {
                listed.join(" ")
            };
            // A pair that this reload makes is not at once among the interfaces that the program knows of,
            // for the kernel has to tell it first. It waits with this only if need be.
            let waits = if ports.is_empty() {
                String::new()
            } else {
                format!("    bridge-waitport {WAITPORT} {listed}\n")
            };
            let address = with_prefix(network.gateway, network)?;
            let (v6, forwarding, iptables) = match network.gateway {
                IpAddr::V4(_) => ("", "net.ipv4.ip_forward", "iptables"),
                IpAddr::V6(_) => ("6", "net.ipv6.conf.all.forwarding", "ip6tables"),
            };
            let _ = write!(
                file,
                "auto {bridge}\niface {bridge}\n    bridge-ports {listed}\n{waits}    bridge-stp off\n{mtu}    \
                 address {address}\n    ip{v6}-forward on\n    post-up sysctl -qw {forwarding}=1\n"
            );
            if network.masquerade && !network.internal {
                let rule = format!(
                    "POSTROUTING -s {} ! -o {bridge} -j MASQUERADE",
                    network.subnet
                );
                // It is followed again whenever the file changes.
                let _ = write!(
                    file,
                    "    post-up {iptables} -w -t nat -C {rule} || {iptables} -w -t nat -A {rule}\n    \
                     post-down {iptables} -w -t nat -D {rule}\n"
                );
            }
            file.push('\n');
        }
        Ok(file)
    }
}

fn peer_of(port: &str) -> String {
    port.replacen("ifport", "ifpeer", 1)
}

async fn join(
    port: &str,
    endpoint: &EndpointSpec,
    network: &NetworkSpec,
    address: IpAddr,
) -> Result<(), Stop> {
    let (netns, ifname, peer) = (name_of(endpoint), endpoint.ifname.as_str(), peer_of(port));
    let moved = ["link", "set", &peer, "netns", netns, "name", ifname];
    must("ip", &moved).await?;
    configure_container(endpoint, network, address).await
}

/// Asks the program whether all is as its file says.
async fn check(request: &Request, network: &NetworkSpec, state: &Value) -> Result<Reply, Stop> {
    let port = state["port"].as_str().unwrap_or_default();
    let asked = ["--check", network.bridge.as_str(), port];
    tool("ifquery", &request.workdir, &asked).await?;
    Ok(Reply::done(request.seq))
}

async fn hello(seq: u64) -> Result<Reply, Stop> {
    let said = must(VERSION[0], &VERSION[1..]).await?;
    let hello = Hello {
        protocol: PROTOCOL,
        name: "ifupdown2".to_owned(),
        version: said.trim().to_owned(),
        homepage: Some("https://github.com/CumulusNetworks/ifupdown2".to_owned()),
        features: vec![CHECK.to_owned()],
        requires: Requires::default(),
    };
    Ok(Reply {
        hello: Some(hello),
        ..Reply::done(seq)
    })
}

/// Puts everything where the package would have put it.
fn prepare(workdir: &str) -> std::io::Result<()> {
    FOLDERS.iter().try_for_each(fs::create_dir_all)?;
    copy(
        &Path::new(FOLDER).join("etc/network/ifupdown2"),
        Path::new(CONFIGURATION),
    )?;
    for name in ["ifreload", "ifquery"] {
        symlink(PROGRAM, format!("{workdir}/{name}"))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let (entry, to) = (entry?, to);
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), &to)?;
        }
    }
    Ok(())
}

/// Runs the program by one of its names.
async fn tool(name: &str, workdir: &str, arguments: &[&str]) -> Result<(), Stop> {
    let path = format!("{workdir}/{name}");
    let mut python = command("python3", &[&[path.as_str()][..], arguments].concat());
    let share = format!("{FOLDER}/usr/share");
    python.env("PYTHONPATH", format!("{share}:{share}/ifupdown2"));
    succeed(&mut python, "").await.map(drop)
}
