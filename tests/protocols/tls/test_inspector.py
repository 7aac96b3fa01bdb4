"""The inspector of TLS: who is spliced, refused, or looked into, and how the client is told."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gateway.agreement import Agreed, Certificate, Flaw, Insecure, Invalid
from gateway.inspector import Addresses, Identity
from gateway.interfaces import CLIENT, SERVER, Address, Outcome, Unreachable
from gateway.testing import END, Conversation, FakeSession, InspectorSuite
from protocols.hosts import read_hosts
from protocols.tls.decision import Decision
from protocols.tls.hello import ClientHello
from protocols.tls.inspector import TlsInspector
from protocols.tls.ja4 import ja4
from protocols.tls.numbers import Alert
from protocols.tls.recent import Recent
from protocols.tls.refusal import alert_record
from protocols.tls.settings import Answers, Rule, TlsSettings
from protocols.tls.shared import Shared
from protocols.tls.story import Story
from tests.protocols.tls import hellos
from tests.protocols.tls.hellos import (
    alpn,
    body,
    groups,
    message,
    records,
    server_name,
    versions,
)

NAME = "www.example.org"
HELLO = records(message(body()))
NAMELESS = records(message(body([alpn(b"http/1.1")])))
H2_ONLY = records(message(body([server_name(NAME.encode()), alpn(b"h2")])))
WITHOUT_ALPN = records(message(body([server_name(NAME.encode())])))

SPLICE = TlsSettings(mode="splice")
INSPECT = TlsSettings(inside="web")
ACCESS_DENIED = alert_record(Alert.ACCESS_DENIED)

CERTIFICATE = Certificate(
    b"der",
    "f" * 64,
    f"CN={NAME}",
    "CN=Issuer",
    "ABC",
    (NAME,),
    ("192.0.2.1",),
    datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC),
)
SERVER_AGREED = Agreed("TLS 1.2", "ECDHE", "X25519", "http/1.1", True, (CERTIFICATE,))
CLIENT_AGREED = Agreed("TLS 1.3", "AES", "X25519MLKEM768", "http/1.1")


def flawed(*kinds: Invalid, **ways: Any) -> Agreed:
    """A server that is not to be believed."""
    flaws = tuple(Flaw(kind, "so it is") for kind in kinds)
    return SERVER_AGREED._replace(flaws=flaws, **ways)


def addresses(*networks: str) -> Addresses:
    """What a rule is for."""
    return Addresses(tuple(map(ip_network, networks)))


class TlsSuite(InspectorSuite, SynchronousTestCase):
    """What every inspector has to pass."""

    inspector = TlsInspector
    conversations = (
        Conversation(
            "spliced",
            [
                (CLIENT, HELLO),
                (SERVER, b"\x16hello"),
                (CLIENT, b"\x17x"),
                (SERVER, END),
                (CLIENT, END),
            ],
            settings=SPLICE,
        ),
        Conversation(
            "of several records",
            [(CLIENT, records(message(body()), 5, 100)), (SERVER, END), (CLIENT, END)],
            settings=SPLICE,
        ),
        Conversation(
            "inspected",
            [(CLIENT, HELLO)],
            settings=INSPECT,
            outcome=Outcome.CLOSED,
            replays=False,  # what passes is what is inside, without the hello
        ),
        Conversation(
            "refused",
            [(CLIENT, HELLO)],
            settings=TlsSettings(mode="refuse"),
            outcome=Outcome.DENIED,
        ),
        Conversation("no name", [(CLIENT, NAMELESS)], settings=SPLICE, outcome=Outcome.DENIED),
        Conversation(
            "no TLS", [(CLIENT, b"GET / HTTP/1.1\r\n")], settings=SPLICE, outcome=Outcome.DENIED
        ),
        Conversation(
            "cut off",
            [(CLIENT, HELLO[:100]), (CLIENT, END)],
            settings=SPLICE,
            outcome=Outcome.DENIED,
        ),
        Conversation("nothing at all", [(CLIENT, END)], settings=SPLICE),
    )


class Case(SynchronousTestCase):
    """Sessions with this inspector."""

    def session(self, settings: TlsSettings = INSPECT, **ways: Any) -> FakeSession:
        ways.setdefault("agrees", {SERVER: SERVER_AGREED, CLIENT: CLIENT_AGREED})
        return FakeSession(TlsInspector, settings, **ways).start()

    def record(self, session: FakeSession) -> dict[str, Any]:
        """The only record."""
        ((event, fields),) = session.recorded
        self.assertEqual(event, "tls")
        return fields


class DecidedTests(Case):
    """Which connections are spliced, inspected, refused."""

    def mode(self, settings: TlsSettings, hello: bytes = HELLO, **ways: Any) -> tuple[str, str]:
        session = self.session(settings, **ways)
        session.says(CLIENT, hello)
        own = self.record(session)["gateway"]["tls"]
        return own["mode"], own["rule"]

    def test_rules(self) -> None:
        """The first rule of which all conditions hold decides; else the table does."""
        fingerprint = ja4(ClientHello.parse(body()))
        for rule, meant in (
            (Rule("splice", name=read_hosts((".example.org",))), True),
            (Rule("splice", name=read_hosts(("other.example",))), False),
            (Rule("splice", alpn=frozenset({"h2"})), True),
            (Rule("splice", alpn=frozenset({"imap"})), False),
            (Rule("splice", ja4=frozenset({fingerprint})), True),
            (Rule("splice", ja4=frozenset({"t13d1517h2_8daaf6152771_cb7bf5808d99"})), False),
            (Rule("splice", from_=addresses("192.0.2.0/24")), True),
            (Rule("splice", from_=addresses("10.0.0.0/8", "fd00::/8")), False),
            (Rule("splice", to=addresses("198.51.100.2")), True),
            (Rule("splice", to=addresses("198.51.100.3")), False),
            (Rule("splice"), True),
            (
                Rule("splice", name=read_hosts((".example.org",)), alpn=frozenset({"imap"})),
                False,
            ),
        ):
            settings = TlsSettings(mode="refuse", rule=(rule,))
            wanted = ("splice", "tls.rule") if meant else ("refuse", "tls.mode")
            self.assertEqual(self.mode(settings), wanted, rule)

    def test_order(self) -> None:
        """Here the order counts."""
        rules = (
            Rule("splice", name=read_hosts((NAME,))),
            Rule("refuse", name=read_hosts((".example.org",))),
        )
        self.assertEqual(self.mode(TlsSettings(mode="refuse", rule=rules))[0], "splice")
        self.assertEqual(self.mode(TlsSettings(mode="refuse", rule=rules[::-1]))[0], "refuse")

    def test_without_name(self) -> None:
        """Clients that say no name are treated as the operator says; rules by name miss them."""
        rule = Rule("splice", name=read_hosts(("~.*",)))
        settings = TlsSettings(mode="splice", rule=(rule,))
        self.assertEqual(self.mode(settings, NAMELESS), ("refuse", "tls.without_name"))
        settings = TlsSettings(mode="refuse", without_name="splice")
        self.assertEqual(self.mode(settings, NAMELESS), ("splice", "tls.without_name"))
        of_address = records(message(body([server_name(b"198.51.100.2")])))
        self.assertEqual(self.mode(settings, of_address), ("splice", "tls.without_name"))

    def test_wrong_settings(self) -> None:
        """Settings that do not go together are refused with the policy."""
        for ways in (
            {},
            {"mode": "splice", "rule": (Rule("inspect"),)},
            {"mode": "splice", "without_name": "inspect"},
        ):
            with self.assertRaises(ValueError):
                TlsSettings(**ways)


class CertificateTests(Case):
    """What is decided by the server's certificate, which is asked for apart."""

    def mode(self, rule: Rule, probed: Any) -> str:
        """What becomes of a connection, that would be refused otherwise."""
        session = self.session(TlsSettings(mode="refuse", rule=(rule,)), probed=probed)
        session.says(CLIENT, HELLO)
        self.assertEqual(len(session.probes), 1)
        found: str = self.record(session)["gateway"]["tls"]["mode"]
        return found

    def test_rules(self) -> None:
        """A rule may go by the names, the issuer, the subject in a certificate."""
        for rule, meant in (
            (Rule("splice", certificate_name=read_hosts((".example.org",))), True),
            (Rule("splice", certificate_name=read_hosts(("other.example",))), False),
            (Rule("splice", issuer=("CN=Nobody", "CN=Iss")), True),
            (Rule("splice", issuer=("CN=Nobody",)), False),
            (Rule("splice", subject=(NAME,)), True),
            (Rule("splice", subject=(NAME,), issuer=("CN=Nobody",)), False),
        ):
            self.assertEqual(self.mode(rule, SERVER_AGREED), "splice" if meant else "refuse", rule)

    def test_lies(self) -> None:
        """A certificate that is not to be believed says nothing, nor does a server that is away."""
        rule = Rule("splice", issuer=("CN=Issuer",))
        for probed in (
            flawed(Invalid.UNTRUSTED),
            Insecure("no TLS"),
            Unreachable("away"),
            SERVER_AGREED._replace(chain=()),
        ):
            self.assertEqual(self.mode(rule, probed), "refuse")

    def test_not_asked(self) -> None:
        """A server is not asked for what is decided without it."""
        rules = (
            Rule("splice", name=read_hosts((NAME,))),
            Rule("splice", issuer=("CN=Issuer",)),
        )
        session = self.session(TlsSettings(mode="refuse", rule=rules))
        session.says(CLIENT, HELLO)
        self.assertEqual(session.probes, [])

    def test_check_name(self) -> None:
        """A client that claims a name is spliced to a server that has a certificate for it only."""
        rule = Rule("splice", name=read_hosts((NAME,)), check_name=True)
        settings = TlsSettings(mode="refuse", rule=(rule,))
        session = self.session(settings, probed=SERVER_AGREED)
        session.says(CLIENT, HELLO)
        self.assertEqual(session.probes, [{"name": NAME, "alpn": ("h2", "http/1.1")}])
        self.assertEqual(session.sent[SERVER], HELLO)
        self.assertEqual(self.record(session)["subject"], f"CN={NAME}")
        for probed, reason in (
            (flawed(Invalid.NAME), "the server's certificate: name: so it is"),
            (flawed(Invalid.UNTRUSTED), "the server's certificate: untrusted: so it is"),
            (Insecure("no TLS"), "no TLS"),
        ):
            session = self.session(settings, probed=probed)
            session.says(CLIENT, HELLO)
            self.assertEqual(session.sent, {CLIENT: ACCESS_DENIED, SERVER: b""})
            own = self.record(session)["gateway"]
            self.assertEqual((own["reason"], own["denied_by"]), (reason, "tls.rule"))

    def test_check_name_unreachable(self) -> None:
        """Where nobody is to be asked, nobody is to be spliced to."""
        rule = Rule("splice", check_name=True)
        session = self.session(TlsSettings(mode="refuse", rule=(rule,)), probed=Unreachable("gone"))
        session.says(CLIENT, HELLO)
        self.assertEqual(session.verdict, (Outcome.FAILED, "server unreachable: gone"))
        self.assertEqual(self.record(session)["gateway"]["verdict"], "failed")

    def test_remembered(self) -> None:
        """Sessions of a service ask a server once, those of the same moment too; for an hour."""
        settings = TlsSettings(mode="splice", rule=(Rule("splice", check_name=True),))
        shared = Shared(settings)

        class Slow(FakeSession):
            """Its server takes its time."""

            def probe(self, **asked: Any) -> Any:
                super().probe(**asked)
                return answer

        answer: Deferred[Agreed] = Deferred()
        ways = {"shared": shared, "probed": SERVER_AGREED}
        first, second = (Slow(TlsInspector, settings, **ways).start() for _ in range(2))
        for session in (first, second):
            session.says(CLIENT, HELLO)
        self.assertEqual((len(first.probes), len(second.probes)), (1, 0))
        answer.callback(SERVER_AGREED)
        for session in (first, second):
            self.assertEqual(session.sent[SERVER], HELLO)
        later, much_later = (
            self.session(settings, now=now, **ways) for now in (1_003_599, 1_003_601)
        )
        later.says(CLIENT, HELLO)
        much_later.says(CLIENT, HELLO)
        self.assertEqual((len(later.probes), len(much_later.probes)), (0, 1))

    def test_client_certificate(self) -> None:
        """A server that asks for clients' certificates is left alone when the client comes back."""
        wanting = SERVER_AGREED._replace(wants_certificate=True)
        settings = TlsSettings(inside="web", client_certificate="splice")
        ways = {"shared": Shared(settings), "agrees": {SERVER: wanting}, "probed": SERVER_AGREED}
        first = self.session(settings, **ways)
        first.says(CLIENT, HELLO)
        self.assertEqual(first.sent[CLIENT], ACCESS_DENIED)
        second = self.session(settings, **ways)
        second.says(CLIENT, HELLO)
        self.assertEqual(second.sent[SERVER], HELLO)
        self.assertEqual(self.record(second)["gateway"]["tls"]["rule"], "tls.client_certificate")
        for other in ({"server": Address("198.51.100.9", 443)}, {"now": 2_000_000.0}):
            session = self.session(settings, **ways, **other)
            session.says(CLIENT, HELLO)
            self.assertEqual(session.secured, [(SERVER, b"")])

    def test_tries(self) -> None:
        """A browser tries several times what it was refused: that is one record."""
        settings = TlsSettings(mode="refuse")
        shared = Shared(settings)
        counts = []
        for now in (0.0, 0.1, 2.0, 9.9, 10.1):
            session = self.session(settings, shared=shared, now=1_000_000 + now)
            session.says(CLIENT, HELLO)
            self.assertEqual(session.sent[CLIENT], ACCESS_DENIED)
            counts.append(len(session.recorded))
        self.assertEqual(counts, [1, 0, 0, 0, 1])
        other = self.session(settings, shared=shared, client=Address("192.0.2.9", 1))
        other.says(CLIENT, HELLO)
        self.assertEqual(len(other.recorded), 1)


