//! `netproof show`.

use super::out::{print, unwritable};
use super::select::{one, step_of};
use super::{Exit, ShowArgs};

/// Prints one scenario as a shell script.
pub(super) fn show(args: &ShowArgs) -> Exit {
    // Two scripts in one would be one too many: each begins with nothing.
    let only = match one(&args.scenario, "a script is one") {
        Ok(only) => only,
        Err(exit) => return exit,
    };
    let script = if args.goal {
        match step_of(&only.scenario, args.step) {
            Ok(step) => only.scenario.goal_script(step),
            Err(exit) => return exit,
        }
    } else {
        only.scenario.script()
    };
    print(&script).map_or_else(|error| unwritable(&error), |()| Exit::Pass)
}
