//! What is wrong with a scenario file, where, and what to write instead.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use annotate_snippets::{
    Annotation, AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet,
};

use super::value::Span;

/// One problem in a scenario file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The stable id, one of [`Diagnostic::IDS`].
    pub id: &'static str,
    /// What is wrong, in one line without a full stop.
    pub message: String,
    /// Where it is wrong; none where the file could not be read at all.
    pub span: Option<Span>,
    /// What stands beside the caret; may be empty.
    pub label: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Another place that belongs to the problem, with what stands beside it.
    pub also: Option<(Span, String)>,
}

/// Everything that is wrong with one scenario file; there is at least one problem.
///
/// `Display` shows the same as [`Diagnostics::render`] without colour.
#[derive(Debug, Clone)]
pub struct Diagnostics {
    file: String,
    text: String,
    /// The offset of the first byte of each line.
    lines: Vec<usize>,
    problems: Vec<Diagnostic>,
}

/// A place in a file as editors count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl Diagnostic {
    /// Every id that a diagnostic can have, in alphabetical order.
    pub const IDS: &'static [&'static str] = &[
        "add-or-delete",
        "alias-limit",
        "anchor-cycle",
        "append-without-dst",
        "are-or-have",
        "bad-address",
        "bad-claim",
        "bad-ethertype",
        "bad-interface-name",
        "bad-link",
        "bad-mac",
        "bad-network-name",
        "bad-node-name",
        "bad-number",
        "bad-placeholder",
        "bad-prefix",
        "bad-program",
        "bad-refusal",
        "bad-sysctl",
        "bad-text",
        "bad-value",
        "binary-file",
        "broadcast-without-add",
        "claim-both-ways",
        "claim-in-given",
        "duplicate-claim",
        "duplicate-fact",
        "duplicate-key",
        "duplicate-network",
        "duplicate-node",
        "duplicate-step-name",
        "empty-file",
        "empty-step",
        "exec-without-fails",
        "fails-in-given",
        "file-is-directory",
        "file-not-found",
        "file-not-readable",
        "file-not-regular",
        "file-too-large",
        "frame-to-itself",
        "host-attached",
        "host-bits",
        "inert-in-given",
        "intent-in-given",
        "interface-not-in-chain",
        "interface-twice",
        "invalid-utf8",
        "ipv6-off",
        "lladdr-or-proxy",
        "merge-key",
        "missing-key",
        "missing-value",
        "multiple-documents",
        "name-too-long",
        "never-taken",
        "nexthops-and-a-way",
        "no-command",
        "no-fate",
        "no-host",
        "no-nodes",
        "no-observation",
        "no-operation",
        "no-probe",
        "no-state",
        "no-steps",
        "no-subnet",
        "node-deleted",
        "node-not-yet-added",
        "node-or-nodes",
        "nothing-required",
        "nothing-to-set",
        "one-for-several",
        "only-with-add",
        "port-without-protocol",
        "port-zero",
        "refusing-route-with-a-way",
        "reject-not-in-chain",
        "reply-not-in-arp",
        "reply-only-in-arp",
        "right-and-inert",
        "right-without-fails",
        "route-to-nowhere",
        "same-interface-twice",
        "same-port",
        "share-without-add",
        "syntax",
        "tab",
        "table-and-probe",
        "table-or-type",
        "tcp-or-udp",
        "too-deep",
        "too-few-nexthops",
        "too-many-nodes",
        "too-many-operations",
        "too-many-values",
        "ttl-zero",
        "two-fates",
        "two-observations",
        "two-operations",
        "two-probes",
        "two-tables",
        "unclosed",
        "undeclared-network",
        "undeclared-node",
        "unknown-anchor",
        "unknown-key",
        "unknown-placeholder",
        "unknown-tag",
        "unknown-word",
        "unlisted-program",
        "wrong-family",
        "wrong-type",
    ];

    pub(crate) fn new(id: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self {
            span: Some(span),
            ..Self::of_file(id, message)
        }
    }

    /// Makes a problem of the file as a whole.
    pub(crate) fn of_file(id: &'static str, message: impl Into<String>) -> Self {
        debug_assert!(Self::IDS.contains(&id), "{id} is not in Diagnostic::IDS");
        Self {
            id,
            message: one_line(message.into()),
            span: None,
            label: String::new(),
            help: None,
            also: None,
        }
    }

    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = one_line(label.into());
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(one_line(help.into()));
        self
    }

    pub(crate) fn also(mut self, span: Span, label: impl Into<String>) -> Self {
        self.also = Some((span, one_line(label.into())));
        self
    }
}

