//! Protocol 1: what netproof asks of an implementation that takes intents, and what that answers.
//!
//! One request and one reply are a JSON object each, on one line. Requests have the field `op`; what a
//! reader does not know of them, it leaves aside, and an operation that it does not know it answers with
//! `unsupported`. Replies are read strictly.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::world::Tier;

/// The version of the protocol.
pub const PROTOCOL: u32 = 1;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Request {
    /// Counts the requests of a run from 1; the reply has the same.
    pub seq: u64,
    /// How long the reply may take, in milliseconds.
    pub deadline_ms: u64,
    /// The folder that the implementation may write to, an absolute path. It is empty at first, and the
    /// same for the whole run.
    pub workdir: String,
    /// The operation and its arguments.
    #[serde(flatten)]
    pub op: Op,
}

/// An operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub enum Op {
    /// Who are you, and what can you do? Asked before everything else.
    Hello {
        /// The version of the protocol that is spoken.
        protocol: u32,
    },
    /// A network is wanted. It may also be made with its first endpoint; then this only says `ok`.
    Network {
        /// The network.
        network: NetworkSpec,
    },
    /// A container gets an interface on a network.
    Attach {
        /// The interface.
        endpoint: EndpointSpec,
        /// The network.
        network: NetworkSpec,
    },
    /// Is everything that an endpoint needs still there?
    Check {
        /// The interface.
        endpoint: EndpointSpec,
        /// The network.
        network: NetworkSpec,
        /// What the reply to `attach` said.
        state: Value,
    },
    /// The interface goes. It may be gone already, and so may its container.
    Detach {
        /// The interface.
        endpoint: EndpointSpec,
        /// The network.
        network: NetworkSpec,
        /// What the reply to `attach` said.
        state: Value,
    },
    /// The network goes; nothing is attached to it any more.
    NetworkDelete {
        /// The network.
        network: NetworkSpec,
    },
    /// Nothing more is asked. A process that serves ends now.
    Bye,
}

/// A network of containers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NetworkSpec {
    /// Its name: letters, digits and `-`, at most 11.
    pub id: String,
    /// The name of the bridge, where one is made.
    pub bridge: String,
    /// The addresses of its endpoints, as a prefix.
    pub subnet: String,
    /// The address of the host in it.
    pub gateway: IpAddr,
    /// Whether the source of what leaves the network is translated.
    pub masquerade: bool,
    /// Whether nothing leaves the network.
    pub internal: bool,
    /// The largest packet in bytes, where it is not to be 1500.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// What of this is asked for by name. An implementation that does one of these otherwise, whatever it
    /// is told, says so with `unsupported`; of what is not asked for it may do as it always does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<Asked>,
}

/// What of a network has a value even if nobody asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Asked {
    /// The address of the host.
    Gateway,
    /// Whether sources are translated.
    Masquerade,
}

/// An interface of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EndpointSpec {
    /// The name of the container.
    pub id: String,
    /// The path of its network namespace. Nothing is there before `attach` where the implementation
    /// makes it.
    pub netns: String,
    /// A process in its network namespace; nothing where there is none, or the container is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The name that the interface is to have.
    pub ifname: String,
    /// The address that it is to have, where that is not for the implementation to choose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The ports that can be reached at the host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub publish: Vec<PublishSpec>,
}

/// A port of a container that can be reached at the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PublishSpec {
    /// `tcp` or `udp`.
    pub protocol: String,
    /// The address of the host.
    pub address: IpAddr,
    /// The port at the host.
    pub port: u16,
    /// The port of the container.
    pub to: u16,
}

/// What is answered: one of `ok`, `unsupported`, `skipped` and `error`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// That of the request.
    pub seq: u64,
    /// It is done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ok: bool,
    /// It is something that the implementation does not do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsupported: Option<NotSupported>,
    /// It is left out on purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<Skipped>,
    /// It was tried and refused, or went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// Who answers, to `hello`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hello: Option<Hello>,
    /// What the implementation says it has made, to `attach`. It is compared with the kernel's tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<Claimed>,
    /// Whatever the implementation wants to get back with `check` and `detach`, to `attach`.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub state: Value,
    /// A process in the container's network namespace, to `attach`, where the implementation makes
    /// containers itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
}

/// Something that an implementation does not do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotSupported {
    /// A word for it, such as `network.mtu`.
    pub feature: String,
    /// Why not.
    pub reason: String,
}

/// Something that is left out on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Skipped {
    /// Why.
    pub message: String,
    /// Where that is discussed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issue_url: Option<String>,
}

/// Something that was refused, or went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// A word or number for it, the implementation's own.
    pub code: String,
    /// What went wrong, in the implementation's own words.
    pub message: String,
    /// What else it said, where that helps.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stderr: String,
}

