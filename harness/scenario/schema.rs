//! The format as JSON Schema, for editors.
//!
//! It says what goes where and what a value looks like. What only the whole of a file tells, such as
//! a node that nobody declared, `netproof check` tells.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::claim::Claims;
use super::expectation::Expectation;
use super::fact::Table;
use super::fate::{
    ExpectedLoss, ExpectedRejection, ExpectedReply, ExpectedSilence, FATES, Sighting,
};
use super::hardware::{EchoSize, EtherType, MacAddress, Mtu, Seconds, Switch, VlanId, VxlanId};
use super::model::{FactKind, Scenario};
use super::name::{IfName, LinkRef, NodeName, Place};
use super::net::{Broadcast, Destination, Endpoint, InterfaceAddress, Prefix, TableId};
use super::observation::{Observation, Shown};
use super::operation::{Attach, Detach, Item, Network, NetworkName, SysctlKey, SysctlValue};
use super::probe::{Exchange, PROBES, Ping, RawFrame, SentTo, Solicitation};
use super::value::Located;

impl Scenario {
    /// Writes the JSON Schema of scenario files, in the draft that editors understand best.
    pub fn schema() -> Value {
        SchemaSettings::draft07()
            .into_generator()
            .into_root_schema_for::<Self>()
            .to_value()
    }
}

impl<T: JsonSchema> JsonSchema for Located<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// A word of a command, for which there is no type of its own.
pub(super) struct CommandWord;

/// Says what the text of a type looks like.
macro_rules! as_pattern {
    ($($type:ident: $pattern:expr, $description:literal;)+) => { $(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "description": $description })
            }
        }
    )+ };
}

as_pattern! {
    NodeName: r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$", "A node, such as `web`";
    NetworkName: r"^[A-Za-z0-9][A-Za-z0-9-]{0,10}$", "A network, such as `front`";
    IfName: r"^[^/:\s]{1,15}$", "The name of an interface, such as `eth0`";
    LinkRef: r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}/[^/:\s]{1,15}$", "An interface of a node, such as `web/eth0`";
    Place: r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}(/[^/:\s]{1,15})?$", "An interface or a node, such as `web/eth0` or `web`";
    SentTo: r"^([0-9A-Fa-f:.]+|[A-Za-z0-9][A-Za-z0-9._-]{0,62}/[^/:\s]{1,15})$", "An address such as `10.0.0.1`, or the interface whose address it is, such as `web/eth0`";
    InterfaceAddress: r"^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$", "An address with its prefix length, such as `10.0.0.1/24` or `fd00::1/64`";
    Endpoint: r"^([0-9.]+(:[0-9]{1,5})?|[0-9A-Fa-f:.]+|\[[0-9A-Fa-f:.]+\]:[0-9]{1,5})$", "An address, and a port where there is one, such as `10.0.0.2:80` or `[fd00::2]:80`";
    Prefix: r"^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$", "A prefix, such as `10.0.0.0/24`";
    Destination: r"^(default|[0-9A-Fa-f:.]+(/[0-9]{1,3})?)$", "`default`, or a prefix such as `10.0.0.0/24`";
    Broadcast: r"^(\+|[0-9.]+)$", "`+` for all host bits set, or an address";
    MacAddress: r"^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}$", "A hardware address, such as `02:00:00:00:00:01`";
    CommandWord: r"^\S.*$", "A word of a command, such as `add`";
    SysctlKey: r"^net[./]", "A setting under `net.`, such as `net.ipv4.ip_forward`";
}

impl JsonSchema for Switch {
    fn schema_name() -> Cow<'static, str> {
        "Switch".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "boolean", "description": "Whether it is on" })
    }
}

/// Says from what to what a number goes.
macro_rules! as_number {
    ($($type:ident: $description:literal;)+) => { $(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "integer",
                    "minimum": $type::MIN,
                    "maximum": $type::MAX,
                    "description": $description,
                })
            }
        }
    )+ };
}

as_number! {
    Mtu: "The largest packet in bytes";
    Seconds: "A time in seconds";
    VlanId: "The number of a VLAN";
    EchoSize: "How many bytes a ping carries";
    VxlanId: "The number of a VXLAN segment";
}

impl JsonSchema for EtherType {
    fn schema_name() -> Cow<'static, str> {
        "EtherType".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // YAML takes what begins with `0x` for a number.
        json_schema!({
            "type": ["string", "integer"],
            "pattern": "^0x[0-9A-Fa-f]{4}$",
            "description": "The protocol of a frame, such as `0x88b6`",
        })
    }
}

impl JsonSchema for TableId {
    fn schema_name() -> Cow<'static, str> {
        "TableId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "pattern": r"^(main|default|local|[0-9]{1,10})$",
            "description": "A routing table, by number or as `main`, `default` or `local`",
        })
    }
}

impl JsonSchema for SysctlValue {
    fn schema_name() -> Cow<'static, str> {
        "SysctlValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "number"],
            "description": "The value, as `sysctl -w` gets it",
        })
    }
}

