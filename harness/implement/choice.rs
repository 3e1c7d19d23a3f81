//! Which implementation carries operations out.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::manifest::ByManifest;
use super::{Implementation, Native};
use crate::scenario::{Diagnostics, Manifest, parse_manifest, read_manifest};

/// The manifests that the program carries, by the names of their files.
const CARRIED: &[(&str, &str)] = &[
    (
        "iproute2-iptables",
        include_str!("manifests/iproute2-iptables.yaml"),
    ),
    ("iproute2-nft", include_str!("manifests/iproute2-nft.yaml")),
    (
        "iptables-legacy",
        include_str!("manifests/iptables-legacy.yaml"),
    ),
    ("busybox", include_str!("manifests/busybox.yaml")),
];

/// An implementation, chosen and not made yet. It crosses the pipe to a world.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// netproof's own, over netlink.
    #[default]
    Native,
    /// The commands of a manifest.
    Manifest {
        /// The file that it was read from, for messages.
        file: String,
        /// The text of the file.
        text: String,
    },
}

impl Choice {
    /// Goes through the names of all implementations that the program has.
    pub fn names() -> impl Iterator<Item = &'static str> {
        std::iter::once("native").chain(CARRIED.iter().map(|(name, _)| *name))
    }

    /// Finds an implementation that the program has.
    pub fn named(name: &str) -> Option<Self> {
        if name == "native" {
            return Some(Self::Native);
        }
        let found = CARRIED.iter().find(|(of, _)| *of == name);
        found.map(|(name, text)| Self::Manifest {
            file: format!("harness/implement/manifests/{name}.yaml"),
            text: (*text).to_owned(),
        })
    }

    /// Reads and checks a manifest of somebody's own.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is no manifest that is right.
    pub fn read(path: &Path) -> Result<Self, Diagnostics> {
        let (text, _) = read_manifest(path)?;
        Ok(Self::Manifest {
            file: path.display().to_string(),
            text,
        })
    }

    /// Returns the manifest; none for the native implementation.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn manifest(&self) -> Result<Option<Manifest>, Diagnostics> {
        match self {
            Self::Native => Ok(None),
            Self::Manifest { file, text } => parse_manifest(file, text).map(Some),
        }
    }

    /// Makes the implementation, of which nothing has been asked yet.
    ///
    /// # Errors
    ///
    /// What is wrong with its manifest.
    pub fn make(&self) -> Result<Box<dyn Implementation>, Diagnostics> {
        Ok(match self.manifest()? {
            None => Box::new(Native::default()),
            Some(manifest) => Box::new(ByManifest(manifest)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_manifest_that_is_carried_is_right_and_called_as_its_file() {
        for name in Choice::names().skip(1) {
            let manifest = Choice::named(name).unwrap().manifest();
            let manifest = manifest.unwrap_or_else(|problems| panic!("{problems}"));
            assert_eq!(manifest.map(|it| it.name).as_deref(), Some(name));
        }
    }
}
