//! Values of links as `ip link` takes them: hardware addresses, numbers, and what is on or off.

use std::fmt;
use std::str::FromStr;

use super::name::as_text;
use super::value::ValueError;

/// A hardware address, written as six bytes in hexadecimal.
///
/// ```
/// use netproof::scenario::MacAddress;
/// assert_eq!("02:00:00:00:00:0A".parse::<MacAddress>()?.to_string(), "02:00:00:00:00:0a");
/// assert!("02:00:00:00:00".parse::<MacAddress>().is_err());
/// # Ok::<(), netproof::scenario::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MacAddress(pub [u8; 6]);

/// What is on or off, written `true` or `false`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Switch(pub bool);

impl FromStr for MacAddress {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let byte = |part: &str| {
            let hex = part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
            u8::from_str_radix(part, 16).ok().filter(|_| hex)
        };
        let bytes: Option<Vec<u8>> = text.split(':').map(byte).collect();
        bytes
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| {
                ValueError::new(
                    "bad-mac",
                    format!("`{text}` is not a MAC address"),
                    "write six bytes in hexadecimal, for example `02:00:00:00:00:01`",
                )
            })
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// What protocol a frame is of, written as four digits in hexadecimal: an EtherType, IEEE 802 section
/// 9.2, that nothing but a probe speaks.
///
/// ```
/// use netproof::scenario::EtherType;
/// assert_eq!("0x88B6".parse::<EtherType>()?.to_string(), "0x88b6");
/// assert!("0x0800".parse::<EtherType>().is_err());
/// # Ok::<(), netproof::scenario::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EtherType(pub u16);

impl EtherType {
    /// What is taken up by somebody else, linux/if_ether.h: a frame of it would be no probe.
    const TAKEN: &[(u16, &str)] = &[
        (0x0800, "IPv4"),
        (0x0806, "ARP"),
        (0x8035, "RARP"),
        (0x8100, "VLAN tags"),
        (0x86dd, "IPv6"),
        (0x8808, "pause frames"),
        (0x8809, "link aggregation"),
        (0x8847, "MPLS"),
        (0x8848, "MPLS"),
        (0x8863, "PPPoE"),
        (0x8864, "PPPoE"),
        (0x88a8, "VLAN tags"),
        (0x88b5, "netproof's own fences"),
        (0x88cc, "LLDP"),
    ];
    /// What stands below is the length of a frame, IEEE 802.3 section 3.2.6.
    const MIN: u16 = 0x0600;
}

impl FromStr for EtherType {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = |message| {
            let help = "write four digits in hexadecimal, for example `0x88b6`, which is kept for \
                        experiments";
            Err(ValueError::new("bad-ethertype", message, help))
        };
        let digits = text
            .strip_prefix("0x")
            .filter(|digits| digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(number) = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok()) else {
            return wrong(format!("`{text}` is not an EtherType"));
        };
        if number < Self::MIN {
            return wrong(format!(
                "`{text}` is the length of a frame, not an EtherType"
            ));
        }
        match Self::TAKEN.iter().find(|(taken, _)| *taken == number) {
            Some((_, whose)) => wrong(format!("`{text}` is the EtherType of {whose}")),
            None => Ok(Self(number)),
        }
    }
}

impl fmt::Display for EtherType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06x}", self.0)
    }
}

impl FromStr for Switch {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text {
            "true" => Ok(Self(true)),
            "false" => Ok(Self(false)),
            _ => Err(ValueError::new(
                "unknown-word",
                format!("`{text}` is neither `true` nor `false`"),
                "write `true` or `false`",
            )),
        }
    }
}

impl fmt::Display for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Makes types for whole numbers between two bounds.
macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident($number:ty) from $min:literal to $max:literal, $what:literal;)+) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $number);

        impl $name {
            /// The lowest that can be written.
            pub const MIN: $number = $min;
            /// The highest that can be written.
            pub const MAX: $number = $max;
        }

        impl FromStr for $name {
            type Err = ValueError;

            fn from_str(text: &str) -> Result<Self, ValueError> {
                let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
                let bounds = Self::MIN..=Self::MAX;
                let number = text.parse().ok().filter(|number| digits && bounds.contains(number));
                number.map(Self).ok_or_else(|| {
                    ValueError::new(
                        "bad-number",
                        format!("`{text}` is not {}", $what),
                        format!("{} is a number from {} to {}", $what, Self::MIN, Self::MAX),
                    )
                })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        as_text!($name);
    )+ };
}

numbers! {
    /// The largest packet of a link in bytes; what the kind takes is for the kernel to say.
    Mtu(u32) from 0 to 65_535, "an MTU";
    /// A time in seconds.
    Seconds(u32) from 0 to 1_000_000, "a time in seconds";
    /// The number of a VLAN, IEEE 802.1Q section 9.6; the highest is reserved.
    VlanId(u16) from 0 to 4094, "a VLAN id";
    /// The number of a VXLAN segment, 24 bits, RFC 7348.
    VxlanId(u32) from 0 to 16_777_215, "a VXLAN id";
    /// How many bytes an echo request carries behind its header; the first 16 mark it as ours.
    EchoSize(u16) from 16 to 65_507, "the size of a ping";
}

as_text!(MacAddress, Switch, EtherType);

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("02:00:00:00:00:01", true)]
    #[case::short("02:00:00:00:01", false)]
    #[case::long("02:00:00:00:00:00:01", false)]
    #[case::one_digit("2:0:0:0:0:1", false)]
    #[case::sign("+2:00:00:00:00:01", false)]
    #[case::dashes("02-00-00-00-00-01", false)]
    fn a_mac_address_has_six_bytes(#[case] text: &str, #[case] valid: bool) {
        assert_eq!(text.parse::<MacAddress>().is_ok(), valid);
    }

    #[rstest]
    #[case::experiments("0x88b6", true)]
    #[case::upper("0x88B6", true)]
    #[case::lowest("0x0600", true)]
    #[case::a_length("0x05ff", false)]
    #[case::ours("0x88b5", false)]
    #[case::of_the_kernel("0x86dd", false)]
    #[case::short("0x8b6", false)]
    #[case::decimal("34998", false)]
    #[case::sign("0x+8b6", false)]
    fn an_ethertype_is_one_that_nobody_else_speaks(#[case] text: &str, #[case] valid: bool) {
        assert_eq!(text.parse::<EtherType>().is_ok(), valid);
    }

    #[rstest]
    #[case("4094", true)]
    #[case("4095", false)]
    #[case("+1", false)]
    #[case("", false)]
    fn a_vlan_id_has_twelve_bits(#[case] text: &str, #[case] valid: bool) {
        assert_eq!(text.parse::<VlanId>().is_ok(), valid);
    }
}
