"""TLS in the middle of a session, on either side."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet.defer import ensureDeferred
from twisted.internet.ssl import (
    CertificateOptions,
    PrivateCertificate,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from twisted.trial.unittest import TestCase

from gateway.inspector import Inspector
from gateway.interfaces import CLIENT, SERVER
from tests.session.scene import Scene, asynchronous, in_thread, receive, receive_all, send

NAME = "server.example"


def certificate() -> bytes:
    """A key and a self-signed certificate, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ) + made.public_bytes(serialization.Encoding.PEM)


class StartTls(Inspector):
    """Both sides speak plainly until the client says STARTTLS; then TLS on the sides named."""

    sides: tuple[Any, ...] = (CLIENT, SERVER)

    def received(self, side: Any, data: bytes) -> None:
        if data == b"STARTTLS\n":
            self.session.send(SERVER, data)
            self.session.send(CLIENT, b"go ahead\n")
            for one in self.sides:
                self.session.secure(one)
            return
        self.session.send(side.other, data.upper())


class SecureTests(TestCase):
    """C{session.secure}."""

    timeout = 30

    def setUp(self) -> None:
        self.pem = certificate()
        self.own = PrivateCertificate.loadPEM(self.pem)

    def credentials(self, service: Any, side: Any) -> Any:
        if side is CLIENT:
            return CertificateOptions(self.own.privateKey.original, self.own.original)
        trust = trustRootFromCertificates([self.own])
        return optionsForClientTLS(NAME, trustRoot=trust)

    async def started(self, sides: tuple[Any, ...]) -> tuple[Scene, Any, Any]:
        """A session whose sides have just begun TLS."""
        self.patch(StartTls, "sides", sides)
        scene = Scene(self, StartTls, credentials=self.credentials)
        client, server = await scene.pair()
        await send(client, b"STARTTLS\n")
        self.assertEqual(await receive(client, 9), b"go ahead\n")
        self.assertEqual(await receive(server, 9), b"STARTTLS\n")
        tls_client: Any = client
        if CLIENT in sides:
            context = ssl.create_default_context(cadata=self.own.dumpPEM().decode())
            # TLS 1.3's tickets, unread, would turn a client's close into a reset.
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            tls_client = context.wrap_socket(
                client, server_hostname=NAME, do_handshake_on_connect=False
            )
        tls_server: Any = server
        if SERVER in sides:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.pem_file())
            tls_server = context.wrap_socket(
                server,
                server_side=True,
                do_handshake_on_connect=False,
                suppress_ragged_eofs=False,
            )
        for side in (tls_client, tls_server):
            self.addCleanup(side.close)
            if isinstance(side, ssl.SSLSocket):
                await in_thread(side.do_handshake)
        return scene, tls_client, tls_server

    def pem_file(self) -> str:
        file = Path(self.mktemp())
        file.write_bytes(self.pem)
        return str(file)

    async def talk(self, sides: tuple[Any, ...]) -> None:
        scene, client, server = await self.started(sides)
        body = b"q" * 500_000
        sending = ensureDeferred(send(client, body))
        got = await self.read(server, len(body))
        await sending
        self.assertEqual(got, body.upper())
        sending = ensureDeferred(send(server, b"a" * 300_000))
        self.assertEqual(await self.read(client, 300_000), b"A" * 300_000)
        await sending
        scene.sessions.stop()

    async def read(self, sock: Any, size: int) -> bytes:
        def read() -> bytes:
            got = b""
            while len(got) < size:
                data = sock.recv(65536)
                if not data:
                    break
                got += data
            return got

        return await in_thread(read)

    @asynchronous
    async def test_client_only(self) -> None:
        """The gateway takes TLS off the client's bytes; the inspector sees plaintext."""
        await self.talk((CLIENT,))

    @asynchronous
    async def test_server_only(self) -> None:
        """The gateway speaks TLS to the server."""
        await self.talk((SERVER,))

    @asynchronous
    async def test_both(self) -> None:
        """Both sides speak TLS, each with its own keys, and the inspector reads between them."""
        await self.talk((CLIENT, SERVER))

    @asynchronous
    async def test_end(self) -> None:
        """close_notify on one side becomes close_notify on the other."""
        scene, client, server = await self.started((CLIENT, SERVER))
        await send(client, b"bye")
        self.assertEqual(await self.read(server, 3), b"BYE")
        unwrapping = in_thread(client.unwrap)
        self.assertEqual(await in_thread(server.recv, 10), b"")
        await in_thread(server.unwrap)
        await unwrapping
        client.close()
        server.close()
        self.assertEqual((await scene.over())["gateway"]["verdict"], "passed")

    @asynchronous
    async def test_cut_short(self) -> None:
        """An end without close_notify is no end: the other side gets a reset."""
        scene, client, server = await self.started((CLIENT, SERVER))
        await send(client, b"half a mess")
        self.assertEqual(await self.read(server, 11), b"HALF A MESS")
        client.close()
        with self.assertRaises(OSError):
            await in_thread(server.recv, 10)
        reason = (await scene.over())["gateway"]["reason"]
        self.assertIn("without close_notify", reason)

    @asynchronous
    async def test_no_tls(self) -> None:
        """A client that goes on in plaintext ends the session, and nothing of it gets through."""
        self.patch(StartTls, "sides", (CLIENT,))
        scene = Scene(self, StartTls, credentials=self.credentials)
        client, server = await scene.pair()
        await send(client, b"STARTTLS\n")
        await receive(client, 9)
        await receive(server, 9)
        await send(client, b"plainly spoken\n")
        with self.assertRaises(ConnectionResetError):
            self.assertEqual(await receive_all(server), b"")
        flow = await scene.over()
        self.assertIn("TLS", flow["gateway"]["reason"])
        self.assertEqual(flow["flow"]["bytes_toserver"], 9)

    @asynchronous
    async def test_hello(self) -> None:
        """What was read already and belongs to TLS can be handed over."""

        class Hello(Inspector):
            def received(self, side: Any, data: bytes) -> None:
                if not data.startswith(b"\x16"):
                    self.session.send(side.other, data)
                    return
                self.session.secure(CLIENT, data)

        scene = Scene(self, Hello, credentials=self.credentials)
        client, server = await scene.pair()
        context = ssl.create_default_context(cadata=self.own.dumpPEM().decode())
        tls = await in_thread(lambda: context.wrap_socket(client, server_hostname=NAME))
        self.addCleanup(tls.close)
        await in_thread(tls.sendall, b"in secret")
        self.assertEqual(await receive(server, 9), b"in secret")
        scene.sessions.stop()

    @asynchronous
    async def test_no_credentials(self) -> None:
        """Without certificates the session ends: it doesn't go on in plaintext."""
        scene = Scene(self, StartTls)
        client, _ = await scene.pair()
        await send(client, b"STARTTLS\n")
        with self.assertRaises(ConnectionResetError):
            await receive_all(client)
        self.assertEqual(len(self.flushLoggedErrors()), 1)
        self.assertEqual((await scene.over())["gateway"]["verdict"], "broken")
