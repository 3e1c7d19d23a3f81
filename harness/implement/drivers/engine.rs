//! What Podman and Docker have in common: a command line with the same words, for networks and for
//! containers, which they make themselves.
//!
//! A container is made with its first endpoint and taken away with its last. What was only half made,
//! because it could not be started, is taken away at once, as its user would do by hand.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use super::command::{Refusal, obey};
use crate::implement::driver::Broken;
use crate::implement::protocol::{
    Claimed, EndpointSpec, NetworkSpec, Op, PublishSpec, Reply, Request,
};

/// What an engine does not do: a word for it, and why.
pub(super) type Lack = (&'static str, &'static str);

/// What is different from one engine to the other.
pub(super) trait Engine {
    /// Begins a command, with what every command needs.
    fn command(&self, workdir: &str) -> Command;

    /// Returns what comes after `network create`, apart from subnet, gateway and name.
    fn network(&self, network: &NetworkSpec) -> Result<Vec<String>, Lack>;

    /// Returns what comes after `run --detach --name NAME`.
    fn run(
        &self,
        workdir: &str,
        endpoint: &EndpointSpec,
        network: &NetworkSpec,
    ) -> Result<Vec<String>, Broken>;

    /// Tells why an endpoint cannot be the first of its container, or one after that many.
    fn lacks(&self, endpoint: &EndpointSpec, others: usize) -> Option<Lack>;

    /// Returns what comes after `rm --force`.
    fn removal(&self) -> &'static [&'static str];
}

/// The containers that there are, each with its networks in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Containers(RefCell<BTreeMap<String, Vec<String>>>);

impl Containers {
    /// Answers everything but `hello` and `bye`.
    pub(super) async fn answer(
        &self,
        engine: &dyn Engine,
        request: &Request,
    ) -> Result<Reply, Broken> {
        let seq = request.seq;
        let asked = Asked {
            engine,
            workdir: &request.workdir,
        };
        match &request.op {
            Op::Network { network } => match engine.network(network) {
                Err((feature, reason)) => Ok(Reply::unsupported(seq, feature, reason)),
                Ok(options) => {
                    let made = asked.make_network(network, &options).await?;
                    Ok(Refusal::reply(seq, made))
                }
            },
            Op::NetworkDelete { network } => {
                let gone = asked.obey(&["network", "rm", &network.id]).await?;
                Ok(Refusal::reply(seq, gone.map(|_| ())))
            }
            Op::Attach { endpoint, network } => self.attach(&asked, seq, endpoint, network).await,
            Op::Detach {
                endpoint, network, ..
            } => {
                let gone = self.detach(&asked, endpoint, network).await?;
                Ok(Refusal::reply(seq, gone))
            }
            Op::Check { .. } => Ok(Reply::unsupported(seq, "check", "it has no such command")),
            Op::Hello { .. } | Op::Bye => Ok(Reply::done(seq)),
        }
    }

    async fn attach(
        &self,
        asked: &Asked<'_>,
        seq: u64,
        endpoint: &EndpointSpec,
        network: &NetworkSpec,
    ) -> Result<Reply, Broken> {
        let others = self.networks_of(&endpoint.id);
        if let Some((feature, reason)) = asked.engine.lacks(endpoint, others.len()) {
            return Ok(Reply::unsupported(seq, feature, reason));
        }
        let made = match others.as_slice() {
            [] => asked.run(endpoint, network).await?,
            _ => asked.connect(endpoint, network).await?,
        };
        if let Err(refusal) = made {
            return Ok(Refusal::reply(seq, Err(refusal)));
        }
        self.0
            .borrow_mut()
            .entry(endpoint.id.clone())
            .or_default()
            .push(network.id.clone());
        let container = match asked.obey(&["inspect", &endpoint.id]).await? {
            Ok(text) => inspected(&text)?,
            Err(refusal) => return Ok(Refusal::reply(seq, Err(refusal))),
        };
        let pid = container["State"]["Pid"].as_u64();
        let pid = pid.and_then(|pid| u32::try_from(pid).ok());
        Ok(Reply {
            claims: Some(Claimed {
                addresses: addresses(&container["NetworkSettings"]["Networks"][&network.id]),
            }),
            pid: pid.filter(|pid| *pid > 0),
            ..Reply::done(seq)
        })
    }

    async fn detach(
        &self,
        asked: &Asked<'_>,
        endpoint: &EndpointSpec,
        network: &NetworkSpec,
    ) -> Result<Result<(), Refusal>, Broken> {
        let id = &endpoint.id;
        let networks = self.networks_of(id);
        let is_last = networks.iter().all(|name| *name == network.id);
        let gone = match is_last {
            true => asked.remove(id).await?,
            false => {
                let words = ["network", "disconnect", network.id.as_str(), id.as_str()];
                asked.obey(&words).await?.map(|_| ())
            }
        };
        if gone.is_ok() {
            let mut containers = self.0.borrow_mut();
            if let Some(networks) = containers.get_mut(id) {
                networks.retain(|name| *name != network.id);
            }
            containers.retain(|_, networks| !networks.is_empty());
        }
        Ok(gone)
    }

