//! From text to a [`Scenario`], or to everything that is wrong with it.
//!
//! Invariant: no other module but `value` names the YAML parser, and no message does.

pub(super) mod examples;
mod explain;
mod place;
mod read;
mod syntax;
mod wrong_value;

use serde::de::DeserializeOwned;

use super::diagnostic::{Diagnostic, Diagnostics};
use super::limits::{ALIASES_MAX, ANCHORS_MAX, DEPTH_MAX, SIZE_MAX, VALUES_MAX};
use super::manifest::{self, Manifest};
use super::model::Scenario;
use super::validate::validate;
use super::value::Span;

pub use read::{parse_bytes, parse_manifest_bytes, read, read_manifest};

/// Reads a scenario from its text; `file` is the name that messages give it.
///
/// # Errors
///
/// Returns everything that is wrong with the scenario. Where the text is not YAML, or not of the
/// format's shape, that is the first such problem; otherwise it is all of them.
///
/// ```
/// use netproof::scenario::parse;
///
/// let text = "
/// title: A loopback interface
/// nodes: [web]
/// steps:
///   - name: Set it up
///     do:
///       - up: web/lo
/// ";
/// let scenario = parse("loopback.yaml", text)?;
/// assert_eq!(scenario.steps[0].operations[0].operation.command(), "ip -n web link set lo up");
///
/// let wrong = text.replace("web/lo", "wbe/lo");
/// let problems = parse("loopback.yaml", &wrong).unwrap_err();
/// assert_eq!(problems.to_string(), "
/// error[undeclared-node]: there is no node `wbe`
///  --> loopback.yaml:7:13
///   |
/// 7 |       - up: wbe/lo
///   |             ^^^ not among `nodes`, and never added
///   |
///   = help: did you mean `web`?".trim_start());
/// # Ok::<(), netproof::scenario::Diagnostics>(())
/// ```
pub fn parse(file: &str, text: &str) -> Result<Scenario, Diagnostics> {
    if text.len() <= SIZE_MAX && has_no_content(text) {
        let start = Span { start: 0, end: 0 };
        let problem = Diagnostic::new("empty-file", start, "the file holds no scenario")
            .label("nothing that could be run")
            .help("a scenario has the keys `title`, `nodes` and `steps`");
        return Err(Diagnostics::one(file, text, problem));
    }
    let scenario: Scenario = from_text(file, text)?;
    match Diagnostics::new(file, text, validate(&scenario, text)) {
        Some(problems) => Err(problems),
        None => Ok(scenario),
    }
}

/// Reads a manifest from its text; `file` is the name that messages give it.
///
/// # Errors
///
/// As [`parse`].
///
/// ```
/// use netproof::scenario::parse_manifest;
///
/// let text = "
/// name: mine
/// about: iproute2
/// needs: [ip]
/// operations:
///   up: [ip, [-n, <up.node|elsewhere>], link, set, dev, <up.ifname>, up]
/// ";
/// let manifest = parse_manifest("mine.yaml", text)?;
/// assert_eq!(manifest.verbs().collect::<Vec<_>>(), ["up"]);
///
/// let wrong = text.replace("<up.ifname>", "<ifname>");
/// let problems = parse_manifest("mine.yaml", &wrong).unwrap_err();
/// assert_eq!(problems.problems()[0].message, "`up` has no key `ifname`");
/// # Ok::<(), netproof::scenario::Diagnostics>(())
/// ```
pub fn parse_manifest(file: &str, text: &str) -> Result<Manifest, Diagnostics> {
    if text.len() <= SIZE_MAX && has_no_content(text) {
        let start = Span { start: 0, end: 0 };
        let problem = Diagnostic::new("empty-file", start, "the file holds no manifest")
            .label("nothing that could be run")
            .help("a manifest has the keys `name`, `about` and `operations`");
        return Err(Diagnostics::one(file, text, problem));
    }
    let raw = from_text(file, text).map_err(Diagnostics::of_manifest)?;
    manifest::check(raw, text).map_err(|problems| Diagnostics::from_problems(file, text, problems))
}

/// Reads a value of the format's shape.
fn from_text<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, Diagnostics> {
    if text.len() > SIZE_MAX {
        return Err(Diagnostics::one(file, "", read::too_large(file)));
    }
    serde_yaml::from_str_with_options(text, options())
        .map_err(|error| Diagnostics::one(file, text, explain::explain(&error, text)))
}

/// Reads one item, for tests.
#[cfg(test)]
pub(in crate::scenario) fn item(text: &str) -> Option<crate::scenario::Item> {
    serde_yaml::from_str(text).ok()
}

/// Tells whether a file has nothing but blank lines, comments and document marks.
fn has_no_content(text: &str) -> bool {
    text.trim_start_matches('\u{feff}').lines().all(|line| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#') || matches!(line, "---" | "..." | "~" | "null")
    })
}

/// One obvious way to say a thing: no merge keys, no tags, no `yes` for `true`. What the limits
/// refuse is no scenario, but a file that was made to use up memory.
fn options() -> serde_yaml::Options {
    serde_yaml::options! {
        with_snippet: false,
        strict_booleans: true,
        merge_keys: serde_yaml::MergeKeyPolicy::Error,
        reject_unsupported_tags: true,
        ignore_binary_tag_for_string: true,
        alias_limits: serde_yaml::alias_limits! {
            max_total_replayed_events: VALUES_MAX,
        },
        budget: serde_yaml::budget! {
            max_nodes: VALUES_MAX,
            max_depth: DEPTH_MAX,
            max_anchors: ANCHORS_MAX,
            max_aliases: ALIASES_MAX,
            enforce_alias_anchor_ratio: false,
        },
    }
}
