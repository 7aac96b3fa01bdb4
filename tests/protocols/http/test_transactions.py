"""Requests and responses in their order: pairing, persistence, refusals, records."""

from __future__ import annotations

from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Address, ISession, Outcome
from gateway.testing import FakeBody, FakeSession
from protocols.http.decision import Decision, IDecisions, Page, Pass, Redirect, Refuse, Stacked
from protocols.http.inspector import HttpInspector
from protocols.http.limits import Limits
from protocols.http.message import Headers, Request, Response
from protocols.http.policy.settings import HttpSettings
from protocols.http.policy.test import ResponseTest
from protocols.http.settings import Stack
from protocols.http.times import Times

GET = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
PUT = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
ENDING = HttpSettings(keep_client=False)
"""Clients' connections end with servers'."""


def begin(settings: HttpSettings | None = None, **options: Any) -> FakeSession:
    """A client that was admitted."""
    options.setdefault("server", Address("198.51.100.2", 80))
    return FakeSession(HttpInspector, settings, **options).start()


def ask(request: bytes, settings: HttpSettings | None = None, **options: Any) -> FakeSession:
    """What comes of a request."""
    session = begin(settings, **options)
    session.says(CLIENT, request)
    return session


def answer(request: bytes, response: bytes, settings: HttpSettings | None = None) -> bytes:
    """What the client hears."""
    session = ask(request, settings)
    session.says(SERVER, response)
    return session.sent[CLIENT]


def records(session: FakeSession) -> list[dict[str, Any]]:
    """The C{http} records."""
    return session.records_of("http")


def limits(**values: int) -> HttpSettings:
    """Settings with these limits."""
    return HttpSettings(limits=Limits(**values))


@define
class Scripted:
    """
    A policy that says what the test wants.

    @ivar late: a decision about requests that takes time.
    @ivar choose: the service that inspects bodies.
    """

    request_decision: Any = None
    response_decision: Any = None
    look: int = 0
    refused_content: Refuse | None = None
    seen: list[bytes] = field(factory=list)
    late: Deferred[Decision] | None = None
    choose: Stacked | None = None
    plans: None = None

    def request(
        self, request: Request, server: Address, client: Address
    ) -> Decision | Deferred[Decision]:
        """See L{IDecisions.request}."""
        if self.late is not None:
            return self.late
        return self.request_decision or Pass(request, stack=self.choose)

    def response(self, response: Response) -> Decision:
        """See L{IDecisions.response}."""
        return self.response_decision or Pass(response, self.look, stack=self.choose)

    def content(self, response: Response, beginning: bytes) -> Refuse | None:
        """See L{IDecisions.content}."""
        self.seen.append(beginning)
        return self.refused_content

    def further_asked(self, headers: Headers) -> Headers | Refuse:
        """See L{IDecisions.further_asked}."""
        return headers

    def further_answered(self, headers: Headers) -> Headers | Refuse:
        """See L{IDecisions.further_answered}."""
        return headers

    def page(
        self,
        status: int,
        reason: str,
        request: Request | None,
        about: int = 0,
        words: str = "",
    ) -> Page:
        """See L{IDecisions.page}."""
        return Page("text/plain", b"no\n")


def by_script(script: IDecisions) -> type[HttpInspector]:
    """An inspector whose policy is the test's."""

    class ScriptedInspector(HttpInspector):
        def decisions(self, session: ISession) -> IDecisions:
            return script

    return ScriptedInspector


def scripted(script: IDecisions, times: Times | None = None) -> FakeSession:
    """A session whose policy is the test's."""
    return FakeSession(by_script(script), HttpSettings(times=times or Times())).start()


