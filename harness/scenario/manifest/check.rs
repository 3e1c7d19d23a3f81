//! From a manifest as it stands in its file to one that is right, or to all that is wrong with it.

use std::collections::BTreeSet;

use nix::errno::Errno;

use super::keys::{self, FAMILY, Keys, Kind};
use super::raw::{RawManifest, Tree};
use super::template::{Element, Filter, Piece, Placeholder, pieces};
use super::{Alternative, Deviation, Manifest};
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::suggest;
use crate::scenario::value::{Located, Span};

/// Returns the manifest, or everything that is wrong with it, in the order of the file.
pub(in crate::scenario) fn check(
    raw: RawManifest,
    file: &str,
) -> Result<Manifest, Vec<Diagnostic>> {
    let mut checking = Checking {
        file,
        needs: raw.needs.iter().map(|it| it.value.clone()).collect(),
        has_enter: raw.enter.is_some(),
        problems: Vec::new(),
    };
    let manifest = checking.manifest(raw);
    checking
        .problems
        .sort_by_key(|problem| problem.span.map(|span| span.start));
    match checking.problems.is_empty() {
        true => Ok(manifest),
        false => Err(checking.problems),
    }
}

struct Checking<'a> {
    file: &'a str,
    needs: BTreeSet<String>,
    has_enter: bool,
    problems: Vec<Diagnostic>,
}

/// The placeholders of an alternative by what they ask of an operation.
struct Wants {
    /// Keys without which it is not taken.
    required: BTreeSet<String>,
    /// Keys that it takes.
    used: BTreeSet<String>,
    /// Whether it also asks for some values.
    is_choosy: bool,
}

