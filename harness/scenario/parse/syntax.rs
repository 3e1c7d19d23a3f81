//! What is wrong with text that is not YAML, in the words of someone who writes scenarios.

use serde_yaml::granit_parser::ErrorKind;

use super::place::{Scan, word_at};
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::value::Span;

/// Explains why the text could not be read further than `span`.
pub(super) fn explain(kind: &ErrorKind, span: Span, text: &str) -> Diagnostic {
    unclosed(kind, span, text).unwrap_or_else(|| {
        let (id, message, label, help) = words(kind);
        Diagnostic::new(id, marked(kind, span, text), message)
            .label(label)
            .help(help)
    })
}

/// Blames the bracket or quotation mark that was never closed, where that is the reason.
fn unclosed(kind: &ErrorKind, span: Span, text: &str) -> Option<Diagnostic> {
    use ErrorKind as Kind;
    let in_quotes = matches!(
        kind,
        Kind::UnclosedQuotedScalar
            | Kind::InvalidQuotedScalarIndent
            | Kind::DocumentIndicatorInQuotedScalar
    );
    let in_brackets = matches!(
        kind,
        Kind::UnclosedFlowCollection { .. }
            | Kind::UnexpectedEofFlowSequence
            | Kind::UnexpectedEofFlowMapping
            | Kind::UnexpectedEofImplicitFlowMapping
            | Kind::UnexpectedEof
            | Kind::ExpectedFlowMappingSeparator
            | Kind::ExpectedFlowSequenceSeparator
            | Kind::InvalidColonPlacement
            | Kind::BlockEntryInFlowCollection
            | Kind::InvalidFlowScalarIndent
            | Kind::InvalidIndentation
            | Kind::MappingValueNotAllowed
            | Kind::InvalidSimpleKey
    );
    let until = if matches!(kind, Kind::UnclosedFlowCollection { .. }) {
        text.len()
    } else {
        span.start
    };
    let scan = Scan::until(text, until);
    let (at, open) = match (scan.quote, scan.brackets.last()) {
        (Some(quote), _) if in_quotes => quote,
        (_, Some(bracket)) if in_brackets => *bracket,
        _ => return None,
    };
    // On the same line it is more likely that something else is wrong.
    let ends = matches!(
        kind,
        Kind::UnclosedFlowCollection { .. } | Kind::UnclosedQuotedScalar
    );
    if !ends && !text[at..span.start.max(at)].contains('\n') {
        return None;
    }
    let close = match open {
        '[' => ']',
        '{' => '}',
        quote => quote,
    };
    let problem = Diagnostic::new(
        "unclosed",
        Span {
            start: at,
            end: at + 1,
        },
        format!("this `{open}` is never closed"),
    )
    .help(format!("write `{close}` where it ends"));
    Some(problem)
}

/// Returns what is marked: that which is named in the message, where it can be found.
fn marked(kind: &ErrorKind, span: Span, text: &str) -> Span {
    use ErrorKind as Kind;
    let rest = &text[span.start..];
    let line = rest.lines().next().unwrap_or_default();
    let first = line.chars().next();
    let at = |offset: Option<usize>, len: usize| {
        let start = span.start + offset.unwrap_or_default();
        let end = text.ceil_char_boundary((start + len).min(text.len()));
        Span { start, end }
    };
    match kind {
        Kind::SimpleKeyExpected => at(None, line.trim_end().len()),
        Kind::ExpectedDocumentStart => directive(text).unwrap_or_else(|| at(None, line.len())),
        Kind::TabInBlockIndentation | Kind::TabInIndentation => tab(span, text),
        // The parser names the begin of the text in which it stands.
        Kind::UnexpectedCharacter { character } if character.is_control() => {
            at(rest.find(*character), character.len_utf8())
        }
        Kind::UnknownQuotedScalarEscape => at(bad_escape(rest), 2),
        _ if first.is_some_and(char::is_alphanumeric) => word_at(text, span),
        _ => at(None, first.map_or(0, char::len_utf8)),
    }
}

/// Returns the first line that begins with `%`.
fn directive(text: &str) -> Option<Span> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if line.starts_with('%') {
            let end = start + line.trim_end().len();
            return Some(Span { start, end });
        }
        start += line.len();
    }
    None
}

/// Returns the first backslash that begins no escape of YAML 1.2, section 5.7.
fn bad_escape(text: &str) -> Option<usize> {
    const ESCAPES: &str = "0abt\tnvfre \"/\\N_LPxuU\n\r";
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && !chars.next().is_some_and(|(_, next)| ESCAPES.contains(next)) {
            return Some(at);
        }
    }
    None
}

/// Returns the tab of the line that reading stopped in.
fn tab(span: Span, text: &str) -> Span {
    let line = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let start = text[line..].find('\t').map_or(span.start, |at| line + at);
    let end = text.ceil_char_boundary((start + 1).min(text.len()));
    Span { start, end }
}

