"""Wires, each with a real socket, and a poller that the test turns."""

from __future__ import annotations

import errno
import socket

from attrs import define, field
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, Side
from gateway.wire.poller import Poller
from gateway.wire.wire import Wire
from tests.session.scene import PATIENCE, reset
from tests.wire.test_poller import Reactor

MUCH = 8_000_000
"""Bytes: more than two kernels take."""


@define
class Owner:
    """Notes what it is told."""

    active: float = 0.0
    told: list[object] = field(factory=list)
    broken: bool = False

    def wire_received(self, side: Side, data: bytes) -> None:
        if self.broken:
            raise RuntimeError("a bug")
        self.told.append(data)

    def wire_ended(self, side: Side) -> None:
        self.told.append("ended")

    def wire_lost(self, side: Side, error: OSError) -> None:
        self.told.append(error.errno)

    def wire_full(self, side: Side) -> None:
        self.told.append("full")

    def wire_drained(self, side: Side) -> None:
        self.told.append("drained")


@define
class Stopped:
    """A clock."""

    now: float = 0.0


class HangUpTests(SynchronousTestCase):
    """The kernel tells a hang-up as soon as both ends have been said, whatever is unread."""

    def setUp(self) -> None:
        self.poller = Poller(Reactor())  # type: ignore[arg-type]
        self.addCleanup(self.poller.stop)
        with socket.create_server(("127.0.0.1", 0)) as server:
            near = socket.create_connection(server.getsockname())
            self.peer, _ = server.accept()
        near.setblocking(False)
        self.peer.settimeout(PATIENCE)
        self.owner = Owner()
        self.wire = Wire(self.poller, Stopped(), near, CLIENT, self.owner)
        self.addCleanup(self.peer.close)
        self.addCleanup(self.wire.close)

    def say_goodbye(self) -> None:
        """Our end is said while the peer's has come; it takes all that was sent before."""
        self.wire.end()
        taken = 0
        while taken < MUCH:
            taken += len(self.peer.recv(65536))
            self.poller.doRead()
        self.assertTrue(self.wire.finished)

    def ready(self) -> bool:
        """Whether the poller would be called, after it had the opportunity to say otherwise."""
        for _ in range(3):
            self.poller.doRead()
        return bool(self.poller._epoll.poll(0))

    def test_unread(self) -> None:
        """What is not to be read now costs nothing, and is read later."""
        self.wire.send(bytes(MUCH))
        self.peer.send(b"last words")
        self.peer.shutdown(socket.SHUT_WR)
        self.say_goodbye()
        self.assertFalse(self.ready())
        self.wire.read()
        self.assertFalse(self.ready())
        self.assertEqual(self.owner.told, ["drained", b"last words", "ended"])

    def test_ended(self) -> None:
        """Both ends are orderly: nothing is lost."""
        self.wire.send(bytes(MUCH))
        self.wire.read()
        self.peer.shutdown(socket.SHUT_WR)
        while not self.wire.ended:
            self.poller.doRead()
        self.say_goodbye()
        self.assertFalse(self.ready())
        self.assertEqual(self.owner.told, ["ended", "drained"])

    def test_bug(self) -> None:
        """Bytes were read that nobody has dealt with: it does not go on behind them."""
        self.owner.broken = True
        self.wire.read()
        self.peer.send(b"hello")
        self.poller.doRead()
        self.assertEqual(self.owner.told, [errno.EIO])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def lose(self, before: bytes = b"last words") -> None:
        """The peer says this and resets, and the first to notice it is who sends."""
        if before:
            self.peer.send(before)
        reset(self.peer)
        self.wire.send(b"not heard")

    def test_last_words(self) -> None:
        """What a peer said before its reset is read first; what is sent to it meanwhile is lost."""
        self.wire.read()
        self.lose()
        self.assertEqual(self.owner.told, [])
        self.wire.send(b"nor this")
        self.wire.urge(b"nor this")
        self.assertEqual((self.owner.told, self.wire.waiting), ([], 0))
        self.wire.end()
        for _ in range(3):
            self.poller.doRead()
        self.assertEqual(self.owner.told, ["drained", b"last words", errno.ECONNRESET])

    def test_last_words_later(self) -> None:
        """They wait without a cost while nobody wants to read them."""
        self.wire.read()
        self.lose()
        self.wire.pause()
        self.assertFalse(self.ready())
        self.wire.read()
        for _ in range(3):
            self.poller.doRead()
        self.assertEqual(self.owner.told, [b"last words", errno.ECONNRESET])

    def test_no_last_words(self) -> None:
        """Nothing to read: it is told at once."""
        self.wire.read()
        self.lose(b"")
        self.assertEqual(self.owner.told, [errno.ECONNRESET])

    def test_last_words_to_nobody(self) -> None:
        """Nor is anything waited for if the side is not to be read."""
        self.lose()
        self.assertEqual(self.owner.told, [errno.ECONNRESET])

    def test_last_words_while_something_waits(self) -> None:
        """What waited is given up; whoever waited for that is not held up any more."""
        self.wire.send(bytes(MUCH))
        self.wire.read()
        self.peer.send(b"last words")
        reset(self.peer)
        self.wire.doWrite()
        self.assertEqual(self.wire.waiting, 0)
        for _ in range(3):
            self.poller.doRead()
        self.assertEqual(self.owner.told[:1], [b"last words"])
        self.assertEqual(self.owner.told[-1:], [errno.ECONNRESET])

    def test_nothing_spins_at_the_deaf(self) -> None:
        """What another wire sends on to a peer that has reset is taken, and thrown away."""
        self.wire.read()
        self.lose()
        view = memoryview(b"x" * 10)
        self.assertEqual(self.wire.offer(view), 10)
        self.wire.send_on(view)
        self.assertEqual((self.owner.told, self.wire.waiting), ([], 0))
