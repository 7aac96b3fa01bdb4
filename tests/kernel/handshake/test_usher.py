"""What becomes of each packet of two ends that shake hands."""

from __future__ import annotations

from errno import EADDRNOTAVAIL
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import Address
from gateway.kernel.bare import RST
from gateway.kernel.handshake.half_open import Agreed
from gateway.kernel.handshake.segment import Segment, read
from gateway.kernel.handshake.usher import Ends, Held, Usher
from tests.kernel.handshake.said import CLIENT, SERVER, answer, first, last, packet

BOTH = 0x6
TAKEN = "ends"


class Recorded:
    """A kernel that writes down what it is asked for."""

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []
        self.busy = 0
        self.late: list[bytes] = []
        self.quiet = True
        self.usher: Usher | None = None

    def catch_up(self) -> None:
        assert self.usher is not None
        for copy in self.late:
            self.usher.copied(copy)

    def let_go(self, number: int, mark: int | None = None) -> None:
        self.done.append(("let go", number) if mark is None else ("let go", number, mark))

    def drop(self, number: int) -> None:
        self.done.append(("drop", number))

    def stand_in(self, agreed: Agreed) -> Ends:
        if self.busy:
            self.busy -= 1
            raise OSError(EADDRNOTAVAIL, "in use")
        self.done.append(("stand in", agreed.first.sequence, agreed.answer.sequence))
        ends: Any = TAKEN
        return ends

    def vanish(self, ends: Ends) -> None:
        self.done.append(("vanish",))

    def untouched(self, ends: Ends) -> bool:
        return self.quiet

    def release(self, ends: Ends) -> None:
        self.done.append(("release",))

    def free(self, segment: Segment) -> None:
        self.done.append(("free",))

    def send(self, receiver: Address, packet: bytes) -> None:
        said = read(packet)
        assert said.receiver == receiver
        self.done.append(("send", said.receiver, said.flags))

    def take(self) -> list[tuple[Any, ...]]:
        """What was done since."""
        done, self.done = self.done, []
        return done