class OrderTests(SynchronousTestCase):
    """Answers come in the order of the requests, and to whom they belong."""

    def test_one_at_a_time(self) -> None:
        """By default a request waits until the one before was answered."""
        session = ask(GET % 1 + GET % 2)
        self.assertEqual(session.sent[SERVER], GET % 1)
        self.assertIn(CLIENT, session.paused)
        session.says(SERVER, OK)
        self.assertEqual(session.sent[SERVER], GET % 1 + GET % 2)

    def test_pipelined(self) -> None:
        """As many as the operator allows are under way at once, and no more."""
        session = ask(b"".join(GET % each for each in range(5)), limits(pipelined=3))
        self.assertEqual(session.sent[SERVER].count(b"GET"), 3)
        session.says(SERVER, OK + OK)
        self.assertEqual(session.sent[SERVER].count(b"GET"), 5)
        session.says(SERVER, OK * 3)
        self.assertEqual([one["url"] for one in records(session)], [f"/{n}" for n in range(5)])

    def test_policy_waits(self) -> None:
        """So is what the policy refuses."""
        trace = b"TRACE /2 HTTP/1.1\r\nHost: a\r\n\r\n"
        session = ask(GET % 1 + trace, limits(pipelined=2))
        self.assertEqual(session.sent[CLIENT], b"")
        session.says(SERVER, OK)
        self.assertTrue(session.sent[CLIENT].startswith(OK + b"HTTP/1.1 403 "))

    def test_refusal_waits(self) -> None:
        """What is refused is answered after what was asked before it, never within that answer."""
        session = ask(GET % 1 + b"GET /bad\r\n\r\n", limits(pipelined=2))
        session.says(SERVER, OK[:-1])
        self.assertEqual(session.sent[CLIENT], OK[:-1])
        session.says(SERVER, OK[-1:])
        self.assertTrue(session.sent[CLIENT].startswith(OK + b"HTTP/1.1 400 Bad Request\r\n"))

    def test_bad_body_of_what_is_being_answered(self) -> None:
        """If the answer has begun, there is none of ours in it; the connection breaks."""
        session = ask(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        session.says(SERVER, OK[:-1])
        session.says(CLIENT, b"xyz\r\n")
        self.assertEqual(session.sent[CLIENT], OK[:-1])
        self.assertIs(session.verdict.outcome, Outcome.DENIED)  # type: ignore[union-attr]

    def test_early_answer(self) -> None:
        """A server may answer before it has the whole body; the rest still reaches it."""
        session = ask(PUT + b"\r\na")
        session.says(SERVER, OK)
        self.assertEqual((session.sent[CLIENT], records(session)), (OK, []))
        session.says(CLIENT, b"bc" + GET % 1)
        self.assertTrue(session.sent[SERVER].endswith(b"\r\n\r\nabc" + GET % 1))
        self.assertEqual(records(session)[0]["request_length"], 3)

    def test_expects_and_is_answered(self) -> None:
        """
        Without a 100, nobody knows whether the body follows: the connection ends with that
        answer, and the client is told.
        """
        session = ask(PUT + b"Expect: 100-continue\r\n\r\n")
        session.says(SERVER, OK)
        self.assertIn(b"\r\nConnection: close\r\n", session.sent[CLIENT])
        self.assertIn(CLIENT, session.halves)

    def test_client_leaves(self) -> None:
        """A client that leaves when everything is answered, or asked nothing, needs nobody."""
        session = ask(GET % 1)
        session.says(SERVER, OK)
        session.hangs_up(CLIENT)
        idle = begin()
        idle.hangs_up(CLIENT)
        for one in (session, idle):
            self.assertIsNotNone(one.verdict)
            self.assertEqual(one.verdict and one.verdict.outcome, Outcome.PASSED)
        self.assertEqual([one["verdict"] for one in records(session)], ["passed"])

    def test_client_asks_and_ends(self) -> None:
        """A client that has said all, but has not heard all, gets its answers."""
        session = ask(GET % 1 + GET % 2)
        session.says(SERVER, OK)
        session.hangs_up(CLIENT)
        self.assertIsNone(session.verdict)
        session.says(SERVER, OK)
        self.assertEqual(session.sent[CLIENT], OK + OK)

    def test_goodbye(self) -> None:
        """A server that parts from an idle client by a 408 is no attacker; the client just ends."""
        session = ask(GET % 1, ENDING)
        session.says(SERVER, OK)
        session.says(SERVER, b"HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n")
        self.assertEqual(session.sent[CLIENT], OK)
        self.assertIs(session.verdict.outcome, Outcome.CLOSED)  # type: ignore[union-attr]
        self.assertEqual([one["verdict"] for one in records(session)], ["passed"])

    def test_second_answer(self) -> None:
        """
        Whatever a server says behind an answer reaches nobody; the client keeps what it has, which
        was complete, and the connection ends in an orderly way.
        """
        close = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        for first in (OK, close):
            for second in (OK, b"more", b"\n", b"x" * 100000, b"HTTP/1.1 40"):
                session = ask(GET % 1, ENDING)
                session.says(SERVER, first)
                session.says(SERVER, second)
                session.hangs_up(SERVER)
                self.assertEqual(session.sent[CLIENT], first)
                self.assertIn("answers no request", str(session.verdict))
                self.assertIs(session.verdict.outcome, Outcome.DENIED)  # type: ignore[union-attr]
                self.assertTrue(session.events[-2].startswith("close: "), session.events)

    def test_answered_before_asked(self) -> None:
        """An answer that came before its request was sent is not that request's."""
        session = ask(GET % 1 + GET % 2)
        session.says(SERVER, OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        self.assertEqual((session.sent[CLIENT], session.sent[SERVER]), (OK, GET % 1))
        self.assertIn("answers no request", str(session.verdict))

    def test_half_an_answer_before_the_request(self) -> None:
        """Nor if it has only begun by then."""
        session = ask(GET % 1)
        session.says(SERVER, OK + b"HTTP/1.1 4")
        session.says(CLIENT, GET % 2)
        session.says(SERVER, b"00 OK\r\nContent-Length: 4\r\n\r\nevil")
        self.assertEqual((session.sent[CLIENT], session.sent[SERVER]), (OK, GET % 1))


class PersistenceTests(SynchronousTestCase):
    """Connections go on as long as both peers say so, and the limits allow."""

    def test_last_requests(self) -> None:
        """After a request or a response that says so, nothing more passes."""
        for request, response in (
            (b"GET / HTTP/1.0\r\n\r\n", OK),
            (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", OK),
            (GET % 1, OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")),
            (GET % 1, OK.replace(b"1.1", b"1.0")),
        ):
            session = ask(request, ENDING)
            before = session.sent[SERVER]
            session.says(SERVER, response)
            self.assertIn(CLIENT, session.halves)
            session.says(CLIENT, GET % 2)
            self.assertEqual(session.sent[SERVER], before)

    def test_limit(self) -> None:
        """The last request that the limit allows is answered with "Connection: close"."""
        session = ask(GET % 1 + GET % 2 + GET % 3, limits(requests=2))
        session.says(SERVER, OK)
        session.says(SERVER, OK)
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
        self.assertEqual(session.sent[CLIENT], OK + head)
        self.assertEqual(session.sent[SERVER], GET % 1 + GET % 2)

    def test_server_closed(self) -> None:
        """A server that closes before its first answer: 502. Later: the client tries again."""
        session = ask(GET % 1)
        session.hangs_up(SERVER)
        self.assertTrue(session.sent[CLIENT].startswith(b"HTTP/1.1 502 "))
        self.assertIs(session.verdict.outcome, Outcome.FAILED)  # type: ignore[union-attr]
        session = ask(GET % 1)
        session.says(SERVER, OK)
        session.says(CLIENT, GET % 2)
        session.hangs_up(SERVER)
        self.assertEqual(session.sent[CLIENT], OK)
        self.assertEqual([one["verdict"] for one in records(session)], ["passed", "failed"])

    def test_closed_in_an_upload(self) -> None:
        """
        Nor does it have to be told what to do if that happens as soon as it asks. But an upload
        that was well under way is answered: browsers would begin it anew on each connection.
        """
        for end in ("hangs_up", "resets"):
            for seconds, body, answered in (
                (0.5, b"a", False),
                (2, b"", False),
                (2, b"a", True),
                (2, b"abc", True),
            ):
                session = ask(GET % 1)
                session.says(SERVER, OK)
                session.says(CLIENT, PUT + b"\r\n" + body)
                session.advance(seconds)
                getattr(session, end)(SERVER)
                said = session.sent[CLIENT].removeprefix(OK)
                self.assertEqual(said[:13], b"HTTP/1.1 502 " if answered else b"", (seconds, body))
                if answered:
                    self.assertEqual(records(session)[-1]["status"], 502)

    def test_server_had_closed(self) -> None:
        """A request that crosses the server's end is not sent after it."""
        session = ask(GET % 1, ENDING)
        session.says(SERVER, OK)
        session.hangs_up(SERVER)
        session.says(CLIENT, GET % 2)
        self.assertEqual(session.sent[SERVER], GET % 1)

    def test_unreachable(self) -> None:
        """The client reads that there is no server, and whether that took too long."""
        for why, status in (("connection refused", 502), ("connection timed out", 504)):
            session = ask(GET % 1, reachable=None)
            session.refuse(why)
            self.assertTrue(session.sent[CLIENT].startswith(b"HTTP/1.1 %d " % status))
            (record,) = records(session)
            self.assertEqual((record["verdict"], record["status"]), ("failed", status))
            self.assertIs(session.verdict.outcome, Outcome.FAILED)  # type: ignore[union-attr]

    def test_refused_never_connects(self) -> None:
        """The server is spared whoever is refused at once."""
        self.assertEqual(ask(b"nonsense\r\n").connected, [])


class HeaderTests(SynchronousTestCase):
    """What is about the connection alone stays there; all else passes, order and case kept."""

    def onward(self, lines: bytes) -> bytes:
        """What the server gets of these lines."""
        session = ask(b"GET / HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n")
        start = b"GET / HTTP/1.1\r\nHost: a\r\n"
        self.assertTrue(session.sent[SERVER].startswith(start), session.events)
        return session.sent[SERVER].removeprefix(start)[:-2]

    def test_contradictions(self) -> None:
        """Of headers that are said once, the policy and the reader might take different ones."""
        for name, one, other in (
            (b"Content-Type", b"text/plain", b"application/x-msdownload"),
            (b"content-disposition", b"inline", b"attachment"),
            (b"Location", b"/a", b"/b"),
        ):
            twice = b"%s: %s\r\nX: y\r\n%s: %s\r\n"
            lines = twice % (name, one, name.upper(), other)
            session = ask(PUT + lines + b"\r\n")
            self.assertTrue(session.sent[CLIENT].startswith(b"HTTP/1.1 400 "))
            offset = (PUT + lines).index(name.upper() + b": " + other)
            self.assertEqual(records(session)[0]["offset"], offset)
            head = b"HTTP/1.1 302 Found\r\nContent-Length: 2\r\n"
            said = answer(GET % 1, head + lines + b"\r\nhi")
            self.assertTrue(said.startswith(b"HTTP/1.1 502 "), said)
            same = head + twice % (name, one, name, one) + b"\r\nhi"
            self.assertEqual(answer(GET % 1, same), same)

    def test_repeated_type(self) -> None:
        """A type with and without its charset is one type."""
        lines = b"Content-Type: text/html\r\nContent-Type: Text/HTML; charset=utf-8\r\n"
        said = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + lines + b"\r\nhi"
        self.assertEqual(answer(GET % 1, said), said)

    def test_kept(self) -> None:
        """Order, case, doubles and characters beyond ASCII; white space is made plain."""
        lines = b"x-B: 1\r\nX-a: 2\r\nX-B: \xe9\r\n"
        self.assertEqual(self.onward(lines), lines)
        self.assertEqual(self.onward(b"X:\t a  b \t\r\n"), b"X: a  b\r\n")

    def test_connection(self) -> None:
        """Headers that Connection names go no further."""
        self.assertEqual(
            self.onward(b"Connection: X-Hop, close\r\nX-Hop: 1\r\nY: 2\r\n"),
            b"Connection: close\r\nY: 2\r\n",
        )
        self.assertEqual(self.onward(b"Proxy-Connection: keep-alive\r\n"), b"")
        self.assertEqual(
            self.onward(b"TE: trailers\r\nConnection: TE\r\n"),
            b"TE: trailers\r\nConnection: TE\r\n",
        )
        self.assertEqual(self.onward(b"TE: gzip\r\nConnection: TE\r\n"), b"")

    def test_connection_against_others(self) -> None:
        """Connection can't take away what others rely on."""
        for name in (b"Host", b"Cookie", b"Authorization", b"X-\xe9"):
            session = ask(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: " + name + b"\r\n\r\n")
            self.assertEqual(session.sent[SERVER], b"")

    def test_upgrade(self) -> None:
        """An upgrade that is not allowed is not offered; a WebSocket client hears why."""
        upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n"
        self.assertEqual(self.onward(upgrade), b"")
        request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\n\r\n"
        self.assertTrue(ask(request).sent[CLIENT].startswith(b"HTTP/1.1 403 "))

    def test_other_upgrade(self) -> None:
        """A server can't switch to a protocol that it was not offered."""
        settings = HttpSettings(upgrades=frozenset({"websocket", "x"}))
        request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
        switching = b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
        self.assertTrue(answer(request, switching, settings).startswith(b"HTTP/1.1 502 "))

    def test_nothing_before_the_switch(self) -> None:
        """What a client sends after its offer waits: it is either protocol's."""
        settings = HttpSettings(upgrades=frozenset({"websocket"}), limits=Limits(pipelined=9))
        request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        session = ask(request + GET % 2, settings)
        self.assertEqual(session.sent[SERVER], request)
        session.says(SERVER, OK)
        self.assertEqual(session.sent[SERVER], request + GET % 2)

    def test_tunnel(self) -> None:
        """CONNECT is denied unless the operator allows it."""
        request = b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"
        self.assertTrue(ask(request).sent[CLIENT].startswith(b"HTTP/1.1 403 "))
        session = ask(request, HttpSettings(connect=True))
        session.says(SERVER, b"HTTP/1.1 200 OK\r\n\r\n")
        session.says(CLIENT, b"\x16")
        self.assertEqual(session.sent[SERVER], request + b"\x16")

    def test_lengths_are_written_plainly(self) -> None:
        """No leading zeros, no capital letters in what frames a message."""
        session = ask(PUT.replace(b"3", b"003") + b"\r\nabc")
        self.assertEqual(session.sent[SERVER], PUT + b"\r\nabc")

    def test_host_check(self) -> None:
        """Host has to agree with where the connection goes, as far as it can be known."""
        settings = HttpSettings(host_check="literal")
        for host, passes in (
            (b"a", True),
            (b"198.51.100.2", True),
            (b"198.51.100.2:80", True),
            (b"198.51.100.3", False),
            (b"a:81", False),
            (b"[::1]", False),
        ):
            session = ask(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n", settings)
            self.assertEqual(bool(session.sent[SERVER]), passes, host)
            if not passes:
                self.assertTrue(session.sent[CLIENT].startswith(b"HTTP/1.1 421 "))


class LimitTests(SynchronousTestCase):
    """Nothing is larger than its limit; the client reads which kind of limit."""

    def test_requests(self) -> None:
        """414, 431 and 413."""
        for request, status, settings in (
            (b"GET /" + b"a" * 9000, 414, None),
            (GET % 1 + b"", 0, None),
            (GET[:-2] % 1 + b"X: " + b"a" * 9000 + b"\r\n\r\n", 431, None),
            (GET[:-2] % 1 + b"X: a\r\n" * 101 + b"\r\n", 431, None),
            (GET[:-2] % 1 + b"X: a\r\n" * 20000, 431, None),
            (PUT + b"\r\n", 413, limits(request_body_bytes=2)),
        ):
            said = ask(request, settings).sent[CLIENT]
            self.assertEqual(said[:13], b"HTTP/1.1 %d " % status if status else b"", request[:40])

    def test_chunks(self) -> None:
        """One chunk, and all of them."""
        request = b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        for body, settings in (
            (b"5\r\n", limits(chunk_bytes=4)),
            (b"3\r\nabc\r\n2\r\n", limits(request_body_bytes=4)),
        ):
            said = ask(request + body, settings).sent[CLIENT]
            self.assertTrue(said.startswith(b"HTTP/1.1 413 "), said)
        huge = ask(request + b"fffffffffffffff\r\na")
        self.assertTrue(huge.sent[SERVER].endswith(b"fffffffffffffff\r\na"))
        for settings in (limits(chunk_bytes=5), limits(request_body_bytes=5)):
            allowed = ask(request + b"5\r\nhello\r\n0\r\n\r\n", settings)
            self.assertTrue(allowed.sent[SERVER].endswith(b"hello\r\n0\r\n\r\n"))

    def test_responses(self) -> None:
        """A response that says that it is too large is a 502; one that becomes so is cut off."""
        settings = limits(response_body_bytes=4)
        said = answer(GET % 1, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", settings)
        self.assertTrue(said.startswith(b"HTTP/1.1 502 "))
        session = ask(GET % 1, settings)
        session.says(SERVER, b"HTTP/1.1 200 OK\r\n\r\nhell")
        session.says(SERVER, b"o")
        self.assertEqual(session.sent[CLIENT], b"HTTP/1.1 200 OK\r\n\r\nhell")
        self.assertIs(session.verdict.outcome, Outcome.DENIED)  # type: ignore[union-attr]

    def test_interim(self) -> None:
        """
        A server can't keep a client busy with 1xx for nothing; but for as long as it likes with a
        sign of life now and then.
        """
        interim = b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
        few = limits(interim_responses=16)
        self.assertEqual(answer(GET % 1, interim * 16 + OK, few), interim * 16 + OK)
        self.assertIn(b" 502 ", answer(GET % 1, interim * 17, few))
        self.assertIn(b" 502 ", answer(GET % 1, interim * 61))
        session = ask(GET % 1)
        for _ in range(1000):
            session.says(SERVER, interim)
            session.advance(1)
        session.says(SERVER, OK)
        self.assertEqual(session.sent[CLIENT], interim * 1000 + OK)

    def test_interim_to_old(self) -> None:
        """
        A client of HTTP/1.0 would take a 1xx for the answer; it gets the answer. They are counted
        all the same.
        """
        old, interim = b"GET / HTTP/1.0\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"
        said = answer(old, interim * 2 + OK)
        self.assertTrue(said.startswith(b"HTTP/1.1 200 "), said)
        self.assertNotIn(b"100", said)
        self.assertIn(b" 502 ", answer(old, interim * 61 + OK))


class DecisionTests(SynchronousTestCase):
    """What the policy decides is done."""

    def test_refused(self) -> None:
        """The client reads a page, and may go on; the server hears nothing."""
        session = scripted(Scripted(request_decision=Refuse(403, "not that")))
        session.says(CLIENT, GET % 1 + GET % 2)
        page = (
            b"HTTP/1.1 403 Forbidden\r\nDate: Mon, 12 Jan 1970 13:46:40 GMT\r\n"
            b"Content-Type: text/plain\r\nContent-Length: 3\r\n"
            b"Cache-Control: no-store\r\n\r\nno\n"
        )
        self.assertEqual(session.sent[CLIENT], page * 2)
        self.assertEqual((session.connected, session.verdict), ([], None))
        self.assertEqual([one["reason"] for one in records(session)], ["not that"] * 2)

    def test_refused_with_a_body(self) -> None:
        """A body that nobody wants ends the connection."""
        session = scripted(Scripted(request_decision=Refuse(403, "not that")))
        session.says(CLIENT, PUT + b"\r\nabc" + GET % 1)
        self.assertEqual(session.sent[CLIENT].count(b"HTTP/1.1 403"), 1)
        self.assertIs(session.verdict.outcome, Outcome.DENIED)  # type: ignore[union-attr]

    def test_head_refused(self) -> None:
        """The answer to HEAD has no body, ours neither."""
        session = scripted(Scripted(request_decision=Refuse(403, "not that")))
        session.says(CLIENT, b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertTrue(session.sent[CLIENT].endswith(b"\r\n\r\n"))

    def test_redirected(self) -> None:
        """The client is sent elsewhere."""
        session = scripted(Scripted(request_decision=Redirect("http://b/", "moved")))
        session.says(CLIENT, GET % 1)
        self.assertTrue(session.sent[CLIENT].startswith(b"HTTP/1.1 302 Found\r\n"))
        self.assertIn(b"\r\nLocation: http://b/\r\n", session.sent[CLIENT])

    def test_awaited(self) -> None:
        """A decision may take its time."""
        script = Scripted(late=Deferred())
        session = scripted(script)
        session.says(CLIENT, GET % 1)
        self.assertEqual(session.connected, [])
        late, script.late = script.late, None
        assert late is not None
        late.callback(Refuse(401, "who?", headers=(("WWW-Authenticate", "Basic"),)))
        self.assertIn(b"\r\nWWW-Authenticate: Basic\r\n", session.sent[CLIENT])

    def test_response_refused(self) -> None:
        """The client reads a page instead of the response."""
        session = scripted(Scripted(response_decision=Refuse(403, "not that")))
        session.says(CLIENT, GET % 1)
        session.says(SERVER, OK)
        self.assertTrue(session.sent[CLIENT].startswith(b"HTTP/1.1 403 "))
        self.assertEqual(records(session)[0]["status"], 403)

    def test_content(self) -> None:
        """The first bytes of a body are seen before anything is sent, however it is cut."""
        for refusal in (None, Refuse(403, "a program")):
            script = Scripted(look=2, refused_content=refusal)
            session = scripted(script)
            session.says(CLIENT, GET % 1)
            for byte in OK:
                session.says(SERVER, bytes([byte]))
            self.assertEqual(script.seen, [b"hi"])
            if refusal is None:
                self.assertEqual(session.sent[CLIENT], OK)
            else:
                self.assertTrue(session.sent[CLIENT].startswith(b"HTTP/1.1 403 "))

    def test_rewritten(self) -> None:
        """What the policy makes of a message is what the other side gets."""
        session = scripted(_Rewriting())
        session.says(CLIENT, GET % 1)
        self.assertEqual(session.sent[SERVER], GET[:-2] % 1 + b"X: y\r\n\r\n")


class _Rewriting(Scripted):
    def request(self, request: Request, server: Address, client: Address) -> Decision:
        return Pass(request.with_headers(request.headers.with_("X", "y")))


class StackTests(SynchronousTestCase):
    """Bodies go through the inspector of another service."""

    def begin(
        self, body: type = FakeBody, make: type[HttpInspector] = HttpInspector, **stack: Any
    ) -> FakeSession:
        """A session whose bodies are inspected, by C{body}."""

        class Stacking(FakeSession):
            def stack(self, service: str, sink: Any, envelope: Any = None) -> Any:
                self.bodies.append(body(service, sink, envelope))
                return self.bodies[-1]

        return Stacking(make, HttpSettings(stack=Stack(**stack))).start()

    def test_response(self) -> None:
        """It sees the content without its framing, and what it lets through leaves in chunks."""
        session = self.begin(response="mime")
        session.says(CLIENT, GET % 1)
        session.says(SERVER, OK)
        self.assertEqual([(one.service, one.data) for one in session.bodies], [("mime", b"hi")])
        self.assertEqual(
            session.sent[CLIENT],
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        )
        session.says(CLIENT, GET % 2)
        self.assertTrue(session.sent[SERVER].endswith(GET % 2))

    def test_parts(self) -> None:
        """A body that is judged is asked for as a whole; a part that comes anyhow does not pass."""
        asked = b"GET / HTTP/1.1\r\nHost: a\r\n%s\r\n"
        ranged = asked % b"Range: bytes=5-\r\n"
        for stack, sent, said in (
            ({"response": "scan"}, asked % b"", b"none"),
            ({"response": "scan", "ranges": True}, ranged, b"bytes"),
            ({"request": "scan"}, ranged, b"bytes"),
        ):
            session = self.begin(**stack)
            session.says(CLIENT, ranged)
            self.assertEqual(session.sent[SERVER], sent)
            session.says(SERVER, OK.replace(b"\r\n\r\n", b"\r\nAccept-Ranges: bytes\r\n\r\n"))
            self.assertIn(b"Accept-Ranges: %s\r\n" % said, session.sent[CLIENT])
        session = self.begin(response="scan")
        session.says(CLIENT, ranged)
        part = b"206 Partial Content\r\nContent-Range: bytes 5-6/7"
        session.says(SERVER, OK.replace(b"200 OK", part))
        self.assertTrue(session.sent[CLIENT].startswith(b"HTTP/1.1 502 "), session.sent[CLIENT])

    def test_codings(self) -> None:
        """
        A body that is judged, or may be, is asked for as it can be decoded for that, unless the
        service can do that by itself.
        """
        asked = b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: %s\r\n\r\n"
        test = ResponseTest(action="stack", service="scan")
        every = b"gzip, deflate, br, zstd"
        for settings, sent in (
            (HttpSettings(stack=Stack(response="scan")), b"gzip, deflate"),
            (HttpSettings(response=(test,)), b"gzip, deflate"),
            (HttpSettings(stack=Stack(response="scan", codings=True)), every),
            (HttpSettings(stack=Stack(request="scan")), every),
        ):
            session = begin(settings)
            session.says(CLIENT, asked % every)
            self.assertEqual(session.sent[SERVER], asked % sent)
        session = begin(HttpSettings(stack=Stack(response="scan")))
        session.says(CLIENT, GET % 1)
        session.says(SERVER, OK.replace(b"200 OK", b"200 OK\r\nContent-Encoding: BR"))
        self.assertEqual(session.bodies[0].envelope.coding, "br")

    def test_sent_parts(self) -> None:
        """An upload in pieces is refused before its body, as nobody sees what is cut."""
        for lines, passes in (
            (b"", True),
            (b"Content-Range: bytes 0-2/3\r\n", True),
            (b"Content-Range: bytes 0-2/*\r\n", False),
            (b"Content-Range: bytes 0-2/6\r\n", False),
            (b"Content-Range: bytes 3-5/6\r\n", False),
            (b"Content-Range: lines 0-2/3\r\n", False),
            (b"Upload-Offset: 0\r\n", False),
            (b"Upload-Complete: ?0\r\n", False),
            (b"Upload-Complete: ?1\r\n", True),
            (b"X-Update-Range: append\r\n", False),
        ):
            for ranges, status in ((False, b"403"), (True, b"")):
                session = begin(HttpSettings(stack=Stack(request="scan", ranges=ranges)))
                session.says(CLIENT, PUT + lines + b"\r\nabc")
                refused = b"" if passes else status
                self.assertEqual(session.sent[CLIENT][9:12], refused, lines)
                self.assertEqual(len(session.bodies), 0 if refused else 1)
        session = begin(HttpSettings(stack=Stack(response="scan")))
        session.says(CLIENT, PUT + b"Content-Range: bytes 3-5/6\r\n\r\nabc")
        self.assertEqual(session.sent[CLIENT], b"")

    def test_chosen_parts(self) -> None:
        """Nor does a part pass of which a test says who is to judge it, unless that is wanted."""
        test = ResponseTest(action="stack", service="scan")
        for ranges, status in ((False, b"502"), (True, b"206")):
            settings = HttpSettings(response=(test,), stack=Stack(ranges=ranges))
            session = begin(settings, keeping=frozenset({"scan"}))
            session.says(CLIENT, b"GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=5-\r\n\r\n")
            part = b"206 Partial Content\r\nContent-Range: bytes 5-6/7"
            session.says(SERVER, OK.replace(b"200 OK", part))
            for body in session.bodies:
                body.sink.received(b"hi")
                body.sink.ended()
            self.assertEqual(session.sent[CLIENT][9:12], status)

    def test_kept(self) -> None:
        """A service that changes nothing leaves the length as it was said, in both directions."""
        settings = HttpSettings(stack=Stack(request="scan", response="scan"))
        session = begin(settings, keeping=frozenset({"scan"}))
        session.says(CLIENT, PUT + b"\r\nabc")
        session.says(SERVER, OK)
        self.assertEqual(session.sent[SERVER], PUT + b"\r\nabc")
        self.assertEqual(session.sent[CLIENT], OK)
        self.assertEqual([one.data for one in session.bodies], [b"abc", b"hi"])
        session.says(CLIENT, b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        session.says(SERVER, OK[:-2])
        self.assertEqual(session.sent[CLIENT], OK + OK[:-2])

    def test_not_kept(self) -> None:
        """One that says so, and does not keep to it, breaks nothing but its own message."""
        for said, left in ((b"longer", b""), (b"x", OK[:-2] + b"x")):
            settings = HttpSettings(stack=Stack(response="scan"))
            session = begin(settings, keeping=frozenset({"scan"}))
            session.says(CLIENT, GET % 1)
            session.says(SERVER, OK[:-2])
            session.bodies[0].sink.received(said)
            session.bodies[0].sink.ended()
            session.says(SERVER, b"hi")
            if left:
                self.assertEqual(session.sent[CLIENT], left)
            else:
                self.assertTrue(session.sent[CLIENT].startswith(b"HTTP/1.1 403 "))
            self.assertIsNotNone(session.verdict)
            self.assertIn("a stacked service has made the body", records(session)[0]["reason"])

    def test_cant_say(self) -> None:
        """A service that can't say is answered with 503, and its words: it is worth a new try."""
        for stack in ("request", "response"):
            session = begin(HttpSettings(stack=Stack(**{stack: "scan"})))
            session.says(CLIENT, PUT + b"Accept: text/html\r\n\r\n")
            if stack == "response":
                session.says(CLIENT, b"abc")
                session.says(SERVER, OK[:-2])
            words = "Später <b>".encode()
            session.bodies[0].sink.denied("scan: nobody answers", words, Outcome.FAILED)
            session.says(CLIENT if stack == "request" else SERVER, b"hi")
            self.assertTrue(session.sent[CLIENT].startswith(b"HTTP/1.1 503 "), session.sent)
            self.assertIn("Später &lt;b&gt;".encode(), session.sent[CLIENT])
            record = records(session)[0]
            self.assertEqual(record["verdict"], "failed")
            self.assertNotIn("denied_by", record)

    def test_envelope(self) -> None:
        """The service is told what the body belongs to, as the message leaves."""
        session = begin(HttpSettings(stack=Stack(request="scan", response="scan")))
        session.says(CLIENT, PUT.replace(b"/ ", b"/x/a%20b?c=d ") + b"\r\nabc")
        attached = b'Content-Type: Text/HTML; a=b\r\nContent-Disposition: x; filename="d/e\\"f"\r\n'
        session.says(SERVER, OK.replace(b"Content-L", attached + b"Content-L"))
        up, down = (one.envelope for one in session.bodies)
        self.assertEqual((up.protocol, up.direction, up.filename), ("http", "upload", "a b"))
        self.assertEqual((up.size, down.size), (3, 2))
        self.assertEqual((down.direction, down.filename), ("download", 'e"f'))
        self.assertEqual((down.media_type, up.media_type), ("text/html", ""))
        assert up.http is not None and down.http is not None
        self.assertEqual((up.http.method, up.http.url), ("PUT", "http://a/x/a%20b?c=d"))
        self.assertEqual((up.http.status, down.http.status), (0, 200))
        self.assertEqual((down.http.request, up.http.request), ((("Host", "a"),),) * 2)
        self.assertIn(("Content-Type", "Text/HTML; a=b"), down.http.response)

    def test_protected(self) -> None:
        """What a client asks for by TLS has another address; its port goes without saying."""
        for host, url in (("a", "https://a/"), ("a:443", "https://a/"), ("a:80", "https://a:80/")):
            session = begin(HttpSettings(stack=Stack(request="scan")))
            session.secure(CLIENT)
            session.says(CLIENT, PUT.replace(b"Host: a", b"Host: " + host.encode()) + b"\r\nabc")
            http = session.bodies[0].envelope.http
            assert http is not None
            self.assertEqual(http.url, url)

    def test_chosen(self) -> None:
        """The policy may choose the service, message by message, whatever the settings say."""
        for stack in ({}, {"request": "mime", "response": "mime"}):
            script = Scripted(choose=Stacked("chosen", "services/web.toml:1"))
            session = self.begin(make=by_script(script), **stack)
            session.says(CLIENT, PUT + b"\r\nabc")
            session.says(SERVER, OK)
            self.assertEqual(
                [(one.service, one.data) for one in session.bodies],
                [("chosen", b"abc"), ("chosen", b"hi")],
            )

    def test_old_upload(self) -> None:
        """A body of HTTP/1.0 is held until its length is known; the server knows no chunks."""
        old = PUT.replace(b"1.1", b"1.0")
        for pieces in ([b"abc"], [b"a", b"b", b"c"]):
            session = self.begin(request="mime")
            session.says(CLIENT, old + b"\r\n")
            for piece in pieces:
                self.assertEqual(session.sent[SERVER], b"")
                session.says(CLIENT, piece)
            self.assertEqual(session.sent[SERVER], old + b"\r\nabc")
            session.says(SERVER, OK)
            self.assertTrue(session.sent[CLIENT].endswith(b"hi"))

    def test_large_old_upload(self) -> None:
        """More than may be held is answered with 413; nothing of it reaches the server."""
        old = PUT.replace(b"1.1", b"1.0")
        for most, passes in ((3, True), (2, False)):
            session = self.begin(request="mime", held_bytes=most)
            session.says(CLIENT, old + b"\r\nabc")
            if passes:
                self.assertEqual(session.sent[SERVER], old + b"\r\nabc")
            else:
                self.assertEqual(session.sent[SERVER], b"")
                self.assertTrue(session.sent[CLIENT].startswith(b"HTTP/1.1 413 "))
                self.assertIn("held_bytes", records(session)[0]["reason"])
                self.assertTrue(session.bodies[0].cancelled)

    def test_old_client(self) -> None:
        """A client that knows no chunks gets it until the connection closes."""
        session = self.begin(response="mime")
        session.says(CLIENT, b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        session.says(SERVER, OK.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n"))
        self.assertEqual(session.sent[CLIENT], b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhi")
        self.assertIn(CLIENT, session.halves)

    def test_request(self) -> None:
        """Uploads likewise; what has no body passes as it is."""
        session = self.begin(request="mime")
        session.says(CLIENT, PUT + b"\r\nabc")
        head = b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.assertEqual(session.sent[SERVER], head + b"3\r\nabc\r\n0\r\n\r\n")
        session.says(SERVER, OK)
        session.says(CLIENT, GET % 1)
        self.assertTrue(session.sent[SERVER].endswith(GET % 1))

    def test_refused(self) -> None:
        """A body that is refused before any of it was let through is answered with a page."""
        for stack, side in (({"response": "mime"}, SERVER), ({"request": "mime"}, CLIENT)):
            session = self.begin(Refusing, **stack)
            session.says(CLIENT, PUT + b"\r\nabc" if side is CLIENT else GET % 1)
            if side is SERVER:
                session.says(SERVER, OK)
            self.assertTrue(session.sent[CLIENT].startswith(b"HTTP/1.1 403 "), session.events)
            self.assertEqual(session.sent[CLIENT].count(b"HTTP/1.1"), 1)
            name = f"stack.{next(iter(stack))}"
            record = records(session)[0]
            self.assertEqual(record["denied_by"], name)
            self.assertEqual(record["reason"], f"mime: a virus (setting '{name}')")
            if side is CLIENT:
                self.assertEqual(session.sent[SERVER], b"")

    def test_back_pressure(self) -> None:
        """While it wants no more, the side that sends is not read."""
        waits: Deferred[None] = Deferred()

        class Slow(FakeBody):
            def send(self, data: bytes) -> Deferred[None]:  # type: ignore[override]
                return waits

        session = self.begin(Slow, response="mime")
        session.says(CLIENT, GET % 1)
        session.says(SERVER, OK)
        self.assertIn(SERVER, session.paused)
        waits.callback(None)
        self.assertNotIn(SERVER, session.paused)


class Refusing(FakeBody):
    """A stacked inspector that refuses."""

    def send(self, data: bytes) -> None:
        """See L{IBody.send}."""
        self.sink.denied("mime: a virus", b"", Outcome.DENIED)


class RecordTests(SynchronousTestCase):
    """One record for each transaction, in EVE's words."""

    def test_passed(self) -> None:
        """What was asked, what was answered, and how much."""
        request = (
            b"PUT /a?b HTTP/1.1\r\nHost: A.example.:8080\r\nUser-Agent: u\r\nReferer: r\r\n"
            b"Content-Length: 3\r\n\r\nabc"
        )
        response = (
            b"HTTP/1.1 301 Moved\r\nLocation: /x\r\nContent-Type: text/html; charset=x\r\n"
            b"Content-Length: 2\r\n\r\nhi"
        )
        session = ask(request)
        session.says(SERVER, response)
        self.assertEqual(
            records(session),
            [
                {
                    "hostname": "a.example",
                    "http_port": 8080,
                    "url": "/a?b",
                    "http_user_agent": "u",
                    "http_refer": "r",
                    "http_method": "PUT",
                    "protocol": "HTTP/1.1",
                    "http_content_type": "text/html",
                    "redirect": "/x",
                    "status": 301,
                    "length": 2,
                    "request_length": 3,
                    "request_bytes": len(request),
                    "response_bytes": len(response),
                    "verdict": "passed",
                    "gateway": records(session)[0]["gateway"],
                }
            ],
        )

    def test_own_answer(self) -> None:
        """What the gateway answers itself is measured as the client gets it."""
        for method in (b"TRACE", b"HEAD"):
            request = method + b" /%zz HTTP/1.1\r\nHost: a\r\n\r\n"
            session = ask(request)
            (record,) = records(session)
            head, _, page = session.sent[CLIENT].partition(b"\r\n\r\n")
            self.assertEqual(record["length"], len(page))
            self.assertEqual(record["response_bytes"], len(head) + 4 + len(page))
            self.assertEqual(record["request_bytes"], len(request))
            self.assertEqual(bool(page), method == b"TRACE")

    def test_misread(self) -> None:
        """Of a request that can't be understood, the record has what its first line says."""
        (record,) = records(ask(b"GET /x HTTP/1.1\r\nHost : a\r\n\r\n"))
        self.assertEqual(
            [record[key] for key in ("http_method", "url", "protocol", "status", "verdict")],
            ["GET", "/x", "HTTP/1.1", 400, "denied"],
        )
        (record,) = records(ask(b"nonsense\r\n"))
        self.assertNotIn("url", record)
        self.assertEqual((record["status"], record["verdict"]), (400, "denied"))

    def test_broken_off(self) -> None:
        """What was under way when the session ended has a record as well."""
        session = ask(PUT + b"\r\na")
        session.over()
        (record,) = records(session)
        self.assertEqual((record["verdict"], record["request_length"]), ("failed", 1))

    def test_bug(self) -> None:
        """What ran into a bug of ours has a record as well."""
        decision: Deferred[Decision] = Deferred()
        session = scripted(Scripted(late=decision))
        session.says(CLIENT, GET % 1)
        with self.assertRaises(KeyError):
            decision.errback(KeyError("x"))
            session.over()
        (record,) = records(session)
        self.assertEqual((record["url"], record["verdict"]), ("/1", "failed"))

    def test_switched(self) -> None:
        """An upgrade is recorded when it is agreed on."""
        request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        session = ask(request, HttpSettings(upgrades=frozenset({"websocket"})))
        session.says(
            SERVER, b"HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n"
        )
        self.assertEqual(
            [(one["status"], one["verdict"]) for one in records(session)], [(101, "passed")]
        )
