"""A client's connection goes on when the server's has ended; nothing is asked twice."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Address, Outcome, Verdict
from gateway.testing import FakeSession
from protocols.http.inspector import HttpInspector
from protocols.http.limits import Limits
from protocols.http.policy.settings import HttpSettings
from protocols.http.settings import Stack
from protocols.http.times import Times
from tests.protocols.http.test_transactions import GET, OK, PUT, ask, begin, records

BODY = b"Content-Length: 2\r\n\r\nhi"
CLOSE = b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + BODY
OLD = b"HTTP/1.0 200 OK\r\n" + BODY
POST = b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
NAMED = b"GET /%d HTTP/1.1\r\nHost: b\r\n\r\n"
OTHER = "198.51.100.2"
OLD_KEPT = b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"


class LookingUp(FakeSession):
    """
    A session whose names the test answers for.

    @ivar looked_up: what is not answered yet.
    """

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self.looked_up: list[Deferred[tuple[str, ...]]] = []

    def resolve(self, name: str) -> Deferred[tuple[str, ...]]:
        """See L{ISession.resolve}."""
        self.looked_up.append(Deferred())
        return self.looked_up[-1]


class OutlivedCase(SynchronousTestCase):
    """Sessions with one server after the other."""

    def has_another(self, session: FakeSession, servers: int = 2) -> None:
        """What is asked now is asked of another server, once, and its answer arrives."""
        to_server, to_client = session.sent[SERVER], session.sent[CLIENT]
        session.says(CLIENT, GET % 9)
        self.assertIsNone(session.verdict)
        self.assertEqual(len(session.connected), servers)
        self.assertEqual(session.sent[SERVER], to_server + GET % 9)
        session.says(SERVER, OK)
        self.assertEqual(session.sent[CLIENT], to_client + OK)
        self.assertNotIn(CLIENT, session.halves)

    def has_none(self, session: FakeSession) -> None:
        """Nothing more is asked of anybody."""
        said = session.sent[SERVER]
        session.says(CLIENT, GET % 9)
        self.assertEqual(session.sent[SERVER], said)
        self.assertEqual(len(session.connected), 1)


class BetweenTests(OutlivedCase):
    """A server that closes when it has answered, or when nothing is asked."""

    def test_idle(self) -> None:
        """It has waited long enough: an end, or a reset. The client hears nothing of it."""
        for goes in (FakeSession.hangs_up, FakeSession.resets):
            session = ask(GET % 1)
            for servers in (2, 3, 4):
                session.says(SERVER, OK) if servers == 2 else None
                goes(session, SERVER)
                self.has_another(session, servers)
            session.hangs_up(CLIENT)
            self.assertEqual(session.verdict, Verdict(Outcome.PASSED, ""))
            self.assertEqual([one["verdict"] for one in records(session)], ["passed"] * 4)

    def test_client_leaves_first(self) -> None:
        """A session without a server is over when its client is."""
        for goes in (FakeSession.hangs_up, FakeSession.resets):
            session = ask(GET % 1)
            session.says(SERVER, OK)
            goes(session, SERVER)
            session.hangs_up(CLIENT)
            self.assertEqual(session.verdict, Verdict(Outcome.PASSED, ""))

    def test_announced(self) -> None:
        """
        It says that this was its last answer. The client does not hear so, and asks on, before or
        after the server has closed.
        """
        for closes in (True, False):
            session = ask(GET % 1)
            session.says(SERVER, CLOSE)
            self.assertEqual(session.sent[CLIENT], OK)
            if closes:
                session.hangs_up(SERVER)
            else:
                self.assertNotIn(SERVER, session.halves)  # who closes first, waits for its ports
            self.has_another(session)

    def test_said_so(self) -> None:
        """What the client is told of its connection is true, in the words of its version."""
        for request, said, heard in (
            (GET % 1, CLOSE, OK),
            (GET % 1, OLD, b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n"),
            (GET % 1, CLOSE.replace(b"close", b"x, close"), OK),
            (GET % 1, CLOSE.replace(b"\r\nCo", b"\r\nKeep-Alive: timeout=5\r\nCo", 1), OK),
            (OLD_KEPT, CLOSE, b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n" + BODY),
            (OLD_KEPT, OLD, b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n"),
            (
                GET % 1,
                CLOSE.replace(b"200 OK", b"426 No").replace(
                    b"close", b"close, upgrade\r\nUpgrade: x"
                ),
                b"HTTP/1.1 426 No\r\nConnection: Upgrade\r\nUpgrade: x\r\n" + BODY,
            ),
        ):
            session = ask(request)
            session.says(SERVER, said)
            self.assertEqual(session.sent[CLIENT][: len(heard)], heard, said)
            session.hangs_up(SERVER)
            self.has_another(session)

    def test_goodbye(self) -> None:
        """It says 408 before it closes, in however many pieces: nobody hears that."""
        goodbye = b"HTTP/1.0 408 Timeout\r\nConnection: close\r\n\r\n<p>Bye</p>"
        for at in (0, 5, 12, 20, len(goodbye)):
            for closes in (True, False):
                session = ask(GET % 1)
                session.says(SERVER, OK)
                for piece in filter(None, (goodbye[:at], goodbye[at:])):
                    session.says(SERVER, piece)
                if closes:
                    session.hangs_up(SERVER)
                self.assertEqual(session.sent[CLIENT], OK)
                self.has_another(session)

    def test_told_at_last(self) -> None:
        """A server that wanted to be the first to close, and is not, hears an end after a while."""
        session = ask(GET % 1)
        session.says(SERVER, CLOSE)
        session.advance(Times().shortest + 1)
        self.assertIn(SERVER, session.halves)
        self.has_another(session)

    def test_patience(self) -> None:
        """Who asks for nothing is not kept for longer because there is no server."""
        session = ask(GET % 1)
        session.says(SERVER, OK)
        session.hangs_up(SERVER)
        session.advance(Times().keepalive_seconds + Times().shortest)
        self.assertIn("times.keepalive_seconds", str(session.verdict))

    def test_bodies(self) -> None:
        """Of any framing, and through another service."""
        chunks = b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        session = ask(GET % 1)
        for piece in (chunks + b"2\r\nh", b"i\r\n0", b"\r\n\r\n"):
            session.says(SERVER, piece)
        self.assertTrue(session.sent[CLIENT].endswith(b"chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"))
        self.has_another(session)
        session = ask(POST % 1)
        session.says(SERVER, CLOSE)
        self.has_another(session)
        session = ask(GET % 1, HttpSettings(stack=Stack(response="scanner")))
        session.says(SERVER, CLOSE)
        self.assertNotIn(b"close", session.sent[CLIENT])
        session.hangs_up(SERVER)
        session.says(CLIENT, GET % 2)
        self.assertEqual(session.sent[SERVER], GET % 1 + GET % 2)

    def test_end_of_the_connection_in_chunks(self) -> None:
        """A body that another service has seen leaves in chunks, and so has an end of its own."""
        session = ask(GET % 1, HttpSettings(stack=Stack(response="scanner")))
        session.says(SERVER, b"HTTP/1.1 200 OK\r\n\r\nhi")
        session.hangs_up(SERVER)
        self.assertTrue(session.sent[CLIENT].endswith(b"chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"))
        session.says(CLIENT, GET % 2)
        self.assertEqual(len(session.connected), 2)

    def test_unreachable(self) -> None:
        """The next server need not be there: the client hears what it would have heard at first."""
        session = ask(GET % 1)
        session.says(SERVER, OK)
        session.hangs_up(SERVER)
        session.reachable = False
        session.says(CLIENT, GET % 2)
        self.assertIn(b"HTTP/1.1 502 ", session.sent[CLIENT])
        self.assertEqual([one["verdict"] for one in records(session)], ["passed", "failed"])

    def test_refused_meanwhile(self) -> None:
        """What the policy refuses needs no server, and changes nothing."""
        session = ask(GET % 1, HttpSettings(methods=frozenset({"GET"})))
        session.says(SERVER, OK)
        session.hangs_up(SERVER)
        session.says(CLIENT, b"DELETE / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(len(session.connected), 1)
        self.has_another(session)

    def test_another_host(self) -> None:
        """The next request goes where its own Host is, not where the last one went."""
        names: dict[str, tuple[str, ...] | None] = {"a": ("203.0.113.1",), "b": ("203.0.113.2",)}
        session = begin(HttpSettings(host_check="resolve"), names=names, elsewhere=True)
        for host in (b"a", b"b", b"b", b"a"):
            session.says(CLIENT, b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % host)
            session.says(SERVER, CLOSE)
            session.hangs_up(SERVER)
        reached = [Address(f"203.0.113.{number}", 80) for number in (1, 2, 2, 1)]
        self.assertEqual(session.connected, reached)
        upstream = [one["upstream"]["ip"] for one in records(session)]
        self.assertEqual(upstream, [address.host for address in reached])

    def test_another_protocol(self) -> None:
        """The next server may be asked for an upgrade, or a tunnel; and there it ends with them."""
        upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        for request, answer in (
            (b"GET / HTTP/1.1\r\nHost: a\r\n" + upgrade, b"HTTP/1.1 101 Go\r\n" + upgrade),
            (b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"),
        ):
            policy = HttpSettings(upgrades=frozenset({"websocket"}), connect=True)
            session = ask(GET % 1, policy)
            session.says(SERVER, CLOSE)
            session.says(CLIENT, request)
            session.says(SERVER, answer)
            self.assertTrue(session.released)
            self.assertEqual(len(session.connected), 2)
            session.says(CLIENT, b"\x81\x00")
            self.assertEqual(session.sent[SERVER], GET % 1 + request + b"\x81\x00")
            session.hangs_up(SERVER)
            self.assertIn(CLIENT, session.halves)

    def test_while_deciding(self) -> None:
        """A server that goes while a request is read, is not missed by it."""
        for goes in (FakeSession.hangs_up, FakeSession.resets):
            session = ask(GET % 1)
            session.says(SERVER, OK)
            session.says(CLIENT, (GET % 2)[:-1])
            goes(session, SERVER)
            session.says(CLIENT, b"\n")
            session.says(SERVER, OK)
            self.assertEqual(session.sent[CLIENT], OK + OK)


class LookedUpTests(OutlivedCase):
    """What becomes of the server while the name in the next request is looked up."""

    def setUp(self, keeps: bool = True) -> None:
        limits = Limits(pipelined=3)
        settings = HttpSettings(host_check="resolve", limits=limits, keep_client=keeps)
        server = Address(OTHER, 80)
        self.session = LookingUp(HttpInspector, settings, server=server).start()
        self.session.says(CLIENT, GET % 1)
        self.answer()

    def ask_more(self) -> None:
        """A request for another name, and one behind it."""
        self.session.says(CLIENT, NAMED % 2 + NAMED % 3)

    def answer(self) -> None:
        """The name is that server's, too."""
        self.session.looked_up.pop().callback((OTHER,))

    def test_last_answer_begins(self) -> None:
        """
        It says that this is its last answer, which takes longer than the name: it is asked for
        nothing more, so that no answer of the next server is taken for one to what it was asked.
        """
        self.ask_more()
        self.session.says(SERVER, CLOSE[:-2])
        self.answer()
        self.assertEqual(self.session.sent[SERVER], GET % 1)
        self.session.says(SERVER, CLOSE[-2:])
        self.assertEqual(len(self.session.connected), 2)
        self.session.says(SERVER, OK + OK)
        self.assertEqual(self.session.sent[SERVER], GET % 1 + NAMED % 2 + NAMED % 3)
        self.assertEqual(self.session.sent[CLIENT], OK * 3)
        self.assertEqual([one["verdict"] for one in records(self.session)], ["passed"] * 3)

    def test_ends(self) -> None:
        """It ends where the client's connection has to end with it: nobody waits for an answer."""
        self.session.says(SERVER, OK.replace(b"OK\r\n", b"OK\r\nWWW-Authenticate: NTLM\r\n"))
        self.ask_more()
        self.session.hangs_up(SERVER)
        self.answer()
        self.assertEqual(self.session.sent[SERVER], GET % 1)
        self.assertEqual(self.verdict(), Outcome.FAILED)
        self.assertEqual([one["verdict"] for one in records(self.session)], ["passed", "failed"])

    def test_last_answer(self) -> None:
        """Its last answer was the last one for the client, too: nothing more is asked."""
        for answer in (CLOSE, b"HTTP/1.1 200 OK\r\n\r\n"):
            self.setUp(keeps=False)
            self.ask_more()
            self.session.says(SERVER, answer)
            self.session.hangs_up(SERVER)
            self.answer()
            self.assertEqual(self.session.sent[SERVER], GET % 1)
            self.assertEqual(self.verdict(), Outcome.FAILED)
            verdicts = [one["verdict"] for one in records(self.session)]
            self.assertEqual(verdicts, ["passed", "failed"])

    def verdict(self) -> Outcome | None:
        """How it ended."""
        return None if self.session.verdict is None else self.session.verdict.outcome


