//! The real programs, asked for what they refuse by themselves.

use nix::errno::Errno;

use super::OperationError;
use super::programs::bare;
use super::refusal::last_line;
use crate::scenario::Exec;
use crate::world::{World, run_in};

/// Runs a command as it is written, in its node.
///
/// # Errors
///
/// What the program says last, where it fails; that it is not there.
pub async fn exec(world: &World, exec: &Exec) -> Result<(), OperationError> {
    let Some((program, arguments)) = exec.argv.split_first() else {
        return Ok(());
    };
    let mut command = bare(program, arguments.iter().map(|word| word.as_str()));
    match run_in(world, &exec.node, &mut command).await {
        Ok((status, _)) if status.success() => Ok(()),
        Ok((_, said)) => Err(OperationError::RefusedByProgram {
            program: program.value.clone(),
            said: last_line(&String::from_utf8_lossy(&said)).to_owned(),
        }),
        Err(error) if error.reason.errno == Errno::ENOENT => {
            Err(OperationError::NoProgram(program.value.clone()))
        }
        Err(error) => Err(error.into()),
    }
}
