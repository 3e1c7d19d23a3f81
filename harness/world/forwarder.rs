//! Processes of others that take packets out of the kernel, and may put them back anywhere: switches and
//! routers in user space, and proxies.
//!
//! What has such a process's descriptors shows where it takes packets and where it puts them back: the
//! other ends of tun and tap devices, packet sockets, and sockets of TCP, UDP, ping and raw IP. Whether
//! it has something to do, its threads show, and what waits at its descriptors.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockType, SockaddrIn, SockaddrIn6, SockaddrLike as _, SockaddrStorage,
    getsockname, getsockopt, sockopt,
};
use nix::sys::stat::fstat;
use nix::unistd::Pid;

use super::World;
use super::sys;
use super::topology::Port;
use crate::kernel::wait;
use crate::scenario::NodeName;

/// The EtherType of the link layer discovery protocol, IEEE 802.1AB: it carries no packets.
const LLDP: u16 = 0x88cc;

/// What a process of others has to do with packets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Forwarder {
    /// Its number in the world.
    pub process: i32,
    /// The name of its program.
    pub name: String,
    /// The tun and tap devices whose other end it has, by node and name.
    devices: BTreeSet<(NodeName, String)>,
    /// The interfaces where it takes frames, and sends some; 0 for all of a node.
    packet_sockets: BTreeSet<Port>,
    /// The nodes in which it has sockets for packets that are sent to the node itself.
    sockets: BTreeSet<NodeName>,
    /// It may not be looked into: nobody knows what it takes.
    pub opaque: bool,
}

impl Forwarder {
    /// Tells whether it takes what leaves by the interface: the interface is a device of its own.
    pub fn has_device(&self, node: &NodeName, ifname: &str) -> bool {
        self.devices
            .iter()
            .any(|(of, name)| of == node && name == ifname)
    }

    /// Tells whether it has a packet socket that hears the interface.
    pub fn hears(&self, node: &NodeName, index: u32) -> bool {
        let here = |index| self.packet_sockets.contains(&(node.clone(), index));
        here(index) || here(0)
    }

    /// Tells whether it has a socket for packets that are sent to a node itself.
    pub fn has_socket_in(&self, node: &NodeName) -> bool {
        self.sockets.contains(node)
    }

    /// Goes through its devices, by node and name.
    pub fn devices(&self) -> impl Iterator<Item = &(NodeName, String)> {
        self.devices.iter()
    }
}

/// Forwarders, held open for as long as one wants to know whether they rest.
#[derive(Debug, Default)]
pub struct Watch {
    watched: Vec<(Forwarder, Vec<OwnedFd>)>,
    /// The processors that this process may run on, as the kernel writes them.
    processors: String,
}

/// What the threads of forwarders were doing: how often each was scheduled.
type Asleep = BTreeMap<(i32, i32), u64>;

impl World {
    /// Finds the forwarders that there are now.
    pub fn forwarders(&self) -> Vec<Forwarder> {
        let found = self.watch_forwarders().watched;
        found.into_iter().map(|(forwarder, _)| forwarder).collect()
    }

    /// Finds the forwarders that there are now, and holds open what they read from. That keeps their
    /// devices and namespaces alive, too.
    pub fn watch_forwarders(&self) -> Watch {
        let mut nodes = None;
        let own = i32::try_from(std::process::id()).unwrap_or_default();
        let processes = numbers_in("/proc").filter(|process| *process != own);
        let watched = processes
            .filter_map(|process| {
                let open = open_of(process);
                if open.is_empty() {
                    return None;
                }
                let nodes = nodes.get_or_insert_with(|| self.nodes_by_inode());
                look_into(process, &open, nodes)
            })
            .collect();
        Watch {
            watched,
            processors: status_of("/proc/thread-self/status")
                .map(|status| status.processors)
                .unwrap_or_default(),
        }
    }

    fn nodes_by_inode(&self) -> HashMap<Inode, NodeName> {
        self.nodes()
            .filter_map(|node| Some((inode(node.netns())?, node.name().clone())))
            .collect()
    }
}

