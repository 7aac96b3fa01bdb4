"""TLS that is inspected: the control connection, and the data connections that go on with it."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gateway.agreement import Agreed, Certificate, Flaw, Insecure, Invalid
from gateway.interfaces import CLIENT, SERVER, Address, Outcome
from gateway.testing import FakeSession
from protocols.ftp.settings import FtpSettings
from protocols.tls.encryption import Encryption
from tests.protocols.ftp.speak import HOST, READ_WRITE, Control
from tests.protocols.tls.hellos import alpn, body, message, records, server_name

NAME = "ftp.example.org"
HELLO = records(message(body([server_name(NAME.encode())])))
INSPECT = evolve(READ_WRITE, auth="inspect")
REQUIRE = evolve(READ_WRITE, auth="require", data_protection="require")
IMPLICIT = evolve(READ_WRITE, implicit=True)
WITH_SERVER = Agreed("TLS 1.3", "AES", "P-256")
WITH_CLIENT = Agreed("TLS 1.2", "AES", "X25519")
AGREES: dict[Any, Any] = {SERVER: WITH_SERVER, CLIENT: WITH_CLIENT}
OWN, OTHER = (Certificate(b"own", "1"),), (Certificate(b"other", "2"),)
DATA = Address(HOST.host, 50100)


def encrypted(settings: FtpSettings = INSPECT, **ways: Any) -> Control:
    """A client and a server that speak TLS."""
    control = Control(settings, agrees=ways.pop("agrees", AGREES), **ways)
    control.server(b"220 ready\r\n")
    assert control.ask(b"AUTH TLS", b"234 go on") == b"234 go on\r\n"
    control.client(HELLO)
    return control


def logged_in(settings: FtpSettings = INSPECT, **ways: Any) -> Control:
    """And a login."""
    control = encrypted(settings, **ways)
    control.ask(b"USER a", b"331 and?")
    control.ask(b"PASS b", b"230 in")
    return control


class AuthTests(SynchronousTestCase):
    """AUTH TLS, and what may follow it."""

    def test_both(self) -> None:
        """The server is told the client's name for it, and the client gets its certificate."""
        control = encrypted()
        self.assertEqual(control.session.secured, [(SERVER, b""), (CLIENT, HELLO)])
        self.assertEqual(control.session.asked_for[SERVER]["name"], NAME)
        self.assertIs(control.session.asked_for[CLIENT]["like"], WITH_SERVER)
        (record,) = control.session.records_of("tls")
        self.assertEqual((record["sni"], record["tls"]["rule"]), (NAME, "auth"))
        control.ask(b"USER a", b"331 and?")

    def test_one_name(self) -> None:
        """Whatever a client calls it, the server hears what every server knows."""
        for asked in (b"AUTH SSL", b"AUTH TLS-C", b"auth tls"):
            control = Control(INSPECT)
            control.server(b"220 ready\r\n")
            self.assertEqual(control.client(asked + b"\r\n")[0], b"AUTH TLS\r\n")
        self.assertEqual(control.client(b"NOOP\r\n")[0], b"")
        control = Control(INSPECT)
        control.server(b"220 ready\r\n")
        self.assertEqual(control.client(b"AUTH TLS-P\r\n")[1][:3], b"504")

    def test_waits_for_server(self) -> None:
        """Nothing is said to the client, and no TLS begun, before the server has agreed."""
        control = Control(INSPECT)
        control.server(b"220 ready\r\n")
        self.assertEqual(control.client(b"AUTH TLS\r\n"), (b"AUTH TLS\r\n", b""))
        self.assertEqual(control.server(b"431 not now\r\n"), b"431 not now\r\n")
        control.ask(b"USER a", b"331 and?")
        self.assertEqual(control.session.secured, [])

    def test_plaintext_of_client(self) -> None:
        """What comes behind AUTH before its answer was never protected."""
        for said in (b"AUTH TLS\r\nUSER a\r\n", b"AUTH TLS\r\nUS", b"AUTH TLS\r\n" + HELLO):
            control = Control(INSPECT)
            control.server(b"220 ready\r\n")
            control.client(said)
            if control.session.verdict is None:
                control.server(b"234 go on\r\n")
            self.assertIn("behind AUTH", control.reason)
            self.assertEqual(control.session.secured, [])

    def test_plaintext_of_server(self) -> None:
        """Nor what a server says behind its agreement: a reply, or a part of it, or later."""
        for first, second in ((b"230 in\r\n", b""), (b"2", b""), (b"", b"230 in\r\n")):
            control = Control(INSPECT)
            control.server(b"220 ready\r\n")
            control.client(b"AUTH TLS\r\n")
            control.server(b"234 go on\r\n" + first)
            if second:
                control.server(second)
            control.client(HELLO)
            self.assertIn("plaintext", control.reason)
            self.assertNotIn(b"230", control.session.sent[CLIENT])

    def test_no_tls(self) -> None:
        """A client that goes on in plain text is not understood."""
        control = Control(INSPECT)
        control.server(b"220 ready\r\n")
        control.ask(b"AUTH TLS", b"234 go on")
        self.assertEqual(control.client(b"USER a\r\n")[0], b"")
        self.assertIs(control.session.verdict.outcome, Outcome.DENIED)

    def test_login_again(self) -> None:
        """Whoever logged in before does so again (RFC 2228), with a limit of time as before."""
        control = Control(INSPECT).log_in()
        control.ask(b"AUTH TLS", b"234 go on")
        control.client(HELLO)
        self.assertEqual(control.client(b"PWD\r\n")[1][:3], b"530")
        control.session.advance(301)
        self.assertIn("login_seconds", control.reason)

    def test_stays(self) -> None:
        """Nobody leaves TLS: CCC, REIN, a second AUTH."""
        control = logged_in()
        for said, answer in ((b"CCC", b"533"), (b"AUTH TLS", b"503"), (b"REIN", b"502")):
            self.assertEqual(control.client(said + b"\r\n")[1][:3], answer)

    def test_required(self) -> None:
        """Nobody logs in without; what says who and with what is not passed."""
        control = Control(REQUIRE)
        control.server(b"220 ready\r\n")
        for said in (b"USER a", b"PASS b"):
            passed, heard = control.client(said + b"\r\n")
            self.assertEqual((passed, heard[:3]), (b"", b"530"))
        logged_in(REQUIRE)

    def test_features(self) -> None:
        """FEAT tells of what can be had."""
        said = b"211-Features:\r\n AUTH TLS\r\n PBSZ\r\n CCC\r\n PROT\r\n211 End"
        for settings in (INSPECT, REQUIRE):
            heard = encrypted(settings).ask(b"FEAT", said)
            self.assertEqual(heard, said.replace(b" CCC\r\n", b"") + b"\r\n")

    def test_another_protocol(self) -> None:
        """A browser that was led here by somebody else is turned away (ALPACA)."""
        control = Control(INSPECT)
        control.server(b"220 ready\r\n")
        control.ask(b"AUTH TLS", b"234 go on")
        control.client(records(message(body([alpn(b"http/1.1")]))))
        self.assertIn("ALPN", control.reason)
        self.assertEqual(control.session.secured, [])
        control = Control(INSPECT)
        control.server(b"220 ready\r\n")
        control.ask(b"AUTH TLS", b"234 go on")
        control.client(records(message(body([alpn(b"x-filezilla-ftp", b"ftp")]))))
        self.assertEqual(control.session.asked_for[SERVER]["alpn"], ("ftp",))

    def test_settings(self) -> None:
        """What can't be is said at once."""
        self.assertRaises(ValueError, FtpSettings, data_protection="require")
        self.assertRaises(ValueError, FtpSettings, implicit=True, user_servers="x")


