//! Programs that keep running, and say when they are ready.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use futures_util::future::{Either, select};
use tokio::net::UnixDatagram;

use super::child::{Daemon, start_daemon};
use super::error::{Stage, WorldError};
use crate::kernel::KernelError;

/// What a program says when it is ready, sd_notify(3).
const READY: &str = "READY=1";

/// How much of a log is told, in bytes from its end.
const TOLD: usize = 2000;

/// Why a program did not become ready.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// It cannot be started or watched.
    #[error(transparent)]
    World(#[from] WorldError),
    /// It has ended.
    #[error("it ended before it was ready: {0}")]
    Ended(String),
}

/// Starts a program that tells the socket in `NOTIFY_SOCKET` when it is ready, and waits for that. What it
/// says goes to `log`, beside which the socket is made.
///
/// # Errors
///
/// It cannot be started, or ends before it is ready.
///
/// # Panics
///
/// Outside the context of a tokio runtime.
pub async fn start_ready(command: &mut Command, log: &Path) -> Result<Daemon, NotReady> {
    let socket = log.with_extension("notify");
    let told = UnixDatagram::bind(&socket).map_err(|error| failed(&socket, &error))?;
    let file = fs::File::create(log).map_err(|error| failed(log, &error))?;
    let daemon = start_daemon(command.env("NOTIFY_SOCKET", &socket), Stdio::null(), &file)?;
    let ready = async {
        let (ready, ended) = (std::pin::pin!(ready(&told)), std::pin::pin!(daemon.ended()));
        match select(ready, ended).await {
            Either::Left((told, _)) => Ok(told.map_err(|error| failed(&socket, &error))?),
            Either::Right((ended, _)) => {
                ended?;
                Err(NotReady::Ended(end_of(log)))
            }
        }
    };
    ready.await?;
    Ok(daemon)
}

/// Waits until somebody says that it is ready. Each message is some lines.
async fn ready(socket: &UnixDatagram) -> io::Result<()> {
    let mut message = [0; 4096];
    loop {
        let length = socket.recv(&mut message).await?;
        let text = String::from_utf8_lossy(&message[..length]);
        if text.lines().any(|line| line == READY) {
            return Ok(());
        }
    }
}

fn end_of(log: &Path) -> String {
    let said = fs::read(log).unwrap_or_default();
    let from = said.len().saturating_sub(TOLD);
    String::from_utf8_lossy(&said[from..]).trim().to_owned()
}

fn failed(at: &Path, error: &io::Error) -> WorldError {
    WorldError::new(Stage::Process, KernelError::from_io(error)).detail(at.display().to_string())
}

#[cfg(test)]
mod tests {
    use std::future::Future;

    use super::*;

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
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
    fn who_ends_is_not_ready_and_its_last_words_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let started = block_on(async { start_ready(&mut sh("echo no room; exit 1"), &log).await });
        assert_eq!(started.unwrap_err(), NotReady::Ended("no room".to_owned()));
    }

    #[test]
    fn who_says_so_is_ready() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        block_on(async {
            let mut waits = sh("exec sleep 1000");
            let started = std::pin::pin!(start_ready(&mut waits, &log));
            let socket = log.with_extension("notify");
            let teller = UnixDatagram::unbound().unwrap();
            let tell = async |message: &[u8]| teller.send_to(message, &socket).await.unwrap();
            // Whoever is polled first has made its socket then.
            let Either::Right((_, started)) =
                select(started, std::pin::pin!(tell(b"STATUS=no"))).await
            else {
                panic!("it is not ready yet");
            };
            let (started, _) = futures_util::join!(started, tell(b"STATUS=yes\nREADY=1"));
            started.unwrap().stop().await.unwrap();
        });
    }
}
