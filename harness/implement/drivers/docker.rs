//! Docker: its daemon, as the root of a user namespace, and its command line.
//!
//! The daemon is started once in a world, ready when it tells so, and ends with the world. It makes a
//! bridge and rules of its own at once, as everywhere. It has no proxy in user space, which wants
//! RootlessKit around the daemon, so that published ports are the kernel's work alone; without the proxy,
//! and where a bridge does not call iptables, a port is not reached from the network of its container.
//! crun starts the containers, for runc wants cgroups. They have the one program of an image that is
//! imported, not
//! pulled. Ports are published when a container is made, and Docker names the interfaces: eth0, eth1 and
//! so on, in the order in which they come. A network of IPv6 has addresses of IPv4 beside, and no
//! translation. Sources: dockerd(8), docker-network-create(1), docker-run(1), docker-rm(1).

use std::cell::OnceCell;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::command::{command, first_line, obey, run};
use super::engine::{Containers, Engine, Lack, address_of};
use super::root::{WAIT, make_root};
use crate::implement::driver::{Answered, Broken, Driver};
use crate::implement::programs::path_of;
use crate::implement::protocol::{
    EndpointSpec, Hello, NAMESPACES, NetworkSpec, Op, PROTOCOL, Reply, Request, Requires,
};
use crate::world::{Daemon, start_ready};

/// The daemon.
pub(super) const DAEMON: &str = "dockerd";

const PROGRAM: &str = "docker";

/// What starts the containers: Docker's own wants cgroups, of which a world has none.
pub(super) const RUNTIME: &str = "crun";

const IMAGE: &str = "netproof:1";

/// Drives Docker.
#[derive(Debug, Default)]
pub(super) struct Docker {
    containers: Containers,
    /// Started by `hello`, which is asked once.
    daemon: OnceCell<Daemon>,
}

impl Driver for Docker {
    fn ask<'a>(&'a self, _: &'a crate::world::World, request: &'a Request) -> Answered<'a> {
        Box::pin(async move {
            match &request.op {
                Op::Hello { .. } => self.hello(request).await,
                _ => self.containers.answer(self, request).await,
            }
        })
    }
}

impl Docker {
    async fn hello(&self, request: &Request) -> Result<Reply, Broken> {
        let workdir = &request.workdir;
        if self.daemon.get().is_none() {
            let _ = self.daemon.set(start(workdir).await?);
        }
        self.import(workdir).await?;
        let said = run(&mut command(DAEMON, &["--version"]), "").await?;
        // `Docker version 20.10.24+dfsg1, build 5d6db84`
        let version = first_line(&said.stdout).trim_start_matches("Docker version ");
        let version = version.split(',').next().unwrap_or_default();
        let hello = Hello {
            protocol: PROTOCOL,
            name: PROGRAM.to_owned(),
            version: version.to_owned(),
            homepage: Some("https://www.docker.com".to_owned()),
            features: vec![NAMESPACES.to_owned()],
            requires: Requires::default(),
        };
        Ok(Reply {
            hello: Some(hello),
            ..Reply::done(request.seq)
        })
    }

    /// Makes the image of all containers.
    async fn import(&self, workdir: &str) -> Result<(), Broken> {
        let (root, archive) = (format!("{workdir}/root"), format!("{workdir}/root.tar"));
        make_root(&root)?;
        let pack = ["-C", root.as_str(), "-cf", archive.as_str(), "."];
        let packed = obey(&mut command("tar", &pack)).await?;
        packed.map_err(|refusal| Broken(format!("tar: {refusal}")))?;
        let import = ["import", archive.as_str(), IMAGE];
        let imported = obey(self.command(workdir).args(import)).await?;
        imported.map_err(|refusal| Broken(format!("docker import: {refusal}")))?;
        Ok(())
    }
}

async fn start(workdir: &str) -> Result<Daemon, Broken> {
    let folder = folder(workdir);
    fs::create_dir_all(&folder).map_err(|error| Broken(format!("{folder}: {error}")))?;
    let runtime = path_of(RUNTIME).ok_or_else(|| Broken(format!("there is no `{RUNTIME}`")))?;
    let mut command = command(DAEMON, &["--rootless", "--userland-proxy=false"]);
    command
        .arg(format!("--add-runtime={RUNTIME}={}", runtime.display()))
        .args(["--default-runtime", RUNTIME])
        .args(["--group", "0", "--storage-driver", "vfs"])
        .args(["--data-root", &format!("{folder}/data")])
        .args(["--exec-root", &format!("{folder}/exec")])
        .args(["--pidfile", &format!("{folder}/pid")])
        .args(["--host", &socket(workdir)])
        .env("HOME", &folder)
        .env("XDG_RUNTIME_DIR", &folder);
    let log = format!("{folder}/log");
    let daemon = start_ready(&mut command, Path::new(&log)).await;
    daemon.map_err(|error| Broken(format!("{DAEMON}: {error}")))
}

fn folder(workdir: &str) -> String {
    format!("{workdir}/docker")
}

fn socket(workdir: &str) -> String {
    format!("unix://{}/socket", folder(workdir))
}

impl Engine for Docker {
    fn command(&self, workdir: &str) -> Command {
        let mut command = command(PROGRAM, &["--host", &socket(workdir)]);
        command.env("HOME", folder(workdir));
        command
    }

    fn network(&self, network: &NetworkSpec) -> Result<Vec<String>, Lack> {
        let mut options = vec![
            format!("com.docker.network.bridge.name={}", network.bridge),
            format!(
                "com.docker.network.bridge.enable_ip_masquerade={}",
                network.masquerade
            ),
        ];
        if let Some(mtu) = network.mtu {
            options.push(format!("com.docker.network.driver.mtu={mtu}"));
        }
        let mut words = Vec::new();
        if network.gateway.is_ipv6() {
            if network.masquerade {
                let reason = "docker translates IPv6 only as an experiment";
                return Err(("network.ipv6-masquerade", reason));
            }
            words.push("--ipv6".to_owned());
        }
        words.extend(
            options
                .into_iter()
                .flat_map(|option| ["--opt".to_owned(), option]),
        );
        Ok(words)
    }

    fn run(
        &self,
        _: &str,
        endpoint: &EndpointSpec,
        network: &NetworkSpec,
    ) -> Result<Vec<String>, Broken> {
        let mut words = vec!["--network", &network.id];
        let (option, address) = address_of(endpoint);
        if let Some(address) = &address {
            words.extend([option, address]);
        }
        words.extend(["--security-opt=seccomp=unconfined", IMAGE]);
        words.extend(WAIT);
        Ok(words.into_iter().map(str::to_owned).collect())
    }

    fn lacks(&self, endpoint: &EndpointSpec, others: usize) -> Option<Lack> {
        if others > 0 && !endpoint.publish.is_empty() {
            return Some((
                "publish",
                "docker publishes ports when it makes a container",
            ));
        }
        let is_next = endpoint.ifname == format!("eth{others}");
        (!is_next).then_some((
            "interface-name",
            "docker names the interfaces eth0, eth1 and so on",
        ))
    }

    fn removal(&self) -> &'static [&'static str] {
        &[]
    }
}
