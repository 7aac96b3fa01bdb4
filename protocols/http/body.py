"""Body: the body of a message, as it comes."""

from __future__ import annotations

from typing import Protocol


class Body(Protocol):
    """
    One body, as it comes.

    @ivar before: what goes before the piece that was read last; at the end, after all of them.
    @ivar after: what goes after that piece.
    @ivar size: bytes of content so far.
    """

    before: bytes
    after: bytes
    size: int

    def at_once(self, most: int) -> bytes | None:
        """
        All that is left, framed, if it has come and is no more than so many bytes; it is read then.
        """

    @property
    def ready(self) -> bool:
        """Whether there is more of it, or its end, without waiting for that."""

    async def piece(self) -> bytes:
        """
        The next piece of the content; empty at the end.

        @raise Malformed: it breaks its framing, or a limit.
        """


class NoBody:
    """None at all."""

    __slots__ = ()
    before = after = b""
    size = 0
    ready = True

    def at_once(self, most: int) -> bytes | None:
        """See L{Body.at_once}."""
        return b""

    async def piece(self) -> bytes:
        """See L{Body.piece}."""
        return b""


NO_BODY = NoBody()
