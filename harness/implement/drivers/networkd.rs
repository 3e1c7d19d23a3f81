//! systemd-networkd, without systemd: the daemon alone, and its files in `/run/systemd/network`.
//!
//! It makes the bridge with its address, the translation of what leaves the network, and the pairs of
//! interfaces. By hand, as its users do it: the end of a pair goes into the container, which networkd has
//! no word for, and gets its address and routes there; and the interfaces are taken away. It publishes no ports. It reads its files when it
//! starts, and without D-Bus only then; so it is started again when they change, and what it has made
//! stays meanwhile.
//!
//! Sources: systemd.netdev(5), systemd.network(5), systemd-networkd-wait-online.service(8), and
//! sd_notify(3) for how it says that it is ready.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::net::IpAddr;
use std::process::Stdio;
use std::time::Duration;

use futures_util::future::{Either, select};
use serde_json::{Value, json};
use tokio::net::UnixDatagram;
use tokio::sync::Mutex;

use super::by_hand::{Book, configure_container, delete_link, name_of, with_prefix};
use super::command::command;
use super::steps::{Stop, must, reply, version_in};
use crate::implement::driver::{Answered, Broken, Driver};
use crate::implement::protocol::{
    Claimed, EndpointSpec, Hello, NetworkSpec, Op, PROTOCOL, Reply, Request, Requires,
};
use crate::world::{Daemon, start_daemon};

/// The daemon.
pub(super) const DAEMON: &str = "/lib/systemd/systemd-networkd";
/// Its own program that waits until interfaces are configured.
pub(super) const WAIT: &str = "/lib/systemd/systemd-networkd-wait-online";

const FILES: &str = "/run/systemd/network";
const STATE: &[&str] = &[
    "/run/systemd/netif/links",
    "/run/systemd/netif/leases",
    "/run/systemd/netif/lldp",
];

/// Writes files for networkd, and starts it.
#[derive(Debug, Default)]
pub(super) struct Networkd {
    /// One restart at a time: it is for all files that were written before it.
    daemon: Mutex<Option<Daemon>>,
    book: Book,
    /// The interfaces that it is to configure.
    links: RefCell<BTreeSet<String>>,
    /// Counts the pairs, which have to have names of their own.
    pairs: Cell<u32>,
    prepared: Cell<bool>,
    /// How many changes of files were made, and how many of them the daemon has read.
    changes: Cell<u64>,
    read: Cell<u64>,
    /// How often who waits for it could not read as fast as links changed.
    overruns: Cell<u32>,
}

impl Driver for Networkd {
    fn ask<'a>(&'a self, _: &'a crate::world::World, request: &'a Request) -> Answered<'a> {
        Box::pin(self.answer(request))
    }
}

impl Networkd {
    async fn answer(&self, request: &Request) -> Result<Reply, Broken> {
        let seq = request.seq;
        let ended = match &request.op {
            Op::Hello { .. } => hello(seq).await,
            Op::Network { network } => self.add_network(request, network).await,
            Op::NetworkDelete { network } => self.delete_network(request, network).await,
            Op::Attach { endpoint, network } => self.attach(request, endpoint, network).await,
            Op::Detach { network, state, .. } => self.detach(request, network, state).await,
            Op::Check { .. } => Err(Stop::Lacks {
                feature: "check",
                reason: "networkctl says what networkd has made, and not whether that is still there",
            }),
            Op::Bye => Ok(Reply::done(seq)),
        };
        reply(seq, ended)
    }

