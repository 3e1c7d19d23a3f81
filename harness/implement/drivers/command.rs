//! The commands that drivers run.

use std::process::Command;

use crate::implement::driver::Broken;
use crate::implement::programs::PATH;
use crate::implement::protocol::Reply;
use crate::world::{Said, converse};

/// Begins a command with nothing in its environment but where programs are.
pub(super) fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .env("LC_ALL", "C");
    command
}

/// Runs a command to its end, hands it `input`, and returns what it said.
///
/// # Errors
///
/// It cannot be started, or says more than is heard. That it fails is no error.
pub(super) async fn run(command: &mut Command, input: &str) -> Result<Said, Broken> {
    let program = command.get_program().to_string_lossy().into_owned();
    let said = converse(command, input.as_bytes()).await;
    said.map_err(|error| Broken(format!("{program}: {error}")))
}

/// Runs a command to its end, and returns what it wrote to standard output where it succeeded.
///
/// # Errors
///
/// As [`run`].
pub(super) async fn obey(command: &mut Command) -> Result<Result<String, Refusal>, Broken> {
    let said = run(command, "").await?;
    Ok(match said.status.success() {
        true => Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned()),
        false => Err(Refusal::said(&said)),
    })
}

/// What a program says when it does not do what it is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub(super) struct Refusal {
    code: String,
    message: String,
}

impl Refusal {
    /// Takes what a program said that ended with a failure: on standard error, else on standard output.
    pub(super) fn said(said: &Said) -> Self {
        let (errors, output) = (
            String::from_utf8_lossy(&said.stderr),
            String::from_utf8_lossy(&said.stdout),
        );
        let all = [errors.trim(), output.trim()];
        let message = all.into_iter().find(|text| !text.is_empty());
        Self::of(said, message.unwrap_or("it does not say why"))
    }

    /// Takes a message that was found in what a program said.
    pub(super) fn of(said: &Said, message: &str) -> Self {
        let code = said.status.code();
        Self {
            code: code.map_or_else(|| said.status.to_string(), |code| format!("exit {code}")),
            message: message.to_owned(),
        }
    }

    /// Makes a reply to a request of what was done or refused.
    pub(super) fn reply(seq: u64, done: Result<(), Self>) -> Reply {
        match done {
            Ok(()) => Reply::done(seq),
            Err(Self { code, message }) => Reply::failed(seq, code, message),
        }
    }
}

/// Returns the first line that a program wrote.
pub(super) fn first_line(output: &[u8]) -> &str {
    let text = std::str::from_utf8(output).unwrap_or_default();
    text.lines().next().unwrap_or_default().trim()
}
