//! From an operation to commands.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::{Map, Value};

use super::keys::FAMILY;
use super::template::{Element, Filter, Piece, Placeholder};
use super::{Alternative, Manifest, NoWay};
use crate::scenario::name::LinkRef;
use crate::scenario::operation::{HOST, Operation, is_word_of_ip_link};
use crate::scenario::value::Span;

/// Commands as lists of words.
type Commands = Vec<Vec<String>>;

/// What a placeholder comes to.
enum Rendered {
    Words(Vec<String>),
    /// Nothing stands there; with `said`, that is what the value asks for.
    Nothing {
        said: bool,
    },
}

/// The keys of an operation with their values, and those that had a say in the commands.
struct Rendering<'a> {
    manifest: &'a Manifest,
    values: &'a Map<String, Value>,
    /// The item of a list that a group is repeated for.
    item: Option<(&'a str, &'a Map<String, Value>)>,
    used: BTreeSet<String>,
    /// The keys whose values a placeholder has no word for.
    refused: BTreeSet<String>,
}

impl Manifest {
    /// Returns the commands that carry an operation out, as lists of words.
    ///
    /// # Errors
    ///
    /// The manifest has no commands for the verb, or none that take all of its keys.
    pub fn commands(&self, operation: &Operation) -> Result<Commands, NoWay> {
        let verb = operation.verb();
        let values = values_of(operation);
        let no_way = |keys| NoWay { verb, keys };
        let of_verb = self.operations.iter().find(|(of, _)| *of == verb);
        let (_, alternatives) = of_verb.ok_or_else(|| no_way(Vec::new()))?;
        let given = given(&values);
        // Of the ways that could be taken but for some keys, the one that lacks the fewest.
        let mut fewest: Option<BTreeSet<String>> = None;
        for alternative in alternatives {
            let lacking: BTreeSet<String> = match alternative.render(self, &values) {
                Ok((commands, used)) if given.is_subset(&used) => return Ok(commands),
                Ok((_, used)) => given.difference(&used).cloned().collect(),
                Err(refused) => {
                    let used = alternative.keys();
                    let unused = given.iter().filter(|key| !used.contains(key_of(key)));
                    refused.into_iter().chain(unused.cloned()).collect()
                }
            };
            let is_fewer = |it: &BTreeSet<String>| it.len() > lacking.len();
            if !lacking.is_empty() && fewest.as_ref().is_none_or(is_fewer) {
                fewest = Some(lacking);
            }
        }
        let keys = fewest.unwrap_or(given);
        Err(no_way(keys.into_iter().collect()))
    }
}

/// The key that a part belongs to.
fn key_of(path: &str) -> &str {
    path.split('.').next().unwrap_or(path)
}

impl Alternative {
    /// Every key that stands in it.
    fn keys(&self) -> BTreeSet<&str> {
        let mut keys = BTreeSet::new();
        for element in self.commands.iter().flatten() {
            element.placeholders(&mut |it| {
                keys.insert(it.key.as_str());
            });
        }
        keys
    }

    /// Returns the commands, and the keys that had a say in them; where a word has nothing to stand
    /// for it, the keys whose values it has no word for.
    fn render(
        &self,
        manifest: &Manifest,
        values: &Map<String, Value>,
    ) -> Result<(Commands, BTreeSet<String>), BTreeSet<String>> {
        let mut rendering = Rendering {
            manifest,
            values,
            item: None,
            used: BTreeSet::new(),
            refused: BTreeSet::new(),
        };
        let mut commands = Vec::new();
        for elements in &self.commands {
            let mut words = Vec::new();
            for element in elements {
                match rendering.element(element) {
                    Some(more) => words.extend(more),
                    None => return Err(rendering.refused),
                }
            }
            commands.push(words);
        }
        Ok((commands, rendering.used))
    }
}

/// Returns the keys of an operation that it is given with, with those of its lists.
fn given(values: &Map<String, Value>) -> BTreeSet<String> {
    let mut given = BTreeSet::new();
    for (key, value) in values {
        match items(value) {
            Some(items) => {
                let keys = items.iter().flat_map(|item| item.keys());
                given.extend(keys.map(|part| format!("{key}.{part}")));
            }
            None => drop(given.insert(key.clone())),
        }
    }
    given
}

fn values_of(operation: &Operation) -> Map<String, Value> {
    match operation.arguments_value() {
        Value::Object(values) => values,
        // A verb whose only argument is an interface.
        value => Map::from_iter([(operation.verb().to_owned(), value)]),
    }
}

/// Returns the mappings of a list of mappings.
fn items(value: &Value) -> Option<Vec<&Map<String, Value>>> {
    let list = value.as_array()?;
    let items: Option<Vec<_>> = list.iter().map(Value::as_object).collect();
    items.filter(|items| !items.is_empty())
}

