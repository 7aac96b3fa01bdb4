"""Three namespaces in a row, their links and their addresses."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

from attrs import field, frozen

from gateway.lab.namespace import FOLDER, Namespace

PREFIX = "tproxygw-"
"""What the names of the namespaces start with, if nobody says otherwise."""

CLIENT = "10.1.2.3"
CLIENT6 = "fd00:1::2:3"
PRINTER = "10.1.200.9"
GUEST = "10.2.0.9"
SERVER = "198.51.100.7"
SERVER6 = "2001:db8:100::7"
BANK = "203.0.113.9"
MIRROR = "192.0.2.10"

GATEWAY_LAN = "10.1.0.1"
GATEWAY_LAN6 = "fd00:1::1"
GATEWAY_WAN = "198.51.100.1"
GATEWAY_WAN6 = "2001:db8:100::1"

CLIENT_ADDRESSES = (
    f"{CLIENT}/16",
    f"{PRINTER}/16",
    f"{GUEST}/16",
    f"{CLIENT6}/48",
)
SERVER_ADDRESSES = (
    f"{SERVER}/24",
    f"{BANK}/32",
    f"{MIRROR}/32",
    f"{SERVER6}/64",
)
GATEWAY_LAN_ADDRESSES = (f"{GATEWAY_LAN}/16", "10.2.0.1/16", f"{GATEWAY_LAN6}/48")
GATEWAY_WAN_ADDRESSES = (f"{GATEWAY_WAN}/24", f"{GATEWAY_WAN6}/64")


@frozen
class Network:
    """Client, gateway and server, by what their names start with."""

    prefix: str = PREFIX
    lan: str = "lan0"
    wan: str = "wan0"
    client: Namespace = field(init=False)
    gateway: Namespace = field(init=False)
    server: Namespace = field(init=False)

    @client.default
    def _client(self) -> Namespace:
        return Namespace(f"{self.prefix}client")

    @gateway.default
    def _gateway(self) -> Namespace:
        return Namespace(f"{self.prefix}gateway")

    @server.default
    def _server(self) -> Namespace:
        return Namespace(f"{self.prefix}server")

    @property
    def namespaces(self) -> tuple[Namespace, ...]:
        """The three of them, from the client to the server."""
        return (self.client, self.gateway, self.server)

    def build(self) -> None:
        """Make the namespaces, the links and the routes. What was left over is removed."""
        self.remove()
        for namespace in self.namespaces:
            namespace.create()
        self.gateway.sysctl("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        link(self.client, "eth0", self.gateway, self.lan)
        link(self.gateway, self.wan, self.server, "eth0")
        self._give_addresses()
        self._route()

    def _give_addresses(self) -> None:
        give(self.client, "eth0", CLIENT_ADDRESSES)
        give(self.gateway, self.lan, GATEWAY_LAN_ADDRESSES)
        give(self.gateway, self.wan, GATEWAY_WAN_ADDRESSES)
        give(self.server, "eth0", SERVER_ADDRESSES)

    def _route(self) -> None:
        _default(self.client, "eth0", GATEWAY_LAN, GATEWAY_LAN6)
        _default(self.gateway, self.wan, SERVER, SERVER6)
        _default(self.server, "eth0", GATEWAY_WAN, GATEWAY_WAN6)

    def add_client_addresses(self, addresses: Iterable[str]) -> None:
        """More addresses for the client, of whatever network; the gateway finds them."""
        for address in sorted(set(addresses)):
            bits, via = (128, CLIENT6) if ":" in address else (32, CLIENT)
            give(self.client, "lo", [f"{address}/{bits}"])
            self.gateway.ip(f"route replace {address}/{bits} via {via} dev {self.lan}")

    def add_server_addresses(self, addresses: Iterable[str]) -> None:
        """More addresses for the server. The gateway's default route leads to them."""
        for address in sorted(set(addresses)):
            give(self.server, "lo", [f"{address}/{ip_address(address).max_prefixlen}"])

    def remove(self) -> None:
        """Remove all three, with every program in them. Harmless if there are none."""
        for namespace in self.namespaces:
            namespace.remove()


def link(one: Namespace, name: str, other: Namespace, other_name: str) -> None:
    """Join two namespaces by a pair of interfaces that are never anywhere else."""
    one.ip(f"link add {name} type veth peer name {other_name} netns {other.name}")
    one.ip(f"link set {name} up")
    other.ip(f"link set {other_name} up")


def give(namespace: Namespace, interface: str, addresses: Iterable[str]) -> None:
    """Give addresses (C{"10.1.2.3/16"}) to an interface. Those it has are no error."""
    namespace.ip(*(f"address replace {one} dev {interface}{_nodad(one)}" for one in addresses))


def _nodad(address: str) -> str:
    return " nodad" if ":" in address else ""


def _default(namespace: Namespace, interface: str, *gateways: str) -> None:
    for gateway in gateways:
        namespace.ip(f"route add default via {gateway} dev {interface}")


def left_over(prefix: str) -> list[Namespace]:
    """The namespaces whose names start so."""
    if not FOLDER.exists():
        return []
    return [Namespace(path.name) for path in sorted(FOLDER.glob(f"{prefix}*"))]
