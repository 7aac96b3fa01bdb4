"""
Usher: what becomes of the packets of connections whose ends are shaking hands.

It does nothing by itself: who serves it tells it what has come, and does what it says.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, Protocol

from attrs import define, field

from gateway.interfaces import Address
from gateway.kernel.bare import ACK
from gateway.kernel.handshake.half_open import Agreed, HalfOpen
from gateway.kernel.handshake.segment import (
    SYN,
    Glance,
    Key,
    Segment,
    Unreadable,
    acknowledgement,
    glance,
    read,
    resets,
)
from gateway.kernel.sockets import Socket


class Held(NamedTuple):
    """
    A packet that waits in the kernel.

    @ivar number: by which the kernel knows it.
    @ivar interface: the number of the one that it came in by.
    """

    number: int
    packet: bytes
    mark: int = 0
    interface: int = 0


class Ends(NamedTuple):
    """The sockets in the place of the two ends."""

    client: Socket
    server: Socket


class Kernel(Protocol):
    """What the usher has done."""

    def catch_up(self) -> None:
        """Tell of all SYNs and SYN-ACKs that have been copied by now."""

    def let_go(self, number: int, mark: int | None = None) -> None:
        """The packet goes on, with another mark if one is given."""

    def drop(self, number: int) -> None:
        """The packet is no more."""

    def stand_in(self, agreed: Agreed) -> Ends:
        """
        Put sockets in the place of the two ends.

        @raise OSError: it can't be done.
        """

    def vanish(self, ends: Ends) -> None:
        """Take them away without a word."""

    def untouched(self, ends: Ends) -> bool:
        """Whether nobody has sent anything by them."""

    def release(self, ends: Ends) -> None:
        """They are the gateway's alone. If it has none, both ends are reset."""

    def free(self, segment: Segment) -> None:
        """Take away what is in TIME_WAIT between the two ends."""

    def send(self, receiver: Address, packet: bytes) -> None:
        """Send a packet."""


Ask = Callable[[int, Agreed, int, Ends], object]
"""
Asks a gateway, by a number, whether it takes ends, that came in by an interface. Who was asked;
C{None}: nobody can be, now.
"""


@define
class _Asked:
    """What waits for the gateway C{whose}, which has got C{ends}, too."""

    agreed: Agreed
    interface: int
    ends: Ends
    whose: object
    held: list[int] = field(factory=list)


