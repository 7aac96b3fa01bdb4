"""The poller: sockets are told what they want to know, and nothing else, at little cost."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gateway.wire.poller import Poller


class Reactor:
    """Has one descriptor, and is told by the test when to ask it."""

    def __init__(self) -> None:
        self.readers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        self.readers.remove(reader)


class Polled:
    """Notes what it is told."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.told: list[str] = []
        self.on_read: Callable[[], None] = lambda: None

    def doRead(self) -> None:
        self.told.append("read")
        self.on_read()

    def doWrite(self) -> None:
        self.told.append("write")

    def connectionLost(self, reason: Any) -> None:
        self.told.append("lost")


class PollerTests(SynchronousTestCase):
    """One poller, and pairs of connected sockets."""

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.poller = Poller(self.reactor)  # type: ignore[arg-type]
        self.addCleanup(self.poller.stop)

    def pair(self) -> tuple[Polled, socket.socket]:
        """Whoever is polled, and the other end of its socket."""
        near, far = socket.socketpair()
        self.addCleanup(near.close)
        self.addCleanup(far.close)
        return Polled(near), far

    def test_read(self) -> None:
        """Readable: told, again and again, until it is read or not wanted any more."""
        polled, far = self.pair()
        self.poller.add_reader(polled)
        self.poller.doRead()
        self.assertEqual(polled.told, [])
        far.send(b"x")
        self.poller.doRead()
        self.poller.doRead()
        self.assertEqual(polled.told, ["read", "read"])
        self.poller.remove_reader(polled)
        self.poller.doRead()
        self.assertEqual(polled.told, ["read", "read"])

    def test_write(self) -> None:
        """Writable, and readable too: told both, in that order."""
        polled, far = self.pair()
        far.send(b"x")
        self.poller.add_writer(polled)
        self.poller.add_reader(polled)
        self.poller.doRead()
        self.assertEqual(polled.told, ["read", "write"])
        self.poller.remove_writer(polled)
        self.poller.doRead()
        self.poller.doRead()
        self.assertEqual(polled.told, ["read", "write", "read", "read"])

    def test_not_wanted(self) -> None:
        """What nobody wants to know any more is not asked for again: the processor may rest."""
        polled, far = self.pair()
        self.poller.add_reader(polled)
        self.poller.add_writer(polled)
        self.poller.remove_reader(polled)
        self.poller.remove_writer(polled)
        far.close()
        self.poller.doRead()
        self.assertEqual(self.ready(), [])
        self.poller.add_reader(polled)
        self.assertNotEqual(self.ready(), [])
        self.assertEqual(polled.told, [])

    def ready(self) -> list[Any]:
        """What the kernel would tell now."""
        return self.poller._epoll.poll(0)

    def test_paused_for_a_moment(self) -> None:
        """Not to be read, and then to be read again, before anything came."""
        polled, far = self.pair()
        self.poller.add_reader(polled)
        self.poller.remove_reader(polled)
        self.poller.add_reader(polled)
        far.send(b"x")
        self.poller.doRead()
        self.assertEqual(polled.told, ["read"])

    def test_new_owner(self) -> None:
        """The socket of an attempt becomes that of a wire: only the wire is told from then on."""
        attempt, far = self.pair()
        self.poller.add_writer(attempt)
        self.poller.remove_writer(attempt)
        wire = Polled(attempt.sock)
        self.poller.add_reader(wire)
        far.send(b"x")
        self.poller.doRead()
        self.assertEqual((attempt.told, wire.told), ([], ["read"]))
        self.poller.remove_reader(attempt)
        self.poller.doRead()
        self.assertEqual(wire.told, ["read", "read"])

    def test_new_owner_wants_nothing_yet(self) -> None:
        """What the former owner of a socket still wanted is not the new one's business."""
        attempt, far = self.pair()
        self.poller.add_writer(attempt)
        wire = Polled(attempt.sock)
        self.poller.add_reader(wire)
        far.send(b"x")
        self.poller.doRead()
        self.assertEqual((attempt.told, wire.told), ([], ["read"]))

    def test_closed_and_used_again(self) -> None:
        """A new socket with the number of one that was closed is not told about that one."""
        first, _ = self.pair()
        self.poller.add_writer(first)
        self.poller.remove_writer(first)
        self.poller.forget(first.fd)
        first.sock.close()
        near, _ = second = socket.socketpair()
        for sock in second:
            self.addCleanup(sock.close)
        self.assertEqual(near.fileno(), first.fd)
        polled = Polled(near)
        self.poller.add_writer(polled)
        self.poller.doRead()
        self.assertEqual((first.told, polled.told), ([], ["write"]))

    def test_used_again_at_once(self) -> None:
        """Not even if it was closed because of what another one was told in the same batch."""
        one, far_one = self.pair()
        two, far_two = self.pair()
        for polled, far in ((one, far_one), (two, far_two)):
            self.poller.add_reader(polled)
            far.send(b"x")
        fresh: list[Polled] = []

        def replace(gone: Polled) -> Callable[[], None]:
            def close() -> None:
                if not fresh:
                    self.poller.forget(gone.fd)
                    gone.sock.close()
                    pair = socket.socketpair()
                    for sock in pair:
                        self.addCleanup(sock.close)
                    fresh.append(Polled(pair[0]))
                    self.assertEqual(fresh[0].fd, gone.fd)
                    self.poller.add_reader(fresh[0])

            return close

        one.on_read, two.on_read = replace(two), replace(one)
        self.poller.doRead()
        self.assertEqual(len(one.told) + len(two.told), 1)
        self.assertEqual(fresh[0].told, [])

    def test_lost(self) -> None:
        """A reset while nothing is read is told, once."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            near = socket.create_connection(server.getsockname())
            self.addCleanup(near.close)
            far, _ = server.accept()
        polled = Polled(near)
        near.setblocking(False)
        with self.assertRaises(BlockingIOError):
            while True:
                near.send(bytes(65536))
        self.poller.add_writer(polled)
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        far.close()
        for _ in range(2):
            self.poller.doRead()
        self.assertEqual(polled.told, ["lost"])

    def test_bug(self) -> None:
        """A bug in one of them is logged, and is the end of that one alone."""
        polled, far = self.pair()
        other, far_other = self.pair()
        polled.on_read = lambda: self.fail("a bug")
        for one, end in ((polled, far), (other, far_other)):
            self.poller.add_reader(one)
            end.send(b"x")
        self.poller.doRead()
        self.poller.doRead()
        self.assertEqual(polled.told, ["read", "lost"])
        self.assertEqual(other.told, ["read", "read"])
        self.assertEqual(len(self.flushLoggedErrors(self.failureException)), 1)

    def test_bugs(self) -> None:
        """Nor are the others concerned if what ends it has a bug too."""
        polled, far = self.pair()
        polled.on_read = lambda: self.fail("a bug")
        self.patch(polled, "connectionLost", lambda reason: self.fail("another one"))
        self.poller.add_reader(polled)
        far.send(b"x")
        self.poller.doRead()
        self.assertEqual(self.ready(), [])
        self.assertEqual(len(self.flushLoggedErrors(self.failureException)), 2)

    def test_reactor(self) -> None:
        """The reactor has one descriptor more, as soon as there is something to poll."""
        self.assertEqual(self.reactor.readers, [])
        for _ in range(2):
            self.poller.add_reader(self.pair()[0])
        self.assertEqual(self.reactor.readers, [self.poller])
        self.poller.stop()
        self.assertEqual(self.reactor.readers, [])
        self.poller = Poller(self.reactor)  # type: ignore[arg-type]
