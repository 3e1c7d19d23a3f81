//! Programs that are a network of one container each: a process in user space that is at the other end of
//! the container's interface, and speaks to the outside with sockets of the host.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::net::IpAddr;

use ipnet::IpNet;

use super::steps::Stop;
use crate::implement::driver::Broken;
use crate::implement::protocol::{EndpointSpec, NetworkSpec, Request};
use crate::kernel::sysctl;
use crate::world::Daemon;

/// The processes of a driver, one for each container.
#[derive(Debug, Default)]
pub(super) struct Solo {
    running: RefCell<BTreeMap<String, Daemon>>,
    taken: RefCell<BTreeSet<String>>,
}

impl Solo {
    /// Gives the network to its one container.
    pub(super) fn take(&self, network: &NetworkSpec) -> Result<(), Stop> {
        if self.taken.borrow_mut().insert(network.id.clone()) {
            return Ok(());
        }
        Err(Stop::Lacks {
            feature: "network.endpoints",
            reason: "every container has a gateway of its own, and no other container behind it",
        })
    }

    /// Notes the process of a container.
    pub(super) fn note(&self, network: &NetworkSpec, daemon: Daemon) {
        self.running.borrow_mut().insert(network.id.clone(), daemon);
    }

    /// Ends the process of a container, if there is one.
    pub(super) async fn end(&self, network: &NetworkSpec) -> Result<(), Stop> {
        let daemon = self.running.borrow_mut().remove(&network.id);
        if let Some(daemon) = daemon {
            daemon.stop().await.map_err(broken)?;
        }
        self.taken.borrow_mut().remove(&network.id);
        Ok(())
    }
}

/// Says what of a network no such program does.
pub(super) fn check(network: &NetworkSpec) -> Result<(), Stop> {
    if network.internal {
        return Err(Stop::Lacks {
            feature: "network.internal",
            reason: "all that the process is for is the way out",
        });
    }
    if network.forbids_masquerade() {
        return Err(Stop::Lacks {
            feature: "network.masquerade",
            reason: "the process speaks to the outside with sockets of the host, so the source is the host's",
        });
    }
    if network.gateway.is_ipv6() {
        return Err(Stop::Lacks {
            feature: "network.ipv6",
            reason: "the driver speaks IPv4 only",
        });
    }
    Ok(())
}

/// Lets processes send echo requests, as distributions do it: the sockets for them are for no group
/// otherwise, ping(8).
pub(super) fn allow_ping() -> Result<(), Stop> {
    sysctl::write("net/ipv4/ping_group_range", "0 0").map_err(broken)
}

/// The address of that number in the network.
pub(super) fn numbered(network: &NetworkSpec, number: usize) -> Option<IpAddr> {
    let subnet: IpNet = network.subnet.parse().ok()?;
    let hosts = u32::from(subnet.max_prefix_len() - subnet.prefix_len());
    let fits = number < 1_usize.checked_shl(hosts)?.checked_sub(1)?;
    // The first host is number 1.
    fits.then(|| subnet.hosts().nth(number.checked_sub(1)?))?
}

/// Opens the file for what the process of a container says, and returns its path.
pub(super) fn log(request: &Request, endpoint: &EndpointSpec) -> Result<(File, String), Stop> {
    let path = format!(
        "{}/{}-{}.log",
        request.workdir, endpoint.id, endpoint.ifname
    );
    Ok((File::create(&path).map_err(broken)?, path))
}

/// What the process said last: it has ended, and says why there.
pub(super) fn refused(code: &str, log: &str) -> Stop {
    let text = fs::read_to_string(log).unwrap_or_default();
    let message: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    Stop::Refused {
        code: code.to_owned(),
        message: message.join("; "),
    }
}

pub(super) fn broken(error: impl std::fmt::Display) -> Stop {
    Stop::Broken(Broken(error.to_string()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("10.0.2.0/24", 100, Some("10.0.2.100"))]
    #[case("10.0.2.0/24", 255, None)]
    #[case("10.0.2.0/30", 100, None)]
    fn an_address_has_a_number(
        #[case] subnet: &str,
        #[case] number: usize,
        #[case] address: Option<&str>,
    ) {
        let network = NetworkSpec::new("n1", subnet, "10.0.2.1".parse().unwrap());
        let found = numbered(&network, number).map(|it| it.to_string());
        assert_eq!(found.as_deref(), address);
    }
}