impl<'a> Rendering<'a> {
    /// Returns the words of an element; `None` where it is a word with nothing to stand for it.
    fn element(&mut self, element: &'a Element) -> Option<Vec<String>> {
        match element {
            Element::Word(pieces) => match self.word(pieces) {
                Rendered::Words(words) => Some(words),
                Rendered::Nothing { .. } => None,
            },
            Element::Group(elements) => Some(self.group(elements)),
        }
    }

    /// A group is there where each of its words is, and once for each item of a list that it names.
    fn group(&mut self, elements: &'a [Element]) -> Vec<String> {
        let (Some(key), None) = (list_of(elements, self.values), self.item) else {
            return self.group_once(elements);
        };
        let values = self.values;
        let mut words = Vec::new();
        for item in values.get(key).and_then(items).unwrap_or_default() {
            self.item = Some((key, item));
            words.extend(self.group_once(elements));
        }
        self.item = None;
        words
    }

    fn group_once(&mut self, elements: &'a [Element]) -> Vec<String> {
        let before = self.used.clone();
        let (mut words, mut is_there, mut has_words) = (Vec::new(), true, false);
        let mut said = BTreeSet::new();
        for element in elements {
            match element {
                Element::Word(pieces) => match self.word(pieces) {
                    Rendered::Words(more) => {
                        has_words |= pieces.iter().any(|it| matches!(it, Piece::Placeholder(_)));
                        words.extend(more);
                    }
                    Rendered::Nothing { said: true } => {
                        element.placeholders(&mut |it| {
                            said.insert(it.key.clone());
                        });
                        is_there = false;
                    }
                    Rendered::Nothing { said: false } => is_there = false,
                },
                Element::Group(inner) => {
                    let more = self.group(inner);
                    has_words |= !more.is_empty();
                    words.extend(more);
                }
            }
        }
        if is_there && has_words {
            return words;
        }
        self.used = before;
        self.used.extend(said);
        Vec::new()
    }

    fn word(&mut self, pieces: &'a [Piece]) -> Rendered {
        if let [Piece::Placeholder(placeholder)] = pieces {
            return self.placeholder(placeholder);
        }
        let mut word = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => word += text,
                Piece::Placeholder(placeholder) => match self.placeholder(placeholder) {
                    Rendered::Words(words) => word += &words.join(" "),
                    nothing => return nothing,
                },
            }
        }
        Rendered::Words(vec![word])
    }

    fn placeholder(&mut self, placeholder: &'a Placeholder) -> Rendered {
        let Some(value) = self.value(placeholder) else {
            return Rendered::Nothing { said: false };
        };
        let rendered = self.filtered(value, &placeholder.filters);
        let key = match self.item {
            Some((key, _)) if key == placeholder.key => placeholder.path(),
            _ => placeholder.key.clone(),
        };
        match rendered {
            Rendered::Words(_) => self.used.insert(key),
            Rendered::Nothing { .. } => self.refused.insert(key),
        };
        rendered
    }

    fn value(&self, placeholder: &Placeholder) -> Option<String> {
        let part = placeholder.part.as_deref();
        if let (Some((key, item)), Some(part)) = (self.item, part)
            && key == placeholder.key
        {
            return text(item.get(part)?);
        }
        let Some(value) = self.values.get(&placeholder.key) else {
            return (placeholder.key == FAMILY).then(|| family(self.values).to_owned());
        };
        let value = text(value)?;
        let link = |value: &str| value.parse::<LinkRef>().ok();
        match part {
            None => Some(value),
            Some("node") => link(&value).map(|link| link.node.to_string()),
            Some(_) => link(&value).map(|link| link.ifname.to_string()),
        }
    }

    fn filtered(&self, value: String, filters: &'a [Filter]) -> Rendered {
        let mut value = value;
        let is_host = value == HOST;
        for filter in filters {
            match filter {
                Filter::Words { arms, others } => {
                    let arm = arms.iter().find(|(of, _)| *of == value);
                    match arm {
                        Some((_, word)) if word.is_empty() => return Rendered::Words(Vec::new()),
                        Some((_, word)) => value.clone_from(word),
                        None if *others => {}
                        None => return Rendered::Nothing { said: false },
                    }
                }
                Filter::Upper => value = value.to_uppercase(),
                Filter::Times(times) => match value.parse::<u32>() {
                    Ok(number) => value = (u64::from(number) * u64::from(*times)).to_string(),
                    Err(_) => return Rendered::Nothing { said: false },
                },
                Filter::Short => value = short(&value).to_owned(),
                Filter::Plain => value = value.chars().map(plain).collect(),
                Filter::Elsewhere if is_host => return Rendered::Nothing { said: true },
                Filter::Elsewhere => {}
                Filter::Enter => return Rendered::Words(self.enter(&value)),
                Filter::Netns if is_host => value = "/proc/1/ns/net".to_owned(),
                Filter::Netns => value = format!("/run/netns/{value}"),
                Filter::Same(key) => {
                    let other = self.value(&Placeholder::of(key, Span::default()));
                    return match other {
                        Some(other) if other == value => Rendered::Words(Vec::new()),
                        _ => Rendered::Nothing { said: false },
                    };
                }
                Filter::Link(word) if is_word_of_ip_link(&value) => {
                    return Rendered::Words(vec![word.clone(), value]);
                }
                Filter::Link(_) => {}
            }
        }
        Rendered::Words(vec![value])
    }

    /// The words that bring a command into a node.
    fn enter(&self, node: &str) -> Vec<String> {
        if node == HOST {
            return Vec::new();
        }
        let values = Map::from_iter([("node".to_owned(), Value::String(node.to_owned()))]);
        let mut inner = Rendering {
            manifest: self.manifest,
            values: &values,
            item: None,
            used: BTreeSet::new(),
            refused: BTreeSet::new(),
        };
        let words = self.manifest.enter.iter().flat_map(|it| inner.element(it));
        words.flatten().collect()
    }
}

