"""The console by TLS, and operators who have a certificate: handshakes without sockets."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

from attrs import evolve
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway.console.door import SECURE_COOKIE
from gateway.policy.tls import Identity
from tests.console.case import HOST, SETTINGS, Connection, ConsoleCase
from tests.tls.pki import DAY, NOW, Authority, Issued

HERE = Authority.root("here")
OPERATORS = Authority.root("operators")
OTHERS = Authority.root("others")

LONG_AGO, PAST = NOW - 60 * DAY, NOW - 1 * DAY

FOR_CLIENTS = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])


def person(authority: Authority, mail: str, **ways: Any) -> Issued:
    """A certificate of somebody."""
    return authority.issue(names=[x509.RFC822Name(mail)], purposes=FOR_CLIENTS, **ways)


class Client:
    """A TLS client in memory."""

    def __init__(self, connection: Connection, context: ssl.SSLContext) -> None:
        self._connection = connection
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=None)
        self._until(self._tls.do_handshake)

    def _until(self, do: Callable[[], Any]) -> Any:
        for _ in range(20):
            try:
                done = do()
            except ssl.SSLWantReadError:
                done = None
            self._pass()
            if done is not None or (do == self._tls.do_handshake and self._tls.version()):
                return done
        return b""

    def _pass(self) -> None:
        said = self._outgoing.read()
        if said and self._connection.protocol is not None:
            self._connection.protocol.dataReceived(said)
        self._connection.reactor.advance(0)
        self._incoming.write(self._connection.value())
        self._connection.clear()

    def ask(self, *lines: str, body: str = "") -> tuple[int, bytes]:
        """A request."""
        self._tls.write("\r\n".join((*lines, f"Host: {HOST}", "", body)).encode())
        said: bytes = self._until(lambda: self._tls.read(65536))
        return (int(said.split()[1]) if said else 0), said


class SecureTests(ConsoleCase):
    """A console with a certificate, for operators with theirs."""

    settings = evolve(
        SETTINGS,
        certificate=Identity(HERE.issue("gateway.example").pem),
        client_authorities=((OPERATORS.issued.certificate,),),
        writers=("anna@example.org",),
        readers=("ben@example.org",),
    )

    def client(self, shown: Issued | None = None) -> Client:
        """Somebody who connects, with a certificate or without."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if shown is not None:
            path = self.mktemp()
            with open(path, "wb") as file:  # noqa: PTH123
                file.write(shown.pem)
            context.load_cert_chain(path)
        connection = self.connect()
        connection.reactor = self.reactor
        return Client(connection, context)

    def me(self, client: Client) -> tuple[int, bytes]:
        """Who that is."""
        return client.ask("GET /api/me HTTP/1.1", "X-Tproxygw: x")

    def test_rights(self) -> None:
        """The name in a certificate that the authority has issued says what its holder may."""
        for mail, told in (
            ("anna@example.org", b'{"name":"anna@example.org","right":"write"}'),
            ("ben@example.org", b'{"name":"ben@example.org","right":"read"}'),
        ):
            status, said = self.me(self.client(person(OPERATORS, mail)))
            self.assertEqual((status, said.endswith(told)), (200, True), said)

    def test_nobody(self) -> None:
        """No certificate, or one with another name, is nobody's: a token may still be shown."""
        for shown in (None, person(OPERATORS, "eve@example.org")):
            client = self.client(shown)
            self.assertEqual(self.me(client)[0], 401)
            self.assertEqual(
                client.ask("GET /api/me HTTP/1.1", "Authorization: Bearer anna's")[0], 200
            )

    def test_others(self) -> None:
        """A certificate that others have issued, or that is not for clients, gets nowhere."""
        for shown in (
            person(OTHERS, "anna@example.org"),
            OPERATORS.issue("anna@example.org"),  # a server's
            person(OPERATORS, "anna@example.org", end=PAST, begin=LONG_AGO),
        ):
            with self.assertRaises((ssl.SSLError, AssertionError)):
                client = self.client(shown)
                self.assertEqual(self.me(client)[0], 200)

    def test_renewed(self) -> None:
        """After a reload new connections see the new certificate; whose name is gone is nobody."""
        anna = self.client(person(OPERATORS, "anna@example.org"))
        self.assertEqual(self.me(anna)[0], 200)
        self.adopt(certificate=Identity(OTHERS.issue("other.example").pem), writers=())
        self.assertEqual(self.me(anna)[0], 401)

    def test_cookie(self) -> None:
        """A login's cookie is for this very host, and for TLS only."""
        body = '{"token": "anna\'s"}'
        fields = (f"Content-Length: {len(body)}", "Content-Type: application/json", "X-Tproxygw: x")
        asked = ("POST /api/login HTTP/1.1", f"Origin: https://{HOST}", *fields)
        said = self.client().ask(*asked, body=body)[1].decode()
        (cookie,) = [line for line in said.split("\r\n") if line.startswith("Set-Cookie: ")]
        self.assertTrue(cookie.startswith(f"Set-Cookie: {SECURE_COOKIE}=secret-1; "), cookie)
        self.assertTrue(cookie.endswith("; Secure"), cookie)

    def test_plain(self) -> None:
        """Without TLS nothing is answered."""
        connection = self.connect()
        connection.say("GET / HTTP/1.1", f"Host: {HOST}")
        self.reactor.advance(0)
        self.assertNotIn(b"200 OK", connection.value())

    def test_silent(self) -> None:
        """Who connects and says nothing is left after some seconds; TLS has no time of its own."""
        connection = self.connect()
        self.reactor.advance(11)
        self.assertTrue(connection.aborted)
