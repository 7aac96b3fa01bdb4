"""
Extensions: what a server's answer to EHLO may still say behind the gateway.

A keyword that is not in the table announces something that the inspector can't
read, so the client does not hear of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping

from attrs import frozen

from protocols.smtp.grammar.reply import Reply

_KEYWORD = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:[ =]([!-~ ]*))?")


def _plain(value: str) -> bool:
    return not value


def _size(value: str) -> bool:
    return re.fullmatch(r"[0-9]{0,20}", value) is not None


def _words(value: str) -> bool:
    return True


EXTENSIONS: Mapping[str, Callable[[str], bool]] = {
    "8BITMIME": _plain,
    "AUTH": _words,
    "CHUNKING": _plain,
    "DSN": _plain,
    "ENHANCEDSTATUSCODES": _plain,
    "ETRN": _plain,
    "EXPN": _plain,
    "HELP": _plain,
    "PIPELINING": _plain,
    "SIZE": _size,
    "SMTPUTF8": _plain,
    "STARTTLS": _plain,
    "VRFY": _plain,
}
"""
All extensions that are understood, and what may follow their keywords: RFC 6152, 4954, 3030,
3461, 2034, 1985, 5321, 2920, 1870, 6531, 3207.
"""


@frozen
class Offer:
    """
    What is offered to a client.

    @ivar extensions: keyword to what follows it.
    """

    greeting: str
    extensions: Mapping[str, str]

    @classmethod
    def parse(cls, reply: Reply) -> Offer:
        """Read the answer to EHLO; what is not understood is left out."""
        found: dict[str, str] = {}
        for line in reply.lines[1:]:
            parsed = _KEYWORD.fullmatch(line.strip(" "))
            if parsed is None:
                continue
            keyword, value = parsed[1].upper(), (parsed[2] or "").strip(" ")
            if keyword not in EXTENSIONS or not EXTENSIONS[keyword](value):
                continue
            # Old servers say both "AUTH PLAIN" and "AUTH=LOGIN".
            both = keyword == "AUTH" and found.get(keyword)
            found[keyword] = f"{both} {value}" if both else value
        return cls(reply.lines[0], found)

    def only(self, allowed: Collection[str]) -> Offer:
        """Without those that are not allowed."""
        kept = {each: value for each, value in self.extensions.items() if each in allowed}
        return Offer(self.greeting, kept)

    def limited(self, size: int) -> Offer:
        """With a SIZE that is not more than C{size} bytes, if there is one at all."""
        theirs = self.extensions.get("SIZE")
        if theirs is None:
            return self
        # RFC 1870, section 4: zero, or nothing, is no limit.
        least = min(int(theirs or 0) or size, size)
        return Offer(self.greeting, {**self.extensions, "SIZE": str(least)})

    def mechanisms(self, allowed: Collection[str]) -> Offer:
        """With those mechanisms of AUTH that are allowed; without AUTH if none is left."""
        theirs = self.extensions.get("AUTH", "").upper().split()
        kept = " ".join(dict.fromkeys(each for each in theirs if each in allowed))
        rest = {each: value for each, value in self.extensions.items() if each != "AUTH"}
        return Offer(self.greeting, {**rest, "AUTH": kept} if kept else rest)

    def reply(self) -> Reply:
        """As a client gets it."""
        lines = (f"{each} {value}".rstrip(" ") for each, value in self.extensions.items())
        return Reply.of(250, self.greeting, *lines)
