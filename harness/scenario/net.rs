//! Addresses and prefixes as `ip` takes them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::name::as_text;
use super::value::ValueError;

/// An address with its prefix length, as `ip address add` takes it.
///
/// Host bits are kept. Without a length it is a host address, /32 or /128, as in ip-address(8).
///
/// ```
/// use netproof::scenario::InterfaceAddress;
/// let address: InterfaceAddress = "10.10.0.10/16".parse()?;
/// assert_eq!(address.prefix_len(), 16);
/// assert_eq!("10.10.0.10".parse::<InterfaceAddress>()?.prefix_len(), 32);
/// assert!("10.10.0.10/33".parse::<InterfaceAddress>().is_err());
/// # Ok::<(), netproof::scenario::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InterfaceAddress(IpNet);

/// The destination of a route: `default`, or a prefix without host bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Destination {
    /// Everything that no longer prefix matches.
    Default,
    /// A prefix.
    Prefix(IpNet),
}

/// One of the two versions of IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// IPv4.
    #[default]
    Ipv4,
    /// IPv6.
    Ipv6,
}

/// A prefix that a rule matches packets by; it has no host bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Prefix(pub IpNet);

/// The broadcast address of an interface address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Broadcast {
    /// `+`: the prefix with all host bits set.
    AllOnes,
    /// The given address.
    Address(IpAddr),
}

/// An address that packets are sent on to, with or without a port.
///
/// ```
/// use netproof::scenario::Endpoint;
/// let to: Endpoint = "10.0.0.2:80".parse()?;
/// assert_eq!(to.port, Some(80));
/// assert_eq!("10.0.0.2".parse::<Endpoint>()?.port, None);
/// assert_eq!("[fd00::2]:80".parse::<Endpoint>()?.port, Some(80));
/// assert_eq!("fd00::2:80".parse::<Endpoint>()?.port, None);
/// assert!("10.0.0.2:http".parse::<Endpoint>().is_err());
/// # Ok::<(), netproof::scenario::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The address.
    pub address: IpAddr,
    /// The port; packets keep theirs where there is none.
    pub port: Option<u16>,
}

/// A routing table, by its number or by one of the names that `ip` knows without being told.
///
/// ```
/// use netproof::scenario::TableId;
/// assert_eq!("main".parse::<TableId>()?, TableId(254));
/// assert_eq!("100".parse::<TableId>()?.to_string(), "100");
/// assert!("0".parse::<TableId>().is_err());
/// # Ok::<(), netproof::scenario::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TableId(pub u32);

/// The tables that have names, linux/rtnetlink.h (`RT_TABLE_*`).
const TABLES: &[(&str, u32)] = &[("default", 253), ("main", 254), ("local", 255)];
impl Family {
    /// Returns the version of IP that an address belongs to.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
        })
    }
}

impl InterfaceAddress {
    /// Returns the address.
    pub fn address(&self) -> IpAddr {
        self.0.addr()
    }

    /// Returns the prefix length in bits.
    pub fn prefix_len(&self) -> u8 {
        self.0.prefix_len()
    }

    /// Returns the address with all host bits set.
    pub fn all_ones(&self) -> IpAddr {
        self.0.broadcast()
    }
}

fn prefix_from(text: &str) -> Result<IpNet, ValueError> {
    let bad =
        |help: String| ValueError::new("bad-prefix", format!("`{text}` is not a prefix"), help);
    let (address, length) = text
        .split_once('/')
        .map_or((text, None), |(a, l)| (a, Some(l)));
    let address: IpAddr = address.parse().map_err(|_| {
        bad("write an address and a prefix length, for example `10.10.0.10/16`".to_owned())
    })?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let length = match length {
        None => longest,
        Some(digits) => digits
            .parse::<u8>()
            .ok()
            .filter(|length| *length <= longest && digits.bytes().all(|b| b.is_ascii_digit()))
            .ok_or_else(|| bad(format!("the prefix length is a number from 0 to {longest}")))?,
    };
    IpNet::new(address, length).map_err(|error| bad(error.to_string()))
}

