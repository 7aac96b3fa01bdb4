"""
Names of domains: as they stand in messages, and as operators read them.

Here a name is its labels, each with its length before it, and the empty one at the
end: as RFC 1035, section 3.1, has it, without pointers. As no length is that of a
letter, C{bytes.lower} makes two names equal that DNS takes for the same.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import lru_cache

from protocols.dns.refusal import Refusal

LONGEST = 255
"""Bytes of a name (RFC 1035, section 2.3.4)."""

ROOT = b"\0"

REMEMBERED = 1024
"""Names whose text is: most are asked for, and stand in answers, several times within a second."""

_LONGEST_LABEL = 63
_POINTER = 0xC0
_OFFSET = 0x3FFF

_PLAIN = re.compile(rb"[a-zA-Z0-9_.-]*")

_ESCAPED = re.compile(rb"[^!-~]|[.\\\"();@$]")


class Names:
    """
    The names of one message that were read so far: a pointer has to lead to one of them.

    That is what a pointer is for (RFC 1035, section 4.1.4: "a prior occurance of the same name").
    It can't lead forward, in a circle, into a header or into anything that was no name.
    """

    __slots__ = ("_begins", "_ends", "_found")

    def __init__(self) -> None:
        self._begins: list[int] = []
        self._ends: list[int] = []  # of their labels: a pointer, or the empty one
        self._found: dict[int, bytes] = {}

    def read(self, data: bytes, at: int) -> tuple[bytes, int]:
        """
        The name at C{at}, and where it ends.

        @raise Refusal: there is none.
        @raise IndexError: the message ends before it does.
        """
        begin = at
        if data[at] >= _POINTER:  # all of it, as most owners' names in answers are
            whole = self._found.get((data[at] << 8 | data[at + 1]) & _OFFSET)
            if whole is not None:
                self._found[begin] = whole
                return whole, at + 2
        while length := data[at]:
            if length > _LONGEST_LABEL:
                if length < _POINTER:
                    raise Refusal(f"a label of the unknown kind {length >> 6:02b}")
                target = (length << 8 | data[at + 1]) & _OFFSET
                name = data[begin:at] + (self._found.get(target) or self._within(target))
                end, at = at, at + 2
                break
            at += 1 + length
        else:
            end, at = at, at + 1
            name = data[begin:at]
        if len(name) > LONGEST:
            raise Refusal(f"a name of {len(name)} bytes")
        self._found[begin] = name
        self._begins.append(begin)
        self._ends.append(end)
        return name, at

    def _within(self, target: int) -> bytes:
        """
        What begins in the middle of a name.

        @raise Refusal: nothing.
        """
        index = bisect_right(self._begins, target) - 1
        if index >= 0 and target < self._ends[index]:
            at, name = self._begins[index], self._found[self._begins[index]]
            rest = 0
            while at < target and name[rest]:
                step = 1 + name[rest]
                at += step
                rest += step
            if at == target:
                return name[rest:]
        raise Refusal(f"a compression pointer to {target}, where no name was")


def labels(name: bytes) -> list[bytes]:
    """The labels of a name, without the empty one."""
    at, found = 0, []
    while length := name[at]:
        found.append(name[at + 1 : at + 1 + length])
        at += 1 + length
    return found


@lru_cache(maxsize=REMEMBERED)
def text_of(name: bytes) -> str:
    """
    A name as the policy compares it: in small letters, without the dot at the end. The root is
    empty. What no host's name has is escaped (RFC 4343, section 2.1), a dot as C{"\\046"}: so no
    label looks like two.
    """
    found = labels(name.lower())
    return _plain(found) or ".".join(_text(label).replace("\\.", "\\046") for label in found)


@lru_cache(maxsize=REMEMBERED)
def shown(name: bytes) -> str:
    """A name as records have it: in its own letters. The root is C{"."}."""
    found = labels(name)
    return _plain(found) or ".".join(map(_text, found)) or "."


def _plain(found: list[bytes]) -> str:
    """The name of these labels if nothing in them has to be escaped; else nothing."""
    text = b".".join(found)
    if text.count(b".") == len(found) - 1 and _PLAIN.fullmatch(text):
        return text.decode("ascii")
    return ""


def _text(label: bytes) -> str:
    return _ESCAPED.sub(_escape, label).decode("ascii")


def _escape(found: re.Match[bytes]) -> bytes:
    octet = found[0]
    return b"\\" + octet if b" " < octet <= b"~" else b"\\%03d" % octet[0]


def is_below(name: bytes, domain: bytes) -> bool:
    """Whether C{name} is below C{domain}, both in small letters."""
    if len(name) <= len(domain) or not name.endswith(domain):
        return False
    at, beginning = 0, len(name) - len(domain)
    while at < beginning:
        at += 1 + name[at]
    return at == beginning


def put(out: bytearray, name: bytes, places: dict[bytes, int], compress: bool = True) -> None:
    """
    Write a name, its end as a pointer if that has been written before.

    @param places: where which names are; with what is written now afterwards.
    @param compress: the place may have a pointer (RFC 3597, section 4). If it may not, others may
        still lead there.
    """
    at = 0
    rest = name
    while length := name[at]:
        if at:
            rest = name[at:]
        place = places.get(rest)
        if place is not None and compress:
            out += (place | 0xC000).to_bytes(2, "big")
            return
        if place is None and len(out) <= _OFFSET:
            places[rest] = len(out)
        out += name[at : at + 1 + length]
        at += 1 + length
    out += ROOT
