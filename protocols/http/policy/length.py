"""Length: how long a body is going to be, as far as its head says."""

from __future__ import annotations

from math import inf

from protocols.http.message import Request, Response
from protocols.http.status import NO_CONTENT, NOT_MODIFIED, SWITCHING_PROTOCOLS


def length(message: Request | Response) -> float:
    """In bytes; infinite if nobody says."""
    said = message.headers.get("content-length")
    if said is not None and said.isdecimal():
        return int(said)
    if isinstance(message, Request):
        return inf if "transfer-encoding" in message.headers else 0
    return (
        0
        if message.status in (NO_CONTENT, NOT_MODIFIED) or message.request.method == "HEAD"
        else inf
    )


def is_empty(message: Request | Response) -> bool:
    """Whether there is certainly no body."""
    if isinstance(message, Request):
        return length(message) == 0
    return (
        message.status in (SWITCHING_PROTOCOLS, NO_CONTENT, NOT_MODIFIED)
        or message.request.method == "HEAD"
        or message.headers.first.get("content-length") == "0"
    )
