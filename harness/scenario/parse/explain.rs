//! What is wrong with YAML that is not of the format's shape.

use serde_yaml::budget::BudgetBreach;
use serde_yaml::localizer::ExternalMessageSource;
use serde_yaml::{Error, Location};

use super::place::{Holder, excerpt, holder, shortened, span_of, word_at, word_before};
use super::{examples, syntax};
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::limits::{ALIASES_MAX, ANCHORS_MAX, DEPTH_MAX, VALUES_MAX};
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
pub(super) struct Reason<'a> {
    pub(super) text: &'a str,
    pub(super) span: Span,
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
            Error::UnsupportedTag { tag, .. } => self.unknown_tag(tag),
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

    pub(super) fn problem(&self, id: &'static str, message: impl Into<String>) -> Diagnostic {
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
        let span = packed.span.map_or(self.span, |span| clamp(span, self.text));
        let span = match word_before(self.text, span.start) {
            // Nothing stands behind a key: the key is what there is to point at.
            Some(key) if self.text[span.start..].starts_with(':') => key,
            _ => word_at(self.text, span),
        };
        let id = Diagnostic::IDS.iter().find(|id| **id == packed.id);
        let value = excerpt(self.text, span);
        let help = match packed.id {
            "bad-interface-name" | "bad-link" | "bad-node-name" if value.contains(", ") => {
                "one name stands here; begin a new item for each other one".to_owned()
            }
            // Where only an interface is asked for, the node is known.
            "bad-interface-name" if packed.message.starts_with(&format!("`{value}`")) => value
                .rsplit_once('/')
                .map_or(packed.help, |(_, name)| name)
                .to_owned(),
            _ => packed.help.to_owned(),
        };
        let help = match value.rsplit_once('/') {
            Some((_, name)) if help == name => format!("write `{name}`: the node is known here"),
            _ => help,
        };
        let message = shortened(packed.message, MESSAGE_MAX);
        Diagnostic::new(id.copied().unwrap_or("bad-value"), span, message).help(help)
    }

    fn unknown_key(&self, key: &str, expected: &[&'static str]) -> Diagnostic {
        let shown = shortened(key, VALUE_MAX);
        let first = key.split(' ').next().unwrap_or_default();
        if first != key && expected.contains(&first) {
            let rest = shown[first.len()..].trim_start();
            return self
                .problem("unknown-key", format!("`{shown}` is no key"))
                .label("no colon between key and value")
                .help(format!("write `{first}: {rest}`"));
        }
        self.problem("unknown-key", format!("unknown key `{shown}`"))
            .label(known(key, expected))
            .help(suggest::help(key, expected))
    }

    fn unknown_word(&self, word: &str, expected: &[&'static str]) -> Diagnostic {
        let shown = shortened(word, VALUE_MAX);
        let span = word_at(self.text, self.span);
        if self.text[span.end..].starts_with(':') {
            return self.unknown_key(word, expected);
        }
        self.problem("unknown-word", format!("unknown word `{shown}`"))
            .label(known(word, expected))
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
            |key| shortened(key, VALUE_MAX),
        );
        self.problem(
            "duplicate-key",
            format!("the key `{key}` stands twice in one mapping"),
        )
        .label("the second one")
        .help("remove one of the two, or begin a new item with `-`")
    }

    /// The parser names the value behind the tag.
    fn unknown_tag(&self, tag: &str) -> Diagnostic {
        let before = self.text[..self.span.start].trim_end().len();
        let span = word_before(self.text, before)
            .filter(|span| self.text[span.start..].starts_with('!'))
            .unwrap_or_else(|| word_at(self.text, self.span));
        let message = format!(
            "a scenario has no tags such as `{}`",
            shortened(tag, VALUE_MAX)
        );
        Diagnostic::new("unknown-tag", span, message)
            .label("a tag")
            .help("remove it; a text that begins with `!` needs quotation marks")
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

/// The longest message that repeats what the file says.
const MESSAGE_MAX: usize = 160;

/// The longest value that a message repeats.
const VALUE_MAX: usize = 60;

/// What is known where a close word is suggested; without one, the help lists it.
fn known(word: &str, expected: &[&'static str]) -> String {
    const FEW: usize = 6;
    let close = suggest::closest(word, expected.iter().copied());
    match close {
        Some(_) if (2..=FEW).contains(&expected.len()) => {
            format!("known here: {}", expected.join(", "))
        }
        _ => "not known here".to_owned(),
    }
}

fn clamp(span: Span, text: &str) -> Span {
    let start = text.floor_char_boundary(span.start);
    Span {
        start,
        end: text.ceil_char_boundary(span.end.min(text.len())).max(start),
    }
}