class RecentTests(SynchronousTestCase):
    """L{Recent}."""

    def test_bounded(self) -> None:
        """So many are remembered, for so long; the oldest goes first."""
        recent: Recent[str] = Recent(10, 2)
        for number, key in enumerate("abca"):
            recent.put(key, key.upper(), number)
        self.assertEqual([recent.get(key, 5) for key in "abc"], ["A", None, "C"])
        self.assertEqual([recent.get(key, 12.5) for key in "ac"], ["A", None])


class ToldTests(Case):
    """How clients, servers and the operator learn what becomes of a connection."""

    def test_inspected(self) -> None:
        """Server first, then the client, with what the server agreed to; then the next service."""
        session = self.session()
        session.says(CLIENT, HELLO)
        self.assertEqual(session.secured, [(SERVER, b""), (CLIENT, HELLO)])
        server, client = session.asked_for[SERVER], session.asked_for[CLIENT]
        self.assertEqual((server["name"], server["alpn"]), (NAME, ("http/1.1",)))
        self.assertEqual(client["alpn"], ("http/1.1",))
        self.assertIs(client["like"], SERVER_AGREED)
        self.assertTrue(client["trusted"])
        self.assertEqual(session.handed, ("web", {CLIENT: b""}))

    def test_recorded(self) -> None:
        """The record has the server's certificate, in EVE's words, and what both sides agreed."""
        session = self.session()
        session.says(CLIENT, HELLO)
        self.maxDiff = None
        fields = self.record(session)
        self.assertEqual(fields.pop("ja4")[:10], "t13d0206h2")
        self.assertEqual(
            fields,
            {
                "sni": NAME,
                "client_alpns": ["h2", "http/1.1"],
                "server_alpns": ["http/1.1"],
                "version": "TLS 1.2",
                "session_resumed": True,
                "fingerprint": "7d:44:c3:3c:f9:a8:2a:b9:bd:53:00:d2:66:78:45:04:e9:77:21:77",
                "subject": f"CN={NAME}",
                "issuerdn": "CN=Issuer",
                "serial": "0A:BC",
                "subjectaltname": [NAME, "192.0.2.1"],
                "notbefore": "2026-01-02T03:04:05",
                "notafter": "2027-01-02T03:04:05",
                "gateway": {
                    "verdict": "passed",
                    "tls": {
                        "mode": "inspect",
                        "rule": "tls.mode",
                        "root": "trusted",
                        "server": {
                            "version": "TLS 1.2",
                            "cipher": "ECDHE",
                            "group": "X25519",
                            "alpn": "http/1.1",
                            "resumed": True,
                        },
                        "client": {
                            "version": "TLS 1.3",
                            "cipher": "AES",
                            "group": "X25519MLKEM768",
                            "alpn": "http/1.1",
                        },
                    },
                },
            },
        )

    def test_recorded_from_what_is_kept(self) -> None:
        """
        What strangers wrote is taken as it is only if it is short and plain; else it is made fit
        where all records are, as of servers with flaws.
        """
        hello = ClientHello.parse(body())
        for certificate, kept in (
            (CERTIFICATE, True),
            (CERTIFICATE._replace(subject="CN=\ud800"), False),
            (CERTIFICATE._replace(issuer="CN=\x1b[2J"), False),
            (CERTIFICATE._replace(names=tuple(f"{n:064}.example" for n in range(100))), False),
        ):
            agreed = SERVER_AGREED._replace(chain=(certificate,))
            story = Story(hello, "t13", Decision("inspect", "web", "tls.mode"), server=agreed)
            self.assertEqual(story.prepared() is not None, kept, certificate.subject)
        for chain in ((CERTIFICATE,), ()):
            story.server = flawed(Invalid.NAME, chain=chain)
            self.assertIsNone(story.prepared())
        many = ClientHello.parse(body([alpn(*[b"x" * 200] * 30)]))
        self.assertIsNone(Story(many, "t13", Decision("splice", "", "tls.mode")).prepared())

    def test_recorded_late(self) -> None:
        """A spliced connection is recorded as passed when its server is there, not before."""
        session = self.session(SPLICE, reachable=None)
        session.says(CLIENT, HELLO)
        self.assertEqual(session.recorded, [])
        session.reach()
        self.assertEqual(self.record(session)["gateway"]["verdict"], "passed")
        session = self.session(SPLICE, reachable=False)
        session.says(CLIENT, HELLO)
        own = self.record(session)["gateway"]
        self.assertEqual(own["verdict"], "failed")
        self.assertTrue(own["reason"].startswith("server unreachable: "), own["reason"])

    def test_alpn(self) -> None:
        """Nobody agrees on what is not inspected; who has nothing else is told so."""
        session = self.session()
        session.says(CLIENT, H2_ONLY)
        self.assertEqual(session.sent[CLIENT], alert_record(Alert.NO_APPLICATION_PROTOCOL))
        self.assertEqual(self.record(session)["gateway"]["denied_by"], "tls.alpn")
        agreed = {SERVER: SERVER_AGREED._replace(alpn=""), CLIENT: CLIENT_AGREED}
        session = self.session(agrees=agreed)
        session.says(CLIENT, WITHOUT_ALPN)
        self.assertEqual(session.asked_for[SERVER]["alpn"], ())
        self.assertEqual(session.asked_for[CLIENT]["alpn"], ())

    def test_refused(self) -> None:
        """A refused name reaches nobody; the alert is the one that reads best."""
        session = self.session(TlsSettings(mode="refuse"))
        session.says(CLIENT, HELLO)
        self.assertEqual(session.sent[CLIENT], ACCESS_DENIED)
        self.assertEqual(session.connected, [])
        own = self.record(session)["gateway"]
        self.assertEqual((own["verdict"], own["denied_by"]), ("denied", "tls.mode"))
        self.assertEqual(own["reason"], f"{NAME} is refused")

    def test_refused_by_a_page(self) -> None:
        """Or by a page, under a certificate for the name, once the client has asked."""
        session = self.session(TlsSettings(mode="refuse", refuse_with="page"))
        session.says(CLIENT, HELLO)
        self.assertEqual(session.asked_for[CLIENT]["name"], NAME)
        self.assertEqual(session.sent[CLIENT], b"")
        session.says(CLIENT, b"GET / HTTP/1.1\r\n\r\n")
        self.assertIn(b"HTTP/1.1 403 Forbidden\r\n", session.sent[CLIENT])
        self.assertIn(f"{NAME} is refused".encode(), session.sent[CLIENT])
        assert session.verdict is not None
        self.assertIs(session.verdict.outcome, Outcome.DENIED)
        self.assertEqual(session.connected, [])

    def test_unreachable(self) -> None:
        """A server that is not there is told by a page, or by an alert if there are none."""
        session = self.session(reachable=False)
        session.says(CLIENT, HELLO)
        session.says(CLIENT, b"GET / HTTP/1.1\r\n\r\n")
        self.assertIn(b"HTTP/1.1 504 ", session.sent[CLIENT])
        assert session.verdict is not None
        self.assertIs(session.verdict.outcome, Outcome.FAILED)
        self.assertEqual(self.record(session)["gateway"]["verdict"], "failed")
        session = self.session(TlsSettings(inside="mail", pages=False), reachable=False)
        session.says(CLIENT, HELLO)
        self.assertEqual(session.sent[CLIENT], alert_record(Alert.INTERNAL_ERROR))

    def test_broken_server(self) -> None:
        """So is one that does not agree to TLS, and which alert it has sent is in the record."""
        refused = Insecure("TLS with the server: no", "handshake_failure")
        session = self.session(agrees={SERVER: refused})
        session.says(CLIENT, HELLO)
        session.says(CLIENT, b"GET / HTTP/1.1\r\n\r\n")
        self.assertIn(b"HTTP/1.1 502 ", session.sent[CLIENT])
        self.assertEqual(self.record(session)["gateway"]["tls"]["alert"], "handshake_failure")

    def test_alert_passed_on(self) -> None:
        """Where no page may be said, the client hears the server's own alert, if it is for it."""
        for alert, heard in (
            ("unrecognized_name", Alert.UNRECOGNIZED_NAME),
            ("certificate_required", Alert.INTERNAL_ERROR),
        ):
            session = self.session(
                TlsSettings(inside="web", pages=False),
                agrees={SERVER: Insecure("TLS with the server: no", alert)},
            )
            session.says(CLIENT, HELLO)
            self.assertEqual(session.sent[CLIENT], alert_record(heard))

    def test_refused_by_the_client(self) -> None:
        """A client that does not believe us leaves a record with its alert."""
        refused = Insecure("TLS with the client: no", "unknown_ca")
        session = self.session(agrees={SERVER: SERVER_AGREED, CLIENT: refused})
        session.says(CLIENT, HELLO)
        own = self.record(session)["gateway"]
        self.assertEqual((own["verdict"], own["tls"]["alert"]), ("failed", "unknown_ca"))
        self.assertIsNotNone(session.verdict)

    def test_shown(self) -> None:
        """What is wrong with a server, the client sees for itself, as well as that can be."""
        for kind, trusted in (
            (Invalid.EXPIRED, True),
            (Invalid.NAME, True),
            (Invalid.UNTRUSTED, False),
            (Invalid.INCOMPLETE, False),
            (Invalid.REVOKED, False),
            (Invalid.WEAK, False),
        ):
            session = self.session(agrees={SERVER: flawed(kind, Invalid.EXPIRED)})
            session.says(CLIENT, HELLO)
            self.assertIs(session.asked_for[CLIENT]["trusted"], trusted, kind)
            flaws = self.record(session)["gateway"]["tls"]["flaws"]
            self.assertEqual(flaws[0], f"{kind.value}: so it is")

    def test_denied(self) -> None:
        """With "deny", such a server is not shown at all, and which flaw it was is recorded."""
        for kind in Invalid:
            for invalid in ("deny", Answers(**{kind.value: "deny"})):
                settings = TlsSettings(inside="web", invalid=invalid)
                session = self.session(settings, agrees={SERVER: flawed(kind)})
                session.says(CLIENT, HELLO)
                self.assertEqual(session.sent[CLIENT], ACCESS_DENIED)
                self.assertNotIn(CLIENT, session.asked_for)
                own = self.record(session)["gateway"]
                self.assertEqual(own["reason"], f"the server's certificate: {kind.value}: so it is")
                self.assertEqual(own["denied_by"], "tls.invalid")

    def test_paged(self) -> None:
        """With "page", a page of ours tells, under a certificate that the client believes."""
        for kind in Invalid:
            for invalid in ("page", Answers(**{kind.value: "page"})):
                settings = TlsSettings(inside="web", invalid=invalid)
                session = self.session(settings, agrees={SERVER: flawed(kind)})
                session.says(CLIENT, HELLO)
                self.assertTrue(session.asked_for[CLIENT]["trusted"])
                self.assertIsNone(session.asked_for[CLIENT]["like"])
                session.says(CLIENT, b"GET / HTTP/1.1\r\n\r\n")
                self.assertIn(b"HTTP/1.1 502 ", session.sent[CLIENT])
                self.assertIn(f"{kind.value}: so it is".encode(), session.sent[CLIENT])
                self.assertIsNone(session.handed)

    def test_worst(self) -> None:
        """Of two flaws, the stricter answer counts, whichever was found first."""
        settings = TlsSettings(inside="web", invalid=Answers(expired="page", weak="deny"))
        for kinds in ((Invalid.EXPIRED, Invalid.WEAK), (Invalid.WEAK, Invalid.EXPIRED)):
            session = self.session(settings, agrees={SERVER: flawed(*kinds)})
            session.says(CLIENT, HELLO)
            self.assertEqual(session.sent[CLIENT], ACCESS_DENIED)

    def test_own_certificate(self) -> None:
        """A server that is meant gets the gateway's own certificate; others get none."""
        identity = Identity(b"certificate and key")
        rule = Rule("inspect", name=read_hosts((NAME,)), own_certificate=identity)
        settings = TlsSettings(inside="web", rule=(rule,), client_certificate="deny")
        wanting = SERVER_AGREED._replace(wants_certificate=True)
        agrees = {SERVER: wanting, CLIENT: CLIENT_AGREED}
        session = self.session(settings, agrees=agrees)
        session.says(CLIENT, HELLO)
        self.assertEqual(session.asked_for[SERVER]["terms"].identity, identity)
        self.assertFalse(hasattr(session.asked_for[CLIENT]["terms"], "identity"))
        self.assertIsNotNone(session.handed)
        other = self.session(settings, agrees=agrees)
        other.says(CLIENT, hellos.records(message(body([server_name(b"other.example")]))))
        self.assertIsNone(other.handed)

    def test_hybrid(self) -> None:
        """A server is offered ML-KEM where its client offers it, or always if that is wanted."""
        curves = [server_name(NAME.encode()), groups(29, 23), versions(0x0304)]
        for settings, extensions, offered in (
            (INSPECT, hellos.COMMON, True),
            (INSPECT, curves, False),
            (INSPECT, curves[:1], False),
            (TlsSettings(inside="web", post_quantum="always"), curves, True),
        ):
            session = self.session(settings)
            session.says(CLIENT, records(message(body(extensions))))
            self.assertIs(session.asked_for[SERVER]["terms"].hybrid, offered)

    def test_client_certificate(self) -> None:
        """A server that wants to know the client by a certificate may be refused."""
        wanting = SERVER_AGREED._replace(wants_certificate=True)
        for settings, handed in (
            (INSPECT, True),
            (TlsSettings(inside="web", client_certificate="deny"), False),
        ):
            session = self.session(settings, agrees={SERVER: wanting, CLIENT: CLIENT_AGREED})
            session.says(CLIENT, HELLO)
            self.assertEqual(session.handed is not None, handed)

    def test_server_first(self) -> None:
        """What the server says before the client is ready is for the service inside."""

        class Early(FakeSession):
            """Its server speaks as soon as it can."""

            def secure(self, side: Any, *arguments: Any, **ways: Any) -> Any:
                if side is CLIENT:
                    self.says(SERVER, b"220 hello\r\n")
                return super().secure(side, *arguments, **ways)

        agrees = {SERVER: SERVER_AGREED, CLIENT: CLIENT_AGREED}
        session = Early(TlsInspector, INSPECT, agrees=agrees).start()
        session.says(CLIENT, HELLO)
        self.assertEqual(session.handed, ("web", {CLIENT: b"", SERVER: b"220 hello\r\n"}))
        self.assertEqual(session.sent[CLIENT], b"")

    def test_slow(self) -> None:
        """A client that does not say what it wants is not waited for."""
        session = self.session(SPLICE)
        session.says(CLIENT, HELLO[:50])
        session.advance(6)
        assert session.verdict is not None
        self.assertIn("hello_seconds = 5", session.verdict.reason)
        session = self.session(SPLICE)
        session.says(CLIENT, HELLO)
        session.advance(60)
        self.assertIsNone(session.verdict)

    def test_real(self) -> None:
        """OpenSSL's own hello, which has its name in the second segment, is understood."""
        hello = hellos.of_openssl(NAME.encode(), (b"http/1.1",))
        session = self.session(SPLICE)
        for at in range(0, len(hello), 1448):
            session.says(CLIENT, hello[at : at + 1448])
        self.assertEqual(self.record(session)["sni"], NAME)
        self.assertEqual(session.sent[SERVER], hello)
