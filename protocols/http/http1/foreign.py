"""Foreign: who connects to speak something that is no HTTP, by the first byte."""

from __future__ import annotations

TLS = "\x16"
"""A handshake record (RFC 8446, section 5.1), which is how a client begins."""

ALERT = b"\x15\x03\x01\x00\x02\x02\x31"
"""Fatal: access_denied (RFC 8446, section 6.2), for clients of any version."""


def is_foreign(begin: str) -> bool:
    """Whether nobody begins so who could read a page, not even by mistake or by hand."""
    return begin[:1] < " " and begin[:1] not in ("", "\t", "\r", "\n")


def described(begin: str) -> str:
    """What it is, for the operator."""
    return "not HTTP, but TLS" if begin[0] == TLS else f"not HTTP: it begins with {begin[0]!r}"


def last_words(begin: str) -> bytes:
    """What is said to such a client before it is parted from; nothing if it could not read that."""
    return ALERT if begin[0] == TLS else b""
