"""QUIC connections pass, or do not, by the name that their clients ask for."""

from __future__ import annotations

from typing import Any

from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated
from twisted.trial.unittest import SynchronousTestCase

from gateway.agreement import Agreed, Flaw, Insecure, Invalid
from gateway.interfaces import CLIENT, SERVER, Outcome
from gateway.testing import Conversation, DatagramSuite, FakeDatagrams, hostile
from protocols.hosts import read_hosts
from protocols.quic.inspector import MOST_FLIGHTS, QuicInspector
from protocols.quic.settings import QuicSettings, Rule
from protocols.tls.numbers import Alert
from tests.protocols.quic.flights import HELLO, V1, V2, client, crypto, packet, pieces, sent
from tests.protocols.tls.hellos import COMMON, body, message, server_name

NAME = "www.example.org"
OTHER = "other.example"
SHORT = b"\x40" + b"s" * 60
AGREED = Agreed("TLS 1.3", "TLS_AES_128_GCM_SHA256")


def settings(**rule: Any) -> QuicSettings:
    """Only what a rule means passes, by default L{NAME}."""
    rule.setdefault("name", read_hosts((NAME,)))
    return QuicSettings(rule=(Rule("splice", **rule),))


def session(*datagrams: bytes, **fields: Any) -> FakeDatagrams:
    """A session whose client says this."""
    fields.setdefault("settings", settings())
    return FakeDatagrams(QuicInspector, **fields).says(CLIENT, *datagrams)


def hello(name: str) -> bytes:
    """A hello for another name than the common one's."""
    return message(body([*COMMON[1:], server_name(name.encode())]))


def told(connection: QuicConnection, answers: list[bytes]) -> ConnectionTerminated | None:
    """How a real client's connection is ended by these answers; L{None} if it is not."""
    for answer in answers:
        connection.receive_datagram(answer, ("192.0.2.1", 443), 0.1)
    connection.handle_timer(60.0)
    while (event := connection.next_event()) is not None:
        if isinstance(event, ConnectionTerminated):
            return event
    return None


class Case(SynchronousTestCase):
    def assert_denied(self, session: FakeDatagrams, reason: str) -> None:
        """Nothing of it reached the server."""
        assert session.verdict is not None, session.events
        self.assertEqual(session.verdict.outcome, Outcome.DENIED)
        self.assertIn(reason, session.verdict.reason)


class QuicSuite(DatagramSuite, SynchronousTestCase):
    """The generic promises."""

    inspector = QuicInspector
    conversations = (
        Conversation(
            "spliced",
            [
                (CLIENT, packet(crypto(0, HELLO))),
                (SERVER, b"\xc0anything"),
                (CLIENT, SHORT),
                (SERVER, b""),
            ],
            settings=settings(),
        ),
        Conversation(
            "a hello in two datagrams",
            [(CLIENT, packet(piece, n)) for n, piece in enumerate(pieces(HELLO, [40]))],
            settings=settings(),
        ),
        Conversation("refused", [(CLIENT, packet(crypto(0, HELLO)))], outcome=Outcome.DENIED),
    )