    fn networks_of(&self, container: &str) -> Vec<String> {
        self.0.borrow().get(container).cloned().unwrap_or_default()
    }
}

/// An engine, and where it works.
struct Asked<'a> {
    engine: &'a dyn Engine,
    workdir: &'a str,
}

impl Asked<'_> {
    async fn obey(&self, words: &[&str]) -> Result<Result<String, Refusal>, Broken> {
        obey(self.engine.command(self.workdir).args(words)).await
    }

    async fn make_network(
        &self,
        network: &NetworkSpec,
        options: &[String],
    ) -> Result<Result<(), Refusal>, Broken> {
        let gateway = network.gateway.to_string();
        let mut words = vec!["network", "create"];
        words.extend(["--subnet", &network.subnet, "--gateway", &gateway]);
        if network.internal {
            words.push("--internal");
        }
        words.extend(options.iter().map(String::as_str));
        words.push(&network.id);
        Ok(self.obey(&words).await?.map(|_| ()))
    }

    async fn run(
        &self,
        endpoint: &EndpointSpec,
        network: &NetworkSpec,
    ) -> Result<Result<(), Refusal>, Broken> {
        let mut words: Vec<String> = ["run", "--detach", "--name", &endpoint.id]
            .map(str::to_owned)
            .to_vec();
        let published = endpoint.publish.iter().map(publish);
        words.extend(published.flat_map(|port| ["--publish".to_owned(), port]));
        words.extend(self.engine.run(self.workdir, endpoint, network)?);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let made = self.obey(&words).await?;
        if made.is_err() {
            // It may be there all the same, and its name would be taken.
            let _ = self.remove(&endpoint.id).await?;
        }
        Ok(made.map(|_| ()))
    }

    async fn connect(
        &self,
        endpoint: &EndpointSpec,
        network: &NetworkSpec,
    ) -> Result<Result<(), Refusal>, Broken> {
        let (option, address) = address_of(endpoint);
        let mut words = vec!["network", "connect"];
        if let Some(address) = &address {
            words.extend([option, address]);
        }
        words.extend([network.id.as_str(), endpoint.id.as_str()]);
        Ok(self.obey(&words).await?.map(|_| ()))
    }

    async fn remove(&self, container: &str) -> Result<Result<(), Refusal>, Broken> {
        let mut words = vec!["rm", "--force"];
        words.extend(self.engine.removal());
        words.push(container);
        Ok(self.obey(&words).await?.map(|_| ()))
    }
}

/// The address that an endpoint is to have, and the option for it.
pub(super) fn address_of(endpoint: &EndpointSpec) -> (&'static str, Option<String>) {
    let option = match endpoint.address {
        Some(address) if address.is_ipv6() => "--ip6",
        _ => "--ip",
    };
    (option, endpoint.address.map(|address| address.to_string()))
}

/// Writes a published port as `--publish` takes it.
fn publish(publish: &PublishSpec) -> String {
    let at = std::net::SocketAddr::new(publish.address, publish.port);
    format!("{at}:{}/{}", publish.to, publish.protocol)
}

/// The one container in the answer to `inspect`.
fn inspected(text: &str) -> Result<Value, Broken> {
    let found: Result<Vec<Value>, _> = serde_json::from_str(text);
    let found = found.ok().and_then(|found| found.into_iter().next());
    found.ok_or_else(|| Broken(format!("`inspect` says what cannot be read: {text}")))
}

/// The addresses that an engine says a container has on a network.
fn addresses(network: &Value) -> Vec<String> {
    let kinds = [
        ("IPAddress", "IPPrefixLen"),
        ("GlobalIPv6Address", "GlobalIPv6PrefixLen"),
    ];
    let address = |(address, length): (&str, &str)| {
        let address = network[address].as_str().filter(|text| !text.is_empty())?;
        Some(format!("{address}/{}", network[length]))
    };
    kinds.into_iter().filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::one("10.0.0.1", "10.0.0.1:8080:80/tcp")]
    #[case::ipv6("fd00::1", "[fd00::1]:8080:80/tcp")]
    fn a_published_port_is_written_as_both_read_it(#[case] address: &str, #[case] text: &str) {
        let port = PublishSpec {
            protocol: "tcp".to_owned(),
            address: address.parse().unwrap(),
            port: 8080,
            to: 80,
        };
        assert_eq!(publish(&port), text);
    }

    #[test]
    fn what_is_empty_is_no_address() {
        let network = json!({
            "IPAddress": "10.0.0.2", "IPPrefixLen": 24,
            "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0,
        });
        assert_eq!(addresses(&network), ["10.0.0.2/24"]);
    }
}
