//! Words with placeholders: `<key>`, `<key.part>`, `<key|filter>`.

use std::fmt;

use crate::scenario::value::{Span, ValueError};

/// What stands in a command: a word, or a group that is there only with its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Element {
    Word(Vec<Piece>),
    Group(Vec<Element>),
}

/// A part of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Placeholder(Placeholder),
}

/// What stands for a key of the operation.
#[derive(Debug, Clone)]
pub(super) struct Placeholder {
    pub(super) key: String,
    pub(super) part: Option<String>,
    pub(super) filters: Vec<Filter>,
    pub(super) span: Span,
}

/// What is done with a value before it becomes a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Filter {
    /// Other words for some values; with `others`, all others stay as they are.
    Words {
        arms: Vec<(String, String)>,
        others: bool,
    },
    /// In capital letters.
    Upper,
    /// So many times the number.
    Times(u32),
    /// A prefix of one address without its length.
    Short,
    /// What is no letter, digit, `-`, `_` or `.` becomes `_`.
    Plain,
    /// Only where the node is another than `host`.
    Elsewhere,
    /// The words that bring a command into the node.
    Enter,
    /// The file that is the node's network namespace.
    Netns,
    /// No word, and only where it is the same as that key or part of a key.
    Same(String),
    /// This word goes in front of a name that `ip link` would take for a word of its own.
    Link(String),
}

impl Filter {
    /// Every filter as the reference writes it.
    pub(super) const FORMS: &'static [&'static str] = &[
        "VALUE=WORD",
        "*",
        "upper",
        "xN",
        "short",
        "plain",
        "elsewhere",
        "enter",
        "netns",
        "link WORD",
        "same KEY",
    ];

    /// Tells whether it is about nodes.
    pub(super) fn wants_node(&self) -> bool {
        matches!(self, Self::Elsewhere | Self::Enter | Self::Netns)
    }
}

impl Placeholder {
    /// Makes one of a key or of a part of a key.
    pub(super) fn of(path: &str, span: Span) -> Self {
        let (key, part) = match path.split_once('.') {
            Some((key, part)) => (key, Some(part.to_owned())),
            None => (path, None),
        };
        Self {
            key: key.to_owned(),
            part,
            filters: Vec::new(),
            span,
        }
    }

    /// The key, and the part of it.
    pub(super) fn path(&self) -> String {
        match &self.part {
            Some(part) => format!("{}.{part}", self.key),
            None => self.key.clone(),
        }
    }

    /// Tells whether it stands for every value of its key.
    pub(super) fn takes_all(&self) -> bool {
        self.filters.iter().all(|filter| match filter {
            Filter::Words { others, .. } => *others,
            Filter::Elsewhere | Filter::Same(_) => false,
            _ => true,
        })
    }
}

/// Where it stands does not count.
impl PartialEq for Placeholder {
    fn eq(&self, other: &Self) -> bool {
        (&self.key, &self.part, &self.filters) == (&other.key, &other.part, &other.filters)
    }
}

impl Eq for Placeholder {}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.path())
    }
}

impl Element {
    /// Calls `visit` for each placeholder in it.
    pub(super) fn placeholders<'a>(&'a self, visit: &mut dyn FnMut(&'a Placeholder)) {
        match self {
            Self::Word(pieces) => {
                for piece in pieces {
                    if let Piece::Placeholder(placeholder) = piece {
                        visit(placeholder);
                    }
                }
            }
            Self::Group(elements) => {
                for element in elements {
                    element.placeholders(visit);
                }
            }
        }
    }
}

