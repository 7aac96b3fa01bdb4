"""One end of a TLS connection, against another OpenSSL in memory."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from gateway.tls.endpoint import Endpoint
from gateway.tls.public import PublicCalls
from gateway.tls.raw import RawCalls
from tests.tls.peers import Peer, authority, client_context, server_context

NAME = "server.example"
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
ISSUED = authority().issue(NAME)


def served() -> SSL.Context:
    """The context of a server's end."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate(ISSUED.certificate)
    context.use_privatekey(ISSUED.key)
    context.set_options(SSL.OP_NO_RENEGOTIATION)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    return context


def asking() -> SSL.Context:
    """The context of a client's end."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_options(SSL.OP_NO_RENEGOTIATION)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    return context


class Pair:
    """An endpoint and its peer, with what goes between them in pieces of C{piece} bytes."""

    def __init__(self, endpoint: Endpoint, peer: Any, piece: int = 1 << 30) -> None:
        self.endpoint = endpoint
        self.peer = peer
        self.piece = piece
        self.said = b""
        self.received = b""

    def say(self, data: bytes) -> None:
        """Our end says something."""
        self.said += self.endpoint.send(data)

    def finish(self) -> None:
        """Our end has said all."""
        self.said += self.endpoint.end()

    def run(self) -> Pair:
        """Carry bytes until there are none."""
        while True:
            ours, theirs = self.said + self.endpoint.take(), self.peer.take()
            self.said = b""
            if not ours and not theirs:
                return self
            for data in pieces(theirs, self.piece):
                self.received += self.endpoint.receive(data)
            for data in pieces(ours, self.piece):
                self.peer.put(data)


def pieces(data: bytes, size: int) -> list[bytes]:
    """C{data} in parts of C{size} bytes."""
    return [data[at : at + size] for at in range(0, len(data), size)]


def as_server(version: Any = None, calls: Any = None, piece: int = 1 << 30) -> Pair:
    """The gateway's end is the server."""
    endpoint = Endpoint(SSL.Connection(served(), None), calls)
    endpoint.connection.set_accept_state()
    context = client_context(authority())
    if version:
        context.minimum_version = context.maximum_version = version
    peer = Peer(context, False, NAME)
    peer.put(b"")
    return Pair(endpoint, peer, piece)


def as_client(version: Any = None, calls: Any = None, piece: int = 1 << 30) -> Pair:
    """The gateway's end is the client."""
    endpoint = Endpoint(SSL.Connection(asking(), None), calls)
    endpoint.connection.set_connect_state()
    context = server_context(ISSUED)
    if version:
        context.minimum_version = context.maximum_version = version
    pair = Pair(endpoint, Peer(context, True), piece)
    pair.said = endpoint.start()
    return pair


class PyPeer:
    """A peer that can do what the standard library's can't: the gateway's own OpenSSL."""

    def __init__(self, context: SSL.Context, server: bool) -> None:
        self.connection = SSL.Connection(context, None)
        (self.connection.set_accept_state if server else self.connection.set_connect_state)()
        self.received = b""
        self.error: SSL.Error | None = None

    def put(self, data: bytes) -> None:
        if data:
            self.connection.bio_write(data)
        try:
            while True:
                self.received += self.connection.recv(65536)
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            self.error = self.error or error

    def take(self) -> bytes:
        try:
            return self.connection.bio_read(1 << 20)
        except SSL.Error:
            return b""