/// Returns id, message, label and help.
fn words(kind: &ErrorKind) -> (&'static str, String, String, String) {
    use ErrorKind as Kind;
    let quote = "put the text into quotation marks: `\"...\"`";
    let (message, label, help) = match kind {
        Kind::TabInBlockIndentation
        | Kind::TabInIndentation
        | Kind::TabNotAllowed
        | Kind::TabInPlainScalar
        | Kind::TabAtBlockScalarStart => {
            return (
                "tab",
                "a tab stands where only spaces may".to_owned(),
                "a tab".to_owned(),
                "YAML indents with spaces: replace the tab".to_owned(),
            );
        }
        Kind::RecursionLimitExceeded => {
            return (
                "too-deep",
                "brackets are nested too deeply".to_owned(),
                "the innermost that is read".to_owned(),
                "nothing in a scenario needs more than a few levels".to_owned(),
            );
        }
        Kind::SimpleKeyExpected | Kind::InvalidSimpleKey | Kind::ExpectedBlockMappingKey => (
            "this line is no key with a value".to_owned(),
            "no `: ` here",
            "write `key: value`, with a colon and a space".to_owned(),
        ),
        Kind::MappingValueNotAllowed | Kind::InvalidColonPlacement => (
            "a second `: ` stands in one line".to_owned(),
            "this colon ends no key",
            format!("if it belongs to a text, {quote}"),
        ),
        Kind::ExpectedBlockSequenceEntry
        | Kind::InvalidIndentation
        | Kind::BlockSequenceEntryNotAllowed => (
            "this line is not indented like those that it belongs to".to_owned(),
            "indented too far, or not far enough",
            "keys of one mapping begin in the same column, as do the `-` of one list".to_owned(),
        ),
        Kind::BlockEntryInFlowCollection | Kind::PlainScalarStartsWithDashFlowIndicator => (
            "a `-` stands between brackets".to_owned(),
            "an item between brackets needs none",
            "remove it: items between brackets are divided by `, `".to_owned(),
        ),
        Kind::MisplacedFlowCollectionEnd => (
            "this bracket closes nothing".to_owned(),
            "nothing is open here",
            "remove it, or write the one that opens".to_owned(),
        ),
        Kind::MismatchedFlowCollectionEnd { open, close } => (
            format!("`{open}` is closed by `{close}`"),
            "opened here",
            format!("close it with `{}`", if *open == '[' { ']' } else { '}' }),
        ),
        Kind::ExpectedFlowMappingSeparator | Kind::ExpectedFlowSequenceSeparator => (
            "a comma or a closing bracket is missing".to_owned(),
            "before this",
            "items between brackets are divided by `, `".to_owned(),
        ),
        Kind::UnknownQuotedScalarEscape
        | Kind::InvalidQuotedScalarHexEscape
        | Kind::InvalidUnicodeEscape => (
            "a text in double quotation marks has a `\\` that means nothing".to_owned(),
            "in this text",
            "write `\\\\` for a backslash, or use single quotation marks".to_owned(),
        ),
        Kind::InvalidTrailingSingleQuotedScalar | Kind::InvalidTrailingDoubleQuotedScalar => (
            "something stands behind the closing quotation mark".to_owned(),
            "not part of the text",
            "put all of the text between the quotation marks".to_owned(),
        ),
        Kind::UnexpectedCharacter { character } if character.is_control() => (
            format!(
                "the control character U+{:04X} stands in the text",
                u32::from(*character)
            ),
            "in this text",
            "remove it".to_owned(),
        ),
        Kind::UnexpectedCharacter { character } => (
            format!("a value cannot begin with `{character}`"),
            "a special character of YAML",
            quote.to_owned(),
        ),
        Kind::ExpectedDocumentStart
        | Kind::MissingDirectiveName
        | Kind::InvalidDirectiveName
        | Kind::DirectiveDisallowed => (
            "the file begins with a directive, a line with `%`".to_owned(),
            "not part of a scenario",
            "remove the lines that begin with `%`".to_owned(),
        ),
        Kind::MissingAnchorOrAliasName => (
            "`&` or `*` stands without a name".to_owned(),
            "no name behind it",
            quote.to_owned(),
        ),
        Kind::CommentNotSeparated => (
            "a comment begins without a space before it".to_owned(),
            "no space before `#`",
            "write a space before `#`, or quotation marks around the text".to_owned(),
        ),
        _ => (
            "this is not YAML".to_owned(),
            "reading stopped here",
            "look for a missing colon, quotation mark or bracket, or a wrong indentation"
                .to_owned(),
        ),
    };
    ("syntax", message, label.to_owned(), help)
}
