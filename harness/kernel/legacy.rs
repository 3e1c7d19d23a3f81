//! Tables of iptables-legacy, of which nftables knows nothing.

use std::fs;
use std::io::ErrorKind;

use super::{Family, KernelError};

/// Reads the names of the tables that iptables-legacy has in the network namespace of the calling
/// thread, in the order of the alphabet; none where the kernel has no such tables.
///
/// A table is there as soon as it was asked for, also without a rule in it.
///
/// # Errors
///
/// The kernel's refusal.
pub fn tables(family: Family) -> Result<Vec<String>, KernelError> {
    // net/netfilter/x_tables.c, `xt_proto_init`.
    let file = match family {
        Family::Ipv4 => "/proc/thread-self/net/ip_tables_names",
        Family::Ipv6 => "/proc/thread-self/net/ip6_tables_names",
    };
    match fs::read_to_string(file) {
        Ok(names) => {
            let mut names: Vec<String> = names.lines().map(str::to_owned).collect();
            names.sort();
            Ok(names)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(KernelError::from_io(&error)),
    }
}
