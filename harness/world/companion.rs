//! A program of others that is talked to while it runs, and that is ended in an orderly way.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitStatus, Stdio};
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, pending, select};
use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::unix::AsyncFd;
use tokio::net::unix::pipe;

use super::child::{HEARD, Running};
use super::error::{Stage, WorldError};
use crate::kernel::KernelError;

/// How much of its standard error is kept, in bytes: the end of it.
const ERRORS_KEPT: usize = 64 * 1024;

/// A process with a group of its own and pipes to all that it reads and writes. Dropping it kills the
/// group.
///
/// Several may tell it something and listen to it at the same time, on one thread.
pub struct Companion {
    running: RefCell<Running>,
    group: Pid,
    ended: AsyncFd<OwnedFd>,
    stdin: RefCell<Option<Rc<pipe::Sender>>>,
    untold: RefCell<VecDeque<u8>>,
    stdout: Pipe,
    stderr: Pipe,
}

/// What it writes, and what of that was not taken yet.
struct Pipe {
    receiver: pipe::Receiver,
    open: Cell<bool>,
    said: RefCell<Vec<u8>>,
}

/// What listening came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listened {
    /// It may have said more.
    More,
    /// It has ended, and all that it said until then has been heard.
    End,
}

impl Companion {
    /// Starts a program.
    ///
    /// # Errors
    ///
    /// It cannot be started or watched.
    ///
    /// # Panics
    ///
    /// Outside the context of a tokio runtime.
    pub fn start(command: &mut Command) -> Result<Self, WorldError> {
        let failed =
            |error: io::Error| WorldError::new(Stage::Process, KernelError::from_io(&error));
        Self::try_start(command).map_err(failed)
    }

    fn try_start(command: &mut Command) -> io::Result<Self> {
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let (mut running, ended) = Running::new(child)?;
        let group = running.group;
        let (stdin, stdout, stderr) = (
            running.child.stdin.take().map(OwnedFd::from),
            running.child.stdout.take().map(OwnedFd::from),
            running.child.stderr.take().map(OwnedFd::from),
        );
        Ok(Self {
            running: RefCell::new(running),
            group,
            ended,
            stdin: RefCell::new(stdin.map(sender).transpose()?),
            untold: RefCell::default(),
            stdout: Pipe::new(stdout)?,
            stderr: Pipe::new(stderr)?,
        })
    }

    /// Tells it something, whole and in the order in which it was told. One that does not want to know
    /// is no error.
    ///
    /// # Errors
    ///
    /// The pipe cannot be written to.
    pub async fn tell(&self, text: &[u8]) -> io::Result<()> {
        self.untold.borrow_mut().extend(text);
        loop {
            if !self.try_tell()? {
                return Ok(());
            }
            let Some(pipe) = self.stdin.borrow().clone() else {
                return Ok(());
            };
            pipe.writable().await?;
        }
    }

    /// Tells it that nothing more is said.
    pub fn close(&self) {
        self.stdin.replace(None);
    }

