//! LXC: `lxc-net` for the one bridge of a machine, and `lxc-start` for containers.
//!
//! `lxc-net` is configured by a file of `/etc/default`, makes a bridge, translates what leaves it, and
//! starts dnsmasq; it knows one network, IPv4, and no internal one. The configuration of a container has
//! its address, so the next free one is chosen here, as its user would do who does not want DHCP, and
//! what is about the choice is not LXC's business: `ipam`. LXC publishes no ports. A container has no
//! cgroups, of which a world has none. Sources: lxc.container.conf(5), lxc-start(1), lxc-stop(1), and
//! lxc-net itself, which is a script.

use std::fs;
use std::process::Command;

use ipnet::IpNet;

use super::addresses::Addresses;
use super::command::{Refusal, command, first_line, obey, run};
use super::root::{WAIT, make_root};
use crate::implement::driver::{Answered, Broken, Driver};
use crate::implement::protocol::{
    Claimed, EndpointSpec, Hello, NAMESPACES, NetworkSpec, Op, PROTOCOL, Reply, Request, Requires,
};

/// What makes the network.
pub(super) const NET: &str = "/usr/libexec/lxc/lxc-net";

/// What starts a container.
pub(super) const START: &str = "lxc-start";

const SETTINGS: &str = "/etc/default/lxc-net";

/// `lxc-stop` ends with this where the container does not run, lxc-stop(1).
const NOT_RUNNING: i32 = 2;

/// Drives LXC.
#[derive(Debug, Default)]
pub(super) struct Lxc {
    addresses: Addresses,
}

impl Driver for Lxc {
    fn ask<'a>(&'a self, _: &'a crate::world::World, request: &'a Request) -> Answered<'a> {
        Box::pin(self.answer(request))
    }
}

impl Lxc {
    async fn answer(&self, request: &Request) -> Result<Reply, Broken> {
        let seq = request.seq;
        match &request.op {
            Op::Hello { .. } => hello(seq).await,
            Op::Network { network } => self.make_network(seq, network).await,
            Op::NetworkDelete { network } => {
                let stopped = obey(&mut command(NET, &["stop"])).await?;
                if stopped.is_ok() {
                    self.addresses.end(network);
                }
                Ok(Refusal::reply(seq, stopped.map(|_| ())))
            }
            Op::Attach { endpoint, network } => self.attach(request, endpoint, network).await,
            Op::Detach {
                endpoint, network, ..
            } => {
                let mut stop = tool(request, "lxc-stop", endpoint);
                let said = run(stop.arg("--kill"), "").await?;
                let gone = said.status.success() || said.status.code() == Some(NOT_RUNNING);
                if gone {
                    self.addresses.give_back(network, &endpoint.id);
                }
                let done = if gone {
                    Ok(())
                } else {
                    Err(Refusal::said(&said))
                };
                Ok(Refusal::reply(seq, done))
            }
            Op::Check { .. } => Ok(Reply::unsupported(seq, "check", "lxc has no such command")),
            Op::Bye => Ok(Reply::done(seq)),
        }
    }

    async fn make_network(&self, seq: u64, network: &NetworkSpec) -> Result<Reply, Broken> {
        let lack = if network.internal {
            Some(("network.internal", "lxc-net always translates and forwards"))
        } else if network.forbids_masquerade() {
            Some(("network.masquerade", "lxc-net always translates"))
        } else if network.gateway.is_ipv6() {
            Some(("network.ipv6", "lxc-net has no network without IPv4"))
        } else if !self.addresses.is_empty() {
            Some(("second-network", "lxc-net makes one network"))
        } else {
            None
        };
        if let Some((feature, reason)) = lack {
            return Ok(Reply::unsupported(seq, feature, reason));
        }
        if let Err(reason) = self.addresses.begin(network) {
            return Ok(Reply::unsupported(seq, "ipam", reason));
        }
        let started = self.start(network).await?;
        if started.is_err() {
            self.addresses.end(network);
        }
        Ok(Refusal::reply(seq, started))
    }

    async fn start(&self, network: &NetworkSpec) -> Result<Result<(), Refusal>, Broken> {
        let settings = settings(network).ok_or_else(|| {
            let subnet = &network.subnet;
            Broken(format!("{subnet} has no room for anybody"))
        })?;
        fs::write(SETTINGS, settings).map_err(|error| Broken(format!("{SETTINGS}: {error}")))?;
        Ok(obey(&mut command(NET, &["start"])).await?.map(|_| ()))
    }

