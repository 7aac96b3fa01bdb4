"""How a client's TLS opens: its hello, read as it comes."""

from __future__ import annotations

from gateway.inspector import Reader
from gateway.interfaces import Denied
from protocols.tls.hello import ClientHello
from protocols.tls.records import Limits, progress


async def opening(read: Reader, limits: Limits) -> ClientHello:
    """
    The client's first message. It stays unread.

    @raise Denied: it is none.
    """
    wanted = 1
    while await read.more(than=wanted - 1):
        found = progress(read.peek(read.unread), limits)
        if found.body is not None:
            return ClientHello.parse(found.body)
        wanted = found.wanted
    raise Denied("the client ended before it had said what it wants")
