//! Which implementation carries operations out.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::drivers::{self, DRIVERS, DriverInfo};
use super::intents::Intents;
use super::lowered::Lowered;
use super::manifest::ByManifest;
use super::{Implementation, Native};
use crate::scenario::{Deviation, Diagnostics, Manifest, parse_manifest, read_manifest};
use crate::world::{Interior, Tier};

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
    /// A real program that netproof drives itself.
    Driver {
        /// The name of the driver.
        name: String,
    },
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
        let manifests = CARRIED.iter().map(|(name, _)| *name);
        let drivers = DRIVERS.iter().map(|driver| driver.name);
        std::iter::once("native").chain(manifests).chain(drivers)
    }

    /// Finds an implementation that the program has.
    pub fn named(name: &str) -> Option<Self> {
        if name == "native" {
            return Some(Self::Native);
        }
        if DRIVERS.iter().any(|driver| driver.name == name) {
            let name = name.to_owned();
            return Some(Self::Driver { name });
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
            Self::Native | Self::Driver { .. } => Ok(None),
            Self::Manifest { file, text } => parse_manifest(file, text).map(Some),
        }
    }

    /// Returns the name under which it is reported.
    pub fn name(&self) -> String {
        match self {
            Self::Native => "native".to_owned(),
            Self::Driver { name } => name.clone(),
            Self::Manifest { file, .. } => {
                let manifest = self.manifest().ok().flatten();
                manifest.map_or_else(|| file.clone(), |it| it.name)
            }
        }
    }

    /// Returns what it is, in a line.
    pub fn about(&self) -> String {
        match self {
            Self::Native => "netproof's own, over netlink".to_owned(),
            Self::Driver { .. } => self.driver().map_or("", |it| it.about).to_owned(),
            Self::Manifest { .. } => {
                let manifest = self.manifest().ok().flatten();
                manifest.map_or_else(String::new, |it| it.about)
            }
        }
    }

    /// Returns the least privileges that the implementation runs with, as far as that is known.
    pub fn tier(&self) -> Tier {
        self.driver().map(|driver| driver.tier).unwrap_or_default()
    }

    /// Tells whether it takes networks and endpoints as they are, and no single commands.
    pub fn takes_intents(&self) -> bool {
        matches!(self, Self::Driver { .. })
    }

    /// Returns what its worlds need beside their namespaces.
    pub fn interior(&self) -> Interior {
        match self {
            Self::Driver { .. } => Interior::Furnished { visible: vec![] },
            Self::Native | Self::Manifest { .. } => Interior::Bare,
        }
    }

    /// Returns the scenarios that are known to come out otherwise; none where a manifest is wrong, which is
    /// told by the world that is to use it.
    pub fn deviations(&self) -> Vec<Deviation> {
        if let Some(driver) = self.driver() {
            return drivers::deviations(driver.name);
        }
        let manifest = self.manifest().ok().flatten();
        manifest.map(|it| it.deviations).unwrap_or_default()
    }

    /// Returns what is known of the driver, where it is one.
    pub fn driver(&self) -> Option<&'static DriverInfo> {
        match self {
            Self::Driver { name } => DRIVERS.iter().find(|driver| driver.name == name),
            Self::Native | Self::Manifest { .. } => None,
        }
    }

    /// Makes the implementation, of which nothing has been asked yet, for a scenario with intents or one
    /// without. A reply to an intent may take as long as the deadline.
    ///
    /// # Errors
    ///
    /// What is wrong with its manifest.
    pub fn make(
        &self,
        with_intents: bool,
        deadline: Duration,
    ) -> Result<Box<dyn Implementation>, Diagnostics> {
        if let Some(info) = self.driver() {
            let driver = (info.make)();
            let intents = Intents::new(info.name, driver, with_intents, deadline);
            return Ok(Box::new(intents));
        }
        let inner: Box<dyn Implementation> = match self.manifest()? {
            None => Box::new(Native::default()),
            Some(manifest) => Box::new(ByManifest(manifest)),
        };
        Ok(Box::new(Lowered::new(inner, with_intents)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_manifest_that_is_carried_is_right_and_called_as_its_file() {
        for (name, _) in CARRIED {
            let manifest = Choice::named(name).unwrap().manifest();
            let manifest = manifest.unwrap_or_else(|problems| panic!("{problems}"));
            assert_eq!(manifest.map(|it| it.name).as_deref(), Some(*name));
        }
    }
}
