//! Exit codes.

use std::process::ExitCode;

/// The table of exit codes, for the help.
pub(super) const TABLE: &str = "\
Exit codes:
  0  everything that this machine's kernel has the means for passes
  1  a verdict is fail, or could not be reached
  2  the command line or a scenario is wrong; nothing was run
  3  this machine or the implementation has no means for any of it; the message says why
  4  a mistake of netproof's own";

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Everything that this machine's kernel has the means for passes.
    Pass = 0,
    /// A verdict is fail, or could not be reached.
    Fail = 1,
    /// The command line or a scenario is wrong; nothing was run.
    Usage = 2,
    /// This machine, or the implementation, has no means for any of it.
    Machine = 3,
    /// A mistake of netproof's own.
    Bug = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