impl Checking<'_> {
    fn manifest(&mut self, raw: RawManifest) -> Manifest {
        let name = self.text("name", raw.name, "name: mine");
        let about = self.text("about", raw.about, "about: the commands of our own tool");
        if !name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
            || name == "native"
        {
            let span = self.first(&name);
            self.problems.push(
                Diagnostic::new(
                    "bad-text",
                    span,
                    format!("`{name}` cannot be the name of a manifest"),
                )
                .help("a name has letters, digits, `-`, `_` and `.`; `native` is netproof's own"),
            );
        }
        let enter = raw
            .enter
            .map(|tree| self.command(&tree))
            .unwrap_or_default();
        for element in &enter {
            element.placeholders(&mut |it| self.placeholder_of_enter(it));
        }
        let sentences = raw.sentences.iter().filter_map(|it| {
            let errno = errno_named(&it.means);
            if errno.is_none() {
                self.problems.push(
                    Diagnostic::new(
                        "unknown-word",
                        it.means.span,
                        format!("`{}` is no error number", it.means.value),
                    )
                    .help("write its name as in errno(3), for example `EEXIST`"),
                );
            }
            Some((it.says.clone(), errno?))
        });
        let sentences = sentences.collect();
        let mut operations = Vec::new();
        match raw.operations {
            Some(of) if !of.0.is_empty() => {
                for (verb, tree) in of.0 {
                    operations.push((verb, self.alternatives(verb, &tree)));
                }
            }
            _ => self.missing(
                "operations",
                "operations: {up: [ip, link, set, dev, <up.ifname>, up]}",
            ),
        }
        Manifest {
            name,
            about,
            version: raw.version.into_iter().map(|it| it.value).collect(),
            needs: raw.needs.into_iter().map(|it| it.value).collect(),
            enter,
            sentences,
            lacks: raw.lacks.into_iter().map(|it| it.value).collect(),
            operations,
            deviations: raw
                .deviations
                .into_iter()
                .map(|it| Deviation {
                    scenario: it.scenario.value,
                    reason: it.reason.value,
                    link: it.link,
                    saw: it.saw,
                })
                .collect(),
        }
    }

    fn text(&mut self, key: &str, value: Option<Located<String>>, example: &str) -> String {
        match value {
            Some(text) if text.trim().is_empty() || text.contains(char::is_control) => {
                self.problems.push(
                    Diagnostic::new("bad-text", text.span, format!("`{key}` is no line of text"))
                        .help(format!("for example `{example}`")),
                );
                text.value
            }
            Some(text) => text.value,
            None => {
                self.missing(key, example);
                String::new()
            }
        }
    }

    fn missing(&mut self, key: &str, example: &str) {
        let start = self.file.len() - self.file.trim_start().len();
        let end = self.file[start..].find([':', '\n']).unwrap_or_default() + start;
        let problem = format!("the manifest has no `{key}`");
        self.problems.push(
            Diagnostic::new("missing-key", Span { start, end }, problem)
                .label(format!("`{key}` is missing"))
                .help(format!("add it, for example `{example}`")),
        );
    }

    /// Where a text stands first.
    fn first(&self, text: &str) -> Span {
        let start = self.file.find(text).unwrap_or_default();
        Span {
            start,
            end: start + text.len(),
        }
    }

    /// One command, a list of ways, or a list of ways with lists of commands.
    fn alternatives(&mut self, verb: &'static str, tree: &Located<Tree>) -> Vec<Alternative> {
        let ways: Vec<&Located<Tree>> = match &tree.value {
            Tree::List(items) if matches!(first_of(items), Some(Tree::List(_))) => {
                items.iter().collect()
            }
            _ => vec![tree],
        };
        let mut found = Vec::new();
        let mut earlier: Vec<Wants> = Vec::new();
        for way in ways {
            let before = self.problems.len();
            let commands: Vec<&Located<Tree>> = match &way.value {
                Tree::List(items) if matches!(first_of(items), Some(Tree::List(_))) => {
                    items.iter().collect()
                }
                _ => vec![way],
            };
            let mut lists = Vec::new();
            for command in commands {
                let elements = self.command(command);
                self.program(&elements, command.span);
                lists.push(elements);
            }
            let wants = self.wants(verb, &lists);
            // Of what is wrong otherwise, it would only say so again.
            if self.problems.len() == before {
                self.can_be_taken(verb, way.span, &wants, &earlier);
            }
            earlier.push(wants);
            found.push(Alternative { commands: lists });
        }
        found
    }

    fn command(&mut self, tree: &Located<Tree>) -> Vec<Element> {
        match &tree.value {
            Tree::List(items) if !items.is_empty() => {
                items.iter().filter_map(|item| self.element(item)).collect()
            }
            Tree::List(_) => {
                self.problems.push(
                    Diagnostic::new("no-command", tree.span, "a command has no words")
                        .help("write the program and its arguments, for example `[ip, link]`"),
                );
                Vec::new()
            }
            Tree::Word(word) => {
                let help = format!("divide it into words: `[{}]`", word.replace(' ', ", "));
                self.problems.push(
                    Diagnostic::new(
                        "wrong-type",
                        tree.span,
                        "a command is a list of words, not a text",
                    )
                    .label("expected a list")
                    .help(help),
                );
                Vec::new()
            }
        }
    }

    fn element(&mut self, tree: &Located<Tree>) -> Option<Element> {
        match &tree.value {
            Tree::Word(word) => match pieces(word, tree.span, self.file) {
                Ok(pieces) => Some(Element::Word(pieces)),
                Err((span, error)) => {
                    let problem = Diagnostic::new(error.id, span, error.message);
                    self.problems.push(problem.help(error.help));
                    None
                }
            },
            Tree::List(_) => Some(Element::Group(self.command(tree))),
        }
    }

    /// The program that a command begins with has to be among those that the manifest needs.
    fn program(&mut self, elements: &[Element], span: Span) {
        let Some(Element::Word(first)) = elements.iter().find(|it| !is_enter(it)) else {
            return;
        };
        let programs: Vec<&String> = match first.as_slice() {
            [Piece::Text(program)] => vec![program],
            [Piece::Placeholder(one_of)] => match one_of.filters.as_slice() {
                [Filter::Words { arms, .. }] => arms.iter().map(|(_, word)| word).collect(),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        for program in programs {
            if !self.needs.contains(program) {
                let message = format!("`needs` does not name the program `{program}`");
                self.problems.push(
                    Diagnostic::new("unlisted-program", span, message)
                        .help(format!("add `{program}` to the list `needs`")),
                );
            }
        }
    }

    fn wants(&mut self, verb: &'static str, commands: &[Vec<Element>]) -> Wants {
        let keys = keys::of(verb);
        let mut wants = Wants {
            required: BTreeSet::new(),
            used: BTreeSet::new(),
            is_choosy: false,
        };
        for element in commands.iter().flatten() {
            element.placeholders(&mut |it| {
                self.placeholder(verb, keys, it);
                wants.used.insert(it.key.clone());
            });
            if let Element::Word(_) = element {
                element.placeholders(&mut |it| {
                    wants.required.insert(it.key.clone());
                    wants.is_choosy |= !it.takes_all();
                });
            }
        }
        wants.required.remove(FAMILY);
        wants
    }

    fn placeholder(&mut self, verb: &str, keys: &Keys, it: &Placeholder) {
        for filter in &it.filters {
            if let Filter::Same(other) = filter {
                self.placeholder(verb, keys, &Placeholder::of(other, it.span));
            }
        }
        let known: Vec<&str> = keys.all.keys().map(String::as_str).collect();
        let kind = match keys.all.get(&it.key) {
            Some(kind) => kind,
            None if it.key == FAMILY => &Kind::Value,
            None => {
                let message = format!("`{verb}` has no key `{}`", it.key);
                let problem = Diagnostic::new("unknown-placeholder", it.span, message);
                let help = suggest::help(&it.key, &known);
                return self.problems.push(problem.help(help));
            }
        };
        let parts: Vec<&str> = match kind {
            Kind::Link => vec!["node", "ifname"],
            Kind::Items(keys) => keys.iter().map(String::as_str).collect(),
            Kind::Value | Kind::Node => Vec::new(),
        };
        let is_node = match (&it.part, kind) {
            (None, Kind::Node) => true,
            (Some(part), Kind::Link) => part == "node",
            _ => false,
        };
        let has_part = match &it.part {
            Some(part) => parts.contains(&part.as_str()),
            None => !matches!(kind, Kind::Items(_)),
        };
        let wrong = if !has_part {
            Some(match &it.part {
                Some(part) if parts.is_empty() => (
                    format!("`{}` has no part `{part}`", it.key),
                    format!("it is one value: write `<{}>`", it.key),
                ),
                Some(part) => (
                    format!("`{}` has no part `{part}`", it.key),
                    suggest::help(part, &parts),
                ),
                None => (
                    format!("`{}` stands for several values", it.key),
                    format!("write a part of them: {}", parts.join(", ")),
                ),
            })
        } else if it.filters.iter().any(|filter| filter.wants_node()) && !is_node {
            let help =
                "`elsewhere`, `enter` and `netns` stand behind a node, as in `<dev.node|enter>`";
            Some((format!("`{it}` is no node"), help.to_owned()))
        } else if it.filters.contains(&Filter::Enter) && !self.has_enter {
            let help =
                "add the words that come first, for example `enter: [ip, netns, exec, <node>]`";
            Some((
                "the manifest does not say how a node is entered".to_owned(),
                help.to_owned(),
            ))
        } else {
            None
        };
        if let Some((message, help)) = wrong {
            self.problems
                .push(Diagnostic::new("unknown-placeholder", it.span, message).help(help));
        }
    }

    fn placeholder_of_enter(&mut self, it: &Placeholder) {
        if it.path() != "node" || it.filters.contains(&Filter::Enter) {
            self.problems.push(
                Diagnostic::new(
                    "unknown-placeholder",
                    it.span,
                    "`enter` knows only the node",
                )
                .help("write `<node>`, or `<node|netns>` for the file of its namespace"),
            );
        }
    }

    /// Refuses a way that no operation could ever take.
    fn can_be_taken(&mut self, verb: &str, span: Span, wants: &Wants, earlier: &[Wants]) {
        let always = &keys::of(verb).required;
        let message = if Manifest::NOT_ITS_OWN.contains(&verb) {
            Some((
                format!("netproof carries `{verb}` out by itself"),
                format!("remove `{verb}`"),
            ))
        } else if let Some(key) = always.difference(&wants.used).next() {
            Some((
                format!("`{verb}` always has `{key}`, which has no placeholder here"),
                format!("write `<{key}>` where it belongs, or remove this way"),
            ))
        } else if earlier.iter().any(|it| {
            !it.is_choosy
                && it.required.is_subset(&wants.required)
                && wants.used.is_subset(&it.used)
        }) {
            Some((
                "an earlier way takes everything that this one could".to_owned(),
                "write the way that asks for more before the one that asks for less".to_owned(),
            ))
        } else {
            None
        };
        if let Some((message, help)) = message {
            self.problems.push(
                Diagnostic::new("never-taken", span, message)
                    .label("never taken")
                    .help(help),
            );
        }
    }
}

fn first_of(items: &[Located<Tree>]) -> Option<&Tree> {
    items.first().map(|it| &it.value)
}

fn is_enter(element: &Element) -> bool {
    let mut found = false;
    element.placeholders(&mut |it| found |= it.filters.contains(&Filter::Enter));
    found
}

/// Finds an error number by its name in errno(3).
fn errno_named(name: &str) -> Option<Errno> {
    const LAST: i32 = 133;
    (1..=LAST)
        .map(Errno::from_raw)
        .find(|errno| *errno != Errno::UnknownErrno && format!("{errno:?}") == name)
}
