"""Coding: what a body is compressed with (RFC 9110, section 8.4)."""

from __future__ import annotations

import re

from protocols.http.message import Headers

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
