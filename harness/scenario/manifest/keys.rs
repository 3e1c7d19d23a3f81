//! The keys of every verb, as the schema of scenarios has them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use crate::scenario::operation::Operation;

/// The keys of a verb.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys {
    pub(super) all: BTreeMap<String, Kind>,
    /// Those that an operation always has.
    pub(super) required: BTreeSet<String>,
}

/// What stands behind a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Value,
    Node,
    /// An interface of a node, with the parts `node` and `ifname`.
    Link,
    /// Several mappings with these keys.
    Items(BTreeSet<String>),
}

/// The key that every verb has: `ipv4` or `ipv6`, as follows from the others where it is not given.
pub(super) const FAMILY: &str = "family";

/// Returns the keys of a verb. One whose only argument is an interface has itself as key.
pub(super) fn of(verb: &str) -> &'static Keys {
    static VERBS: OnceLock<BTreeMap<&'static str, Keys>> = OnceLock::new();
    static NONE: Keys = Keys {
        all: BTreeMap::new(),
        required: BTreeSet::new(),
    };
    VERBS.get_or_init(all).get(verb).unwrap_or(&NONE)
}

fn all() -> BTreeMap<&'static str, Keys> {
    let mut generator = SchemaSettings::draft07().into_generator();
    let verbs = Operation::argument_schemas(&mut generator);
    let types = generator.take_definitions(true);
    let keys = verbs.into_iter().map(|(verb, schema)| {
        let schema = schema.to_value();
        (verb, keys_of(verb, &schema, &types))
    });
    keys.collect()
}

fn keys_of(verb: &str, schema: &Value, types: &Map<String, Value>) -> Keys {
    let object = reference(schema).and_then(|name| types.get(name));
    let properties = object.and_then(|it| it.get("properties")?.as_object());
    let Some(properties) = properties else {
        return Keys {
            all: BTreeMap::from([(verb.to_owned(), kind(schema, types))]),
            required: BTreeSet::from([verb.to_owned()]),
        };
    };
    let required = object.and_then(|it| it.get("required")?.as_array());
    Keys {
        all: properties
            .iter()
            .map(|(key, value)| (key.clone(), kind(value, types)))
            .collect(),
        required: required
            .into_iter()
            .flatten()
            .filter_map(|key| key.as_str().map(str::to_owned))
            .collect(),
    }
}

fn kind(schema: &Value, types: &Map<String, Value>) -> Kind {
    if let Some(items) = schema.get("items")
        && let Some(item) = reference(items).and_then(|name| types.get(name))
        && let Some(properties) = item.get("properties").and_then(Value::as_object)
    {
        return Kind::Items(properties.keys().cloned().collect());
    }
    match reference(schema) {
        Some("LinkRef") => Kind::Link,
        Some("NodeName") => Kind::Node,
        // A type that stands for another one.
        Some(name) => match types.get(name).map(|it| (reference(it), it)) {
            Some((Some(_), schema)) => kind(schema, types),
            _ => Kind::Value,
        },
        None => Kind::Value,
    }
}

/// Returns the name of the type that a schema refers to.
fn reference(schema: &Value) -> Option<&str> {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        return name.rsplit('/').next();
    }
    let several = ["allOf", "anyOf"]
        .iter()
        .filter_map(|key| schema.get(*key)?.as_array());
    several.flatten().find_map(reference)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_are_those_of_scenarios() {
        let veth = of("veth");
        assert_eq!(veth.all["add"], Kind::Link);
        assert!(veth.required.contains("peer"));
        assert_eq!(of("up").all["up"], Kind::Link);
        assert_eq!(of("move").all["to"], Kind::Node);
        let route = of("route");
        assert_eq!(route.all["in"], Kind::Node);
        assert!(route.required.contains("in") && !route.required.contains("add"));
        assert!(matches!(&route.all["nexthops"], Kind::Items(keys) if keys.contains("weight")));
        assert!(of("masquerade").all.contains_key("not-out"));
        assert!(Operation::VERBS.iter().all(|verb| !of(verb).all.is_empty()));
    }
}
