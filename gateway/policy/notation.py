"""
How networks, addresses, ports and names are written.

Each function reads one value, and raises C{ValueError} with a sentence for
the operator.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from gateway.interfaces import Address
from gateway.policy.problem import did_you_mean
from gateway.policy.rule import PortRange
from gateway.policy.service import Source, Target
from gateway.policy.zone import Network

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
"""Of a zone or a service. None of them looks like an address."""

INTERFACE = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]{0,14}")
"""Linux allows more, but nothing that every packet filter and every log can quote."""

PORT = re.compile(r"[0-9]{1,5}")
PREFIX = re.compile(r"[0-9]{1,3}")
PORT_RANGE = re.compile(r"([0-9]{1,5})\s*-\s*([0-9]{1,5})")
ENDPOINT = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<host>[^:\[\]]*))(?::(?P<port>[^:]*))?")
"""C{host:port} or C{[address]:port}, with or without the port."""

HOST = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")
"""RFC 1123, section 2.1, and the underscore that people use."""

NUMERIC = re.compile(r"(?:.*\.)?[0-9]+\.?")
"""The last label is a number: meant to be an address (RFC 3696, section 2)."""

MAPPED = IPv6Network("::ffff:0:0/96")
"""IPv4-mapped addresses (RFC 4291, section 2.5.5.2): they are taken for IPv4."""

SOURCES = tuple(each.value for each in Source)


def looks_like_network(text: str) -> bool:
    """Whether it can only be meant as a network or an address, not as a name."""
    return not NAME.match(text) or ":" in text or "/" in text


def read_network(text: str) -> Network:
    """C{"10.1.0.0/16"}, C{"fd00:1::/48"}, or a single address."""
    address, slash, prefix = text.partition("/")
    if "%" in text or (slash and not PREFIX.fullmatch(prefix)):
        raise ValueError(f'"{text}" is not a network like "10.1.0.0/16" or "fd00:1::/48"')
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f'"{text}" is not a network like "10.1.0.0/16" or "fd00:1::/48"') from None
    if network.network_address != ip_address(address):
        raise ValueError(
            f'"{text}" is an address in a network: write "{network}" for the network or '
            f'"{address}" for the address'
        )
    if isinstance(network, IPv6Network) and network.subnet_of(MAPPED):
        raise ValueError(f'"{text}" never comes along as IPv6: write it as an IPv4 network')
    return network


def read_ip(text: str) -> IPv4Address | IPv6Address:
    """One address. An IPv4-mapped one is refused."""
    try:
        address = ip_address(text)
    except ValueError:
        raise ValueError(f'"{text}" is not an IP address') from None
    if isinstance(address, IPv6Address) and (address.ipv4_mapped or address.scope_id):
        raise ValueError(f'"{text}" must be a plain IPv4 or IPv6 address')
    return address


def read_port(text: str) -> int:
    """A port number in text."""
    if not PORT.fullmatch(text):
        raise ValueError(f'"{text}" is not a port')
    return check_port(int(text))


def check_port(port: int) -> int:
    """Whether a number is a port that a connection can go to."""
    if not 1 <= port <= 65535:
        raise ValueError(f"{port} is not a port: they go from 1 to 65535")
    return port


def read_ports(value: int | str) -> PortRange:
    """C{80} or C{"8080-8089"}."""
    if isinstance(value, int):
        return check_port(value), value
    found = PORT_RANGE.fullmatch(value)
    if not found:
        hint = f"; write {value} without quotes" if PORT.fullmatch(value) else ""
        raise ValueError(f'"{value}" is not a range of ports like "8080-8089"{hint}')
    first, last = check_port(int(found[1])), check_port(int(found[2]))
    if first > last:
        raise ValueError(f'"{value}" is backwards: write "{last}-{first}"')
    return first, last


def read_endpoint(
    text: str, what: str = '"10.1.2.3:80" or "[fd00::1]:80"'
) -> tuple[str, int | None]:
    """C{host}, C{host:port}, C{[address]} or C{[address]:port}: the host, and the port if given."""
    found = ENDPOINT.fullmatch(text)
    if found is None:
        try:
            address = read_ip(text)
        except ValueError:
            raise ValueError(f'"{text}" is not like {what}') from None
        raise ValueError(f'"{text}": write "[{address}]", so that a port can be told from it')
    port = None if found["port"] is None else read_port(found["port"])
    if found["six"] is not None:
        if ":" not in found["six"]:
            raise ValueError(f'"{text}": only IPv6 addresses are written in brackets')
        return str(read_ip(found["six"])), port
    return found["host"], port


def read_address(text: str) -> Address:
    """An address and a port: C{"10.1.2.3:80"}, C{"[fd00::1]:80"}."""
    host, port = read_endpoint(text)
    if port is None:
        raise ValueError(f'"{text}" lacks a port: write it like "10.1.2.3:80" or "[fd00::1]:80"')
    return Address(str(read_ip(host)), port)


def read_client(text: str) -> Address:
    """An address, with a port or (0) without."""
    host, port = (text, None) if text.count(":") > 1 and "[" not in text else read_endpoint(text)
    return Address(str(read_ip(host)), port or 0)


def read_target(text: str) -> Target:
    """C{"host:port"}, C{"[address]:port"}; without the port: the one that the client wanted."""
    host, port = read_endpoint(text, '"mail.example.net:25", "10.1.2.3" or "[fd00::1]:25"')
    if "[" in text or NUMERIC.fullmatch(host):
        host = str(read_ip(host))
    elif not HOST.fullmatch(host) or len(host) > 253:
        raise ValueError(f'"{text}" is not a host name or an address')
    return Target(host, port)


def read_source(text: str) -> Source | str:
    """A L{Source}, or an address in its canonical form."""
    if text in SOURCES:
        return Source(text)
    if not looks_like_network(text):
        listed = ", ".join(f'"{each}"' for each in SOURCES)
        raise ValueError(
            f'must be one of {listed} or an address, not "{text}"{did_you_mean(text, SOURCES)}'
        )
    address = read_ip(text)
    if address.is_unspecified or address.is_multicast:
        raise ValueError(f'no connection can come from "{text}"')
    return str(address)


def read_interface(name: str) -> str:
    """The name of a network interface, whole."""
    if not INTERFACE.fullmatch(name) or name in (".", ".."):
        hint = "; wildcards are not possible" if "*" in name or name.endswith("+") else ""
        raise ValueError(f'"{name}" is not the name of a network interface{hint}')
    return name


def read_interfaces(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of interfaces, each once."""
    for name in names:
        read_interface(name)
        if names.count(name) > 1:
            raise ValueError(f'"{name}" is there twice')
    return names


def read_listen(text: str) -> str:
    """Empty, or an address and a port to listen on."""
    if text:
        read_address(text)
    return text
