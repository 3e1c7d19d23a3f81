//! slirp4netns: a tap device in the container, and libslirp at its other end.
//!
//! The network is one container's own. The program decides that the container is number 100 of the
//! subnet, and the host number 2; it always translates. By hand: echo requests are allowed for
//! processes of the host (`net.ipv4.ping_group_range`). Source: slirp4netns(1).

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::unix::pipe;

use super::by_hand::{Book, with_prefix};
use super::command::command;
use super::solo::{Solo, allow_ping, broken, check, log, numbered, refused};
use super::steps::{Stop, must, reply, version_in};
use crate::implement::driver::{Answered, Broken, Driver};
use crate::implement::protocol::{
    Asked, Claimed, EndpointSpec, Hello, NetworkSpec, Op, PROTOCOL, PublishSpec, Reply, Request,
    Requires,
};
use crate::world::start_daemon;

/// The number of the container in its network; of the host it is 2.
const CONTAINER: usize = 100;
const HOST: usize = 2;

/// Runs a process for each container.
#[derive(Debug, Default)]
pub(super) struct Slirp {
    solo: Solo,
    book: Book,
}

impl Driver for Slirp {
    fn ask<'a>(&'a self, _: &'a crate::world::World, request: &'a Request) -> Answered<'a> {
        Box::pin(self.answer(request))
    }
}

impl Slirp {
    async fn answer(&self, request: &Request) -> Result<Reply, Broken> {
        let seq = request.seq;
        let ended = match &request.op {
            Op::Hello { .. } => hello(seq).await,
            Op::Network { network } => can(network)
                .and_then(|()| self.book.open(network))
                .map(|()| Reply::done(seq)),
            Op::NetworkDelete { network } => {
                self.book.close(network);
                Ok(Reply::done(seq))
            }
            Op::Attach { endpoint, network } => self.attach(request, endpoint, network).await,
            Op::Detach { network, .. } => self.solo.end(network).await.map(|()| Reply::done(seq)),
            Op::Check { .. } => Err(Stop::Lacks {
                feature: "check",
                reason: "slirp4netns has no command that checks a container",
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
        let address = numbered(network, CONTAINER).ok_or(SMALL)?;
        if endpoint.address.is_some_and(|wanted| wanted != address) {
            return Err(Stop::Lacks {
                feature: "address",
                reason: "the container is always number 100 of its network",
            });
        }
        self.solo.take(network)?;
        if let Err(stop) = self.start(request, endpoint, network).await {
            self.solo.end(network).await?;
            return Err(stop);
        }
        Ok(Reply {
            claims: Some(Claimed {
                addresses: vec![with_prefix(address, network)?],
            }),
            ..Reply::done(request.seq)
        })
    }

    async fn start(
        &self,
        request: &Request,
        endpoint: &EndpointSpec,
        network: &NetworkSpec,
    ) -> Result<(), Stop> {
        allow_ping()?;
        let (log, said) = log(request, endpoint)?;
        let api = format!(
            "{}/{}-{}.api",
            request.workdir, endpoint.id, endpoint.ifname
        );
        let mtu = format!("--mtu={}", network.mtu.unwrap_or(1500));
        let cidr = format!("--cidr={}", network.subnet);
        let api_socket = format!("--api-socket={api}");
        let (ready, tell) = std::io::pipe().map_err(broken)?;
        let daemon = {
            // Standard input is a descriptor as any other: what it has ready, it writes there.
            let fixed = ["--configure", "--ready-fd=0", "--netns-type=path"];
            let of_network = [mtu.as_str(), &cidr, &api_socket];
            let place = [endpoint.netns.as_str(), &endpoint.ifname];
            let mut slirp = command("slirp4netns", &[&fixed[..], &of_network, &place].concat());
            start_daemon(&mut slirp, Stdio::from(tell), &log).map_err(broken)?
        };
        let ready = pipe::Receiver::from_owned_fd(OwnedFd::from(ready)).map_err(broken)?;
        let is_ready = loop {
            ready.readable().await.map_err(broken)?;
            match ready.try_read(&mut [0; 1]) {
                Ok(length) => break length == 1,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(broken(error)),
            }
        };
        if !is_ready {
            daemon.stop().await.map_err(broken)?;
            return Err(refused("slirp4netns", &said));
        }
        self.solo.note(network, daemon);
        for publish in &endpoint.publish {
            publish_port(&api, publish, request.deadline_ms)?;
        }
        Ok(())
    }
}

const SMALL: Stop = Stop::Lacks {
    feature: "network.subnet",
    reason: "the container is number 100 of its network, which has fewer",
};

fn can(network: &NetworkSpec) -> Result<(), Stop> {
    check(network)?;
    numbered(network, CONTAINER).ok_or(SMALL)?;
    let is_other = numbered(network, HOST) != Some(network.gateway);
    if is_other && network.asks(Asked::Gateway) {
        return Err(Stop::Lacks {
            feature: "network.gateway",
            reason: "the host is always number 2 of the network",
        });
    }
    Ok(())
}

async fn hello(seq: u64) -> Result<Reply, Stop> {
    let said = must("slirp4netns", &["--version"]).await?;
    let hello = Hello {
        protocol: PROTOCOL,
        name: "slirp4netns".to_owned(),
        version: version_in(&said),
        homepage: Some("https://github.com/rootless-containers/slirp4netns".to_owned()),
        features: Vec::new(),
        requires: Requires::default(),
    };
    Ok(Reply {
        hello: Some(hello),
        ..Reply::done(seq)
    })
}

/// Has a port forwarded: one request and one reply on the program's own socket.
fn publish_port(api: &str, publish: &PublishSpec, deadline_ms: u64) -> Result<(), Stop> {
    let request = json!({
        "execute": "add_hostfwd",
        "arguments": {
            "proto": publish.protocol,
            "host_addr": publish.address,
            "host_port": publish.port,
            "guest_port": publish.to,
        },
    });
    let mut answer = String::new();
    let mut asked = || -> std::io::Result<()> {
        let mut socket = UnixStream::connect(api)?;
        socket.set_read_timeout(Some(Duration::from_millis(deadline_ms)))?;
        socket.write_all(request.to_string().as_bytes())?;
        socket.shutdown(Shutdown::Write)?;
        socket.read_to_string(&mut answer).map(drop)
    };
    asked().map_err(broken)?;
    let answer: Value = serde_json::from_str(answer.trim()).map_err(broken)?;
    match answer["error"]["desc"].as_str() {
        None => Ok(()),
        Some(message) => Err(Stop::Refused {
            code: "add_hostfwd".to_owned(),
            message: message.to_owned(),
        }),
    }
}
