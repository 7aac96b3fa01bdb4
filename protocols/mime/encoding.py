"""Transfer encodings (RFC 2045, section 6), undone while a body passes."""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, a2b_qp, a2b_uu
from collections.abc import Callable, Mapping
from typing import Protocol

from attrs import frozen

WIDTH = 76
"""Characters of a line that is written anew (RFC 2045, section 6.8)."""

_BLANK = b" \t\r\n"
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
LONE = "quoted-printable with a = that begins nothing"
"""What is wrong with many a text."""

_LONE = re.compile(rb"=(?![0-9A-Fa-f]{2}|[ \t]*\r?\n|[ \t]*\Z)")
_OTHERS = bytes(set(range(256)) - set(_ALPHABET))


@frozen
class Undone:
    """
    Some lines of a body.

    @ivar came: as they came.
    @ivar said: what they say behind their encoding. What programs leave out, is left out.
    @ivar lines: so that every program reads that in them; as they came if there
        is nothing to be mended.
    """

    came: bytes
    said: bytes
    lines: bytes


NOTHING = Undone(b"", b"", b"")


class Decoder(Protocol):
    """
    Undoes an encoding.

    @ivar problem: why programs may disagree about what it says; empty if there is no reason.
    """

    problem: str

    def feed(self, lines: bytes) -> Undone:
        """Some whole lines."""

    def end(self) -> Undone:
        """That was all; what is still to come."""


class Plain:
    """7bit, 8bit, binary: nothing to undo."""

    problem = ""

    def feed(self, lines: bytes) -> Undone:
        """See L{Decoder}."""
        return Undone(lines, lines, lines)

    def end(self) -> Undone:
        """See L{Decoder}."""
        return NOTHING


class QuotedPrintable:
    """RFC 2045, section 6.7. Programs disagree about a "=" that begins nothing."""

    def __init__(self) -> None:
        self.problem = ""

    def feed(self, lines: bytes) -> Undone:
        """See L{Decoder}."""
        mended = _LONE.sub(b"=3D", lines)
        if len(mended) != len(lines):
            self.problem = LONE
        return Undone(lines, a2b_qp(mended), mended)

    def end(self) -> Undone:
        """See L{Decoder}."""
        return NOTHING


class Base64:
    """
    RFC 2045, section 6.8: what is not of its alphabet is left out, and its
    padding is the end. Programs disagree about both. Where it is written anew, a line
    with nothing of the alphabet is the end too: it begins the footer of a list.
    """

    def __init__(self) -> None:
        self.problem = ""
        self._rest = b""  # what is no whole group of four yet
        self._passed = 0  # how much of that has passed
        self._over = False
        self._line = b""  # of those that are written anew

    def feed(self, lines: bytes) -> Undone:
        """See L{Decoder}."""
        text = lines.translate(None, _BLANK)
        if not (self.problem or self._wrong(text)):
            return Undone(lines, self._taken(text), lines)
        undone = [self._feed_line(line) for line in lines.splitlines(keepends=True)]
        said = b"".join(each.said for each in undone)
        return Undone(lines, said, b"".join(each.lines for each in undone))

    def _feed_line(self, line: bytes) -> Undone:
        text = line.translate(None, _BLANK)
        self.problem = self.problem or self._wrong(text)
        if self.problem:
            return self._mended(line, text)
        return Undone(line, self._taken(text), line)

    def _wrong(self, text: bytes) -> str:
        """Why programs may read it differently."""
        if self._over:
            return "base64 that goes on behind its padding" * bool(text)
        clean = text.translate(None, _OTHERS)
        padding = clean.find(b"=")
        if len(clean) != len(text):
            return "base64 with other characters in it"
        if padding < 0:
            return ""
        if clean[padding:].strip(b"="):
            return "base64 that goes on behind its padding"
        whole = (len(self._rest) + len(clean)) % 4 == 0 and len(clean) - padding <= 2
        return "" if whole else "base64 with a wrong padding"

    def _taken(self, text: bytes) -> bytes:
        """What it says, if nothing is wrong with it."""
        clean = self._rest + text
        whole = len(clean) // 4 * 4
        self._rest = clean[whole:]
        self._passed = len(self._rest)
        self._over = self._over or text.endswith(b"=")
        return a2b_base64(clean[:whole])

    def _mended(self, line: bytes, text: bytes) -> Undone:
        if self._over:
            return Undone(line, b"", b"")
        alphabet = text.translate(None, _OTHERS)
        clean, padded = self._meant(alphabet)
        padded = padded or bool(text and not alphabet)
        whole = len(clean) // 4 * 4
        group, self._rest = clean[:whole], clean[whole:]
        if padded:
            self._over = True
            rest = self._rest if len(self._rest) > 1 else b""
            group, self._rest = group + _padded(rest), b""
        if group:
            self._line += group[self._passed :]
            self._passed = 0
        return Undone(line, a2b_base64(group), self._folded())

    def _meant(self, text: bytes) -> tuple[bytes, bool]:
        """All up to the padding, and whether that came. It can't come before it fits."""
        clean = self._rest
        *pieces, last = text.split(b"=")
        for piece in pieces:
            clean += piece
            if len(clean) % 4 > 1:
                return clean, True
        return clean + last, False

    def _folded(self) -> bytes:
        """Lines of the usual length; what is less waits, unless that is all."""
        most = len(self._line) if self._over else len(self._line) // WIDTH * WIDTH
        line, self._line = self._line[:most], self._line[most:]
        return b"".join(line[at : at + WIDTH] + b"\r\n" for at in range(0, most, WIDTH))

    def end(self) -> Undone:
        """See L{Decoder}."""
        group = b""
        if not self._over and len(self._rest) > 1:  # programs disagree about the last bytes
            self.problem = self.problem or "base64 that ends too early"
            group = _padded(self._rest)
            self._line += group[self._passed :]
        self._over = True
        return Undone(b"", a2b_base64(group), self._folded())


def _padded(rest: bytes) -> bytes:
    return rest + b"=" * (-len(rest) % 4)


class UU:
    """What uuencode(1) makes: not of MIME, and understood by many."""

    problem = ""

    def __init__(self) -> None:
        self._inside = False

    def feed(self, lines: bytes) -> Undone:
        """See L{Decoder}."""
        said = b"".join(self._line(line) for line in lines.split(b"\r\n"))
        return Undone(lines, said, lines)

    def end(self) -> Undone:
        """See L{Decoder}."""
        return NOTHING

    def _line(self, line: bytes) -> bytes:
        if not self._inside:
            self._inside = re.match(rb"begin [0-7]{3,4} ", line) is not None
            return b""
        if line.rstrip() == b"end":
            self._inside = False
            return b""
        return uu_line(line)


def uu_line(line: bytes) -> bytes:
    """What one line of uuencode's says; nothing if it is none."""
    try:
        return a2b_uu(line) if line else b""  # of nothing, it makes 32 zeros
    except Error:
        return b""


PLAIN = frozenset({"", "7bit", "8bit", "binary"})

DECODERS: Mapping[str, Callable[[], Decoder]] = {
    **dict.fromkeys(PLAIN, Plain),
    "quoted-printable": QuotedPrintable,
    "base64": Base64,
    **dict.fromkeys(("uuencode", "x-uuencode", "x-uue", "uue"), UU),
}
"""All that are understood."""
