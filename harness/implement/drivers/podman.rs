//! Podman, with netavark and crun, as the root of a user namespace.
//!
//! Containers have the one program of a root of their own, so no image is pulled, and no cgroups, of
//! which a world has none. Podman always translates the source of what leaves a network that is not
//! internal. Ports are published when a container is made. A second network of a container has the
//! interface that Podman names; before 4.5 the bridges have names of Podman's too. Sources:
//! podman-network-create(1), podman-run(1), podman-network-connect(1), podman-rm(1).

use std::fs;
use std::process::Command;

use std::cell::OnceCell;

use super::command::{command, first_line, obey, run};
use super::engine::{Containers, Engine, Lack, address_of};
use super::root::{WAIT, make_root};
use crate::implement::driver::{Answered, Broken, Driver};
use crate::implement::protocol::{
    EndpointSpec, Hello, NAMESPACES, NetworkSpec, Op, PROTOCOL, Reply, Request, Requires,
};

const PROGRAM: &str = "podman";

/// What Podman reads in place of the machine's configuration: no journal, no cgroups, and limits that
/// are not above those of whoever starts a world, which only root could raise.
const CONFIGURATION: &str = r#"[containers]
cgroups = "disabled"
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "crun"
[network]
network_backend = "netavark"
"#;

/// Drives Podman.
#[derive(Debug, Default)]
pub(super) struct Podman {
    containers: Containers,
    /// Whether `network create` has an option for the name of the bridge.
    names_bridges: OnceCell<bool>,
}

impl Driver for Podman {
    fn ask<'a>(&'a self, _: &'a crate::world::World, request: &'a Request) -> Answered<'a> {
        Box::pin(async move {
            match &request.op {
                Op::Hello { .. } => self.hello(request).await,
                _ => self.containers.answer(self, request).await,
            }
        })
    }
}

impl Podman {
    async fn hello(&self, request: &Request) -> Result<Reply, Broken> {
        let folder = folder(&request.workdir);
        let write = || {
            fs::create_dir_all(&folder)?;
            fs::write(format!("{folder}/containers.conf"), CONFIGURATION)
        };
        write().map_err(|error| Broken(format!("{folder}: {error}")))?;
        let said = run(&mut command(PROGRAM, &["--version"]), "").await?;
        let version = first_line(&said.stdout)
            .rsplit(' ')
            .next()
            .unwrap_or_default();
        let help = obey(&mut command(PROGRAM, &["network", "create", "--help"])).await?;
        let names_bridges = help.is_ok_and(|text| text.contains("--interface-name"));
        let _ = self.names_bridges.set(names_bridges);
        let hello = Hello {
            protocol: PROTOCOL,
            name: PROGRAM.to_owned(),
            version: version.to_owned(),
            homepage: Some("https://podman.io".to_owned()),
            features: vec![NAMESPACES.to_owned()],
            requires: Requires::default(),
        };
        Ok(Reply {
            hello: Some(hello),
            ..Reply::done(request.seq)
        })
    }
}

fn folder(workdir: &str) -> String {
    format!("{workdir}/podman")
}

impl Engine for Podman {
    fn command(&self, workdir: &str) -> Command {
        let folder = folder(workdir);
        let mut command = command(PROGRAM, &["--storage-driver", "vfs"]);
        command
            .args(["--root", &format!("{folder}/storage")])
            .args(["--runroot", &format!("{folder}/run")])
            .args(["--network-config-dir", &format!("{folder}/networks")])
            .env("HOME", &folder)
            .env("XDG_RUNTIME_DIR", &folder)
            .env("CONTAINERS_CONF", format!("{folder}/containers.conf"));
        command
    }

    fn network(&self, network: &NetworkSpec) -> Result<Vec<String>, Lack> {
        if network.forbids_masquerade() {
            return Err((
                "network.masquerade",
                "podman always translates what leaves a network that is not internal",
            ));
        }
        let mut words = vec!["--disable-dns".to_owned()];
        if self.names_bridges.get() == Some(&true) {
            words.extend(["--interface-name".to_owned(), network.bridge.clone()]);
        } else if network.bridge != format!("br-{}", network.id) {
            return Err(("network.bridge", "podman before 4.5 names bridges itself"));
        }
        if let Some(mtu) = network.mtu {
            words.extend(["--opt".to_owned(), format!("mtu={mtu}")]);
        }
        Ok(words)
    }

    fn run(
        &self,
        workdir: &str,
        endpoint: &EndpointSpec,
        network: &NetworkSpec,
    ) -> Result<Vec<String>, Broken> {
        let root = format!("{}/root-{}", folder(workdir), endpoint.id);
        make_root(&root)?;
        let mut attached = format!("{}:interface_name={}", network.id, endpoint.ifname);
        if let (_, Some(address)) = address_of(endpoint) {
            attached += &format!(",ip={address}");
        }
        let words = [
            "--network",
            &attached,
            "--security-opt=seccomp=unconfined",
            "--security-opt=label=disable",
            "--rootfs",
            &root,
        ];
        let words = words.into_iter().chain(WAIT).map(str::to_owned);
        Ok(words.collect())
    }

    fn lacks(&self, endpoint: &EndpointSpec, others: usize) -> Option<Lack> {
        if others == 0 {
            return None;
        }
        if !endpoint.publish.is_empty() {
            return Some((
                "publish",
                "podman publishes ports when it makes a container",
            ));
        }
        let is_next = endpoint.ifname == format!("eth{others}");
        (!is_next).then_some((
            "interface-name",
            "podman names the interfaces of further networks eth1, eth2 and so on",
        ))
    }

    fn removal(&self) -> &'static [&'static str] {
        &["--time", "0"]
    }
}
