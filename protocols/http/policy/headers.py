"""HeaderPolicy: which headers pass, and how."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from gateway.inspector import option
from protocols.http.message import Headers
from protocols.http.policy.patterns import read_name
from protocols.http.policy.test import KEPT, read_free_name


def read_free_names(names: frozenset[str]) -> frozenset[str]:
    """
    Names of headers that may be changed, in small letters.

    @raise ValueError: one may not.
    """
    return frozenset(map(read_free_name, names))


def read_values(values: Mapping[str, str]) -> Mapping[str, str]:
    """
    Headers to be set.

    @raise ValueError: one can't be.
    """
    for name, value in values.items():
        Headers().with_(name if read_free_name(name) else "", value)
    return dict(values)


def read_new_names(names: Mapping[str, str]) -> Mapping[str, str]:
    """
    New names for headers, by the old ones.

    @raise ValueError: one may not be changed, or set.
    """
    for name, new in names.items():
        read_free_name(name)
        read_free_name(new)
    return dict(names)


def read_limits(limits: Mapping[str, int]) -> Mapping[str, int]:
    """
    Longest values of headers, by their names.

    @raise ValueError: there is no such header, or no such length.
    """
    for name, limit in limits.items():
        if limit < 0:
            raise ValueError(f"{name}: no value is shorter than 0 bytes")
    return {read_name(name): limit for name, limit in limits.items()}


@frozen
class HeaderPolicy:
    """
    The tables C{[http.request_headers]} and C{[http.response_headers]}, applied in the order of
    their keys here. What frames a message, and Host, always passes.
    """

    limit: Mapping[str, int] = option(
        "How long values may be, by the header's name; a message with a longer one is refused.",
        {},
        unit="bytes",
        read=read_limits,
    )
    only: frozenset[str] = option("Only these pass; empty: all.", frozenset(), read=read_free_names)
    remove: frozenset[str] = option("These do not pass.", frozenset(), read=read_free_names)
    rename: Mapping[str, str] = option(
        "New names, by the names that they come with.", {}, read=read_new_names
    )
    set: Mapping[str, str] = option(
        "These are there in any case, with this value alone.", {}, read=read_values
    )
    _dropping: bool = field(init=False, repr=False, eq=False)

    @_dropping.default
    def _drops(self) -> bool:
        return bool(self.only or self.remove)

    def too_long(self, headers: Headers) -> str | None:
        """The name of a header that is longer than it may be."""
        for name, limit in self.limit.items():
            if any(len(value) > limit for value in headers.every(name)):
                return name
        return None

    def apply(self, headers: Headers) -> Headers:
        """The headers that pass."""
        if self._dropping:
            headers = headers.only(self._passes)
        for name, new in self.rename.items():
            if name in headers:
                headers = headers.renamed(name, new)
        for name, value in self.set.items():
            headers = headers.with_(name, value)
        return headers

    def _passes(self, name: str) -> bool:
        key = name.lower()
        if key in KEPT:
            return True
        return key not in self.remove and (not self.only or key in self.only)
