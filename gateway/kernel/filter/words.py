"""Words of the nft language that more than one module writes."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.policy.divert import Mark


def has(mark: Mark) -> str:
    """A comparison with C{mark}, to go behind C{meta} or C{socket}."""
    return f"mark & {mark.mask:#x} == {mark.value:#x}"


def put(mark: Mark) -> str:
    """Set C{mark} and leave the other bits alone."""
    return f"meta mark set meta mark & {0xFFFFFFFF & ~mark.mask:#x} | {mark.value:#x}"


def names(interfaces: Iterable[str]) -> str:
    """A set of interfaces."""
    return braces(f'"{name}"' for name in interfaces)


def braces(items: Iterable[str]) -> str:
    """A set, or the elements of a map."""
    return f"{{ {', '.join(items)} }}"