class Usher:
    """
    @param half_open: how many connections are known before they are taken.
    @param waiting: how many packets may wait for the gateway.
    @param both: the mark of a SYN-ACK that meets an old socket.
    @param first: where the numbers begin by which the gateway is asked: no predecessor's.
    @param tell: is told of a connection that could not be taken, and why.
    @ivar served: whether there is a gateway that wants clients.
    """

    def __init__(
        self,
        kernel: Kernel,
        ask: Ask,
        tell: Callable[[Agreed, OSError], object],
        half_open: int,
        waiting: int,
        both: int,
        first: int,
    ) -> None:
        self._kernel = kernel
        self._ask = ask
        self._tell = tell
        self._half_open = HalfOpen(half_open)
        self._most = waiting
        self._both = both
        self._waiting = 0
        self._number = first
        self._asked: dict[int, _Asked] = {}
        self._numbers: dict[Key, int] = {}
        self.served = False

    def copied(self, packet: bytes) -> None:
        """A client's SYN has passed, or a server's SYN-ACK."""
        seen = glance(packet)
        if seen is None:
            return
        if seen.flags == SYN:
            self._half_open.begin(seen, packet)
        elif seen.flags == SYN | ACK:
            self._half_open.answer(seen, packet)

    def held(self, held: Held) -> None:
        """A packet waits."""
        seen = glance(held.packet)
        if seen is None:
            self._kernel.drop(held.number)
        elif seen.flags == SYN | ACK:
            self._answered(held, seen)
        else:
            self._acknowledged(held, seen)

    def _answered(self, held: Held, seen: Glance) -> None:
        """The server's SYN-ACK met an old socket. Without a gateway, no client is connected."""
        if not self.served or not self._known(held.packet, seen):
            self._kernel.drop(held.number)
        elif held.mark & self._both == self._both:
            self._free(held.packet)
            self._kernel.let_go(held.number, held.mark & ~self._both)
        else:
            self._kernel.let_go(held.number)

    def _known(self, packet: bytes, seen: Glance) -> bool:
        """Whether it answers a SYN. Nobody tells of those before they are asked for."""
        if self._half_open.answer(seen, packet):
            return True
        self._kernel.catch_up()
        return self._half_open.answer(seen, packet)

    def _free(self, packet: bytes) -> None:
        with suppress(Unreadable):
            self._kernel.free(read(packet))

    def _acknowledged(self, held: Held, seen: Glance) -> None:
        """
        The client has heard the SYN-ACK. What is not known goes on: to a socket that has
        been put there meanwhile, or it is reset by the rules.
        """
        number = self._numbers.get(seen.key)
        if number is not None:
            self._wait(held, self._asked[number])
            return
        agreed = self._half_open.agreed(seen, held.packet)
        if agreed is None:
            self._kernel.catch_up()
            agreed = self._half_open.agreed(seen, held.packet)
        if agreed is None:
            self._kernel.let_go(held.number)
        elif not self.served or self._waiting >= self._most:
            self._kernel.drop(held.number)
        else:
            self._take(held, agreed)

    def _wait(self, held: Held, asked: _Asked) -> None:
        if self._waiting >= self._most:
            self._kernel.drop(held.number)
            return
        self._waiting += 1
        asked.held.append(held.number)

    def _take(self, held: Held, agreed: Agreed) -> None:
        """Have the gateway decide about both ends."""
        try:
            ends = self._stand_in(agreed)
        except OSError as error:
            self._fail(held, agreed, error)
            return
        self._number += 1
        whose = self._ask(self._number, agreed, held.interface, ends)
        if whose is not None:
            asked = self._asked[self._number] = _Asked(agreed, held.interface, ends, whose)
            self._numbers[agreed.key] = self._number
            self._wait(held, asked)
        else:  # it comes again
            self._kernel.vanish(ends)
            self._kernel.drop(held.number)

    def _stand_in(self, agreed: Agreed) -> Ends:
        """In the place of old sockets in TIME_WAIT, too."""
        try:
            return self._kernel.stand_in(agreed)
        except OSError:
            self._kernel.free(agreed.answer)
            return self._kernel.stand_in(agreed)

    def _fail(self, held: Held, agreed: Agreed, error: OSError) -> None:
        """Both ends are reset: neither should believe in a connection that nobody serves."""
        self._half_open.forget(agreed.key)
        to_server, to_client = resets(agreed.last)
        self._kernel.send(agreed.server, to_server)
        self._kernel.send(agreed.client, to_client)
        self._kernel.drop(held.number)
        self._tell(agreed, error)

    def decided(self, number: int, admitted: bool) -> None:
        """
        The gateway has begun a session, or has reset both ends. The server hears of it last: the
        session might be over before its socket has heard the client, and the answer to what comes
        after the end is a reset.
        """
        asked = self._asked.pop(number, None)
        if asked is None:
            return
        last = asked.agreed.last
        self._forget(asked.agreed.key, asked)
        self._kernel.release(asked.ends)
        for each in asked.held:
            if admitted:
                self._kernel.let_go(each)
            else:
                self._kernel.drop(each)
        if admitted:
            self._kernel.send(asked.agreed.server, acknowledgement(last))

    def abandon(self, whose: object) -> None:
        """A gateway is gone. What waits for it is for another one, if there is one."""
        gone = [number for number, one in self._asked.items() if one.whose is whose]
        for each in gone:
            self._ask_another(self._asked.pop(each))

    def _ask_another(self, asked: _Asked) -> None:
        self._number += 1
        number, agreed = self._number, asked.agreed
        whose = None
        # an inspector might have said something already
        if self._kernel.untouched(asked.ends):
            whose = self._ask(number, agreed, asked.interface, asked.ends)
        if whose is not None:
            asked.whose = whose
            self._asked[number] = asked
            self._numbers[agreed.key] = number
            return
        self._forget(agreed.key, asked)
        self._kernel.release(asked.ends)
        for each in asked.held:
            self._kernel.drop(each)

    def _forget(self, key: Key, asked: _Asked) -> None:
        self._half_open.forget(key)
        self._numbers.pop(key, None)
        self._waiting -= len(asked.held)
