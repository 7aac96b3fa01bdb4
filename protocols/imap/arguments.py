"""Arguments: what stands behind a command's name, read one after the other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from attrs import define, field, frozen

from protocols.imap.mailbox import decoded
from protocols.imap.refusal import bad
from protocols.imap.value import Atom, Group, String, Value

Need = Literal["see", "write"]
"""What a command does with a mailbox."""

_ASTRING = re.compile(rb"[!#-$&'+-\[\]-z|}~]+")
_PATTERN = re.compile(rb"[!#-'*-\[\]-z|}~]+")
_ATOM = re.compile(rb"[!#-$&'+-\[\]^-z|}~]+")
_FLAG = re.compile(rb"\\?[!#-$&'+-\[\]^-z|}~]+")
_ANY_FLAG = re.compile(rb"\\?[!#-'*-\[\]-z|}~]+")
_NUMBER = re.compile(rb"[0-9]{1,19}")
_ONE = rb"(?:[1-9][0-9]{0,9}|\*)"
_RANGE = _ONE + rb"(?::" + _ONE + rb")?"
_SET = re.compile(rb"\$|" + _RANGE + rb"(?:," + _RANGE + rb")*")


@frozen
class Mailbox:
    """
    A mailbox that a command is about.

    @ivar name: decoded.
    """

    name: str
    need: Need


@define
class Arguments:
    """
    Of one command.

    @param utf8: names of mailboxes are in UTF-8.
    @ivar mailboxes: those that were read.
    @raise Refusal: something else stands there, in all of these.
    """

    values: Sequence[Value]
    utf8: bool = False
    mailboxes: list[Mailbox] = field(factory=list)
    at: int = 0

    @property
    def more(self) -> bool:
        """Whether there is one more."""
        return self.at < len(self.values)

    def next(self) -> Value:
        """The next one, whatever it is."""
        if not self.more:
            raise bad("Arguments are missing")
        self.at += 1
        return self.values[self.at - 1]

    def end(self) -> None:
        """There is no more."""
        if self.more:
            raise bad("Too many arguments")

    def mailbox(self, need: Need = "see") -> bytes:
        """A mailbox, and what is to be done with it."""
        name = self.astring()
        self.mailboxes.append(Mailbox(self._decoded(name), need))
        return name

    def _decoded(self, name: bytes) -> str:
        try:
            return decoded(name, self.utf8)
        except ValueError as error:
            raise bad("That is no name of a mailbox", f"{name[:100]!r}: {error}") from None

    def astring(self) -> bytes:
        """A word, or a string."""
        value = self.next()
        if isinstance(value, Atom) and _ASTRING.fullmatch(value.text):
            return value.text
        return self._string(value)

    def _string(self, value: Value) -> bytes:
        if isinstance(value, String) and b"\0" not in value.data and not value.binary:
            return value.data
        raise bad("A string is expected here")

    def string(self) -> bytes:
        """A string."""
        return self._string(self.next())

    def pattern(self) -> None:
        """What mailboxes are looked for."""
        value = self.next()
        if not (isinstance(value, Atom) and _PATTERN.fullmatch(value.text)):
            self._string(value)

    def _matching(self, pattern: re.Pattern[bytes], what: str) -> str:
        value = self.next()
        if isinstance(value, Atom) and pattern.fullmatch(value.text):
            return value.word
        raise bad(f"{what} is expected here")

    def atom(self) -> str:
        """A word, in capitals."""
        return self._matching(_ATOM, "A word")

    def flag(self) -> str:
        """A flag, in capitals."""
        return self._matching(_FLAG, "A flag")

    def any_flag(self) -> str:
        """A flag, or what a server calls one."""
        return self._matching(_ANY_FLAG, "A flag")

    def number(self) -> int:
        """A number."""
        return int(self._matching(_NUMBER, "A number"))

    def set(self) -> str:
        """Messages, by their numbers."""
        return self._matching(_SET, "A set of messages")

    def group(self) -> Arguments:
        """What stands in parentheses."""
        value = self.next()
        if not isinstance(value, Group):
            raise bad("A list is expected here")
        return Arguments(value.items, self.utf8)

    def begins_group(self) -> bool:
        """Whether a group comes next."""
        return self.more and isinstance(self.values[self.at], Group)

    def says(self, *words: str) -> bool:
        """Whether one of these words comes next; then it is read."""
        value = self.values[self.at] if self.more else None
        said = isinstance(value, Atom) and value.word in words
        self.at += said
        return said
