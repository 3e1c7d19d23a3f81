//! Open vSwitch with its datapath in user space, which needs no module in the kernel: frames go through
//! the process `ovs-vswitchd`, by packet sockets and tap devices.
//!
//! It is a switch, and no more. By hand, as its users do it: the pairs of interfaces, the addresses and
//! routes, forwarding, the translation of what leaves the network. It publishes no ports.
//!
//! Two things have to be done by hand because frames are copied, and not taken from the kernel. The
//! kernel of the host must not answer ARP at the switch's ports for the bridge's address. And the
//! container must write the checksums of TCP and UDP itself: the switch passes them on as it finds them.
//!
//! Sources: ovs-vsctl(8); "Open vSwitch without Kernel Support" of its documentation, which says what
//! else the kernel does with the frames; github.com/openvswitch/ovs-issues/issues/273 on checksums.

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::by_hand::{
    Book, configure_container, configure_gateway, delete_link, masquerade, name_of, with_prefix,
};
use super::command::command;
use super::steps::{Stop, must, reply, succeed, version_in};
use crate::implement::driver::{Answered, Broken, Driver};
use crate::implement::protocol::{
    Claimed, EndpointSpec, Hello, NetworkSpec, Op, PROTOCOL, Reply, Request, Requires,
};

/// The description of the database that the package brings.
pub(super) const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";

/// Drives ovs-vsctl, and starts the two daemons with the first network.
#[derive(Debug, Default)]
pub(super) struct Ovs {
    started: Cell<bool>,
    book: Book,
    /// Counts the ports, which have to have names of their own.
    ports: Cell<u32>,
}

impl Driver for Ovs {
    fn ask<'a>(&'a self, _: &'a crate::world::World, request: &'a Request) -> Answered<'a> {
        Box::pin(self.answer(request))
    }
}

impl Ovs {
    async fn answer(&self, request: &Request) -> Result<Reply, Broken> {
        let seq = request.seq;
        let folder = format!("{}/ovs", request.workdir);
        let ended = match &request.op {
            Op::Hello { .. } => hello(seq).await,
            Op::Network { network } => self.add_network(seq, &folder, network).await,
            Op::NetworkDelete { network } => self.delete_network(seq, &folder, network).await,
            Op::Attach { endpoint, network } => self.attach(seq, &folder, endpoint, network).await,
            Op::Detach { network, state, .. } => self.detach(seq, &folder, network, state).await,
            Op::Check { .. } => Err(Stop::Lacks {
                feature: "check",
                reason: "Open vSwitch has no command that checks a port",
            }),
            Op::Bye => Ok(Reply::done(seq)),
        };
        reply(seq, ended)
    }

    /// Starts the daemons. Each goes to the background when it is ready, and not before.
    async fn start(&self, folder: &str) -> Result<(), Stop> {
        if self.started.get() {
            return Ok(());
        }
        fs::create_dir_all(folder).map_err(|error| Broken(format!("{folder}: {error}")))?;
        let database = format!("{folder}/conf.db");
        let socket = format!("{folder}/db.sock");
        if !Path::new(&database).exists() {
            tool("ovsdb-tool", folder, &["create", &database, SCHEMA]).await?;
        }
        let remote = format!("--remote=punix:{socket}");
        let log = format!("--log-file={folder}/ovsdb-server.log");
        let server = [&database, remote.as_str(), "--pidfile", "--detach", &log];
        tool("ovsdb-server", folder, &server).await?;
        tool("ovs-vsctl", folder, &["--no-wait", "init"]).await?;
        let (remote, log) = (
            format!("unix:{socket}"),
            format!("--log-file={folder}/ovs-vswitchd.log"),
        );
        let switch = [remote.as_str(), "--pidfile", "--detach", &log];
        tool("ovs-vswitchd", folder, &switch).await?;
        self.started.set(true);
        Ok(())
    }

    async fn add_network(
        &self,
        seq: u64,
        folder: &str,
        network: &NetworkSpec,
    ) -> Result<Reply, Stop> {
        self.start(folder).await?;
        self.book.open(network)?;
        let bridge = network.bridge.as_str();
        let mut add = vec!["add-br", bridge, "--", "set", "bridge", bridge];
        add.push("datapath_type=netdev");
        let mtu = network.mtu.map(|mtu| format!("mtu_request={mtu}"));
        if let Some(mtu) = &mtu {
            add.extend(["--", "set", "interface", bridge, mtu]);
        }
        let made = tool("ovs-vsctl", folder, &add).await;
        if let Err(stop) = made {
            self.book.close(network);
            return Err(stop);
        }
        configure_gateway(network, bridge).await?;
        masquerade(network, bridge, "-A").await?;
        Ok(Reply::done(seq))
    }