impl Watch {
    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.watched.is_empty()
    }

    /// Waits until all rest: until every thread of each sleeps at one and the same moment, and nothing
    /// waits to be read by them. Says why not, where that does not come to pass in time.
    ///
    /// Who is not scheduled between two looks was asleep between them.
    pub fn rest(&self, deadline: Instant) -> Option<String> {
        loop {
            let why = match (self.asleep(), self.asleep()) {
                (Ok(before), Ok(after)) if before == after => match self.unread() {
                    None => return None,
                    Some(who) => format!("{who} leaves packets unread"),
                },
                (Ok(_), Ok(_)) => "a process that forwards packets does not rest".to_owned(),
                (Err(who), _) | (_, Err(who)) => format!("{who} does not rest"),
            };
            if Instant::now() > deadline {
                return Some(why);
            }
            // They are on the same processor, which they get.
            std::thread::yield_now();
        }
    }

    /// Returns why it cannot be told what they do, if so.
    pub fn doubt(&self) -> Option<String> {
        self.watched.iter().find_map(|(forwarder, _)| {
            let Forwarder { process, name, .. } = forwarder;
            if forwarder.opaque {
                return Some(format!("{name} (process {process}) may not be looked into"));
            }
            let elsewhere = threads_of(*process).find(|(_, status)| {
                // What it sends from another processor waits in that one's backlog.
                status.processors != self.processors
            });
            elsewhere.map(|_| format!("{name} (process {process}) runs on other processors"))
        })
    }

    /// How often each thread was scheduled, where all are asleep; otherwise who is not.
    fn asleep(&self) -> Result<Asleep, String> {
        let mut asleep = Asleep::new();
        for (forwarder, _) in &self.watched {
            for (thread, status) in threads_of(forwarder.process) {
                if !status.sleeps {
                    let Forwarder { process, name, .. } = forwarder;
                    return Err(format!("{name} (process {process})"));
                }
                asleep.insert((forwarder.process, thread), status.switches);
            }
        }
        Ok(asleep)
    }

    fn unread(&self) -> Option<String> {
        let unread = self.watched.iter().find(|(_, inputs)| {
            wait::is_readable(inputs.iter().map(AsFd::as_fd)).unwrap_or_default()
        });
        unread.map(|(Forwarder { process, name, .. }, _)| format!("{name} (process {process})"))
    }
}

/// Device and number of a file.
type Inode = (u64, u64);

fn inode(file: BorrowedFd<'_>) -> Option<Inode> {
    let found = fstat(file).ok()?;
    Some((found.st_dev, found.st_ino))
}

