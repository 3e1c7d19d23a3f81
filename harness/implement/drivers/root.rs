//! A root file system for containers of runtimes that make these themselves: one program, which waits.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::implement::driver::Broken;
use crate::implement::programs::path_of;

/// The program: it has to be linked statically, for there is nothing else in the root.
pub(super) const PROGRAM: &str = "busybox";

/// What runs in a container, for longer than any world lives. The first process of a container ends with
/// no signal that it does not handle, so it has to be killed.
pub(super) const WAIT: [&str; 2] = ["/bin/sleep", "1000000"];

/// What runtimes mount something on.
const FOLDERS: &[&str] = &["bin", "dev", "etc", "proc", "run", "sys", "tmp"];

/// Makes a root at a path, unless it is there.
pub(super) fn make_root(at: &str) -> Result<(), Broken> {
    let program = path_of(PROGRAM).ok_or_else(|| Broken(format!("there is no `{PROGRAM}`")))?;
    fill(Path::new(at), &program).map_err(|error| Broken(format!("{at}: {error}")))
}

fn fill(root: &Path, program: &PathBuf) -> io::Result<()> {
    let there = root.join("bin").join(PROGRAM);
    if there.exists() {
        return Ok(());
    }
    for folder in FOLDERS {
        fs::create_dir_all(root.join(folder))?;
    }
    symlink(PROGRAM, root.join("bin/sleep"))?;
    fs::copy(program, there)?;
    Ok(())
}
