//! What is wrong with a value: its shape, or that it is no number and no address.

use super::examples;
use super::explain::Reason;
use super::place::{excerpt, key_before, word_at, word_before};
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::operation::Operation;
use crate::scenario::probe::no_address;
use crate::scenario::value::Span;

impl Reason<'_> {
    /// Returns the key whose value the parser stopped at, and where it stands.
    pub(super) fn key(&self) -> Option<(String, Span)> {
        let span = key_before(self.text, self.span.start)?;
        Some((self.text[span.start..span.end].to_owned(), span))
    }

    pub(super) fn wrong_type(&self, wanted: &str) -> Diagnostic {
        self.wrong_type_of(wanted, self.key().as_ref().map(|(key, _)| key.as_str()))
    }

    pub(super) fn wrong_type_of(&self, wanted: &str, key: Option<&str>) -> Diagnostic {
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
            _ if wanted == "a mapping" && found == "a mapping" => {
                return self.two_keys_in_a_line(span, key);
            }
            Some(example)
                if key.is_some_and(|key| Operation::VERBS.contains(&key))
                    && found == "a list"
                    && wanted == "one value" =>
            {
                format!("write `{example}`, and a new item for each other one")
            }
            Some(example) if (wanted, found) != ("a list", "a mapping") => {
                format!("for example `{example}`")
            }
            _ => self.shape(wanted, found, &value),
        };
        problem.label(format!("expected {wanted}")).help(help)
    }

    /// `veth: add: ...`: the parser sees the shape before it sees that it may not stand there.
    fn two_keys_in_a_line(&self, span: Span, key: Option<&str>) -> Diagnostic {
        let help = match key.and_then(examples::of) {
            Some(example) => format!("write braces, for example `{example}`"),
            None => "write the second key to a line of its own, indented further".to_owned(),
        };
        Diagnostic::new("syntax", span, "two keys stand in one line")
            .label("a second key")
            .help(help)
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
            (_, "a mapping") if !self.text[self.span.start..].starts_with('{') => {
                "a text with a colon and a space in it stands in quotation marks".to_owned()
            }
            _ => "write one word or number here".to_owned(),
        }
    }

    pub(super) fn missing_value(&self) -> Diagnostic {
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
        Diagnostic::new(
            "missing-value",
            span,
            format!("nothing stands behind `{name}`"),
        )
        .label("no value")
        .help(help)
    }

    pub(super) fn bad_number(&self, kind: &str) -> Diagnostic {
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

    pub(super) fn bad_address(&self) -> Diagnostic {
        let value = excerpt(self.text, self.span);
        let bare = value.trim_matches(['"', '\'']);
        let error = no_address(bare);
        self.problem(error.id, error.message).help(error.help)
    }
}
