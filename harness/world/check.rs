//! What was found of one thing that netproof can use, as data.

use serde::{Deserialize, Serialize};

/// Whether something is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// There, and in nobody's way.
    Ok,
    /// There, but not for everything that netproof can do.
    Limited,
    /// Not there, or of no use.
    Missing,
}

impl Status {
    /// Returns the word that stands for the status.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Limited => "limited",
            Self::Missing => "missing",
        }
    }
}

/// One thing that was looked at, what was found, and what mends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was looked at: a group and a name, such as `kernel/veth`.
    pub check: String,
    /// Whether it is there.
    pub status: Status,
    /// What was found.
    pub detail: String,
    /// Why that is an obstacle, and to what.
    pub cause: Option<String>,
    /// What the person at the machine can do about it.
    pub cure: Option<String>,
}

impl Check {
    /// Makes the row of something that is in nobody's way.
    pub fn ok(check: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            check: check.into(),
            status: Status::Ok,
            detail: detail.into(),
            cause: None,
            cure: None,
        }
    }

    /// Makes the row of something that is not there, with no word about why.
    pub fn absent(check: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            status: Status::Missing,
            ..Self::ok(check, detail)
        }
    }

    /// Says why it is an obstacle, and what mends it.
    #[must_use]
    pub fn because(
        self,
        status: Status,
        cause: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self {
            status,
            cause: Some(cause.into()),
            cure: Some(cure.into()),
            ..self
        }
    }
}
