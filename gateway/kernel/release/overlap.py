"""
Overlap: a session that is being released, while its old sockets are still there.

As long as a session is only relayed, what was read of one leg and what was written to
the other differ by a constant. So bytes that the program forwards and bytes that the gateway
still relays have the same number in the same place: both ways may be open at once, a
byte that goes both ways is a duplicate that TCP drops, and nothing has to be frozen
or drained before.

What user space knows of a connection can be a moment old. A packet that was on its
way through the stack when the session was switched moves the boundary: L{Overlap.look}
sees that in the socket's counters.
"""

from __future__ import annotations

import time

from attrs import frozen

from gateway.interfaces import Address
from gateway.kernel import repair
from gateway.kernel.errors import KernelError
from gateway.kernel.release.layout import Direction, Flow, Mode, Seen, Trait, port, tuple_of
from gateway.kernel.release.legs import ESTABLISHED, Leg, Option, leg_of
from gateway.kernel.release.table import Full, Table
from gateway.kernel.repair import Numbers
from gateway.kernel.sockets import Socket

_MASK = 0xFFFFFFFF
_HALF = 0x80000000
_MILLISECOND = 1_000_000
_TRIES = 20
_ENDED = "one side has ended already"


class Stays(Exception):
    """A session can't be released; the reason is for its record."""


class NotNow(Stays):
    """It can't be released at this moment; at another one perhaps."""


class Unsteady(Exception):
    """Data comes faster than numbers can be read."""


class NoProgram(Stays):
    """It can't be released for a device on which the program does not hang, yet."""


@frozen
class Ends:
    """
    Between whom a session runs.

    @ivar server: where the client's connection goes to, and the gateway's.
    @ivar source: what the server sees of the client: another port, perhaps.
    """

    client: Address
    server: Address
    source: Address


