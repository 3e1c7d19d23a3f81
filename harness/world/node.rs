//! A node: one network namespace, held by file descriptor.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::CloneFlags;
use nix::unistd::Pid;
use tokio::runtime::Handle;

use super::baseline::{Born, Pinned, Start, pin_node, pin_untouched};
use super::error::{Stage, WorldError};
use super::holder::Holder;
use crate::kernel::KernelError;
use crate::kernel::route::{Monitor, RouteSocket};
use crate::scenario::NodeName;

/// Where named network namespaces stand, ip-netns(8).
pub(super) const NETNS_DIR: &str = "/run/netns";

/// The mounts of this process.
const MOUNTS: &str = "/proc/self/mountinfo";

/// The network namespace of the calling thread. `/proc/self` would be that of the main thread.
const OWN_NETNS: &str = "/proc/thread-self/ns/net";

/// One network namespace of a scenario.
pub struct Node {
    name: NodeName,
    netns: OwnedFd,
    route: RouteSocket,
    monitor: Monitor,
    pinned: Pinned,
    ipv6: bool,
    /// Its name stands under `/run/netns`.
    named: bool,
    /// Other names of the same namespace under `/run/netns`, in the order in which they came.
    others: Vec<NodeName>,
    /// The process that stands in it, where one was asked for.
    holder: Option<Holder>,
}

/// Where the network namespace of a node comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// It is made, and named.
    Fresh,
    /// It is that of the calling thread.
    Own,
    /// Something else has made and named it.
    Named,
    /// Somebody else has made and named it, and has set it up.
    Found,
}

impl Node {
    /// Makes a node in a new network namespace, with its name under `/run/netns`.
    pub(super) fn create(name: &NodeName, start: Start) -> Result<Self, WorldError> {
        Self::build(name, start, Origin::Fresh)
    }

    /// Makes a node of the calling thread's own network namespace.
    pub(super) fn own(name: &NodeName, start: Start) -> Result<Self, WorldError> {
        Self::build(name, start, Origin::Own)
    }

    /// Makes a node of the network namespace that has the name under `/run/netns`.
    pub(super) fn adopt(name: &NodeName, start: Start) -> Result<Self, WorldError> {
        Self::build(name, start, Origin::Named)
    }

    /// Makes a node of a network namespace that has the name and was set up by somebody else: only the
    /// settings that are as in any new namespace are pinned.
    pub(super) fn adopt_as_found(name: &NodeName, start: Start) -> Result<Self, WorldError> {
        Self::build(name, start, Origin::Found)
    }

    fn build(name: &NodeName, start: Start, origin: Origin) -> Result<Self, WorldError> {
        let runtime = Handle::current();
        on_own_thread(move || {
            let mut born = None;
            match origin {
                Origin::Fresh => unshare_network()?,
                Origin::Own => {}
                Origin::Named => enter_named(&path_of(name))?,
                Origin::Found => {
                    // It ends when the thread leaves it.
                    unshare_network()?;
                    born = Some(Born::read());
                    enter_named(&path_of(name))?;
                }
            }
            let open = |error: std::io::Error| {
                WorldError::new(Stage::NetNamespace, KernelError::from_io(&error)).detail(OWN_NETNS)
            };
            let netns = OwnedFd::from(fs::File::open(OWN_NETNS).map_err(open)?);
            if origin == Origin::Fresh {
                bind(OWN_NETNS, &path_of(name))?;
            }
            let pinned = match &born {
                None => pin_node(start),
                Some(born) => pin_untouched(start, born),
            };
            let pinned = pinned
                .map_err(|(path, error)| WorldError::new(Stage::Baseline, error).detail(path))?;
            let socket = |error| WorldError::new(Stage::Socket, error);
            let _context = runtime.enter();
            let route = RouteSocket::open().map_err(socket)?;
            let monitor = Monitor::open().map_err(socket)?;
            Ok(Self {
                name: name.clone(),
                netns,
                route,
                monitor,
                pinned,
                ipv6: start.ipv6,
                named: origin != Origin::Own,
                others: Vec::new(),
                holder: None,
            })
        })
        .map_err(|error: WorldError| error.node(name))
    }

