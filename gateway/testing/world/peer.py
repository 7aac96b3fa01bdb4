"""A Peer is the far end of a simulated connection: a client, or a server."""

from __future__ import annotations

import errno

from gateway.interfaces import Address
from gateway.testing.world.link import Link


class Peer:
    """
    Somebody who talks with the gateway.

    It takes at once what is sent to it, and does not say so before it is asked, unless C{slow}
    is called.

    @ivar address: its own address, as the gateway sees it.
    @ivar to: the address that it believes to talk to.
    """

    def __init__(self, link: Link, address: Address, to: Address) -> None:
        self._link = link
        self._heard = bytearray()
        self.address = address
        self.to = to

    # What it does

    def says(self, data: bytes) -> None:
        """Send."""
        link = self._link
        if link.to_gateway.abandoned:
            link.reset = True
        if not link.reset:
            assert not link.to_gateway.ended, "who has said the end says nothing more"
            link.to_gateway.waiting += data

    def ends(self) -> None:
        """Half-close."""
        self._link.to_gateway.ended = True

    def closes(self) -> None:
        """Close in an orderly way: what comes now is answered with a reset."""
        self.ends()
        self.takes()
        self._link.to_peer.abandoned = True

    def resets(self) -> None:
        """Reset the connection. What it has said before can still be read."""
        if not self._link.reset:
            ended = self._link.to_gateway.ended
            self._link.break_off(errno.EPIPE if ended else errno.ECONNRESET)

    def fails(self, code: int) -> None:
        """The connection breaks by itself, such as C{ETIMEDOUT}."""
        if not self._link.reset:
            self._link.break_off(code)

    def slow(self, room: int) -> None:
        """From now on there is room for so many bytes that L{takes} has not taken."""
        self.takes()
        self._link.to_peer.room = room

    def takes(self, count: int | None = None) -> None:
        """Take so many bytes, or all that have come."""
        waiting = self._link.to_peer.waiting
        taken = waiting[:count]
        self._heard += taken
        del waiting[: len(taken)]

    # What it knows

    @property
    def heard(self) -> bytes:
        """All that has come, taken or not."""
        return bytes(self._heard + self._link.to_peer.waiting)

    @property
    def urged(self) -> bytes:
        """What of it was marked as urgent."""
        return bytes(self._link.to_peer.urgent)

    @property
    def heard_end(self) -> bool:
        """Whether the gateway has said that this is all."""
        return self._link.to_peer.ended and not self._link.reset

    @property
    def was_reset(self) -> bool:
        """Whether the connection broke, on either side."""
        return self._link.reset

    @property
    def has_ended(self) -> bool:
        """Whether it has said that this is all."""
        return self._link.to_gateway.ended
