"""Search keys: what SEARCH, SORT and THREAD look for (RFC 9051, section 6.4.4, and others)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from protocols.imap.arguments import Arguments
from protocols.imap.refusal import bad
from protocols.imap.value import Atom, Group, String

DEPTH = 100
"""Keys in each other."""

_DATE = re.compile(rb"[0-9]{1,2}-[A-Za-z]{3}-[0-9]{4}")

Read = Callable[[Arguments, int], object]


def keys(arguments: Arguments, deep: int = 0) -> None:
    """
    All keys that follow, at least one.

    @raise Refusal: something else follows.
    """
    key(arguments, deep)
    while arguments.more:
        key(arguments, deep)


def key(arguments: Arguments, deep: int) -> None:
    """One key, with what belongs to it."""
    if deep > DEPTH:
        raise bad("Too many keys in each other")
    if arguments.begins_group():
        keys(arguments.group(), deep + 1)
        return
    value = arguments.next()
    if not isinstance(value, Atom):
        raise bad("A search key is expected here")
    read = _KEYS.get(value.word)
    if read is not None:
        read(arguments, deep)
    else:
        Arguments([value]).set()


def _nothing(_: Arguments, deep: int) -> None:
    pass


def _text(arguments: Arguments, deep: int) -> None:
    arguments.astring()


def _field(arguments: Arguments, deep: int) -> None:
    arguments.astring()
    arguments.astring()


def _flag(arguments: Arguments, deep: int) -> None:
    arguments.flag()


def _number(arguments: Arguments, deep: int) -> None:
    arguments.number()


def _set(arguments: Arguments, deep: int) -> None:
    arguments.set()


def _date(arguments: Arguments, deep: int) -> None:
    value = arguments.next()
    text = value.text if isinstance(value, Atom) else b""
    if isinstance(value, String):
        text = value.data
    if not _DATE.fullmatch(text):
        raise bad("A date is expected here")


def _key(arguments: Arguments, deep: int) -> None:
    key(arguments, deep + 1)


def _two(arguments: Arguments, deep: int) -> None:
    key(arguments, deep + 1)
    key(arguments, deep + 1)


def _modseq(arguments: Arguments, deep: int) -> None:
    """RFC 7162, section 3.1.5."""
    value = arguments.next()
    if isinstance(value, String):
        arguments.atom()
        arguments.number()
    elif isinstance(value, Group):
        raise bad("A number is expected here")
    else:
        Arguments([value]).number()


_KEYS: Mapping[str, Read] = {
    **dict.fromkeys(
        (
            *("ALL", "ANSWERED", "DELETED", "DRAFT", "FLAGGED", "NEW", "OLD", "RECENT", "SEEN"),
            *("UNANSWERED", "UNDELETED", "UNDRAFT", "UNFLAGGED", "UNSEEN", "SAVEDATESUPPORTED"),
        ),
        _nothing,
    ),
    **dict.fromkeys(("BCC", "BODY", "CC", "FROM", "SUBJECT", "TEXT", "TO"), _text),
    **dict.fromkeys(("EMAILID", "THREADID"), _text),
    **dict.fromkeys(("BEFORE", "ON", "SINCE", "SENTBEFORE", "SENTON", "SENTSINCE"), _date),
    **dict.fromkeys(("SAVEDBEFORE", "SAVEDON", "SAVEDSINCE"), _date),
    **dict.fromkeys(("KEYWORD", "UNKEYWORD"), _flag),
    **dict.fromkeys(("LARGER", "SMALLER", "OLDER", "YOUNGER"), _number),
    "HEADER": _field,
    "MODSEQ": _modseq,
    "NOT": _key,
    "FUZZY": _key,
    "OR": _two,
    "UID": _set,
}
"""By name: reads what follows it. Others are sets of messages, or not known."""