/// Returns the key of the list that a group names, where it names one.
fn list_of<'a>(elements: &'a [Element], values: &Map<String, Value>) -> Option<&'a str> {
    let mut found = None;
    for element in elements {
        element.placeholders(&mut |placeholder| {
            let is_list = values
                .get(&placeholder.key)
                .is_some_and(|it| items(it).is_some());
            found = found.or(is_list.then_some(placeholder.key.as_str()));
        });
    }
    found
}

/// Returns a value as it would be written; `None` where it is no text.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(switch) => Some(switch.to_string()),
        Value::Array(list) => {
            let words: Option<Vec<String>> = list.iter().map(text).collect();
            words.map(|words| words.join(","))
        }
        Value::Null | Value::Object(_) => None,
    }
}

/// Tells which IP an operation is of: the first of its values that says it.
fn family(values: &Map<String, Value>) -> &'static str {
    let of_v6 = |text: &str| {
        let address = text.split('/').next().unwrap_or_default();
        let in_brackets = address
            .strip_prefix('[')
            .and_then(|it| it.split(']').next());
        let address = in_brackets.unwrap_or(address);
        text == "icmpv6" || address.parse::<IpAddr>().is_ok_and(|it| it.is_ipv6())
    };
    fn any(value: &Value, is: &dyn Fn(&str) -> bool) -> bool {
        match value {
            Value::String(text) => is(text),
            Value::Array(list) => list.iter().any(|item| any(item, is)),
            Value::Object(map) => map.values().any(|item| any(item, is)),
            _ => false,
        }
    }
    if values.values().any(|value| any(value, &of_v6)) {
        "ipv6"
    } else {
        "ipv4"
    }
}

/// Returns the prefix of one address without its length.
fn short(prefix: &str) -> &str {
    match prefix.split_once('/') {
        Some((address, "32")) if !address.contains(':') => address,
        Some((address, "128")) => address,
        _ => prefix,
    }
}

