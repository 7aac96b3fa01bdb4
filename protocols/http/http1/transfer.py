"""
Transfer: a message, head and body, on its way to the other side.

Small pieces leave together with what is before and after them, so that a
message that came at once also leaves at once. Large ones leave as they are, without a copy.
"""

from __future__ import annotations

from typing import NamedTuple

from protocols.http.body import Body
from protocols.http.stacked import Send

SMALL = 16384
"""Bytes. Copying so many costs less than a system call."""


async def transfer(held: bytes, body: Body, send: Send) -> None:
    """
    Send C{held} (the head), and then the body, framed anew, as it comes.

    @raise Malformed: by the body; what was sent is then incomplete.
    """
    while True:
        if held and (len(held) > SMALL or not body.ready):
            send(held)
            held = b""
        piece = await body.piece()
        if not piece:
            break
        if len(piece) <= SMALL:
            held += body.before + piece + body.after
        else:
            held = _send_large(held + body.before, piece, body.after, send)
    held += body.before
    if held:
        send(held)


def _send_large(before: bytes, piece: bytes, after: bytes, send: Send) -> bytes:
    """@return: what is still to be sent."""
    if before:
        send(before)
    send(piece)
    return after


class Beginning(NamedTuple):
    """How a body begins: the content, and the same as it is to be sent."""

    content: bytes
    framed: bytes


NOTHING = Beginning(b"", b"")


async def beginning(body: Body, count: int) -> Beginning:
    """Read at least C{count} bytes of content, or all if that is less."""
    content, framed = [], []
    read = 0
    while read < count:
        piece = await body.piece()
        framed.append(body.before + piece + body.after)
        if not piece:
            break
        content.append(piece)
        read += len(piece)
    return Beginning(b"".join(content), b"".join(framed))
