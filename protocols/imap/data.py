"""
Data: what a server tells without a tag (RFC 9051, section 7), and what of it a client hears.

Some of it answers a command, and nothing else; so it is nobody's if there is no such command.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from attrs import frozen

from gateway.interfaces import Denied
from protocols.imap.arguments import Arguments
from protocols.imap.capability import named
from protocols.imap.command import Command
from protocols.imap.refusal import Refusal, bad
from protocols.imap.rights import Rights
from protocols.imap.shape import identity
from protocols.imap.value import Atom, Group, Malformed, String, Value, written

_KIND = re.compile(rb"([A-Za-z]{2,20})(?: +(.*))?", re.DOTALL)
_NUMBERED = re.compile(rb"([0-9]{1,10}) +([A-Za-z]{2,20})(?: +(.*))?", re.DOTALL)
_SELECTS = frozenset({"SELECT", "EXAMINE"})
_KEEP_NUMBERS = frozenset({"FETCH", "STORE", "SEARCH", "SORT", "THREAD"})
"""While these are answered, no message goes away, as the others' numbers would change."""

Told = Sequence[Value] | None
"""What a client hears; C{None}: nothing."""

Tell = Callable[[Rights, Arguments, "Command | None"], Told]


@frozen
class Datum:
    """
    One kind.

    @ivar tell: reads it.
    @ivar asked: the commands that it answers; empty: it may come at any time.
    @ivar selected: it is about the mailbox that is selected.
    """

    tell: Tell
    asked: frozenset[str] = frozenset()
    selected: bool = False


def kind_of(line: bytes) -> tuple[str, int | None, bytes]:
    """
    What a line tells: its kind, the number before that, the rest.

    @raise Denied: it is no data.
    """
    found = _NUMBERED.fullmatch(line)
    if found is not None:
        return found[2].decode("ascii").upper(), int(found[1]), found[3] or b""
    found = _KIND.fullmatch(line)
    if found is None:
        raise Denied("the server sent what is no answer")
    return found[1].decode("ascii").upper(), None, found[2] or b""


def check_asked(kind: str, number: int | None, rights: Rights, command: Command | None) -> Datum:
    """
    Whether a server may tell that now.

    @raise Denied: it may not.
    """
    datum = (DATA if number is None else NUMBERED).get(kind)
    if datum is None:
        raise Denied(f"the server sent {kind}, which is not understood")
    name = command.plainly if command is not None else ""
    if datum.asked and name not in datum.asked:
        raise Denied(f"the server sent {kind}, for which nobody had asked")
    if datum.selected and not (rights.standing.state.value == "selected" or name in _SELECTS):
        raise Denied(f"the server sent {kind}, and no mailbox is selected")
    if kind == "EXPUNGE" and (command is None or command.name in _KEEP_NUMBERS):
        raise Denied("the server sent EXPUNGE when it must not")
    if number == 0 and kind not in ("EXISTS", "RECENT"):
        raise Denied("the server sent something about message 0")
    return datum


def told(datum: Datum, values: Sequence[Value], rights: Rights, command: Command | None) -> Told:
    """
    What the client hears of it.

    @raise Denied: it is not of the grammar.
    """
    arguments = Arguments(values, rights.standing.utf8)
    try:
        heard = datum.tell(rights, arguments, command)
        arguments.end()
    except (Refusal, Malformed) as error:
        raise Denied(f"the server sent data that are none: {error}") from None
    return heard


def line(kind: str, number: int | None, values: Sequence[Value]) -> bytes:
    """As it is sent."""
    before = b"" if number is None else b"%d " % number
    behind = b" " + written(values) if values else b""
    return b"* %s%s%s\r\n" % (before, kind.encode("ascii"), behind)


# By kind


def _nothing(rights: Rights, arguments: Arguments, _: Command | None) -> Told:
    return arguments.values


def _capability(rights: Rights, arguments: Arguments, _: Command | None) -> Told:
    words = []
    while arguments.more:
        value = arguments.next()
        if not isinstance(value, Atom):
            raise bad("a capability that is none")
        words.append(value.text)
    rights.standing.server = frozenset(named(words))
    return [Atom(word) for word in rights.filter.shown(words).split()]


def _enabled(rights: Rights, arguments: Arguments, _: Command | None) -> Told:
    while arguments.more:
        if arguments.atom() in ("UTF8=ACCEPT", "IMAP4REV2"):
            rights.standing.utf8 = True
    return arguments.values


def _listed(rights: Rights, arguments: Arguments, _: Command | None) -> Told:
    _flags_in(arguments.group())
    if not arguments.says("NIL") and len(arguments.string()) > 1:
        raise bad("a separator of several characters")
    name = arguments.astring()
    kept = list(arguments.values[:3])
    if arguments.more:
        kept += _extended(rights, arguments.group())
    return kept if rights.shows(name) else None


def _extended(rights: Rights, group: Arguments) -> list[Value]:
    """More about a mailbox (RFC 5258), but for the name that it had, if that is none to be told."""
    kept: list[Value] = []
    while group.more:
        at = group.at
        word = group.astring().upper()
        value = group.next()
        old = value.items if isinstance(value, Group) else [value]
        if word != b"OLDNAME" or rights.shows(Arguments(old).astring()):
            kept += group.values[at : group.at]
    return [Group(kept)]


def _flags_in(group: Arguments) -> None:
    while group.more:
        group.any_flag()