class UsherTests(SynchronousTestCase):
    """L{Usher}."""

    def setUp(self) -> None:
        self.kernel = Recorded()
        self.asked: list[int] = []
        self.heard = True
        self.whose = "one"
        self.missed: list[str] = []
        self.usher = self.kernel.usher = Usher(
            self.kernel,
            self.ask,
            lambda agreed, error: self.missed.append(error.strerror),
            half_open=3,
            waiting=3,
            both=BOTH,
            first=100,
        )
        self.usher.served = True

    def ask(self, number: int, agreed: Agreed, interface: int, ends: Ends) -> object:
        if not self.heard:
            return None
        self.asked.append(number)
        return self.whose

    def shake(self) -> None:
        """Up to the client's acknowledgement."""
        self.usher.copied(first())
        self.usher.held(Held(1, answer()))
        self.kernel.take()

    def test_admitted(self) -> None:
        """Client and server go on only when the gateway has both ends, in that order."""
        self.usher.copied(first())
        self.usher.held(Held(1, answer()))
        self.assertEqual(self.kernel.take(), [("let go", 1)])
        self.usher.held(Held(2, last()))
        self.usher.held(Held(3, last(data=b"early")))
        self.assertEqual(self.kernel.take(), [("stand in", 1000, 5000)])
        self.usher.decided(101, True)
        self.assertEqual(self.asked, [101])
        said = ("release",), ("let go", 2), ("let go", 3), ("send", SERVER, 0x10)
        self.assertEqual(self.kernel.take(), [*said])

    def test_refused(self) -> None:
        """If the gateway refuses, the server hears nothing of the client."""
        self.shake()
        self.usher.held(Held(2, last()))
        self.kernel.take()
        self.usher.decided(101, False)
        self.assertEqual(self.kernel.take(), [("release",), ("drop", 2)])

    def test_unknown(self) -> None:
        """An answer to nothing is dropped; what the client says then is for the rules."""
        self.usher.held(Held(1, answer()))
        self.assertEqual(self.kernel.take(), [("drop", 1)])
        self.usher.held(Held(2, last()))
        self.assertEqual(self.kernel.take(), [("let go", 2)])

    def test_wrong_numbers(self) -> None:
        """Numbers that don't belong to it complete nothing."""
        self.shake()
        self.usher.held(Held(2, last(sequence=1002)))
        self.assertEqual(self.kernel.take(), [("let go", 2)])
        self.usher.held(Held(3, packet(SERVER, CLIENT, 0x12, 9, 77)))
        self.assertEqual(self.kernel.take(), [("drop", 3)])

    def test_unreadable(self) -> None:
        """Where nobody understands a SYN's options, what the client says is for the rules."""
        self.usher.copied(first(options=b"\x08\x09\x00\x00"))
        self.usher.held(Held(1, answer()))
        self.usher.held(Held(2, last()))
        self.usher.held(Held(3, last()))
        self.assertEqual(self.kernel.take(), [("let go", each) for each in (1, 2, 3)])

    def test_late_copy(self) -> None:
        """A SYN whose copy comes after its answer was read is known in time."""
        self.kernel.late = [first()]
        self.usher.held(Held(1, answer()))
        self.assertEqual(self.kernel.take(), [("let go", 1)])

    def test_no_gateway(self) -> None:
        """Without a gateway no client is connected."""
        self.usher.copied(first())
        self.usher.served = False
        self.usher.held(Held(1, answer()))
        self.assertEqual(self.kernel.take(), [("drop", 1)])

    def test_gateway_gone(self) -> None:
        """If one goes, what waits for it is reset; what waits for another one is not."""
        self.shake()
        self.usher.held(Held(2, last()))
        self.kernel.take()
        self.usher.abandon("other")
        self.assertEqual(self.kernel.take(), [])
        self.heard = False
        self.usher.abandon("one")
        self.assertEqual(self.kernel.take(), [("release",), ("drop", 2)])
        self.usher.decided(101, True)
        self.assertEqual(self.kernel.take(), [])

    def test_another_gateway(self) -> None:
        """If there is another one, it is asked; and what the client says meanwhile waits for it."""
        self.shake()
        self.usher.held(Held(2, last()))
        self.kernel.take()
        self.whose = "other"
        self.usher.abandon("one")
        self.usher.held(Held(3, last(data=b"early")))
        self.assertEqual(self.kernel.take(), [])
        self.usher.decided(101, True)
        self.assertEqual(self.kernel.take(), [])
        self.usher.decided(102, True)
        said = ("release",), ("let go", 2), ("let go", 3), ("send", SERVER, 0x10)
        self.assertEqual(self.asked, [101, 102])
        self.assertEqual(self.kernel.take(), [*said])

    def test_gateway_gone_late(self) -> None:
        """If the one that is gone has said something to an end, nobody goes on with that."""
        self.shake()
        self.usher.held(Held(2, last()))
        self.kernel.take()
        self.kernel.quiet = False
        self.usher.abandon("one")
        self.assertEqual(self.kernel.take(), [("release",), ("drop", 2)])

    def test_busy_gateway(self) -> None:
        """If it can't be asked now, nothing has happened, and the client's next try is as good."""
        self.shake()
        self.heard = False
        self.usher.held(Held(2, last()))
        self.assertEqual(self.kernel.take(), [("stand in", 1000, 5000), ("vanish",), ("drop", 2)])
        self.heard = True
        self.usher.held(Held(3, last()))
        self.assertEqual(self.kernel.take(), [("stand in", 1000, 5000)])

    def test_old_sockets(self) -> None:
        """Old sockets give way."""
        self.usher.copied(first())
        self.usher.held(Held(1, answer(), mark=BOTH | 0x100))
        self.assertEqual(self.kernel.take(), [("free",), ("let go", 1, 0x100)])
        self.kernel.busy = 1
        self.usher.held(Held(2, last()))
        self.assertEqual(self.kernel.take(), [("free",), ("stand in", 1000, 5000)])

    def test_no_place(self) -> None:
        """If there is no place for the sockets, both ends are reset, and the gateway is told."""
        self.shake()
        self.kernel.busy = 2
        self.usher.held(Held(2, last()))
        self.assertEqual(
            self.kernel.take(),
            [("free",), ("send", SERVER, RST), ("send", CLIENT, RST), ("drop", 2)],
        )
        self.assertEqual(self.missed, ["in use"])

    def test_bounds(self) -> None:
        """So many packets wait, and so many connections are known; the oldest one goes."""
        self.shake()
        for number in range(2, 7):
            self.usher.held(Held(number, last()))
        dropped = [each for each in self.kernel.take() if each[0] == "drop"]
        self.assertEqual(dropped, [("drop", 5), ("drop", 6)])
        for port in range(1, 4):
            self.usher.copied(first(CLIENT._replace(port=port)))
        self.usher.decided(101, False)
        self.usher.held(Held(9, answer(CLIENT._replace(port=1))))
        self.usher.copied(first(CLIENT._replace(port=4)))
        self.usher.held(Held(10, answer(CLIENT._replace(port=1))))
        self.assertEqual(self.kernel.take()[-2:], [("let go", 9), ("drop", 10)])

    def test_garbage(self) -> None:
        """What can't be read is dropped."""
        self.usher.copied(b"")
        self.usher.held(Held(1, b"\x45"))
        self.assertEqual(self.kernel.take(), [("drop", 1)])
