//! `netproof show`.

use super::out::{print, print_error, unwritable};
use super::select::select;
use super::{Exit, ShowArgs};

/// Prints one scenario as a shell script.
pub(super) fn show(args: &ShowArgs) -> Exit {
    let selected = match select(std::slice::from_ref(&args.scenario)) {
        Ok(selected) => selected,
        Err(exit) => return exit,
    };
    // Two scripts in one would be one too many: each begins with nothing.
    let [only] = selected.as_slice() else {
        print_error(&format!(
            "error[several-scenarios]: `{}` is {} scenarios, and a script is one\n  \
             help: `netproof list {0}` names them\n",
            args.scenario.display(),
            selected.len()
        ));
        return Exit::Usage;
    };
    print(&only.scenario.script()).map_or_else(|error| unwritable(&error), |()| Exit::Pass)
}
