//! Settings under `/proc/sys`. Those under `net/` are those of the calling thread's network
//! namespace.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use super::KernelError;

fn file(path: &str) -> PathBuf {
    PathBuf::from("/proc/sys").join(path)
}

/// Reads a setting, given as a path under `/proc/sys` such as `net/ipv4/ip_forward`.
///
/// # Errors
///
/// `ENOENT` if the kernel does not have it, `EACCES` if it may not be read.
pub fn read(path: &str) -> Result<String, KernelError> {
    fs::read_to_string(file(path))
        .map(|text| text.trim_end().to_owned())
        .map_err(|error| KernelError::from_io(&error))
}

/// Writes a setting, given as a path under `/proc/sys` such as `net/ipv4/ip_forward`.
///
/// # Errors
///
/// `ENOENT` if the kernel does not have it, `EACCES` if it may not be written, `EINVAL` if it does
/// not take the value.
pub fn write(path: &str, value: &str) -> Result<(), KernelError> {
    fs::OpenOptions::new()
        .write(true)
        .open(file(path))
        .and_then(|mut file| file.write_all(value.as_bytes()))
        .map_err(|error| KernelError::from_io(&error))
}

/// Lists the entries of a directory under `/proc/sys`, sorted; empty if it is not there.
pub fn list(path: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(file(path))
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}
