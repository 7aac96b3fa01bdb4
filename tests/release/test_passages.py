"""The gateway's side of a release, with a carrier that says what a test has it say."""

from __future__ import annotations

import socket
from collections.abc import Callable
from errno import EADDRINUSE
from random import Random
from typing import Any

from attrs import frozen
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import Address, Outcome, Verdict
from gateway.kernel import sockets
from gateway.kernel.packets import receive, send
from gateway.observe.identity import Released, Upstream
from gateway.release.passage import AGAIN, PATIENCE, TRIES, Passage
from gateway.release.passages import Counted, Passages
from gateway.release.ports import Ports
from gateway.release.told import Told

CLIENT, SERVER = Address("10.1.2.3", 40000), Address("198.51.100.7", 443)
TOLD = Told(
    *(7, "web", CLIENT, SERVER, Upstream(SERVER, CLIENT, True, 0.1), 1000.0),
    until=0.0,
    idle=300.0,
    denied=0,
    parent=0,
    interface="",
    sent=(5, 6),
)
STOPPED = Verdict(Outcome.CLOSED, "stopped")

MANY = 16_384
"""As many sessions as the kernel has without a setting."""


@frozen
class Numbered:
    """A session that the carrier knows by a number."""

    index: int


class Reactor(Clock):
    """Time, and descriptors that are looked at when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: set[Any] = set()
        self.addReader, self.removeReader = self.readers.add, self.readers.discard
        self.addWriter = self.removeWriter = lambda _: None

    def turn(self) -> None:
        for reader in tuple(self.readers):
            reader.doRead()


class Timer:
    """Of the test's clock."""

    def __init__(self, call: Any) -> None:
        self.call = call

    def cancel(self) -> None:
        if self.call.active():
            self.call.cancel()


class Riding:
    """A session and its legs: notes what it is told."""

    def __init__(self, reactor: Reactor, legs: tuple[socket.socket, socket.socket]) -> None:
        self.reactor = reactor
        self.standing: Any = (legs, (0, 3))
        self.half_closed = False
        self.done: list[str] = []
        self.verdict: Verdict | None = None

    def told(self) -> Told:
        return TOLD

    def carried(self, verdict: Verdict) -> None:
        self.verdict = verdict

    def left(self) -> None:
        self.done.append("left")

    def after(self, seconds: float, call: Callable[[], None]) -> Timer:
        return Timer(self.reactor.callLater(seconds, call))

    def hold(self) -> None:
        self.done.append("hold")

    def go_on(self) -> None:
        self.done.append("go on")

    def let_go(self) -> None:
        self.done.append("let go")

    def drop(self) -> None:
        self.done.append("drop")