class BadServerTests(SynchronousTestCase):
    """Servers without TLS, or that are not to be believed: the client reads why, in TLS."""

    def flawed(self, *kinds: Invalid) -> dict[Any, Any]:
        flaws = tuple(Flaw(kind, "so it is") for kind in kinds)
        return {**AGREES, SERVER: WITH_SERVER._replace(flaws=flaws)}

    def test_shown(self) -> None:
        """The client gets a certificate with the same fault, and judges itself."""
        for kind, trusted in ((Invalid.EXPIRED, True), (Invalid.UNTRUSTED, False)):
            control = encrypted(agrees=self.flawed(kind))
            self.assertIs(control.session.asked_for[CLIENT]["trusted"], trusted)
            self.assertIsNone(control.session.verdict)

    def test_denied(self) -> None:
        """Or the session ends."""
        settings = evolve(INSPECT, tls=Encryption(invalid="deny"))
        control = encrypted(settings, agrees=self.flawed(Invalid.EXPIRED))
        self.assertIs(control.session.verdict.outcome, Outcome.DENIED)
        self.assertIn("421 the server's certificate: expired", str(control.session.sent[CLIENT]))
        self.assertEqual(control.session.secured[-1][0], CLIENT)
        (record,) = control.session.records_of("tls")
        self.assertEqual(record["denied_by"], "tls.invalid")

    def test_words_of_a_stranger(self) -> None:
        """What a server has put into its certificate is no line of the gateway's answer."""
        settings = evolve(INSPECT, tls=Encryption(invalid="deny"))
        flaw = Flaw(Invalid.NAME, "it is for a\r\n230 Welcome\x1b[2J")
        agrees = {**AGREES, SERVER: WITH_SERVER._replace(flaws=(flaw,))}
        last = encrypted(settings, agrees=agrees).session.sent[CLIENT].splitlines()[-1]
        self.assertEqual(last, b"421 the server's certificate: name: it is for a  230 Welcome [2J")

    def test_without_name(self) -> None:
        """Which name a client means that says none, it knows itself."""
        settings = evolve(INSPECT, tls=Encryption(invalid="deny"))
        for hello, denied in ((HELLO, True), (records(message(body([]))), False)):
            control = Control(settings, agrees=self.flawed(Invalid.NAME))
            control.server(b"220 ready\r\n")
            control.ask(b"AUTH TLS", b"234 go on")
            control.client(hello)
            self.assertIs(control.session.verdict is not None, denied)

    def test_fails(self) -> None:
        """A server that says it would, and can't."""
        agrees = {**AGREES, SERVER: Insecure("TLS with the server: no", "handshake_failure")}
        control = encrypted(agrees=agrees)
        self.assertIs(control.session.verdict.outcome, Outcome.FAILED)
        self.assertEqual(
            control.session.sent[CLIENT].splitlines()[-1], b"421 TLS with the server: no"
        )
        (record,) = control.session.records_of("tls")
        self.assertEqual(
            (record["verdict"], record["tls"]["alert"]), ("failed", "handshake_failure")
        )

    def test_client_fails(self) -> None:
        """A client that does not know the root."""
        agrees = {**AGREES, CLIENT: Insecure("TLS with the client: unknown CA", "unknown_ca")}
        control = encrypted(agrees=agrees)
        self.assertIs(control.session.verdict.outcome, Outcome.FAILED)
        (record,) = control.session.records_of("tls")
        self.assertEqual(record["tls"]["alert"], "unknown_ca")

    def test_silent(self) -> None:
        """A client that begins a hello and stops is not waited for."""
        control = Control(INSPECT)
        control.server(b"220 ready\r\n")
        control.ask(b"AUTH TLS", b"234 go on")
        control.client(HELLO[:9])
        control.session.advance(11)
        self.assertIn("handshake_seconds", control.reason)


