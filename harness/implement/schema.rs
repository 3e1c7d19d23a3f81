//! The protocol as JSON Schema, and values held against it.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::protocol::{Reply, Request};

/// Writes the JSON Schema of requests.
pub fn request() -> Value {
    schema_of::<Request>()
}

/// Writes the JSON Schema of replies.
pub fn reply() -> Value {
    schema_of::<Reply>()
}

fn schema_of<T: JsonSchema>() -> Value {
    let generator = SchemaSettings::draft07().into_generator();
    generator.into_root_schema_for::<T>().to_value()
}

/// What says something about a schema, and nothing about values.
const REMARKS: [&str; 6] = [
    "$schema",
    "title",
    "description",
    "default",
    "definitions",
    "format",
];

/// Holds a value against a schema of ours. A schema that uses a word that is not known here fits
/// nothing.
///
/// # Errors
///
/// Where the value does not fit, and why, in words.
pub fn check(schema: &Value, value: &Value) -> Result<(), String> {
    fits(schema, schema, value, "")
}

fn fits(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let keys = match schema {
        Value::Bool(true) => return Ok(()),
        Value::Object(keys) => keys,
        _ => return Err(format!("{} may not be there", place(at))),
    };
    for (key, rule) in keys {
        let is_right = match key.as_str() {
            key if REMARKS.contains(&key) => true,
            "$ref" => {
                let name = rule.as_str().unwrap_or_default();
                let pointer = name.trim_start_matches('#');
                let meant = root.pointer(pointer);
                let meant = meant.ok_or_else(|| format!("the schema has no {name}"))?;
                fits(root, meant, value, at)?;
                true
            }
            "type" => listed(rule).any(|kind| is_of(value, kind)),
            "const" => rule == value,
            "enum" => rule.as_array().is_some_and(|of| of.contains(value)),
            "minimum" => value.as_f64() >= rule.as_f64() || !value.is_number(),
            "maximum" => value.as_f64() <= rule.as_f64() || !value.is_number(),
            "properties" => {
                for (name, value) in object(value) {
                    if let Some(rule) = rule.get(name) {
                        fits(root, rule, value, &format!("{at}.{name}"))?;
                    }
                }
                true
            }
            "required" => {
                let has = |name: &&str| value.get(*name).is_some();
                if let Some(missing) = listed(rule).find(|name| !has(name)) {
                    return Err(format!("{} has no `{missing}`", place(at)));
                }
                true
            }
            "additionalProperties" => {
                let known = keys.get("properties");
                let is_known = |name: &str| known.is_some_and(|known| known.get(name).is_some());
                for (name, value) in object(value).filter(|(name, _)| !is_known(name)) {
                    fits(root, rule, value, &format!("{at}.{name}"))?;
                }
                true
            }
            "items" => {
                for (number, value) in value.as_array().into_iter().flatten().enumerate() {
                    fits(root, rule, value, &format!("{at}[{number}]"))?;
                }
                true
            }
            "oneOf" | "anyOf" => {
                if let Some(words) = words(rule)
                    && !words.contains(&value)
                {
                    let listed: Vec<String> = words.iter().map(ToString::to_string).collect();
                    return Err(format!("{} is none of {}", place(at), listed.join(", ")));
                }
                let found = rule.as_array().into_iter().flatten();
                let found: Vec<_> = found.map(|of| fits(root, of, value, at)).collect();
                match found.iter().filter(|it| it.is_ok()).count() {
                    0 => {
                        return Err(
                            best(found).unwrap_or_else(|| format!("{} is nothing", place(at)))
                        );
                    }
                    1 => true,
                    _ => key == "anyOf",
                }
            }
            "allOf" => {
                for of in rule.as_array().into_iter().flatten() {
                    fits(root, of, value, at)?;
                }
                true
            }
            unknown => return Err(format!("the schema says `{unknown}`, which is not known")),
        };
        if !is_right {
            return Err(format!("{} is not of {key} {rule}", place(at)));
        }
    }
    Ok(())
}

/// The words of a choice that has nothing but words.
fn words(choice: &Value) -> Option<Vec<&Value>> {
    let words = choice.as_array()?.iter().map(|of| of.get("const"));
    words.collect()
}

/// The reason that goes deepest: of several forms, that is the one which was meant.
fn best(found: Vec<Result<(), String>>) -> Option<String> {
    let reasons = found.into_iter().filter_map(Result::err);
    reasons.min_by_key(|why| why.contains("const") || why.contains("null"))
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn listed(rule: &Value) -> impl Iterator<Item = &str> {
    let one = std::iter::once(rule).filter(|rule| rule.is_string());
    one.chain(rule.as_array().into_iter().flatten())
        .filter_map(Value::as_str)
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

fn place(at: &str) -> String {
    match at.trim_start_matches('.') {
        "" => "it".to_owned(),
        at => format!("`{at}`"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::done(json!({"seq": 1, "ok": true}), None)]
    #[case::state(json!({"seq": 1, "ok": true, "state": {"a": [1]}}), None)]
    #[case::unknown(json!({"seq": 1, "x": 1}), Some("`x` may not be there"))]
    #[case::nothing(json!({}), Some("it has no `seq`"))]
    #[case::a_word(json!({"seq": "1"}), Some(r#"`seq` is not of type "integer""#))]
    #[case::negative(json!({"seq": -1}), Some("`seq` is not of minimum 0"))]
    #[case::deep(
        json!({"seq": 1, "claims": {"addresses": [1]}}),
        Some(r#"`claims.addresses[0]` is not of type "string""#)
    )]
    #[case::deep_and_missing(
        json!({"seq": 1, "error": {"code": "1"}}),
        Some("`error` has no `message`")
    )]
    fn a_reply_is_held_against_its_schema(#[case] value: Value, #[case] wrong: Option<&str>) {
        assert_eq!(check(&reply(), &value).err().as_deref(), wrong);
    }

    #[rstest]
    #[case::bye(json!({"op": "bye"}), None)]
    #[case::more_than_is_known(json!({"op": "bye", "colour": "blue"}), None)]
    #[case::hello(json!({"op": "hello"}), Some("it has no `protocol`"))]
    #[case::unknown(json!({"op": "dance"}), Some(""))]
    fn a_request_is_held_against_its_schema(#[case] op: Value, #[case] wrong: Option<&str>) {
        let mut request = json!({"seq": 1, "deadline_ms": 1, "workdir": "/"});
        let (Value::Object(all), Value::Object(op)) = (&mut request, op) else {
            panic!("no objects");
        };
        all.extend(op);
        let found = check(&super::request(), &request).err();
        match wrong {
            None => assert_eq!(found, None),
            Some(why) => assert!(found.is_some_and(|found| found.contains(why))),
        }
    }

    #[test]
    fn a_schema_with_an_unknown_word_fits_nothing() {
        let why = check(&json!({"multipleOf": 2}), &json!(4)).unwrap_err();
        assert_eq!(why, "the schema says `multipleOf`, which is not known");
    }
}
