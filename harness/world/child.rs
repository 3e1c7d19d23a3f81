//! A command that is run to its end, and ended where nobody waits for it any more.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::unix::AsyncFd;
use tokio::net::unix::pipe;

use super::World;
use super::error::{Stage, WorldError};
use super::sys;
use crate::kernel::KernelError;
use crate::scenario::NodeName;

/// A process group of its own, which goes when this is dropped.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) child: Child,
    pub(super) group: Pid,
}

impl Running {
    /// Takes a process that leads a group of its own, and returns what tells of its end.
    pub(super) fn new(child: Child) -> io::Result<(Self, AsyncFd<OwnedFd>)> {
        let group = i32::try_from(child.id()).map_err(|_| Errno::ESRCH)?;
        let group = Pid::from_raw(group);
        let running = Self { child, group };
        Ok((running, sys::watch_process(group)?))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = killpg(self.group, Signal::SIGKILL);
            // It is about to go, and must not stay behind as a zombie.
            let _ = self.child.wait();
        }
    }
}

/// Runs a command to its end, without blocking, and returns how it ended and what it wrote to
/// standard error; it reads nothing, and nobody hears its standard output.
///
/// Where the future is dropped, the command and those that it has started are killed.
///
/// # Errors
///
/// The command cannot be started or watched.
///
/// # Panics
///
/// Outside the context of a tokio runtime.
pub async fn run_to_end(command: &mut Command) -> Result<(ExitStatus, Vec<u8>), WorldError> {
    try_run(command)
        .await
        .map_err(|error| WorldError::new(Stage::Process, KernelError::from_io(&error)))
}

/// Runs a command to its end in a node, as [`run_to_end`] does it.
///
/// # Errors
///
/// As [`run_to_end`]; also where there is no such node.
///
/// # Panics
///
/// Outside the context of a tokio runtime.
pub async fn run_in(
    world: &World,
    node: &NodeName,
    command: &mut Command,
) -> Result<(ExitStatus, Vec<u8>), WorldError> {
    let failed = |error: io::Error| WorldError::new(Stage::Process, KernelError::from_io(&error));
    let there = world.node(node);
    let there = there.ok_or_else(|| WorldError::new(Stage::Process, Errno::ENOENT).node(node))?;
    // A process starts in the namespaces of the thread that starts it.
    let child = there.enter(|| start(command))?.map_err(failed)?;
    hear_out(child).await.map_err(failed)
}

/// Kills a process of the world and waits until it is gone; one that is gone already is none to wait for.
///
/// # Errors
///
/// It cannot be killed or watched.
///
/// # Panics
///
/// Outside the context of a tokio runtime.
pub async fn end_process(process: Pid) -> Result<(), WorldError> {
    let failed = |error: io::Error| WorldError::new(Stage::Process, KernelError::from_io(&error));
    let ended = match sys::watch_process(process) {
        Ok(ended) => ended,
        Err(error) if error.raw_os_error() == Some(Errno::ESRCH as i32) => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    match nix::sys::signal::kill(process, Signal::SIGKILL) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(errno) => return Err(WorldError::new(Stage::Process, errno)),
    }
    let _ = ended.readable().await.map_err(failed)?;
    Ok(())
}

/// What a command said, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: Vec<u8>,
}

/// How much of a command's output is heard, in bytes; one that says more is ended.
pub const HEARD: usize = 1024 * 1024;

/// Runs a command to its end, hands it `input`, and returns what it said. `EFBIG` where it says more than
/// [`HEARD`] on one of its outputs.
///
/// Where the future is dropped, the command and those that it has started are killed.
///
/// # Errors
///
/// As [`run_to_end`]. A command that does not read its input is no error.
///
/// # Panics
///
/// Outside the context of a tokio runtime.
pub async fn converse(command: &mut Command, input: &[u8]) -> Result<Said, WorldError> {
    let failed = |error: io::Error| WorldError::new(Stage::Process, KernelError::from_io(&error));
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    talk(child, input).await.map_err(failed)
}

async fn talk(child: Child, input: &[u8]) -> io::Result<Said> {
    let (mut running, ended) = Running::new(child)?;
    let (stdin, stdout, stderr) = (
        running.child.stdin.take().map(OwnedFd::from),
        running.child.stdout.take().map(OwnedFd::from),
        running.child.stderr.take().map(OwnedFd::from),
    );
    let (_, stdout, stderr) = futures_util::try_join!(
        write_all(stdin, input),
        read_some(stdout),
        read_some(stderr)
    )?;
    let _ = ended.readable().await?;
    Ok(Said {
        status: running.child.wait()?,
        stdout,
        stderr,
    })
}

/// A program that runs until it is stopped. Where this is dropped, it and those that it has started are
/// killed.
#[derive(Debug)]
pub struct Daemon(Running);

/// Starts a program that is to stay, in the background; what it says goes to `log`.
///
/// # Errors
///
/// It cannot be started.
pub fn start_daemon(
    command: &mut Command,
    stdin: impl Into<Stdio>,
    log: &File,
) -> Result<Daemon, WorldError> {
    let failed = |error: io::Error| WorldError::new(Stage::Process, KernelError::from_io(&error));
    let child = command
        .stdin(stdin)
        .stdout(log.try_clone().map_err(failed)?)
        .stderr(log.try_clone().map_err(failed)?)
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    let group = i32::try_from(child.id()).map_err(|_| failed(Errno::ESRCH.into()))?;
    let group = Pid::from_raw(group);
    Ok(Daemon(Running { child, group }))
}