fn plain(c: char) -> char {
    if c.is_ascii_alphanumeric() || "-_.".contains(c) {
        c
    } else {
        '_'
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use crate::scenario::{Item, parse_manifest};

    /// Renders an operation by a manifest that has this for its verb.
    fn rendered(commands: &str, operation: &str) -> Result<Vec<String>, String> {
        let verb = operation.split(':').next().unwrap_or_default();
        let text = format!(
            "name: x\nabout: y\nneeds: [ip]\nenter: [ip, in, <node>]\noperations:\n  {verb}: {commands}\n"
        );
        let manifest = parse_manifest("x.yaml", &text).map_err(|it| it.to_string())?;
        let item: Item = crate::scenario::parse::item(operation).unwrap();
        let commands = manifest.commands(&item.operation);
        let commands = commands.map_err(|no_way| no_way.to_string())?;
        Ok(commands.iter().map(|words| words.join(" ")).collect())
    }

    #[rstest]
    #[case::parts("[ip, <up.node>, <up.ifname>, <up>]", "up: web/lo", "ip web lo web/lo")]
    #[case::elsewhere(
        "[ip, [-n, <up.node|elsewhere>], <up.ifname>]",
        "up: web/lo",
        "ip -n web lo"
    )]
    #[case::here("[ip, [-n, <up.node|elsewhere>], <up.ifname>]", "up: host/lo", "ip lo")]
    #[case::only_here(
        "[ip, [-n, <in|elsewhere>], <key>=<value>]",
        "sysctl: {in: host, key: net.a, value: 1}",
        "ip net.a=1"
    )]
    #[case::enter("[<up.node|enter>, ip, <up.ifname>]", "up: web/lo", "ip in web ip lo")]
    #[case::netns(
        "[ip, <up.node|netns>, <up.ifname>]",
        "up: host/lo",
        "ip /proc/1/ns/net lo"
    )]
    #[case::link_word("[ip, <up.ifname|link dev>]", "up: host/down", "ip dev down")]
    #[case::some_value(
        "[ip, <to|host=1|*>, <dev>]",
        "move: {dev: web/a, to: host}",
        "ip 1 web/a"
    )]
    #[case::other_value(
        "[ip, <to|host=1|*>, <dev>]",
        "move: {dev: web/a, to: db}",
        "ip db web/a"
    )]
    #[case::number(
        "[ip, <dev>, [<ageing|x100>]]",
        "bridge-set: {dev: host/b, ageing: 3}",
        "ip host/b 300"
    )]
    #[case::switch(
        "[ip, <dev>, [<flood|true=on|false=off>]]",
        "bridge-port: {dev: host/b, flood: false}",
        "ip host/b off"
    )]
    #[case::no_word(
        "[ip, <add>, <link>, <mode|vepa=>]",
        "macvlan: {add: a/b, link: c, mode: vepa}",
        "ip a/b c"
    )]
    #[case::list(
        "[ip, <in>, <chain>, <then>, [<state|upper>]]",
        "filter: {in: a, chain: input, state: [new, related], then: drop}",
        "ip a input drop NEW,RELATED"
    )]
    #[case::family(
        "[ip, <dev>, [<add>], [<family|ipv6=nodad>]]",
        "address: {add: 'fd00::1/64', dev: a/b}",
        "ip a/b fd00::1/64 nodad"
    )]
    #[case::no_family(
        "[ip, <dev>, [<add>], [<family|ipv6=nodad>]]",
        "address: {add: 10.0.0.1/8, dev: a/b}",
        "ip a/b 10.0.0.1/8"
    )]
    #[case::same(
        "[[ip, same, <dev>, <to|same dev.node>], [ip, other, <dev>, <to>]]",
        "move: {dev: web/a, to: web}",
        "ip same web/a"
    )]
    #[case::not_same(
        "[[ip, same, <dev>, <to|same dev.node>], [ip, other, <dev>, <to>]]",
        "move: {dev: web/a, to: db}",
        "ip other web/a db"
    )]
    #[case::items(
        "[ip, <in>, [<add>], [hop, [via, <nexthops.via>], [dev, <nexthops.dev>]]]",
        "route: {in: a, add: default, nexthops: [{via: 10.0.0.1}, {via: 10.0.0.2, dev: b}]}",
        "ip a default hop via 10.0.0.1 hop via 10.0.0.2 dev b"
    )]
    #[case::second(
        "[[ip, x, <dev>, <isolated>], [ip, y, <dev>, <flood>]]",
        "bridge-port: {dev: host/b, flood: true}",
        "ip y host/b true"
    )]
    fn an_operation_becomes_words(
        #[case] commands: &str,
        #[case] operation: &str,
        #[case] words: &str,
    ) {
        assert_eq!(rendered(commands, operation), Ok(vec![words.to_owned()]));
    }

    #[rstest]
    #[case::a_key(
        "[ip, <add>, <id>]",
        "vxlan: {add: a/b, id: 1, dstport: 4789}",
        "no way to do `vxlan` with `dstport`"
    )]
    #[case::half_a_group(
        "[ip, <dev>, [<isolated>, <flood>]]",
        "bridge-port: {dev: a/b, flood: true}",
        "no way to do `bridge-port` with `flood`"
    )]
    #[case::a_value(
        "[ip, <add>, <link>, <mode|vepa=>]",
        "macvlan: {add: a/b, link: c, mode: bridge}",
        "no way to do `macvlan` with `mode`"
    )]
    #[case::an_item(
        "[ip, <in>, [<add>], [hop, <nexthops.via>]]",
        "route: {in: a, add: default, nexthops: [{via: 10.0.0.1, weight: 2}, {via: 10.0.0.2}]}",
        "no way to do `route` with `nexthops.weight`"
    )]
    #[case::a_missing_key(
        "[ip, <in>, <add>, <table>]",
        "rule: {in: a, add: 1, type: blackhole}",
        "no way to do `rule` with `type`"
    )]
    fn what_has_no_say_is_no_way(
        #[case] commands: &str,
        #[case] operation: &str,
        #[case] why: &str,
    ) {
        assert_eq!(rendered(commands, operation), Err(why.to_owned()));
    }

    #[test]
    fn a_way_may_have_several_commands() {
        let commands = "[[[ip, a, <up.ifname>], [ip, b]]]";
        assert_eq!(
            rendered(commands, "up: web/lo"),
            Ok(vec!["ip a lo".to_owned(), "ip b".to_owned()])
        );
    }
}
