//! Hardware addresses.

use std::fmt;

/// An Ethernet address, 48 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// All ones: every station.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// Derives a locally administered unicast address from text, the same on every machine.
    ///
    /// The text is hashed with 64-bit FNV-1a; the two low bits of the first byte are set to
    /// "local" and "unicast" (IEEE 802, section 8).
    ///
    /// ```
    /// use netproof::kernel::Mac;
    /// assert_eq!(Mac::derived_from("web/eth0"), Mac::derived_from("web/eth0"));
    /// assert_ne!(Mac::derived_from("web/eth0"), Mac::derived_from("web/eth1"));
    /// ```
    pub fn derived_from(text: &str) -> Self {
        const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0100_0000_01b3;
        let hash = text.bytes().fold(OFFSET, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(PRIME)
        });
        let [_, _, a, b, c, d, e, f] = hash.to_be_bytes();
        Self([(a & 0xfc) | 0x02, b, c, d, e, f])
    }

    /// Reads an address from the bytes of a netlink attribute; none unless there are six.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derived_address_is_local_and_unicast() {
        for text in ["", "web/eth0", "host/app_br", "x"] {
            assert_eq!(Mac::derived_from(text).0[0] & 0x03, 0x02, "{text}");
        }
    }
}
