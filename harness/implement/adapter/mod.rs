//! Adapters: programs of others that speak the protocol, and all that they may do wrong.
//!
//! An adapter is not trusted: whatever it does instead of a reply is told in a sentence of its own, and
//! it is ended.

mod exec;
mod read;
mod script;
mod serve;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::driver::{Answered, Broken, Driver};
use super::programs::PATH;
use super::protocol::{Op, PROTOCOL, Reply, Request};
use crate::world::{Companion, World};
use exec::Exec;
use serve::Serve;

/// How an adapter is talked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// A process for each request.
    Exec,
    /// One process for the whole run.
    Serve,
}

impl Transport {
    /// Every transport.
    pub const ALL: [Self; 2] = [Self::Exec, Self::Serve];

    /// Returns the word that stands before the path of an adapter.
    pub fn word(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::Serve => "serve",
        }
    }
}

/// A program of others that speaks the protocol.
pub struct Adapter {
    way: Way,
}

enum Way {
    Exec(Exec),
    Serve(Serve),
}

/// A request as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Its number.
    pub seq: u64,
    /// The operation, by its name in the protocol.
    pub op: String,
    /// One JSON object on one line, without the newline.
    pub line: String,
    /// The folder that the adapter starts in.
    pub workdir: PathBuf,
    /// How long the reply may take.
    pub deadline: Duration,
}

impl Adapter {
    /// Makes one of which nothing has been asked yet. With `validating`, replies are held against
    /// their schema, too.
    pub fn new(path: &Path, transport: Transport, validating: bool) -> Self {
        let program = path.to_owned();
        let way = match transport {
            Transport::Exec => Way::Exec(Exec::new(program, validating)),
            Transport::Serve => Way::Serve(Serve::new(program, validating)),
        };
        Self { way }
    }

    /// Asks a request, whatever it says.
    ///
    /// # Errors
    ///
    /// There is no reply in time, or none that can be read.
    pub async fn answer(&self, question: &Question) -> Result<Reply, Broken> {
        match &self.way {
            Way::Exec(exec) => exec.answer(question).await,
            Way::Serve(serve) => serve.answer(question).await,
        }
    }

    /// Says goodbye; returns once nothing of the adapter runs any more that is known of.
    ///
    /// # Errors
    ///
    /// It does not reply, or does not end.
    pub async fn part(&self, question: &Question) -> Result<(), Broken> {
        match &self.way {
            Way::Exec(_) => Ok(()),
            Way::Serve(serve) => serve.part(question).await,
        }
    }

    /// Tells whether it has to be told that nothing more is asked.
    pub fn is_served(&self) -> bool {
        matches!(self.way, Way::Serve(_))
    }
}

impl Question {
    /// Writes a request down.
    ///
    /// # Errors
    ///
    /// It cannot be written, which is netproof's own mistake.
    pub fn of(request: &Request) -> Result<Self, Broken> {
        let value = serde_json::to_value(request).map_err(|error| Broken(error.to_string()))?;
        let op = value.get("op").and_then(Value::as_str).unwrap_or_default();
        let op = op.to_owned();
        Ok(Self {
            seq: request.seq,
            op,
            line: serde_json::to_string(request).map_err(|error| Broken(error.to_string()))?,
            workdir: request.workdir.clone().into(),
            deadline: Duration::from_millis(request.deadline_ms),
        })
    }
}

impl Driver for Adapter {
    fn ask<'a>(&'a self, _: &'a World, request: &'a Request) -> Answered<'a> {
        Box::pin(async {
            let question = Question::of(request)?;
            if request.op == Op::Bye {
                return self
                    .part(&question)
                    .await
                    .map(|()| Reply::done(request.seq));
            }
            self.answer(&question).await
        })
    }

    fn is_adapter(&self) -> bool {
        true
    }
}

/// Starts the program in the workdir, which is there afterwards.
fn start(program: &Path, workdir: &Path) -> Result<Companion, Broken> {
    std::fs::create_dir_all(workdir).map_err(|error| {
        Broken(format!(
            "no workdir {} can be made: {error}",
            workdir.display()
        ))
    })?;
    let mut command = Command::new(program);
    command
        .current_dir(workdir)
        .env_clear()
        .env("PATH", PATH)
        .env("LC_ALL", "C")
        .env("NETPROOF_PROTOCOL", PROTOCOL.to_string());
    Companion::start(&mut command).map_err(|error| {
        let why = match script::problem(program) {
            Some(problem) => problem,
            None => error.reason.to_string(),
        };
        Broken(format!("{} cannot be started: {why}", program.display()))
    })
}

/// How many lines of what it said last are told: what went wrong stands often before where it did.
const LAST_LINES: usize = 3;

/// Says what it wrote last to standard error, where it wrote anything.
fn last_words(companion: &Companion) -> String {
    let errors = companion.errors();
    let lines = errors
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let mut last: Vec<String> = lines.rev().take(LAST_LINES).map(shortened).collect();
    last.reverse();
    last.dedup();
    match last.as_slice() {
        [] => String::new(),
        lines => format!("; it said last: {}", lines.join(" / ")),
    }
}

/// How a process ended, in words.
fn how(companion: &Companion) -> String {
    use std::os::unix::process::ExitStatusExt as _;

    let Some(status) = companion.status() else {
        return "it ended".to_owned();
    };
    if let Some(signal) = status.signal() {
        return match nix::sys::signal::Signal::try_from(signal) {
            Ok(signal) => format!("it was ended by {signal}"),
            Err(_) => format!("it was ended by signal {signal}"),
        };
    }
    format!("it ended with status {}", status.code().unwrap_or_default())
}

fn no_reply_in_time(question: &Question, companion: &Companion) -> Broken {
    let (op, limit) = (&question.op, question.deadline.as_millis());
    Broken(format!(
        "no reply to `{op}` within {limit} ms{}",
        last_words(companion)
    ))
}

/// Why a program cannot be heard any more.
fn unheard(error: &std::io::Error) -> Broken {
    if error.raw_os_error() == Some(nix::errno::Errno::EFBIG as i32) {
        let limit = crate::world::HEARD / 1024 / 1024;
        return Broken(format!("a reply is longer than {limit} MiB"));
    }
    Broken(format!("it cannot be heard: {error}"))
}

/// Cuts what is quoted in a sentence.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 100;
    let text = text.trim().escape_debug().to_string();
    let text = text.replace("\\\"", "\"").replace("\\'", "'");
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    }
}
