"""A Zone is a named set of networks."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

from attrs import frozen

from gateway.policy.place import NOWHERE, Place

Network = IPv4Network | IPv6Network


@frozen
class Zone:
    """
    A named set of networks. It holds every address in its networks, whatever
    other zones hold the same address.
    """

    name: str
    networks: tuple[Network, ...]
    place: Place = NOWHERE
