//! Scripts that the kernel cannot start, and why: its own error says only that something is not there.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

/// How much of a script's first line the kernel reads, in bytes (`BINPRM_BUF_SIZE`).
const LONGEST_FIRST_LINE: u64 = 256;

/// What is wrong with the first line of a script, by which the kernel finds who reads it. Source:
/// `load_script`, fs/binfmt_script.c, and execve(2): the error is about the interpreter, and does not name it.
pub(super) fn problem(script: &Path) -> Option<String> {
    let file = File::open(script).ok()?;
    let mut line = Vec::new();
    BufReader::new(file.take(LONGEST_FIRST_LINE))
        .read_until(b'\n', &mut line)
        .ok()?;
    if line.starts_with(b"\x7fELF") {
        return None;
    }
    let Some(rest) = line.strip_prefix(b"#!") else {
        return Some("its first line has no `#!` with who is to read it".to_owned());
    };
    let words = String::from_utf8_lossy(rest);
    let words = words.trim_end_matches('\n').trim_start_matches([' ', '\t']);
    let interpreter = words.split([' ', '\t']).next().unwrap_or_default();
    if interpreter.ends_with('\r') {
        return Some("its first line ends with a carriage return, as on Windows".to_owned());
    }
    (!Path::new(interpreter).is_file())
        .then(|| format!("its interpreter `{interpreter}` is not there, as far as a world can see"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::no_line("echo hello\n", Some("no `#!`"))]
    #[case::not_there("#!/usr/bin/pearl -w\n", Some("`/usr/bin/pearl` is not there"))]
    #[case::of_windows("#!/bin/sh\r\n", Some("carriage return"))]
    #[case::right("#! /bin/sh -e\n", None)]
    #[case::a_program("\x7fELF", None)]
    fn what_is_wrong_with_a_script_is_told(#[case] text: &str, #[case] problem_is: Option<&str>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let found = problem(file.path());
        assert_eq!(found.is_some(), problem_is.is_some(), "{found:?}");
        let words = (found.unwrap_or_default(), problem_is.unwrap_or_default());
        assert!(words.0.contains(words.1), "{}", words.0);
    }
}