    /// Returns the node's name.
    pub fn name(&self) -> &NodeName {
        &self.name
    }

    /// Returns every name of the node, the first of which is its own.
    pub fn names(&self) -> impl Iterator<Item = &NodeName> {
        std::iter::once(&self.name).chain(&self.others)
    }

    /// Gives the namespace one more name under `/run/netns`, as `ip netns attach` does.
    pub(super) fn share(&mut self, name: &NodeName) -> Result<(), WorldError> {
        self.enter(|| bind(OWN_NETNS, &path_of(name)))?
            .map_err(|error| error.node(name))?;
        self.others.push(name.clone());
        Ok(())
    }

    /// Returns the process that stands in the namespace, which is started when it is asked for first.
    pub(super) fn holder(&mut self) -> Result<Pid, WorldError> {
        let holder = match self.holder.take() {
            Some(holder) => holder,
            None => Holder::start(self)?,
        };
        Ok(self.holder.insert(holder).pid())
    }

    /// Takes note of one more name that something else in the world has given to the namespace.
    pub(super) fn note(&mut self, name: &NodeName) {
        self.others.push(name.clone());
    }

    /// Tells whether a name under `/run/netns` stands for this namespace.
    pub(super) fn is_named(&self, name: &NodeName) -> bool {
        let own = nix::sys::stat::fstat(&self.netns);
        let other = nix::sys::stat::stat(&path_of(name));
        matches!((own, other), (Ok(own), Ok(other))
            if (own.st_dev, own.st_ino) == (other.st_dev, other.st_ino))
    }

    /// Reads where the namespace is mounted as a file of its own, as `ip netns` does it: the mount
    /// points of type nsfs, in order, mount_namespaces(7) and proc_pid_mountinfo(5).
    ///
    /// # Errors
    ///
    /// The kernel's refusal to show the mounts, or which namespace this is.
    pub fn mounts(&self) -> Result<Vec<String>, WorldError> {
        let failed = |error: KernelError| {
            WorldError::new(Stage::Mounts, error)
                .detail(MOUNTS.to_owned())
                .node(&self.name)
        };
        let own = nix::sys::stat::fstat(&self.netns).map_err(|errno| failed(errno.into()))?;
        let text =
            fs::read_to_string(MOUNTS).map_err(|error| failed(KernelError::from_io(&error)))?;
        let mut points = mount_points(&text, own.st_ino);
        points.sort();
        Ok(points)
    }

    /// Forgets one of several names; where it was the first, the next one takes its place.
    pub(super) fn drop_name(&mut self, name: &NodeName) {
        if *name == self.name && !self.others.is_empty() {
            self.name = self.others.remove(0);
        } else {
            self.others.retain(|other| other != name);
        }
    }

    /// Returns the descriptor that keeps the namespace.
    pub fn netns(&self) -> BorrowedFd<'_> {
        self.netns.as_fd()
    }

    /// Returns the node's route netlink socket.
    pub fn route(&self) -> &RouteSocket {
        &self.route
    }

    /// Returns the node's ear for changes.
    pub fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    /// Returns what pinning its settings came to.
    pub fn pinned(&self) -> &Pinned {
        &self.pinned
    }

    /// Tells whether the scenario wants IPv6 in the node.
    pub fn has_ipv6(&self) -> bool {
        self.ipv6
    }

    /// Runs `work` on a short-lived thread inside the node's network namespace.
    ///
    /// A socket that it opens keeps the namespace when the thread has ended.
    ///
    /// # Errors
    ///
    /// The kernel's refusal to enter.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, WorldError> {
        on_own_thread(|| {
            #[expect(
                clippy::disallowed_methods,
                reason = "this is the module that enters namespaces"
            )]
            nix::sched::setns(self.netns.as_fd(), CloneFlags::CLONE_NEWNET)
                .map_err(|errno| WorldError::new(Stage::NetNamespace, errno).node(&self.name))?;
            Ok(work())
        })
    }

    /// Takes away one of the node's names, as `ip netns delete` does. The namespace itself ends with
    /// the last name, descriptor, socket or process in it.
    pub(super) fn unname(&self, name: &NodeName) -> Result<(), WorldError> {
        if !self.named && *name == self.name {
            return Ok(());
        }
        unname(name)
    }
}

