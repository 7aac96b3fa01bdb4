"""A Link is one simulated connection: two streams of bytes, and how it broke if it did."""

from __future__ import annotations

from attrs import define, field

PLENTY = 1 << 62
"""Room for all that anybody sends."""


@define(eq=False)
class Stream:
    """
    What one end has sent and the other has not taken yet.

    @ivar room: bytes that there is room for, in all.
    @ivar ended: behind C{waiting} comes the end.
    @ivar abandoned: the receiver has closed its socket: what is sent now is answered with a reset.
    @ivar urgent: what was marked as urgent.
    """

    room: int = PLENTY
    waiting: bytearray = field(init=False, factory=bytearray)
    ended: bool = field(init=False, default=False)
    abandoned: bool = field(init=False, default=False)
    urgent: bytearray = field(init=False, factory=bytearray)

    @property
    def free(self) -> int:
        """How many bytes can be sent now."""
        return self.room - len(self.waiting)


@define(eq=False)
class Link:
    """
    One connection.

    @ivar reset: somebody has reset it: nothing more can be sent, in either direction.
    @ivar error: the errno that the gateway's end has not been told yet; 0 for none.
    """

    to_gateway: Stream = field(init=False, factory=Stream)
    to_peer: Stream = field(init=False, factory=Stream)
    reset: bool = field(init=False, default=False)
    error: int = field(init=False, default=0)

    def break_off(self, error: int) -> None:
        """A reset, or another end of everything, reaches the gateway."""
        self.reset = True
        self.error = error
        self.to_peer.waiting.clear()