class TogetherTests(OutlivedCase):
    """Where both connections still end together."""

    def last(self, session: FakeSession) -> None:
        """The client hears that it is the last answer."""
        session.says(SERVER, CLOSE)
        self.assertIn(b"\r\nConnection: close\r\n", session.sent[CLIENT])
        self.assertIn(CLIENT, session.halves)
        self.has_none(session)

    def test_wanted(self) -> None:
        """The client wants no more, or the policy has it so."""
        for session in (
            ask(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
            ask(b"GET / HTTP/1.0\r\n\r\n"),
            ask(GET % 1, HttpSettings(keep_client=False)),
            ask(GET % 1, HttpSettings(limits=Limits(requests=1))),
        ):
            self.last(session)

    def test_not_ours_to_connect(self) -> None:
        """In TLS and in tunnels, where it would be another server than was agreed with."""
        self.last(ask(GET % 1, reconnects=False))
        session = ask(GET % 1, reconnects=False)
        session.says(SERVER, OK)
        session.hangs_up(SERVER)
        self.assertIn(CLIENT, session.halves)
        self.has_none(session)

    def test_reset_without_another(self) -> None:
        """A reset is passed on then, as it was."""
        session = ask(GET % 1, HttpSettings(keep_client=False))
        session.says(SERVER, OK)
        session.resets(SERVER)
        self.assertEqual(session.verdict, Verdict(Outcome.RESET, "reset by the server"))

    def test_proved_by_the_connection(self) -> None:
        """NTLM and its like say who a connection is: a server of its own would not know."""
        for header in (b"NTLM TlRM", b"negotiate YII", b"Basic YTpi, Nego2 x"):
            asked = (GET % 1).replace(b"\r\n\r\n", b"\r\nAuthorization: %s\r\n\r\n" % header)
            self.last(ask(asked))
            challenge = OK.replace(b"200 OK", b"401 No\r\nWWW-Authenticate: " + header)
            session = ask(GET % 1)
            session.says(SERVER, challenge)
            session.says(CLIENT, GET % 2)
            self.last(session)
            session = ask(GET % 1)
            session.says(SERVER, challenge)
            session.hangs_up(SERVER)
            self.assertIn(CLIENT, session.halves)

    def test_proved_in_each_message(self) -> None:
        """Basic and others prove it each time."""
        for header in (b"Basic YTpi", b'Digest realm="NTLM, x"', b"Bearer ntlm", b"X-NTLM y"):
            session = ask((GET % 1).replace(b"\r\n\r\n", b"\r\nAuthorization: %s\r\n\r\n" % header))
            session.says(SERVER, CLOSE)
            self.has_another(session)

    def test_end_of_the_body(self) -> None:
        """The server's end is the answer's: the client needs it."""
        for response in (b"HTTP/1.1 200 OK\r\n\r\nhi", b"HTTP/1.0 200 OK\r\n\r\nhi"):
            session = ask(GET % 1)
            session.says(SERVER, response)
            session.hangs_up(SERVER)
            self.assertIn(CLIENT, session.halves)
            self.has_none(session)

    def test_answered_early(self) -> None:
        """Nobody wants the rest of the request: it can't be told from the next one."""
        session = ask(PUT + b"\r\na")
        session.says(SERVER, CLOSE)
        self.assertEqual(session.sent[CLIENT], CLOSE)
        self.assertIn(CLIENT, session.halves)
        session.says(CLIENT, b"bc" + GET % 2)
        self.assertEqual(session.sent[SERVER], PUT + b"\r\nabc")

    def test_asked_ahead(self) -> None:
        """
        Requests that the server has got, and will not answer, are the client's to ask again: the
        server may have done what they ask for (RFC 9110, section 9.2.2).
        """
        session = ask(POST % 1 + POST % 2 + POST % 3, HttpSettings(limits=Limits(pipelined=2)))
        self.assertEqual(session.sent[SERVER], POST % 1 + POST % 2)
        session.says(SERVER, CLOSE)
        self.assertEqual(session.sent[CLIENT], CLOSE)
        self.assertEqual(session.sent[SERVER], POST % 1 + POST % 2)
        session.hangs_up(SERVER)
        self.assertEqual(session.sent[SERVER], POST % 1 + POST % 2)
        self.assertEqual(len(session.connected), 1)


class OnceTests(OutlivedCase):
    """No request is sent twice, and none to a server that has said that it takes no more."""

    def test_first_answer_of_another(self) -> None:
        """
        Another server that closes without an answer: the client hears 502. An end would have it ask
        again, as its connection was in use before.
        """
        for goes in (FakeSession.hangs_up, FakeSession.resets):
            session = ask(GET % 1)
            session.says(SERVER, OK)
            session.hangs_up(SERVER)
            session.says(CLIENT, POST % 2)
            goes(session, SERVER)
            self.assertEqual(session.sent[SERVER], GET % 1 + POST % 2)
            self.assertIn(b"HTTP/1.1 502 ", session.sent[CLIENT])
            self.assertEqual([one["verdict"] for one in records(session)], ["passed", "failed"])

    def test_crossing(self) -> None:
        """
        A request crosses the server's end, on a connection that was in use: the client is the one
        that knows whether it may ask again.
        """
        session = ask(GET % 1)
        session.says(SERVER, OK)
        session.says(CLIENT, POST % 2)
        session.hangs_up(SERVER)
        self.assertEqual(session.sent[SERVER], GET % 1 + POST % 2)
        self.assertEqual(session.sent[CLIENT], OK)
        self.assertIs(session.verdict and session.verdict.outcome, Outcome.FAILED)

    def test_waits_for_the_last_answer(self) -> None:
        """What is asked while the last answer comes goes to another server, behind it."""
        session = ask(GET % 1, HttpSettings(limits=Limits(pipelined=5)))
        session.says(SERVER, CLOSE[:-1])
        session.says(CLIENT, GET % 2 + GET % 3)
        self.assertEqual(session.sent[SERVER], GET % 1)
        session.says(SERVER, CLOSE[-1:])
        self.assertEqual(len(session.connected), 2)
        self.assertEqual(session.sent[SERVER], GET % 1 + GET % 2 + GET % 3)
        session.says(SERVER, OK)
        session.says(SERVER, OK)
        self.assertEqual(session.sent[CLIENT], OK * 3)

    def test_asked_already(self) -> None:
        """Requests that have come and were not sent yet go to as many servers as are needed."""
        session = ask(GET % 1 + GET % 2 + GET % 3)
        for number in (1, 2, 3):
            self.assertEqual(len(session.connected), number)
            self.assertTrue(session.sent[SERVER].endswith(GET % number))
            session.says(SERVER, CLOSE)
        self.assertEqual(session.sent[CLIENT], OK * 3)

    def test_half_closed(self) -> None:
        """A client that says the end behind its requests gets all answers, and then the end."""
        for said, servers in ((OK, 1), (CLOSE, 2)):
            session = ask(GET % 1 + GET % 2)
            session.hangs_up(CLIENT)
            session.says(SERVER, said)
            session.says(SERVER, said)
            session.hangs_up(SERVER)
            self.assertEqual(len(session.connected), servers)
            self.assertEqual(session.sent[CLIENT].count(b"200 OK"), 2)
            self.assertEqual(session.verdict, Verdict(Outcome.PASSED, ""))

    def test_second_answer(self) -> None:
        """What comes behind a last answer is no answer of the next server's, however it is cut."""
        for pieces in ((CLOSE + OK,), (CLOSE, OK)):
            session = ask(GET % 1)
            for piece in pieces:
                session.says(SERVER, piece)
            self.assertEqual(session.sent[CLIENT], OK)
            self.assertIn("answers no request", str(session.verdict))

    def test_limits_go_on(self) -> None:
        """How many requests a connection may have is the client's limit, not the server's."""
        session = ask(GET % 1 + GET % 2 + GET % 3, HttpSettings(limits=Limits(requests=2)))
        session.says(SERVER, CLOSE)
        session.says(SERVER, OK)
        self.assertIn(b"\r\nConnection: close\r\n", session.sent[CLIENT])
        self.assertEqual(session.sent[SERVER], GET % 1 + GET % 2)

    def test_expects(self) -> None:
        """A client that waits to be asked for its body is asked by the server that gets it."""
        session: Any = ask(GET % 1)
        session.says(SERVER, CLOSE)
        session.says(CLIENT, PUT + b"Expect: 100-continue\r\n\r\n")
        session.says(SERVER, b"HTTP/1.1 100 Continue\r\n\r\n")
        session.says(CLIENT, b"abc")
        session.says(SERVER, CLOSE)
        self.has_another(session, 3)