/// Where the namespace with that inode number is mounted.
fn mount_points(mountinfo: &str, inode: u64) -> Vec<String> {
    let root = format!("net:[{inode}]");
    let is_nsfs = |rest: &str| {
        rest.split(" - ")
            .nth(1)
            .is_some_and(|of| of.starts_with("nsfs "))
    };
    mountinfo
        .lines()
        .filter(|line| is_nsfs(line))
        .filter_map(|line| {
            let mut words = line.split(' ').skip(3);
            (words.next()? == root).then(|| words.next())?
        })
        .map(str::to_owned)
        .collect()
}

fn path_of(name: &NodeName) -> PathBuf {
    PathBuf::from(NETNS_DIR).join(name.as_str())
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the module that makes namespaces"
)]
fn unshare_network() -> Result<(), WorldError> {
    nix::sched::unshare(CloneFlags::CLONE_NEWNET)
        .map_err(|errno| WorldError::new(Stage::NetNamespace, errno))
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the module that enters namespaces"
)]
fn enter_named(path: &PathBuf) -> Result<(), WorldError> {
    let failed = |error: KernelError| {
        WorldError::new(Stage::NetNamespace, error).detail(path.display().to_string())
    };
    let named = fs::File::open(path).map_err(|error| failed(KernelError::from_io(&error)))?;
    nix::sched::setns(named.as_fd(), CloneFlags::CLONE_NEWNET).map_err(|errno| failed(errno.into()))
}

/// Takes a name under `/run/netns` away.
pub(super) fn unname(name: &NodeName) -> Result<(), WorldError> {
    let path = path_of(name);
    let failed = |error: KernelError| {
        WorldError::new(Stage::Mounts, error)
            .detail(path.display().to_string())
            .node(name)
    };
    umount2(&path, MntFlags::MNT_DETACH).map_err(|errno| failed(errno.into()))?;
    fs::remove_file(&path).map_err(|error| failed(KernelError::from_io(&error)))
}

/// Gives the network namespace of a process a name under `/run/netns`.
pub(super) fn name_process(name: &NodeName, process: Pid) -> Result<(), WorldError> {
    bind(&format!("/proc/{process}/ns/net"), &path_of(name)).map_err(|error| error.node(name))
}

/// Gives a network namespace a name that `ip netns` knows.
fn bind(netns: &str, path: &PathBuf) -> Result<(), WorldError> {
    let failed = |error: KernelError| {
        WorldError::new(Stage::Mounts, error).detail(path.display().to_string())
    };
    fs::File::options()
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(|error| failed(KernelError::from_io(&error)))?;
    let none = None::<&str>;
    mount(Some(netns), path, none, MsFlags::MS_BIND, none).map_err(|errno| {
        // An empty file is no name.
        let _ = fs::remove_file(path);
        failed(errno.into())
    })
}

/// Runs `work` on a thread of its own, whose network namespace nobody else shares or inherits.
fn on_own_thread<T: Send>(
    work: impl FnOnce() -> Result<T, WorldError> + Send,
) -> Result<T, WorldError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("node".to_owned())
            .spawn_scoped(scope, work)
            .map_err(|error| WorldError::new(Stage::Process, KernelError::from_io(&error)))?;
        // A panic in there is ours, and goes on here.
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
