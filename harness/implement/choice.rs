//! Which implementation carries operations out.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::adapter::{Adapter, Transport};
use super::drivers::{self, DRIVERS, DriverInfo};
use super::intents::Intents;
use super::lowered::Lowered;
use super::manifest::ByManifest;
use super::{Implementation, Native};
use crate::scenario::{Deviation, Diagnostics, Manifest, parse_manifest, read_manifest, suggest};
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
    /// A program of somebody else that speaks the protocol.
    Adapter {
        /// The program, an absolute path.
        path: PathBuf,
        /// How it is talked to.
        transport: Transport,
    },
}

/// Why nothing can be chosen by a name.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ChoiceError {
    /// There is nothing of that name.
    #[error("there is no file and no implementation `{name}`")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What may have been meant.
        help: String,
    },
    /// There is no such file.
    #[error("there is no adapter `{0}`")]
    NoAdapter(String),
    /// The file is no program.
    #[error("the adapter `{0}` is no file that can be executed")]
    NoProgram(String),
    /// What is wrong with a manifest.
    #[error(transparent)]
    Manifest(#[from] Diagnostics),
}

impl ChoiceError {
    /// Returns what can be done about it.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Unknown { help, .. } => Some(help.clone()),
            Self::NoAdapter(_) => Some("an adapter is a file: `exec:./adapter.sh`".to_owned()),
            Self::NoProgram(path) if path.ends_with(".yaml") || path.ends_with(".yml") => Some(
                format!("a manifest is no program, and named as it is: `{path}`"),
            ),
            Self::NoProgram(path) if Path::new(path).is_dir() => {
                Some(format!("a folder is no adapter; name the file in `{path}`"))
            }
            Self::NoProgram(path) => Some(format!(
                "make it one: `chmod +x {path}`; a script begins with `#!`"
            )),
            Self::Manifest(_) => None,
        }
    }
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

    /// Finds what is meant on a command line: one that the program has, `exec:PATH` or `serve:PATH` of an
    /// adapter, or a file, which is an adapter where it can be executed, and else a manifest.
    ///
    /// # Errors
    ///
    /// There is no such thing, or it cannot be used.
    pub fn parse(text: &str) -> Result<Self, ChoiceError> {
        if let Some(choice) = Self::named(text) {
            return Ok(choice);
        }
        for transport in Transport::ALL {
            let rest = text.strip_prefix(transport.word());
            if let Some(path) = rest.and_then(|rest| rest.strip_prefix(':')) {
                return Self::adapter(path, transport);
            }
        }
        let path = Path::new(text);
        let is_manifest = path
            .extension()
            .is_some_and(|it| it == "yaml" || it == "yml");
        if !path.exists() {
            let names: Vec<&str> = Self::names().collect();
            let ways = Transport::ALL.map(Transport::word);
            let help = match text.split_once(':') {
                Some((way, path)) => match suggest::closest(way, ways) {
                    Some(close) => format!("did you mean `{close}:{path}`?"),
                    None => "an adapter is named as `exec:PATH` or `serve:PATH`".to_owned(),
                },
                None => suggest::help(text, &names),
            };
            return Err(ChoiceError::Unknown {
                name: text.to_owned(),
                help,
            });
        }
        if !is_manifest && is_program(path) {
            return Self::adapter(text, Transport::Exec);
        }
        Ok(Self::read(path)?)
    }

    /// Finds an adapter. Links are followed, so that the program is found where nothing else is.
    fn adapter(path: &str, transport: Transport) -> Result<Self, ChoiceError> {
        let found = std::fs::canonicalize(path);
        let found = found.map_err(|_| ChoiceError::NoAdapter(path.to_owned()))?;
        if !is_program(&found) {
            return Err(ChoiceError::NoProgram(path.to_owned()));
        }
        let path = found;
        Ok(Self::Adapter { path, transport })
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
            Self::Native | Self::Driver { .. } | Self::Adapter { .. } => Ok(None),
            Self::Manifest { file, text } => parse_manifest(file, text).map(Some),
        }
    }

    /// Returns the name under which it is reported.
    pub fn name(&self) -> String {
        match self {
            Self::Native => "native".to_owned(),
            Self::Driver { name } => name.clone(),
            Self::Adapter { path, .. } => {
                let name = path.file_name().unwrap_or_default();
                name.to_string_lossy().into_owned()
            }
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
            Self::Adapter { transport, .. } => {
                format!("an adapter, talked to by {}", transport.word())
            }
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
        matches!(self, Self::Driver { .. } | Self::Adapter { .. })
    }

    /// Returns what its worlds need beside their namespaces.
    pub fn interior(&self) -> Interior {
        match self {
            Self::Driver { .. } => Interior::Furnished { visible: vec![] },
            Self::Adapter { path, .. } => Interior::showing(path),
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
            Self::Native | Self::Manifest { .. } | Self::Adapter { .. } => None,
        }
    }

    /// Makes the implementation, of which nothing has been asked yet, for a scenario with intents or one
    /// without, in a world of that tier. A reply to an intent may take as long as the deadline.
    ///
    /// # Errors
    ///
    /// What is wrong with its manifest.
    pub fn make(
        &self,
        with_intents: bool,
        deadline: Duration,
        tier: Tier,
    ) -> Result<Box<dyn Implementation>, Diagnostics> {
        if let Some(info) = self.driver() {
            let driver = (info.make)();
            let intents = Intents::new(info.name, driver, with_intents, deadline, tier);
            return Ok(Box::new(intents));
        }
        if let Self::Adapter { path, transport } = self {
            let driver = Box::new(Adapter::new(path, *transport, false));
            let intents = Intents::new(&self.name(), driver, with_intents, deadline, tier);
            return Ok(Box::new(intents));
        }
        let inner: Box<dyn Implementation> = match self.manifest()? {
            None => Box::new(Native::default()),
            Some(manifest) => Box::new(ByManifest(manifest)),
        };
        Ok(Box::new(Lowered::new(inner, with_intents)))
    }
}

