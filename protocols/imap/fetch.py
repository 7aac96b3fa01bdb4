"""A Fetch: which items of messages are asked for (RFC 9051, section 6.4.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from attrs import evolve, frozen

from protocols.imap.arguments import Arguments
from protocols.imap.item import Item
from protocols.imap.refusal import bad
from protocols.imap.value import Atom, Group, Malformed, Value

_FAST = ("FLAGS", "INTERNALDATE", "RFC822.SIZE")
_MACROS: Mapping[str, tuple[str, ...]] = {
    "FAST": _FAST,
    "ALL": (*_FAST, "ENVELOPE"),
    "FULL": (*_FAST, "ENVELOPE", "BODY"),
}

NAMES = frozenset(
    {
        *("BODY", "BODYSTRUCTURE", "EMAILID", "ENVELOPE", "FLAGS", "INTERNALDATE", "MODSEQ"),
        *("PREVIEW", "RFC822.SIZE", "SAVEDATE", "THREADID", "UID"),
    }
)
"""Items that are no section of the message."""

UNASKED = frozenset({"FLAGS", "MODSEQ", "UID"})
"""What a server may tell of a message at any time (section 7.5.2)."""

MOST = 100
"""Sections of one FETCH: no program was seen to ask for as many."""

Key = str | Item
"""What an answer is called."""


class Examined(NamedTuple):
    """
    What is asked of the server, where messages are examined.

    @ivar wanted: what the client gets of the message, as it comes out of that.
    """

    fetch: Fetch
    wanted: tuple[Item, ...]


@frozen
class Fetch:
    """
    What is asked for.

    @ivar names: items that are no section.
    @ivar sections: and those that are one.
    @ivar modifiers: of the command (RFC 4466).
    """

    names: tuple[str, ...]
    sections: tuple[Item, ...]
    modifiers: tuple[Value, ...] = ()
    lazy: bool = False

    @property
    def keys(self) -> frozenset[Key]:
        """What the answer may have."""
        return UNASKED.union(self.names, (item.key for item in self.sections))

    @property
    def tells(self) -> list[str]:
        """For the record."""
        return [
            *self.names,
            *(item.written(asked=True).decode("latin-1") for item in self.sections),
        ]

    def values(self) -> list[Value]:
        """The arguments behind the messages' numbers."""
        items: list[Value] = []
        for name in self.names:
            items.append(Atom(name.encode("ascii")))
            if name == "PREVIEW" and self.lazy:
                items.append(Group([Atom(b"LAZY")]))
        items += (Atom(item.written(asked=True)) for item in self.sections)
        return [Group(items), *self.modifiers]

    def examined(self) -> Examined:
        """
        Where messages are examined: all of one is asked for if anything of it is, but for some
        fields of its header.

        @raise Refusal: something is asked for that can't be had then.
        """
        wanted = tuple(item for item in self.sections if not item.lists)
        if "PREVIEW" in self.names or any(item.family == "BINARY" for item in wanted):
            reason = "BINARY or PREVIEW, where messages are examined"
            raise bad("Messages are examined here: without BINARY or PREVIEW", reason)
        wanted = tuple(item for item in wanted if item.family != "BINARY.SIZE")
        if not wanted:
            return Examined(self, ())
        kept = tuple(item for item in self.sections if item not in wanted)
        whole = Item("BODY", peek=all(item.peek for item in wanted))
        return Examined(evolve(self, sections=(*kept, whole)), wanted)

    @classmethod
    def parse(cls, arguments: Arguments) -> Fetch:
        """
        Read what stands behind the messages' numbers.

        @raise Refusal: it is something else.
        """
        names: list[str] = []
        sections: list[Item] = []
        value = arguments.next()
        if isinstance(value, Group):
            items = Arguments(value.items)
        else:
            macro = _MACROS.get(value.word, ()) if isinstance(value, Atom) else ()
            items = Arguments([Atom(name.encode("ascii")) for name in macro] or [value])
            if arguments.begins_group() and isinstance(value, Atom) and value.word == "PREVIEW":
                items = Arguments([value, arguments.next()])
        lazy = False
        while items.more:
            each = items.next()
            if not isinstance(each, Atom):
                raise bad("That is nothing that can be fetched")
            if each.word in NAMES:
                names.append(each.word)
                lazy = lazy or (each.word == "PREVIEW" and _lazy(items))
            else:
                sections.append(_section(each))
        if len(sections) > MOST:
            raise bad("Too much is to be fetched at once", f"more than {MOST} sections")
        if not (names or sections):
            raise bad("Nothing is to be fetched")
        return cls(tuple(dict.fromkeys(names)), tuple(sections), _modifiers(arguments), lazy)


def _section(value: Atom) -> Item:
    try:
        item = Item.parse(value.text)
    except Malformed as error:
        raise bad("That is no section", str(error)) from None
    if item is None or (item.origin is not None and item.count is None):
        raise bad("That is nothing that can be fetched", f"{value.text[:60]!r} is no item")
    return item


def _lazy(items: Arguments) -> bool:
    if not items.begins_group():
        return False
    group = items.group()
    lazy = group.atom() == "LAZY"
    group.end()
    if not lazy:
        raise bad("That is no modifier of PREVIEW")
    return lazy


def _modifiers(arguments: Arguments) -> tuple[Value, ...]:
    """CHANGEDSINCE and VANISHED (RFC 7162)."""
    if not arguments.more:
        return ()
    at = arguments.at
    group = arguments.group()
    while group.more:
        if group.says("CHANGEDSINCE"):
            group.number()
        elif not group.says("VANISHED"):
            raise bad("That is no modifier of FETCH")
    return tuple(arguments.values[at : arguments.at])
