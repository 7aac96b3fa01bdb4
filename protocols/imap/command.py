"""
Commands: which there are, and what each may look like.

RFC 9051 and 3501, and what was added: 2087 and 9208 (quotas), 2971 (ID), 4314 (ACL), 4315
(UIDPLUS), 5161 (ENABLE), 5256 (SORT, THREAD), 5258 (LIST), 5464 (METADATA), 6154 (SPECIAL-USE),
6851 (MOVE), 7162 (CONDSTORE, QRESYNC), 8437 and others as far as their capabilities are known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from attrs import define, field, frozen

from protocols.imap import shape
from protocols.imap.arguments import Arguments, Mailbox
from protocols.imap.fetch import Fetch
from protocols.imap.refusal import Refusal
from protocols.imap.state import ALWAYS, BEFORE, INSIDE, SELECTED, State
from protocols.imap.value import Value

_LINE = re.compile(rb"([!#$&',-\[\]-z|}~.]+) +([A-Za-z]{2,20})((?: .*)?)", re.DOTALL)
_UID = frozenset({"FETCH", "STORE", "COPY", "MOVE", "SEARCH", "SORT", "THREAD", "EXPUNGE"})


@frozen
class Kind:
    """
    One kind of command.

    @ivar shape: reads its arguments.
    @ivar states: when it may come.
    @ivar changes: it changes the mailbox that is selected.
    @ivar secret: whether its arguments must not be written down.
    """

    shape: Callable[[Arguments], object]
    states: frozenset[State] = INSIDE
    changes: bool = False
    secret: bool = False


COMMANDS: Mapping[str, Kind] = {
    "CAPABILITY": Kind(shape.nothing, ALWAYS),
    "NOOP": Kind(shape.nothing, ALWAYS),
    "LOGOUT": Kind(shape.nothing, ALWAYS),
    "ID": Kind(shape.identity, ALWAYS),
    # Who
    "STARTTLS": Kind(shape.nothing, BEFORE),
    "LOGIN": Kind(shape.login, BEFORE, secret=True),
    "AUTHENTICATE": Kind(shape.authenticate, BEFORE, secret=True),
    # Mailboxes
    "ENABLE": Kind(shape.words),
    "SELECT": Kind(shape.select),
    "EXAMINE": Kind(shape.select),
    "CREATE": Kind(shape.create),
    "DELETE": Kind(shape.written),
    "RENAME": Kind(shape.rename),
    "SUBSCRIBE": Kind(shape.seen),
    "UNSUBSCRIBE": Kind(shape.seen),
    "LIST": Kind(shape.listed),
    "LSUB": Kind(shape.subscribed),
    "NAMESPACE": Kind(shape.nothing),
    "STATUS": Kind(shape.status),
    "APPEND": Kind(shape.append),
    "IDLE": Kind(shape.nothing),
    "GETQUOTA": Kind(shape.root),
    "GETQUOTAROOT": Kind(shape.seen),
    "SETQUOTA": Kind(shape.quota),
    "GETACL": Kind(shape.seen),
    "MYRIGHTS": Kind(shape.seen),
    "LISTRIGHTS": Kind(shape.seen_by),
    "SETACL": Kind(shape.granted),
    "DELETEACL": Kind(shape.revoked),
    "GETMETADATA": Kind(shape.metadata),
    "SETMETADATA": Kind(shape.set_metadata),
    # Messages
    "CHECK": Kind(shape.nothing, SELECTED),
    "CLOSE": Kind(shape.nothing, SELECTED),
    "UNSELECT": Kind(shape.nothing, SELECTED),
    "EXPUNGE": Kind(shape.nothing, SELECTED, changes=True),
    "SEARCH": Kind(shape.search, SELECTED),
    "SORT": Kind(shape.sort, SELECTED),
    "THREAD": Kind(shape.thread, SELECTED),
    "FETCH": Kind(shape.fetch, SELECTED),
    "STORE": Kind(shape.store, SELECTED, changes=True),
    "COPY": Kind(shape.copy, SELECTED),
    "MOVE": Kind(shape.copy, SELECTED, changes=True),
    **{
        f"UID {name}": Kind(uid, SELECTED, name in ("EXPUNGE", "STORE", "MOVE"))
        for name, uid in (
            ("EXPUNGE", shape.messages),
            ("SEARCH", shape.search),
            ("SORT", shape.sort),
            ("THREAD", shape.thread),
            ("FETCH", shape.fetch),
            ("STORE", shape.store),
            ("COPY", shape.copy),
            ("MOVE", shape.copy),
        )
    },
}
"""Commands that are understood."""

NOT_HERE: Mapping[str, str] = {
    "COMPRESS": "what is compressed can't be inspected",
    "NOTIFY": "there would be answers that nobody asked for",
    **dict.fromkeys(("URLFETCH", "GENURLAUTH", "RESETKEY"), "messages would come unexamined"),
    "REPLACE": "it is not understood",
    "UNAUTHENTICATE": "whoever has logged in stays who it is",
    "XLIST": "LIST does the same",
}
"""Commands that are refused, and why."""


@define
class Command:
    """
    What a client says.

    @ivar name: in capitals, with C{UID} before it.
    @ivar values: its arguments.
    @ivar mailboxes: those that it is about.
    @ivar fetch: what it fetches.
    @ivar user: who logs in by it, as far as that is known.
    """

    tag: bytes
    name: str
    values: list[Value] = field(factory=list)
    mailboxes: list[Mailbox] = field(factory=list)
    fetch: Fetch | None = None
    user: str = ""

    @property
    def kind(self) -> Kind | None:
        """What is known of it; C{None} for what is none of IMAP's."""
        return COMMANDS.get(self.name)

    @property
    def plainly(self) -> str:
        """Its name without C{UID}."""
        return self.name.removeprefix("UID ")

    def read(self, utf8: bool) -> None:
        """
        See that its arguments are what they should be.

        @raise Refusal: they are not.
        """
        kind = self.kind
        if kind is None:
            raise Refusal("Unknown command", status="BAD")
        arguments = Arguments(self.values, utf8)
        found = kind.shape(arguments)
        if isinstance(found, Fetch):
            self.fetch = found
        arguments.end()
        self.mailboxes = arguments.mailboxes


def begun(line: bytes) -> tuple[Command, bytes] | None:
    """
    Read how a command begins: what is known of it, and the rest of the text. C{None} if it is none.
    """
    found = _LINE.fullmatch(line)
    if found is None:
        return None
    tag, name, rest = found[1], found[2].decode("ascii").upper(), found[3]
    if name == "UID":
        after = re.match(rb" +([A-Za-z]{2,20})(?= |\Z)", rest)
        if after is None or after[1].decode("ascii").upper() not in _UID:
            return Command(tag, name), rest
        name, rest = f"UID {after[1].decode('ascii').upper()}", rest[after.end() :]
    return Command(tag, name), rest
