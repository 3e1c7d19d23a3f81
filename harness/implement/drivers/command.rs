//! The commands that drivers run.

use std::process::Command;

use crate::implement::driver::Broken;
use crate::implement::programs::PATH;
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
