//! A manifest as it stands in its file, before its words are taken apart.

use std::fmt;

use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::scenario::operation::Operation;
use crate::scenario::value::{Located, ValueError};

/// The keys of a manifest. None is required here: what is missing is said in words of its own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct RawManifest {
    #[serde(default)]
    pub(super) name: Option<Located<String>>,
    #[serde(default)]
    pub(super) about: Option<Located<String>>,
    #[serde(default)]
    pub(super) version: Vec<Located<String>>,
    #[serde(default)]
    pub(super) needs: Vec<Located<String>>,
    #[serde(default)]
    pub(super) enter: Option<Located<Tree>>,
    #[serde(default)]
    pub(super) sentences: Vec<RawSentence>,
    #[serde(default)]
    pub(super) lacks: Vec<Located<String>>,
    #[serde(default)]
    pub(super) operations: Option<RawOperations>,
    #[serde(default)]
    pub(super) deviations: Vec<RawDeviation>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSentence {
    pub(super) says: String,
    pub(super) means: Located<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDeviation {
    pub(super) scenario: Located<String>,
    pub(super) reason: Located<String>,
    #[serde(default)]
    pub(super) link: Option<String>,
    #[serde(default)]
    pub(super) saw: Option<String>,
}

/// The verbs with their commands, in the order of the file.
#[derive(Debug)]
pub(super) struct RawOperations(pub(super) Vec<(&'static str, Located<Tree>)>);

/// Words, and lists of words and lists.
#[derive(Debug)]
pub(super) enum Tree {
    Word(String),
    List(Vec<Located<Self>>),
}

impl<'de> Deserialize<'de> for RawOperations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Verbs;

        impl<'de> Visitor<'de> for Verbs {
            type Value = RawOperations;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("verbs with their commands")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawOperations, A::Error> {
                let mut found = Vec::new();
                while let Some(key) = map.next_key::<Located<String>>()? {
                    let verb = Operation::VERBS.iter().find(|verb| **verb == key.as_str());
                    let verb =
                        verb.ok_or_else(|| de::Error::unknown_field(&key, Operation::VERBS))?;
                    found.push((*verb, map.next_value()?));
                }
                Ok(RawOperations(found))
            }
        }

        deserializer.deserialize_map(Verbs)
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;

        impl<'de> Visitor<'de> for Words {
            type Value = Tree;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a word, or a list of words")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Tree, E> {
                Ok(Tree::Word(word.to_owned()))
            }

            fn visit_bool<E: de::Error>(self, word: bool) -> Result<Tree, E> {
                Ok(Tree::Word(word.to_string()))
            }

            fn visit_i64<E: de::Error>(self, word: i64) -> Result<Tree, E> {
                Ok(Tree::Word(word.to_string()))
            }

            fn visit_u64<E: de::Error>(self, word: u64) -> Result<Tree, E> {
                Ok(Tree::Word(word.to_string()))
            }

            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Tree, E> {
                Err(de::Error::custom(
                    ValueError::new(
                        "bad-text",
                        "a word that looks like a fraction could be written in several ways",
                        "write quotation marks around it: `\"...\"`",
                    )
                    .pack(),
                ))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Tree::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Tree, A::Error> {
                Err(de::Error::custom(
                    ValueError::new(
                        "wrong-type",
                        "a command is a list of words, not a mapping",
                        "for example `up: [ip, link, set, dev, <up.ifname>, up]`; \
                         a brace that is a word needs quotation marks",
                    )
                    .pack(),
                ))
            }
        }

        deserializer.deserialize_any(Words)
    }
}
