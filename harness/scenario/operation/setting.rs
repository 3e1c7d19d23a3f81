//! Network settings, as sysctl(8) names them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arguments::{Arguments, Mention, exec, word};
use crate::scenario::name::NodeName;
use crate::scenario::value::{Located, ValueError};

/// `sysctl -w KEY=VALUE`.
///
/// Only settings under `net.` can be set, since no other belongs to a node. A `/` in place of each
/// `.` lets an interface name hold a dot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sysctl {
    /// The node whose setting changes.
    #[serde(rename = "in")]
    pub node: Located<NodeName>,
    /// The setting, such as `net.ipv4.ip_forward`.
    pub key: Located<SysctlKey>,
    /// The value, as written to the file.
    pub value: Located<SysctlValue>,
}

/// The name of a network setting, such as `net.ipv4.ip_forward`.
///
/// Only `net.` settings belong to a network namespace, so only these can be set. As with
/// sysctl(8), `/` in place of `.` lets an interface name hold a dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SysctlKey(String);

/// The value of a network setting; a number in the file is read as its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SysctlValue(pub String);

impl SysctlKey {
    /// Returns the path under `/proc/sys`, such as `net/ipv4/ip_forward`.
    pub fn path(&self) -> String {
        if self.0.contains('/') {
            self.0.clone()
        } else {
            self.0.replace('.', "/")
        }
    }
}

impl std::str::FromStr for SysctlKey {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let key = Self(text.to_owned());
        let path = key.path();
        let plain = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if !path.starts_with("net/") || !plain || text.contains('\0') {
            return Err(ValueError::new(
                "bad-sysctl",
                format!("`{text}` is not a network setting"),
                "only settings under `net.` belong to a node, for example `net.ipv4.ip_forward`",
            ));
        }
        Ok(key)
    }
}

impl fmt::Display for SysctlKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for SysctlValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for SysctlValue {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text.contains(|c: char| c.is_control() && c != '\t') {
            return Err(ValueError::new(
                "bad-sysctl",
                "a setting needs one line of text as its value",
                "write the number or word that `sysctl -w` would get",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

crate::scenario::name::as_text!(SysctlKey, SysctlValue);

impl Arguments for Sysctl {
    fn mentions<'a>(&'a self, visit: &mut dyn FnMut(Mention<'a>)) {
        visit(Mention::Uses(&self.node.value, self.node.span));
    }

    fn command(&self) -> String {
        let setting = format!("{}={}", self.key, self.value);
        format!("{}sysctl -w {}", exec(&self.node), word(&setting))
    }
}
