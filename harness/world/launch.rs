//! The starter's side of a world: a process of our own program, its requests and its events.
//!
//! A process with threads cannot make a user namespace (`unshare` answers `EINVAL`), and every test
//! runs in one; so each world is a new process of the same program. It reads one line of request
//! from standard input, which then stays open as its lifeline, and writes one line for each event.

use std::ffi::OsString;
use std::io::{self, BufRead, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::Pid;

use super::deadline;
use crate::kernel::wait;

/// The first argument of a process that is to become a world.
pub const WORLD_ARGUMENT: &str = "__netproof-world";

/// How much of a world's standard error is kept, in bytes; it is empty unless something is wrong.
const STDERR_KEPT: usize = 64 * 1024;

/// Tells whether the arguments of this process say that it is to become a world.
pub fn is_world_process(arguments: impl IntoIterator<Item = OsString>) -> bool {
    arguments
        .into_iter()
        .nth(1)
        .is_some_and(|argument| argument == WORLD_ARGUMENT)
}

/// Reads the one line of request from standard input and leaves it open.
///
/// # Errors
///
/// Standard input cannot be read, or ends before the line does.
pub fn read_request() -> io::Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    if line.pop() != Some('\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line)
}

/// Why the process of a world could not be started or heard.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} the world's process {}", program.display())]
pub struct LaunchError {
    /// What failed: start, ask or hear.
    pub what: &'static str,
    /// The program.
    pub program: PathBuf,
    /// The system's reason.
    #[source]
    pub source: io::Error,
}

/// How a world's process is started.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The program, which must call its world entry before anything else.
    pub program: PathBuf,
    /// How long the world may live.
    pub deadline: Duration,
}

impl Default for Launch {
    fn default() -> Self {
        Self {
            program: "/proc/self/exe".into(),
            deadline: deadline::SCENARIO,
        }
    }
}

/// A world's process, as its starter sees it. Dropping it ends the world.
#[derive(Debug)]
pub struct WorldProcess {
    program: PathBuf,
    deadline: Instant,
    child: Child,
    /// Open for as long as the world may live.
    lifeline: Option<ChildStdin>,
    events: Option<ChildStdout>,
    errors: Option<ChildStderr>,
    unread: Vec<u8>,
    stderr: Vec<u8>,
}

/// What a world's process gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// One event, without its newline.
    Event(String),
    /// The world is gone.
    End,
    /// The world outlived its deadline and was killed.
    Late,
}

impl Launch {
    /// Starts a world's process and hands it its request, one line of text.
    ///
    /// # Errors
    ///
    /// The program cannot be started, or does not take the request.
    pub fn start(&self, request: &str) -> Result<WorldProcess, LaunchError> {
        let failed = |what| {
            let program = self.program.clone();
            move |source| LaunchError {
                what,
                program,
                source,
            }
        };
        let mut child = Command::new(&self.program)
            .arg(WORLD_ARGUMENT)
            // Nothing in a world may depend on the environment that it was started in.
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed("start"))?;
        let (mut lifeline, events, errors) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let mut world = WorldProcess {
            program: self.program.clone(),
            deadline: Instant::now() + self.deadline,
            child,
            lifeline: None,
            events,
            errors,
            unread: Vec::new(),
            stderr: Vec::new(),
        };
        world.prepare().map_err(failed("hear"))?;
        if let Some(pipe) = &mut lifeline {
            let line = format!("{request}\n");
            match pipe.write_all(line.as_bytes()) {
                // It died before it read: what it said on standard error tells more.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                result => result.map_err(failed("ask"))?,
            }
        }
        world.lifeline = lifeline;
        Ok(world)
    }
}

impl WorldProcess {
    fn prepare(&self) -> io::Result<()> {
        for fd in [
            self.events.as_ref().map(AsFd::as_fd),
            self.errors.as_ref().map(AsFd::as_fd),
        ] {
            let Some(fd) = fd else { continue };
            fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        }
        Ok(())
    }

    /// Waits for the next event.
    ///
    /// # Errors
    ///
    /// The pipes cannot be read.
    pub fn next_line(&mut self) -> Result<Line, LaunchError> {
        self.try_next_line().map_err(|source| LaunchError {
            what: "hear",
            program: self.program.clone(),
            source,
        })
    }

    fn try_next_line(&mut self) -> io::Result<Line> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                return Ok(Line::Event(
                    String::from_utf8_lossy(&line[..end]).into_owned(),
                ));
            }
            if self.events.is_none() && self.errors.is_none() {
                return Ok(Line::End);
            }
            if !self.wait()? {
                self.kill();
                return Ok(Line::Late);
            }
            if !take(&mut self.events, &mut self.unread, usize::MAX)? {
                self.events = None;
            }
            if !take(&mut self.errors, &mut self.stderr, STDERR_KEPT)? {
                self.errors = None;
            }
        }
    }

    /// Waits until a pipe has something to say; tells whether one did in time.
    fn wait(&self) -> io::Result<bool> {
        let (events, errors) = (self.events.as_ref(), self.errors.as_ref());
        let pipes = events
            .map(AsFd::as_fd)
            .into_iter()
            .chain(errors.map(AsFd::as_fd));
        Ok(wait::until_readable(pipes, self.deadline)?)
    }

    /// Returns what the world wrote to standard error.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr).trim_end().to_owned()
    }

    /// Returns the program that runs the world.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Tells whether the world's first process is gone, and with it everything in the world; ends
    /// the world's right to live.
    pub fn is_gone(&mut self) -> bool {
        self.lifeline = None;
        matches!(self.child.try_wait(), Ok(Some(_)) | Err(_))
    }

    fn kill(&mut self) {
        // Init goes with its lifeline; the shim is killed in case it is what hangs.
        self.lifeline = None;
        let _ = self.child.kill();
    }

    /// Waits until the world's first process is gone, which takes everything in the world with it;
    /// kills it if it does not go. Returns how its runner ended, where that can be told.
    pub fn end(&mut self) -> Option<ExitStatus> {
        self.lifeline = None;
        if let Ok(Some(status)) = self.child.try_wait() {
            return Some(status);
        }
        let gone = i32::try_from(self.child.id())
            .ok()
            .and_then(|pid| super::sys::pidfd_open(Pid::from_raw(pid)).ok())
            .is_some_and(|fd| {
                let deadline = Instant::now() + deadline::LEAVING;
                wait::until_readable([fd.as_fd()], deadline).unwrap_or(false)
            });
        if !gone {
            let _ = self.child.kill();
        }
        self.child.wait().ok()
    }
}

impl Drop for WorldProcess {
    fn drop(&mut self) {
        // It must not stay behind as a zombie.
        let _ = self.end();
    }
}

/// Reads what is there, keeping up to `limit` bytes; tells whether the pipe is still open.
fn take(pipe: &mut Option<impl Read>, kept: &mut Vec<u8>, limit: usize) -> io::Result<bool> {
    let Some(pipe) = pipe else { return Ok(true) };
    let mut chunk = [0; 16 * 1024];
    loop {
        match pipe.read(&mut chunk) {
            Ok(0) => return Ok(false),
            Ok(length) => {
                let room = limit.saturating_sub(kept.len());
                kept.extend(&chunk[..length.min(room)]);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
