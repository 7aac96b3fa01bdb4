"""Transfer encodings (RFC 2045, section 6), undone while a body passes."""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, a2b_qp, a2b_uu
from collections.abc import Callable, Mapping
from typing import Protocol

_BLANK = b" \t\r\n"
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_OTHERS = bytes(set(range(256)) - set(_ALPHABET))


class Decoder(Protocol):
    """
    Undoes an encoding.

    @ivar problem: why programs may disagree about what it says; empty if there is no reason.
    """

    problem: str

    def feed(self, lines: bytes) -> bytes:
        """What some whole lines say. What their programs leave out, is left out."""


class Plain:
    """7bit, 8bit, binary: nothing to undo."""

    problem = ""

    def feed(self, lines: bytes) -> bytes:
        """See L{Decoder}."""
        return lines


class QuotedPrintable:
    """RFC 2045, section 6.7."""

    problem = ""

    def feed(self, lines: bytes) -> bytes:
        """See L{Decoder}."""
        return a2b_qp(lines)


class Base64:
    """
    RFC 2045, section 6.8. Programs disagree about what is not of its alphabet,
    and about what follows its padding.
    """

    def __init__(self) -> None:
        self.problem = ""
        self._rest = b""
        self._padded = False

    def feed(self, lines: bytes) -> bytes:
        """See L{Decoder}."""
        text = lines.translate(None, _BLANK)
        clean = text.translate(None, _OTHERS)
        if len(clean) != len(text):
            self.problem = "base64 with other characters in it"
        padding = clean.find(b"=")
        if clean and (self._padded or padding >= 0):
            if clean[padding if not self._padded and padding >= 0 else 0 :].strip(b"="):
                self.problem = "base64 that goes on behind its padding"
            self._padded = True
        clean = self._rest + clean
        whole = len(clean) // 4 * 4
        self._rest = clean[whole:]
        try:
            return a2b_base64(clean[:whole])
        except Error:
            self.problem = "base64 with a wrong padding"
            return b""


class UU:
    """What uuencode(1) makes: not of MIME, and understood by many."""

    problem = ""

    def __init__(self) -> None:
        self._inside = False

    def feed(self, lines: bytes) -> bytes:
        """See L{Decoder}."""
        return b"".join(self._line(line) for line in lines.split(b"\r\n"))

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
