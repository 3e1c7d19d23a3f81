//! Scalars of a scenario: where they stand in the file, and what is wrong with them.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A half-open range of bytes in a scenario file; empty at 0 where a value came from no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// The offset of the first byte.
    pub start: usize,
    /// The offset behind the last byte.
    pub end: usize,
}

/// A value with the place in the file that it was read from.
///
/// Two located values are equal when their values are; the place does not count.
#[derive(Debug, Clone)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

/// Why a scalar is not the value that its key wants: a stable id, a sentence, and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ValueError {
    /// The stable id of the diagnostic, in kebab case.
    pub id: &'static str,
    /// What is wrong, naming the value.
    pub message: String,
    /// What would be right.
    pub help: String,
}

/// What divides id, message and help where a [`ValueError`] has to pass through serde, which
/// carries only text. A control character never stands in a message: names refuse them.
const SEPARATOR: char = '\u{1f}';

impl ValueError {
    /// Makes an error from its id, sentence and help.
    pub fn new(id: &'static str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            id,
            message: message.into(),
            help: help.into(),
        }
    }

    /// Packs the error into the one text that serde carries.
    pub(crate) fn pack(&self) -> String {
        let clean = |text: &str| text.replace(SEPARATOR, "?");
        format!(
            "{}{SEPARATOR}{}{SEPARATOR}{}",
            self.id,
            clean(&self.message),
            clean(&self.help)
        )
    }

    /// Packs the error with the place that it is about, where serde would name another.
    pub(crate) fn pack_at(&self, span: Span) -> String {
        format!(
            "{}{SEPARATOR}{}{SEPARATOR}{}",
            self.pack(),
            span.start,
            span.end
        )
    }
}

/// What [`ValueError::pack`] carried through serde.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unpacked<'a> {
    /// The id of the diagnostic.
    pub(crate) id: &'a str,
    /// What is wrong.
    pub(crate) message: &'a str,
    /// What would be right.
    pub(crate) help: &'a str,
    /// The place, where the error names one.
    pub(crate) span: Option<Span>,
}

/// Takes apart what [`ValueError::pack`] made.
pub(crate) fn unpack(text: &str) -> Option<Unpacked<'_>> {
    let mut parts = text.split(SEPARATOR);
    let (id, message, help) = (parts.next()?, parts.next()?, parts.next()?);
    let mut offset = || parts.next()?.parse().ok();
    let span = offset()
        .zip(offset())
        .map(|(start, end)| Span { start, end });
    Some(Unpacked {
        id,
        message,
        help,
        span,
    })
}

/// Reads a value from text by `FromStr`, keeping the error's id and help through serde.
pub(crate) fn deserialize_text<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err = ValueError>,
{
    String::deserialize(deserializer)?
        .parse()
        .map_err(|error: ValueError| D::Error::custom(error.pack()))
}

/// Reads a list of at least one item; `error` says what an empty one lacks.
pub(crate) fn at_least_one<'de, D, T>(
    deserializer: D,
    error: ValueError,
) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let list = Located::<Vec<T>>::deserialize(deserializer)?;
    if list.is_empty() {
        return Err(D::Error::custom(error.pack_at(list.span)));
    }
    Ok(list.value)
}

impl<T> Located<T> {
    /// Makes a value that came from no file.
    pub fn nowhere(value: T) -> Self {
        Self {
            value,
            span: Span::default(),
        }
    }
}

impl<T> Deref for Located<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: PartialEq> PartialEq for Located<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Located<T> {}

impl<T: fmt::Display> fmt::Display for Located<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = serde_yaml::Spanned::<T>::deserialize(deserializer)?;
        let span = spanned.referenced.span();
        let start = usize::try_from(span.byte_offset().unwrap_or_default()).unwrap_or_default();
        let len = usize::try_from(span.byte_len().unwrap_or_default()).unwrap_or_default();
        Ok(Self {
            value: spanned.value,
            span: Span {
                start,
                end: start + len,
            },
        })
    }
}

impl<T: Serialize> Serialize for Located<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_survives_serde() {
        let error = ValueError::new("bad-prefix", "`x` is no prefix", "write 10.0.0.0/8");
        let unpacked = |span| Unpacked {
            id: "bad-prefix",
            message: "`x` is no prefix",
            help: "write 10.0.0.0/8",
            span,
        };
        assert_eq!(unpack(&error.pack()), Some(unpacked(None)));
        let span = Span { start: 3, end: 4 };
        assert_eq!(unpack(&error.pack_at(span)), Some(unpacked(Some(span))));
        assert_eq!(unpack("plain text"), None);
    }
}