fn numbers_in(folder: &str) -> impl Iterator<Item = i32> + use<> {
    let listed = fs::read_dir(folder).into_iter().flatten().flatten();
    listed.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Returns what a process has open that packets come out of: descriptors with whether they are of tun.
/// What belongs to another user cannot be listed, and is none of the world's.
fn open_of(process: i32) -> Vec<(i32, bool)> {
    let folder = format!("/proc/{process}/fd");
    numbers_in(&folder)
        .filter_map(|number| {
            let what = fs::read_link(format!("{folder}/{number}")).ok()?;
            let what = what.to_str()?;
            let is_tun = what.ends_with("/net/tun");
            (is_tun || what.starts_with("socket:")).then_some((number, is_tun))
        })
        .collect()
}

fn look_into(
    process: i32,
    open: &[(i32, bool)],
    nodes: &HashMap<Inode, NodeName>,
) -> Option<(Forwarder, Vec<OwnedFd>)> {
    let pidfd = sys::pidfd_open(Pid::from_raw(process)).ok()?;
    let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
    let mut forwarder = Forwarder {
        process,
        name: name.trim_end().to_owned(),
        ..Forwarder::default()
    };
    let mut inputs = Vec::new();
    for (number, is_tun) in open {
        let copy = match sys::copy_descriptor(&pidfd, *number) {
            Ok(copy) => copy,
            // It has closed it, or is gone.
            Err(Errno::EBADF | Errno::ESRCH) => continue,
            Err(_) => {
                forwarder.opaque = true;
                continue;
            }
        };
        let netns = if *is_tun {
            sys::netns_of_tuntap(&copy)
        } else {
            sys::netns_of_socket(&copy)
        };
        let node = netns
            .ok()
            .and_then(|netns| nodes.get(&inode(netns.as_fd())?));
        let Some(node) = node else { continue };
        let reads = if *is_tun {
            let name = sys::name_of_tuntap(&copy).ok();
            name.map(|name| forwarder.devices.insert((node.clone(), name)))
                .is_some()
        } else {
            note_socket(&mut forwarder, node, &copy)
        };
        if reads {
            inputs.push(copy);
        }
    }
    // It opens its sockets when it needs them: one that has a device in another node than its own sends
    // and hears in its own.
    if let Some(home) = home_of(process).and_then(|inode| nodes.get(&inode))
        && forwarder.devices.iter().any(|(node, _)| node != home)
    {
        forwarder.sockets.insert(home.clone());
    }
    let takes = !forwarder.devices.is_empty()
        || !forwarder.packet_sockets.is_empty()
        || !forwarder.sockets.is_empty();
    (takes || forwarder.opaque).then_some((forwarder, inputs))
}

fn home_of(process: i32) -> Option<Inode> {
    let netns = fs::File::open(format!("/proc/{process}/ns/net")).ok()?;
    inode(netns.as_fd())
}

/// Notes what a socket hears; tells whether what can be read from it are packets.
fn note_socket(forwarder: &mut Forwarder, node: &NodeName, socket: &OwnedFd) -> bool {
    let Ok(address) = getsockname::<SockaddrStorage>(socket.as_raw_fd()) else {
        return false;
    };
    match address.family() {
        Some(AddressFamily::Packet) => {
            let Some(link) = address.as_link_addr() else {
                return false;
            };
            let ethertype = u16::from_be(link.protocol());
            let hears = ethertype != 0 && ethertype != LLDP;
            if hears {
                let index = u32::try_from(link.ifindex()).unwrap_or_default();
                forwarder.packet_sockets.insert((node.clone(), index));
            }
            hears
        }
        Some(AddressFamily::Inet | AddressFamily::Inet6) => {
            let kind = getsockopt(socket, sockopt::SockType);
            let port = address.as_sockaddr_in().map(SockaddrIn::port);
            let port = port.or_else(|| address.as_sockaddr_in6().map(SockaddrIn6::port));
            // One without a port only asks for settings.
            if kind != Ok(SockType::Raw) && port == Some(0) {
                return false;
            }
            forwarder.sockets.insert(node.clone());
            // A stream that has ended can be read for ever.
            matches!(kind, Ok(SockType::Datagram | SockType::Raw))
        }
        _ => false,
    }
}

/// What a thread is doing.
struct Status {
    sleeps: bool,
    switches: u64,
    processors: String,
}

fn threads_of(process: i32) -> impl Iterator<Item = (i32, Status)> {
    let folder = format!("/proc/{process}/task");
    numbers_in(&folder).filter_map(move |thread| {
        let status = status_of(&format!("{folder}/{thread}/status"))?;
        Some((thread, status))
    })
}

fn status_of(path: &str) -> Option<Status> {
    read_status(&fs::read_to_string(path).ok()?)
}

/// Reads what the kernel says of a thread (`proc_pid_status`, fs/proc/array.c).
fn read_status(text: &str) -> Option<Status> {
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.strip_prefix(':')?.trim())
    };
    let number = |name| field(name)?.parse::<u64>().ok();
    Some(Status {
        // One that is stopped, or waits for a disk, has not come to rest.
        sleeps: field("State")?.starts_with(['S', 'I', 'Z', 'X']),
        switches: number("voluntary_ctxt_switches")? + number("nonvoluntary_ctxt_switches")?,
        processors: field("Cpus_allowed_list")?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_says_whether_it_sleeps() {
        let text = |state| {
            format!(
                "Name:\tovs-vswitchd\nState:\t{state}\nCpus_allowed_list:\t0-1\n\
                 voluntary_ctxt_switches:\t40\nnonvoluntary_ctxt_switches:\t2\n"
            )
        };
        let status = read_status(&text("S (sleeping)")).unwrap();
        assert!(status.sleeps);
        assert_eq!((status.switches, status.processors.as_str()), (42, "0-1"));
        assert!(!read_status(&text("R (running)")).unwrap().sleeps);
        assert!(!read_status(&text("T (stopped)")).unwrap().sleeps);
        assert!(read_status("Name:\tx\n").is_none());
    }

    #[test]
    fn a_packet_socket_of_no_interface_hears_all() {
        let node: NodeName = "host".parse().unwrap();
        let hears = |index| Forwarder {
            packet_sockets: BTreeSet::from([(node.clone(), index)]),
            ..Forwarder::default()
        };
        assert!(hears(0).hears(&node, 3) && hears(3).hears(&node, 3));
        assert!(!hears(4).hears(&node, 3));
    }
}
