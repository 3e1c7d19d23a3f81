//! The reference plugins of CNI, driven as a container runtime drives them: one process for each command,
//! its arguments in the environment and its configuration on standard input.
//!
//! CNI has no command for a network: the first endpoint makes it, and nothing takes it away. Sources: the
//! CNI specification 1.0.0, and the manual of each plugin.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::command::{command, run};
use crate::implement::driver::{Answered, Broken, Driver};
use crate::implement::protocol::{
    CHECK, Claimed, EndpointSpec, Hello, NetworkSpec, Op, PROTOCOL, Reply, Request, Requires,
};

/// Where Debian and most others keep the plugins.
pub(super) const FOLDER: &str = "/usr/lib/cni";

/// The version of the specification that is spoken.
const CNI_VERSION: &str = "1.0.0";

/// Which of the plugins that make an interface is driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plugin {
    /// A bridge in the host, and a veth pair for each container.
    Bridge,
    /// A veth pair for each container, and a route to each.
    Ptp,
}

impl Plugin {
    fn name(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Ptp => "ptp",
        }
    }
}

/// Drives one plugin, with `host-local` for addresses and `portmap` for ports.
#[derive(Debug)]
pub(super) struct Cni {
    plugin: Plugin,
    /// The interfaces that are there: container and name.
    attached: RefCell<BTreeSet<(String, String)>>,
}

/// By what CNI knows an interface, whichever network it is of.
fn key_of(endpoint: &EndpointSpec) -> (String, String) {
    (endpoint.id.clone(), endpoint.ifname.clone())
}

/// One command to a plugin.
struct Call<'a> {
    plugin: &'a str,
    verb: &'a str,
    endpoint: &'a EndpointSpec,
    configuration: Value,
}

impl Driver for Cni {
    fn ask<'a>(&'a self, _: &'a crate::world::World, request: &'a Request) -> Answered<'a> {
        Box::pin(self.answer(request))
    }
}

impl Cni {
    pub(super) fn new(plugin: Plugin) -> Self {
        Self {
            plugin,
            attached: RefCell::default(),
        }
    }

    async fn answer(&self, request: &Request) -> Result<Reply, Broken> {
        let seq = request.seq;
        match &request.op {
            Op::Hello { .. } => self.hello(seq).await,
            Op::Network { network } | Op::NetworkDelete { network } => {
                Ok(match self.lacks(network) {
                    Some((feature, reason)) => Reply::unsupported(seq, feature, reason),
                    None => Reply::done(seq),
                })
            }
            Op::Attach { endpoint, network } => self.attach(request, endpoint, network).await,
            Op::Check {
                endpoint,
                network,
                state,
            } => {
                let configuration = self.configuration(request, network, Some(state));
                let checked = self.call("CHECK", endpoint, configuration).await?;
                Ok(reply(seq, checked.map(|_| ())))
            }
            Op::Detach {
                endpoint,
                network,
                state,
            } => self.detach(request, endpoint, network, state).await,
            Op::Bye => Ok(Reply::done(seq)),
        }
    }

    /// What of a network the plugin has no option for.
    fn lacks(&self, network: &NetworkSpec) -> Option<(&'static str, &'static str)> {
        let internal = network.internal && self.plugin == Plugin::Ptp;
        internal.then_some((
            "network.internal",
            "every container of ptp is routed by the host",
        ))
    }

    async fn hello(&self, seq: u64) -> Result<Reply, Broken> {
        // Without arguments in the environment a plugin says what it is.
        let said = run(&mut command(&self.path(self.plugin.name()), &[]), "").await?;
        let text = String::from_utf8_lossy(&said.stderr).into_owned();
        let version = text.lines().next().and_then(|line| line.rsplit(' ').next());
        let version = version.unwrap_or_default().trim_start_matches('v');
        // Debian builds the plugins without telling them; then the package says it.
        let version = if version == "unknown" { "" } else { version };
        let hello = Hello {
            protocol: PROTOCOL,
            name: format!("cni-{}", self.plugin.name()),
            version: version.to_owned(),
            homepage: Some("https://github.com/containernetworking/plugins".to_owned()),
            features: vec![CHECK.to_owned()],
            requires: Requires::default(),
        };
        Ok(Reply {
            hello: Some(hello),
            ..Reply::done(seq)
        })
    }

    async fn attach(
        &self,
        request: &Request,
        endpoint: &EndpointSpec,
        network: &NetworkSpec,
    ) -> Result<Reply, Broken> {
        let configuration = self.configuration(request, network, None);
        let added = match self.call("ADD", endpoint, configuration).await? {
            Ok(added) => added,
            Err(reason) => {
                self.undo(request, endpoint, network, &Value::Null).await?;
                return Ok(reply(request.seq, Err(reason)));
            }
        };
        if !endpoint.publish.is_empty() {
            let call = portmap("ADD", endpoint, network, &added);
            if let Err(reason) = self.exec(call).await? {
                self.undo(request, endpoint, network, &added).await?;
                return Ok(reply(request.seq, Err(reason)));
            }
        }
        self.attached.borrow_mut().insert(key_of(endpoint));
        let addresses = added["ips"].as_array().into_iter().flatten();
        let addresses = addresses.filter_map(|ip| ip["address"].as_str().map(str::to_owned));
        Ok(Reply {
            claims: Some(Claimed {
                addresses: addresses.collect(),
            }),
            state: added,
            ..Reply::done(request.seq)
        })
    }

