//! A process that stands in a node and does nothing, for programs that know a network namespace only
//! by a process in it.

use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;
use nix::unistd::Pid;

use super::error::{Stage, WorldError};
use super::launch::WORLD_ARGUMENT;
use super::node::Node;
use crate::kernel::KernelError;

/// The request of a world's process that is to be no world of its own, but to stand where it was
/// started until its standard input ends.
pub const HOLD_REQUEST: &str = "hold";

/// A process of our own program. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Holder {
    child: Child,
    pid: Pid,
}

impl Holder {
    /// Starts one in a node. It is there when this returns.
    pub(super) fn start(node: &Node) -> Result<Self, WorldError> {
        let failed = |error: io::Error| {
            WorldError::new(Stage::Process, KernelError::from_io(&error)).node(node.name())
        };
        // A process starts in the namespaces of the thread that starts it.
        let mut child = node.enter(spawn)?.map_err(failed)?;
        let asked = child.stdin.as_mut().map_or(Ok(()), |pipe| {
            pipe.write_all(format!("{HOLD_REQUEST}\n").as_bytes())
        });
        let pid = i32::try_from(child.id()).map_err(|_| failed(Errno::ESRCH.into()))?;
        let holder = Self {
            child,
            pid: Pid::from_raw(pid),
        };
        asked.map_err(failed)?;
        Ok(holder)
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // The node ends with it, so it has to be gone and not only about to go.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn() -> io::Result<Child> {
    Command::new("/proc/self/exe")
        .arg(WORLD_ARGUMENT)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
}

/// Stands still until standard input ends, which it does with the world at the latest.
pub fn hold() {
    let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
}
