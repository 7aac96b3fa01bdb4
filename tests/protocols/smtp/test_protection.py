"""TLS that is looked into: STARTTLS, TLS from the first byte on, and TLS that is required."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from gateway.agreement import Agreed, Flaw, Insecure, Invalid
from gateway.interfaces import CLIENT, SERVER, Outcome
from gateway.testing import Conversation, FakeSession, InspectorSuite
from protocols.smtp.inspector import SMTPInspector
from protocols.smtp.settings import SMTPSettings
from protocols.tls.encryption import Encryption
from tests.protocols.smtp.conversations import (
    BYE,
    GO_AHEAD,
    GREETING,
    HELLO,
    OFFER,
    OK,
    TAKEN,
    said,
    talk,
)
from tests.protocols.tls.hellos import alpn, body, message, records, server_name

NAME = "mail.b.example"
CLIENT_HELLO = records(message(body([server_name(NAME.encode())])))
WITH_SERVER, WITH_CLIENT = Agreed("TLS 1.3", "A"), Agreed("TLS 1.2", "B")
AGREES: dict[Any, Any] = {SERVER: WITH_SERVER, CLIENT: WITH_CLIENT}
EXPIRED = Flaw(Invalid.EXPIRED, "it has expired")
OTHER_NAME = Flaw(Invalid.NAME, "it is for somebody else")

INSPECT = SMTPSettings(starttls="inspect")
DENY = evolve(INSPECT, tls=Encryption(invalid="deny"))
IMPLICIT = SMTPSettings(implicit=True)
SERVER_ONLY = SMTPSettings(tls_required="server")
BOTH = evolve(INSPECT, tls_required="client")

ASK = (CLIENT, b"STARTTLS\r\n")
GO = (SERVER, b"220 2.0.0 Go\r\n")
UPGRADE = [*HELLO, ASK, GO, (CLIENT, CLIENT_HELLO)]
INSIDE = OFFER.replace(b"250-STARTTLS\r\n", b"")
AGAIN = [(CLIENT, b"EHLO client.example\r\n"), (SERVER, INSIDE)]
MAIL = (CLIENT, b"MAIL FROM:<a@a.example>\r\n")


def encrypted(
    steps: Any = (), settings: SMTPSettings = INSPECT, agrees: dict[Any, Any] = AGREES
) -> FakeSession:
    """A client and a server that went over to TLS."""
    return talk([*UPGRADE, *steps], settings, agrees=agrees)


def last(session: FakeSession) -> bytes:
    """The last line that the client heard."""
    return session.sent[CLIENT].splitlines()[-1]


class StartTLSTests(SynchronousTestCase):
    """STARTTLS (RFC 3207), looked into."""

    def test_both(self) -> None:
        """The server is told the client's name for it, and the client gets its certificate."""
        session = encrypted()
        self.assertEqual(session.secured, [(SERVER, b""), (CLIENT, CLIENT_HELLO)])
        self.assertEqual(session.asked_for[SERVER]["name"], NAME)
        self.assertIs(session.asked_for[CLIENT]["like"], WITH_SERVER)
        (record,) = session.records_of("tls")
        self.assertEqual((record["sni"], record["tls"]["rule"]), (NAME, "starttls"))
        self.assertEqual(record["verdict"], "passed")
        self.assertFalse(session.released)

    def test_server_first(self) -> None:
        """The client hears nothing of the gateway's own, and no TLS begins, before the server."""
        session = talk([*HELLO, ASK], INSPECT)
        before = session.sent[CLIENT]
        self.assertTrue(session.sent[SERVER].endswith(b"STARTTLS\r\n"))
        said(session, [(SERVER, b"454 4.7.0 Not now\r\n")])
        self.assertEqual(session.sent[CLIENT], before + b"454 4.7.0 Not now\r\n")
        self.assertEqual(session.secured, [])
        said(session, [MAIL])  # opportunistic, as mail servers are
        self.assertTrue(session.sent[SERVER].endswith(MAIL[1]))

    def test_not_offered(self) -> None:
        """A server without TLS: the client hears of none, and goes on as it would without us."""
        session = talk([*HELLO[:2], (SERVER, INSIDE)], INSPECT)
        self.assertNotIn(b"STARTTLS", session.sent[CLIENT])
        said(session, [ASK])
        self.assertEqual(last(session)[:3], b"502")
        said(session, [MAIL])
        self.assertTrue(session.sent[SERVER].endswith(MAIL[1]))

    def test_begins_anew(self) -> None:
        """What was said before is forgotten: EHLO comes again, with another offer."""
        session = encrypted([MAIL])
        self.assertEqual(last(session), b"503 5.5.1 Say EHLO first")
        said(session, [(CLIENT, b"AUTH PLAIN AHgAeQ==\r\n")])
        self.assertEqual(last(session)[:3], b"502")
        said(session, AGAIN)
        self.assertIn(b"AUTH PLAIN LOGIN", session.sent[CLIENT].rpartition(b"220 ")[2])
        said(session, [MAIL])
        self.assertTrue(session.sent[SERVER].endswith(b"STARTTLS\r\n" + AGAIN[0][1] + MAIL[1]))

    def test_once(self) -> None:
        """There is no TLS within TLS, whatever the server says."""
        session = encrypted([AGAIN[0], (SERVER, OFFER)])
        self.assertNotIn(b"STARTTLS", session.sent[CLIENT].rpartition(b"220 ")[2])
        said(session, [ASK])
        self.assertEqual(last(session)[:3], b"502")

    def test_login(self) -> None:
        """Clients log in within TLS, and only there: what 'auth = "tls"' says is so."""
        login = (CLIENT, b"AUTH PLAIN AHgAeQ==\r\n")
        self.assertEqual(last(talk([*HELLO, login], INSPECT))[:3], b"502")
        session = encrypted([*AGAIN, login])
        self.assertTrue(session.sent[SERVER].endswith(login[1]))
        never = encrypted([*AGAIN, login], evolve(INSPECT, auth="never"))
        self.assertEqual(last(never)[:3], b"502")

    def test_login_is_forgotten(self) -> None:
        """Who logged in before TLS has to do it again (RFC 3207, section 4.2)."""
        settings = evolve(INSPECT, auth="always", auth_required=True)
        login = [(CLIENT, b"AUTH PLAIN AHgAeQ==\r\n"), (SERVER, b"235 2.7.0 Ok\r\n")]
        session = talk([*HELLO, *login, *UPGRADE[3:], *AGAIN, MAIL], settings, agrees=AGREES)
        self.assertEqual(last(session), b"530 5.7.0 Say AUTH first")

    def test_plaintext_of_client(self) -> None:
        """What a client says behind STARTTLS in plaintext reaches nobody, whenever it comes."""
        for behind in (b"MAIL FROM:<eve@c>\r\n", b"RS"):
            for steps in (
                [(CLIENT, ASK[1] + behind), GO],
                [ASK, (CLIENT, behind), GO],
                [ASK, GO, (CLIENT, behind)],
            ):
                session = talk([*HELLO, *steps, (CLIENT, CLIENT_HELLO)], INSPECT)
                self.assertIs(session.verdict.outcome, Outcome.DENIED)
                self.assertTrue(session.sent[SERVER].endswith(b"\r\nSTARTTLS\r\n"))
                self.assertEqual(last(session), b"421 4.7.0 Nothing may follow STARTTLS")
                self.assertEqual(session.secured, [])

    def test_plaintext_of_server(self) -> None:
        """What a server says behind its agreement in plaintext is believed by nobody."""
        for first, second in ((b"250 injected\r\n", b""), (b"250 inj", b""), (b"", b"250 inj\r\n")):
            session = talk([*HELLO, ASK, (SERVER, GO[1] + first)], INSPECT)
            said(session, [(SERVER, second)] if second else [])
            said(session, [(CLIENT, CLIENT_HELLO), *AGAIN])
            self.assertIs(session.verdict.outcome, Outcome.DENIED)
            self.assertNotIn(b"inj", session.sent[CLIENT])
            self.assertNotIn((CLIENT, CLIENT_HELLO), session.secured)

    def test_another_protocol(self) -> None:
        """A browser that was led here by somebody else is turned away (ALPACA)."""
        hello = records(message(body([alpn(b"http/1.1")])))
        session = talk([*HELLO, ASK, GO, (CLIENT, hello)], INSPECT)
        self.assertIs(session.verdict.outcome, Outcome.DENIED)
        self.assertEqual(session.secured, [])

    def test_shown(self) -> None:
        """A server that can't be believed is shown to the client as it is."""
        untrusted = Flaw(Invalid.UNTRUSTED, "unknown")
        for flaws, trusted in (((EXPIRED,), True), ((untrusted,), False), ((), True)):
            agrees = {**AGREES, SERVER: WITH_SERVER._replace(flaws=flaws)}
            session = encrypted(AGAIN, agrees=agrees)
            self.assertIs(session.asked_for[CLIENT]["trusted"], trusted)
            self.assertIsNone(session.verdict)

    def test_denied(self) -> None:
        """Or the client is told why not, in TLS, and the server hears no mail."""
        session = encrypted(
            settings=DENY, agrees={**AGREES, SERVER: WITH_SERVER._replace(flaws=(EXPIRED,))}
        )
        reason = "the server's certificate: expired: it has expired"
        self.assertEqual(last(session), b"421 4.7.0 " + reason.encode())
        self.assertIs(session.verdict.outcome, Outcome.DENIED)
        self.assertEqual(session.secured[-1], (CLIENT, CLIENT_HELLO))
        self.assertEqual(session.records_of("tls")[0]["denied_by"], "tls.invalid")

    def test_failed(self) -> None:
        """A server whose TLS fails: the client hears so, and tries again later."""
        session = encrypted(agrees={SERVER: Insecure("no cipher\n in common")})
        self.assertEqual(last(session), b"421 4.7.0 no cipher  in common")
        self.assertIs(session.verdict.outcome, Outcome.FAILED)

    def test_client_fails(self) -> None:
        """A client that does not believe the gateway ends, and the record says so."""
        session = encrypted(agrees={CLIENT: Insecure("refused", "unknown_ca")})
        (record,) = session.records_of("tls")
        self.assertEqual((record["verdict"], record["tls"]["alert"]), ("failed", "unknown_ca"))

    def test_slow(self) -> None:
        """A client that agreed on TLS and does not begin it."""
        session = talk([*HELLO, ASK, GO], INSPECT)
        session.advance(301)
        self.assertIn("'command_seconds'", session.verdict.reason)
        session = talk([*HELLO, ASK, GO, (CLIENT, CLIENT_HELLO[:9])], INSPECT)
        session.advance(11)
        self.assertIn("handshake_seconds", session.verdict.reason)

    def test_trace(self) -> None:
        """The gateway's Received field says that it came in TLS (RFC 3848)."""
        settings = evolve(INSPECT, received_by="gw.example")
        mail = [
            *(MAIL, (SERVER, OK), (CLIENT, b"RCPT TO:<b@b.example>\r\n"), (SERVER, OK)),
            *((CLIENT, b"DATA\r\n"), (SERVER, GO_AHEAD), (CLIENT, b"x: y\r\n\r\n.\r\n")),
        ]
        session = encrypted([*AGAIN, *mail, (SERVER, TAKEN)], settings)
        self.assertIn(b" with ESMTPS ", session.sent[SERVER])


