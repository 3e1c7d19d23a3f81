//! The `netproof` program.

use std::process::ExitCode;

use netproof::cli::{self, Exit};
use netproof::run::become_world;
use netproof::world::is_world_process;

#[expect(
    clippy::disallowed_methods,
    reason = "the program's own entry: is this process to be a world?"
)]
fn main() -> ExitCode {
    // Before anything starts a thread: a world has to be made by a process with one.
    if is_world_process(std::env::args_os()) {
        return ExitCode::from(become_world() as u8);
    }
    // A panic is a mistake of our own and has its own exit code.
    std::panic::catch_unwind(cli::main)
        .unwrap_or(Exit::Bug)
        .into()
}