/// Exactly one of the keys has to be there.
fn one_of<'a>(keys: impl IntoIterator<Item = &'a str>) -> Value {
    let required: Vec<Value> = keys
        .into_iter()
        .map(|key| json!({ "required": [key] }))
        .collect();
    json!({ "oneOf": required })
}

/// At least one of the keys is there.
fn any_of<'a>(keys: impl IntoIterator<Item = &'a str>) -> Value {
    let required: Vec<Value> = keys
        .into_iter()
        .map(|key| json!({ "required": [key] }))
        .collect();
    json!({ "anyOf": required })
}

impl JsonSchema for Item {
    fn schema_name() -> Cow<'static, str> {
        "Item".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let verbs = super::Operation::argument_schemas(generator);
        let exactly_one = one_of(verbs.iter().map(|(verb, _)| *verb));
        let mut properties: Map<String, Value> = verbs
            .into_iter()
            .map(|(verb, schema)| (verb.to_owned(), schema.to_value()))
            .collect();
        let right = json!({
            "type": "object",
            "description": "The operation that would have been right; it is never carried out",
            "properties": properties.clone(),
            "additionalProperties": false,
            "allOf": [exactly_one.clone()],
        });
        properties.insert("right".to_owned(), right);
        properties.insert(
            "fails".to_owned(),
            json!({ "type": "string", "description": "Why the operation has to be refused" }),
        );
        properties.insert(
            "inert".to_owned(),
            json!({ "type": "string", "description": "Why nothing depends on the operation" }),
        );
        properties.extend(claims());
        json_schema!({
            "type": "object",
            "description": "An operation, and whether it has to be refused",
            "properties": properties,
            "additionalProperties": false,
            "allOf": [exactly_one],
        })
    }
}

impl JsonSchema for Expectation {
    fn schema_name() -> Cow<'static, str> {
        "Expectation".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut properties = Map::new();
        let mut add = |key: &str, schema: Schema| {
            properties.insert(key.to_owned(), schema.to_value());
        };
        add("ping", generator.subschema_for::<Ping>());
        add("arp", generator.subschema_for::<Solicitation>());
        add("ndp", generator.subschema_for::<Solicitation>());
        add("udp", generator.subschema_for::<Exchange>());
        add("tcp", generator.subschema_for::<Exchange>());
        add("frame", generator.subschema_for::<RawFrame>());
        add("reply", generator.subschema_for::<ExpectedReply>());
        add("rejected", generator.subschema_for::<ExpectedRejection>());
        add("lost", generator.subschema_for::<ExpectedLoss>());
        add("unanswered", generator.subschema_for::<ExpectedSilence>());
        add("seen", generator.subschema_for::<Vec<Sighting>>());
        add("not-seen", generator.subschema_for::<Vec<Sighting>>());
        for kind in FactKind::TABLES {
            add(kind.word(), generator.subschema_for::<Table>());
        }
        properties.extend(claims());
        let tables = FactKind::TABLES.map(FactKind::word);
        let of_probe = PROBES.iter().chain(FATES).chain(&["seen", "not-seen"]);
        json_schema!({
            "type": "object",
            "description": "A probe and what becomes of it, or what a table shows",
            "properties": properties,
            "additionalProperties": false,
            "oneOf": [
                {
                    "allOf": [one_of(PROBES.iter().copied()), one_of(FATES.iter().copied())],
                    "not": any_of(tables),
                },
                { "allOf": [one_of(tables)], "not": any_of(of_probe.copied()) },
            ],
        })
    }
}

impl JsonSchema for Observation {
    fn schema_name() -> Cow<'static, str> {
        "Observation".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut properties = Map::new();
        let mut add = |key: &str, schema: Schema| {
            properties.insert(key.to_owned(), schema.to_value());
        };
        add("ping", generator.subschema_for::<Ping>());
        add("arp", generator.subschema_for::<Solicitation>());
        add("ndp", generator.subschema_for::<Solicitation>());
        add("udp", generator.subschema_for::<Exchange>());
        add("tcp", generator.subschema_for::<Exchange>());
        add("frame", generator.subschema_for::<RawFrame>());
        for kind in FactKind::TABLES {
            add(kind.word(), generator.subschema_for::<Shown>());
        }
        add("network", generator.subschema_for::<Network>());
        add("attach", generator.subschema_for::<Attach>());
        add("detach", generator.subschema_for::<Detach>());
        json_schema!({
            "type": "object",
            "description": "Something that is looked at, without a right answer",
            "properties": properties,
            "additionalProperties": false,
            "allOf": [one_of(Self::KEYS.iter().copied())],
        })
    }
}

/// The keys of an item that speak of claims.
fn claims() -> Map<String, Value> {
    const ID: &str = "^[A-Z]+[1-9][0-9]*$";
    let hold = json!({
        "type": "array",
        "description": "Claims that hold if the item comes out so",
        "items": { "type": "string", "pattern": ID },
    });
    let refuted = json!({
        "type": "object",
        "description": "Claims that do not hold if the item comes out so, and what happens instead",
        "propertyNames": { "pattern": ID },
        "additionalProperties": { "type": "string" },
    });
    let [first, second] = Claims::KEYS;
    [(first.to_owned(), hold), (second.to_owned(), refuted)]
        .into_iter()
        .collect()
}
