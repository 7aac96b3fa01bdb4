"""
Codings: what bodies are compressed with (RFC 9110, section 8.4), and which of that a server is
asked for, so that it can be looked into.
"""

from __future__ import annotations

import re

from protocols.http.message import Headers
from protocols.magic import DECODED

READABLE = ("gzip", "deflate")
"""What stands for "*"."""

# RFC 9110, section 12.5.3.
_ACCEPTED = re.compile(r"([^; \t]+)[ \t]*(;[ \t]*q=[01](?:\.[0-9]{0,3})?)?", re.IGNORECASE)
_NEVER = re.compile(r";[ \t]*q=0(?:\.0*)?", re.IGNORECASE)

# Words that are written there by mistake: "utf-8", "none", "binary", "text/html". Nothing that
# anybody could take for a coding, known or yet to come (IANA, HTTP Content Coding Registry).
_WORD = re.compile(r"[a-z0-9][a-z0-9._/-]*")
_HINTS = re.compile(r"aes|br|bz|compress|dcb|dcz|deflate|exi|lz|pack|sdch|snappy|xz|z(?:ip|lib|st)")


def coding_of(headers: Headers) -> str:
    """
    The codings of a body, in small letters; empty if there are none, or only words that are none:
    readers leave the body as it is then.
    """
    members = [member.lower() for member in headers.members("content-encoding")]
    return "" if all(map(_is_mistaken, members)) else ",".join(members)


def _is_mistaken(word: str) -> bool:
    return _WORD.fullmatch(word) is not None and _HINTS.search(word) is None


def readable(members: list[str]) -> str:
    """What a client accepts (the members of Accept-Encoding), as far as it can be looked into."""
    wanted = {
        found[1].lower(): found[2] or "" for found in map(_ACCEPTED.fullmatch, members) if found
    }
    rest = wanted.pop("*", None)
    if rest is not None:
        never = _NEVER.fullmatch(rest) is not None
        others = ("identity",) if never else READABLE
        wanted = {**wanted, **{name: rest for name in others if name not in wanted}}
    kept = [f"{name}{weight}" for name, weight in wanted.items() if _is_kept(name, weight)]
    return ", ".join(kept) or "identity"


def _is_kept(name: str, weight: str) -> bool:
    if name == "identity":
        return True
    return name in DECODED and _NEVER.fullmatch(weight) is None
