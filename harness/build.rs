//! Carries the scenarios and their snapshots in the binary: writes the list of both, which the
//! library includes.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

#[expect(
    clippy::disallowed_methods,
    reason = "cargo talks to build scripts through the environment"
)]
fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let mut text = String::new();
    for (list, folder, ending) in [
        ("SCENARIOS", "scenarios", "yaml"),
        ("SNAPSHOTS", "snapshots", "snap"),
    ] {
        println!("cargo::rerun-if-changed={folder}");
        let mut files = Vec::new();
        collect(&root.join(folder), ending, &mut files)?;
        files.sort();
        let _ = writeln!(text, "pub(super) const {list}: &[(&str, &str)] = &[");
        for file in files {
            let name = file
                .strip_prefix(root.join(folder))
                .unwrap_or(&file)
                .with_extension("");
            let _ = writeln!(text, "    ({name:?}, include_str!({file:?})),");
        }
        text.push_str("];\n");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("carried.rs"), text)
}

fn collect(folder: &Path, ending: &str, files: &mut Vec<PathBuf>) -> io::Result<()> {
    println!("cargo::rerun-if-changed={}", folder.display());
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, ending, files)?;
        } else if path.extension().is_some_and(|found| found == ending) {
            files.push(path);
        }
    }
    Ok(())
}