class SplicedTests(Case):
    """What is allowed passes as it is."""

    def test_passes(self) -> None:
        """All datagrams of both sides, whole, in order, none before the hello was."""
        real = sent(client(NAME))
        spliced = session(*real)
        spliced.says(SERVER, b"\xc0anything", b"").says(CLIENT, SHORT)
        self.assertEqual(
            spliced.datagrams, {SERVER: [*real, SHORT], CLIENT: [b"\xc0anything", b""]}
        )
        self.assertIsNone(spliced.verdict)
        (record,) = spliced.records_of("quic")
        self.assertEqual((record["sni"], record["version"]), (NAME, "1"))
        self.assertEqual(record["verdict"], "passed")
        self.assertEqual(record["quic"]["client_alpns"], ["h3"])
        self.assertTrue(record["ja4"].startswith("q13d"))

    def test_in_two_datagrams(self) -> None:
        """Nothing reaches the server before the name is known, wherever it stands."""
        first, second = (packet(piece, n) for n, piece in enumerate(pieces(HELLO, [40])))
        for pair in ((first, second), (second, first)):
            spliced = session(pair[0])
            self.assertFalse(spliced.connected)
            spliced.says(CLIENT, pair[1])
            self.assertEqual(spliced.datagrams[SERVER], list(pair))

    def test_version_changed(self) -> None:
        """A server may go on in another version (RFC 9368): the client's packets still pass."""
        first, again = packet(crypto(0, HELLO)), packet(b"\1", 1, V2)
        keyed = packet(b"\1", 1, V2, destination=b"server's", keyed_by=b"8 bytes!")
        self.assertEqual(session(first, again, keyed).datagrams[SERVER], [first, again, keyed])

    def test_not_to_be_opened(self) -> None:
        """
        A packet that no server could open is taken out of its datagram. aioquic's client sends one
        after the version has changed (findings/aioquic-version-change.sh).
        """
        first, hidden = packet(crypto(0, HELLO)), packet(b"\1", 1, V2, keyed_by=b"somebody")
        self.assertEqual(session(first, hidden + SHORT, hidden).datagrams[SERVER], [first, SHORT])

    def test_retry(self) -> None:
        """After a Retry the client begins anew, with another identifier."""
        first = packet(crypto(0, HELLO))
        again = packet(crypto(0, HELLO), destination=b"from the retry")
        self.assertEqual(session(first, again).datagrams[SERVER], [first, again])


class RefusedTests(Case):
    """What is not allowed does not reach the server, and the client knows at once."""

    def test_told(self) -> None:
        """A real client's connection is over with the first answer, with the reason."""
        for version in (V1, V2):
            real = client(OTHER, version)
            refused = session(*sent(real))
            self.assert_denied(refused, f"{OTHER} is refused")
            event = told(real, refused.datagrams[CLIENT])
            assert event is not None
            self.assertEqual(event.error_code, 0x100 + Alert.ACCESS_DENIED)
            self.assertEqual(event.reason_phrase, f"{OTHER} is refused")
            self.assertFalse(refused.connected)
            (record,) = refused.records_of("quic")
            self.assertEqual(record["denied_by"], "quic.mode")

    def test_recorded_once(self) -> None:
        """Clients try again: one record of a kind within some seconds."""
        shared = session(*sent(client(OTHER))).shared
        again = session(*sent(client(OTHER)), shared=shared)
        self.assert_denied(again, f"{OTHER} is refused")
        self.assertEqual(again.recorded, [])

    def test_second_connection(self) -> None:
        """A port whose connection was allowed can't be used for another one, to another name."""
        first = packet(crypto(0, HELLO))
        second = packet(crypto(0, hello(OTHER)), destination=b"another!")
        denied = session(first, second)
        self.assert_denied(denied, f"{OTHER} is refused")
        self.assertEqual(denied.datagrams[SERVER], [first])

    def test_coalesced(self) -> None:
        """Nor can a datagram that has both."""
        both = packet(crypto(0, HELLO)) + packet(crypto(0, hello(OTHER)), destination=b"another!")
        denied = session(both)
        self.assert_denied(denied, f"{OTHER} is refused")
        self.assertEqual(denied.datagrams[SERVER], [])

    def test_waits_for_all(self) -> None:
        """While a second name is not known, what may make its connection does not pass."""
        first = packet(crypto(0, HELLO))
        begun = packet(crypto(0, hello(OTHER)[:40]), destination=b"another!")
        waiting = session(first, begun).says(CLIENT, SHORT, first)
        self.assertEqual(waiting.datagrams[SERVER], [first, SHORT])

    def test_without_name(self) -> None:
        """Who says no name is refused, unless the policy says otherwise."""
        nameless = packet(crypto(0, message(body(COMMON[1:]))))
        self.assert_denied(session(nameless), "a client that says no name is refused")
        allowed = session(nameless, settings=QuicSettings(without_name="splice"))
        self.assertEqual(allowed.datagrams[SERVER], [nameless])

    def test_slow(self) -> None:
        """A hello that does not come is not waited for."""
        slow = session(packet(crypto(0, HELLO[:40])))
        slow.advance(5.5)
        assert slow.verdict is not None
        self.assertEqual(slow.verdict.reason, "time limit: hello_seconds = 5")
        allowed = session(packet(crypto(0, HELLO)))
        allowed.advance(600)
        self.assertIsNone(allowed.verdict)

    def test_not_begun_here(self) -> None:
        """Packets of a connection that nobody saw begin."""
        self.assert_denied(session(SHORT), "did not begin here")
        self.assert_denied(session(b"\xd0" + packet(b"\1")[1:]), "0-RTT packet before any")

    def test_malformed(self) -> None:
        """What no client sends does not reach a server."""
        good = packet(crypto(0, HELLO))
        for bad, reason in (
            (packet(crypto(0, HELLO), size=1100), "Initial packet in 1100 bytes"),
            (packet(crypto(0, b"\2\0\0\1x")), "handshake message 2"),
            (packet(b"\x08" * 20), "frame 0x8"),
            (packet(crypto(0, HELLO), keyed_by=b"somebody"), "can't be opened"),
            (good[:1] + b"\xfa\xce\xb0\x0c" + good[5:], "which can't be looked into"),
        ):
            self.assert_denied(session(bad), reason)

    def test_many(self) -> None:
        """A port's connections, and what is kept of them, are limited."""
        ids = (b"%08d" % number for number in range(MOST_FLIGHTS + 1))
        begun = session(*(packet(crypto(0, HELLO[:40]), destination=each) for each in ids))
        self.assert_denied(begun, f"more than {MOST_FLIGHTS} QUIC connections")
        often = [packet(crypto(0, HELLO[:40]), n) for n in range(40)]
        self.assert_denied(session(*often), "in too many packets")

    def test_hostile(self) -> None:
        """Nonsense ends in a verdict, never in another way, and reaches nobody."""
        for nonsense in hostile():
            ended = session(nonsense[:65000])
            self.assertFalse(ended.connected)


