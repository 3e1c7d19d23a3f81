//! The reference of verbs, as Markdown: what the table of verbs, the types of their arguments and the
//! examples say, in one text.

use std::fmt::Write as _;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::operation::Operation;
use super::parse::examples;

const HEAD: &str = "\
# Verbs

<!-- `netproof verbs` prints this file. What it says stands beside the code of each verb. -->

An item under `given` or `do` has one of these verbs. It stands for one command, as it would be typed in
the node `host`. [format.md](format.md#operations) says what else an item can have.
";

impl Operation {
    /// Writes the reference of all verbs: what each does, its arguments, and examples with the
    /// commands that they stand for.
    pub fn reference() -> String {
        let mut generator = SchemaSettings::draft07().into_generator();
        let arguments = Self::argument_schemas(&mut generator);
        let shapes = Shapes(generator.take_definitions(false));
        let mut text = HEAD.to_owned() + "\n| verb | what it does |\n|---|---|\n";
        for (verb, purpose) in Self::VERBS.iter().zip(Self::PURPOSES) {
            text += &format!("| [`{verb}`](#{verb}) | {} |\n", cell(purpose));
        }
        for ((verb, schema), purpose) in arguments.into_iter().zip(Self::PURPOSES) {
            text += &format!("\n## `{verb}`\n\n{}\n", paragraphs(purpose));
            text += &shapes.arguments(&schema.to_value());
            text += "\n| example | command |\n|---|---|\n";
            for (example, command) in examples::with_commands(verb) {
                text += &format!("| `{}` | `{}` |\n", cell(example), cell(&command));
            }
        }
        text
    }
}

/// The definitions that schemas refer to.
struct Shapes(Map<String, Value>);

impl Shapes {
    /// Describes the arguments of a verb: what its type says, and a table of what it takes.
    fn arguments(&self, schema: &Value) -> String {
        // The type of the arguments, and not that of its value where it has no keys of its own.
        let shape = self.resolved(schema);
        let mut text = match shape["description"].as_str() {
            Some(description) => format!("\n{}\n", paragraphs(description)),
            None => String::new(),
        };
        let rows = self.rows(shape);
        if rows.is_empty() {
            let _ = writeln!(text, "\nIts value is {}.", self.value(shape));
            return text;
        }
        text += "\n| argument | needed | what it is | value |\n|---|---|---|---|\n";
        for (name, needed, property) in rows {
            let what = property["description"].as_str().unwrap_or_default();
            let what = cell(what.trim_end_matches('.'));
            let value = cell(&self.value(property));
            let _ = writeln!(text, "| `{name}` | {needed} | {what} | {value} |");
        }
        text
    }

    /// Returns name, need and schema of each argument; first those that are needed.
    fn rows<'a>(&'a self, shape: &'a Value) -> Vec<(&'a str, &'static str, &'a Value)> {
        let choices = shape["oneOf"].as_array().map_or(&[][..], Vec::as_slice);
        let mut rows: Vec<_> = choices
            .iter()
            // What one of several is for is said of the choice.
            .flat_map(|choice| {
                properties(choice).map(move |(name, _)| (name, "one of these", choice))
            })
            .collect();
        let required: Vec<&str> = shape["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let of = |name: &str| properties(shape).find(|(known, _)| *known == name);
        rows.extend(
            required
                .iter()
                .filter_map(|name| of(name))
                .map(|(name, property)| (name, "yes", property)),
        );
        rows.extend(
            properties(shape)
                .filter(|(name, _)| !required.contains(name))
                .map(|(name, property)| (name, "", property)),
        );
        rows
    }

    /// Follows a reference to what it refers to.
    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let name = schema["$ref"]
            .as_str()
            .and_then(|path| path.rsplit('/').next());
        match name.and_then(|name| self.0.get(name)) {
            Some(definition) => definition,
            None => schema,
        }
    }

    /// Says in words what a value looks like.
    fn value(&self, schema: &Value) -> String {
        if let Some((_, property)) = properties(schema).next() {
            return self.value(property);
        }
        for several in ["allOf", "anyOf"] {
            let real = |it: &&Value| it["type"] != "null";
            let first = schema[several].as_array().into_iter().flatten().find(real);
            if let Some(first) = first {
                return self.value(first);
            }
        }
        let named = schema.get("$ref").is_some();
        let shape = self.resolved(schema);
        if named && shape.get("pattern").is_none() && shape.get("type").is_none() {
            return self.words(shape);
        }
        let is = |name: &str| match &shape["type"] {
            Value::Array(several) => several.iter().any(|it| it == name),
            one => one == name,
        };
        match shape["description"].as_str().filter(|_| named) {
            _ if is("array") => format!("a list; each {}", self.value(&shape["items"])),
            _ if is("boolean") => "`true` or `false`".to_owned(),
            _ if is("integer") && !is("string") => match &shape["maximum"] {
                Value::Null => "a number".to_owned(),
                max => format!("a number up to {max}"),
            },
            _ if shape["format"] == "ip" => "an address, such as `10.0.0.1`".to_owned(),
            Some(description) => lowercased(description),
            None => "a text".to_owned(),
        }
    }

    /// Lists the words that can be chosen from, each with its meaning.
    fn words(&self, shape: &Value) -> String {
        let several = ["oneOf", "anyOf", "allOf"]
            .iter()
            .find_map(|key| shape[*key].as_array());
        let words = several.into_iter().flatten().map(|choice| {
            let (Some(word), Some(meaning)) =
                (choice["const"].as_str(), choice["description"].as_str())
            else {
                return self.value(choice);
            };
            format!("`{word}`: {}", lowercased(meaning))
        });
        words.collect::<Vec<_>>().join("; ")
    }
}

fn properties(shape: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let properties = shape["properties"].as_object();
    properties
        .into_iter()
        .flatten()
        .map(|(name, property)| (name.as_str(), property))
}

/// Writes the first letter small and leaves out the full stop, unless an abbreviation begins it.
fn lowercased(sentence: &str) -> String {
    let sentence = sentence.trim_end_matches('.');
    let mut letters = sentence.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(_), Some(second)) if second.is_uppercase() => sentence.to_owned(),
        (Some(first), _) => first.to_lowercase().chain(letters).collect(),
        (None, _) => String::new(),
    }
}

/// Writes a text into one cell of a table.
fn cell(text: &str) -> String {
    text.trim().replace('\n', " ").replace('|', "\\|")
}

/// Takes off the space that a doc comment begins each line with.
fn paragraphs(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.join("\n").trim().to_owned()
}
