"""
Parts: uploads that are said to be a piece of something that its server will put together.

Who uploads a file in pieces may cut it where nobody who sees the pieces knows it.
"""

from __future__ import annotations

import re

from protocols.http.message import Headers

_RANGE = re.compile(r"bytes[ \t]+([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})", re.IGNORECASE)

_PIECES = {
    "upload-offset": re.compile(""),
    "upload-complete": re.compile(r"\?0"),
    "upload-incomplete": re.compile(r"\?1"),
    "x-update-range": re.compile(""),
}
"""
Headers with a value that begins so say that a body is a piece: tus, what the IETF makes of it
(draft-ietf-httpbis-resumable-upload; its older drafts, the third), and WebDAV servers' own.
"""


def is_part(headers: Headers) -> bool:
    """Whether a request's body is a part of what is uploaded; also if nobody can tell."""
    said = headers.every("content-range")
    if said and not (len(said) == 1 and _is_whole(said[0])):
        return True
    return any(
        begin.match(value) for name, begin in _PIECES.items() for value in headers.every(name)
    )


def _is_whole(said: str) -> bool:
    """Whether a range is all of it (RFC 9110, section 14.4)."""
    found = _RANGE.fullmatch(said.strip(" \t"))
    if found is None:
        return False
    first, last, size = map(int, found.groups())
    return first == 0 and last + 1 == size
