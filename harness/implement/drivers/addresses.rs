//! Addresses, for programs that leave the choice of them to their callers.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::implement::protocol::{EndpointSpec, NetworkSpec};
use crate::scenario::is_host_of;

/// The networks that there are, and who has which address. Chooses the lowest that is free.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    networks: RefCell<BTreeMap<String, Pool>>,
}

#[derive(Debug)]
struct Pool {
    subnet: IpNet,
    gateway: IpAddr,
    /// Who has which address, by the name of the container.
    taken: BTreeMap<IpAddr, String>,
}

impl Addresses {
    /// Begins a network. What is wrong with its addresses is nothing that the program would notice.
    pub(super) fn begin(&self, network: &NetworkSpec) -> Result<(), String> {
        let subnet: IpNet = network
            .subnet
            .parse()
            .map_err(|_| format!("{} is no subnet", network.subnet))?;
        let mut networks = self.networks.borrow_mut();
        if networks.contains_key(&network.id) {
            return Err(format!(
                "the program keeps no list in which {} is",
                network.id
            ));
        }
        let overlaps = |pool: &&Pool| {
            pool.subnet.contains(&subnet.network()) || subnet.contains(&pool.subnet.network())
        };
        if let Some(pool) = networks.values().find(overlaps) {
            let other = pool.subnet;
            return Err(format!(
                "that {subnet} overlaps {other} is its caller's care"
            ));
        }
        if !is_host_of(subnet, network.gateway) {
            let gateway = network.gateway;
            return Err(format!(
                "that {gateway} is no host of {subnet} is its caller's care"
            ));
        }
        let pool = Pool {
            subnet,
            gateway: network.gateway,
            taken: BTreeMap::new(),
        };
        networks.insert(network.id.clone(), pool);
        Ok(())
    }

    /// Tells whether there is no network.
    pub(super) fn is_empty(&self) -> bool {
        self.networks.borrow().is_empty()
    }

    /// Tells whether somebody has an address of a network.
    pub(super) fn is_used(&self, network: &NetworkSpec) -> bool {
        let networks = self.networks.borrow();
        let pool = networks.get(&network.id);
        pool.is_some_and(|pool| !pool.taken.is_empty())
    }

    /// Forgets a network.
    pub(super) fn end(&self, network: &NetworkSpec) {
        self.networks.borrow_mut().remove(&network.id);
    }

    /// Takes an address for an endpoint: the one that it is to have, else the lowest that is free.
    pub(super) fn take(
        &self,
        network: &NetworkSpec,
        endpoint: &EndpointSpec,
    ) -> Result<IpNet, String> {
        let mut networks = self.networks.borrow_mut();
        let pool = networks
            .get_mut(&network.id)
            .ok_or_else(|| format!("there is no network {}", network.id))?;
        let free = |address: &IpAddr| *address != pool.gateway && !pool.taken.contains_key(address);
        let address = match endpoint.address {
            Some(address) if !is_host_of(pool.subnet, address) || !free(&address) => {
                let subnet = pool.subnet;
                return Err(format!(
                    "that {address} cannot be had in {subnet} is its caller's care"
                ));
            }
            Some(address) => address,
            None => pool
                .subnet
                .hosts()
                .find(|address| is_host_of(pool.subnet, *address) && free(address))
                .ok_or_else(|| format!("that {} is full is its caller's care", pool.subnet))?,
        };
        pool.taken.insert(address, endpoint.id.clone());
        IpNet::new(address, pool.subnet.prefix_len()).map_err(|error| error.to_string())
    }

    /// Gives back what a container has.
    pub(super) fn give_back(&self, network: &NetworkSpec, container: &str) {
        if let Some(pool) = self.networks.borrow_mut().get_mut(&network.id) {
            pool.taken.retain(|_, of| of != container);
        }
    }