class CheckedTests(Case):
    """A name that is only claimed is checked against the server's certificate."""

    CHECKED = settings(check_name=True)

    def test_proven(self) -> None:
        """The server is asked by TCP; what comes meanwhile is kept, within bounds."""
        first = packet(crypto(0, HELLO))
        waiting = session(first, settings=self.CHECKED, probed=None)
        waiting.says(CLIENT, *[first] * 40)
        self.assertFalse(waiting.connected)
        waiting.probing[0].callback(AGREED)
        self.assertEqual(waiting.datagrams[SERVER], [first] * 16)

    def test_not_proven(self) -> None:
        """A server that is somebody else, or can't be asked, gets nothing."""
        flaw = Flaw(Invalid.NAME, "it is for nobody")
        for probed, reason in (
            (AGREED._replace(flaws=(flaw,)), "the server's certificate: name: it is for nobody"),
            (Insecure("no TLS there"), "by TCP: no TLS there"),
        ):
            denied = session(packet(crypto(0, HELLO)), settings=self.CHECKED, probed=probed)
            self.assert_denied(denied, reason)
            self.assertFalse(denied.connected)

    def test_remembered(self) -> None:
        """A server is asked once."""
        first = session(packet(crypto(0, HELLO)), settings=self.CHECKED)
        again = session(packet(crypto(0, HELLO)), settings=self.CHECKED, shared=first.shared)
        self.assertIn("probe", first.events)
        self.assertNotIn("probe", again.events)
        self.assertTrue(again.connected)

    def test_left(self) -> None:
        """A client that has gone before its second name was checked keeps no other one waiting."""
        checked = settings(name=read_hosts((NAME, OTHER)), check_name=True)
        second = packet(crypto(0, hello(OTHER)), destination=b"another!")
        gone = session(packet(crypto(0, HELLO)) + second, settings=checked, probed=None)
        gone.close("the client has gone")
        gone.probing[0].callback(AGREED)
        other = session(second, settings=checked, shared=gone.shared)
        self.assertEqual(other.datagrams[SERVER], [second])