class Overlap:
    """
    One session. Nobody may use its sockets while it is made.

    @param legs: the sockets of the client's and the server's leg.
    @param pending: bytes that the gateway has read and not yet written, towards the
        client and towards the server.
    @ivar settled: whether only the program has to do with it.
    @raise Stays: it can't be released.
    """

    def __init__(
        self, table: Table, ends: Ends, legs: tuple[Socket, Socket], pending: tuple[int, int]
    ) -> None:
        self._table = table
        self._legs = legs
        self.ends = ends
        self.settled = False
        try:
            self.index = table.take()
        except Full:
            raise Stays("as many sessions are released as the table holds") from None
        self._tuples = (tuple_of(ends.client, ends.server), tuple_of(ends.server, ends.source))
        try:
            self._switch(pending)
        except Unsteady:
            self.forget()
            raise NotNow("too much data is on its way") from None
        except Stays:
            self.forget()
            raise
        except (KernelError, OSError) as error:
            self.forget()
            raise Stays(str(error)) from error

    def _switch(self, pending: tuple[int, int]) -> None:
        """Read where both legs stand, tell the program, and let it forward."""
        if any(map(self._table.is_strange, self._tuples)):
            raise Stays("fragments, or packets with IP options or extension headers")
        (client, leg), (server, other) = (_standing(sock) for sock in self._legs)
        _check(leg, other)
        self._received_from = (client.received - leg.received, server.received - other.received)
        self._acknowledged_from = (
            client.acknowledged - leg.acknowledged,
            server.acknowledged - other.acknowledged,
        )
        self._shift = (
            _difference(server, pending[1], client),
            _difference(client, pending[0], server),
        )
        self._boundary = [client.received, server.received]
        self._put(leg, other)
        self._learn()
        self._table.set_mode(self.index, Mode.OVERLAP)

    def _put(self, client: Leg, server: Leg) -> None:
        """Everything that the program must know; it is not in force yet."""
        windows = (client.peer_scale - server.own_scale, server.peer_scale - client.own_scale)
        scales = (client.peer_scale, server.peer_scale)
        for side in (0, 1):
            self._table.put_direction(
                self.index,
                side,
                Direction(self._boundary[side], self._own_end(side), windows[side], scales[side]),
            )
        differ = (client.options ^ server.options) & Option.ECN
        traits = Trait.NO_ECN if differ else 0
        moved = self.ends.source.port != self.ends.client.port
        ports = (port(self.ends.source.port), port(self.ends.client.port))
        there = Flow(
            *(self.index, 0, self._shift[0], -self._shift[1] & _MASK, windows[0]),
            *(_clock_offset(self._legs[1]), traits),
        )
        back = Flow(
            *(self.index, 1, self._shift[1], -self._shift[0] & _MASK, windows[1]),
            *(_clock_offset(self._legs[0]), traits),
        )
        if moved:
            there = there._replace(source_port=ports[0])
            back = back._replace(destination_port=ports[1])
        self._table.put_flow(self._tuples[0], there)
        self._table.put_flow(self._tuples[1], back)

    def _learn(self) -> None:
        """
        Which devices lead to the peers: packets of the old sockets go out by them.

        @raise Stays: the program does not see them.
        """
        self._table.set_mode(self.index, Mode.LEARN)
        for sock in self._legs:
            # its answer tells each peer the other's window
            repair.probe(sock)
        for sock, side in zip(self._legs, (0, 1), strict=True):
            if not self._table.interface(self.index, side):
                ended = leg_of(sock).state != ESTABLISHED
                if ended:
                    raise Stays(_ENDED)
                raise NoProgram("a leg goes by a device without the program")

    def look(self) -> bool:
        """
        Move the boundary if packets came in late.

        @return: whether the old sockets have nothing to do any more: all is delivered, or
            one peer has reset, and the reset was forwarded.
        """
        if (self._table.seen(self.index, 0) | self._table.seen(self.index, 1)) & Seen.RESET:
            return True
        legs = [leg_of(sock) for sock in self._legs]
        received = [
            (origin + leg.received) & _MASK
            for origin, leg in zip(self._received_from, legs, strict=True)
        ]
        if received != self._boundary:
            self._boundary = received
            self._table.set_ended(
                self.index, sum(leg.peer_ended << n for n, leg in enumerate(legs))
            )
            for side in (0, 1):
                self._table.set_bounds(self.index, side, received[side], self._own_end(side))
            return False
        return all(self._drained(side, legs[side]) for side in (0, 1))

    def _drained(self, side: int, leg: Leg) -> bool:
        """
        Whether the sender of a direction has acknowledged all that its old socket sent: the
        socket knows, or the program has seen it.
        """
        end = self._own_end(side)
        if _reached(self._acknowledged_from[side] + leg.acknowledged, end):
            return True
        direction = self._table.direction(self.index, side)
        return bool(direction.seen & Seen.DRAINED) and _reached(direction.acknowledged, end)

    def _own_end(self, side: int) -> int:
        return (self._boundary[1 - side] + self._shift[1 - side]) & _MASK

    @property
    def doubled(self) -> tuple[int, int]:
        """
        How many bytes of each direction both ways have carried, and counted: the program counts
        from where the boundary was when it first forwarded something, and it has moved since.
        """
        client, server = (self._doubled(side) for side in (0, 1))
        return client, server

    def _doubled(self, side: int) -> int:
        if not self._table.seen(self.index, side) & Seen.PACKET:
            return 0
        direction = self._table.direction(self.index, side)
        counted_from = (direction.end - direction.carried) & _MASK
        return (self._boundary[side] - counted_from) & _MASK

    def settle(self) -> None:
        """From now on, only the program has to do with it. The sockets must L{leave} soon."""
        self.settled = True
        self._table.set_mode(self.index, Mode.FORWARD)

    def leave(self) -> None:
        """Close the sockets, for us and for whoever else has them, without a word to the peers."""
        for sock in self._legs:
            repair.vanish(sock)
            sock.close()

    def forget(self) -> None:
        """The program has nothing to do with it any more."""
        self._table.set_mode(self.index, Mode.FREE)
        for each in self._tuples:
            self._table.remove_flow(each)
        self._table.give_back(self.index)


def _standing(sock: Socket) -> tuple[Numbers, Leg]:
    """
    Where a leg stands, with counters of the same moment.

    @raise Unsteady: data comes faster than that can be read.
    """
    for _ in range(_TRIES):
        before = leg_of(sock)
        found = repair.numbers(sock)
        # what comes, and what is acknowledged, changes these; nobody reads or writes meanwhile
        if before == leg_of(sock):
            return found, before
    raise Unsteady


def _check(client: Leg, server: Leg) -> None:
    """@raise Stays: one leg can't be forwarded as the other."""
    if client.state != ESTABLISHED or server.state != ESTABLISHED:
        raise Stays(_ENDED)
    if (client.options ^ server.options) & Option.TIMESTAMPS:
        raise Stays("only one leg has timestamps")
    if (client.options | server.options) & Option.USEC_TIMESTAMPS:
        raise Stays("a leg has timestamps in microseconds")


def _reached(number: int, end: int) -> bool:
    """Whether C{number} is not before C{end}, in the circle of numbers."""
    return (number - end) & _MASK < _HALF


def _difference(to: Numbers, pending: int, of: Numbers) -> int:
    """What is added to a sender's numbers on the other leg."""
    return (to.sent + pending - (of.received - of.unread)) & _MASK


def _clock_offset(sock: Socket) -> int:
    """From the kernel's clock to a socket's timestamps, in milliseconds."""
    return (repair.clock(sock) - time.monotonic_ns() // _MILLISECOND) & _MASK
