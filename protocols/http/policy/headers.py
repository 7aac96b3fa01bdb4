"""HeaderPolicy: which headers pass, and how."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from gateway.inspector import option
from protocols.http.message import Headers
from protocols.http.policy.patterns import KEPT, read_free_name, read_name, spellings
from protocols.http.policy.replacement import Replacement

Values = Mapping[str, tuple[str, ...]]
"""Values of headers, by their names."""


def read_free_names(names: frozenset[str]) -> frozenset[str]:
    """
    Names of headers that may be changed, in small letters.

    @raise ValueError: one may not.
    """
    return frozenset(map(read_free_name, names))


def read_values(values: Mapping[str, str | tuple[str, ...]]) -> Values:
    """
    Headers to be set or added: one value, or several.

    @raise ValueError: one can't be, or there is none.
    """
    read: dict[str, tuple[str, ...]] = {}
    for name, value in values.items():
        read[name] = (value,) if isinstance(value, str) else value
        if not read[name]:
            raise ValueError(f'{name}: no value; "remove" takes a header away')
        for each in read[name]:
            Headers().with_(name if read_free_name(name) else "", each)
    return read


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
    replace: tuple[Replacement, ...] = option(
        "Parts of values that become others, in the order of the file.", ()
    )
    rename: Mapping[str, str] = option(
        "New names, by the names that they come with.", {}, read=read_new_names
    )
    set: Values = option(
        "These are there in any case, with this value alone, or with these, if it is an array.",
        {},
        read=read_values,
    )
    add: Values = option(
        "These are added to those of the same name: a value, or an array of values.",
        {},
        read=read_values,
        precedent="Zorp's HTTP_HDR_INSERT",
    )

    _removed: frozenset[str] = field(init=False, repr=False, eq=False)

    @_removed.default
    def _all_removed(self) -> frozenset[str]:
        """With all names that a server may take for those, or for what is set."""
        removed = {each for name in self.remove for each in spellings(name)}
        return frozenset(removed.union(*(spellings(name.lower())[1:] for name in self.set)))

    @property
    def changes(self) -> bool:
        """Whether more is done to headers than that some are dropped by their names."""
        return bool(self.limit or self.replace or self.rename or self.set or self.add)

    def too_long(self, headers: Headers) -> str | None:
        """The name of a header that is longer than it may be."""
        for name, limit in self.limit.items():
            for spelling in spellings(name):
                if any(len(value) > limit for value in headers.every(spelling)):
                    return name
        return None

    def apply(self, headers: Headers) -> Headers:
        """The headers that pass, and those that the operator wants."""
        headers = self.reduced(headers)
        for name, (first, *more) in self.set.items():
            headers = headers.with_(name, first).added(name, *more)
        for name, values in self.add.items():
            headers = headers.added(name, *values)
        return headers

    def reduced(self, headers: Headers) -> Headers:
        """The headers that pass, as they pass."""
        if self.only or not self._removed.isdisjoint(headers.first):
            headers = headers.only(self.passes)
        for replacement in self.replace:
            if replacement.name in headers:
                headers = replacement.apply(headers)
        for name, new in self.rename.items():
            if name in headers:
                headers = headers.renamed(name, new)
        return headers

    def passes(self, name: str) -> bool:
        """Whether a header of this name is let pass."""
        key = name.lower()
        if key in KEPT:
            return True
        return key not in self._removed and (not self.only or key in self.only)
