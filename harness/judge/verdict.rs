//! The words for how something came out.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How an expectation, a snapshot or a scenario came out.
///
/// The order is that of weight: a scenario is as bad as the worst thing in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is as expected.
    Pass,
    /// It fails, and is known to.
    Xfail,
    /// It was left out on purpose.
    Skipped,
    /// This kernel or implementation does not have what it needs.
    Unsupported,
    /// It passes, but is listed as failing.
    Xpass,
    /// It is not as expected.
    Fail,
    /// It could not be decided.
    Error,
}

impl Verdict {
    /// Every verdict, in the order of weight.
    pub const ALL: [Self; 7] = [
        Self::Pass,
        Self::Xfail,
        Self::Skipped,
        Self::Unsupported,
        Self::Xpass,
        Self::Fail,
        Self::Error,
    ];

    /// Returns the word that reports use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Xfail => "xfail",
            Self::Skipped => "skipped",
            Self::Unsupported => "unsupported",
            Self::Xpass => "xpass",
            Self::Fail => "fail",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
