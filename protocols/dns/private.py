"""Private addresses, also where they hide in other ones."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network

from gateway.inspector import Addresses

PRIVATE = Addresses(
    tuple(
        map(
            ip_network,
            (
                # IANA's registries of special-purpose addresses (RFC 6890)
                *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
                *("172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15"),
                *("224.0.0.0/4", "240.0.0.0/4"),
                *("::/128", "::1/128", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"),
            ),
        )
    )
)
"""What is of this host, this network, or of nobody."""

REMEMBERED = 4096
"""Addresses."""

_V4_BEHIND = (
    *(bytes(12), bytes(10) + b"\xff\xff"),  # compatible (RFC 4291, 2.5.5), mapped
    bytes.fromhex("0000000000000000ffff0000"),  # translated (RFC 2765, 2.1)
    bytes.fromhex("0064ff9b") + bytes(8),  # NAT64 (RFC 6052)
)

_NAT64_LOCAL = bytes.fromhex("0064ff9b0001")
"""RFC 8215: whose length of prefix nobody else knows."""

_SIX_TO_FOUR = bytes.fromhex("2002")
_TEREDO = bytes.fromhex("20010000")

_ISATAP = (bytes.fromhex("00005efe"), bytes.fromhex("02005efe"))
"""RFC 5214, section 6.1: behind whatever network."""


class Private:
    """
    Whether addresses, of 4 or 16 bytes, are private, or have one in them that is. That is
    remembered for some.
    """

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._known: dict[bytes, bool] = {}

    def __contains__(self, packed: bytes) -> bool:
        known = self._known.get(packed)
        if known is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            known = self._known[packed] = self._find(packed)
        return known

    def _find(self, packed: bytes) -> bool:
        if len(packed) == 4:
            return str(IPv4Address(packed)) in self._addresses
        return str(IPv6Address(packed)) in self._addresses or any(
            str(IPv4Address(each)) in self._addresses for each in _embedded(packed)
        )


def _embedded(packed: bytes) -> tuple[bytes, ...]:
    """The IPv4 addresses that an IPv6 address has, or may have, in it."""
    if packed.startswith(_V4_BEHIND):
        return (packed[12:],)
    if packed.startswith(_SIX_TO_FOUR):
        return (packed[2:6],)
    if packed.startswith(_TEREDO):  # RFC 4380, section 4: the server's, and the client's, inverted
        return packed[4:8], bytes(each ^ 0xFF for each in packed[12:])
    if packed.startswith(_NAT64_LOCAL):  # RFC 6052, section 2.2: /48, /56, /64 and /96
        return (
            packed[6:8] + packed[9:11],
            packed[7:8] + packed[9:12],
            packed[9:13],
            packed[12:],
        )
    if packed[8:12] in _ISATAP:
        return (packed[12:],)
    return ()
