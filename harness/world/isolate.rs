//! From an ordinary process to a world: namespaces, mounts, and three processes whose lives hang
//! together.
//!
//! The process that calls [`isolate`] becomes the *shim*. It makes the namespaces and forks pid 1,
//! the *init*, which mounts what the world needs and forks the *runner*; only the runner comes back
//! from the call. When the starter dies, shim and init see its end of standard input close; when
//! the shim dies, init sees the shim's pipe close; when init dies, the kernel kills everything in
//! its pid namespace; when the runner ends, init and then shim end with its status.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::CloneFlags;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, getgid, getppid, getuid, pipe2};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::{Stage, WorldError};
use super::furnish::{self, Interior};
use super::ids::Mapper;
use super::sys;

/// Which privileges a world is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// A user namespace with one id: no privileges needed.
    #[default]
    User,
    /// A user namespace with 65,536 ids, as programs of containers need them: root, or newuidmap.
    Subuid,
    /// No user namespace: needs CAP_SYS_ADMIN, as in a privileged container.
    Root,
}

impl Tier {
    /// Every tier, that with the least privileges first.
    pub const ALL: [Self; 3] = [Self::User, Self::Subuid, Self::Root];

    /// Returns the word that stands for the tier on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Subuid => "subuid",
            Self::Root => "root",
        }
    }
}

/// The status of shim and init when they end a world whose starter is gone; nobody is left to
/// read it.
const ABANDONED: i32 = 1;

/// Turns the calling process into a world and returns in its runner.
///
/// Standard input must be a pipe that the starter holds open for as long as the world may live.
/// The runner is the only thread of its process; its network namespace has only `lo`, down.
///
/// # Errors
///
/// The stage that the machine refuses. An error may come back in the shim or in init: report it
/// and end the process, whichever it is.
pub fn isolate(tier: Tier, interior: &Interior) -> Result<(), WorldError> {
    // What the shim holds open, init sees close.
    let (shim_gone, shim_alive) = pipe2(nix::fcntl::OFlag::O_CLOEXEC)
        .map_err(|errno| WorldError::new(Stage::Process, errno))?;
    // Not to be had from a starter outside this pid namespace; then the pipe alone has to do.
    let starter = sys::pidfd_open(getppid()).ok();
    make_namespaces(tier)?;
    match sys::fork().map_err(|errno| WorldError::new(Stage::Process, errno))? {
        ForkResult::Parent { child } => {
            drop(shim_gone);
            let status = supervise(child, starter.as_ref());
            drop(shim_alive);
            end(status)
        }
        ForkResult::Child => {
            drop(shim_alive);
            drop(starter);
            become_init(shim_gone, interior)
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the module that makes namespaces"
)]
fn make_namespaces(tier: Tier) -> Result<(), WorldError> {
    let enter = || {
        nix::sched::unshare(CloneFlags::CLONE_NEWUSER)
            .map_err(|errno| WorldError::new(Stage::UserNamespace, errno))
    };
    match tier {
        Tier::User => {
            let (uid, gid) = (getuid(), getgid());
            enter()?;
            // user_namespaces(7): gid_map may only be written once setgroups is denied.
            for (file, text) in [
                ("/proc/self/setgroups", "deny".to_owned()),
                ("/proc/self/uid_map", format!("0 {uid} 1")),
                ("/proc/self/gid_map", format!("0 {gid} 1")),
            ] {
                fs::write(file, text).map_err(|error| {
                    WorldError::new(Stage::IdMap, crate::kernel::KernelError::from_io(&error))
                        .detail(file)
                })?;
            }
        }
        Tier::Subuid => {
            let mapper = Mapper::prepare()?;
            enter()?;
            mapper.map()?;
        }
        Tier::Root => {}
    }
    nix::sched::unshare(
        CloneFlags::CLONE_NEWPID
            | CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWNET
            | CloneFlags::CLONE_NEWUTS
            | CloneFlags::CLONE_NEWIPC,
    )
    .map_err(|errno| WorldError::new(Stage::Namespaces, errno))
}

/// The shim's life: until init ends, or the starter does.
fn supervise(init: Pid, starter: Option<&OwnedFd>) -> i32 {
    leave_events_to_the_runner();
    let stdin = io::stdin();
    if let Ok(init_ended) = sys::pidfd_open(init) {
        let mut ends = vec![
            (stdin.as_fd(), PollFlags::empty()),
            (init_ended.as_fd(), PollFlags::POLLIN),
        ];
        ends.extend(starter.map(|starter| (starter.as_fd(), PollFlags::POLLIN)));
        wait_for_any(&ends);
    }
    // Harmless if it has ended already: a zombie keeps its pid until it is waited for below.
    let _ = kill(init, Signal::SIGKILL);
    loop {
        match waitpid(init, None) {
            Err(Errno::EINTR) => {}
            Ok(status) => return code_of(status).unwrap_or(ABANDONED),
            Err(_) => return ABANDONED,
        }
    }
}

/// Pid 1: mounts, forks the runner, and reaps until the runner ends or its watchers die.
fn become_init(shim_gone: OwnedFd, interior: &Interior) -> Result<(), WorldError> {
    let process = |errno| WorldError::new(Stage::Process, errno);
    // A backstop for the pipe: the shim has one thread, so its end is the process's end.
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).map_err(process)?;
    let _ = nix::unistd::sethostname("netproof");
    mount_afresh(interior)?;

    let children = SigSet::from_iter([Signal::SIGCHLD]);
    let before = children
        .thread_swap_mask(SigmaskHow::SIG_BLOCK)
        .map_err(process)?;
    let child_ended =
        SignalFd::with_flags(&children, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
            .map_err(process)?;
    match sys::fork().map_err(process)? {
        ForkResult::Child => {
            before.thread_set_mask().map_err(process)?;
            Ok(())
        }
        ForkResult::Parent { child } => {
            leave_events_to_the_runner();
            let stdin = io::stdin();
            loop {
                if let Some(status) = reap(child) {
                    end(status);
                }
                let ready = wait_for_any(&[
                    (child_ended.as_fd(), PollFlags::POLLIN),
                    (stdin.as_fd(), PollFlags::empty()),
                    (shim_gone.as_fd(), PollFlags::empty()),
                ]);
                if ready != Some(0) {
                    end(ABANDONED);
                }
                while let Ok(Some(_)) = child_ended.read_signal() {}
            }
        }
    }
}

/// Reaps every child that has ended; returns the runner's status if it is one of them.
fn reap(runner: Pid) -> Option<i32> {
    let mut runner_status = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return runner_status,
            Ok(status) if status.pid() == Some(runner) => {
                runner_status = code_of(status).or(runner_status);
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return runner_status.or(Some(ABANDONED)),
        }
    }
}