    async fn add_network(&self, request: &Request, network: &NetworkSpec) -> Result<Reply, Stop> {
        self.book.open(network)?;
        let bridge = &network.bridge;
        let mtu = network.mtu.map(|mtu| format!("MTUBytes={mtu}\n"));
        let mtu = mtu.unwrap_or_default();
        write(&format!("{FILES}/10-{bridge}.netdev"), || {
            format!("[NetDev]\nName={bridge}\nKind=bridge\n{mtu}")
        })?;
        let family = match network.gateway {
            IpAddr::V4(_) => "ipv4",
            IpAddr::V6(_) => "ipv6",
        };
        let masquerade = match network.masquerade && !network.internal {
            true => format!("IPMasquerade={family}\n"),
            false => String::new(),
        };
        let address = with_prefix(network.gateway, network)?;
        write(&format!("{FILES}/10-{bridge}.network"), || {
            format!(
                "[Match]\nName={bridge}\n[Link]\n{mtu}[Network]\nIPForward={family}\n{masquerade}\
                 ConfigureWithoutCarrier=yes\n{QUIET}[Address]\nAddress={address}\n\
                 DuplicateAddressDetection=none\n"
            )
        })?;
        self.links.borrow_mut().insert(bridge.clone());
        self.restart(request).await?;
        Ok(Reply::done(request.seq))
    }

    async fn delete_network(
        &self,
        request: &Request,
        network: &NetworkSpec,
    ) -> Result<Reply, Stop> {
        let bridge = network.bridge.as_str();
        self.forget(bridge, 10);
        let last = self.book.close(network);
        if last {
            stop(&mut *self.daemon.lock().await).await?;
        } else {
            self.restart(request).await?;
        }
        // networkd makes interfaces, and takes none away; networkctl does, over D-Bus.
        delete_link(bridge).await?;
        Ok(Reply::done(request.seq))
    }

    async fn attach(
        &self,
        request: &Request,
        endpoint: &EndpointSpec,
        network: &NetworkSpec,
    ) -> Result<Reply, Stop> {
        if !endpoint.publish.is_empty() {
            return Err(Stop::Lacks {
                feature: "publish",
                reason: "networkd publishes no ports",
            });
        }
        let address = self.book.take(endpoint, network)?;
        self.pairs.set(self.pairs.get() + 1);
        let number = self.pairs.get();
        let (port, peer) = (format!("ndport{number}"), format!("ndpeer{number}"));
        let made = self.pair(request, (&port, &peer), endpoint, network).await;
        let made = match made {
            Ok(()) => configure_container(endpoint, network, address).await,
            stop => stop,
        };
        if let Err(stop) = made {
            self.book.give_back(network, address);
            self.forget(&port, 20);
            // Without its file the link stays: networkd deletes none. Where it was never made, there is none.
            let _ = delete_link(&port).await;
            return Err(stop);
        }
        Ok(Reply {
            claims: Some(Claimed {
                addresses: vec![with_prefix(address, network)?],
            }),
            state: json!({"port": port, "address": address}),
            ..Reply::done(request.seq)
        })
    }

    async fn pair(
        &self,
        request: &Request,
        (port, peer): (&str, &str),
        endpoint: &EndpointSpec,
        network: &NetworkSpec,
    ) -> Result<(), Stop> {
        let mtu = network.mtu.map(|mtu| format!("MTUBytes={mtu}\n"));
        let mtu = mtu.unwrap_or_default();
        write(&format!("{FILES}/20-{port}.netdev"), || {
            format!("[NetDev]\nName={port}\nKind=veth\n{mtu}[Peer]\nName={peer}\n")
        })?;
        let bridge = &network.bridge;
        write(&format!("{FILES}/20-{port}.network"), || {
            format!(
                "[Match]\nName={port}\n[Link]\n{mtu}[Network]\nBridge={bridge}\n\
                 ConfigureWithoutCarrier=yes\n{QUIET}"
            )
        })?;
        self.links.borrow_mut().insert(port.to_owned());
        self.restart(request).await?;
        let (netns, ifname) = (name_of(endpoint), endpoint.ifname.as_str());
        let moved = ["link", "set", peer, "netns", netns, "name", ifname];
        must("ip", &moved).await.map(drop)
    }

