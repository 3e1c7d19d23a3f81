//! Manifests: which commands carry operations out, as a file and without code.
//!
//! A manifest says for each verb which commands do it, as lists of words with placeholders for the
//! operation's keys. `docs/implementations.md` is the reference.

mod check;
mod keys;
mod raw;
mod render;
mod template;

use std::fmt;

use nix::errno::Errno;

pub(in crate::scenario) use check::check;

use self::template::Element;

/// Which commands carry operations out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The name under which it is chosen and reported.
    pub name: String,
    /// What it is, in one line.
    pub about: String,
    /// The command whose first line says which version is installed.
    pub version: Vec<String>,
    /// The programs that it runs.
    pub needs: Vec<String>,
    /// The words that come before a command in another node than `host`.
    enter: Vec<Element>,
    /// What programs say in place of the sentence of an error number.
    pub sentences: Vec<(String, Errno)>,
    /// What programs say where the kernel does not have what they ask it for.
    pub lacks: Vec<String>,
    /// The verbs that it has commands for, in the order of the file.
    operations: Vec<(&'static str, Vec<Alternative>)>,
    /// The scenarios that are known to come out otherwise.
    pub deviations: Vec<Deviation>,
}

/// A scenario that is known to come out otherwise with an implementation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deviation {
    /// The scenario, such as `concepts/routes`.
    pub scenario: String,
    /// What is otherwise, and why.
    pub reason: String,
    /// Where more is said of it.
    pub link: Option<String>,
    /// A text that the first reason of its failure has. Where it fails otherwise, nobody knew of that.
    pub saw: Option<String>,
}

impl Deviation {
    /// Tells whether a scenario that failed for this reason failed as is known.
    pub fn is_shown_by(&self, reason: &str) -> bool {
        self.saw.as_ref().is_none_or(|saw| reason.contains(saw))
    }
}

/// One way to carry a verb out: commands, one after another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Alternative {
    commands: Vec<Vec<Element>>,
}

/// Why a manifest has no commands for an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoWay {
    /// The verb.
    pub verb: &'static str,
    /// The keys that no way takes; empty where the verb has no commands at all.
    pub keys: Vec<String>,
}

impl Manifest {
    /// Every filter of a placeholder, as the reference writes it.
    pub const FILTERS: &'static [&'static str] = template::Filter::FORMS;

    /// The verbs that netproof carries out by itself, whoever does the rest.
    pub const NOT_ITS_OWN: &'static [&'static str] =
        &["listen", "tunnel", "exec", "network", "attach", "detach"];

    /// Goes through the verbs that it has commands for, in the order of the file.
    pub fn verbs(&self) -> impl Iterator<Item = &'static str> {
        self.operations.iter().map(|(verb, _)| *verb)
    }

    /// Finds what is known of a scenario that comes out otherwise.
    pub fn deviation(&self, scenario: &str) -> Option<&Deviation> {
        self.deviations.iter().find(|it| it.scenario == scenario)
    }
}

impl fmt::Display for NoWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no way to do `{}`", self.verb)?;
        for (at, key) in self.keys.iter().enumerate() {
            f.write_str(if at == 0 { " with " } else { ", " })?;
            write!(f, "`{key}`")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod carried;
