"""Addresses, as an operator names them: by zones, by networks, one by one."""

from __future__ import annotations

from bisect import bisect_right
from ipaddress import ip_address

from attrs import field, frozen

from gateway.policy.spans import Family, Spans, address_spans
from gateway.policy.zone import Network


def _by_family(networks: tuple[Network, ...]) -> dict[int, Spans]:
    there = {each.version for each in networks}
    return {
        family.value: address_spans(networks, family) for family in Family if family.value in there
    }


@frozen
class Addresses:
    """
    A set of addresses. However many networks it has, looking one up takes microseconds.

    @ivar networks: what it was made of.
    """

    networks: tuple[Network, ...]
    _spans: dict[int, Spans] = field(init=False, repr=False, eq=False)

    @_spans.default
    def _made(self) -> dict[int, Spans]:
        return _by_family(self.networks)

    @property
    def texts(self) -> tuple[str, ...]:
        """As the operator may write them."""
        return tuple(map(str, self.networks))

    def __contains__(self, host: str) -> bool:
        address = ip_address(host)
        spans = self._spans.get(address.version, ())
        number = int(address)
        at = bisect_right(spans, number, key=lambda span: span[0])
        return at > 0 and number < spans[at - 1][1]
