"""Doing: what the usher has the kernel do."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress

from gateway.interfaces import Address
from gateway.kernel import sockets
from gateway.kernel.conntrack import Tracking
from gateway.kernel.filter.through import door
from gateway.kernel.handshake.ends import stand_between, take_away
from gateway.kernel.handshake.half_open import Agreed
from gateway.kernel.handshake.old_sockets import OldSockets
from gateway.kernel.handshake.queues import Copies, Door, Waiting
from gateway.kernel.handshake.segment import Segment
from gateway.kernel.handshake.usher import Ends, Held
from gateway.policy.divert import Divert


class Doing:
    """
    See L{gateway.kernel.handshake.usher.Kernel}.

    @param copied: is told of each SYN and SYN-ACK that has passed.
    @param most: how many packets may wait in the kernel.
    @raise OSError: the queues can't be had.
    """

    def __init__(self, divert: Divert, most: int, copied: Callable[[bytes], object]) -> None:
        self._marks = divert.listener_mark.value, divert.upstream_mark.value
        self._copied = copied
        self._zone = divert.conntrack_zone
        self._tracking = Tracking()
        self._old = OldSockets()
        self._raw = {
            family: sockets.open_raw(family, divert.upstream_mark.value)
            for family in (socket.AF_INET, socket.AF_INET6)
        }
        self.copies = Copies(divert.port)
        self.waiting = Waiting(divert.port, most)
        self.door = Door(door(divert.port))

    def held(self) -> Iterator[Held]:
        """The packets that wait now, or some of them."""
        return self.waiting.read()

    def catch_up(self) -> None:
        """Tell of all SYNs and SYN-ACKs that have been copied by now."""
        for packet in self.copies.read():
            self._copied(packet)

    def let_go(self, number: int, mark: int | None = None) -> None:
        """The packet goes on, with another mark if one is given."""
        with suppress(OSError):  # it is gone
            self.waiting.let_go(number, mark)

    def drop(self, number: int) -> None:
        """The packet is no more."""
        with suppress(OSError):
            self.waiting.drop(number)

    def stand_in(self, agreed: Agreed) -> Ends:
        """
        Put sockets in the place of the two ends. In the zone of the client legs no SYN is seen, so
        what follows would be new, or invalid, to a host's stateful rules.
        """
        with suppress(OSError):  # it isn't: without connection tracking, or with a full table
            self._tracking.establish(agreed.client, agreed.server, self._zone)
        return stand_between(agreed, *self._marks)

    def vanish(self, ends: Ends) -> None:
        """Take them away without a word."""
        take_away(ends)

    def untouched(self, ends: Ends) -> bool:
        """Whether nobody has sent anything by them."""
        return not any(map(sockets.has_sent, ends))

    def release(self, ends: Ends) -> None:
        """They are the gateway's alone. If it has none, both ends are reset."""
        for sock in ends:
            sock.close()

    def free(self, segment: Segment) -> None:
        """Take away what is in TIME_WAIT between the two ends."""
        for local, peer in (
            (segment.sender, segment.receiver),
            (segment.receiver, segment.sender),
        ):
            with suppress(OSError):
                self._old.forget(local, peer)

    def send(self, receiver: Address, packet: bytes) -> None:
        """Send a packet. Without a route nobody can be told."""
        with suppress(OSError):
            self._raw[sockets.family_of(receiver.host)].sendto(packet, (receiver.host, 0))
