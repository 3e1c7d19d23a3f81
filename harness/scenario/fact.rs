//! What a step expects of the kernel's tables, line by line.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::claim::Claims;
use super::model::FactKind;
use super::name::NodeName;
use super::value::{Located, Span};

/// One item under `expect`: what a table of a node shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactExpectation {
    /// Which table.
    pub kind: FactKind,
    /// Whose, and what it shows.
    pub table: Table,
    /// The claims that it decides.
    pub claims: Claims,
    /// Where the key of the table stands.
    pub span: Span,
}

/// The lines of a node's table, each as a snapshot shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The node whose table it is.
    #[serde(rename = "in")]
    pub node: Located<NodeName>,
    /// Of all its lines, only those that begin with this count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<Located<String>>,
    /// All lines, in the order in which a snapshot shows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub are: Option<Located<Vec<Located<String>>>>,
    /// Lines that are among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub have: Vec<Located<String>>,
}

impl fmt::Display for FactExpectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = |lines: &[Located<String>]| -> String {
            let texts: Vec<&str> = lines.iter().map(|line| line.as_str()).collect();
            texts.join("; ")
        };
        write!(f, "{} in {}", self.kind.word(), self.table.node)?;
        if let Some(only) = &self.table.only {
            write!(f, ", {only}")?;
        }
        match &self.table.are {
            Some(all) if all.is_empty() => f.write_str(" are none"),
            Some(all) => write!(f, " are {}", lines(all)),
            None => write!(f, " have {}", lines(&self.table.have)),
        }
    }
}
