//! Files that the program prints, and that are committed for readers and editors.

use std::fs;
use std::path::Path;
use std::process::Command;

pub(crate) const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Reads a file of the package.
pub(crate) fn committed(file: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(file)).unwrap()
}

/// Compares a file with what a verb of the program prints.
#[track_caller]
pub(crate) fn is_printed_by(file: &str, verb: &str) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_netproof"));
    let output = program.args(verb.split_whitespace()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(
        printed == committed(file),
        "it is out of date: `cargo run -- {verb} > {file}`"
    );
}
