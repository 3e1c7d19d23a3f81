//! pasta: a tap device in the container, and passt(1) at its other end.
//!
//! The network is one container's own. pasta gives the container the address and gateway that it is
//! told, and takes the gateway's for the host; it always translates. It wants an interface of the host
//! to go out by, which is given by hand where there is one. By hand, too: echo requests are allowed for
//! processes of the host (`net.ipv4.ping_group_range`). Source: pasta(1).

use std::net::IpAddr;
use std::process::Stdio;

use futures_util::future::{Either, select};
use nix::sys::stat::Mode;
use serde_json::Value;
use tokio::net::unix::pipe;

use super::by_hand::{Book, with_prefix};
use super::command::command;
use super::solo::{Solo, allow_ping, broken, check, log, refused};
use super::steps::{Stop, must, reply};
use crate::implement::driver::{Answered, Broken, Driver};
use crate::implement::protocol::{
    Claimed, EndpointSpec, Hello, NetworkSpec, Op, PROTOCOL, Reply, Request, Requires,
};
use crate::world::{Daemon, start_daemon};

/// Runs a process for each container.
#[derive(Debug, Default)]
pub(super) struct Pasta {
    solo: Solo,
    book: Book,
}

impl Driver for Pasta {
    fn ask<'a>(&'a self, _: &'a crate::world::World, request: &'a Request) -> Answered<'a> {
        Box::pin(self.answer(request))
    }
}

impl Pasta {
    async fn answer(&self, request: &Request) -> Result<Reply, Broken> {
        let seq = request.seq;
        let ended = match &request.op {
            Op::Hello { .. } => hello(seq).await,
            Op::Network { network } => check(network)
                .and_then(|()| self.book.open(network))
                .map(|()| Reply::done(seq)),
            Op::NetworkDelete { network } => {
                self.book.close(network);
                Ok(Reply::done(seq))
            }
            Op::Attach { endpoint, network } => self.attach(request, endpoint, network).await,
            Op::Detach { network, state, .. } => self.detach(seq, network, state).await,
            Op::Check { .. } => Err(Stop::Lacks {
                feature: "check",
                reason: "pasta has no command that checks a container",
            }),
            Op::Bye => Ok(Reply::done(seq)),
        };
        reply(seq, ended)
    }

    async fn attach(
        &self,
        request: &Request,
        endpoint: &EndpointSpec,
        network: &NetworkSpec,
    ) -> Result<Reply, Stop> {
        self.solo.take(network)?;
        let address = self.book.take(endpoint, network)?;
        let started = start(request, endpoint, network, address).await;
        match started {
            Ok(daemon) => self.solo.note(network, daemon),
            Err(stop) => {
                self.solo.end(network).await?;
                self.book.give_back(network, address);
                return Err(stop);
            }
        }
        Ok(Reply {
            claims: Some(Claimed {
                addresses: vec![with_prefix(address, network)?],
            }),
            state: Value::String(address.to_string()),
            ..Reply::done(request.seq)
        })
    }

    async fn detach(&self, seq: u64, network: &NetworkSpec, state: &Value) -> Result<Reply, Stop> {
        self.solo.end(network).await?;
        if let Some(address) = state.as_str().and_then(|it| it.parse().ok()) {
            self.book.give_back(network, address);
        }
        Ok(Reply::done(seq))
    }
}

/// Starts a process. It is ready when it writes its number, which it does last.
async fn start(
    request: &Request,
    endpoint: &EndpointSpec,
    network: &NetworkSpec,
    address: IpAddr,
) -> Result<Daemon, Stop> {
    allow_ping()?;
    let outside = interface_outside().await?;
    let (log, said) = log(request, endpoint)?;
    let number = format!(
        "{}/{}-{}.pid",
        request.workdir, endpoint.id, endpoint.ifname
    );
    let _ = std::fs::remove_file(&number);
    nix::unistd::mkfifo(number.as_str(), Mode::S_IRUSR | Mode::S_IWUSR).map_err(broken)?;
    let is_ready = pipe::OpenOptions::new()
        .read_write(true)
        .open_receiver(&number)
        .map_err(broken)?;
    let (address, gateway) = (address.to_string(), network.gateway.to_string());
    let with_prefix = with_prefix(network.gateway, network)?;
    let prefix = with_prefix.rsplit('/').next().unwrap_or_default();
    let mtu = network.mtu.map(|mtu| mtu.to_string());
    let published = |protocol: &str| {
        let ports = endpoint.publish.iter().filter(|it| it.protocol == protocol);
        let ports: Vec<String> = ports
            .map(|it| format!("{}/{}:{}", it.address, it.port, it.to))
            .collect();
        if ports.is_empty() {
            vec!["none".to_owned()]
        } else {
            ports
        }
    };
    let (tcp, udp) = (published("tcp"), published("udp"));
    let mut arguments = vec!["--config-net", "--foreground", "--ipv4-only", "--stderr"];
    arguments.extend(["--pid", &number, "--interface", &outside]);
    arguments.extend(["--address", &address, "--netmask", prefix]);
    arguments.extend(["--gateway", &gateway, "--ns-ifname", &endpoint.ifname]);
    arguments.extend(["--tcp-ns", "none", "--udp-ns", "none"]);
    if let Some(mtu) = &mtu {
        arguments.extend(["--mtu", mtu]);
    }
    arguments.extend(tcp.iter().flat_map(|ports| ["--tcp-ports", ports]));
    arguments.extend(udp.iter().flat_map(|ports| ["--udp-ports", ports]));
    arguments.extend(["--netns", &endpoint.netns]);
    let mut pasta = command("pasta", &arguments);
    let daemon = start_daemon(&mut pasta, Stdio::null(), &log).map_err(broken)?;
    let ready = {
        let (ready, ended) = (
            std::pin::pin!(is_ready.readable()),
            std::pin::pin!(daemon.ended()),
        );
        matches!(select(ready, ended).await, Either::Left((Ok(()), _)))
    };
    if ready {
        Ok(daemon)
    } else {
        Err(refused("pasta", &said))
    }
}

/// Chooses the first interface of the host that has an address.
async fn interface_outside() -> Result<String, Stop> {
    let shown = must("ip", &["-json", "-4", "address", "show", "up"]).await?;
    let links: Value = serde_json::from_str(&shown).map_err(broken)?;
    let links = links.as_array().into_iter().flatten();
    let mut outside = links.filter(|link| {
        let flags = link["flags"].as_array();
        !flags.is_some_and(|flags| flags.iter().any(|flag| flag == "LOOPBACK"))
    });
    let first = outside.find_map(|link| link["ifname"].as_str().map(str::to_owned));
    first.ok_or(Stop::Lacks {
        feature: "no-outside",
        reason: "pasta wants an interface of the host with an address, apart from lo",
    })
}

async fn hello(seq: u64) -> Result<Reply, Stop> {
    let said = must("pasta", &["--version"]).await?;
    let line = said.lines().next().unwrap_or_default();
    let version = line.strip_prefix("pasta ").unwrap_or(line);
    let hello = Hello {
        protocol: PROTOCOL,
        name: "pasta".to_owned(),
        version: version
            .trim_start_matches("unknown version")
            .trim()
            .to_owned(),
        homepage: Some("https://passt.top/".to_owned()),
        features: Vec::new(),
        requires: Requires::default(),
    };
    Ok(Reply {
        hello: Some(hello),
        ..Reply::done(seq)
    })
}
