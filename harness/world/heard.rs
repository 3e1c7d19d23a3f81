//! A command whose output is heard while it runs.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::pin::pin;
use std::process::{Command, ExitStatus, Stdio};

use futures_util::future::{Either, join, select};
use tokio::net::unix::pipe;

use super::child::Running;
use super::error::{Stage, WorldError};
use crate::kernel::KernelError;

/// How many bytes of each output are kept.
const KEPT: usize = 64 * 1024;

/// How many bytes are taken out of a pipe when the command has ended: all that a pipe holds, and no more,
/// since what the command has left running may go on to write.
const LEFT_IN_PIPE: usize = 1024 * 1024;

/// What a command has said; where it left processes running, they are listened to for as long as this
/// is kept, and may write without being ended by it.
#[derive(Debug, Default)]
pub struct Heard {
    /// What it wrote to standard output.
    pub output: Voice,
    /// What it wrote to standard error.
    pub errors: Voice,
}

/// One of the two outputs.
#[derive(Debug, Default)]
pub struct Voice {
    said: Vec<u8>,
    /// How many bytes there was no room for.
    pub left_out: usize,
    pipe: Option<pipe::Receiver>,
}

impl Voice {
    /// Returns what was said, as far as it is kept; what is no UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.said).into_owned()
    }

    fn take(&mut self, bytes: &[u8]) {
        let room = bytes.len().min(KEPT - self.said.len());
        self.said.extend(&bytes[..room]);
        self.left_out += bytes.len() - room;
    }

    fn open(&mut self, end: Option<impl Into<OwnedFd>>) -> io::Result<()> {
        self.pipe = end
            .map(|end| pipe::Receiver::from_owned_fd(end.into()))
            .transpose()?;
        Ok(())
    }

    /// Reads what is there; tells whether more may come.
    fn read(&mut self, most: usize) -> io::Result<bool> {
        let mut chunk = [0; 4096];
        let mut taken = 0;
        while let Some(pipe) = &self.pipe
            && taken < most
        {
            match pipe.try_read(&mut chunk) {
                Ok(0) => self.pipe = None,
                Ok(length) => {
                    taken += length;
                    self.take(&chunk[..length]);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            }
        }
        Ok(self.pipe.is_some())
    }

    async fn hear(&mut self) -> io::Result<()> {
        while let Some(pipe) = &self.pipe {
            pipe.readable().await?;
            self.read(KEPT)?;
        }
        Ok(())
    }
}

/// Runs a command until it ends, without blocking, and returns how it ended; it reads nothing. What it
/// has started and left running goes on.
///
/// Where the future is dropped before the command's end, it and those that it has started are killed;
/// what was heard until then is kept.
///
/// # Errors
///
/// The command cannot be started or watched.
///
/// # Panics
///
/// Outside the context of a tokio runtime.
pub async fn run_heard(command: &mut Command, heard: &mut Heard) -> Result<ExitStatus, WorldError> {
    try_run(command, heard)
        .await
        .map_err(|error| WorldError::new(Stage::Process, KernelError::from_io(&error)))
}

async fn try_run(command: &mut Command, heard: &mut Heard) -> io::Result<ExitStatus> {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let (mut running, ended) = Running::new(child)?;
    heard.output.open(running.child.stdout.take())?;
    heard.errors.open(running.child.stderr.take())?;
    {
        let hearing = pin!(join(heard.output.hear(), heard.errors.hear()));
        match select(hearing, pin!(ended.readable())).await {
            Either::Left(((output, errors), ended)) => {
                output.and(errors)?;
                let _ = ended.await?;
            }
            Either::Right((ended, _)) => {
                let _ = ended?;
            }
        }
    }
    // A server that it has left behind keeps the pipes open: their end is not waited for.
    heard.output.read(LEFT_IN_PIPE)?;
    heard.errors.read(LEFT_IN_PIPE)?;
    running.child.wait()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str) -> (ExitStatus, Heard) {
        let mut heard = Heard::default();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        let status = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .unwrap()
            .block_on(run_heard(&mut command, &mut heard))
            .unwrap();
        (status, heard)
    }

    #[test]
    fn both_outputs_and_the_end_are_told() {
        let (status, heard) = run("echo over; echo board >&2; exit 3");
        assert_eq!(status.code(), Some(3));
        assert_eq!(heard.output.text(), "over\n");
        assert_eq!(heard.errors.text(), "board\n");
    }

    #[test]
    fn what_there_is_no_room_for_is_counted() {
        let (status, heard) = run("head -c 70000 /dev/zero; head -c 65536 /dev/zero >&2");
        assert!(status.success());
        assert_eq!(heard.output.text().len(), KEPT);
        assert_eq!(heard.output.left_out, 70_000 - KEPT);
        assert_eq!(heard.errors.left_out, 0);
    }

    #[test]
    fn nobody_waits_for_what_is_left_running() {
        let (status, heard) = run("sleep 1000 & echo $!");
        assert!(status.success());
        let left: i32 = heard.output.text().trim().parse().unwrap();
        let left = nix::unistd::Pid::from_raw(left);
        nix::sys::signal::kill(left, nix::sys::signal::Signal::SIGKILL).unwrap();
    }
}
