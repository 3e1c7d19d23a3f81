//! Where things stand in the text of a file, also where the YAML parser does not say.
//!
//! The parser gives a place, but not always the one that a person would point at: for a missing
//! key it is the key before it, for an open bracket the place where reading stopped. What is here
//! reads just enough of the text to point better. It is used for messages only.

use crate::scenario::value::Span;

/// Returns the span of a location; one without bytes is found by its line and column.
pub(super) fn span_of(location: &serde_yaml::Location, text: &str) -> Span {
    let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    let span = location.span();
    let (start, len) = match (span.byte_offset(), span.byte_len()) {
        (Some(start), len) => (number(start), number(len.unwrap_or_default())),
        (None, _) => (
            offset_of(text, number(location.line()), number(location.column())),
            0,
        ),
    };
    let start = text.floor_char_boundary(start);
    let end = text.ceil_char_boundary(start.saturating_add(len).min(text.len()));
    Span {
        start,
        end: end.max(start),
    }
}

/// Returns the byte at a line and a column, both from 1; lines end as YAML ends them.
fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let mut start = 0;
    for _ in 1..line {
        let Some(end) = text[start..].find(['\n', '\r']) else {
            return text.len();
        };
        let windows = text[start + end..].starts_with("\r\n");
        start += end + if windows { 2 } else { 1 };
    }
    let rest = &text[start..];
    rest.char_indices()
        .nth(column.saturating_sub(1))
        .map_or(text.len(), |(at, _)| start + at)
}

/// Tells whether a character can stand in a word of the format.
fn in_word(c: char) -> bool {
    !c.is_whitespace() && !matches!(c, ',' | '[' | ']' | '{' | '}' | '"' | '\'')
}

/// Widens an empty span to the word that stands there.
pub(super) fn word_at(text: &str, span: Span) -> Span {
    if span.end > span.start {
        return span;
    }
    let rest = &text[span.start..];
    let end = rest.find(|c| !in_word(c)).unwrap_or(rest.len());
    let word = rest[..end].trim_end_matches(':');
    Span {
        start: span.start,
        end: span.start + word.len(),
    }
}

/// Returns the first line of a span, cut where it is long.
pub(super) fn excerpt(text: &str, span: Span) -> String {
    const LONGEST: usize = 60;
    let line = text[span.start..span.end].lines().next();
    shortened(line.unwrap_or_default().trim_end(), LONGEST)
}

/// Returns a text, cut where it is longer than so many bytes.
pub(super) fn shortened(text: &str, longest: usize) -> String {
    if text.len() <= longest {
        return text.to_owned();
    }
    format!("{}...", &text[..text.floor_char_boundary(longest)])
}

/// Returns the key whose value begins at a byte.
pub(super) fn key_before(text: &str, value: usize) -> Option<Span> {
    let mut before = text[..value].trim_end();
    // An anchor or a tag may stand between a key and its value.
    if let Some(at) = before.rfind(char::is_whitespace)
        && before[at..].trim_start().starts_with(['&', '!'])
    {
        before = before[..at].trim_end();
    }
    word_before(text, before.strip_suffix(':')?.len())
}

/// Returns the word that ends at a byte.
pub(super) fn word_before(text: &str, end: usize) -> Option<Span> {
    let head = &text[..end];
    let start = head.rfind(|c| !in_word(c)).map_or(0, |at| {
        at + head[at..].chars().next().map_or(1, char::len_utf8)
    });
    (start < end).then_some(Span { start, end })
}

/// What holds the mapping that a key stands in.
pub(super) struct Holder {
    /// The key that the mapping is the value of; none for an item of a list and the whole file.
    pub(super) key: Option<Span>,
    /// The first key of the mapping, where it is written in lines.
    pub(super) first: Option<Span>,
}

/// Finds what holds the mapping that has a key, or its opening brace, at a byte.
pub(super) fn holder(text: &str, at: usize) -> Holder {
    let inclusive = if text[at..].starts_with('{') {
        at + 1
    } else {
        at
    };
    let open = Scan::until(text, inclusive);
    if let Some((bracket, _)) = open.brackets.last() {
        let outer = open.brackets.iter().rev();
        let key = outer
            .into_iter()
            .find_map(|(bracket, _)| key_before(text, *bracket));
        let first = Some(Span {
            start: *bracket,
            end: *bracket + 1,
        });
        return Holder { key, first };
    }
    let line_start = text[..at].rfind('\n').map_or(0, |at| at + 1);
    let column = at - line_start;
    let mut first = word_at(text, Span { start: at, end: at });
    if text[line_start..at].contains('-') {
        return Holder {
            key: None,
            first: Some(first),
        };
    }
    let mut end = line_start;
    while end > 0 {
        let start = text[..end - 1].rfind('\n').map_or(0, |at| at + 1);
        let line = text[start..end].trim_end();
        end = start;
        let key = line.trim_start_matches([' ', '-']);
        if key.is_empty() || key.starts_with('#') {
            continue;
        }
        let indent = line.len() - key.len();
        let item = line[..indent].contains('-');
        let word = word_at(
            text,
            Span {
                start: start + indent,
                end: start + indent,
            },
        );
        if indent < column {
            return Holder {
                key: line.ends_with(':').then_some(word),
                first: Some(first),
            };
        }
        if indent == column {
            first = word;
            if item {
                break;
            }
        }
    }
    Holder {
        key: None,
        first: Some(first),
    }
}

