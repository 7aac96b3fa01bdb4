"""
Media types: what a message says that its body is (RFC 9110, section 8.3).

Of C{text/plain, text/html} a browser takes the last one (WHATWG Fetch, "extract a MIME type"),
and other readers the first, or all of it for a name that they don't know. So a value is
exactly one type, or it is none; and what has none is refused where types matter.
"""

from __future__ import annotations

import re

from protocols.http.grammar import MEDIA_TYPE
from protocols.http.message import Headers
from protocols.http.policy.patterns import spellings

_NAMES = spellings("content-type")

# RFC 2046, section 5; what browsers save pages as; RFC 9112, section 10.2.
_CONTAINER = re.compile(r"multipart/.*|message/.*|application/(?:x-mimearchive|http)")


class NoType(Exception):
    """What a message says of its type is not one media type. The sentence is for the operator."""


def media_type(headers: Headers) -> str:
    """
    The media type, in small letters, without parameters; empty if nothing is said.

    @raise NoType: it is none, or there are several.
    """
    value = headers.first.get("content-type")
    if value and not headers.repeated and _NAMES[1] not in headers.first:  # nearly always
        return _read(value)
    values = [each for name in _NAMES for each in headers.every(name) if each]
    types = {_read(each) for each in values}
    if len(types) > 1:
        raise NoType(f"Content-Type says {' and '.join(sorted(types))}")
    return min(types, default="")


def _read(value: str) -> str:
    found = MEDIA_TYPE.fullmatch(value)
    if found is None:
        raise NoType(f"Content-Type says {value[:100]!r}, which is no media type")
    return found[1].lower()


def is_container(type: str) -> bool:
    """Whether bodies of a type have other bodies in them, each of a type of its own."""
    return _CONTAINER.fullmatch(type) is not None