/// Writes control characters as escapes: what a file says is repeated, but never obeyed.
fn one_line(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    let escaped = text.chars().map(|c| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    });
    escaped.collect()
}

/// Replaces the control characters U+0080 to U+009F, which some terminals obey and the renderer
/// lets through, by another character of two bytes, so that offsets stay as they are.
fn without_c1(line: &str) -> Cow<'_, str> {
    const C1: std::ops::RangeInclusive<char> = '\u{80}'..='\u{9f}';
    const INSTEAD: &str = "\u{b7}";
    if !line.contains(|c| C1.contains(&c)) {
        return Cow::Borrowed(line);
    }
    Cow::Owned(line.replace(|c| C1.contains(&c), INSTEAD))
}

/// How many problems one rendering shows.
const SHOWN: usize = 50;

impl Diagnostics {
    /// Returns `None` where there is no problem.
    pub(crate) fn new(file: &str, text: &str, problems: Vec<Diagnostic>) -> Option<Self> {
        if problems.is_empty() {
            return None;
        }
        Some(Self::from_problems(file, text, problems))
    }

    pub(crate) fn one(file: &str, text: &str, problem: Diagnostic) -> Self {
        Self::from_problems(file, text, vec![problem])
    }

    /// Says "manifest" where the words of the parser say "scenario".
    pub(crate) fn of_manifest(mut self) -> Self {
        let said = |text: &mut String| {
            for article in ["a ", "the ", "shorter ", "one "] {
                let (scenario, manifest) =
                    (format!("{article}scenario"), format!("{article}manifest"));
                *text = text.replace(&scenario, &manifest);
            }
        };
        for problem in &mut self.problems {
            said(&mut problem.message);
            said(&mut problem.label);
            problem.help.iter_mut().for_each(said);
        }
        self
    }

    pub(crate) fn from_problems(file: &str, text: &str, problems: Vec<Diagnostic>) -> Self {
        let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            file: file.to_owned(),
            text: text.to_owned(),
            lines: std::iter::once(0).chain(breaks).collect(),
            problems,
        }
    }

    /// Returns the name of the file, as it was given.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Returns the problems, in the order in which they were found.
    pub fn problems(&self) -> &[Diagnostic] {
        &self.problems
    }

    /// Returns where a problem's first character stands; none for one of the file as a whole.
    pub fn position(&self, problem: &Diagnostic) -> Option<Position> {
        problem.span.map(|span| self.position_of(span.start))
    }

    fn position_of(&self, offset: usize) -> Position {
        let offset = self.text.floor_char_boundary(offset);
        let line = self.line_of(offset);
        Position {
            line: line + 1,
            column: self.text[self.lines[line]..offset].chars().count() + 1,
        }
    }

    /// Returns the index of the line that holds a byte.
    fn line_of(&self, offset: usize) -> usize {
        self.lines
            .partition_point(|start| *start <= offset)
            .saturating_sub(1)
    }

    /// Returns every problem as text: id and message, place, the line with a caret, and help.
    ///
    /// Of very many problems only the first ones are shown, and the number of the others.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let mut shown: Vec<String> = self
            .problems
            .iter()
            .take(SHOWN)
            .map(|problem| self.render_one(&renderer, problem))
            .collect();
        let others = self.problems.len().saturating_sub(SHOWN);
        if others > 0 {
            shown.push(format!(
                "and {others} more problems in {}",
                one_line(self.file.clone())
            ));
        }
        shown.join("\n\n")
    }

    fn render_one(&self, renderer: &Renderer, problem: &Diagnostic) -> String {
        let mut elements: Vec<Element<'_>> = match problem.span {
            Some(span) => self.snippets(span, problem),
            None => vec![Origin::path(one_line(self.file.clone())).into()],
        };
        if let Some(help) = &problem.help {
            elements.push(Level::HELP.message(help.as_str()).into());
        }
        let title = Level::ERROR
            .primary_title(problem.message.as_str())
            .id(problem.id);
        renderer.render(&[Group::with_title(title).elements(elements)])
    }

    /// Returns the lines that are shown; the one with the problem comes first.
    fn snippets<'a>(&'a self, span: Span, problem: &'a Diagnostic) -> Vec<Element<'a>> {
        let primary = (AnnotationKind::Primary, span, problem.label.as_str());
        let Some((also, label)) = &problem.also else {
            return vec![self.snippet(&[primary]).into()];
        };
        let context = (AnnotationKind::Context, *also, label.as_str());
        if self.line_of(also.start) == self.line_of(span.start) {
            return vec![self.snippet(&[primary, context]).into()];
        }
        vec![
            self.snippet(&[primary]).into(),
            self.snippet(&[context]).into(),
        ]
    }

    /// Returns a line without its end.
    fn line(&self, index: usize) -> &str {
        let start = self.lines[index];
        let next = self.lines.get(index + 1).copied();
        self.text[start..next.unwrap_or(self.text.len())].trim_end_matches(['\n', '\r'])
    }

    /// Shows the line in which the marks begin; what of them goes further is left out.
    fn snippet<'a>(&'a self, marks: &[Mark<'a>]) -> Snippet<'a, Annotation<'a>> {
        let offset = marks.first().map_or(0, |(_, span, _)| span.start);
        let index = self.line_of(self.text.floor_char_boundary(offset));
        let (line, line_start) = (self.line(index), self.lines[index]);
        let annotations = marks.iter().map(|(kind, span, label)| {
            let start = line.floor_char_boundary(span.start.saturating_sub(line_start));
            let end = span.end.saturating_sub(line_start).max(start);
            let label = (!label.is_empty()).then_some(*label);
            kind.span(start..line.ceil_char_boundary(end)).label(label)
        });
        Snippet::source(without_c1(line))
            .path(one_line(self.file.clone()))
            .line_start(index + 1)
            .annotations(annotations)
    }
}

