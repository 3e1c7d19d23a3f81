//! What five tutorials claim, each claim with the id by which scenarios speak of it.

/// A claim, in words of our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// Its id, such as `L9`.
    pub id: &'static str,
    /// The tutorial that it stands in, as scenarios name their `source`.
    pub source: &'static str,
    /// What is said, true or not.
    pub says: &'static str,
}

const NOTES: &str = "networking-notes";
const BRIDGES: &str = "namespaces-and-bridges";
const LINUX: &str = "linux-network-namespace";
const DOCKER: &str = "bridge-veth-iptables-docker";
const GIST: &str = "virtual-networking-gist";

const fn said(id: &'static str, source: &'static str, says: &'static str) -> Said {
    Said { id, source, says }
}

/// Every claim, tutorial by tutorial.
pub const CLAIMS: &[Said] = &[
    said(
        "N1",
        NOTES,
        "A switch joins the devices of one network: two nodes on it reach each other",
    ),
    said(
        "N2",
        NOTES,
        "A router joins two networks, has an address in each, and hosts on both sides reach each other through it",
    ),
    said(
        "N3",
        NOTES,
        "A gateway must stand in the routing table: without it the network is unreachable, with it the packet leaves",
    ),
    said(
        "N4",
        NOTES,
        "By default Linux forwards no packet from one of its interfaces to another",
    ),
    said(
        "N5",
        NOTES,
        "A container knows nothing of its host's network: no interface, address, route or neighbour",
    ),
    said(
        "N6",
        NOTES,
        "The commands shown for a veth pair connect the namespaces red and blue",
    ),
    said(
        "N7",
        NOTES,
        "The commands shown for a bridge connect the namespaces red and blue",
    ),
    said(
        "N8",
        NOTES,
        "A bridge is an interface for the host and a switch for the namespaces: with an address on it the host reaches them",
    ),
    said(
        "N9",
        NOTES,
        "The recipe of eight steps ends with namespaces that reach the internet by masquerade",
    ),
    said(
        "N10",
        NOTES,
        "/proc/sys/net/ipv4/ip_forward tells whether packets are forwarded",
    ),
    said(
        "N11",
        NOTES,
        "With a bridge each cable ends at the bridge, and no longer at the other namespace",
    ),
    said("B1", BRIDGES, "A new namespace holds nothing but lo"),
    said(
        "B2",
        BRIDGES,
        "An interface is in exactly one namespace: after a move it is gone from where it was",
    ),
    said(
        "B3",
        BRIDGES,
        "What runs in ns1 cannot see vethY, which stayed in the host",
    ),
    said(
        "B4",
        BRIDGES,
        "An end that is set up before it is moved carries packets in its namespace",
    ),
    said(
        "B5",
        BRIDGES,
        "Any packet on the bridge is seen on all the veths",
    ),
    said(
        "B6",
        BRIDGES,
        "A bridge needs no address for the nodes on it to talk",
    ),
    said(
        "B7",
        BRIDGES,
        "The clean-up leaves nothing: deleting one end of a cable deletes the other, deleting a namespace deletes what is in it",
    ),
    said(
        "B8",
        BRIDGES,
        "Any interface, be it physical or virtual, can be moved between namespaces",
    ),
    said(
        "L1",
        LINUX,
        "Both namespaces are there under their names after they were added",
    ),
    said(
        "L2",
        LINUX,
        "The commands work as they are written, under the names that they use",
    ),
    said(
        "L3",
        LINUX,
        "The route to 10.10.0.0/16 is in the table of the namespace without anybody having added it",
    ),
    said(
        "L4",
        LINUX,
        "Every device has to be set up before the namespaces can talk, lo too",
    ),
    said(
        "L5",
        LINUX,
        "Wired over the bridge, ping answers with ttl 64",
    ),
    said(
        "L6",
        LINUX,
        "The neighbour table holds the other's MAC address afterwards, and did not before",
    ),
    said(
        "L7",
        LINUX,
        "The host's address in another network is unreachable for want of a route",
    ),
    said(
        "L8",
        LINUX,
        "With an address on the bridge and a default route the host answers; the routing table has exactly two entries",
    ),
    said(
        "L9",
        LINUX,
        "A ping to 8.8.8.8 hangs: it comes to app_br and does not leave, because forwarding is off",
    ),
    said(
        "L10",
        LINUX,
        "With forwarding on it leaves as 10.10.0.10, and nobody out there has a way back",
    ),
    said(
        "L11",
        LINUX,
        "With MASQUERADE it leaves with the host's address, the answer comes back, and conntrack has the translation",
    ),
    said(
        "L12",
        LINUX,
        "Behind one address NAT gives each connection a source port of its own, by which the answers find back",
    ),
    said(
        "L13",
        LINUX,
        "The rule leaves out what goes to app_br: traffic between the namespaces is not translated",
    ),
    said(
        "L14",
        LINUX,
        "All the devices are down after they were made and wired",
    ),
    said(
        "L15",
        LINUX,
        "The bridge is why there is a route to the other namespace that nobody added",
    ),
    said(
        "L16",
        LINUX,
        "From the internet nobody reaches the private address of a namespace",
    ),
    said(
        "L17",
        LINUX,
        "NAT replaces the source port of each packet that leaves as well as its address",
    ),
    said(
        "D1",
        DOCKER,
        "A server in a namespace is reached there, and from nowhere else until it is wired",
    ),
    said(
        "D2",
        DOCKER,
        "What is sent into one end of a veth pair comes out of the other; with one end down there is no carrier",
    ),
    said("D3", DOCKER, "localhost works only after lo is set up"),
    said("D4", DOCKER, "The ports of a bridge need no address"),
    said(
        "D5",
        DOCKER,
        "A bridge forwards by MAC address whatever the protocol above",
    ),
    said(
        "D6",
        DOCKER,
        "Bridging leaves the TTL as it is, and routing lowers it by one",
    ),
    said(
        "D7",
        DOCKER,
        "Both namespaces ping each other and the bridge",
    ),
    said(
        "D8",
        DOCKER,
        "MASQUERADE needs no address told: new flows leave with the one that the way out has now",
    ),
    said(
        "D9",
        DOCKER,
        "Docker has five network modes: host, bridge, custom bridge, container and none",
    ),
    said(
        "D10",
        DOCKER,
        "docker0 shows NO-CARRIER while no container runs",
    ),
    said(
        "D11",
        DOCKER,
        "A bridge shows its id, STP off and the list of its ports",
    ),
    said(
        "D12",
        DOCKER,
        "A custom bridge isolates its containers from those of the other bridge",
    ),
    said(
        "D13",
        DOCKER,
        "A published port reaches the container from outside",
    ),
    said(
        "D14",
        DOCKER,
        "The namespace of the host is listed under the name default",
    ),
    said(
        "D15",
        DOCKER,
        "Before a default route is added, each namespace has a route to its own subnet only",
    ),
    said(
        "D16",
        DOCKER,
        "Each interface must have an IP address that no other interface has",
    ),
    said(
        "D17",
        DOCKER,
        "All the network modes of Docker are set up by way of docker0",
    ),
    said(
        "D18",
        DOCKER,
        "A container on the bridge has an eth0, whose other end is a port of docker0, and a default gateway",
    ),
    said(
        "D19",
        DOCKER,
        "The rule translates what leaves the bridge, except for what stays on it",
    ),
    said(
        "D20",
        DOCKER,
        "A bridge makes one network of two, while networks that a router joins remain separate",
    ),
    said(
        "G1",
        GIST,
        "A bridge behaves like a switch, which learns addresses, and supports STP and multicast snooping",
    ),
    said(
        "G2",
        GIST,
        "A TUN device works at layer three and cannot be a port of a bridge",
    ),
    said(
        "G3",
        GIST,
        "A TAP device carries frames, can be a port of a bridge, and sees its broadcasts",
    ),
    said(
        "G4",
        GIST,
        "A VPN over TUN joins two private networks through a program",
    ),
    said(
        "G5",
        GIST,
        "One command makes a veth pair with each end in the namespace where it belongs",
    ),
    said(
        "G6",
        GIST,
        "The two namespaces then ping each other both ways without loss",
    ),
    said("G7", GIST, "A new namespace has lo, which is down"),
    said("G8", GIST, "The routing table of a new namespace is empty"),
    said(
        "G9",
        GIST,
        "A named namespace is a mount of type nsfs under /run/netns",
    ),
    said(
        "G10",
        GIST,
        "A firewall rule in one namespace does not touch another",
    ),
    said(
        "G11",
        GIST,
        "Processes in two namespaces see different networks: one address leads each of them to its own",
    ),
    said(
        "G12",
        GIST,
        "The commands shown for a bridge connect the host with ns1 and ns2",
    ),
    said(
        "G13",
        GIST,
        "With `brd +` the broadcast address is 192.168.1.255",
    ),
    said(
        "G14",
        GIST,
        "The host's table then shows 192.168.1.0/24 on br1, from the kernel, with the source 192.168.1.10",
    ),
    said(
        "G15",
        GIST,
        "The namespaces need a route to 192.168.1.0/24, which `ip route 192.168.1.0/24 dev …` adds",
    ),
    said(
        "G16",
        GIST,
        "Without NAT the namespaces are cut off from the outside",
    ),
    said(
        "G17",
        GIST,
        "MASQUERADE for 192.168.1.0/24 leaves what the namespaces send to each other alone",
    ),
    said(
        "G18",
        GIST,
        "With NAT and forwarding as the last two commands, ns1 reaches 8.8.8.8",
    ),
    said(
        "G19",
        GIST,
        "An answer from 8.8.8.8 comes with ttl 61, which is lowered by each router that it crosses",
    ),
    said(
        "G20",
        GIST,
        "Only a bridge lets two namespaces talk that each have a cable to the host",
    ),
    said("G21", GIST, "A TAP device can carry any protocol"),
    said(
        "G22",
        GIST,
        "An end that was moved is seen in its own namespace only, where it is down",
    ),
    said("G23", GIST, "A bridge supports VLAN filtering"),
    said(
        "G24",
        GIST,
        "A bridge that is up and has no port yet has carrier",
    ),
    said(
        "G25",
        GIST,
        "For the host to reach the namespaces by its routing table, the bridge needs an address",
    ),
];
