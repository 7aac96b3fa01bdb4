"""Lines to daemons, which are real ones on Unix sockets: a few lines of Twisted each."""

from __future__ import annotations

import socket
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from gateway.observe.scans import ScannerHealth, Scans
from gateway.policy.spool import SpoolSettings
from gateway.scanning.breaker import Breaker
from gateway.scanning.daemons import Daemons
from gateway.scanning.programs import Programs
from gateway.scanning.spool import Spools
from gateway.scanning.tools import Room, Tools
from gateway.tools import Terms, Unavailable


class Echo(Protocol):
    """Says what it hears; the words below in another way."""

    factory: Server

    def connectionMade(self) -> None:
        self.factory.lines.append(self)

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        if data.startswith(b"no"):
            self.transport.write(b"too long")
            self.transport.loseConnection()
        elif data.startswith(b"hang"):
            self.transport.pauseProducing()
        elif data.startswith(b"quit"):
            self.transport.abortConnection()
        else:
            self.transport.write(data)


class Server(Factory):
    """A daemon."""

    protocol = Echo

    def __init__(self) -> None:
        self.lines: list[Any] = []


class DaemonsTests(TestCase):
    """C{tools.line}."""

    terms = Terms(connections=2, connect_seconds=1, keep_seconds=5, failures=2, rest_seconds=0.2)

    def setUp(self) -> None:
        self.folder = Path(mkdtemp(prefix="scan"))
        self.daemons = Daemons(reactor)
        self.tools = Tools(
            Room(Spools("", 0, 0), self.daemons, Programs(reactor, str), Scans()), "scan"
        )
        self.ports: dict[str, Any] = {}
        self.first, self.second = self.listen("first"), self.listen("second")
        self.addCleanup(self.stop)

    def listen(self, name: str) -> Server:
        server = Server()
        path = str(self.folder / name)
        self.ports[path] = reactor.listenUNIX(path, server)  # type: ignore[attr-defined]
        return server

    @inlineCallbacks
    def stop(self) -> Any:
        self.tools.close()
        self.daemons.stop()
        for path in tuple(self.ports):
            yield self.shut(path)
        for server in (self.first, self.second):
            for line in server.lines:
                line.transport.abortConnection()
        yield deferLater(reactor, 0)  # type: ignore[arg-type]

    def shut(self, path: str) -> Any:
        return self.ports.pop(path).stopListening()

    def address(self, name: str) -> str:
        return str(self.folder / name)

    def ask(self, *names: str, **how: Any) -> Deferred[Any]:
        return self.tools.line(tuple(map(self.address, names)), self.terms, **how)

    @inlineCallbacks
    def test_kept(self) -> Any:
        """A line that was kept is used again, by the next one."""
        for uses in range(3):
            line = yield self.ask("first")
            self.assertEqual(line.uses, uses)
            line.send(b"hello")
            self.assertEqual((yield line.read()), b"hello")
            line.keep()
        self.assertEqual(len(self.first.lines), 1)
        line = yield self.ask("first", fresh=True)
        self.assertEqual(line.uses, 0)

    @inlineCallbacks
    def test_much(self) -> Any:
        """Megabytes go through, and wait where they have to."""
        line = yield self.ask("first")
        total = heard = 0
        for _ in range(40):
            line.send(b"x" * 60_000)
            total += 60_000
            yield line.flushed()
            while heard < total - 200_000:
                heard += len((yield line.read()))
        while heard < total:
            heard += len((yield line.read()))
        line.drop()

    @inlineCallbacks
    def test_last_words(self) -> Any:
        """What a daemon says before it closes is heard, though it was still being sent to."""
        line = yield self.ask("first")
        line.send(b"no more, please")
        for _ in range(100):
            line.send(b"x" * 100_000)
        self.assertEqual((yield line.read()), b"too long")
        self.assertEqual((yield line.read()), b"")
        yield line.flushed()
        line.drop()

    @inlineCallbacks
    def test_closed_while_kept(self) -> Any:
        """A line that the daemon closes while nobody uses it is forgotten."""
        line = yield self.ask("first")
        line.send(b"hello")
        yield line.read()
        line.keep()
        self.first.lines[0].transport.loseConnection()
        while self.daemons.daemon(self.address("first"), self.terms).health.lines:
            yield deferLater(reactor, 0.01)  # type: ignore[arg-type]
        line = yield self.ask("first")
        self.assertEqual(line.uses, 0)

    @inlineCallbacks
    def test_most(self) -> Any:
        """Who comes when all lines are in use waits for one; who gives up waits no more."""
        lines = []
        for _ in range(2):
            lines.append((yield self.ask("first")))
        given_up, third = self.ask("first"), self.ask("first")
        given_up.addErrback(lambda failure: None)
        given_up.cancel()
        self.assertNoResult(third)
        lines[0].drop()
        third = yield third
        self.assertEqual(third.uses, 0)
        fourth = self.ask("first")
        lines[1].keep()
        fourth = yield fourth
        self.assertEqual(fourth.uses, 1)

    @inlineCallbacks
    def test_fresh(self) -> Any:
        """Who wants a line that nobody has used gets no other one, however long he waits."""
        lines = []
        for _ in range(2):
            lines.append((yield self.ask("first")))
        waiting = self.ask("first", fresh=True)
        lines[0].keep()
        line = yield waiting
        self.assertEqual(line.uses, 0)

    @inlineCallbacks
    def test_given_up_late(self) -> Any:
        """Who gives up while a line is being made for him leaves nothing behind."""
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        lines = []
        for _ in range(2):
            lines.append((yield self.tools.line((address,), self.terms)))
        given_up = self.tools.line((address,), self.terms)
        given_up.addErrback(lambda failure: None)
        lines[0].drop()
        given_up.cancel()
        lines[1].drop()
        daemon = self.daemons.daemon(address, self.terms)
        for _ in range(3):
            line = yield self.tools.line((address,), self.terms)
            line.drop()
        self.assertEqual(daemon.health.lines, 0)

    @inlineCallbacks
    def test_fewer(self) -> Any:
        """A daemon that says that it takes fewer gets no more; and never more than the policy's."""
        first = yield self.ask("first")
        first.limit(1)
        second = self.ask("first")
        self.assertNoResult(second)
        first.limit(9)
        first.keep()
        second = yield second
        yield self.ask("first")
        self.assertNoResult(self.ask("first").addErrback(lambda failure: None))

    @inlineCallbacks
    def test_fail_over(self) -> Any:
        """If the first one is not there, the second one is asked; and the first one, when back."""
        yield self.shut(self.address("first"))
        for _ in range(3):
            line = yield self.ask("first", "second")
            self.assertEqual(line.address, self.address("second"))
            line.keep()
        health = self.daemons.daemon(self.address("first"), self.terms).health
        self.assertTrue(health.rests)
        self.first = self.listen("first")
        yield deferLater(reactor, 0.25)  # type: ignore[arg-type]
        line = yield self.ask("first", "second")
        self.assertEqual(line.address, self.address("first"))
        line.keep()
        self.assertFalse(self.daemons.daemon(self.address("first"), self.terms).health.rests)

    @inlineCallbacks
    def test_nobody(self) -> Any:
        """If nobody is there, that is said at once, with the reason."""
        yield self.shut(self.address("first"))
        for _ in range(3):
            error = yield self.assertFailure(self.ask("first"), Unavailable)
        self.assertIn("No such file", str(error))

    @inlineCallbacks
    def test_faults(self) -> Any:
        """A daemon that answers rubbish is left alone too, and who waits for it is told."""
        lines = []
        for _ in range(2):
            lines.append((yield self.ask("first")))
        waiting = self.ask("first")
        lines[0].drop("rubbish")
        third = yield waiting
        waiting = self.ask("first")
        lines[1].drop("rubbish")
        yield self.assertFailure(waiting, Unavailable)
        yield self.assertFailure(self.ask("first"), Unavailable)
        third.keep()
        line = yield self.ask("first")
        line.drop()

    @inlineCallbacks
    def test_bodies(self) -> Any:
        """
        What strangers' bodies bring about, as often as they like, puts no daemon to rest; but who
        comes next gets a line on which it has yet to answer.
        """
        lines = []
        for _ in range(2):
            lines.append((yield self.ask("first")))
            lines[-1].works()
        lines[0].keep()
        lines[1].drop("no answer in time")
        lines = []
        for _ in range(2):
            lines.append((yield self.ask("first")))
            self.assertEqual(lines[-1].uses, 0)
            lines[-1].works()
        for line in lines:
            line.drop("no answer in time")
        self.assertFalse(self.daemons.daemon(self.address("first"), self.terms).health.rests)

    @inlineCallbacks
    def test_works(self) -> Any:
        """A daemon that answers again is well, though what it was then asked comes to nothing."""
        for _ in range(2):
            line = yield self.ask("first")
            line.drop("rubbish")
        daemon = self.daemons.daemon(self.address("first"), self.terms)
        self.assertTrue(daemon.health.rests)
        yield deferLater(reactor, 0.25)  # type: ignore[arg-type]
        line = yield self.ask("first")
        line.works()
        line.drop("rubbish")
        self.assertFalse(daemon.health.rests)

    @inlineCallbacks
    def test_health(self) -> Any:
        """One daemon has one line in the metrics, though services ask it on different terms."""
        for connections in (1, 2):
            terms = Terms(connections=connections, failures=1)
            yield self.tools.line((self.address("first"),), terms)
        line = yield self.ask("second")
        self.assertEqual(
            list(self.daemons.health()),
            [
                ScannerHealth(self.address("first"), rests=False, lines=2, waiting=0),
                ScannerHealth(self.address("second"), rests=False, lines=1, waiting=0),
            ],
        )
        line.drop()

    @inlineCallbacks
    def test_new_policy(self) -> Any:
        """A new policy may not have the daemons that nobody uses: they are told of no more."""
        room = Room(Spools("", 0, 0), self.daemons, Programs(reactor, str), Scans())
        yield self.assertFailure(self.ask("nowhere"), Unavailable)
        kept = yield self.ask("second")
        kept.keep()
        used = yield self.ask("first")
        room.adopt(SpoolSettings())
        self.assertEqual([one.address for one in self.daemons.health()], [self.address("first")])
        used.keep()
        used = yield self.ask("first")
        self.assertEqual(used.uses, 1)

    @inlineCallbacks
    def test_over(self) -> Any:
        """What a session has left open is closed with it, and a line comes too late to it."""
        line = yield self.ask("first")
        late = self.ask("second")
        late.addErrback(lambda failure: None)
        spool = self.tools.spool(10)
        self.tools.close()
        line.send(b"never heard")
        self.assertEqual((yield line.read()), b"")
        spool.put(b"x")
        self.assertEqual(spool.size, 0)
        for name in ("first", "second"):
            health = self.daemons.daemon(self.address(name), self.terms).health
            self.assertEqual(health.lines, 0)


class BreakerTests(SynchronousTestCase):
    """Whom to leave alone."""

    def test_life(self) -> None:
        """Some failures in a row, a rest, one trial for each rest; one success, and all is well."""
        breaker = Breaker(failures=2, rest_seconds=10)
        breaker.failed(0, "a")
        breaker.well()
        breaker.failed(0, "b")
        self.assertTrue(breaker.admits(0))
        breaker.failed(1, "c")
        self.assertEqual([breaker.admits(at) for at in (1, 10.9, 11, 11.1)], [0, 0, 1, 0])
        breaker.failed(12, "d")
        self.assertEqual([breaker.admits(at) for at in (21.9, 22)], [0, 1])
        breaker.well()
        self.assertEqual([breaker.admits(22), breaker.admits(22), breaker.why], [1, 1, ""])
