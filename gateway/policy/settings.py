"""
Settings: the typed content of a TOML table.

A settings class is a frozen attrs class whose fields are made with L{option}.
The same declaration gives the type check, the default, and the line in the
configuration reference. Inspectors declare theirs in the same way.

Types that a field may have: C{bool}, C{int}, C{float}, C{str}, an C{Enum}, a
C{Literal}, C{tuple[T, ...]}, C{frozenset[T]}, C{dict[str, T]}, C{T | None},
C{T | U}, and other settings classes, which are tables in the table. Of any
other type if C{read} makes it, or C{file}. A field C{from_} is the key C{from}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import NOTHING, Attribute, field, fields


def option(
    help: str,
    default: Any = NOTHING,
    *,
    unit: str = "",
    precedent: str = "",
    read: Callable[[Any], Any] | None = None,
    file: Callable[[Any], Any] | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    names_service: bool = False,
    names_zones: bool = False,
    in_silence: bool = False,
    needs_root: tuple[object, ...] = (),
) -> Any:
    """
    Declare one key of a TOML table.

    @param help: what it is for, one or two sentences for the operator.
    @param default: the value if the key is left out. Without a default, the key must be there.
    @param unit: what a number counts: C{"seconds"}, C{"bytes"}, …
    @param precedent: who chose the same limit before.
    @param read: turns the TOML value into the field's value; raises C{ValueError} with a sentence
        for the operator. The TOML value is already of the type that C{read} annotates its parameter
        with; without an annotation, of the field's type if that is one of the types above.
    @param file: the TOML value is the name of a file, relative to the configuration folder (or an
        array of such names, if the field is a tuple or a set, where C{"rules/"} is all files of
        a folder), and C{file} turns its
        L{NamedFile<gateway.policy.files.NamedFile>} into the field's value, or tells it what is
        wrong and where.
    @param minimum: the least that a number may be (each of them, in a tuple).
    @param maximum: the most that it may be.
    @param names_service: the value is the name of an inspecting service (or each is, in an array or
        a table); whether there is one is checked when the policy is loaded. An empty name is none.
    @param names_zones: the value is an array, each the name of a zone, a network or an address; the
        field's value is the L{Addresses<gateway.policy.addresses.Addresses>} that they add up to.
    @param in_silence: a time limit, in seconds, within which nobody may have sent a byte when it
        runs out (0 or C{None}: there is none). The service's C{idle_seconds} has to be more, which
        is checked when the policy is loaded, and is so by itself where nobody has set it.
    @param needs_root: values for which certificates of our own are signed: only with a C{tls.root}
        in gateway.toml, which is checked when the policy is loaded.
    """
    metadata = {name: value for name, value in locals().items() if name != "default"}
    return field(default=default, metadata=metadata)


def written_at() -> Any:
    """
    Declare a field that no key stands for: where the table is written, as
    C{"services/web.toml:12:1"}, for messages and records. Empty if no file says it.
    """
    return field(default="", eq=False, metadata={"written_at": True})


def keys_of(kind: type) -> dict[str, Attribute[Any]]:
    """The keys that a table of a settings class may have."""
    return {
        key_of(each): each
        for each in fields(kind)
        if each.init and not each.metadata.get("written_at")
    }


def key_of(attribute: Attribute[Any]) -> str:
    """The key in the TOML table that a field stands for."""
    return attribute.name.removesuffix("_")


def default_of(attribute: Attribute[Any]) -> Any:
    """What a field is if its key is left out; C{NOTHING} if it can't be."""
    default: Any = attribute.default
    return default.factory() if hasattr(default, "factory") else default