    /// Gives back an address that came to nothing; others of the same container stay.
    pub(super) fn give_back_one(&self, network: &NetworkSpec, address: IpNet) {
        if let Some(pool) = self.networks.borrow_mut().get_mut(&network.id) {
            pool.taken.remove(&address.addr());
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn network(id: &str, subnet: &str, gateway: &str) -> NetworkSpec {
        NetworkSpec::new(id, subnet, gateway.parse().unwrap())
    }

    fn endpoint(id: &str, address: Option<&str>) -> EndpointSpec {
        EndpointSpec {
            id: id.to_owned(),
            netns: String::new(),
            pid: None,
            ifname: "eth0".to_owned(),
            address: address.map(|text| text.parse().unwrap()),
            publish: Vec::new(),
        }
    }

    #[test]
    fn the_lowest_that_is_free_is_taken() {
        let (addresses, small) = (
            Addresses::default(),
            network("n1", "10.0.0.0/29", "10.0.0.1"),
        );
        addresses.begin(&small).unwrap();
        let take = |id: &str, at| {
            addresses
                .take(&small, &endpoint(id, at))
                .map(|it| it.to_string())
        };
        assert_eq!(take("a", None).as_deref(), Ok("10.0.0.2/29"));
        assert_eq!(take("b", Some("10.0.0.3")).as_deref(), Ok("10.0.0.3/29"));
        assert_eq!(take("c", None).as_deref(), Ok("10.0.0.4/29"));
        addresses.give_back(&small, "b");
        assert!(addresses.is_used(&small));
        assert_eq!(take("d", None).as_deref(), Ok("10.0.0.3/29"));
        assert!(take("e", None).is_ok() && take("f", None).is_ok());
        assert!(take("g", None).is_err());
    }

    #[test]
    fn an_address_that_came_to_nothing_takes_no_other_with_it() {
        let addresses = Addresses::default();
        let small = network("n1", "10.0.0.0/29", "10.0.0.1");
        addresses.begin(&small).unwrap();
        let take = || addresses.take(&small, &endpoint("a", None)).unwrap();
        let (first, second) = (take(), take());
        addresses.give_back_one(&small, second);
        assert_eq!(take(), second, "the first one is still taken");
        assert_ne!(first, second);
        addresses.give_back(&small, "a");
        assert_eq!(take(), first);
    }

    #[test]
    fn the_address_of_all_routers_is_nobodys() {
        let (addresses, network) = (
            Addresses::default(),
            network("n1", "fd00:1::/64", "fd00:1::1"),
        );
        addresses.begin(&network).unwrap();
        let taken = addresses.take(&network, &endpoint("a", None)).unwrap();
        assert_eq!(taken.to_string(), "fd00:1::2/64");
    }

    #[rstest]
    #[case::network("10.0.0.0")]
    #[case::gateway("10.0.0.1")]
    #[case::taken("10.0.0.2")]
    #[case::broadcast("10.0.0.255")]
    #[case::elsewhere("10.0.1.2")]
    #[case::other_family("fd00::2")]
    fn what_cannot_be_had_is_not_given(#[case] address: &str) {
        let (addresses, network) = (
            Addresses::default(),
            network("n1", "10.0.0.0/24", "10.0.0.1"),
        );
        addresses.begin(&network).unwrap();
        addresses.take(&network, &endpoint("a", None)).unwrap();
        let taken = addresses.take(&network, &endpoint("b", Some(address)));
        assert!(taken.is_err());
    }

    #[rstest]
    #[case::same_name("n1", "10.9.0.0/24", "10.9.0.1")]
    #[case::inside("n2", "10.0.0.128/25", "10.0.0.129")]
    #[case::around("n2", "10.0.0.0/16", "10.0.0.1")]
    #[case::gateway_elsewhere("n2", "10.9.0.0/24", "10.8.0.1")]
    #[case::gateway_is_network("n2", "10.9.0.0/24", "10.9.0.0")]
    fn a_network_that_cannot_be_is_not_begun(
        #[case] id: &str,
        #[case] subnet: &str,
        #[case] gateway: &str,
    ) {
        let addresses = Addresses::default();
        addresses
            .begin(&network("n1", "10.0.0.0/24", "10.0.0.1"))
            .unwrap();
        assert!(addresses.begin(&network(id, subnet, gateway)).is_err());
    }
}
