//! What is wrong with YAML that is not of the format's shape.

use serde_yaml::budget::BudgetBreach;
use serde_yaml::localizer::ExternalMessageSource;
use serde_yaml::{Error, Location};

use super::place::{Holder, excerpt, holder, key_before, span_of, word_at, word_before};
use super::{ALIASES_MAX, ANCHORS_MAX, DEPTH_MAX, VALUES_MAX, examples, syntax};
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::operation::Operation;
use crate::scenario::suggest;
use crate::scenario::value::{Span, unpack};

/// Explains an error of the parser.
pub(super) fn explain(error: &Error, text: &str) -> Diagnostic {
    let span = error
        .location()
        .map_or(Span { start: 0, end: 0 }, |location| {
            span_of(&location, text)
        });
    Reason { text, span }.explain(error)
}

/// The text of the file, and the place where the parser says that it is wrong.
struct Reason<'a> {
    text: &'a str,
    span: Span,
}

impl Reason<'_> {
    fn explain(&self, error: &Error) -> Diagnostic {
        match error {
            Error::WithSnippet { error, .. } => self.explain(error),
            Error::AliasError {
                error, locations, ..
            } => self.behind_alias(error, &locations.defined_location),
            Error::ExternalMessage { source, .. } => match source.as_ref() {
                ExternalMessageSource::Parser(error) => {
                    syntax::explain(error.kind(), self.span, self.text)
                }
                _ => self.not_understood(),
            },
            Error::Message { msg, .. } => self.message(msg),
            Error::SerdeUnknownField {
                field, expected, ..
            } => self.unknown_key(field, expected),
            Error::SerdeUnknownVariant {
                variant, expected, ..
            } => self.unknown_word(variant, expected),
            Error::SerdeMissingField { field, .. } => self.missing_key(field),
            Error::DuplicateMappingKey { key, .. } => self.duplicate_key(key.as_deref()),
            Error::Unexpected {
                expected: "string scalar",
                ..
            } => self.wrong_type("one value"),
            Error::Unexpected {
                expected: "sequence start",
                ..
            } => self.wrong_type("a list"),
            Error::Unexpected {
                expected: "mapping start",
                ..
            } => self.wrong_type("a mapping"),
            Error::NullIntoString { .. } => self.missing_value(),
            Error::InvalidScalar { ty, .. } => self.bad_number(ty),
            Error::ExpectedMappingEndAfterEnumVariantValue { .. } => self
                .problem("add-or-delete", "`netns` adds one node or deletes one")
                .label("a second key")
                .help("begin a new item: one `-` for each operation"),
            Error::MultipleDocuments { .. } => self
                .problem(
                    "multiple-documents",
                    "the file holds more than one YAML document",
                )
                .label("the second begins here")
                .help("write one scenario to a file, without `---` or `...` behind it"),
            Error::MergeKeyNotAllowed { .. } | Error::MergeValueNotMapOrSeqOfMaps { .. } => self
                .problem("merge-key", "a scenario has no merge keys")
                .label("this would take over the keys of another mapping")
                .help("write the keys out"),
            Error::UnsupportedTag { tag, .. } => self
                .problem(
                    "unknown-tag",
                    format!("a scenario has no tags such as `{tag}`"),
                )
                .label("the value behind a tag")
                .help("remove the tag; for a text that begins with `!`, write quotation marks"),
            Error::UnknownAnchor { .. } => self.unknown_anchor(),
            Error::RecursiveReferencesRequireWeakTypes { .. } => self
                .problem(
                    "anchor-cycle",
                    "an alias stands inside of what it stands for",
                )
                .label("this would never end")
                .help("write out what is meant"),
            Error::AliasReplayLimitExceeded { .. } => self
                .problem(
                    "alias-limit",
                    format!("aliases stand for more than {VALUES_MAX} values"),
                )
                .label("with this one")
                .help("write a shorter scenario, or several"),
            Error::Budget { breach, .. } => self.over_budget(breach),
            _ => self.not_understood(),
        }
    }

    fn problem(&self, id: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(id, word_at(self.text, self.span), message)
    }

    fn not_understood(&self) -> Diagnostic {
        self.problem("bad-value", "this is nothing that a scenario has here")
            .label("not understood")
            .help("compare it with a scenario that works")
    }

    /// The problem is in what an alias stands for, or in that it stands there.
    fn behind_alias(&self, error: &Error, defined: &Location) -> Diagnostic {
        let problem = self.explain(error);
        let at_alias = problem
            .span
            .is_some_and(|span| self.text[span.start..].starts_with('*'));
        match at_alias {
            true => problem.also(
                word_at(self.text, span_of(defined, self.text)),
                "the alias stands for this",
            ),
            false => problem,
        }
    }

    fn message(&self, message: &str) -> Diagnostic {
        let Some(packed) = unpack(message) else {
            return match message {
                "invalid IP address syntax" => self.bad_address(),
                _ => self.not_understood(),
            };
        };
        let span = packed.span.map_or_else(
            || word_at(self.text, self.span),
            |span| word_at(self.text, clamp(span, self.text)),
        );
        let id = Diagnostic::IDS
            .iter()
            .find(|id| **id == packed.id)
            .copied()
            .unwrap_or("bad-value");
        Diagnostic::new(id, span, packed.message).help(packed.help)
    }

    fn unknown_key(&self, key: &str, expected: &[&'static str]) -> Diagnostic {
        let first = key.split(' ').next().unwrap_or_default();
        if first != key && expected.contains(&first) {
            let rest = key[first.len()..].trim_start();
            return self
                .problem(
                    "unknown-key",
                    format!("`{}` is no key", excerpt(key, whole(key))),
                )
                .label("no colon between key and value")
                .help(format!("write `{first}: {rest}`"));
        }
        self.problem(
            "unknown-key",
            format!("there is no key `{}` here", excerpt(key, whole(key))),
        )
        .label("not a key of the format")
        .help(suggest::help(key, expected))
    }

    fn unknown_word(&self, word: &str, expected: &[&'static str]) -> Diagnostic {
        if let Some((key, _)) = self.key().filter(|(key, _)| key == "netns") {
            let problem = self.wrong_type_of("a mapping", Some(&key));
            return problem.help(format!(
                "write `netns: {{add: {0}}}` or `netns: {{delete: {0}}}`",
                excerpt(word, whole(word))
            ));
        }
        let place = match word_at(self.text, self.span) {
            span if self.text[span.end..].starts_with(':') => "key",
            _ => "word",
        };
        self.problem(
            if place == "key" {
                "unknown-key"
            } else {
                "unknown-word"
            },
            format!("there is no {place} `{}` here", excerpt(word, whole(word))),
        )
        .label(format!("not a {place} of the format"))
        .help(suggest::help(word, expected))
    }

    /// The parser names the last key of the mapping; a person looks at what holds it.
    fn missing_key(&self, key: &str) -> Diagnostic {
        let Holder { key: holder, first } = holder(self.text, self.span.start);
        let null = self.text[self.span.end..]
            .starts_with(':')
            .then_some(self.span);
        let holder = match examples::of(&self.text[self.span.start..self.span.end]) {
            // A verb without anything: it is the holder itself.
            Some(example)
                if null.is_some()
                    && example.contains('{')
                    && !matches!(key, "name" | "title" | "nodes" | "steps") =>
            {
                null
            }
            _ => holder,
        };
        let (subject, span) = match (key, holder) {
            ("title" | "nodes" | "steps", _) => ("the scenario".to_owned(), first),
            ("name", _) => ("the step".to_owned(), first),
            (_, Some(holder)) => (
                format!("`{}`", &self.text[holder.start..holder.end]),
                Some(holder),
            ),
            (_, None) => ("the mapping".to_owned(), first),
        };
        let example = match (key, holder) {
            ("title" | "nodes", _) => examples::of(key),
            ("steps", _) => Some("steps: [{name: Look at it, snapshot: [links]}]"),
            ("name", _) => Some("name: Plug the cable in"),
            (_, holder) => {
                holder.and_then(|holder| examples::of(&self.text[holder.start..holder.end]))
            }
        };
        let help = match example {
            Some(example) => format!("add it, for example `{example}`"),
            None => format!("add `{key}: ...`"),
        };
        Diagnostic::new(
            "missing-key",
            span.unwrap_or(self.span),
            format!("{subject} has no `{key}`"),
        )
        .label(format!("`{key}` is missing"))
        .help(help)
    }

    fn duplicate_key(&self, key: Option<&str>) -> Diagnostic {
        let key = key.map_or_else(
            || excerpt(self.text, self.span),
            |key| excerpt(key, whole(key)),
        );
        self.problem(
            "duplicate-key",
            format!("the key `{key}` stands twice in one mapping"),
        )
        .label("the second one")
        .help("remove one of the two, or begin a new item with `-`")
    }

    /// Returns the key whose value the parser stopped at, and where it stands.
    fn key(&self) -> Option<(String, Span)> {
        let span = key_before(self.text, self.span.start)?;
        Some((self.text[span.start..span.end].to_owned(), span))
    }

    fn wrong_type(&self, wanted: &str) -> Diagnostic {
        // `netns: add` is noticed only at what comes next.
        let before = self.text[..self.span.start].trim_end_matches(['-', ' ', '\n', '\r']);
        if before.ends_with("netns: add") || before.ends_with("netns: delete") {
            let span = word_before(self.text, before.len()).unwrap_or(self.span);
            return Reason {
                text: self.text,
                span,
            }
            .wrong_type_of("a mapping", Some("netns"));
        }
        self.wrong_type_of(wanted, self.key().as_ref().map(|(key, _)| key.as_str()))
    }

    fn wrong_type_of(&self, wanted: &str, key: Option<&str>) -> Diagnostic {
        let span = word_at(self.text, self.span);
        let rest = &self.text[span.start..];
        let found = if rest.starts_with('*') {
            "what this alias stands for"
        } else if rest.starts_with('[') || rest.starts_with("- ") {
            "a list"
        } else if rest.starts_with('{')
            || self.text[span.end..].starts_with(": ")
            || self.text[span.end..].starts_with(":\n")
        {
            "a mapping"
        } else if span.start == span.end {
            "nothing"
        } else {
            "one value"
        };
        let place = key.map_or_else(
            || "there must be".to_owned(),
            |key| format!("`{key}` takes"),
        );
        let problem = Diagnostic::new("wrong-type", span, format!("{place} {wanted}, not {found}"));
        let value = excerpt(self.text, span);
        let help = match key.and_then(examples::of) {
            Some(example) if wanted == "one value" && found == "a list" => {
                format!("write `{example}`, and a new item for each other one")
            }
            Some(example) => format!("for example `{example}`"),
            None => self.shape(wanted, found, &value),
        };
        problem.label(format!("expected {wanted}")).help(help)
    }

    /// Returns help for a value of the wrong shape that no key stands before.
    fn shape(&self, wanted: &str, found: &str, value: &str) -> String {
        let first = value.split([' ', ':']).next().unwrap_or_default();
        let verb = Operation::VERBS.contains(&first) || examples::of(first).is_some();
        match (wanted, found) {
            ("a mapping", "one value") if verb && value.len() > first.len() + 1 => {
                format!(
                    "write a colon and a space: `{first}: {}`",
                    &value[first.len() + 1..].trim_start()
                )
            }
            ("a mapping", "a list") if self.span.start == 0 => {
                "a scenario begins with a key, such as `title:`, without `-`".to_owned()
            }
            ("a mapping", _) if self.span.start == 0 => {
                "a scenario has the keys `title`, `nodes` and `steps`".to_owned()
            }
            ("a mapping", _) => "write `key: value`".to_owned(),
            ("a list", _) => "begin each item with `- `, or write `[one, two]`".to_owned(),
            _ => "write one word or number here".to_owned(),
        }
    }

    fn missing_value(&self) -> Diagnostic {
        let at = self.span.start;
        let key = if self.text[at..].starts_with(':') {
            word_before(self.text, at)
        } else {
            key_before(self.text, at)
        };
        let key = key.unwrap_or(self.span);
        let name = &self.text[key.start..key.end];
        let help = match examples::of(name) {
            Some(example) => format!("for example `{example}`"),
            None => "write its value behind the colon, or remove the key".to_owned(),
        };
        let span = if key.start < key.end {
            key
        } else {
            word_at(self.text, self.span)
        };
        Diagnostic::new("missing-value", span, format!("`{name}` has no value"))
            .label("nothing behind it")
            .help(help)
    }

    fn bad_number(&self, kind: &str) -> Diagnostic {
        let value = excerpt(self.text, self.span);
        let (what, help) = match kind {
            "u16" => ("a port", "a port is a number from 1 to 65535"),
            "u8" => ("a TTL", "a TTL is a number from 1 to 255"),
            _ => ("a number", "write a whole number"),
        };
        self.problem("bad-number", format!("`{value}` is not {what}"))
            .label("not in range, or no number")
            .help(help)
    }

    fn bad_address(&self) -> Diagnostic {
        let value = excerpt(self.text, self.span);
        let bare = value.trim_matches(['"', '\'']);
        let help = match bare.split_once('/') {
            Some((address, _)) if address.parse::<std::net::IpAddr>().is_ok() => {
                format!("write it without its prefix length: `{address}`")
            }
            _ if bare.starts_with(|c: char| c.is_ascii_digit()) => {
                "an address has four numbers from 0 to 255, for example `10.0.0.2`".to_owned()
            }
            _ => "write an address, not a name, for example `10.0.0.2`".to_owned(),
        };
        self.problem("bad-address", format!("`{bare}` is not an IP address"))
            .help(help)
    }

    fn unknown_anchor(&self) -> Diagnostic {
        let span = word_at(self.text, self.span);
        let name = &self.text[span.start..span.end];
        let message = format!(
            "nothing before this line is named `{}`",
            name.replacen('*', "&", 1)
        );
        Diagnostic::new("unknown-anchor", span, message)
            .label("an alias for nothing")
            .help("for a text that begins with `*`, write quotation marks: `\"...\"`")
    }

    fn over_budget(&self, breach: &BudgetBreach) -> Diagnostic {
        let (id, message) = match breach {
            BudgetBreach::Depth { .. } => (
                "too-deep",
                format!("values are nested more than {DEPTH_MAX} deep"),
            ),
            BudgetBreach::Anchors { .. } => (
                "alias-limit",
                format!("the file has more than {ANCHORS_MAX} anchors"),
            ),
            BudgetBreach::Aliases { .. } => (
                "alias-limit",
                format!("the file has more than {ALIASES_MAX} aliases"),
            ),
            _ => (
                "too-many-values",
                format!("the file has more than {VALUES_MAX} values"),
            ),
        };
        self.problem(id, message)
            .label("with this one")
            .help("write a shorter scenario, or several")
    }
}

fn whole(text: &str) -> Span {
    Span {
        start: 0,
        end: text.len(),
    }
}

fn clamp(span: Span, text: &str) -> Span {
    let start = text.floor_char_boundary(span.start);
    Span {
        start,
        end: text.ceil_char_boundary(span.end.min(text.len())).max(start),
    }
}
