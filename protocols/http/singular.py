"""
Singular: headers that a message says once (RFC 9110, section 5.3).

Some readers take the first one, some the last. What the policy allowed by one of
them must not be used by the other.
"""

from __future__ import annotations

from collections.abc import Callable

from protocols.http.malformed import Malformed
from protocols.http.message import Headers


def _media_type(value: str) -> str:
    """Without parameters: many servers repeat the type with a charset."""
    return value.partition(";")[0].strip(" \t").lower()


# Chrome refuses contradictory Location and Content-Disposition as well.
SINGULAR: dict[str, Callable[[str], str]] = {
    "content-type": _media_type,
    "content-disposition": str,
    "location": str,
}


def check_singular(headers: Headers) -> None:
    """@raise Malformed: one of these headers is there several times, and contradicts itself."""
    if not headers.repeated:
        return
    for name, meaning in SINGULAR.items():
        values = headers.every(name)
        for number, value in enumerate(values):
            if meaning(value) != meaning(values[0]):
                reason = f"several {name} headers, which contradict each other"
                raise Malformed(reason, headers.place(name, number))