/// What is open at a place in the text.
pub(super) struct Scan {
    /// The open brackets, outermost first.
    pub(super) brackets: Vec<(usize, char)>,
    /// The open quotation mark.
    pub(super) quote: Option<(usize, char)>,
}

impl Scan {
    /// Reads the text up to a byte.
    pub(super) fn until(text: &str, until: usize) -> Self {
        let text = &text[..text.floor_char_boundary(until)];
        let mut scan = Self {
            brackets: Vec::new(),
            quote: None,
        };
        // Whether a value may begin here: only there do brackets and quotation marks count.
        let mut begins = true;
        let mut blank = true;
        let mut at = 0;
        while let Some(c) = text[at..].chars().next() {
            let here = at;
            at += c.len_utf8();
            let next_is_blank = text[at..].chars().next().is_none_or(char::is_whitespace);
            let flow = !scan.brackets.is_empty();
            match c {
                '#' if blank => {
                    at += text[at..].find('\n').unwrap_or(text.len() - at);
                    continue;
                }
                '"' | '\'' if begins => {
                    let Some(len) = closing(&text[at..], c) else {
                        scan.quote = Some((here, c));
                        return scan;
                    };
                    at += len;
                    begins = false;
                }
                '[' | '{' if begins || flow => {
                    scan.brackets.push((here, c));
                    begins = true;
                }
                ']' | '}' if flow => {
                    scan.brackets.pop();
                    begins = false;
                }
                ',' if flow => begins = true,
                ':' if next_is_blank => begins = true,
                '-' if begins && next_is_blank => {}
                '\n' if !flow => begins = true,
                c if c.is_whitespace() => {}
                _ => begins = false,
            }
            blank = c.is_whitespace();
        }
        scan
    }
}

/// Returns how many bytes stand up to and with the closing quotation mark.
fn closing(rest: &str, quote: char) -> Option<usize> {
    let mut chars = rest.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if quote == '"' && c == '\\' {
            chars.next();
        } else if c == quote {
            if quote == '\'' && chars.next_if(|(_, next)| *next == quote).is_some() {
                continue;
            }
            return Some(at + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::in_a_bracket("a: [b, c", Some('['))]
    #[case::closed("a: [b, c]", None)]
    #[case::nested("a: [{b: c}, {d: e", Some('{'))]
    #[case::in_a_text("a: b [c", None)]
    #[case::in_quotes("a: 'b [c'", None)]
    #[case::in_a_comment("a: b # [c\n", None)]
    #[case::behind_an_escaped_quote(r#"a: "b\"", [c"#, None)]
    #[case::behind_a_doubled_quote("a: 'it''s [' \nb: {", Some('{'))]
    #[case::apostrophe("a: it's\nb: [", Some('['))]
    fn open_brackets_are_found(#[case] text: &str, #[case] open: Option<char>) {
        let scan = Scan::until(text, text.len());
        assert_eq!(scan.brackets.last().map(|(_, bracket)| *bracket), open);
    }

    #[rstest]
    #[case::braces("do:\n  - veth: {add: x}", "add", Some("veth"))]
    #[case::list_in_braces("x: {seen: [{source: y}]}", "source", Some("seen"))]
    #[case::lines(
        "do:\n  - route:\n      # why\n      add: x\n\n      via: y",
        "via",
        Some("route")
    )]
    #[case::item("steps:\n  - do: x\n    expect: y", "expect", None)]
    #[case::whole_file("nodes: x\nsteps: y", "steps", None)]
    fn the_holder_of_a_mapping_is_found(
        #[case] text: &str,
        #[case] at: &str,
        #[case] holder_is: Option<&str>,
    ) {
        let found = holder(text, text.find(at).unwrap());
        assert_eq!(found.key.map(|key| &text[key.start..key.end]), holder_is);
    }
}
