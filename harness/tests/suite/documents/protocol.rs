//! What is said of the protocol: every example is as the schemas say, and nothing is left out.

use std::collections::BTreeSet;

use netproof::implement::protocol::{Reply, Request};
use netproof::implement::schema;
use serde_json::Value;

use super::{blocks, code, read, table};

const DOCUMENT: &str = "docs/protocol.md";

/// The examples, requests apart from replies.
fn examples() -> (Vec<Value>, Vec<Value>) {
    let blocks = blocks(&read(DOCUMENT), "json");
    let values = blocks.iter().map(|block| {
        let value: Value = serde_json::from_str(&block.text).unwrap();
        value
    });
    values.partition(|value| value.get("op").is_some())
}

#[test]
fn every_request_that_is_shown_is_one() {
    let (requests, _) = examples();
    for value in requests {
        schema::check(&schema::request(), &value).unwrap_or_else(|why| panic!("{value}: {why}"));
        let request: Request = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(serde_json::to_value(&request).unwrap(), value);
    }
}

#[test]
fn every_reply_that_is_shown_is_one() {
    let (_, replies) = examples();
    for value in replies {
        schema::check(&schema::reply(), &value).unwrap_or_else(|why| panic!("{value}: {why}"));
        let reply: Reply = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(reply.problem(reply.seq), None);
        assert_eq!(serde_json::to_value(&reply).unwrap(), value);
    }
}

/// The operations of the schema.
fn operations() -> BTreeSet<String> {
    let schema = schema::request();
    let forms = schema["oneOf"].as_array().unwrap();
    let op = |form: &Value| {
        form["properties"]["op"]["const"]
            .as_str()
            .map(str::to_owned)
    };
    forms.iter().filter_map(op).collect()
}

#[test]
fn every_operation_is_listed_and_shown() {
    let rows = table(&read(DOCUMENT), &["`op`", "when", "what it has besides"]);
    let listed: BTreeSet<String> = rows.iter().map(|row| code(&row[0]).to_owned()).collect();
    let (requests, _) = examples();
    let op = |value: &Value| value["op"].as_str().unwrap().to_owned();
    let shown: BTreeSet<String> = requests.iter().map(op).collect();
    assert_eq!(listed, operations());
    assert_eq!(shown, operations());
}

#[test]
fn every_field_of_requests_and_replies_is_shown() {
    let document = read(DOCUMENT);
    for schema in [schema::request(), schema::reply()] {
        let mut folders = vec![&schema];
        while let Some(value) = folders.pop() {
            let fields = value["properties"].as_object();
            for name in fields.into_iter().flat_map(|fields| fields.keys()) {
                let quoted = format!("\"{name}\"");
                assert!(document.contains(&quoted), "{name} is never shown");
            }
            let parts = value.as_object().into_iter().flat_map(|it| it.values());
            folders.extend(parts.filter(|it| it.is_object()));
            let forms = value["oneOf"].as_array();
            folders.extend(forms.into_iter().flatten());
        }
    }
}
