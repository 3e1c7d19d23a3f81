//! What the users of a program do by hand where that makes a switch or a router, and no containers: the
//! pair of interfaces, the container's address and its routes, with ip(8); and the translation of what
//! leaves the network, with iptables(8).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use super::command::command;
use super::steps::{Stop, must, succeed};
use crate::implement::protocol::{EndpointSpec, NetworkSpec};
use crate::kernel::sysctl;

/// The addresses that are taken, by network. Somebody has to choose them, and the program does not.
#[derive(Debug, Default)]
pub(super) struct Book {
    networks: RefCell<BTreeMap<String, (IpNet, BTreeSet<IpAddr>)>>,
}

/// No more addresses are looked at for one that is free.
const TRIED: usize = 4096;

const CHOSEN_BY_HAND: &str = "the addresses of containers are chosen by hand";

impl Book {
    /// Notes a network; what addresses it may have is nothing that the program decides.
    pub(super) fn open(&self, network: &NetworkSpec) -> Result<(), Stop> {
        let subnet = subnet(network)?;
        let mut networks = self.networks.borrow_mut();
        let overlaps = networks
            .values()
            .any(|(of, _)| of.contains(&subnet) || subnet.contains(of));
        let fits = subnet.contains(&network.gateway) && is_free(subnet, network.gateway);
        if overlaps || !fits || networks.contains_key(&network.id) {
            return Err(IPAM);
        }
        let taken = BTreeSet::from([network.gateway]);
        networks.insert(network.id.clone(), (subnet, taken));
        Ok(())
    }

    /// Takes the address that is wanted, or the first that is free.
    pub(super) fn take(
        &self,
        endpoint: &EndpointSpec,
        network: &NetworkSpec,
    ) -> Result<IpAddr, Stop> {
        let mut networks = self.networks.borrow_mut();
        let (subnet, taken) = networks.get_mut(&network.id).ok_or(IPAM)?;
        let free = |address: &IpAddr| {
            subnet.contains(address) && is_free(*subnet, *address) && !taken.contains(address)
        };
        let address = match endpoint.address {
            Some(wanted) => Some(wanted).filter(free),
            None => subnet.hosts().take(TRIED).find(free),
        };
        let address = address.ok_or(IPAM)?;
        taken.insert(address);
        Ok(address)
    }

    /// Gives an address back.
    pub(super) fn give_back(&self, network: &NetworkSpec, address: IpAddr) {
        if let Some((_, taken)) = self.networks.borrow_mut().get_mut(&network.id) {
            taken.remove(&address);
        }
    }

    /// Forgets a network; tells whether it was the last.
    pub(super) fn close(&self, network: &NetworkSpec) -> bool {
        let mut networks = self.networks.borrow_mut();
        networks.remove(&network.id);
        networks.is_empty()
    }
}

const IPAM: Stop = Stop::Lacks {
    feature: "ipam",
    reason: CHOSEN_BY_HAND,
};

fn subnet(network: &NetworkSpec) -> Result<IpNet, Stop> {
    network.subnet.parse().map_err(|_| IPAM)
}

/// Tells whether a station may have the address: the first of an IPv4 subnet is the network's name, the
/// last its broadcast address.
fn is_free(subnet: IpNet, address: IpAddr) -> bool {
    let named = subnet.network() == address;
    let broadcast = address.is_ipv4() && subnet.broadcast() == address;
    subnet.prefix_len() + 1 >= subnet.max_prefix_len() || !(named || broadcast)
}

/// Returns the address with the prefix length of its network.
pub(super) fn with_prefix(address: IpAddr, network: &NetworkSpec) -> Result<String, Stop> {
    Ok(format!("{address}/{}", subnet(network)?.prefix_len()))
}

/// Configures the interface of a container and its loopback interface, which is there under its own name.
pub(super) async fn configure_container(
    endpoint: &EndpointSpec,
    network: &NetworkSpec,
    address: IpAddr,
) -> Result<(), Stop> {
    let ifname = &endpoint.ifname;
    let address = with_prefix(address, network)?;
    let mut batch = vec![
        "link set lo up".to_owned(),
        format!("address add {address}{} dev {ifname}", nodad(network)),
    ];
    if let Some(mtu) = network.mtu {
        batch.push(format!("link set {ifname} mtu {mtu}"));
    }
    batch.push(format!("link set {ifname} up"));
    if !network.internal {
        let gateway = network.gateway;
        // That of a second network stands behind that of the first.
        batch.push(format!("route append default via {gateway} dev {ifname}"));
    }
    let mut ip = command("ip", &["-n", name_of(endpoint), "-batch", "-"]);
    succeed(&mut ip, &(batch.join("\n") + "\n")).await.map(drop)
}