class ImplicitTests(SynchronousTestCase):
    """TLS from the first byte on, as on port 465 (RFC 8314, section 3.3)."""

    def test_both(self) -> None:
        """The client's name first, then the server; its greeting comes in TLS."""
        session = talk([(CLIENT, CLIENT_HELLO[:50])], IMPLICIT, agrees=AGREES)
        self.assertEqual(session.connected, [])
        said(session, [(CLIENT, CLIENT_HELLO[50:])])
        self.assertEqual(session.secured, [(SERVER, b""), (CLIENT, CLIENT_HELLO)])
        self.assertEqual(session.asked_for[SERVER]["name"], NAME)
        said(session, [(SERVER, GREETING), *AGAIN])
        self.assertTrue(session.sent[CLIENT].startswith(GREETING))
        self.assertIn(b"AUTH PLAIN", session.sent[CLIENT])
        self.assertEqual(session.records_of("tls")[0]["tls"]["rule"], "implicit")

    def test_plaintext(self) -> None:
        """A client that speaks plaintext is not understood, and nobody is connected to."""
        session = talk([(CLIENT, b"EHLO a\r\n")], IMPLICIT)
        self.assertIs(session.verdict.outcome, Outcome.DENIED)
        self.assertEqual(session.connected, [])

    def test_unreachable(self) -> None:
        """The client hears of that in TLS."""
        settings = evolve(IMPLICIT, unreachable="451 4.4.1 Nobody is there")
        session = talk([(CLIENT, CLIENT_HELLO)], settings, agrees=AGREES, reachable=False)
        self.assertEqual(session.secured, [(CLIENT, CLIENT_HELLO)])
        self.assertEqual(session.sent[CLIENT], b"451 4.4.1 Nobody is there\r\n")

    def test_too_early(self) -> None:
        """A client whose server turned out not to be the right one hears nothing of that one's."""
        agreeing: list[Deferred[Agreed]] = []

        def secure(session: FakeSession, side: Any, hello: bytes = b"", **_: Any) -> Any:
            flawed = WITH_SERVER._replace(flaws=(EXPIRED,))
            agreeing.append(succeed(flawed) if side is SERVER else Deferred())
            return agreeing[-1]

        settings = evolve(IMPLICIT, tls=Encryption(invalid="deny"))
        with patch.object(FakeSession, "secure", secure):
            session = talk([(CLIENT, CLIENT_HELLO), (SERVER, GREETING)], settings)
        self.assertEqual(session.sent[CLIENT], b"")
        agreeing[-1].callback(WITH_CLIENT)
        self.assertTrue(session.sent[CLIENT].startswith(b"421 4.7.0 the server's certificate"))

    def test_silent(self) -> None:
        """Neither a client nor a server may keep the other waiting for ever."""
        session = talk([], IMPLICIT)
        session.advance(301)
        self.assertIn("'command_seconds'", session.verdict.reason)
        session = talk([(CLIENT, CLIENT_HELLO)], IMPLICIT, agrees=AGREES)
        session.advance(301)
        self.assertIn("'reply_seconds'", session.verdict.reason)