/// Takes a word apart; `span` is where it stands in `file`.
///
/// Where something in it is wrong, the error comes with its place.
pub(super) fn pieces(
    word: &str,
    span: Span,
    file: &str,
) -> Result<Vec<Piece>, (Span, Box<ValueError>)> {
    // A word in quotation marks may be written otherwise than it reads.
    let written = file.get(span.start..span.end).unwrap_or_default();
    let place = |part: &str| match written.find(part) {
        Some(at) => Span {
            start: span.start + at,
            end: span.start + at + part.len(),
        },
        None => span,
    };
    let (mut found, mut text) = (Vec::new(), String::new());
    let mut rest = word;
    while let Some(at) = rest.find('<') {
        text += &rest[..at];
        let behind = &rest[at + 1..];
        if let Some(behind) = behind.strip_prefix('<') {
            text.push('<');
            rest = behind;
            continue;
        }
        let end = behind.find('>').ok_or_else(|| {
            let problem = ValueError::new(
                "bad-placeholder",
                "this `<` begins a placeholder that never ends",
                "write `<key>`; `<<` stands for the character `<`",
            );
            (place(&rest[at..]), Box::new(problem))
        })?;
        let whole = &rest[at..at + end + 2];
        let placeholder = placeholder(&behind[..end], place(whole))
            .map_err(|problem| (place(whole), Box::new(problem)))?;
        if !text.is_empty() {
            found.push(Piece::Text(std::mem::take(&mut text)));
        }
        found.push(Piece::Placeholder(placeholder));
        rest = &behind[end + 1..];
    }
    text += rest;
    if !text.is_empty() || found.is_empty() {
        found.push(Piece::Text(text));
    }
    Ok(found)
}

fn placeholder(inner: &str, span: Span) -> Result<Placeholder, ValueError> {
    let mut parts = inner.split('|');
    let path = parts.next().unwrap_or_default();
    let (mut filters, mut arms, mut others) = (Vec::new(), Vec::new(), false);
    for filter in parts {
        match (filter, filter.split_once('=')) {
            ("*", _) => others = true,
            (_, Some((value, word))) => arms.push((value.to_owned(), word.to_owned())),
            _ => filters.push(other_filter(filter)?),
        }
    }
    if !arms.is_empty() {
        filters.insert(0, Filter::Words { arms, others });
    } else if others {
        return Err(ValueError::new(
            "bad-placeholder",
            "`*` stands for all other values, and no value is named",
            "name one, as in `<to|host=1|*>`, or remove it",
        ));
    }
    Ok(Placeholder {
        filters,
        ..Placeholder::of(path, span)
    })
}

fn other_filter(text: &str) -> Result<Filter, ValueError> {
    let number = |text: &str| text.strip_prefix('x')?.parse().ok();
    match text {
        "upper" => Ok(Filter::Upper),
        "short" => Ok(Filter::Short),
        "plain" => Ok(Filter::Plain),
        "elsewhere" => Ok(Filter::Elsewhere),
        "enter" => Ok(Filter::Enter),
        "netns" => Ok(Filter::Netns),
        _ => match (text.split_once(' '), number(text)) {
            (Some(("link", word)), _) => Ok(Filter::Link(word.to_owned())),
            (Some(("same", key)), _) => Ok(Filter::Same(key.to_owned())),
            (_, Some(times)) => Ok(Filter::Times(times)),
            _ => Err(ValueError::new(
                "bad-placeholder",
                format!("there is no filter `{text}`"),
                crate::scenario::suggest::help(text, Filter::FORMS),
            )),
        },
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn taken_apart(word: &str) -> Result<Vec<Piece>, &'static str> {
        let span = Span {
            start: 0,
            end: word.len(),
        };
        pieces(word, span, word).map_err(|(_, problem)| problem.id)
    }

    #[rstest]
    #[case::text("10.0.0.1", 1)]
    #[case::nothing("", 1)]
    #[case::key("<add>", 1)]
    #[case::in_a_text("<key>=<value>", 3)]
    #[case::a_character("a<<b", 1)]
    #[case::behind_a_character("<<<add>", 2)]
    fn a_word_is_taken_apart(#[case] word: &str, #[case] parts: usize) {
        assert_eq!(taken_apart(word).map(|it| it.len()), Ok(parts));
    }

    #[rstest]
    #[case::open("<add")]
    #[case::filter("<add|uper>")]
    #[case::others_of_nothing("<add|*>")]
    fn what_is_no_placeholder_is_refused(#[case] word: &str) {
        assert_eq!(taken_apart(word), Err("bad-placeholder"));
    }

    #[test]
    fn filters_are_read_in_their_order_and_arms_first() {
        let found = taken_apart("<chain.x|upper|a=b|*|x100>").unwrap();
        let Piece::Placeholder(found) = &found[0] else {
            panic!("{found:?}");
        };
        assert_eq!(
            (found.key.as_str(), found.part.as_deref()),
            ("chain", Some("x"))
        );
        let arms = Filter::Words {
            arms: vec![("a".to_owned(), "b".to_owned())],
            others: true,
        };
        assert_eq!(found.filters, [arms, Filter::Upper, Filter::Times(100)]);
    }
}
