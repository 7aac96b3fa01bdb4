"""The kit finds what is wrong with an inspector; a suite that finds nothing proves nothing."""

from __future__ import annotations

import unittest
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gateway.inspector import Inspector, Reader, StreamInspector
from gateway.interfaces import (
    CLIENT,
    SERVER,
    Address,
    Denied,
    IBody,
    IExpectation,
    ISession,
    Outcome,
    Side,
    Unreachable,
    Verdict,
)
from gateway.testing import (
    END,
    Conversation,
    FakeBody,
    FakeExpectation,
    FakeSession,
    InspectorSuite,
    bytewise,
    converse,
    every_split,
    hostile,
)

SAMPLE = Conversation(
    "sample", [(CLIENT, b"ab\r\n"), (SERVER, b"cd\r\n"), (SERVER, END), (CLIENT, END)]
)


def failures(make: Any, *conversations: Conversation) -> set[str]:
    """The names of the generic tests that an inspector does not pass."""

    class Suite(InspectorSuite, unittest.TestCase):
        pass

    Suite.inspector = make
    Suite.conversations = conversations or (SAMPLE,)
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Suite).run(result)
    return {test.id().rpartition(".")[2] for test, _ in result.failures + result.errors}


class SuiteTests(SynchronousTestCase):
    """Each generic test fails for an inspector that does what it forbids."""

    def test_good(self) -> None:
        """There is nothing to say against a relay."""
        self.assertEqual(failures(Inspector), set())

    def test_segments_are_not_messages(self) -> None:
        """An inspector that takes a segment for a message is found."""

        class Segments(Inspector):
            def received(self, side: Side, data: bytes) -> None:
                if not data.endswith(b"\r\n"):
                    raise Denied("not a line")
                self.session.send(side.other, data)

        self.assertIn("test_every_split", failures(Segments))

    def test_crash(self) -> None:
        """An inspector that crashes on bad input is found."""

        class Crashing(StreamInspector):
            async def from_client(self, read: Reader) -> None:
                while await read.more():
                    self.session.send(SERVER, (await read.some()).decode().encode())

        self.assertEqual(failures(Crashing), {"test_hostile", "test_hostile_cut"})

    def test_cut(self) -> None:
        """An inspector whose reasons depend on how its input was cut is found."""

        class Telling(Inspector):
            def received(self, side: Side, data: bytes) -> None:
                if data[:1] > b"\x7f":
                    raise Denied(f"{len(data)} bytes that begin with {data[:1]!r}")
                super().received(side, data)

        self.assertEqual(failures(Telling), {"test_hostile_cut"})

    def test_hoard(self) -> None:
        """An inspector that keeps all that comes is found."""

        class Hoarding(Inspector):
            def __init__(self, session: ISession) -> None:
                super().__init__(session)
                self.all = b""

            def received(self, side: Side, data: bytes) -> None:
                self.all += data

        self.assertEqual(failures(Hoarding), {"test_memory"})

    def test_not_understood_again(self) -> None:
        """An inspector that does not understand what it sends itself is found."""

        class Quoting(StreamInspector):
            async def from_client(self, read: Reader) -> None:
                while await read.more():
                    self.session.send(SERVER, b">" + await read.line(100) + b"\r\n")

        self.assertEqual(failures(Quoting), {"test_replay"})

    def test_late(self) -> None:
        """An inspector that asks for something after the end is found."""

        class Late(Inspector):
            def closed(self, verdict: Verdict) -> None:
                self.session.send(CLIENT, b"late")

        self.assertIn("test_cut_off", failures(Late))

    def test_cut_off(self) -> None:
        """An inspector that does not expect a peer to go away is found."""

        class Trusting(Inspector):
            def ended(self, side: Side) -> None:
                assert self.heard
                self.session.end(side.other)

            def received(self, side: Side, data: bytes) -> None:
                self.heard = True
                self.session.send(side.other, data)

        self.assertIn("test_cut_off", failures(Trusting))

    def test_reset(self) -> None:
        """One whose last words are a bug is found."""

        class Wordy(Inspector):
            def lost(self, side: Side, verdict: Verdict) -> None:
                self.session.send(side.other, verdict.reason)  # type: ignore[arg-type]

        self.assertEqual(failures(Wordy), {"test_cut_off"})

    def test_last_words(self) -> None:
        """The kit's session lets an inspector speak to the side that is left, and no longer."""

        class Polite(Inspector):
            def lost(self, side: Side, verdict: Verdict) -> None:
                self.session.send(side.other, b"alone")
                self.session.close(verdict.reason, Outcome.FAILED)

        session = FakeSession(Polite).start()
        session.resets(SERVER)
        self.assertEqual(session.sent[CLIENT], b"alone")
        self.assertEqual(session.verdict, (Outcome.FAILED, "reset by the server"))
        session = FakeSession(Inspector).start()
        session.resets(CLIENT)
        self.assertEqual(session.verdict, (Outcome.RESET, "reset by the client"))

    def test_connected_first(self) -> None:
        """The client is not heard before the server is there: an inspector may rely on it."""

        class Counting(Inspector):
            there = False

            def started(self) -> None:
                self.session.connect().addCallback(self.reached)

            def reached(self, _: Address) -> None:
                self.there = True

            def received(self, side: Side, data: bytes) -> None:
                assert self.there
                self.session.send(side.other, data)

        self.assertEqual(failures(Counting), set())

    def test_unexpected_outcome(self) -> None:
        """A sample that ends otherwise than it says is found, and one that passes is needed."""
        denied = Conversation("denied", SAMPLE.steps, outcome=Outcome.DENIED)
        self.assertEqual(failures(Inspector, denied), {"test_outcome"})

    def test_contract(self) -> None:
        """Something that is no inspector is found."""
        self.assertIn("test_contract", failures(lambda session: object()))


