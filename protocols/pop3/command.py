"""
Commands: which there are, and what each may look like.

RFC 1939, and what was added: 2449 (CAPA), 2595 (STLS), 5034 (AUTH), 6856 (UTF8, LANG);
LAST is RFC 1460's.
"""

from __future__ import annotations

import re
from enum import Enum

from attrs import frozen

from gateway.interfaces import Denied

_LINE = re.compile(rb"([A-Za-z][A-Za-z0-9]{2,15})(?: (.*))?", re.DOTALL)
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class State(Enum):
    """Of a session (RFC 1939, section 3). The last one, UPDATE, has no commands."""

    AUTHORIZATION = "authorization"
    TRANSACTION = "transaction"

    __hash__ = object.__hash__


class Block(Enum):
    """What comes behind a positive answer, to a line with a dot."""

    LISTING = "listing"
    MESSAGE = "message"

    __hash__ = object.__hash__


@frozen
class Kind:
    """
    One kind of command.

    @ivar argument: what may stand behind it; C{None}: nothing may.
    @ivar optional: whether there may be no argument.
    @ivar states: when it may come.
    @ivar block: what its positive answer begins.
    @ivar alone: there is a block only if there is no argument.
    @ivar secret: whether the argument must not be written down.
    """

    argument: re.Pattern[bytes] | None = None
    optional: bool = False
    states: frozenset[State] = frozenset({State.TRANSACTION})
    block: Block | None = None
    alone: bool = False
    secret: bool = False

    def fits(self, argument: bytes | None) -> bool:
        """Whether this may be its argument."""
        if argument is None:
            return self.argument is None or self.optional
        return self.argument is not None and self.argument.fullmatch(argument) is not None


def _any(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern, re.DOTALL | re.IGNORECASE)


_BEFORE = frozenset({State.AUTHORIZATION})
_ALWAYS = frozenset(State)
_NUMBER = _any(rb"[1-9][0-9]{0,9}")

COMMANDS: dict[str, Kind] = {
    # Who
    "USER": Kind(_any(rb".+"), states=_BEFORE),
    "PASS": Kind(_any(rb".*"), states=_BEFORE, secret=True),
    "APOP": Kind(_any(rb"[^ ]+ [0-9a-f]{32}"), states=_BEFORE),
    "AUTH": Kind(
        _any(rb"[a-z0-9_-]{1,20}(?: (?:=|[a-z0-9+/]+={0,2}))?"),
        optional=True,
        states=_BEFORE,
        block=Block.LISTING,
        alone=True,
        secret=True,
    ),
    "STLS": Kind(states=_BEFORE),
    # What the two can do
    "CAPA": Kind(states=_ALWAYS, block=Block.LISTING),
    "UTF8": Kind(states=_BEFORE),
    "LANG": Kind(
        _any(rb"[a-z0-9*-]{1,40}"), optional=True, states=_ALWAYS, block=Block.LISTING, alone=True
    ),
    "NOOP": Kind(),
    "QUIT": Kind(states=_ALWAYS),
    # The mailbox
    "STAT": Kind(),
    "LAST": Kind(),
    "LIST": Kind(_NUMBER, optional=True, block=Block.LISTING, alone=True),
    "UIDL": Kind(_NUMBER, optional=True, block=Block.LISTING, alone=True),
    "RETR": Kind(_NUMBER, block=Block.MESSAGE),
    "TOP": Kind(_any(rb"[1-9][0-9]{0,9} [0-9]{1,10}"), block=Block.MESSAGE),
    "DELE": Kind(_NUMBER),
    "RSET": Kind(),
}
"""Commands that are understood."""


@frozen
class Command:
    """What a client says: a keyword in capitals, and what stands behind it."""

    keyword: str
    argument: bytes | None = None

    @property
    def kind(self) -> Kind | None:
        """What is known of it; C{None} for a keyword that is none of POP3's."""
        return COMMANDS.get(self.keyword)

    @property
    def block(self) -> Block | None:
        """What a positive answer to it begins."""
        kind = self.kind
        if kind is None or (kind.alone and self.argument is not None):
            return None
        return kind.block

    @property
    def words(self) -> list[bytes]:
        """Its arguments."""
        return [] if self.argument is None else self.argument.split(b" ")

    @property
    def told(self) -> list[bytes]:
        """Its arguments, as far as they may be written down: no password, nor its digest."""
        if self.kind is None or self.kind.secret:
            return []
        return self.words[:1] if self.keyword == "APOP" else self.words

    def line(self) -> bytes:
        """As it is sent."""
        behind = b"" if self.argument is None else b" " + self.argument
        return self.keyword.encode("ascii") + behind + b"\r\n"

    @classmethod
    def parse(cls, line: bytes) -> Command | None:
        """
        Read a line without its CRLF; C{None} if it is no command.

        @raise Denied: it has control characters.
        """
        if _CONTROL.search(line):
            raise Denied("the client sent a control character in a command")
        found = _LINE.fullmatch(line)
        if found is None:
            return None
        keyword, argument = found[1].decode("ascii").upper(), found[2]
        if argument is not None and keyword != "PASS":  # in which a blank counts
            argument = argument.strip(b" ") or None
        return cls(keyword, argument)
