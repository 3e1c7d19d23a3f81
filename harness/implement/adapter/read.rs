//! What an adapter says, read strictly.

use serde_json::Value;
use serde_json::error::Category;

use super::shortened;
use crate::implement::driver::Broken;
use crate::implement::protocol::Reply;
use crate::implement::schema;

/// Reads a reply; `what` stands before what is wrong with it.
pub(super) fn read(what: &str, said: &[u8], validating: bool) -> Result<Reply, Broken> {
    let text = std::str::from_utf8(said).map_err(|_| {
        let shown = shortened(&String::from_utf8_lossy(said));
        Broken(format!("{what} is not UTF-8: `{shown}`"))
    })?;
    let shown = || shortened(text);
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let value = match values.next() {
        None => return Err(Broken(format!("{what} is empty"))),
        Some(Ok(value)) => value,
        Some(Err(error)) if error.classify() == Category::Eof => {
            return Err(Broken(format!("{what} breaks off: `{}`", shown())));
        }
        Some(Err(error)) => {
            return Err(Broken(format!("{what} is no JSON, {error}: `{}`", shown())));
        }
    };
    let rest = text[values.byte_offset()..].trim();
    if !rest.is_empty() {
        let rest = shortened(rest);
        return Err(Broken(format!("{what} is one object and more: `{rest}`")));
    }
    if validating {
        schema::check(&schema::reply(), &value)
            .map_err(|why| Broken(format!("{what} is not as the schema says: {why}")))?;
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let mut path = error.path().to_string();
        let why = error.into_inner().to_string();
        // It names the field itself.
        if why.starts_with("unknown field") {
            path.truncate(path.rfind('.').unwrap_or_default());
        }
        let place = match path.as_str() {
            "" | "." => String::new(),
            path => format!("`{path}`: "),
        };
        Broken(format!(
            "{what} is not of protocol 1, {place}{why}: `{}`",
            shown()
        ))
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::half(r#"{"seq": 1, "ok"#, r#"it breaks off: `{"seq": 1, "ok`"#)]
    #[case::nothing(" \n", "it is empty")]
    #[case::words(
        "hello there",
        "it is no JSON, expected value at line 1 column 1: `hello there`"
    )]
    #[case::two("{\"seq\":1,\"ok\":true}\n{}\n", "it is one object and more: `{}`")]
    #[case::unknown(
        r#"{"seq":1,"ok":true,"x":1}"#,
        "it is not of protocol 1, unknown field `x`"
    )]
    #[case::list("[]", "it is not of protocol 1, ")]
    #[case::type_of_a_field(
        r#"{"seq":1,"ok":true,"hello":{"protocol":"1","name":"x","version":"1"}}"#,
        "it is not of protocol 1, `hello.protocol`: invalid type: string \"1\", expected u32"
    )]
    fn what_is_no_reply_is_told(#[case] said: &str, #[case] begins: &str) {
        let Broken(why) = read("it", said.as_bytes(), false).unwrap_err();
        assert!(why.starts_with(begins), "{why}");
    }

    #[test]
    fn what_only_the_schema_forbids_is_told_where_it_is_looked_at() {
        let said = br#"{"seq":1,"ok":true,"claims":[["10.0.0.2/24"]]}"#;
        assert!(read("it", said, false).is_ok());
        let Broken(why) = read("it", said, true).unwrap_err();
        assert!(why.starts_with("it is not as the schema says: "), "{why}");
    }

    #[test]
    fn what_is_quoted_is_short() {
        let Broken(why) = read("it", "x".repeat(5000).as_bytes(), false).unwrap_err();
        assert!(why.len() < 200, "{why}");
    }

    #[test]
    fn what_is_not_text_is_told() {
        let Broken(why) = read("it", b"\xff\xfe", false).unwrap_err();
        assert!(why.starts_with("it is not UTF-8"), "{why}");
    }
}