    async fn detach(
        &self,
        request: &Request,
        network: &NetworkSpec,
        state: &Value,
    ) -> Result<Reply, Stop> {
        let port = state["port"].as_str().unwrap_or_default();
        if self.forget(port, 20) {
            // Otherwise it would make the pair again.
            self.restart(request).await?;
        }
        delete_link(port).await?;
        if let Some(address) = state["address"].as_str().and_then(|it| it.parse().ok()) {
            self.book.give_back(network, address);
        }
        Ok(Reply::done(request.seq))
    }

    /// Deletes the files of an interface; tells whether there were any.
    fn forget(&self, link: &str, order: u32) -> bool {
        for ending in ["netdev", "network"] {
            let _ = fs::remove_file(format!("{FILES}/{order}-{link}.{ending}"));
        }
        self.links.borrow_mut().remove(link)
    }

    /// Lets networkd read its files, and waits until it has done what they say.
    async fn restart(&self, request: &Request) -> Result<(), Stop> {
        let patience = Duration::from_millis(request.deadline_ms);
        let restarted = tokio::time::timeout(patience, self.restart_now(request)).await;
        restarted.unwrap_or_else(|_| {
            let overrun = match self.overruns.get() {
                0 => String::new(),
                times => format!(" (who waits for it was overrun {times} times)"),
            };
            let said = said(&log_of(request));
            Err(Stop::Refused {
                code: "timeout".to_owned(),
                message: format!("systemd-networkd is not done{overrun}: {said}"),
            })
        })
    }

    async fn restart_now(&self, request: &Request) -> Result<(), Stop> {
        if !self.prepared.replace(true) {
            prepare()?;
        }
        self.changes.set(self.changes.get() + 1);
        let own = self.changes.get();
        let mut running = self.daemon.lock().await;
        if self.read.get() >= own {
            return Ok(());
        }
        let read = self.changes.get();
        stop(&mut running).await?;
        let path = format!("{}/networkd.notify", request.workdir);
        let _ = fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).map_err(broken)?;
        let log = File::create(log_of(request)).map_err(broken)?;
        let mut daemon = command(DAEMON, &[]);
        daemon
            .env("NOTIFY_SOCKET", &path)
            .env("SYSTEMD_LOG_TARGET", "console");
        let daemon = start_daemon(&mut daemon, Stdio::null(), &log).map_err(broken)?;
        let is_ready = async {
            let mut message = [0; 4096];
            loop {
                let length = socket.recv(&mut message).await.map_err(broken)?;
                let message = String::from_utf8_lossy(&message[..length]);
                if message.lines().any(|line| line == "READY=1") {
                    return Ok::<(), Stop>(());
                }
            }
        };
        let ready = {
            let (is_ready, ended) = (std::pin::pin!(is_ready), std::pin::pin!(daemon.ended()));
            match select(is_ready, ended).await {
                Either::Left((ready, _)) => ready,
                Either::Right(_) => Err(Stop::Refused {
                    code: "ended".to_owned(),
                    message: said(&log_of(request)),
                }),
            }
        };
        ready?;
        *running = Some(daemon);
        // A bridge without containers has no carrier, and needs none.
        let links: Vec<String> = self.links.borrow().iter().cloned().collect();
        let wanted = links
            .iter()
            .map(|link| format!("--interface={link}:no-carrier"));
        let wanted: Vec<String> = wanted.collect();
        if !wanted.is_empty() {
            configured(WAIT, &wanted, &self.overruns).await?;
        }
        self.read.set(read);
        Ok(())
    }
}

/// Waits with `program` until networkd has configured interfaces, and counts how often it was overrun.
///
/// It subscribes to the changes of links with a socket of the usual size and then asks for all links. Where
/// so many change before it reads that the kernel drops some, it gives up with ENOBUFS, which says nothing
/// about the interfaces; netlink(7) tells who gets it to look again.
async fn configured(program: &str, wanted: &[String], overruns: &Cell<u32>) -> Result<(), Stop> {
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    loop {
        match must(program, &wanted).await {
            Err(Stop::Refused { message, .. }) if message.ends_with(OVERRUN) => {
                overruns.set(overruns.get() + 1);
            }
            ended => return ended.map(drop),
        }
    }
}