/// Who an implementation is, and what it can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// The version of the protocol that it speaks.
    pub protocol: u32,
    /// Its name, such as `cni-bridge`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    /// What it can do, in words of its own and these: `check` it answers `check`; `namespaces` it makes
    /// the containers' network namespaces itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// What it needs.
    #[serde(default)]
    pub requires: Requires,
}

/// What an implementation needs of the machine and of its world.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Requires {
    /// The least privileges that it runs with: `user`, `subuid` or `root`; `user` when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// Devices, such as `/dev/net/tun`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<String>,
    /// Programs, such as `iptables`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub binaries: Vec<String>,
    /// Files and folders outside of the workdir that it writes to, such as `/run/xtables.lock`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<String>,
}

/// What an implementation says it has made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Claimed {
    /// The addresses of the interface, with their prefix lengths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
}

impl NetworkSpec {
    /// Makes a network of which nothing else is asked.
    pub(crate) fn new(id: &str, subnet: &str, gateway: IpAddr) -> Self {
        Self {
            id: id.to_owned(),
            bridge: format!("br-{id}"),
            subnet: subnet.to_owned(),
            gateway,
            masquerade: false,
            internal: false,
            mtu: None,
            asked: Vec::new(),
        }
    }

    /// Tells whether something is asked for by name.
    pub fn asks(&self, what: Asked) -> bool {
        self.asked.contains(&what)
    }

    /// Tells whether the source of what leaves the network may not be translated.
    pub fn forbids_masquerade(&self) -> bool {
        !self.masquerade && self.asks(Asked::Masquerade)
    }
}

impl Hello {
    /// Tells whether it says that it can do something.
    pub fn has(&self, feature: &str) -> bool {
        self.features.iter().any(|it| it == feature)
    }
}

/// The feature of an implementation that answers `check`.
pub const CHECK: &str = "check";

/// The feature of an implementation that makes the containers' network namespaces itself.
pub const NAMESPACES: &str = "namespaces";

impl Reply {
    /// Says that it is done.
    pub fn done(seq: u64) -> Self {
        Self {
            seq,
            ok: true,
            ..Self::default()
        }
    }

    /// Says that the implementation does not do it.
    pub fn unsupported(seq: u64, feature: &str, reason: impl Into<String>) -> Self {
        Self {
            seq,
            unsupported: Some(NotSupported {
                feature: feature.to_owned(),
                reason: reason.into(),
            }),
            ..Self::default()
        }
    }

    /// Says that it was refused, or went wrong.
    pub fn failed(seq: u64, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            seq,
            error: Some(Failure {
                code: code.into(),
                message: message.into(),
                stderr: String::new(),
            }),
            ..Self::default()
        }
    }

    /// Returns what is wrong with a reply to the request of that number, if anything: it is not
    /// exactly one of the four, or another's.
    pub fn problem(&self, seq: u64) -> Option<String> {
        if self.seq != seq {
            return Some(format!("the reply has seq {}, the request {seq}", self.seq));
        }
        let kinds = [
            self.ok,
            self.unsupported.is_some(),
            self.skipped.is_some(),
            self.error.is_some(),
        ];
        match kinds.into_iter().filter(|it| *it).count() {
            1 => None,
            0 => Some("the reply is none of ok, unsupported, skipped and error".to_owned()),
            _ => {
                Some("the reply is more than one of ok, unsupported, skipped and error".to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::done(r#"{"seq": 7, "ok": true}"#, None)]
    #[case::another(
        r#"{"seq": 6, "ok": true}"#,
        Some("the reply has seq 6, the request 7")
    )]
    #[case::nothing(
        r#"{"seq": 7}"#,
        Some("the reply is none of ok, unsupported, skipped and error")
    )]
    #[case::both(
        r#"{"seq": 7, "ok": true, "error": {"code": "1", "message": "no"}}"#,
        Some("the reply is more than one of ok, unsupported, skipped and error")
    )]
    fn a_reply_is_one_thing(#[case] text: &str, #[case] problem: Option<&str>) {
        let reply: Reply = serde_json::from_str(text).unwrap();
        assert_eq!(reply.problem(7).as_deref(), problem);
    }

    #[test]
    fn a_request_is_one_flat_object() {
        let request = Request {
            seq: 1,
            deadline_ms: 5000,
            workdir: "/run/x".to_owned(),
            op: Op::Hello { protocol: PROTOCOL },
        };
        let text = serde_json::to_string(&request).unwrap();
        assert_eq!(
            text,
            r#"{"seq":1,"deadline_ms":5000,"workdir":"/run/x","op":"hello","protocol":1}"#
        );
        assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), request);
    }
}
