"""
The smuggling corpus, through the real gateway, at receivers that take everything.

The server records every byte and answers whatever looks like the end of a head to anybody;
the client reads to the end. Neither must ever see what was smuggled.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Iterator

from tests.netns.case import SERVER, hear
from tests.netns.test_http_peers import PeerCase
from tests.protocols.http.corpus import CHUNKED, GET, POST, SMUGGLED, Refused
from tests.protocols.http.corpus.chunks import CHUNKS, TRAILERS
from tests.protocols.http.corpus.framing import CODINGS, EXPECTATIONS, LENGTHS, VERSIONS
from tests.protocols.http.corpus.hosts import HOSTS
from tests.protocols.http.corpus.lines import (
    ASTERISKS,
    AUTHORITIES,
    CONNECTS,
    FIELDS,
    LINES,
    OPTIONS,
    TARGETS,
)
from tests.protocols.http.corpus.responses import ASKED, CUT, EVIL, EXTRA, RESPONSES

REQUESTS: tuple[Refused, ...] = (
    *(*LENGTHS, *VERSIONS, *CODINGS, *EXPECTATIONS, *CHUNKS, *TRAILERS, *LINES, *FIELDS),
    *(*OPTIONS, *TARGETS, *ASTERISKS, *AUTHORITIES, *CONNECTS, *HOSTS),
)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
END_OF_A_HEAD = re.compile(rb"\r\n\r\n|\n\r?\n|\r\r")


class Receiver(threading.Thread):
    """
    A server that reads everything.

    @ivar heard: what each connection has brought.
    """

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(daemon=True)
        self._listener = listener
        self._hearing: list[threading.Thread] = []
        self.heard: list[bytearray] = []

    def run(self) -> None:
        """Until the listener is closed."""
        with contextlib.suppress(OSError):
            while True:
                theirs, _ = self._listener.accept()
                self.heard.append(bytearray())
                hearing = threading.Thread(
                    target=self._hear, args=(theirs, self.heard[-1]), daemon=True
                )
                self._hearing.append(hearing)
                hearing.start()

    @property
    def is_done(self) -> bool:
        """Whether all connections have ended."""
        return not any(hearing.is_alive() for hearing in self._hearing)

    def _hear(self, theirs: socket.socket, heard: bytearray) -> None:
        with theirs, contextlib.suppress(OSError):
            theirs.settimeout(20)
            answered = 0
            while data := theirs.recv(65536):
                heard += data
                heads = len(END_OF_A_HEAD.findall(heard))
                theirs.sendall(OK * (heads - answered))
                answered = heads


class LenientTests(PeerCase):
    """Nothing of what an attacker hides reaches anybody, however lenient they are."""

    def receive(self) -> Receiver:
        """Such a server."""
        listener = self.listen(80)
        listener.settimeout(None)
        receiver = Receiver(listener)
        receiver.start()
        self.addCleanup(listener.shutdown, socket.SHUT_RDWR)
        return receiver

    def attack(self, data: bytes) -> bytes:
        """Send it all, and read to the end."""
        ours = self.dial((SERVER, 80))
        heard = b""
        with ours, contextlib.suppress(ConnectionError):
            ours.sendall(data)
            ours.shutdown(socket.SHUT_WR)
            while data := ours.recv(65536):
                heard += data
        return heard

    def test_requests(self) -> None:
        """Every row of the corpus, with a request behind it."""
        receiver = self.receive()
        for row in REQUESTS:
            said = self.attack(row.data + SMUGGLED)
            self.assertNotIn(b"200 OK", said.partition(b"\r\n")[0], row.name)
            if row.data.startswith(CHUNKED):
                continue
            self.assertTrue(said.startswith(b"HTTP/1.1 %d " % row.status), f"{row.name}: {said!r}")
        self.wait(lambda: receiver.is_done, "the server still hears something")
        self.check(receiver, [row.data for row in REQUESTS if row.data.startswith(CHUNKED)])
        records = self.http_records(len(REQUESTS), verdict="denied")
        self.assertLessEqual(
            {row.offset for row in REQUESTS}, {each.get("offset") for each in records}
        )

    def check(self, receiver: Receiver, good: list[bytes]) -> None:
        """What reached the server is the beginning of one of these, and no more than that."""
        for heard in receiver.heard:
            self.assertNotIn(b"admin", heard)
            allowed = any(each.replace(b";a\r\n", b"\r\n").startswith(heard) for each in good)
            self.assertTrue(allowed, bytes(heard))

    def test_behind(self) -> None:
        """The same behind a good request: that one reaches the server, nothing else does."""
        receiver = self.receive()
        rows = (*LENGTHS, *CODINGS, *LINES, *FIELDS)
        for row in rows:
            said = self.attack(ASKED + row.data + SMUGGLED)
            self.assertTrue(said.startswith(OK), row.name)
        self.wait(lambda: receiver.is_done, "the server still hears something")
        self.assertEqual({bytes(heard) for heard in receiver.heard}, {ASKED})
        self.assertEqual(len(receiver.heard), len(rows))

    def test_flows(self) -> None:
        """Attacks that count on what the server says, or does not say."""
        receiver = self.receive()
        length = b"Content-Length: %d\r\n" % len(SMUGGLED)
        close = b"Connection: close\r\n"
        # it answers instead of asking for the body, which then comes all the same
        ours = self.ask(POST + b"Expect: 100-continue\r\n" + length + b"\r\n")
        self.assertTrue(hear(ours, len(OK)).startswith(b"HTTP/1.1 200 OK\r\n"))
        with ours, contextlib.suppress(ConnectionError):
            ours.sendall(SMUGGLED)
            hear(ours)
        # it hears what comes behind a last request
        self.attack(GET + close + b"\r\n" + SMUGGLED)
        self.attack(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n" + SMUGGLED)
        # an upgrade that is not allowed is not offered, and what is behind it is not sent
        self.attack(GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + SMUGGLED)
        self.attack(b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n" + SMUGGLED)
        self.wait(lambda: receiver.is_done, "the server still hears something")
        for heard in receiver.heard:
            self.assertLessEqual(heard.count(b"\r\n\r\n"), 1, bytes(heard))
        hidden = [heard for heard in receiver.heard if b"admin" in heard]
        self.assertEqual(hidden, [])

    def test_responses(self) -> None:
        """The client never reads what a server hides behind or in an answer."""
        for row, heard in self.answers():
            self.assertNotIn(b"EVIL", heard, row.name)
            if row.status:
                last = heard.rsplit(b"HTTP/1.1 ", 1)[-1]
                self.assertTrue(last.startswith(b"502 ") or row in CUT, f"{row.name}: {heard!r}")

    def answers(self) -> Iterator[tuple[Refused, bytes]]:
        """What the client reads of each bad answer."""
        listener = self.listen(80)
        for row in (*RESPONSES, *CUT, *EXTRA):
            ours = self.ask(row.request)
            theirs, _ = self.accept(listener)
            theirs.sendall(row.data + EVIL)
            heard = b""
            with ours, theirs, contextlib.suppress(ConnectionError):
                while data := ours.recv(65536):
                    heard += data
            yield row, heard