async fn stop(running: &mut Option<Daemon>) -> Result<(), Stop> {
    match running.take() {
        Some(running) => running.stop().await.map_err(broken),
        None => Ok(()),
    }
}

/// What a program of systemd says of ENOBUFS.
const OVERRUN: &str = "No buffer space available";

/// What keeps an interface from doing more than it is told.
const QUIET: &str = "LinkLocalAddressing=no\nIPv6AcceptRA=no\nLLDP=no\n";

async fn hello(seq: u64) -> Result<Reply, Stop> {
    let said = must(DAEMON, &["--version"]).await?;
    let hello = Hello {
        protocol: PROTOCOL,
        name: "systemd-networkd".to_owned(),
        version: version_in(&said),
        homepage: Some("https://systemd.io/".to_owned()),
        features: Vec::new(),
        requires: Requires::default(),
    };
    Ok(Reply {
        hello: Some(hello),
        ..Reply::done(seq)
    })
}

/// Makes the folders that systemd makes otherwise. Where the world has one user only, the user that
/// networkd runs as is that one.
fn prepare() -> Result<(), Stop> {
    for folder in STATE.iter().chain(&[FILES]) {
        fs::create_dir_all(folder).map_err(broken)?;
    }
    let map = fs::read_to_string("/proc/self/uid_map").map_err(broken)?;
    let single = map.split_whitespace().nth(2) == Some("1");
    if !single {
        return Ok(());
    }
    for (file, fields) in [("/etc/passwd", 2..4), ("/etc/group", 2..3)] {
        let text = fs::read_to_string(file).map_err(broken)?;
        let lines = text.lines().map(|line| {
            let mut of_line: Vec<&str> = line.split(':').collect();
            if of_line.first() == Some(&"systemd-network") {
                for at in fields.clone() {
                    if let Some(field) = of_line.get_mut(at) {
                        *field = "0";
                    }
                }
            }
            of_line.join(":") + "\n"
        });
        let text: String = lines.collect();
        fs::write(file, text).map_err(broken)?;
    }
    Ok(())
}

fn write(path: &str, text: impl FnOnce() -> String) -> Result<(), Stop> {
    fs::create_dir_all(FILES).map_err(broken)?;
    fs::write(path, text()).map_err(broken)
}

fn log_of(request: &Request) -> String {
    format!("{}/networkd.log", request.workdir)
}

fn said(log: &str) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let last: Vec<&str> = text.lines().rev().take(5).collect();
    last.into_iter().rev().collect::<Vec<_>>().join("; ")
}

fn broken(error: impl std::fmt::Display) -> Stop {
    Stop::Broken(Broken(format!("systemd-networkd: {error}")))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Two files stand for two storms of changes, and each time one of them is over.
    #[rstest]
    #[case::is_asked_again(OVERRUN, Ok(()), 2)]
    #[case::is_taken_at_its_word(
        "Connection timed out",
        Err("Could not create manager: Connection timed out"),
        0
    )]
    fn who_waits(#[case] message: &str, #[case] ends: Result<(), &str>, #[case] counted: u32) {
        let folder = tempfile::tempdir().unwrap();
        for storm in ["1", "2"] {
            File::create(folder.path().join(storm)).unwrap();
        }
        let script = format!(
            "cd {} && for storm in *; do [ -e $storm ] || exit 0; rm $storm; \
             echo 'Could not create manager: {message}' >&2; exit 1; done",
            folder.path().display()
        );
        let overruns = Cell::new(0);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let wanted = ["-c".to_owned(), script];
        let ended = runtime.block_on(configured("/bin/sh", &wanted, &overruns));
        let ended = ended.map_err(|stop| match stop {
            Stop::Refused { message, .. } => message,
            other => format!("{other:?}"),
        });
        assert_eq!(ended, ends.map_err(str::to_owned));
        assert_eq!(overruns.get(), counted);
    }
}
