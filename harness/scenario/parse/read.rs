//! From a file to text: what can be wrong before the first character is read as YAML.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::{parse, parse_manifest};
use crate::scenario::diagnostic::{Diagnostic, Diagnostics};
use crate::scenario::limits::SIZE_MAX;
use crate::scenario::manifest::Manifest;
use crate::scenario::model::Scenario;
use crate::scenario::value::Span;

/// Reads a scenario from a file, and returns the file's text with it.
///
/// # Errors
///
/// As [`parse`]; also where there is no such file, it cannot be read, is not a regular file, is
/// larger than [`SIZE_MAX`] or is not text.
pub fn read(path: &Path) -> Result<(String, Scenario), Diagnostics> {
    read_by(path, parse)
}

/// Reads a manifest from a file, and returns the file's text with it.
///
/// # Errors
///
/// As [`read`].
pub fn read_manifest(path: &Path) -> Result<(String, Manifest), Diagnostics> {
    read_by(path, parse_manifest).map_err(Diagnostics::of_manifest)
}

/// How a text is read; the first argument is the name of the file.
type Reader<T> = fn(&str, &str) -> Result<T, Diagnostics>;

fn read_by<T>(path: &Path, parse: Reader<T>) -> Result<(String, T), Diagnostics> {
    let file = path.display().to_string();
    let bytes = bytes_of(path, &file).map_err(|problem| Diagnostics::one(&file, "", *problem))?;
    let value = parse_bytes_by(&file, &bytes, parse)?;
    Ok((String::from_utf8_lossy(&bytes).into_owned(), value))
}

/// Reads a scenario from bytes that have yet to prove that they are text.
///
/// # Errors
///
/// As [`parse`]; also where the bytes are not UTF-8, or hold a NUL.
pub fn parse_bytes(file: &str, bytes: &[u8]) -> Result<Scenario, Diagnostics> {
    parse_bytes_by(file, bytes, parse)
}

/// Reads a manifest from bytes that have yet to prove that they are text.
///
/// # Errors
///
/// As [`parse_bytes`].
pub fn parse_manifest_bytes(file: &str, bytes: &[u8]) -> Result<Manifest, Diagnostics> {
    parse_bytes_by(file, bytes, parse_manifest).map_err(Diagnostics::of_manifest)
}

fn parse_bytes_by<T>(file: &str, bytes: &[u8], parse: Reader<T>) -> Result<T, Diagnostics> {
    if bytes.len() > SIZE_MAX {
        return Err(Diagnostics::one(file, "", too_large(file)));
    }
    let text = String::from_utf8_lossy(bytes);
    let (start, problem) = match (not_utf8(bytes), bytes.iter().position(|byte| *byte == 0)) {
        (None, None) => return parse(file, &text),
        (_, _) if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") => {
            (0, "the file is UTF-16, not UTF-8")
        }
        // Up to the first bad byte the text has the offsets of the bytes.
        (Some(bad), nul) if nul.is_none_or(|nul| bad < nul) => (bad, "the file is not UTF-8"),
        (bad, nul) => {
            let start = nul.or(bad).unwrap_or_default();
            let span = one_character(&text, start);
            let problem = Diagnostic::new("binary-file", span, "the file is not text")
                .label("a NUL byte")
                .help("a scenario is a text file in YAML");
            return Err(Diagnostics::one(file, &text, problem));
        }
    };
    let byte = bytes.get(start).copied().unwrap_or_default();
    let problem = Diagnostic::new("invalid-utf8", one_character(&text, start), problem)
        .label(format!("byte {byte:#04x} begins no character"))
        .help("save the file as UTF-8");
    Err(Diagnostics::one(file, &text, problem))
}

/// Returns the offset of the first byte that is not UTF-8.
fn not_utf8(bytes: &[u8]) -> Option<usize> {
    std::str::from_utf8(bytes)
        .err()
        .map(|error| error.valid_up_to())
}

fn one_character(text: &str, start: usize) -> Span {
    let len = text[start..].chars().next().map_or(0, char::len_utf8);
    Span {
        start,
        end: start + len,
    }
}

/// Reads at most one byte more than a scenario may have.
fn bytes_of(path: &Path, name: &str) -> Result<Vec<u8>, Box<Diagnostic>> {
    let refused = |error: io::Error| Box::new(unreadable(name, &error));
    // Asked before it is opened: opening some devices does something.
    check_kind(&fs::metadata(path).map_err(refused)?, name)?;
    let file = open(path).map_err(refused)?;
    let metadata = file.metadata().map_err(refused)?;
    check_kind(&metadata, name)?;
    let limit = u64::try_from(SIZE_MAX).unwrap_or(u64::MAX);
    if metadata.len() > limit {
        return Err(too_large(name).into());
    }
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(refused)?;
    Ok(bytes)
}

/// Opens without waiting, should the file have become a FIFO that nobody writes to.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
}

fn check_kind(metadata: &fs::Metadata, name: &str) -> Result<(), Box<Diagnostic>> {
    let problem = if metadata.is_dir() {
        Diagnostic::of_file("file-is-directory", format!("`{name}` is a directory"))
            .help("name one scenario file in it")
    } else if !metadata.is_file() {
        Diagnostic::of_file(
            "file-not-regular",
            format!("`{name}` is not a regular file"),
        )
        .help("a scenario is read from a file, not from a pipe, socket or device")
    } else {
        return Ok(());
    };
    Err(problem.into())
}

fn unreadable(name: &str, error: &io::Error) -> Diagnostic {
    if error.kind() == io::ErrorKind::NotFound {
        return Diagnostic::of_file("file-not-found", format!("there is no file `{name}`"))
            .help("check the path; it is relative to the current directory");
    }
    let message = format!("`{name}` cannot be read: {}", error.kind());
    let help = match error.kind() {
        io::ErrorKind::PermissionDenied => "give yourself the right to read it: `chmod u+r`",
        _ => "check the path",
    };
    Diagnostic::of_file("file-not-readable", message).help(help)
}

/// The problem of a file that is larger than [`SIZE_MAX`].
pub(super) fn too_large(name: &str) -> Diagnostic {
    Diagnostic::of_file("file-too-large", format!("`{name}` is larger than 1 MiB"))
        .help("a scenario is a text file of a few kilobytes; is this the right file?")
}