class ImplicitTests(SynchronousTestCase):
    """TLS from the first byte on (port 990)."""

    def test_both(self) -> None:
        """The client's hello first, then the server, then the greeting."""
        control = Control(IMPLICIT, agrees=AGREES)
        self.assertFalse(control.session.opened)
        control.client(HELLO)
        self.assertEqual([side for side, _ in control.session.secured], [SERVER, CLIENT])
        self.assertEqual(control.server(b"220 ready\r\n"), b"220 ready\r\n")
        control.ask(b"USER a", b"331 and?")
        control.ask(b"PASS b", b"230 in")
        self.assertEqual(control.client(b"AUTH TLS\r\n")[1][:3], b"503")

    def test_unsaid(self) -> None:
        """Servers differ in what is so before PROT: nothing is transferred before it."""
        control = Control(IMPLICIT, agrees=AGREES)
        control.client(HELLO)
        control.log_in()
        control.passive()
        self.assertEqual(control.client(b"RETR a\r\n")[1][:3], b"503")
        control.ask(b"PROT P", b"200 fine")
        control.ask(b"RETR a", b"550 none")

    def test_plaintext(self) -> None:
        """A client without TLS reaches nobody."""
        control = Control(IMPLICIT)
        control.client(b"USER a\r\n")
        self.assertIs(control.session.verdict.outcome, Outcome.DENIED)
        self.assertFalse(control.session.opened)

    def test_unreachable(self) -> None:
        """A server that is not there: the client reads so, in TLS."""
        control = Control(IMPLICIT, agrees=AGREES, reachable=False)
        control.client(HELLO)
        self.assertEqual([side for side, _ in control.session.secured], [CLIENT])
        self.assertTrue(control.session.sent[CLIENT].startswith(b"421 server unreachable"))
        self.assertIs(control.session.verdict.outcome, Outcome.FAILED)

    def test_silent(self) -> None:
        """A client that says nothing hears nothing in plain text."""
        control = Control(IMPLICIT)
        control.session.advance(301)
        self.assertIn("login_seconds", control.reason)
        self.assertEqual(control.session.sent[CLIENT], b"")