/// The exit code that hands a status on: that of the process, or 128 and the signal as in a shell.
fn code_of(status: WaitStatus) -> Option<i32> {
    match status {
        WaitStatus::Exited(_, code) => Some(code),
        WaitStatus::Signaled(_, signal, _) => Some(128 + signal as i32),
        _ => None,
    }
}

/// Waits until one of the descriptors is ready or hung up; returns its position.
fn wait_for_any(fds: &[(BorrowedFd<'_>, PollFlags)]) -> Option<usize> {
    let mut polled: Vec<PollFd<'_>> = fds
        .iter()
        .map(|(fd, flags)| PollFd::new(*fd, *flags))
        .collect();
    loop {
        match poll(&mut polled, PollTimeout::NONE) {
            Err(Errno::EINTR) => {}
            Err(_) => return None,
            Ok(_) => {
                return polled
                    .iter()
                    .position(|fd| fd.revents().is_some_and(|events| !events.is_empty()));
            }
        }
    }
}

/// Closes standard output, so that its reader sees the end when the runner ends.
fn leave_events_to_the_runner() {
    if let Ok(null) = fs::File::options().write(true).open("/dev/null") {
        let _ = nix::unistd::dup2_stdout(null);
    }
}

#[expect(
    clippy::exit,
    reason = "the world's processes apart from the runner end here"
)]
pub(super) fn end(status: i32) -> ! {
    std::process::exit(status)
}

/// Mounts `/proc` of the new pid namespace, `/sys` of the new network namespace (it shows that of
/// the process that mounts it), and an empty `/run`, so that nothing in the world writes outside.
fn mount_afresh(interior: &Interior) -> Result<(), WorldError> {
    const NONE: Option<&str> = None;
    let visible = match interior {
        Interior::Bare => None,
        Interior::Furnished { visible } => Some(visible),
    };
    let safe = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    let failed =
        |at: &'static str| move |errno: Errno| WorldError::new(Stage::Mounts, errno).detail(at);
    let fresh = |kind, at, flags| {
        let options = (kind == "tmpfs").then_some("mode=0755");
        mount(Some(kind), at, Some(kind), safe | flags, options).map_err(failed(at))
    };
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE).map_err(failed("/"))?;
    let mut devices = MsFlags::MS_NOEXEC;
    if visible.is_some() {
        furnish::close_machine()?;
        // Root could change the machine's devices by it; and who finds it so waits for no udev.
        devices |= MsFlags::MS_RDONLY;
    }
    fresh("proc", "/proc", MsFlags::MS_NOEXEC)?;
    fresh("sysfs", "/sys", devices)?;
    if let Some(visible) = visible {
        furnish::furnish(visible)?;
    } else {
        fresh("tmpfs", "/run", MsFlags::empty())?;
    }
    let names = super::node::NETNS_DIR;
    fs::create_dir(names).map_err(|error| {
        WorldError::new(Stage::Mounts, crate::kernel::KernelError::from_io(&error)).detail(names)
    })?;
    // As ip-netns(8) has it. Where it is not so, `ip netns` mounts the folder on itself, names and
    // all, and cannot remove a name that was there before.
    mount(Some(names), names, NONE, MsFlags::MS_BIND, NONE).map_err(failed(names))?;
    mount(NONE, names, NONE, MsFlags::MS_SHARED, NONE).map_err(failed(names))
}