class PassageTests(SynchronousTestCase):
    """Whatever becomes of the carrier, a session goes on, or has an end and a record."""

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.ports = Ports(Random(1))
        self.adopted: list[tuple[int, Told]] = []
        ours, self.carrier = socket.socketpair(type=socket.SOCK_SEQPACKET)
        self.carrier.settimeout(5)
        self.passages = Passages(
            *(self.reactor, None, 0.0, self.ports, self.adopt, lambda: None),
        )
        send(self.carrier, {"began": True, "keeps": True})
        self.passages.open(ours)
        greeting = self.heard()
        self.assertEqual(greeting["ask"], "greet")
        self.name = greeting["name"]
        self.say(number=greeting["number"], sessions=0)
        self.legs = socket.socketpair()
        self.session = Riding(self.reactor, self.legs)
        for sock in (self.carrier, *self.legs):
            self.addCleanup(sock.close)
        self.addCleanup(self.passages.close)

    def adopt(self, passages: Passages, index: int, told: Told) -> Any:
        self.adopted.append((index, told))
        return self.passages.begin(self.session, self.session)

    def heard(self) -> dict[str, Any]:
        """What the carrier is asked next."""
        message, descriptors = receive(self.carrier)
        self.descriptors = [socket.socket(fileno=each) for each in descriptors]
        for sock in self.descriptors:
            self.addCleanup(sock.close)
        return message

    def say(self, **message: Any) -> None:
        """The carrier says it, and the gateway hears it."""
        send(self.carrier, message)
        self.reactor.turn()

    def begin(self) -> Passage:
        """A session that was released, and of which the carrier has been asked."""
        passage = self.passages.begin(self.session, self.session)
        assert isinstance(passage, Passage)
        self.reactor.advance(0)
        return passage

    def begun(self) -> Passage:
        """One that the carrier has as number 3."""
        passage = self.begin()
        self.say(number=self.heard()["number"], index=3, switched=True)
        return passage

    def greeted(self, there: list[int]) -> None:
        """The next carrier tells which sessions of ours it has."""
        greeting = self.heard()
        self.assertEqual((greeting["ask"], greeting["name"]), ("greet", self.name))
        for index in there:
            self.say(yours=index, told=TOLD.written())
        self.say(number=greeting["number"], sessions=len(there))

    def over(self, how: str = "passed") -> None:
        self.say(over=3, how=how, by="client", told={}, bytes_to_server=10, bytes_to_client=20)

    def test_way(self) -> None:
        """The sockets are handed over, used for a while, let go of, and closed; then the end."""
        passage = self.begin()
        asked = self.heard()
        self.assertEqual(asked["pending"], [0, 3])
        self.assertEqual(asked["idle"], 300)
        names = [sock.fileno() for sock in self.descriptors]
        self.assertEqual(len(names), 2)
        self.assertEqual(self.session.done, ["hold"])
        self.say(number=asked["number"], index=3, switched=True)
        self.say(settled=3)
        let_go = self.heard()
        self.assertEqual((let_go["ask"], let_go["told"]), ("let_go", {"sent": [5, 6]}))
        self.assertFalse(passage.carries)
        self.say(gone=3)
        self.assertEqual(self.session.done, ["hold", "go on", "let go", "drop"])
        self.assertTrue(passage.carries)
        self.assertEqual(self.passages.carried, 1)
        self.over()
        self.assertEqual(passage.bytes, (10, 20))
        self.assertEqual(self.session.verdict, Verdict(Outcome.PASSED))
        self.assertEqual(passage.released, Released("kernel", ""))
        self.assertEqual(self.passages.carried, 0)

    def test_count(self) -> None:
        """The operator sees what the kernel has carried so far, if there is somebody who knows."""
        self.begun()
        for answers, expected in (
            ([[100, 200, 1.5]], {7: Counted(100, 200, 1.5)}),
            ([None], {}),
        ):
            counted = self.passages.count({7, 8})
            asked = self.heard()
            self.assertEqual((asked["ask"], asked["indices"]), ("counts", [3]))
            self.say(number=asked["number"], counts=answers)
            self.assertEqual(self.successResultOf(counted), expected)
        self.assertEqual(self.successResultOf(self.passages.count({8})), {})
        counted = self.passages.count({7})
        self.carrier.close()
        self.reactor.turn()
        self.assertEqual(self.successResultOf(counted), {})
        self.assertEqual(self.successResultOf(self.passages.count({7})), {})

    def test_stays(self) -> None:
        """What can't be taken over goes on at once, and its record says why."""
        passage = self.begin()
        self.say(number=self.heard()["number"], stays="only one leg has timestamps")
        self.assertEqual(self.session.done, ["hold", "go on"])
        self.assertFalse(passage.end(STOPPED))
        self.assertEqual(passage.released, Released("user space", "only one leg has timestamps"))

    def test_not_now(self) -> None:
        """What can't be taken over at the moment is tried again, some times."""
        passage = self.begin()
        for _ in range(TRIES):
            self.say(number=self.heard()["number"], stays="too much data", again=True)
            self.reactor.advance(AGAIN)
        self.carrier.setblocking(False)
        self.assertRaises(BlockingIOError, self.heard)
        self.assertEqual(passage.released, Released("user space", "too much data"))

    def test_many_end(self) -> None:
        """A reload ends all sessions at once, faster than the carrier hears of it: each ends."""
        carriers = tuple(self.reactor.readers)
        for index in range(MANY):
            self.passages.kill(Numbered(index))
        for index in range(MANY):
            self.assertEqual(self.heard(), {"ask": "kill", "index": index})
            for each in carriers:
                each.doWrite()

    def test_half_closed(self) -> None:
        """A session of which one side has ended is not asked for."""
        self.session.half_closed = True
        passage = self.begin()
        self.assertEqual(self.session.done, [])
        self.assertEqual(passage.released, Released("user space", "one side has ended already"))

    def test_ended_while_asked(self) -> None:
        """The end of a session that is being taken over waits for the carrier, which ends it."""
        passage = self.begin()
        asked = self.heard()
        self.assertTrue(passage.end(STOPPED))
        self.assertIsNone(self.session.verdict)
        self.say(number=asked["number"], index=3, switched=True)
        self.assertEqual(self.heard(), {"ask": "kill", "index": 3})
        self.over("killed")
        self.assertEqual((self.session.verdict, passage.bytes), (STOPPED, (10, 20)))

    def test_silent(self) -> None:
        """A carrier that does not answer costs the session, and what it does later is undone."""
        self.begin()
        asked = self.heard()
        self.reactor.advance(PATIENCE)
        assert self.session.verdict is not None
        self.assertEqual(self.session.verdict.outcome, Outcome.FAILED)
        # which has the sockets still: to close ours takes them off no poller
        self.assertEqual(self.session.done, ["hold", "let go"])
        self.say(number=asked["number"], index=3, switched=True)
        self.assertEqual(self.heard(), {"ask": "kill", "index": 3})

    def test_silent_at_the_end(self) -> None:
        """A session has its record though nobody says what was carried, and only one."""
        passage = self.begun()
        passage.end(STOPPED)
        self.reactor.advance(PATIENCE)
        self.assertEqual(self.session.verdict, STOPPED)
        self.session.verdict = None
        self.over("killed")
        self.assertIsNone(self.session.verdict)
        self.assertEqual(self.adopted, [])

    def test_another_carrier(self) -> None:
        """Of a carrier that was killed the next one knows what the kernel has."""
        passage = self.begun()
        self.say(settled=3)
        self.heard()
        self.say(began=True, keeps=True)
        self.assertTrue(passage.carries)
        self.greeted([3])
        self.assertIsNone(self.session.verdict)
        self.assertEqual(self.adopted, [])

    def test_lost(self) -> None:
        """What the next carrier does not know has ended, one way or another."""
        self.begun()
        self.say(began=True, keeps=True)
        self.greeted([])
        self.assertIsNotNone(self.session.verdict)

    def test_released_meanwhile(self) -> None:
        """What was released while the next carrier was still asked is not lost."""
        self.say(began=True, keeps=True)
        asked = self.heard()
        self.begun()
        self.say(number=asked["number"], sessions=0)
        self.assertIsNone(self.session.verdict)
        self.over()
        self.assertEqual(self.session.verdict, Verdict(Outcome.PASSED))

    def test_kept_alive(self) -> None:
        """What was to end, and the carrier was gone before it heard of that, the next one ends."""
        self.begun().end(STOPPED)
        self.heard()
        self.reactor.advance(PATIENCE)
        self.assertEqual(self.session.verdict, STOPPED)
        self.say(began=True, keeps=True)
        self.greeted([3])
        self.assertEqual(self.heard(), {"ask": "kill", "index": 3})
        self.assertEqual(self.adopted, [])

    def test_asked_of_the_one_before(self) -> None:
        """A session that ended with the carrier that was asked for it has one record only."""
        self.begin()
        self.say(began=True, keeps=True)
        self.assertIsNotNone(self.session.verdict)
        said = {"by": None, "told": TOLD.written(), "bytes_to_server": 1, "bytes_to_client": 2}
        self.say(over=9, how="killed", **said)
        self.assertEqual(self.adopted, [])

    def test_gone(self) -> None:
        """Without a carrier sessions stay; those that it was just asked for are ended."""
        self.begin()
        self.carrier.close()
        self.reactor.turn()
        self.assertIsNotNone(self.session.verdict)
        self.flushLoggedErrors()
        other = Riding(self.reactor, self.legs)
        passage = self.passages.begin(other, other)
        for _ in range(TRIES):
            self.reactor.advance(AGAIN)
        self.assertEqual(passage.released, Released("user space", "there is no carrier"))
        self.assertEqual(other.done, ["hold", "go on"] * TRIES)

    def test_ended_before_anybody_looked(self) -> None:
        """A former gateway's session that ended meanwhile is accounted for."""
        self.say(
            over=9,
            how="passed",
            by=None,
            told=TOLD.written(),
            bytes_to_server=1,
            bytes_to_client=2,
        )
        self.assertEqual(self.adopted, [(9, TOLD)])

    def test_left(self) -> None:
        """Whoever leaves accounts for a session until the carrier says that somebody else does."""
        passage = self.begun()
        self.say(settled=3)
        self.heard()
        self.say(gone=3)
        self.passages.leave()
        self.assertEqual(self.heard(), {"ask": "leave"})
        self.assertTrue(passage.carries)
        self.say(left=3)
        self.assertEqual((self.session.done[-1], self.passages.carried), ("left", 0))
        self.over()
        self.assertIsNone(self.session.verdict)

    def test_left_without_carrier(self) -> None:
        """Where the kernel's sessions go on without anybody, nobody has to be there to say so."""
        self.begun()
        self.say(settled=3)
        self.say(gone=3)
        self.carrier.close()
        self.reactor.turn()
        self.flushLoggedErrors()
        self.passages.leave()
        self.assertEqual(self.session.done[-1], "left")
        self.assertIsNone(self.session.verdict)

    def test_taken_over(self) -> None:
        """Who accepts that is given the sessions of others; with each carrier it says so again."""
        self.passages.accept()
        self.assertEqual(self.heard(), {"ask": "accept"})
        self.say(yours=9, told=TOLD.written())
        self.assertEqual(self.adopted, [(9, TOLD)])
        self.say(began=True, keeps=True)
        self.greeted([9])
        self.assertEqual(self.heard(), {"ask": "accept"})
        self.assertEqual(self.adopted, [(9, TOLD)])

    def test_others_ports(self) -> None:
        """A port of somebody else's session is not chosen, though nothing was heard in between."""
        taken = [4, *CLIENT, *SERVER]
        send(self.carrier, {"taken": [taken]})
        opened = self.assertRaises(OSError, self.ports.open_towards, SERVER, CLIENT, 0, strict=True)
        self.assertEqual(opened.errno, EADDRINUSE)
        self.say(forgotten=4)
        self.patch(sockets, "open_towards", lambda *asked, **_: asked)
        self.assertEqual(self.ports.open_towards(SERVER, CLIENT, 0), (SERVER, CLIENT, 0, False))

    def test_unreadable(self) -> None:
        """What nobody can account for does not go on."""
        for told in ({}, TOLD.written() | {"server": ["nowhere", 443]}):
            self.say(over=9, how="passed", by=None, told=told, bytes_to_server=1, bytes_to_client=2)
            self.assertEqual(self.heard(), {"ask": "kill", "index": 9})
            self.assertEqual(self.adopted, [])
            self.say(forgotten=9)