/// What is marked in a line, and with which words.
type Mark<'a> = (AnnotationKind, Span, &'a str);

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn problems(text: &str, start: usize, end: usize) -> Diagnostics {
        let problem = Diagnostic::new("syntax", Span { start, end }, "bad").help("write better");
        Diagnostics::one("x.yaml", text, problem)
    }

    #[rstest]
    #[case::first("ab\ncd", 0, (1, 1))]
    #[case::second_line("ab\ncd", 4, (2, 2))]
    #[case::line_end("ab\ncd", 2, (1, 3))]
    #[case::characters_not_bytes("網路x", 6, (1, 3))]
    #[case::inside_a_character("網路x", 4, (1, 2))]
    #[case::windows("ab\r\ncd", 4, (2, 1))]
    #[case::behind_the_end("ab", 99, (1, 3))]
    #[case::empty("", 7, (1, 1))]
    fn a_position_counts_characters(
        #[case] text: &str,
        #[case] start: usize,
        #[case] place: (usize, usize),
    ) {
        let problems = problems(text, start, start);
        let at = problems.position(&problems.problems()[0]).unwrap();
        assert_eq!((at.line, at.column), place);
        assert!(
            problems
                .to_string()
                .contains(&format!("--> x.yaml:{}:{}\n", place.0, place.1))
        );
    }

    #[rstest]
    fn any_span_is_rendered(
        #[values(
            "",
            "\n",
            "a",
            "網路\n\u{1b}[31m\0\t\u{202e}x\r\n",
            "\r\r\r",
            "e\u{301}\u{200d}",
            "a\u{9b}31mb"
        )]
        text: &str,
        #[values(0, 1, 2, 5, usize::MAX - 1)] start: usize,
        #[values(0, 1, 3, usize::MAX)] end: usize,
    ) {
        let problems = problems(text, start, end);
        for shown in [problems.to_string(), problems.render(true)] {
            assert!(
                shown.contains('^') && shown.contains("write better"),
                "{shown}"
            );
        }
        // Nothing of the file reaches the terminal as more than text.
        assert!(
            !problems
                .to_string()
                .contains(['\u{1b}', '\u{9b}', '\0', '\u{202e}'])
        );
    }

    #[test]
    fn what_a_file_says_stays_in_its_line() {
        let span = Span { start: 0, end: 1 };
        let problem = Diagnostic::new("syntax", span, "a\nb\u{1b}[31m")
            .label("\r")
            .help("\t");
        assert_eq!(problem.message, "a\\nb\\u{1b}[31m");
        assert_eq!(
            (problem.label.as_str(), problem.help.as_deref()),
            ("\\r", Some("\\t"))
        );
    }

    #[test]
    fn a_problem_of_the_file_has_no_position() {
        let problem = Diagnostic::of_file("file-not-found", "there is no file `x.yaml`");
        let problems = Diagnostics::one("x.yaml", "", problem.help("check the path"));
        assert_eq!(problems.position(&problems.problems()[0]), None);
        assert_eq!(
            problems.to_string(),
            "error[file-not-found]: there is no file `x.yaml`\n--> x.yaml\n = help: check the path"
        );
    }
}