    /// Writes what can be written; tells whether something is left.
    fn try_tell(&self) -> io::Result<bool> {
        let mut untold = self.untold.borrow_mut();
        let stdin = self.stdin.borrow();
        let Some(pipe) = stdin.as_ref() else {
            untold.clear();
            return Ok(false);
        };
        while !untold.is_empty() {
            match pipe.try_write(untold.make_contiguous()) {
                Ok(length) => drop(untold.drain(..length)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => untold.clear(),
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Waits until it says more or ends.
    ///
    /// # Errors
    ///
    /// `EFBIG` where more than [`HEARD`] of what it said is not taken yet.
    pub async fn listen(&self) -> io::Result<Listened> {
        let speaks = select(
            Box::pin(self.stdout.readable()),
            Box::pin(self.stderr.readable()),
        );
        let spoken = select(speaks, Box::pin(self.ended.readable())).await;
        let heard = match spoken {
            Either::Left((Either::Left((result, _)) | Either::Right((result, _)), _)) => {
                result?;
                Listened::More
            }
            Either::Right((ended, _)) => {
                let _ = ended?;
                Listened::End
            }
        };
        // Those that it has started may hold the pipes open for longer than it lives.
        self.stderr.take_in(ERRORS_KEPT)?;
        self.stdout.take_in(HEARD + 1)?;
        if self.stdout.said.borrow().len() > HEARD {
            return Err(Errno::EFBIG.into());
        }
        Ok(heard)
    }

    /// Takes what it has said, up to and with a newline; nothing where there is no whole line.
    pub fn take_line(&self) -> Option<Vec<u8>> {
        let mut said = self.stdout.said.borrow_mut();
        let end = said.iter().position(|byte| *byte == b'\n')?;
        Some(said.drain(..=end).collect())
    }

    /// Takes all that it has said.
    pub fn take_all(&self) -> Vec<u8> {
        self.stdout.said.take()
    }

    /// Tells whether nothing more comes from its standard output, for it has closed that.
    pub fn is_silent(&self) -> bool {
        !self.stdout.open.get()
    }

    /// Returns the end of what it wrote to standard error.
    pub fn errors(&self) -> String {
        String::from_utf8_lossy(&self.stderr.said.borrow()).into_owned()
    }

    /// Returns how it ended, if it has.
    pub fn status(&self) -> Option<ExitStatus> {
        self.running.borrow_mut().child.try_wait().ok().flatten()
    }

    /// Ends it with all of its group: asks first, and kills what is there after the time of grace.
    pub async fn end(&self, grace: Duration) {
        if killpg(self.group, Signal::SIGTERM).is_ok() && self.status().is_none() {
            let _ = tokio::time::timeout(grace, self.ended.readable()).await;
        }
        let _ = killpg(self.group, Signal::SIGKILL);
        let _ = self.running.borrow_mut().child.wait();
    }
}

impl Pipe {
    fn new(fd: Option<OwnedFd>) -> io::Result<Self> {
        let fd = fd.ok_or(Errno::EBADF)?;
        Ok(Self {
            receiver: pipe::Receiver::from_owned_fd(fd)?,
            open: Cell::new(true),
            said: RefCell::default(),
        })
    }

    /// Waits until there is something to read; for ever once nothing comes any more.
    async fn readable(&self) -> io::Result<()> {
        if self.open.get() {
            return self.receiver.readable().await;
        }
        pending().await
    }

    /// Reads what is there, and keeps so many bytes of the end.
    fn take_in(&self, kept: usize) -> io::Result<()> {
        let mut chunk = [0; 4096];
        let mut said = self.said.borrow_mut();
        while self.open.get() {
            match self.receiver.try_read(&mut chunk) {
                Ok(0) => self.open.set(false),
                Ok(length) => {
                    said.extend(&chunk[..length]);
                    let surplus = said.len().saturating_sub(kept);
                    said.drain(..surplus);
                    if surplus > 0 {
                        // Whoever says so much is not waited for.
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn sender(fd: OwnedFd) -> io::Result<Rc<pipe::Sender>> {
    Ok(Rc::new(pipe::Sender::from_owned_fd(fd)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(work)
    }

    fn sh(script: &str) -> Companion {
        let mut command = Command::new("/bin/sh");
        Companion::start(command.args(["-c", script])).unwrap()
    }

    async fn line_of(companion: &Companion) -> Vec<u8> {
        loop {
            if let Some(line) = companion.take_line() {
                return line;
            }
            assert_eq!(companion.listen().await.unwrap(), Listened::More);
        }
    }

    #[test]
    fn it_is_told_and_heard_again_and_again() {
        block_on(async {
            let companion = sh("while read -r line; do echo \"$line\" again; done");
            for word in ["one", "two"] {
                companion
                    .tell(format!("{word}\n").as_bytes())
                    .await
                    .unwrap();
                let line = line_of(&companion).await;
                assert_eq!(line, format!("{word} again\n").into_bytes());
            }
            companion.close();
            while companion.listen().await.unwrap() != Listened::End {}
            assert_eq!(companion.status().and_then(|it| it.code()), Some(0));
        });
    }

    #[test]
    fn its_end_is_heard_although_another_holds_its_pipes() {
        block_on(async {
            let companion = sh("sleep 1000 & echo yes; echo no >&2; exit 3");
            while companion.listen().await.unwrap() != Listened::End {}
            assert_eq!(companion.take_all(), b"yes\n");
            assert_eq!(companion.errors(), "no\n");
            assert_eq!(companion.status().and_then(|it| it.code()), Some(3));
            companion.end(Duration::ZERO).await;
        });
    }

    #[test]
    fn who_says_too_much_is_not_heard_any_longer() {
        block_on(async {
            let companion = sh("yes | tr -d '\\n'");
            let error = loop {
                match companion.listen().await {
                    Ok(_) => assert_eq!(companion.take_line(), None),
                    Err(error) => break error,
                }
            };
            assert_eq!(error.raw_os_error(), Some(Errno::EFBIG as i32));
        });
    }

    #[test]
    fn who_asks_for_grace_gets_it_and_who_does_not_listen_is_killed() {
        use std::os::unix::process::ExitStatusExt as _;

        block_on(async {
            for (script, code, signal) in [
                ("trap 'exit 7' TERM; echo; sleep 1000 & wait", Some(7), None),
                ("trap '' TERM; echo; sleep 1000 & wait; wait", None, Some(9)),
            ] {
                let companion = sh(script);
                line_of(&companion).await;
                let grace = Duration::from_millis(if code.is_some() { 20_000 } else { 50 });
                companion.end(grace).await;
                let status = companion.running.borrow_mut().child.wait().unwrap();
                assert_eq!((status.code(), status.signal()), (code, signal), "{script}");
            }
        });
    }
}