/// Tells whether a file is one that somebody may execute.
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;

    let found = std::fs::metadata(path);
    found.is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::served("serve:fixtures/adapters/sample.py", Some(Transport::Serve))]
    #[case::started("exec:fixtures/adapters/sample.sh", Some(Transport::Exec))]
    #[case::by_its_file("fixtures/adapters/sample.sh", Some(Transport::Exec))]
    #[case::manifest("fixtures/adapters/sample.yaml", None)]
    #[case::carried("native", None)]
    fn the_way_to_talk_to_it_stands_before_its_path(
        #[case] text: &str,
        #[case] transport: Option<Transport>,
    ) {
        let found = match Choice::parse(text).unwrap() {
            Choice::Adapter { path, transport } => {
                assert!(path.is_absolute());
                Some(transport)
            }
            _ => None,
        };
        assert_eq!(found, transport);
    }

    #[rstest]
    #[case::name("nativ", "there is no file and no implementation `nativ`")]
    #[case::file("exec:./nothing", "there is no adapter `./nothing`")]
    #[case::folder("exec:docs", "the adapter `docs` is no file that can be executed")]
    #[case::text(
        "serve:README.md",
        "the adapter `README.md` is no file that can be executed"
    )]
    fn what_cannot_be_chosen_is_told_with_a_cure(#[case] text: &str, #[case] why: &str) {
        let error = Choice::parse(text).unwrap_err();
        assert_eq!(error.to_string(), why);
        assert!(error.help().is_some());
    }

    #[test]
    fn every_manifest_that_is_carried_is_right_and_called_as_its_file() {
        for (name, _) in CARRIED {
            let manifest = Choice::named(name).unwrap().manifest();
            let manifest = manifest.unwrap_or_else(|problems| panic!("{problems}"));
            assert_eq!(manifest.map(|it| it.name).as_deref(), Some(*name));
        }
    }
}