def _flags(rights: Rights, arguments: Arguments, _: Command | None) -> Told:
    _flags_in(arguments.group())
    return arguments.values


def _status(rights: Rights, arguments: Arguments, _: Command | None) -> Told:
    name = arguments.astring()
    group = arguments.group()
    while group.more:
        group.atom()
        value = group.next()
        if isinstance(value, String):
            raise bad("a status that is none")
    return arguments.values if rights.shows(name) else None


def _numbers(rights: Rights, arguments: Arguments, _: Command | None) -> Told:
    while arguments.more and not arguments.begins_group():
        arguments.number()
    if arguments.more:
        _modseq(arguments.group())
    return arguments.values


def _modseq(group: Arguments) -> None:
    if not group.says("MODSEQ"):
        raise bad("more than numbers in a result")
    group.number()
    group.end()


def _no_threads(rights: Rights, arguments: Arguments, _: Command | None) -> Told:
    """What has some is looked at as text: L{protocols.imap.result}."""
    arguments.end()
    return ()


def _esearch(rights: Rights, arguments: Arguments, command: Command | None) -> Told:
    if arguments.begins_group():
        group = arguments.group()
        tagged = group.says("TAG") and command is not None and group.string() == command.tag
        if not tagged:
            raise bad("the result of a search that nobody has asked for")
        group.end()
    arguments.says("UID")
    while arguments.more:
        name = arguments.atom()
        if name == "ALL":
            arguments.set()
        elif name in ("MIN", "MAX", "COUNT", "MODSEQ"):
            arguments.number()
        else:
            raise bad(f"a result {name!r} of a search")
    return arguments.values


def _namespaces(rights: Rights, arguments: Arguments, _: Command | None) -> Told:
    for _each in range(3):
        if arguments.says("NIL"):
            continue
        spaces = arguments.group()
        while spaces.more:
            space = spaces.group()
            space.string()
            if not space.says("NIL"):
                space.string()
            while space.more:
                space.string()
                _strings(space.group())
    return arguments.values


def _strings(group: Arguments) -> None:
    while group.more:
        group.string()


def _identity(rights: Rights, arguments: Arguments, _: Command | None) -> Told:
    identity(arguments)
    return arguments.values


def _vanished(rights: Rights, arguments: Arguments, command: Command | None) -> Told:
    earlier = False
    if arguments.begins_group():
        group = arguments.group()
        earlier = group.says("EARLIER")
        group.end()
    arguments.set()
    if not earlier and (command is None or command.name in _KEEP_NUMBERS):
        raise bad("VANISHED when it must not come")
    return arguments.values


def _quota(rights: Rights, arguments: Arguments, _: Command | None) -> Told:
    arguments.astring()
    group = arguments.group()
    while group.more:
        group.atom()
        group.number()
        group.number()
    return arguments.values


def _of_mailbox(rights: Rights, arguments: Arguments, _: Command | None) -> Told:
    name = arguments.astring()
    while arguments.more:
        arguments.astring()
    return arguments.values if rights.shows(name) else None


def _metadata(rights: Rights, arguments: Arguments, _: Command | None) -> Told:
    name = arguments.astring()
    entries = arguments.group() if arguments.begins_group() else arguments
    while entries.more:
        entries.next()
    return arguments.values if not name or rights.shows(name) else None


DATA: Mapping[str, Datum] = {
    "CAPABILITY": Datum(_capability),
    "ENABLED": Datum(_enabled, frozenset({"ENABLE"})),
    "FLAGS": Datum(_flags, selected=True),
    "VANISHED": Datum(_vanished, selected=True),
    "LIST": Datum(_listed, frozenset({"LIST", "CREATE", "RENAME", *_SELECTS})),
    "LSUB": Datum(_listed, frozenset({"LSUB"})),
    "STATUS": Datum(_status, frozenset({"STATUS", "LIST"})),
    "NAMESPACE": Datum(_namespaces, frozenset({"NAMESPACE"})),
    "ID": Datum(_identity, frozenset({"ID"})),
    "SEARCH": Datum(_numbers, frozenset({"SEARCH"}), selected=True),
    "ESEARCH": Datum(_esearch, frozenset({"SEARCH", "SORT", "THREAD"}), selected=True),
    "SORT": Datum(_numbers, frozenset({"SORT"}), selected=True),
    "THREAD": Datum(_no_threads, frozenset({"THREAD"}), selected=True),
    "QUOTA": Datum(_quota, frozenset({"GETQUOTA", "GETQUOTAROOT", "SETQUOTA"})),
    "QUOTAROOT": Datum(_of_mailbox, frozenset({"GETQUOTAROOT"})),
    "ACL": Datum(_of_mailbox, frozenset({"GETACL"})),
    "LISTRIGHTS": Datum(_of_mailbox, frozenset({"LISTRIGHTS"})),
    "MYRIGHTS": Datum(_of_mailbox, frozenset({"MYRIGHTS", "LIST"})),
    "METADATA": Datum(_metadata, frozenset({"GETMETADATA"})),
}
"""Without a number."""

NUMBERED: Mapping[str, Datum] = {
    "EXISTS": Datum(_nothing, selected=True),
    "RECENT": Datum(_nothing, selected=True),
    "EXPUNGE": Datum(_nothing, selected=True),
    "FETCH": Datum(_nothing, selected=True),
}
"""With one."""