class DataTests(SynchronousTestCase):
    """Data connections in TLS."""

    def private(self, **ways: Any) -> Control:
        """Data are to be encrypted."""
        control = logged_in(**ways)
        control.ask(b"PBSZ 0", b"200 PBSZ=0")
        control.ask(b"PROT P", b"200 fine")
        return control

    def check(self, data: FakeSession, client: Any) -> None:
        """Both sides go on with what was agreed on the control connection."""
        self.assertIs(data.asked_for[client]["resume"], WITH_CLIENT)
        self.assertEqual(data.asked_for[client.other]["resume"], WITH_SERVER)

    def test_passive(self) -> None:
        """TLS begins when a transfer is asked for; a client that was faster is not lost."""
        for early in (b"", HELLO):
            control = self.private()
            data = control.passive().comes(DATA)
            if early:
                data.says(CLIENT, early)
            self.assertEqual(data.secured, [])
            control.ask(b"RETR a", b"150 here")
            self.assertEqual(data.secured, [(SERVER, b""), (CLIENT, early)])
            self.check(data, CLIENT)
            data.says(SERVER, b"a file")
            data.hangs_up(SERVER)
            self.assertEqual(data.sent[CLIENT], b"a file")

    def test_active(self) -> None:
        """Where the server connects, it is TLS's server all the same."""
        control = self.private()
        data = control.active().comes(Address("198.51.100.2", 20))
        control.ask(b"STOR a", b"150 here")
        self.check(data, SERVER)
        self.assertEqual([side for side, _ in data.secured], [CLIENT, SERVER])
        data.says(SERVER, b"a file")
        self.assertEqual(data.sent[CLIENT], b"a file")

    def test_later(self) -> None:
        """A data connection that comes after the command."""
        control = self.private()
        expected = control.passive()
        control.ask(b"RETR a", b"150 here")
        self.check(expected.comes(DATA), CLIENT)

    def test_clear(self) -> None:
        """Who does not want it has plain data, as long as that is allowed."""
        control = logged_in()
        data = control.passive().comes(DATA)
        control.ask(b"RETR a", b"150 here")
        data.says(SERVER, b"a file")
        self.assertEqual((data.secured, data.sent[CLIENT]), ([], b"a file"))
        control = self.private()
        control.ask(b"PROT C", b"200 fine")
        control.passive().comes(DATA)
        control.ask(b"RETR a", b"150 here")

    def test_required(self) -> None:
        """Or there is no transfer without."""
        control = logged_in(REQUIRE)
        control.passive()
        self.assertEqual(control.client(b"RETR a\r\n"), (b"", b"521 " + PRIVATE))
        self.assertEqual(control.client(b"PROT C\r\n"), (b"", b"534 " + PRIVATE))
        control.ask(b"PROT P", b"536 no")
        self.assertEqual(control.client(b"RETR a\r\n"), (b"", b"521 " + PRIVATE))
        control.ask(b"PROT P", b"200 fine")
        control.ask(b"RETR a", b"550 none")

    def test_levels(self) -> None:
        """TLS knows two; and buffers of no size."""
        control = logged_in()
        self.assertEqual(control.client(b"PROT S\r\n")[1][:3], b"536")
        self.assertEqual(control.client(b"PROT X\r\n")[1][:3], b"504")
        self.assertEqual(control.client(b"PBSZ 1024\r\n")[0], b"PBSZ 0\r\n")

    def test_plaintext_first(self) -> None:
        """A server that sends before TLS, or a client that ends, gets nowhere."""
        for side, said in ((SERVER, b"a file"), (CLIENT, None)):
            control = self.private()
            data = control.passive().comes(DATA)
            data.hangs_up(side) if said is None else data.says(side, said)
            control.ask(b"RETR a", b"150 here")
            self.assertIs(data.verdict.outcome, Outcome.DENIED)
            self.assertNotIn(CLIENT, data.asked_for)
            self.assertEqual(data.sent, {CLIENT: b"", SERVER: b""})
            self.assertEqual(control.server(b"226 done\r\n")[:3], b"451")

    def test_another_server(self) -> None:
        """A data connection has the control connection's certificate, or goes on with its TLS."""
        for theirs, resumed, denied in (
            (OTHER, False, True),
            (OWN, False, False),
            ((), True, False),
        ):
            control = self.private(agrees={**AGREES, SERVER: WITH_SERVER._replace(chain=OWN)})
            data = control.passive().comes(DATA)
            data.agrees = {SERVER: WITH_SERVER._replace(chain=theirs, resumed=resumed)}
            control.ask(b"STOR a", b"150 here")
            self.assertIs(data.verdict is not None, denied)
            self.assertEqual(data.sent[SERVER], b"")

    def test_server_first(self) -> None:
        """Nothing of a file goes to a server that is not known yet; a quick client waits."""
        control = self.private()
        data = control.passive().comes(DATA)
        agreed: Deferred[Agreed] = Deferred()
        with patch.object(FakeSession, "secure", lambda *_, **__: agreed):
            control.ask(b"STOR a", b"150 here")
        data.says(CLIENT, HELLO)
        agreed.callback(WITH_SERVER)
        self.assertEqual(data.secured, [(CLIENT, HELLO)])
        data.says(CLIENT, b"a file")
        self.assertEqual(data.sent[SERVER], b"a file")

    def test_fails(self) -> None:
        """Data connections whose TLS fails: the client does not take them for whole."""
        control = self.private()
        data = control.passive().comes(DATA)
        data.agrees = {SERVER: Insecure("TLS with the server: no")}
        control.ask(b"RETR a", b"150 here")
        self.assertIs(data.verdict.outcome, Outcome.FAILED)
        self.assertEqual(control.server(b"226 done\r\n"), b"426 The data connection failed.\r\n")

    def test_reset_after_the_end(self) -> None:
        """A client that closes before it has read its tickets has said all the same."""
        control = self.private()
        data = control.passive().comes(DATA)
        control.ask(b"STOR a", b"150 here")
        data.says(CLIENT, b"a file")
        data.hangs_up(CLIENT)
        data.resets(CLIENT)
        self.assertIs(data.verdict.outcome, Outcome.PASSED)
        self.assertEqual(control.server(b"226 done\r\n"), b"226 done\r\n")

    def test_recorded(self) -> None:
        """The record has what was agreed, and whether the end was said."""
        control = self.private()
        data = control.passive().comes(DATA)
        control.ask(b"STOR a", b"150 here")
        data.truncated = {CLIENT}
        data.says(CLIENT, b"a file")
        data.hangs_up(CLIENT)
        data.hangs_up(SERVER)
        control.server(b"226 done\r\n")
        (record,) = control.transfers
        self.assertEqual(set(record["tls"]), {"client", "server"})
        self.assertTrue(record["cut"])


PRIVATE = b"Data connections have to be encrypted here: PROT P.\r\n"