/// The name under which ip(8) knows a container's network namespace.
pub(super) fn name_of(endpoint: &EndpointSpec) -> &str {
    endpoint.netns.rsplit('/').next().unwrap_or_default()
}

/// Gives the host's own interface of a network its address, and lets the host forward.
pub(super) async fn configure_gateway(network: &NetworkSpec, ifname: &str) -> Result<(), Stop> {
    let gateway = with_prefix(network.gateway, network)?;
    let mut batch = format!("address add {gateway}{} dev {ifname}\n", nodad(network));
    batch += &format!("link set {ifname} up\n");
    succeed(&mut command("ip", &["-batch", "-"]), &batch).await?;
    let_forward(network)
}

/// Lets the host forward.
pub(super) fn let_forward(network: &NetworkSpec) -> Result<(), Stop> {
    let setting = match network.gateway {
        IpAddr::V4(_) => "net/ipv4/ip_forward",
        IpAddr::V6(_) => "net/ipv6/conf/all/forwarding",
    };
    sysctl::write(setting, "1").map_err(|error| Stop::Refused {
        code: setting.replace('/', "."),
        message: error.to_string(),
    })
}

/// Adds the rule that translates what leaves the network, or deletes it.
pub(super) async fn masquerade(
    network: &NetworkSpec,
    ifname: &str,
    what: &str,
) -> Result<(), Stop> {
    if !network.masquerade || network.internal {
        return Ok(());
    }
    let iptables = match network.gateway {
        IpAddr::V4(_) => "iptables",
        IpAddr::V6(_) => "ip6tables",
    };
    let subnet = network.subnet.as_str();
    let rule = ["-s", subnet, "!", "-o", ifname, "-j", "MASQUERADE"];
    let arguments = [&["-w", "-t", "nat", what, "POSTROUTING"][..], &rule].concat();
    must(iptables, &arguments).await.map(drop)
}

/// Deletes an interface of the host; one that went with its container is none to delete.
pub(super) async fn delete_link(ifname: &str) -> Result<(), Stop> {
    match must("ip", &["link", "delete", ifname]).await {
        Err(Stop::Refused { message, .. }) if message.contains("Cannot find device") => Ok(()),
        deleted => deleted.map(drop),
    }
}

fn nodad(network: &NetworkSpec) -> &'static str {
    if network.gateway.is_ipv6() {
        " nodad"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(id: &str, subnet: &str, gateway: &str) -> NetworkSpec {
        NetworkSpec::new(id, subnet, gateway.parse().unwrap())
    }

    fn endpoint(address: Option<&str>) -> EndpointSpec {
        EndpointSpec {
            id: "c1".to_owned(),
            netns: "/run/netns/c1".to_owned(),
            pid: None,
            ifname: "eth0".to_owned(),
            address: address.map(|it| it.parse().unwrap()),
            publish: Vec::new(),
        }
    }

    #[test]
    fn an_address_has_one_owner() {
        let (book, small) = (Book::default(), network("n1", "10.0.0.0/30", "10.0.0.1"));
        book.open(&small).unwrap();
        let first = book.take(&endpoint(None), &small).unwrap();
        assert_eq!(first.to_string(), "10.0.0.2");
        assert!(book.take(&endpoint(None), &small).is_err());
        book.give_back(&small, first);
        assert!(book.take(&endpoint(Some("10.0.0.2")), &small).is_ok());
        assert!(book.take(&endpoint(Some("10.0.1.2")), &small).is_err());
    }

    #[test]
    fn what_addresses_cannot_be_is_not_for_the_program_to_say() {
        let book = Book::default();
        book.open(&network("n1", "10.0.0.0/24", "10.0.0.1"))
            .unwrap();
        for (subnet, gateway) in [
            ("10.0.0.128/25", "10.0.0.129"),
            ("10.2.0.0/24", "10.3.0.1"),
            ("10.2.0.0/24", "10.2.0.255"),
            ("10.0.0.0/8", "10.2.0.1"),
        ] {
            assert!(book.open(&network("n2", subnet, gateway)).is_err());
        }
        book.open(&network("n6", "fd00:10::/64", "fd00:10::1"))
            .unwrap();
    }
}