fn without_host_bits(text: &str, example: &str) -> Result<IpNet, ValueError> {
    let prefix = prefix_from(text).map_err(|error| {
        let address = text.split('/').next().unwrap_or_default();
        match address.parse::<IpAddr>() {
            Ok(_) => error,
            Err(_) => ValueError {
                help: format!("write {example}"),
                ..error
            },
        }
    })?;
    if prefix.trunc() != prefix {
        return Err(ValueError::new(
            "host-bits",
            format!("`{text}` has bits set behind its prefix length"),
            format!("the kernel takes `{}`", prefix.trunc()),
        ));
    }
    Ok(prefix)
}

impl FromStr for InterfaceAddress {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        prefix_from(text).map(Self)
    }
}

impl FromStr for Prefix {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        without_host_bits(text, "a prefix, for example `10.10.0.0/16`").map(Self)
    }
}

impl FromStr for Destination {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text == "default" {
            return Ok(Self::Default);
        }
        without_host_bits(text, "`default`, or a prefix such as `10.10.0.0/16`").map(Self::Prefix)
    }
}

impl FromStr for Endpoint {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let with_port = text.parse::<SocketAddr>().map(|socket| Self {
            address: socket.ip(),
            port: Some(socket.port()),
        });
        let bare = || {
            text.parse().map(|address| Self {
                address,
                port: None,
            })
        };
        with_port.or_else(|_| bare()).map_err(|_| {
            ValueError::new(
                "bad-address",
                format!("`{text}` is not an address with or without a port"),
                "write an address, and a port behind a colon, for example `10.0.0.2:80` or `[fd00::2]:80`",
            )
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => SocketAddr::new(self.address, port).fmt(f),
            None => self.address.fmt(f),
        }
    }
}

impl FromStr for TableId {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let named = TABLES.iter().find(|(name, _)| *name == text);
        let number = || {
            let digits = text.bytes().all(|b| b.is_ascii_digit());
            text.parse().ok().filter(|number| digits && *number > 0)
        };
        named
            .map(|(_, number)| *number)
            .or_else(number)
            .map(Self)
            .ok_or_else(|| {
                ValueError::new(
                    "bad-number",
                    format!("`{text}` is not a routing table"),
                    "write a number from 1 to 4294967295, or `main`, `default` or `local`",
                )
            })
    }
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match TABLES.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => f.write_str(name),
            None => self.0.fmt(f),
        }
    }
}

impl FromStr for Broadcast {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text == "+" {
            return Ok(Self::AllOnes);
        }
        text.parse().map(Self::Address).map_err(|_| {
            ValueError::new(
                "bad-address",
                format!("`{text}` is not a broadcast address"),
                "write `+` for the last address of the prefix, or an address",
            )
        })
    }
}

impl fmt::Display for InterfaceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() {
            self.0.addr().fmt(f)
        } else {
            self.0.fmt(f)
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Prefix(prefix) => prefix.fmt(f),
        }
    }
}

impl fmt::Display for Broadcast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllOnes => f.write_str("+"),
            Self::Address(address) => address.fmt(f),
        }
    }
}

as_text!(
    InterfaceAddress,
    Destination,
    Prefix,
    Endpoint,
    Broadcast,
    TableId
);

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("10.10.0.10/16", Some("10.10.0.10/16"))]
    #[case("192.168.15.1", Some("192.168.15.1"))]
    #[case("192.168.15.1/32", Some("192.168.15.1"))]
    #[case("fd00::1/64", Some("fd00::1/64"))]
    #[case("fd00::1", Some("fd00::1"))]
    #[case("fd00::1/129", None)]
    #[case("10.0.0.1/33", None)]
    #[case("10.0.0/8", None)]
    #[case("10.0.0.1/", None)]
    #[case("10.0.0.1/+8", None)]
    fn an_interface_address_keeps_its_host_bits(#[case] text: &str, #[case] shown: Option<&str>) {
        let read = text
            .parse::<InterfaceAddress>()
            .ok()
            .map(|address| address.to_string());
        assert_eq!(read.as_deref(), shown);
    }

    #[rstest]
    #[case("default", true)]
    #[case("10.10.0.0/16", true)]
    #[case("10.10.0.1/16", false)]
    fn a_destination_has_no_host_bits(#[case] text: &str, #[case] valid: bool) {
        assert_eq!(text.parse::<Destination>().is_ok(), valid);
    }
}