impl Daemon {
    /// Waits until it ends by itself.
    ///
    /// # Errors
    ///
    /// It cannot be watched.
    ///
    /// # Panics
    ///
    /// Outside the context of a tokio runtime.
    pub async fn ended(&self) -> Result<(), WorldError> {
        let failed =
            |error: io::Error| WorldError::new(Stage::Process, KernelError::from_io(&error));
        let ended = sys::watch_process(self.0.group).map_err(failed)?;
        let _ = ended.readable().await.map_err(failed)?;
        Ok(())
    }

    /// Asks it to end, and waits until it has. One that has ended already is none to wait for.
    ///
    /// # Errors
    ///
    /// It cannot be asked or watched.
    ///
    /// # Panics
    ///
    /// Outside the context of a tokio runtime.
    pub async fn stop(mut self) -> Result<(), WorldError> {
        match killpg(self.0.group, Signal::SIGTERM) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => return Err(WorldError::new(Stage::Process, errno)),
        }
        self.ended().await?;
        let failed =
            |error: io::Error| WorldError::new(Stage::Process, KernelError::from_io(&error));
        self.0.child.wait().map_err(failed).map(drop)
    }
}

async fn write_all(pipe: Option<OwnedFd>, mut rest: &[u8]) -> io::Result<()> {
    let Some(pipe) = pipe else {
        return Ok(());
    };
    let pipe = pipe::Sender::from_owned_fd(pipe)?;
    while !rest.is_empty() {
        pipe.writable().await?;
        match pipe.try_write(rest) {
            Ok(length) => rest = &rest[length..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // It does not want to know.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn read_some(pipe: Option<OwnedFd>) -> io::Result<Vec<u8>> {
    let mut said = Vec::new();
    if let Some(pipe) = pipe {
        read_all(&pipe::Receiver::from_owned_fd(pipe)?, &mut said).await?;
    }
    Ok(said)
}

async fn try_run(command: &mut Command) -> io::Result<(ExitStatus, Vec<u8>)> {
    hear_out(start(command)?).await
}

fn start(command: &mut Command) -> io::Result<Child> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
}

async fn hear_out(child: Child) -> io::Result<(ExitStatus, Vec<u8>)> {
    let (mut running, ended) = Running::new(child)?;
    let mut said = Vec::new();
    if let Some(errors) = running.child.stderr.take() {
        let errors = pipe::Receiver::from_owned_fd(OwnedFd::from(errors))?;
        read_all(&errors, &mut said).await?;
    }
    let _ = ended.readable().await?;
    Ok((running.child.wait()?, said))
}

async fn read_all(pipe: &pipe::Receiver, into: &mut Vec<u8>) -> io::Result<()> {
    let mut chunk = [0; 4096];
    loop {
        pipe.readable().await?;
        match pipe.try_read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(length) if into.len() + length > HEARD => return Err(Errno::EFBIG.into()),
            Ok(length) => into.extend(&chunk[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;

    use futures_util::future::{Either, select};

    use super::*;

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .unwrap()
            .block_on(work)
    }

    fn sh(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn what_it_says_and_how_it_ends_is_told() {
        let run = async { run_to_end(&mut sh("echo overboard >&2; exit 3")).await };
        let (status, said) = block_on(run).unwrap();
        assert_eq!(
            (status.code(), said.as_slice()),
            (Some(3), &b"overboard\n"[..])
        );
    }

    #[test]
    fn what_is_asked_is_heard_and_what_is_answered_too() {
        let run = async { converse(&mut sh("tr a-z A-Z; echo no >&2; exit 4"), b"ahoy").await };
        let said = block_on(run).unwrap();
        assert_eq!(said.stdout, b"AHOY");
        assert_eq!(said.stderr, b"no\n");
        assert_eq!(said.status.code(), Some(4));
    }

    #[test]
    fn who_does_not_listen_is_heard_all_the_same() {
        let input = vec![0; 1 << 20];
        let said = block_on(async { converse(&mut sh("echo yes"), &input).await }).unwrap();
        assert_eq!(said.stdout, b"yes\n");
    }

    #[test]
    fn who_says_too_much_is_ended() {
        let ended = block_on(async { converse(&mut sh("yes"), b"").await }).unwrap_err();
        assert_eq!(ended.reason.errno, Errno::EFBIG);
    }

    #[test]
    fn who_is_not_waited_for_is_killed_with_all_that_it_has_started() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let hang = "(echo; exec sleep 1000) >\"$0\"";
        let mut command = sh(&format!("{hang} & {hang}"));
        command.arg(&path);
        block_on(async {
            let pipe = pipe::OpenOptions::new().open_receiver(&path).unwrap();
            let running = Box::pin(run_to_end(&mut command));
            let both_hang = pin!(async {
                let (mut said, mut chunk) = (0, [0; 16]);
                while said < 2 {
                    pipe.readable().await.unwrap();
                    said += pipe.try_read(&mut chunk).unwrap_or(0);
                }
            });
            let Either::Right((_, running)) = select(running, both_hang).await else {
                panic!("it has ended");
            };
            drop(running);
            // The end of the pipe comes when nobody has it any more.
            let mut left = Vec::new();
            read_all(&pipe, &mut left).await.unwrap();
        });
    }
}
