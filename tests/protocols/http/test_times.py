"""Who takes too long: slow heads, slow bodies, slow servers, idle connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Outcome, Side
from gateway.testing import FakeBody, FakeSession
from gateway.testing.timer import FakeTimer
from protocols.http.decision import Pass
from protocols.http.inspector import HttpInspector
from protocols.http.limits import Limits
from protocols.http.policy.patterns import read_paths, read_types
from protocols.http.policy.settings import HttpSettings
from protocols.http.policy.test import RequestTest, ResponseTest
from protocols.http.settings import Stack
from protocols.http.times import Times
from tests.protocols.http.test_transactions import GET, OK, PUT, Scripted, begin, records, scripted

NEVER = Times(
    head_seconds=0,
    request_seconds=0,
    request_bytes_per_second=0,
    response_seconds=0,
    silence_seconds=0,
    keepalive_seconds=0,
    take_seconds=0,
)

POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"


def timed(**values: Any) -> FakeSession:
    """A client that was admitted, with these limits and no others."""
    off = {name: 0 for name in Times.__annotations__ if name not in ("shortest", "window_seconds")}
    return begin(HttpSettings(times=Times(**{**off, **values})))


SAID: list[tuple[Side, bytes | None]] = [
    (CLIENT, GET % 1),
    (CLIENT, POST),
    (CLIENT, GET[:9]),
    (CLIENT, PUT + b"Expect: 100-continue\r\n\r\n"),
    (CLIENT, b"a" * 1000),
    (CLIENT, b"a" * 100000),
    (CLIENT, None),
    (SERVER, OK),
    (SERVER, OK[:-1]),
    (SERVER, b"HTTP/1.1 100 Continue\r\n\r\n"),
    (SERVER, b"HTTP/1.1 408 Late\r\n\r\n"),
    (SERVER, b"HTTP/1.1 200 OK\r\n\r\n"),
    (SERVER, b"b" * 1000),
    (SERVER, None),
]


class Thinking(FakeBody):
    """A body that an inspector is thinking about."""

    def send(self, data: bytes) -> Deferred[None]:  # type: ignore[override]
        """See L{IBody.send}."""
        return Deferred()


class Stacking(FakeSession):
    """Whose stacked inspector never comes to an end."""

    def stack(self, service: str, sink: Any, envelope: Any = None) -> FakeBody:
        """See L{ISession.stack}."""
        return Thinking(service, sink)


class Counting(FakeSession):
    """
    @ivar asked: how many timers it was asked for.
    """

    asked = 0

    def after(self, seconds: float, call: Callable[[], Any]) -> FakeTimer:
        """See L{ISession.after}."""
        self.asked += 1
        return super().after(seconds, call)


def thinking(**stack: str) -> FakeSession:
    """A session with limits for bodies, which a stacked inspector keeps."""
    times = Times(request_bytes_per_second=100, response_bytes_per_second=100, window_seconds=10)
    return Stacking(HttpInspector, HttpSettings(times=times, stack=Stack(**stack))).start()


class TimesTests(SynchronousTestCase):
    """Each limit ends what it is for, at its time, with an answer where one can be given."""

    def refused(self, session: FakeSession, status: int, limit: str) -> dict[str, Any]:
        """The record of what ended with this status by this limit."""
        assert session.verdict is not None, session.events
        if status:
            self.assertIn(b"HTTP/1.1 %d " % status, session.sent[CLIENT])
        self.assertIn(f"times.{limit} = ", session.verdict.reason)
        record = records(session)[-1]
        self.assertEqual(record["reason"], session.verdict.reason)
        if status:
            self.assertEqual(record["status"], status)
        return record

    def test_slow_head(self) -> None:
        """A head that comes byte by byte is answered with 408 when its time is over."""
        session = timed(head_seconds=10)
        for at in range(10):
            session.says(CLIENT, GET[at : at + 1])
            self.assertIsNone(session.verdict)
            session.advance(1)
        record = self.refused(session, 408, "head_seconds")
        self.assertEqual(record["verdict"], "denied")
        self.assertEqual(session.connected, [])

    def test_slow_second_head(self) -> None:
        """So is a later one, counted from its own first byte."""
        session = timed(head_seconds=10)
        session.says(CLIENT, GET % 1)
        session.says(SERVER, OK)
        session.advance(33)
        session.says(CLIENT, b"G")
        session.advance(9.5)
        self.assertIsNone(session.verdict)
        session.advance(1)
        self.assertTrue(session.sent[CLIENT].startswith(OK + b"HTTP/1.1 408 "))

    def test_slow_head_behind_another(self) -> None:
        """A 408 never gets before or into the answer that the client waits for."""
        session = begin(HttpSettings(times=Times(head_seconds=10), limits=Limits(pipelined=2)))
        session.says(CLIENT, GET % 1 + b"G")
        session.advance(11)
        self.assertEqual(session.sent[CLIENT], b"")
        self.assertIs(session.verdict and session.verdict.outcome, Outcome.DENIED)

    def test_slow_request(self) -> None:
        """A whole request has its time too, however steadily it comes."""
        session = timed(request_seconds=20)
        session.says(CLIENT, POST)
        for _ in range(19):
            session.says(CLIENT, b"a" * 1000)
            session.advance(1)
        self.assertIsNone(session.verdict)
        session.advance(2)
        self.refused(session, 400, "request_seconds")

    def test_slow_body(self) -> None:
        """
        A body that drips is answered, but not with 408: browsers take that for the end of a
        connection that they have used before, and send all again on every one that they have.
        """
        session = timed(request_bytes_per_second=100, window_seconds=10)
        session.says(CLIENT, POST)
        for _ in range(10):
            session.says(CLIENT, b"a" * 99)
            session.advance(1)
        record = self.refused(session, 400, "request_bytes_per_second")
        self.assertEqual(record["request_length"], 990)
        self.assertIn(b"Your program took too long to ask.", session.sent[CLIENT])

    def test_no_body(self) -> None:
        """One of which nothing has come may hear 408: there is nothing to send again."""
        for limit in (
            {"request_bytes_per_second": 100, "window_seconds": 10},
            {"request_seconds": 9},
        ):
            session = timed(**limit)
            session.says(CLIENT, POST)
            session.advance(11)
            self.refused(session, 408, next(iter(limit)))

    def test_steady_body(self) -> None:
        """One that comes as fast as it has to may take hours."""
        session = timed(request_bytes_per_second=100, window_seconds=10)
        session.says(CLIENT, POST)
        for _ in range(99):
            session.says(CLIENT, b"a" * 1000)
            session.advance(10)
        self.assertIsNone(session.verdict)

    def test_body_that_stops(self) -> None:
        """What came fast at first does not count later."""
        session = timed(request_bytes_per_second=100, window_seconds=10)
        session.says(CLIENT, POST + b"a" * 50000)
        session.advance(11)
        self.assertIsNone(session.verdict)
        session.advance(10)
        self.refused(session, 400, "request_bytes_per_second")

    def test_slow_server_is_not_the_clients_fault(self) -> None:
        """A client that may not send more is not slow."""
        session = timed(request_bytes_per_second=100, window_seconds=10)
        session.slow.add(SERVER)
        session.says(CLIENT, POST + b"a" * 2000)
        session.advance(100)
        self.assertIsNone(session.verdict)
        session.slow.clear()
        session.flush(SERVER)
        session.advance(11)  # it gets a whole window of its own
        self.assertIsNone(session.verdict)
        session.advance(10)
        self.assertIsNotNone(session.verdict)

    def test_stacked_service_is_not_the_clients_fault(self) -> None:
        """Nor is one whose bytes another inspector is thinking about."""
        session = thinking(request="scanner")
        session.says(CLIENT, POST + b"abc")
        session.advance(35)
        self.assertIsNone(session.verdict)

    def test_stacked_service_is_not_the_servers_fault(self) -> None:
        """The same for answers."""
        session = thinking(response="scanner")
        session.says(CLIENT, GET % 1)
        session.says(SERVER, OK[:-1])
        session.advance(35)
        self.assertIsNone(session.verdict)

    def test_waiting_to_be_asked(self) -> None:
        """A client that waits for a 100 is not slow; the server is."""
        session = timed(request_bytes_per_second=100, window_seconds=10, response_seconds=60)
        session.says(CLIENT, PUT + b"Expect: 100-continue\r\n\r\n")
        session.advance(59)
        self.assertIsNone(session.verdict)
        session.advance(2)
        self.refused(session, 504, "response_seconds")

    def test_asked_late(self) -> None:
        """Its time begins when it is asked."""
        session = timed(request_bytes_per_second=100, window_seconds=10)
        session.says(CLIENT, PUT + b"Expect: 100-continue\r\n\r\n")
        session.advance(9)
        session.says(SERVER, b"HTTP/1.1 100 Continue\r\n\r\n")
        session.advance(9)
        self.assertIsNone(session.verdict)
        session.advance(2)
        self.refused(session, 408, "request_bytes_per_second")

    def test_asked_very_late(self) -> None:
        """However often the watch has looked before."""
        session = timed(request_bytes_per_second=100, window_seconds=10)
        session.says(CLIENT, PUT + b"Expect: 100-continue\r\n\r\n")
        session.advance(35)
        session.says(SERVER, b"HTTP/1.1 100 Continue\r\n\r\n")
        session.advance(9)
        self.assertIsNone(session.verdict)
        session.advance(2)
        self.assertIsNotNone(session.verdict)

    def test_connecting_is_not_the_clients_fault(self) -> None:
        """Its time begins when somebody is there to take the body."""
        times = Times(request_bytes_per_second=100, window_seconds=10)
        session = begin(HttpSettings(times=times), reachable=None)
        session.says(CLIENT, POST)
        session.advance(25)
        session.reach()
        session.advance(9)
        self.assertIsNone(session.verdict)
        session.advance(2)
        self.assertIsNotNone(session.verdict)

    def test_deciding_is_not_the_clients_fault(self) -> None:
        """Nor does it begin before the policy has decided, where it wants to see the body."""
        script = Scripted(late=Deferred(), look=100)
        session = scripted(script, Times(request_bytes_per_second=100, window_seconds=10))
        session.says(CLIENT, POST)
        session.advance(25)
        request = session.inspector.dialogue.current.request  # type: ignore[attr-defined]
        script.late.callback(Pass(request, 100))  # type: ignore[union-attr]
        session.advance(9)
        self.assertIsNone(session.verdict)
        session.advance(2)
        self.refused(session, 408, "request_bytes_per_second")

    def test_slow_body_of_what_is_answered(self) -> None:
        """There is no 408 in the middle of an answer."""
        session = timed(request_bytes_per_second=100, window_seconds=10)
        session.says(CLIENT, POST)
        session.says(SERVER, OK[:-1])
        session.advance(11)
        self.assertEqual(session.sent[CLIENT], OK[:-1])
        self.assertIs(session.verdict and session.verdict.outcome, Outcome.DENIED)

    def test_uploading(self) -> None:
        """A server need not answer before it has the whole request, however long that takes."""
        session = timed(response_seconds=60)
        session.says(CLIENT, PUT + b"\r\nab")
        session.advance(1000)
        session.says(CLIENT, b"c")
        session.advance(59)
        self.assertIsNone(session.verdict)
        session.advance(2)
        self.refused(session, 504, "response_seconds")

    def test_slow_server(self) -> None:
        """A server that does not answer: 504, and nobody is blamed but it."""
        session = timed(response_seconds=60)
        session.says(CLIENT, GET % 1)
        session.advance(59)
        self.assertIsNone(session.verdict)
        session.advance(2)
        record = self.refused(session, 504, "response_seconds")
        self.assertEqual(record["verdict"], "failed")
        self.assertIs(session.verdict and session.verdict.outcome, Outcome.FAILED)

    def test_server_that_works(self) -> None:
        """One that says that it is at work (102) has its time anew; one that answers, all of it."""
        session = timed(response_seconds=60)
        session.says(CLIENT, GET % 1)
        session.advance(50)
        session.says(SERVER, b"HTTP/1.1 102 Processing\r\n\r\n")
        session.advance(50)
        session.says(SERVER, OK[:-1])
        session.advance(500)
        self.assertIsNone(session.verdict)

    def test_slow_answer(self) -> None:
        """An answer that drips is broken off, so that nobody takes it for complete."""
        session = timed(response_bytes_per_second=100, window_seconds=10)
        session.says(CLIENT, GET % 1)
        session.advance(55)
        session.says(SERVER, b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"a" * 999)
        session.advance(9)
        self.assertIsNone(session.verdict)
        session.advance(2)
        record = self.refused(session, 0, "response_bytes_per_second")
        self.assertEqual((record["verdict"], record["length"]), ("failed", 999))
        self.assertNotIn(b"408", session.sent[CLIENT])

    def test_silent_answer(self) -> None:
        """
        A server that falls silent in the middle: the client gets what came, and an end that is not
        the answer's.
        """
        for head, outcome in (
            (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n", Outcome.FAILED),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n", Outcome.FAILED),
            (b"HTTP/1.1 200 OK\r\n\r\n", Outcome.DENIED),
        ):
            session = timed(silence_seconds=60)
            session.says(CLIENT, GET % 1)
            session.advance(500)
            session.says(SERVER, head)
            for _ in range(20):
                session.advance(50)
                session.says(SERVER, b"a")
                if b"chunked" in head:
                    session.says(SERVER, b"b\r\n2\r\n")
            self.assertIsNone(session.verdict)
            session.advance(121)
            record = self.refused(session, 0, "silence_seconds")
            self.assertEqual(record["verdict"], "failed")
            self.assertIs(session.verdict and session.verdict.outcome, outcome)

    def test_silence_is_not_the_servers_fault(self) -> None:
        """While the client has not taken all, or somebody thinks about it, the server may wait."""
        session = timed(silence_seconds=60)
        session.slow.add(CLIENT)
        thought = thinking(response="other")
        for one in (session, thought):
            one.says(CLIENT, GET % 1)
            one.says(SERVER, b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\na")
            one.advance(300)
            self.assertIsNone(one.verdict)

    def test_long_poll(self) -> None:
        """By default, what is common: five minutes, and some seconds more."""
        session = begin()
        session.says(CLIENT, GET % 1)
        session.advance(330)
        session.says(SERVER, OK[:-1])
        session.advance(330)
        session.says(SERVER, OK[-1:])
        self.assertIsNone(session.verdict)
        self.assertEqual(session.sent[CLIENT], OK)

    def test_waits_that_the_policy_allows(self) -> None:
        """A test of requests or of responses says how long the server may be silent."""
        asked = RequestTest(path=read_paths(("/poll",)), action="wait", seconds=1000)
        answered = ResponseTest(
            content_type=read_types(("text/event-stream",)), action="wait", seconds=2000
        )
        policy = HttpSettings(
            times=Times(response_seconds=60, silence_seconds=60),
            request=(asked,),
            response=(answered,),
        )
        for target, type, before, within in (
            (b"/", b"text/html", 60, 60),
            (b"/poll", b"text/html", 1000, 1000),
            (b"/", b"text/event-stream", 60, 2000),
            (b"/poll", b"text/event-stream", 1000, 2000),
        ):
            head = b"HTTP/1.1 200 OK\r\nContent-Type: " + type + b"\r\nContent-Length: 9\r\n\r\n"
            for late in (False, True):
                session = begin(policy)
                session.says(CLIENT, GET.replace(b"/%d", target))
                session.advance(before + (1 if late else -1))
                self.assertIs(session.verdict is not None, late, (target, type))
                if late:
                    self.assertIn(b"HTTP/1.1 504 ", session.sent[CLIENT])
                    continue
                session.says(SERVER, head)
                session.advance(within - 1)
                self.assertIsNone(session.verdict, (target, type))
                session.advance(61)
                assert session.verdict is not None
                limit = "times.silence_seconds = 60" if within == 60 else f"seconds = {within}"
                self.assertIn(limit, session.verdict.reason)

    def test_slow_reader_is_not_the_servers_fault(self) -> None:
        """A server that may not send more is not slow."""
        session = timed(response_bytes_per_second=100, window_seconds=10)
        session.slow.add(CLIENT)
        session.says(CLIENT, GET % 1)
        session.says(SERVER, b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
        session.advance(100)
        self.assertIsNone(session.verdict)

    def test_slow_reader(self) -> None:
        """A client that does not take what it asked for is broken off, though not at once."""
        session = timed(take_seconds=60)
        session.slow.add(CLIENT)
        session.says(CLIENT, GET % 1)
        session.says(SERVER, b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
        for _ in range(10):  # slow, but it takes all now and then
            session.advance(59)
            session.flush(CLIENT)
        self.assertIsNone(session.verdict)
        session.advance(121)
        record = self.refused(session, 0, "take_seconds")
        self.assertEqual(record["verdict"], "denied")

    def test_slow_reader_of_a_whole_answer(self) -> None:
        """The same if the server has nothing to do with it any more."""
        session = timed(take_seconds=60)
        session.slow.add(CLIENT)
        session.says(CLIENT, GET % 1)
        session.says(SERVER, OK)
        session.advance(121)
        self.assertIs(session.verdict and session.verdict.outcome, Outcome.DENIED)
        self.assertEqual([one["verdict"] for one in records(session)], ["passed"])

    def test_idle(self) -> None:
        """A client that asks for nothing more is let go of, without a word."""
        session = timed(keepalive_seconds=60)
        session.says(CLIENT, GET % 1)
        session.advance(50)
        session.says(SERVER, OK)
        session.advance(59)
        self.assertIsNone(session.verdict)
        session.advance(2)
        self.assertEqual(session.sent[CLIENT], OK)
        self.assertIs(session.verdict and session.verdict.outcome, Outcome.CLOSED)
        self.assertEqual([one["verdict"] for one in records(session)], ["passed"])

    def test_idle_after_a_refusal(self) -> None:
        """What the gateway answers itself counts as an answer."""
        session = timed(keepalive_seconds=60)
        session.advance(50)
        session.says(CLIENT, b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n")
        session.advance(59)
        self.assertIsNone(session.verdict)
        session.advance(2)
        self.assertIsNotNone(session.verdict)

    def test_never_asked(self) -> None:
        """So is one that never asked."""
        session = timed(keepalive_seconds=60)
        session.advance(61)
        self.assertEqual((session.sent[CLIENT], session.recorded), (b"", []))
        self.assertIs(session.verdict and session.verdict.outcome, Outcome.CLOSED)

    def test_idle_with_an_answer_on_its_way(self) -> None:
        """But not before it has the answer, which may be slow to arrive."""
        session = timed(keepalive_seconds=60)
        session.slow.add(CLIENT)
        session.says(CLIENT, GET % 1)
        session.says(SERVER, OK)
        session.advance(1000)
        self.assertIsNone(session.verdict)
        session.flush(CLIENT)
        session.slow.clear()
        session.advance(61)
        self.assertIsNotNone(session.verdict)

    def test_policy_may_take_its_time(self) -> None:
        """While a decision is awaited, nobody is slow."""
        session = scripted(Scripted(late=Deferred()))
        session.says(CLIENT, POST)
        session.advance(10000)
        self.assertIsNone(session.verdict)

    def test_tunnel(self) -> None:
        """What is not HTTP any more is not watched."""
        session = Counting(HttpInspector, HttpSettings(connect=True)).start()
        session.says(CLIENT, b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n")
        session.says(SERVER, b"HTTP/1.1 200 OK\r\n\r\n")
        session.advance(100000)
        self.assertIsNone(session.verdict)
        self.assertEqual(session.asked, 1)

    def test_off(self) -> None:
        """Without limits there is no timer."""
        session = begin(HttpSettings(times=NEVER))
        session.says(CLIENT, b"G")
        session.advance(1e6)
        self.assertIsNone(session.verdict)
        self.assertEqual(NEVER.shortest, 0)

    @given(st.lists(st.one_of(st.sampled_from(SAID), st.floats(0, 25)), max_size=12))
    @settings(max_examples=300, deadline=None)
    def test_whenever(self, steps: list[tuple[Side, bytes | None] | float]) -> None:
        """Whoever says what, whenever, it comes to an end in time; and that is never a bug."""
        times = Times(
            head_seconds=10,
            request_seconds=30,
            request_bytes_per_second=100,
            response_seconds=15,
            silence_seconds=25,
            response_bytes_per_second=100,
            take_seconds=40,
            window_seconds=10,
            keepalive_seconds=20,
        )
        session = begin(HttpSettings(times=times, limits=Limits(pipelined=2)))
        for step in steps:
            if session.verdict is not None:
                break
            if isinstance(step, float):
                session.advance(step)
            elif step[0] is CLIENT or session.opened:
                side, data = step
                session.hangs_up(side) if data is None else session.says(side, data)
        session.advance(1000)
        self.assertIsNotNone(session.verdict, steps)
        self.assertEqual(session.late, [], steps)
        self.assertIsNot(session.verdict and session.verdict.outcome, Outcome.BROKEN)

    @given(
        st.integers(1, 300),
        st.integers(1, 300),
        st.integers(0, 1000),
        st.booleans(),
    )
    @settings(max_examples=200, deadline=None)
    def test_exact(self, head: int, keepalive: int, rest: int, answered: bool) -> None:
        """Whatever the limits are, each ends at its own time, within half a second."""
        session = timed(head_seconds=head, keepalive_seconds=keepalive)
        idle = min(rest, keepalive - 1)
        if answered:
            session.says(CLIENT, GET % 1)
            session.advance(7)
            session.says(SERVER, OK)
        session.advance(idle)
        session.says(CLIENT, b"G")
        session.advance(head - 0.5)
        self.assertIsNone(session.verdict)
        session.advance(1)
        self.assertIsNotNone(session.verdict)
