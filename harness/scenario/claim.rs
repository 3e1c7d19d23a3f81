//! Claims of a text that a scenario decides: what the ledger of claims is made of.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::name::as_text;
use super::value::{Located, ValueError};

/// The longest id of a claim in bytes.
const CLAIM_ID_MAX: usize = 16;

/// The id of a claim: letters, then a number without leading zeros, such as `L9`.
///
/// Ids are ordered by their letters and then by their numbers.
///
/// ```
/// use netproof::scenario::ClaimId;
/// let (ninth, tenth): (ClaimId, ClaimId) = ("L9".parse()?, "L10".parse()?);
/// assert!(ninth < tenth);
/// assert!("claim 9".parse::<ClaimId>().is_err());
/// # Ok::<(), netproof::scenario::ValueError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimId {
    letters: String,
    number: u32,
}

impl FromStr for ClaimId {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let digits = text.find(|c: char| !c.is_ascii_uppercase());
        let (letters, number) = text.split_at(digits.unwrap_or(text.len()));
        let is_number = number.chars().all(|c| c.is_ascii_digit()) && !number.starts_with('0');
        match number.parse() {
            Ok(number) if is_number && !letters.is_empty() && text.len() <= CLAIM_ID_MAX => {
                Ok(Self {
                    letters: letters.to_owned(),
                    number,
                })
            }
            _ => Err(ValueError::new(
                "bad-claim",
                format!("`{text}` is not the id of a claim"),
                "write capital letters and a number, such as `L9`",
            )),
        }
    }
}

impl fmt::Display for ClaimId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.letters, self.number)
    }
}

as_text!(ClaimId);

/// What it means for claims that an item comes out as it says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claims {
    /// Those that hold then: `claims: [L9]`.
    pub hold: Vec<Located<ClaimId>>,
    /// Those that do not, each with what happens instead, in one line:
    /// `refutes: {N7: The ports are down}`.
    pub refuted: BTreeMap<ClaimId, Located<String>>,
}

impl Claims {
    /// The keys of an item that speak of claims.
    pub(super) const KEYS: [&'static str; 2] = [HOLD, REFUTED];

    /// Tells whether the item says nothing of any claim.
    pub fn is_empty(&self) -> bool {
        self.hold.is_empty() && self.refuted.is_empty()
    }

    /// Goes through the ids of all of them.
    pub fn ids(&self) -> impl Iterator<Item = &ClaimId> {
        self.hold
            .iter()
            .map(|id| &id.value)
            .chain(self.refuted.keys())
    }

    /// Reads the value of one of [`Claims::KEYS`].
    pub(super) fn read<'de, A: serde::de::MapAccess<'de>>(
        &mut self,
        key: &str,
        map: &mut A,
    ) -> Result<(), A::Error> {
        match key {
            HOLD => self.hold = map.next_value()?,
            _ => self.refuted = map.next_value()?,
        }
        Ok(())
    }

    /// Writes the keys that are not empty.
    pub(super) fn write<M: serde::ser::SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        if !self.hold.is_empty() {
            map.serialize_entry(HOLD, &self.hold)?;
        }
        if !self.refuted.is_empty() {
            map.serialize_entry(REFUTED, &self.refuted)?;
        }
        Ok(())
    }
}

/// The key that lists the claims that hold if the item comes out as it says.
const HOLD: &str = "claims";

/// The key that lists the claims that do not hold then, with what happens instead.
const REFUTED: &str = "refutes";

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::empty("")]
    #[case::no_number("L")]
    #[case::no_letters("9")]
    #[case::small("l9")]
    #[case::zero("L09")]
    #[case::sign("L+9")]
    #[case::too_long("ABCDEFGHIJKLMNOP1")]
    fn what_is_no_id_is_refused(#[case] text: &str) {
        assert_eq!(text.parse::<ClaimId>().unwrap_err().id, "bad-claim");
    }
}