    /// Takes away what an ADD that failed has left, as a runtime has to; not where that interface was there
    /// before, which DEL would take. What comes of it is nobody's answer: the ADD was refused.
    async fn undo(
        &self,
        request: &Request,
        endpoint: &EndpointSpec,
        network: &NetworkSpec,
        added: &Value,
    ) -> Result<(), Broken> {
        if self.attached.borrow().contains(&key_of(endpoint)) {
            return Ok(());
        }
        self.detach(request, endpoint, network, added)
            .await
            .map(drop)
    }

    async fn detach(
        &self,
        request: &Request,
        endpoint: &EndpointSpec,
        network: &NetworkSpec,
        state: &Value,
    ) -> Result<Reply, Broken> {
        if !endpoint.publish.is_empty() {
            let call = portmap("DEL", endpoint, network, state);
            if let Err(reason) = self.exec(call).await? {
                return Ok(reply(request.seq, Err(reason)));
            }
        }
        let configuration = self.configuration(request, network, Some(state));
        let deleted = self.call("DEL", endpoint, configuration).await?;
        if deleted.is_ok() {
            self.attached.borrow_mut().remove(&key_of(endpoint));
        }
        Ok(reply(request.seq, deleted.map(|_| ())))
    }

    fn configuration(
        &self,
        request: &Request,
        network: &NetworkSpec,
        added: Option<&Value>,
    ) -> Value {
        let everywhere = if network.gateway.is_ipv6() {
            "::/0"
        } else {
            "0.0.0.0/0"
        };
        let routes = match network.internal {
            true => json!([]),
            false => json!([{"dst": everywhere}]),
        };
        let mut configuration = json!({
            "cniVersion": CNI_VERSION,
            "name": network.id,
            "type": self.plugin.name(),
            "ipMasq": network.masquerade && !network.internal,
            "ipam": {
                "type": "host-local",
                "dataDir": format!("{}/ipam", request.workdir),
                "ranges": [[{"subnet": network.subnet, "gateway": network.gateway}]],
                "routes": routes,
            },
        });
        if let Some(mtu) = network.mtu {
            configuration["mtu"] = json!(mtu);
        }
        if self.plugin == Plugin::Bridge {
            configuration["bridge"] = json!(network.bridge);
            configuration["isGateway"] = json!(true);
            configuration["hairpinMode"] = json!(true);
        }
        if let Some(added) = added {
            configuration["prevResult"] = added.clone();
        }
        configuration
    }

    async fn call(
        &self,
        verb: &str,
        endpoint: &EndpointSpec,
        configuration: Value,
    ) -> Result<Result<Value, Refusal>, Broken> {
        let call = Call {
            plugin: self.plugin.name(),
            verb,
            endpoint,
            configuration,
        };
        self.exec(call).await
    }

    fn path(&self, plugin: &str) -> String {
        format!("{FOLDER}/{plugin}")
    }

    async fn exec(&self, call: Call<'_>) -> Result<Result<Value, Refusal>, Broken> {
        let endpoint = call.endpoint;
        let mut arguments = "IgnoreUnknown=1".to_owned();
        if let Some(address) = endpoint.address {
            arguments += &format!(";IP={address}");
        }
        let mut command = command(&self.path(call.plugin), &[]);
        command
            .env("CNI_COMMAND", call.verb)
            .env("CNI_CONTAINERID", &endpoint.id)
            .env("CNI_NETNS", &endpoint.netns)
            .env("CNI_IFNAME", &endpoint.ifname)
            .env("CNI_ARGS", arguments)
            .env("CNI_PATH", FOLDER);
        let said = run(&mut command, &call.configuration.to_string()).await?;
        let text = String::from_utf8_lossy(&said.stdout);
        let answer: Value = match text.trim() {
            "" => Value::Null,
            text => serde_json::from_str(text)
                .map_err(|_| Broken(format!("{} says what is no JSON: {text}", call.plugin)))?,
        };
        if said.status.success() {
            return Ok(Ok(answer));
        }
        let message = answer["msg"].as_str().unwrap_or_default().to_owned();
        let errors = String::from_utf8_lossy(&said.stderr).trim().to_owned();
        Ok(Err(Refusal {
            code: answer["code"].to_string(),
            message: if message.is_empty() { errors } else { message },
        }))
    }
}

/// What a plugin says when it does not do what it is told.
struct Refusal {
    code: String,
    message: String,
}

fn reply(seq: u64, done: Result<(), Refusal>) -> Reply {
    match done {
        Ok(()) => Reply::done(seq),
        Err(Refusal { code, message }) => Reply::failed(seq, code, message),
    }
}

fn portmap<'a>(
    verb: &'a str,
    endpoint: &'a EndpointSpec,
    network: &NetworkSpec,
    added: &Value,
) -> Call<'a> {
    let mappings: Vec<Value> = endpoint
        .publish
        .iter()
        .map(|publish| {
            json!({
                "hostIP": publish.address,
                "hostPort": publish.port,
                "containerPort": publish.to,
                "protocol": publish.protocol,
            })
        })
        .collect();
    Call {
        plugin: "portmap",
        verb,
        endpoint,
        configuration: json!({
            "cniVersion": CNI_VERSION,
            "name": network.id,
            "type": "portmap",
            "snat": true,
            "runtimeConfig": {"portMappings": mappings},
            "prevResult": added,
        }),
    }
}
