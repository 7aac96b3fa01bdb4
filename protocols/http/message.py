"""
Messages: requests and responses, as they were understood, and how they are written.

All text is what was received, decoded as Latin-1: one character for each byte,
whatever its charset was meant to be (RFC 9110, section 5.5). Messages don't change: what
alters one makes a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import NamedTuple

from protocols.http.grammar import FIELD_VALUE, TOKEN

Field = tuple[str, str]
"""Name and value of a header, as received; no white space around the value."""

OURS = frozenset({"connection", "content-length", "trailer", "transfer-encoding", "upgrade"})
"""Names (in small letters) of what frames a message: nobody but the inspector sets or drops it."""


FRAMING = frozenset({"content-length", "transfer-encoding"})
"""Those of them that say where a message ends."""


class Headers:
    """
    Headers in their order and case, found by name in any case.

    @ivar fields: all of them.
    @ivar first: the first value of each name, by the name in small letters.
    @ivar repeated: whether any name is there more than once.
    """

    __slots__ = ("_lines", "_offset", "fields", "first", "repeated")

    def __init__(self, fields: Iterable[Field] = (), lines: str = "", offset: int = 0) -> None:
        """
        @param lines: they were read from these.
        @param offset: where in the message those begin.
        """
        self.fields = tuple(fields)
        self._lines = lines
        self._offset = offset
        # Backwards, so that the first one of each name is what stays.
        self.first = {name.lower(): value for name, value in self.fields[::-1]}
        self.repeated = len(self.first) != len(self.fields)

    def __iter__(self) -> Iterator[Field]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self.first

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self.fields == other.fields

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Headers({self.fields!r})"

    def get(self, name: str) -> str | None:
        """The value of the first one of this name; C{None} if there is none."""
        return self.first.get(name.lower())

    def every(self, name: str) -> list[str]:
        """The values of all of this name."""
        key = name.lower()
        first = self.first.get(key)
        if first is None:
            return []
        if not self.repeated:
            return [first]
        return [value for name, value in self.fields if name.lower() == key]

    def several(self, key: str) -> bool:
        """Whether there is more than one of this name (in small letters); if any is L{repeated}."""
        return len(self.every(key)) > 1

    def members(self, name: str) -> list[str]:
        """The members of a list that may be on several lines (RFC 9110, section 5.6.1)."""
        if name.lower() not in self.first:
            return []
        each = (member for value in self.every(name) for member in value.split(","))
        return [member for padded in each if (member := padded.strip(" \t"))]

    def place(self, name: str, number: int = 0) -> int | None:
        """
        Where in the message the header of this name begins.

        @param number: 0 for the first one of the name.
        @return: C{None} if it was not read from there.
        """
        key, at = name.lower(), self._offset
        for line in self._lines.split("\r\n"):
            if line.partition(":")[0].rstrip(" \t").lower() == key:
                if not number:
                    return at
                number -= 1
            at += len(line) + 2
        return None

    def without(self, *names: str) -> Headers:
        """
        All but those of these names.

        @raise ValueError: one of them frames the message.
        """
        dropped = {_free(name) for name in names}
        return self.only(lambda name: name.lower() not in dropped)

    def with_(self, name: str, value: str) -> Headers:
        """
        With this one in place of the first of its name (the others are dropped), or at the end.

        @raise ValueError: it can't be written, or frames the message.
        """
        _free(name)
        return self.replaced(name, value)

    def added(self, name: str, *values: str) -> Headers:
        """
        With one more of this name for each value.

        @raise ValueError: one can't be written, or frames the message.
        """
        _free(name)
        for value in values:
            _writable(name, value)
        return Headers((*self.fields, *((name, value) for value in values))) if values else self

    def renamed(self, name: str, to: str) -> Headers:
        """
        With all of one name called C{to}.

        @raise ValueError: C{to} is no name, or one of the two frames the message.
        """
        key = _free(name)
        _free(to)
        _writable(to, "")
        return Headers((to if n.lower() == key else n, v) for n, v in self.fields)

    def only(self, wanted: Callable[[str], bool]) -> Headers:
        """Those whose name C{wanted} is true of. For the inspector: it may drop framing."""
        return Headers((name, value) for name, value in self.fields if wanted(name))

    def replaced(self, name: str, value: str) -> Headers:
        """L{with_}, for the inspector: it may set what frames the message."""
        _writable(name, value)
        key, fields = name.lower(), []
        placed = False
        for old, kept in self.fields:
            if old.lower() != key:
                fields.append((old, kept))
            elif not placed:
                placed = True
                fields.append((old, value))
        return Headers(fields if placed else [*fields, (name, value)])

    def lines(self) -> str:
        """As they are written, the empty line not included."""
        return "".join([f"{name}: {value}\r\n" for name, value in self.fields])


def _free(name: str) -> str:
    key = name.lower()
    if key in OURS:
        raise ValueError(f"the header {name!r} frames messages and can't be set or dropped")
    return key


def _writable(name: str, value: str) -> None:
    if not TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a header")
    if not FIELD_VALUE.fullmatch(value):
        raise ValueError(f"{value!r} can't be the value of a header")


class Form(Enum):
    """Of a request target (RFC 9112, section 3.2)."""

    ORIGIN = "origin"
    """C{/path?query}"""
    ABSOLUTE = "absolute"
    """C{http://host/path?query}"""
    AUTHORITY = "authority"
    """C{host:port}, of CONNECT"""
    ASTERISK = "asterisk"
    """C{*}, of OPTIONS"""


class Target(NamedTuple):
    """
    What is asked for.

    @ivar text: all of it, as received.
    @ivar scheme: in small letters; empty if the target has none.
    @ivar host: in small letters, without brackets; empty if the target has none.
    @ivar port: C{None} if the target names none.
    @ivar path: as received; starts with "/" ("*" in asterisk form, empty in authority form).
    @ivar query: as received, without "?"; C{None} if there is no "?".
    """

    text: str
    form: Form
    path: str
    query: str | None = None
    scheme: str = ""
    host: str = ""
    port: int | None = None


class Request(NamedTuple):
    """
    What a client asks.

    @ivar method: as received; methods are case-sensitive.
    @ivar version: "1.0" or "1.1".
    @ivar host: whom it is for, by Host or an absolute target: in small letters, without
        port, brackets and final dot. Empty if an HTTP/1.0 client does not say.
    @ivar port: the one that it names; C{None} if it names none.
    """

    method: str
    target: Target
    version: str
    headers: Headers
    host: str = ""
    port: int | None = None

    @property
    def url(self) -> str:
        """For records: the target as received."""
        return self.target.text

    def head(self) -> bytes:
        """As it is sent, up to and with the empty line."""
        line = f"{self.method} {self.target.text} HTTP/{self.version}\r\n"
        return f"{line}{self.headers.lines()}\r\n".encode("latin-1")

    def with_headers(self, headers: Headers) -> Request:
        """The same with other headers."""
        if headers is self.headers:
            return self
        return Request(self.method, self.target, self.version, headers, self.host, self.port)


class Response(NamedTuple):
    """
    What a server answers.

    @ivar reason: the phrase after the status; may be empty.
    @ivar request: what it answers; as the client sent it, before the policy changed it.
    """

    version: str
    status: int
    reason: str
    headers: Headers
    request: Request

    def head(self) -> bytes:
        """As it is sent, up to and with the empty line."""
        line = f"HTTP/{self.version} {self.status:03d} {self.reason}\r\n"
        return f"{line}{self.headers.lines()}\r\n".encode("latin-1")

    def with_headers(self, headers: Headers) -> Response:
        """The same with other headers."""
        if headers is self.headers:
            return self
        return Response(self.version, self.status, self.reason, headers, self.request)
