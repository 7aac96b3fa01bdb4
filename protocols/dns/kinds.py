"""Types, classes and opcodes, as the operator writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from dns.exception import DNSException
from dns.opcode import Opcode
from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType

EVERY = "*"


class Choice:
    """
    A set of numbers that have names; perhaps of all.

    @ivar texts: as they were written.
    """

    __slots__ = ("_every", "_numbers", "texts")

    def __init__(self, texts: Iterable[str | int], read: Callable[[Any], int]) -> None:
        self.texts = tuple(sorted(texts, key=str))
        self._every = EVERY in self.texts
        self._numbers = frozenset(read(text) for text in self.texts if text != EVERY)

    def __contains__(self, number: int) -> bool:
        return self._every or number in self._numbers

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Choice) and self.texts == other.texts

    def __hash__(self) -> int:
        return hash(self.texts)

    def __bool__(self) -> bool:
        return bool(self.texts)


def read_kind(text: str) -> int:
    """
    Read a type.

    @raise ValueError: it is none.
    """
    try:
        return int(RdataType.from_text(text))
    except (DNSException, ValueError):
        raise ValueError(f'"{text}" is no type of records, such as "MX" or "TYPE65280"') from None


def read_kinds(texts: frozenset[str]) -> Choice:
    """
    Read types; C{"*"} is all of them.

    @raise ValueError: one is none.
    """
    return Choice(texts, read_kind)


def read_classes(texts: frozenset[str]) -> Choice:
    """
    Read classes.

    @raise ValueError: one is none.
    """
    return Choice(texts, _class)


def _class(text: str) -> int:
    try:
        return int(RdataClass.from_text(text))
    except (DNSException, ValueError):
        raise ValueError(f'"{text}" is no class, such as "IN", "CH" or "CLASS254"') from None


OPCODES = {
    "QUERY": Opcode.QUERY,
    "STATUS": Opcode.STATUS,
    "NOTIFY": Opcode.NOTIFY,
    "UPDATE": Opcode.UPDATE,
}
"""What can be allowed. Not IQUERY (RFC 3425: obsolete), nor DSO (RFC 8490), which is a session."""

OPCODE_TEXTS = {0: "QUERY", 1: "IQUERY", 2: "STATUS", 4: "NOTIFY", 5: "UPDATE", 6: "DSO"}


def read_opcodes(texts: frozenset[str]) -> Choice:
    """
    Read opcodes.

    @raise ValueError: one is none, or can't be allowed.
    """
    return Choice(texts, _opcode)


def _opcode(text: str) -> int:
    if text not in OPCODES:
        raise ValueError(f'"{text}" is none of {", ".join(OPCODES)}')
    return int(OPCODES[text])


def opcode_text(opcode: int) -> str:
    """Its name, or its number."""
    return OPCODE_TEXTS.get(opcode, str(opcode))