class RequiredTests(SynchronousTestCase):
    """C{tls_required}."""

    def test_client(self) -> None:
        """No mail and no login in plaintext; in TLS all is as ever."""
        settings = evolve(BOTH, auth="always")
        for command in (MAIL, (CLIENT, b"AUTH PLAIN AHgAeQ==\r\n")):
            session = talk([*HELLO, command], settings)
            self.assertEqual(last(session), b"530 5.7.0 Say STARTTLS first")
            self.assertTrue(session.sent[SERVER].endswith(HELLO[1][1]))
        session = encrypted([*AGAIN, MAIL], settings)
        self.assertTrue(session.sent[SERVER].endswith(MAIL[1]))

    def test_client_without(self) -> None:
        """If the server has none, the client is not told to do what it can't."""
        session = talk([*HELLO[:2], (SERVER, INSIDE), MAIL], BOTH)
        self.assertEqual(last(session), b"454 4.7.0 The mail server has no TLS now")
        self.assertEqual(session.records_of("smtp")[0]["denied_by"], "tls_required")

    def test_server(self) -> None:
        """A client in plaintext, and the gateway says STARTTLS to the server in its place."""
        for hello, verb in ((HELLO, b"EHLO"), ([HELLO[0]], b"HELO")):
            session = talk(hello, SERVER_ONLY, agrees=AGREES)
            if verb == b"HELO":
                said(session, [(CLIENT, b"HELO client.example\r\n"), (SERVER, b"250 mail\r\n")])
            heard = session.sent[CLIENT]
            said(session, [MAIL])
            if verb == b"HELO":
                said(session, [(SERVER, OFFER)])
            self.assertTrue(session.sent[SERVER].endswith(b"client.example\r\nSTARTTLS\r\n"))
            said(session, [GO])
            self.assertEqual(session.secured, [(SERVER, b"")])
            self.assertTrue(session.sent[SERVER].endswith(verb + b" client.example\r\n"))
            said(session, [(SERVER, INSIDE)])
            self.assertTrue(session.sent[SERVER].endswith(MAIL[1]))
            self.assertEqual(session.sent[CLIENT], heard)
            said(session, [(SERVER, OK)])
            self.assertEqual(session.sent[CLIENT], heard + OK)
            said(session, [(CLIENT, b"RSET\r\n"), (SERVER, OK), MAIL])
            self.assertEqual(session.sent[SERVER].count(b"STARTTLS"), 1)
            self.assertTrue(session.sent[SERVER].endswith(b"RSET\r\n" + MAIL[1]))
            (record,) = session.records_of("tls")
            self.assertEqual(record["tls"]["rule"], "tls_required")

    def test_server_without(self) -> None:
        """Where there is none, there is no mail, for now."""
        refused = (SERVER, b"454 4.7.0 No\r\n")
        for steps in ([*HELLO[:2], (SERVER, INSIDE), MAIL], [*HELLO, MAIL, refused]):
            session = talk(steps, SERVER_ONLY)
            self.assertEqual(last(session), b"454 4.7.0 The mail server has no TLS now")
            self.assertNotIn(MAIL[1], session.sent[SERVER])
            self.assertIsNone(session.verdict)

    def test_server_fails(self) -> None:
        """Nor where it can't be agreed on, or the server is not who it should be."""
        for agreed, settings, outcome in (
            (Insecure("no cipher"), SERVER_ONLY, Outcome.FAILED),
            (WITH_SERVER._replace(flaws=(OTHER_NAME, EXPIRED)), None, Outcome.DENIED),
        ):
            settings = settings or evolve(SERVER_ONLY, tls=Encryption(invalid="deny"))
            session = talk([*HELLO, MAIL, GO], settings, agrees={SERVER: agreed})
            self.assertEqual(last(session)[:10], b"421 4.7.0 ")
            self.assertIs(session.verdict.outcome, outcome)
            self.assertNotIn(MAIL[1], session.sent[SERVER])
            self.assertEqual(session.records_of("tls")[0]["verdict"], outcome.value)

    def test_server_has_no_name(self) -> None:
        """What a server should be called, nobody has said."""
        settings = evolve(SERVER_ONLY, tls=Encryption(invalid="deny"))
        agrees = {SERVER: WITH_SERVER._replace(flaws=(OTHER_NAME,))}
        session = talk([*HELLO, MAIL, GO, (SERVER, INSIDE)], settings, agrees=agrees)
        self.assertTrue(session.sent[SERVER].endswith(MAIL[1]))
        (record,) = session.records_of("tls")
        self.assertEqual(record["tls"]["flaws"], [str(OTHER_NAME)])

    def test_server_plaintext(self) -> None:
        """What it says behind its agreement ends the session here too."""
        session = talk([*HELLO, MAIL, (SERVER, GO[1] + INSIDE)], SERVER_ONLY)
        self.assertIs(session.verdict.outcome, Outcome.DENIED)
        self.assertNotIn(MAIL[1], session.sent[SERVER])

    def test_offer_shrinks(self) -> None:
        """What the server has no more in TLS can't be used."""
        sized = (CLIENT, b"MAIL FROM:<a@a.example> SIZE=5\r\n")
        session = talk([*HELLO, sized, GO, (SERVER, b"250 mail\r\n")], SERVER_ONLY, agrees=AGREES)
        self.assertEqual(last(session), b"555 5.5.4 SIZE is not available")

    def test_settings(self) -> None:
        """What makes no sense is no configuration."""
        for options in (
            {"tls_required": "client"},
            {"tls_required": "server", "starttls": "pass"},
            {"implicit": True, "starttls": "inspect"},
        ):
            self.assertRaises(ValueError, SMTPSettings, **options)


class TLSSuite(InspectorSuite, SynchronousTestCase):
    """What every inspector has to pass, behind STARTTLS and in TLS from the first byte on."""

    inspector = SMTPInspector
    memory = 6 * 65536
    # What is behind a hello is TLS's if it came with it, and else what is inside; what is behind
    # an agreement is plaintext, or TLS's. (In a fake session, that can't be told apart.)
    conversations = (
        Conversation(
            "inspected",
            [*UPGRADE, *AGAIN, MAIL, (SERVER, OK), *BYE],
            settings=INSPECT,
            replays=False,
            turns=(5,),
        ),
        Conversation(
            "from the first byte on",
            [(CLIENT, CLIENT_HELLO), (SERVER, GREETING), *AGAIN, *BYE],
            settings=IMPLICIT,
            replays=False,
            turns=(0,),
        ),
        Conversation(
            "towards the server only",
            [*HELLO, MAIL, GO, (SERVER, INSIDE), (SERVER, OK), *BYE],
            settings=SERVER_ONLY,
            replays=False,
            turns=(4,),
        ),
        Conversation("in plaintext", [*HELLO, MAIL, (SERVER, OK), *BYE], settings=INSPECT),
    )
