//! Netavark, driven as Podman drives it: one process for each command, what is wanted on standard input.
//!
//! It has no command for a network: the first endpoint makes it, and the last takes it away. Addresses
//! are its caller's to choose, so the next free one is chosen here, and what is about the choice is not
//! its business: `ipam`. It always translates the source of what leaves a network that is not internal.
//! Sources: netavark(1), and what Podman 4.3 hands over.

use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::addresses::Addresses;
use super::command::{Refusal, command, first_line, run};
use crate::implement::driver::{Answered, Broken, Driver};
use crate::implement::protocol::{
    Claimed, EndpointSpec, Hello, NetworkSpec, Op, PROTOCOL, Reply, Request, Requires,
};

/// Where Podman keeps it.
pub(super) const PROGRAM: &str = "/usr/lib/podman/netavark";

/// Drives netavark.
#[derive(Debug, Default)]
pub(super) struct Netavark {
    addresses: Addresses,
    /// One at a time, as Podman does it, which holds a lock of its own: two at once make the same chains
    /// of iptables, and one of them fails.
    turn: Mutex<()>,
}

impl Driver for Netavark {
    fn ask<'a>(&'a self, _: &'a crate::world::World, request: &'a Request) -> Answered<'a> {
        Box::pin(self.answer(request))
    }
}

impl Netavark {
    async fn answer(&self, request: &Request) -> Result<Reply, Broken> {
        let _turn = self.turn.lock().await;
        let seq = request.seq;
        match &request.op {
            Op::Hello { .. } => hello(seq).await,
            Op::Network { network } if network.forbids_masquerade() => {
                let reason =
                    "netavark always translates what leaves a network that is not internal";
                Ok(Reply::unsupported(seq, "network.masquerade", reason))
            }
            Op::Network { network } => Ok(match self.addresses.begin(network) {
                Ok(()) => Reply::done(seq),
                Err(reason) => Reply::unsupported(seq, "ipam", reason),
            }),
            Op::NetworkDelete { network } if self.addresses.is_used(network) => {
                let reason = "netavark knows no networks, only endpoints";
                Ok(Reply::unsupported(seq, "network-in-use", reason))
            }
            Op::NetworkDelete { network } => {
                self.addresses.end(network);
                Ok(Reply::done(seq))
            }
            Op::Attach { endpoint, network } => self.attach(request, endpoint, network).await,
            Op::Detach {
                endpoint,
                network,
                state,
            } => {
                let torn_down = tell(request, "teardown", endpoint, state).await?;
                // As Podman does it: the address is free, whatever netavark says.
                self.addresses.give_back(network, &endpoint.id);
                Ok(Refusal::reply(seq, torn_down.map(|_| ())))
            }
            Op::Check { .. } => Ok(Reply::unsupported(
                seq,
                "check",
                "netavark has no command that checks",
            )),
            Op::Bye => Ok(Reply::done(seq)),
        }
    }

    async fn attach(
        &self,
        request: &Request,
        endpoint: &EndpointSpec,
        network: &NetworkSpec,
    ) -> Result<Reply, Broken> {
        let seq = request.seq;
        let address = match self.addresses.take(network, endpoint) {
            Ok(address) => address,
            Err(reason) => return Ok(Reply::unsupported(seq, "ipam", reason)),
        };
        let wanted = wanted(endpoint, network, &address.addr().to_string());
        match tell(request, "setup", endpoint, &wanted).await? {
            Ok(made) => Ok(Reply {
                claims: Some(Claimed {
                    addresses: addresses(&made[&network.id], &endpoint.ifname),
                }),
                state: wanted,
                ..Reply::done(seq)
            }),
            Err(refusal) => {
                self.addresses.give_back_one(network, address);
                Ok(Refusal::reply(seq, Err(refusal)))
            }
        }
    }
}

async fn hello(seq: u64) -> Result<Reply, Broken> {
    let said = run(&mut command(PROGRAM, &["--version"]), "").await?;
    let version = first_line(&said.stdout).trim_start_matches("netavark ");
    let hello = Hello {
        protocol: PROTOCOL,
        name: "netavark".to_owned(),
        version: version.to_owned(),
        homepage: Some("https://github.com/containers/netavark".to_owned()),
        features: Vec::new(),
        requires: Requires::default(),
    };
    Ok(Reply {
        hello: Some(hello),
        ..Reply::done(seq)
    })
}

/// What `setup` reads, and `teardown` again.
fn wanted(endpoint: &EndpointSpec, network: &NetworkSpec, address: &str) -> Value {
    let mut options = json!({});
    if let Some(mtu) = network.mtu {
        options["mtu"] = json!(mtu.to_string());
    }
    let mappings: Vec<Value> = endpoint
        .publish
        .iter()
        .map(|publish| {
            json!({
                "host_ip": publish.address,
                "host_port": publish.port,
                "container_port": publish.to,
                "protocol": publish.protocol,
                "range": 1,
            })
        })
        .collect();
    let name = &network.id;
    json!({
        "container_id": identity(&endpoint.id),
        "container_name": endpoint.id,
        "port_mappings": mappings,
        "networks": {name: {"interface_name": endpoint.ifname, "static_ips": [address]}},
        "network_info": {name: {
            "name": name,
            "id": identity(name),
            "driver": "bridge",
            "network_interface": network.bridge,
            "subnets": [{"subnet": network.subnet, "gateway": network.gateway}],
            "ipv6_enabled": network.gateway.is_ipv6(),
            "internal": network.internal,
            "dns_enabled": false,
            "options": options,
            "ipam_options": {"driver": "host-local"},
        }},
    })
}

/// Makes an id like Podman's of a name: 64 digits, of which the first ones tell names apart.
fn identity(name: &str) -> String {
    let digits: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{digits:0<64}")
}

async fn tell(
    request: &Request,
    verb: &str,
    endpoint: &EndpointSpec,
    wanted: &Value,
) -> Result<Result<Value, Refusal>, Broken> {
    let folder = format!("{}/netavark", request.workdir);
    std::fs::create_dir_all(&folder).map_err(|error| Broken(format!("{folder}: {error}")))?;
    let mut command = command(PROGRAM, &["--config", &folder, verb, &endpoint.netns]);
    let said = run(&mut command, &wanted.to_string()).await?;
    let text = String::from_utf8_lossy(&said.stdout);
    let answer: Value = match text.trim() {
        "" => Value::Null,
        text => serde_json::from_str(text)
            .map_err(|_| Broken(format!("netavark says what is no JSON: {text}")))?,
    };
    if said.status.success() {
        return Ok(Ok(answer));
    }
    // What went wrong is on standard output, as JSON.
    Ok(Err(match answer["error"].as_str() {
        Some(message) => Refusal::of(&said, message),
        None => Refusal::said(&said),
    }))
}

/// The addresses of an interface in the answer to `setup`.
fn addresses(made: &Value, ifname: &str) -> Vec<String> {
    let subnets = made["interfaces"][ifname]["subnets"].as_array();
    let addresses = subnets.into_iter().flatten();
    let addresses = addresses.filter_map(|subnet| subnet["ipnet"].as_str().map(str::to_owned));
    addresses.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_ids_of_their_own() {
        let (one, other) = (identity("n1"), identity("n10"));
        assert_eq!((one.len(), other.len()), (64, 64));
        assert_ne!(one, other);
    }
}
