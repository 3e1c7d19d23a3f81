//! What programs of others have written in a furnished world.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::error::WorldError;
use super::furnish::{PLACES, failed};
use super::node::NETNS_DIR;

/// Lists what has been written in the places of a furnished world since it was made: everything that
/// is no folder, in the order of the paths, apart from those named and what is below them. Links are not
/// followed, and other mounts, such as those of containers and the names of nodes, not entered.
///
/// In a bare world it is what is in `/run`.
///
/// # Errors
///
/// A folder that cannot be read, unless it is gone.
pub fn written(apart_from: &[&Path]) -> Result<Vec<PathBuf>, WorldError> {
    let device = |path: &Path| fs::symlink_metadata(path).map(|found| found.dev()).ok();
    // One tmpfs has all places. What has another device number is the machine's.
    let own = device(Path::new("/run"));
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = PLACES.iter().map(|place| place.at.into()).collect();
    while let Some(folder) = folders.pop() {
        let skipped = folder == Path::new(NETNS_DIR) || apart_from.contains(&folder.as_path());
        if skipped || device(&folder) != own {
            continue;
        }
        let listed = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            listed => listed.map_err(|error| failed(&folder, &error))?,
        };
        for entry in listed.flatten() {
            // It may be gone by now.
            let Ok(found) = entry.metadata() else {
                continue;
            };
            let path = entry.path();
            if found.is_dir() {
                folders.push(path);
            } else if found.dev() == own.unwrap_or_default()
                && (found.mtime(), found.mtime_nsec()) != (0, 0)
                && !apart_from.contains(&path.as_path())
            {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