class SessionTests(SynchronousTestCase):
    """The fake behaves like the real one, so that what a test shows is true."""

    def test_interfaces(self) -> None:
        """The fakes provide what they stand for."""
        session = FakeSession(Inspector)
        verifyObject(ISession, session)
        verifyObject(IExpectation, FakeExpectation(CLIENT, session.client, "x"))
        verifyObject(IBody, FakeBody("x", None))

    def test_events(self) -> None:
        """What was asked for can be read like a record of the conversation."""
        course = converse(Inspector, SAMPLE.steps)
        self.assertEqual(
            course.session.events,
            [
                "connect to 198.51.100.2:7",
                "to server: b'ab\\r\\n'",
                "to client: b'cd\\r\\n'",
                "end to client",
                "end to server",
                "closed: passed",
            ],
        )

    def test_everything_is_recorded(self) -> None:
        """Whatever an inspector may ask for can be looked at."""
        session = FakeSession(Inspector).start()
        session.secure(CLIENT, b"hello")
        expectation = self.successResultOf(session.expect(SERVER, Address("192.0.2.1", 0), "data"))
        expectation.cancel()
        session.record("x", a=1)
        session.release()
        self.assertEqual(session.secured, [(CLIENT, b"hello")])
        self.assertEqual(session.expected[0].address.port, 40000)
        self.assertTrue(session.expected[0].cancelled)
        self.assertEqual((session.recorded, session.released), ([("x", {"a": 1})], True))

    def test_another_server(self) -> None:
        """Once the server has gone, there may be another one; not before."""

        class Again(Inspector):
            def ended(self, side: Side) -> None:
                self.session.connect()

            def lost(self, side: Side, verdict: Verdict) -> None:
                if side is SERVER:
                    self.session.connect()

        session = FakeSession(Again).start()
        for go in (session.hangs_up, session.resets):
            with self.assertRaises(RuntimeError):
                session.connect()
            go(SERVER)
            self.assertIsNone(session.verdict)
        session.says(SERVER, b"the third")
        self.assertEqual(len(session.connected), 3)
        self.assertEqual(session.sent[CLIENT], b"the third")
        session.resets(CLIENT)
        self.assertEqual(session.verdict, Verdict(Outcome.RESET, "reset by the client"))

    def test_lost(self) -> None:
        """A session ends when the inspector has decided what to say about a loss."""
        said: Deferred[None] = Deferred()

        class Delivering(Inspector):
            def lost(self, side: Side, verdict: Verdict) -> Deferred[None]:
                return said

        session = FakeSession(Delivering).start()
        session.resets(SERVER)
        self.assertIsNone(session.verdict)
        said.callback(None)
        self.assertEqual(session.verdict, Verdict(Outcome.RESET, "reset by the server"))

    def test_join(self) -> None:
        """A session's server side may be somebody who comes, before or after, or never."""
        for order in ("before", "after", "never", "no more"):
            control = FakeSession(Inspector).start()
            far = self.successResultOf(control.expect(SERVER, Address("192.0.2.1", 0), None))

            class Data(Inspector):
                expectation = far

                def started(self) -> None:
                    self.session.join(self.expectation)

            if order == "before":
                far.joins(Address("198.51.100.2", 20))
            if order == "no more":
                far.cancel()
            data = FakeSession(Data).start()
            if order == "after":
                self.assertFalse(data.opened)
                far.joins(Address("198.51.100.2", 20))
            if order == "never":
                far.cancel()
            if order in ("never", "no more"):
                self.assertIs(data.verdict.outcome, Outcome.FAILED)
            else:
                data.says(SERVER, b"hello")
                self.assertEqual(data.sent[CLIENT], b"hello")
                self.assertEqual(data.connected, [Address("198.51.100.2", 20)])
            self.assertTrue(far.gone.called)

    def test_dial(self) -> None:
        """A side that listens is connected to, or not; whoever asked may give up."""
        control = FakeSession(Inspector).start()
        address = Address("198.51.100.2", 40000)
        dialed = control.dial(SERVER, address, Inspector)
        data = control.dialed[0].answers()
        self.assertEqual(self.successResultOf(dialed), address)
        self.assertEqual((data.client, data.server.host), (address, control.client.host))
        refused = control.dial(SERVER, address, Inspector)
        control.dialed[1].refuses()
        self.failureResultOf(refused, Unreachable)
        given_up = control.dial(CLIENT, address, Inspector)
        given_up.addErrback(lambda failure: None)
        given_up.cancel()
        self.assertTrue(control.dialed[2].cancelled)
        self.assertEqual(control.dialed[2].source.host, control.server.host)
        self.failureResultOf(control.dial(CLIENT, Address("203.0.113.9", 1), Inspector), Denied)

    def test_stack(self) -> None:
        """A stacked body passes as it is, to the sink."""
        course: list[Any] = []

        class Sink:
            def received(self, data: bytes) -> None:
                course.append(data)

            def ended(self) -> None:
                course.append(END)

        session = FakeSession(Inspector).start()
        body = session.stack("virus", Sink())
        body.send(b"a")
        body.end()
        body.cancel()
        self.assertEqual((course, session.bodies[0].data), ([b"a", END], b"a"))
        self.assertTrue(body.cancelled)

    def test_after_the_end(self) -> None:
        """After the end nothing happens any more, and what is asked for is noted as late."""
        session = FakeSession(Inspector).start()
        session.deny("no", b"sorry")
        session.send(CLIENT, b"more")
        session.says(CLIENT, b"x")
        self.assertEqual(session.sent, {CLIENT: b"sorry", SERVER: b""})
        self.assertEqual(session.late, ["to client: b'more'"])

    def test_unreachable(self) -> None:
        """A server that is not reached ends the session, if the inspector does not care."""
        session = FakeSession(Inspector, reachable=False).start()
        assert session.verdict is not None
        self.assertEqual(session.verdict.outcome, Outcome.FAILED)

    def test_later(self) -> None:
        """A test may decide when the server is reached; the client waits."""
        session = FakeSession(Inspector, reachable=None).start()
        session.says(CLIENT, b"a")
        self.assertEqual((session.sent[SERVER], session.paused), (b"", {CLIENT}))
        session.reach()
        self.assertEqual((session.sent[SERVER], session.paused), (b"a", set()))
        refused = FakeSession(Inspector, reachable=None).start()
        refused.refuse()
        assert refused.verdict is not None
        self.assertIn("connection refused", refused.verdict.reason)

    def test_twice(self) -> None:
        """Connecting twice is a bug here as it is there."""
        session = FakeSession(Inspector).start()
        self.assertRaises(RuntimeError, session.connect)

    def test_not_connected(self) -> None:
        """A test whose server speaks before it is connected to is wrong."""
        session = FakeSession(Inspector, reachable=None).start()
        self.assertRaises(AssertionError, session.says, SERVER, b"x")

    def test_released(self) -> None:
        """After a release, the session relays by itself."""

        class Deaf(Inspector):
            def started(self) -> None:
                self.session.connect()
                self.session.release()

            def received(self, side: Side, data: bytes) -> None:
                raise AssertionError("told after a release")

        course = converse(Deaf, SAMPLE.steps)
        self.assertEqual(course.session.sent, {SERVER: b"ab\r\n", CLIENT: b"cd\r\n"})

    def test_bug_in_a_decision(self) -> None:
        """A bug that shows only after a decision is not lost."""
        decision: Deferred[None] = Deferred()

        class Deciding(Inspector):
            def received(self, side: Side, data: bytes) -> Deferred[None]:
                return decision

        session = FakeSession(Deciding).start()
        session.says(CLIENT, b"x")
        decision.errback(ZeroDivisionError())
        self.assertRaises(ZeroDivisionError, session.over)

    def test_time(self) -> None:
        """A test lets time pass: what was to happen happens in order, once, if not cancelled."""
        happened: list[str] = []

        class Timed(Inspector):
            def started(self) -> None:
                self.session.after(2, lambda: happened.append(f"second at {self.session.now}"))
                self.session.after(1, lambda: self.session.after(3, self.fourth))
                self.session.after(3, lambda: happened.append("third")).cancel()

            def fourth(self) -> None:
                happened.append(f"fourth at {self.session.date()}")
                raise Denied("too slow")

        session = FakeSession(Timed, now=0.0).start()
        session.advance(1.5)
        self.assertEqual(happened, [])
        session.advance(10)
        self.assertEqual(happened, ["second at 2.0", "fourth at 4.0"])
        self.assertEqual(session.verdict, Verdict(Outcome.DENIED, "too slow"))

    def test_bug_in_time(self) -> None:
        """An exception of what was to happen later is the test's to see."""

        class Timed(Inspector):
            def started(self) -> None:
                self.session.after(1, lambda: 1 // 0)

        session = FakeSession(Timed).start()
        self.assertRaises(ZeroDivisionError, session.advance, 2)

    def test_elsewhere(self) -> None:
        """Names have the addresses, and the policy permits the servers, that the test says."""
        session = FakeSession(Inspector, names={"a": ("192.0.2.7",), "b": None}, elsewhere=False)
        self.assertEqual(self.successResultOf(session.resolve("a")), ("192.0.2.7",))
        self.assertEqual(self.successResultOf(session.resolve("c")), ())
        self.failureResultOf(session.resolve("b"), Unreachable)
        self.failureResultOf(session.connect(Address("192.0.2.7", 7)), Denied)
        self.assertEqual(session.connected, [])

    def test_handed_over(self) -> None:
        """What is handed over passes; the inspector is told nothing more of it."""

        class Handing(StreamInspector):
            async def from_client(self, read: Reader) -> None:
                await read.line(10)
                self.hand_over("other")

        session = FakeSession(Handing).start()
        session.says(CLIENT, b"a\r\nrest")
        session.says(CLIENT, b" and more")
        self.assertEqual(session.handed, ("other", {CLIENT: b"rest"}))
        self.assertEqual(session.sent[SERVER], b" and more")

    def test_close(self) -> None:
        """An inspector that closes on purpose gets that verdict."""
        session = FakeSession(Inspector).start()
        session.close("done")
        self.assertEqual(session.verdict, Verdict(Outcome.CLOSED, "done"))


class InputTests(SynchronousTestCase):
    """What the suite feeds to inspectors."""

    def test_every_split(self) -> None:
        """Whole, byte by byte, and cut at every place."""
        self.assertEqual(
            list(every_split(b"abc")),
            [[b"abc"], [b"a", b"b", b"c"], [b"a", b"bc"], [b"ab", b"c"]],
        )
        self.assertEqual((list(every_split(b"")), bytewise(b"")), ([[]], []))

    def test_hostile(self) -> None:
        """The same seed gives the same input, so that a failure can be repeated."""
        first = list(hostile([b"sample\r\n"], seed=2))
        self.assertEqual(first, list(hostile([b"sample\r\n"], seed=2)))
        self.assertNotEqual(first, list(hostile([b"sample\r\n"], seed=3)))