    async fn attach(
        &self,
        request: &Request,
        endpoint: &EndpointSpec,
        network: &NetworkSpec,
    ) -> Result<Reply, Broken> {
        let seq = request.seq;
        if !endpoint.publish.is_empty() {
            let reason = "lxc publishes no ports";
            return Ok(Reply::unsupported(seq, "publish", reason));
        }
        let address = match self.addresses.take(network, endpoint) {
            Ok(address) => address,
            Err(reason) => return Ok(Reply::unsupported(seq, "ipam", reason)),
        };
        let folder = format!("{}/{}", folder(request), endpoint.id);
        make_root(&format!("{folder}/rootfs"))?;
        let configuration = configuration(&folder, endpoint, network, address);
        let path = format!("{folder}/config");
        fs::write(&path, configuration).map_err(|error| Broken(format!("{path}: {error}")))?;
        let started = obey(tool(request, START, endpoint).arg("--daemon")).await?;
        if let Err(refusal) = started {
            self.addresses.give_back_one(network, address);
            return Ok(Refusal::reply(seq, Err(refusal)));
        }
        let told = async |what: &str| {
            let mut info = tool(request, "lxc-info", endpoint);
            obey(info.args([what, "--no-humanize"])).await
        };
        let (pid, ips) = match (told("--pid").await?, told("--ips").await?) {
            (Ok(pid), Ok(ips)) => (pid, ips),
            (Err(refusal), _) | (_, Err(refusal)) => {
                return Ok(Refusal::reply(seq, Err(refusal)));
            }
        };
        // It names addresses without the lengths of their prefixes.
        let addresses = ips
            .lines()
            .map(|ip| format!("{}/{}", ip.trim(), address.prefix_len()));
        Ok(Reply {
            claims: Some(Claimed {
                addresses: addresses.collect(),
            }),
            pid: pid.trim().parse().ok(),
            ..Reply::done(seq)
        })
    }
}

async fn hello(seq: u64) -> Result<Reply, Broken> {
    let said = run(&mut command(START, &["--version"]), "").await?;
    let hello = Hello {
        protocol: PROTOCOL,
        name: "lxc".to_owned(),
        version: first_line(&said.stdout).to_owned(),
        homepage: Some("https://linuxcontainers.org/lxc".to_owned()),
        features: vec![NAMESPACES.to_owned()],
        requires: Requires::default(),
    };
    Ok(Reply {
        hello: Some(hello),
        ..Reply::done(seq)
    })
}

fn folder(request: &Request) -> String {
    format!("{}/lxc", request.workdir)
}

/// Begins a command about a container.
fn tool(request: &Request, program: &str, endpoint: &EndpointSpec) -> Command {
    let mut command = command(program, &["--lxcpath", &folder(request)]);
    command.args(["--name", &endpoint.id]);
    command
}

/// What `lxc-net` reads. `None` for a subnet without room.
fn settings(network: &NetworkSpec) -> Option<String> {
    let IpNet::V4(subnet) = network.subnet.parse().ok()? else {
        return None;
    };
    let mut free = subnet.hosts().filter(|host| *host != network.gateway);
    let first = free.next()?;
    let (last, more) = free.fold((first, 0), |(_, count), host| (host, count + 1));
    let lines = [
        ("USE_LXC_BRIDGE", "true".to_owned()),
        ("LXC_BRIDGE", network.bridge.clone()),
        ("LXC_ADDR", network.gateway.to_string()),
        ("LXC_NETMASK", subnet.netmask().to_string()),
        ("LXC_NETWORK", subnet.trunc().to_string()),
        ("LXC_DHCP_RANGE", format!("{first},{last}")),
        ("LXC_DHCP_MAX", (more + 1).to_string()),
    ];
    Some(
        lines
            .map(|(name, value)| format!("{name}=\"{value}\"\n"))
            .concat(),
    )
}

/// The configuration of a container.
fn configuration(
    folder: &str,
    endpoint: &EndpointSpec,
    network: &NetworkSpec,
    address: IpNet,
) -> String {
    let mut lines = vec![
        ("lxc.uts.name", endpoint.id.clone()),
        ("lxc.rootfs.path", format!("dir:{folder}/rootfs")),
        ("lxc.init.cmd", WAIT.join(" ")),
        ("lxc.apparmor.profile", "unconfined".to_owned()),
        ("lxc.autodev", "0".to_owned()),
        ("lxc.pty.max", "0".to_owned()),
        ("lxc.tty.max", "0".to_owned()),
        ("lxc.console.path", "none".to_owned()),
        ("lxc.net.0.type", "veth".to_owned()),
        ("lxc.net.0.link", network.bridge.clone()),
        ("lxc.net.0.flags", "up".to_owned()),
        ("lxc.net.0.name", endpoint.ifname.clone()),
        ("lxc.net.0.ipv4.address", address.to_string()),
        ("lxc.net.0.ipv4.gateway", network.gateway.to_string()),
    ];
    if let Some(mtu) = network.mtu {
        lines.push(("lxc.net.0.mtu", mtu.to_string()));
    }
    let line = |(key, value): (&str, String)| format!("{key} = {value}\n");
    lines.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(subnet: &str, gateway: &str) -> NetworkSpec {
        NetworkSpec::new("n1", subnet, gateway.parse().unwrap())
    }

    #[test]
    fn settings_have_all_of_a_subnet() {
        let settings = settings(&network("10.9.8.0/22", "10.9.8.1")).unwrap();
        assert_eq!(
            settings.lines().collect::<Vec<_>>(),
            [
                "USE_LXC_BRIDGE=\"true\"",
                "LXC_BRIDGE=\"br-n1\"",
                "LXC_ADDR=\"10.9.8.1\"",
                "LXC_NETMASK=\"255.255.252.0\"",
                "LXC_NETWORK=\"10.9.8.0/22\"",
                "LXC_DHCP_RANGE=\"10.9.8.2,10.9.11.254\"",
                "LXC_DHCP_MAX=\"1021\"",
            ]
        );
    }

    #[test]
    fn a_subnet_with_the_gateway_alone_has_no_room() {
        assert_eq!(settings(&network("10.9.8.1/32", "10.9.8.1")), None);
        assert!(settings(&network("10.9.8.0/30", "10.9.8.2")).is_some());
    }
}