class EndpointTests(SynchronousTestCase):
    """L{Endpoint}."""

    def each(self, test: Callable[[Pair], None], piece: int = 1 << 30) -> None:
        """In both roles, in both versions, by both kinds of calls."""
        ways = product((as_client, as_server), VERSIONS, (RawCalls, PublicCalls))
        for begin, version, calls in ways:
            with self.subTest(begin=begin.__name__, version=version, calls=calls.__name__):
                test(begin(version, calls, piece))

    def test_talks(self) -> None:
        """What either says arrives, whole and in order."""

        def test(pair: Pair) -> None:
            pair.run()
            self.assertTrue(pair.endpoint.agreed)
            for size in (1, 16_384, 16_385, 300_000):
                said = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
                pair.received = pair.peer.received = b""
                pair.say(said)
                pair.peer.send(said[::-1])
                pair.run()
                self.assertEqual(pair.peer.received, said)
                self.assertEqual(pair.received, said[::-1])

        self.each(test)

    def test_every_split(self) -> None:
        """However the network cuts what is sent, the same is understood."""
        for size in (1, 2, 3, 5, 64, 517, 1448):

            def test(pair: Pair) -> None:
                pair.run()
                pair.say(b"question")
                pair.peer.send(b"answer" * 50)
                pair.peer.end()
                pair.run()
                self.assertEqual(pair.received, b"answer" * 50)
                self.assertEqual(pair.peer.received, b"question")
                self.assertTrue(pair.endpoint.ended)

            self.each(test, size)

    def test_sent_early(self) -> None:
        """What is sent before the handshake is over follows it, and so does the end."""

        def test(pair: Pair) -> None:
            pair.say(b"early")
            pair.finish()
            self.assertEqual(pair.endpoint.held, 5)
            pair.run()
            self.assertEqual(pair.endpoint.held, 0)
            self.assertEqual(pair.peer.received, b"early")
            self.assertTrue(pair.peer.ended)

        self.each(test)

    def test_half_close(self) -> None:
        """A peer that has said all it wants to say still gets its answer, as in TCP."""

        def test(pair: Pair) -> None:
            pair.run()
            pair.peer.send(b"all I say")
            pair.peer.end()
            pair.run()
            self.assertEqual(pair.received, b"all I say")
            self.assertTrue(pair.endpoint.ended)
            pair.say(b"z" * 100_000)
            pair.finish()
            pair.run()
            self.assertEqual(pair.peer.received, b"z" * 100_000)

        self.each(test)

    def test_half_close_of_ours(self) -> None:
        """After our close_notify the peer is heard to its end."""

        def test(pair: Pair) -> None:
            pair.run()
            pair.finish()
            pair.run()
            self.assertTrue(pair.peer.ended)
            pair.peer.send(b"z" * 100_000)
            pair.peer.end()
            pair.run()
            self.assertEqual(pair.received, b"z" * 100_000)
            self.assertTrue(pair.endpoint.ended)
            self.assertEqual(pair.endpoint.send(b"too late"), b"")

        self.each(test)

    def test_refused_by_the_peer(self) -> None:
        """The alert that the peer refuses with is known by its name."""
        endpoint = Endpoint(SSL.Connection(served(), None))
        endpoint.connection.set_accept_state()
        peer = Peer(ssl.create_default_context(cadata=""), False, NAME)
        peer.put(b"")
        Pair(endpoint, peer).run()
        assert endpoint.broken is not None
        self.assertEqual(endpoint.broken.alert, "unknown_ca")

    def test_no_tls(self) -> None:
        """Whoever does not speak TLS is told so, and the reason is in words."""
        for calls in (RawCalls, PublicCalls):
            pair = as_client(calls=calls)
            self.assertEqual(pair.endpoint.receive(b"220 mail.example ESMTP\r\n"), b"")
            assert pair.endpoint.broken is not None
            self.assertEqual(pair.endpoint.broken.alert, "")
            self.assertIn("wrong version number", pair.endpoint.broken.reason)
            self.assertEqual(pair.endpoint.receive(b"more"), b"")

    def test_said_before_it_broke(self) -> None:
        """What a peer said before it sent nonsense is heard: it may be why."""

        def test(pair: Pair) -> None:
            pair.run()
            pair.peer.send(b"my last words")
            garbage = b"\x17\x03\x03\x00\x20" + b"g" * 32
            said = pair.endpoint.receive(pair.peer.take() + garbage)
            self.assertEqual(said, b"my last words")
            assert pair.endpoint.broken is not None
            self.assertEqual(pair.endpoint.broken.alert, "")
            self.assertNotEqual(pair.endpoint.take(), b"")  # bad_record_mac
            self.assertEqual(pair.endpoint.send(b"nobody hears this"), b"")
            self.assertEqual(pair.endpoint.end(), b"")

        self.each(test)

    def test_an_error_of_somebody_else(self) -> None:
        """An error that another user of OpenSSL has left behind is not taken for ours."""
        pair = as_server().run()
        with self.assertRaises(SSL.Error):
            SSL.Context(SSL.TLS_METHOD).use_certificate_chain_file(b"/nowhere")
        SSL._lib.BIO_new_file(b"/nowhere", b"r")  # type: ignore[attr-defined]
        pair.peer.send(b"fine")
        pair.run()
        self.assertEqual(pair.received, b"fine")
        self.assertIsNone(pair.endpoint.broken)

    def test_renegotiation(self) -> None:
        """Nobody gets a second handshake in TLS 1.2: it would be one that nobody looked at."""
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        peer = PyPeer(context, False)
        endpoint = Endpoint(SSL.Connection(served(), None))
        endpoint.connection.set_accept_state()
        peer.put(b"")
        pair = Pair(endpoint, peer).run()
        peer.connection.renegotiate()
        peer.put(b"")
        pair.run()
        self.assertIn("no renegotiation", str(peer.error))
        self.assertEqual(endpoint.connection.total_renegotiations(), 0)

    def test_memory(self) -> None:
        """Idle connections that have carried much keep little: a known, small amount each."""

        def resident() -> int:
            return int(Path("/proc/self/statm").read_text().split()[1]) * 4

        def talked() -> Endpoint:
            client = Endpoint(SSL.Connection(asking(), None))
            client.connection.set_connect_state()
            server = Endpoint(SSL.Connection(context, None))
            server.connection.set_accept_state()
            said = client.start()
            for _ in range(3):
                server.receive(said)
                client.receive(server.take())
                said = client.take()
            client.receive(server.send(b"z" * 250_000))
            server.receive(client.send(b"thank you"))
            client.receive(server.send(b"welcome"))
            return client

        context = served()
        kept = [talked() for _ in range(5)]
        before = resident()
        kept += [talked() for _ in range(200)]
        self.assertLess(resident() - before, 200 * 80)
        self.assertEqual(len(kept), 205)
