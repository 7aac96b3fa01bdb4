"""
Values: what commands and answers are made of (RFC 9051, section 4).

A sentence is text, with literals between. It is read into values, and written from them:
what has no place in the grammar has none in what is sent on.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence

from attrs import define, field, frozen

QUOTED = rb'"(?:[^"\\\x00\r\n]|\\["\\])*"'

_TOKEN = re.compile(
    rb"(?P<gap> +)|(?P<begin>\()|(?P<end>\))|(?P<quoted>" + QUOTED + rb")"
    rb"|(?P<atom>(?:BODY(?:\.PEEK)?|BINARY(?:\.PEEK|\.SIZE)?)"
    rb"\[(?:[^\]\"\x00-\x1f\x7f-\xff]|" + QUOTED + rb")*\](?:<[0-9.]+>)?"
    rb"|(?!(?:BODY|BINARY)[.A-Z]*\[)\\?[!#-'*-\[\]-z|}~]+)",
    re.IGNORECASE,
)
_ESCAPED = re.compile(rb"\\(.)")
_SPECIAL = re.compile(rb'["\\]')
_PLAIN = re.compile(rb"[ -~]{0,1000}")
_MARK = re.compile(rb"(?:\A|(?<=[ (]))(~?)\{([0-9]{1,19})(\+?)\}\Z")


WORDS = 1000
"""That are read before others have their turn."""

GiveWay = Callable[[], Awaitable[None]]


class Malformed(Exception):
    """What is not of the grammar."""


@frozen
class Atom:
    """A word, a number, a flag, a set of messages, C{NIL}, an item with its section."""

    text: bytes

    @property
    def word(self) -> str:
        """In capitals."""
        return self.text.decode("ascii", "replace").upper()


@frozen
class String:
    """
    A string.

    @ivar literal: it came as a literal.
    @ivar binary: as one that may have NULs (RFC 3516).
    """

    data: bytes
    literal: bool = False
    binary: bool = False

    def quoted(self) -> bytes:
        """In quotes, whether that can be done or not."""
        return b'"' + _SPECIAL.sub(rb"\\\g<0>", self.data) + b'"'

    def mark(self, plus: bytes = b"") -> bytes:
        """What a literal begins with, without its line end."""
        return b"%s{%d%s}" % (b"~" * self.binary, len(self.data), plus)


@define
class Group:
    """
    Values in parentheses.

    @ivar glued: it follows another one without a blank.
    """

    items: list[Value]
    glued: bool = False


Value = Atom | String | Group


@frozen
class Mark:
    """
    What stands at the end of a line that goes on with a literal.

    @ivar plus: it comes at once, and waits for nobody's word (RFC 7888).
    """

    size: int
    plus: bool = False
    binary: bool = False

    def written(self, plus: bool = False) -> bytes:
        """As it is sent."""
        return b"%s{%d%s}\r\n" % (b"~" * self.binary, self.size, b"+" * plus)


def marked(line: bytes) -> tuple[bytes, Mark | None]:
    """A line's text, and the literal that follows it."""
    found = _MARK.search(line)
    if found is None:
        return line, None
    return line[: found.start()], Mark(int(found[2]), bool(found[3]), bool(found[1]))


@define
class Sentence:
    """
    Values, while they come.

    @param depth: of groups in each other.
    @param most: how many values there may be: each costs many times what it takes to be said.
    @ivar open: the values of the groups that have not ended, the outermost first.
    """

    depth: int
    most: int
    open: list[list[Value]] = field(factory=lambda: [[]])
    _apart: bool = True  # a value may follow
    _values: int = 0

    async def text(self, text: bytes, give_way: GiveWay) -> None:
        """
        Some text: whole words.

        @param give_way: there are many: others have their turn.
        @raise Malformed: it is not of the grammar.
        """
        at = 0
        while (at := self.words(text, at)) < len(text):
            await give_way()

    def words(self, text: bytes, at: int = 0, most: int = WORDS) -> int:
        """
        Some words of a text.

        @return: where the next one begins.
        @raise Malformed: they are not of the grammar.
        """
        for _ in range(most):
            if at == len(text):
                break
            found = _TOKEN.match(text, at)
            if found is None:
                raise Malformed(f"{text[at : at + 40]!r} is no value")
            at = found.end()
            _TAKEN[str(found.lastgroup)](self, found[0])
        return at

    def literal(self, data: bytes, mark: Mark) -> None:
        """The literal that was announced."""
        self._put(String(data, True, mark.binary))

    def end(self) -> list[Value]:
        """
        That was all.

        @raise Malformed: a group has no end.
        """
        if len(self.open) > 1:
            raise Malformed("a group without an end")
        return self.open[0]

    def _put(self, value: Value) -> None:
        if not self._apart:
            raise Malformed("two values with no blank between them")
        self._count()
        self.open[-1].append(value)
        self._apart = False

    def _count(self) -> None:
        self._values += 1
        if self._values > self.most:
            raise Malformed(f"more than {self.most} values")

    def _gap(self, _: bytes) -> None:
        self._apart = True

    def _quoted(self, text: bytes) -> None:
        self._put(String(_ESCAPED.sub(rb"\1", text[1:-1])))

    def _atom(self, text: bytes) -> None:
        self._put(Atom(text))

    def _begin(self, _: bytes) -> None:
        here = self.open[-1]
        if not (self._apart or (here and isinstance(here[-1], Group))):
            raise Malformed("a group with no blank before it")
        if len(self.open) > self.depth:
            raise Malformed(f"more than {self.depth} groups in each other")
        self._count()
        group = Group([], not self._apart)
        here.append(group)
        self.open.append(group.items)
        self._apart = True

    def _end(self, _: bytes) -> None:
        if len(self.open) == 1:
            raise Malformed("a group without a beginning")
        self.open.pop()
        self._apart = False


_TAKEN = {
    "gap": Sentence._gap,
    "begin": Sentence._begin,
    "end": Sentence._end,
    "quoted": Sentence._quoted,
    "atom": Sentence._atom,
}


# Writing


def pieces(values: Sequence[Value]) -> list[bytes | String]:
    """Values as they are sent: text, and literals, which need their marks."""
    out: list[bytes | String] = []
    for piece in _walked(values):
        if isinstance(piece, bytes) and out and isinstance(out[-1], bytes):
            out[-1] += piece
        else:
            out.append(piece)
    return out


def written(values: Sequence[Value]) -> bytes:
    """Values as a server sends them."""
    return b"".join(
        each if isinstance(each, bytes) else each.mark() + b"\r\n" + each.data
        for each in pieces(values)
    )


def _walked(values: Sequence[Value]) -> Iterable[bytes | String]:
    for at, value in enumerate(values):
        if at and not (isinstance(value, Group) and value.glued):
            yield b" "
        if isinstance(value, Atom):
            yield value.text
        elif isinstance(value, String):
            yield value if value.literal else value.quoted()
        else:
            yield b"("
            yield from _walked(value.items)
            yield b")"


def plainer(values: Sequence[Value]) -> list[Value]:
    """The same, with no literal where quotes will do: that nobody needs to be asked for."""
    return [_plainer(value) for value in values]


def _plainer(value: Value) -> Value:
    if isinstance(value, Group):
        return Group(plainer(value.items), value.glued)
    if isinstance(value, String) and not value.binary and _PLAIN.fullmatch(value.data):
        return String(value.data)
    return value
