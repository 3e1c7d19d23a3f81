//! Why a world could not be made, and what mends it.

use std::fmt;

use nix::errno::Errno;

use crate::kernel::KernelError;
use crate::scenario::NodeName;

/// A step on the way to a world that the machine can refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// `unshare(CLONE_NEWUSER)`.
    UserNamespace,
    /// Writing `/proc/self/{setgroups,uid_map,gid_map}`.
    IdMap,
    /// Mapping the ids of tier `subuid`.
    IdRange,
    /// `unshare` of the pid, mount, network, UTS and IPC namespaces.
    Namespaces,
    /// Forking a process or watching one.
    Process,
    /// Mounting `/proc`, `/sys` and `/run` afresh.
    Mounts,
    /// Making a network namespace for a node.
    NetNamespace,
    /// Pinning the node's settings.
    Baseline,
    /// Opening a socket in the node.
    Socket,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UserNamespace => "make a user namespace",
            Self::IdMap => "map the user into its own user namespace",
            Self::IdRange => "map 65,536 ids into a user namespace",
            Self::Namespaces => "make pid, mount, network, UTS and IPC namespaces",
            Self::Process => "start the world's processes",
            Self::Mounts => "mount /proc, /sys and /run for the world alone",
            Self::NetNamespace => "make a network namespace",
            Self::Baseline => "pin the node's settings",
            Self::Socket => "open a socket in the node",
        })
    }
}

/// Why a world could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot {stage}{}{}: {reason}", on(.node), detail_text(.detail))]
pub struct WorldError {
    /// What was tried.
    pub stage: Stage,
    /// The node that it was tried for.
    pub node: Option<NodeName>,
    /// The file or mount point that it was tried on.
    pub detail: Option<String>,
    /// What the kernel said.
    pub reason: KernelError,
}

fn on(node: &Option<NodeName>) -> String {
    node.as_ref()
        .map(|node| format!(" for `{node}`"))
        .unwrap_or_default()
}

fn detail_text(detail: &Option<String>) -> String {
    detail
        .as_ref()
        .map(|detail| format!(" ({detail})"))
        .unwrap_or_default()
}

impl WorldError {
    /// Makes an error of a stage.
    pub(crate) fn new(stage: Stage, reason: impl Into<KernelError>) -> Self {
        Self {
            stage,
            node: None,
            detail: None,
            reason: reason.into(),
        }
    }

    /// Says on which file or mount point.
    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Says for which node.
    pub(crate) fn node(mut self, node: &NodeName) -> Self {
        self.node = Some(node.clone());
        self
    }

    /// Returns what the person at the machine can do about it.
    pub fn cure(&self) -> &'static str {
        match (self.stage, self.reason.errno) {
            (Stage::UserNamespace, Errno::ENOSPC) => {
                "the limit of user namespaces is reached: `sudo sysctl -w user.max_user_namespaces=15000`"
            }
            (Stage::UserNamespace, Errno::EINVAL | Errno::ENOSYS) => {
                "this kernel was built without user namespaces: \
                 take one with CONFIG_USER_NS, or run as root with `--tier root`"
            }
            (Stage::UserNamespace, Errno::EPERM | Errno::EACCES) => {
                "unprivileged user namespaces are off: `sudo sysctl -w kernel.unprivileged_userns_clone=1`, \
                 or, in a container, run it with a seccomp profile that allows unshare"
            }
            (Stage::IdMap, _) => {
                "the kernel let the namespace be made but not used, as Ubuntu's AppArmor restriction does: \
                 `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`"
            }
            (Stage::IdRange, Errno::ENOENT) => {
                "tier `subuid` needs newuidmap and newgidmap: `sudo apt install uidmap`, \
                 or the package shadow-utils; or run as root"
            }
            (Stage::IdRange, Errno::ENODATA) => {
                "this user has no 65,536 ids to give: \
                 `sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER`"
            }
            (Stage::IdRange, _) => {
                "newuidmap and newgidmap have to be setuid root, and not barred by `no_new_privs`, \
                 as in a container; or Ubuntu's AppArmor restriction is in the way: \
                 `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`"
            }
            (Stage::Namespaces, Errno::EPERM) => {
                "tier `root` needs CAP_SYS_ADMIN: run as root, or without `--tier root`"
            }
            // The kernel does not say of which kind there are too many.
            (Stage::Namespaces, Errno::ENOSPC) => {
                "a limit of namespaces is reached, one of `sysctl user`: `netproof doctor` says which"
            }
            (Stage::NetNamespace, Errno::ENOSPC) => {
                "the limit of network namespaces is reached: `sudo sysctl -w user.max_net_namespaces=15000`"
            }
            (Stage::Mounts, Errno::EPERM) => {
                "a container that hides parts of /proc or /sys may not mount them afresh: \
                 run it with `--security-opt systempaths=unconfined`, or privileged"
            }
            (Stage::Mounts, Errno::ENOSYS) => {
                "a world for programs of others needs Linux 5.12 or later"
            }
            _ if self.reason.is_exhaustion() => exhaustion_cure(&self.reason),
            _ => UNKNOWN_CURE,
        }
    }
}

/// What is said where nothing is known that mends it.
pub const UNKNOWN_CURE: &str =
    "this machine refuses what netproof needs; please report it with this message";

/// Returns what the person at the machine can do when it has run out of something.
pub fn exhaustion_cure(error: &KernelError) -> &'static str {
    match error.errno {
        Errno::EMFILE | Errno::ENFILE => "too few file descriptors: `ulimit -n 4096`",
        Errno::EAGAIN => "too many processes: `ulimit -u 4096`, or `--jobs 1`",
        Errno::ENOMEM => "too little memory: run fewer scenarios at once, `--jobs 1`",
        _ => {
            "the limit of network namespaces is reached: `sudo sysctl -w user.max_net_namespaces=15000`"
        }
    }
}