    async fn delete_network(
        &self,
        seq: u64,
        folder: &str,
        network: &NetworkSpec,
    ) -> Result<Reply, Stop> {
        let bridge = network.bridge.as_str();
        masquerade(network, bridge, "-D").await?;
        tool("ovs-vsctl", folder, &["del-br", bridge]).await?;
        self.book.close(network);
        Ok(Reply::done(seq))
    }

    async fn attach(
        &self,
        seq: u64,
        folder: &str,
        endpoint: &EndpointSpec,
        network: &NetworkSpec,
    ) -> Result<Reply, Stop> {
        if !endpoint.publish.is_empty() {
            return Err(Stop::Lacks {
                feature: "publish",
                reason: "a switch publishes no ports",
            });
        }
        let address = self.book.take(endpoint, network)?;
        self.ports.set(self.ports.get() + 1);
        let port = format!("ovsport{}", self.ports.get());
        let joined = join(folder, &port, endpoint, network).await;
        let joined = match joined {
            Ok(()) => configure_container(endpoint, network, address).await,
            stop => stop,
        };
        if let Err(stop) = joined {
            self.book.give_back(network, address);
            return Err(stop);
        }
        Ok(Reply {
            // The addresses are ours; the program says nothing of them.
            claims: Some(Claimed {
                addresses: vec![with_prefix(address, network)?],
            }),
            state: json!({"port": port, "address": address}),
            ..Reply::done(seq)
        })
    }

    async fn detach(
        &self,
        seq: u64,
        folder: &str,
        network: &NetworkSpec,
        state: &Value,
    ) -> Result<Reply, Stop> {
        let port = state["port"].as_str().unwrap_or_default();
        // The bridge may be gone, with all of its ports.
        tool("ovs-vsctl", folder, &["--if-exists", "del-port", port]).await?;
        delete_link(port).await?;
        if let Some(address) = state["address"].as_str().and_then(|it| it.parse().ok()) {
            self.book.give_back(network, address);
        }
        Ok(Reply::done(seq))
    }
}

async fn hello(seq: u64) -> Result<Reply, Stop> {
    let said = must("ovs-vswitchd", &["--version"]).await?;
    let hello = Hello {
        protocol: PROTOCOL,
        name: "openvswitch".to_owned(),
        version: version_in(&said),
        homepage: Some("https://www.openvswitch.org/".to_owned()),
        features: Vec::new(),
        requires: Requires::default(),
    };
    Ok(Reply {
        hello: Some(hello),
        ..Reply::done(seq)
    })
}

/// Makes the pair of interfaces and hands one of them to the switch.
async fn join(
    folder: &str,
    port: &str,
    endpoint: &EndpointSpec,
    network: &NetworkSpec,
) -> Result<(), Stop> {
    let (netns, ifname) = (name_of(endpoint), endpoint.ifname.as_str());
    let pair = ["type", "veth", "peer", "name", ifname, "netns", netns];
    must("ip", &[&["link", "add", port][..], &pair].concat()).await?;
    must(
        "ip",
        &["netns", "exec", netns, "ethtool", "-K", ifname, "tx", "off"],
    )
    .await?;
    let mut up = vec!["link", "set", port, "arp", "off", "up"];
    let mtu = network.mtu.map(|mtu| mtu.to_string());
    if let Some(mtu) = &mtu {
        up.extend(["mtu", mtu]);
    }
    must("ip", &up).await?;
    tool("ovs-vsctl", folder, &["add-port", &network.bridge, port]).await
}

/// Runs one of the switch's programs, which find each other by the folder. ovs-vsctl waits until
/// ovs-vswitchd has done what it was told, and tells what came of it only in words.
async fn tool(program: &str, folder: &str, arguments: &[&str]) -> Result<(), Stop> {
    let mut command = in_folder(program, folder, arguments);
    if program != "ovs-vsctl" {
        return succeed(&mut command, "").await.map(drop);
    }
    let said = super::command::run(&mut command, "").await?;
    let words = String::from_utf8_lossy(&said.stderr);
    let refused = !said.status.success() || words.contains("Error detected");
    if refused {
        return Err(Stop::Refused {
            code: program.to_owned(),
            message: words.trim().to_owned(),
        });
    }
    Ok(())
}

fn in_folder(program: &str, folder: &str, arguments: &[&str]) -> Command {
    let mut command = command(program, arguments);
    for variable in ["OVS_RUNDIR", "OVS_DBDIR", "OVS_LOGDIR", "OVS_SYSCONFDIR"] {
        command.env(variable, folder);
    }
    command
}
