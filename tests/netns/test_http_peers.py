"""HTTP peers that are slow, or go away: the others can tell, and the gateway does not grow."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable

from tests.netns.case import SERVER, hear, reset
from tests.netns.web import HttpCase

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
BLOCK = bytes(65536)
LARGE = 96 << 20
GROWTH = 6 << 20
"""How much more memory the gateway may take while so much passes, or waits."""


class PeerCase(HttpCase):
    """Clients and servers that are the test's own sockets."""

    def ask(self, request: bytes, port: int = 80) -> socket.socket:
        """A client that has sent this."""
        ours = self.dial((SERVER, port))
        ours.sendall(request)
        return ours

    def both(self, request: bytes, port: int = 80) -> tuple[socket.socket, socket.socket]:
        """A client that has sent this, and the server that has it; nobody listens any more."""
        listener = self.listen(port)
        ours = self.ask(request, port)
        theirs, _ = self.accept(listener)
        self.assertEqual(hear(theirs, len(request)), request)
        listener.close()
        return ours, theirs


class PeerTests(PeerCase):
    """Orderly peers, in unusual ways."""

    def test_refused(self) -> None:
        """A smuggler gets a clean answer; the server never hears of the connection."""
        listener = self.listen(80)
        ours = self.ask(GET.replace(b"\r\n\r\n", b"\r\nContent-Length : 3\r\n\r\n"))
        said = hear(ours)
        self.assertTrue(said.startswith(b"HTTP/1.1 400 Bad Request\r\n"), said)
        self.assertIn(b"\r\nCache-Control: no-store\r\nConnection: close\r\n", said)
        self.assertQuiet(listener)
        (record,) = self.http_records(1, verdict="denied", status=400)
        self.assertEqual(record["offset"], GET.index(b"\r\n\r\n") + 2 + len("Content-Length"))

    def test_unreachable(self) -> None:
        """Nobody listens there: the client reads so."""
        ours = self.ask(GET, 81)
        self.assertTrue(hear(ours).startswith(b"HTTP/1.1 502 "))
        ours.close()
        self.http_records(1, status=502, verdict="failed")

    def test_pipelined(self) -> None:
        """Many requests at once: the server gets one by one, the client all answers in order."""
        listener = self.listen(80)
        asked = [GET.replace(b"/x", b"/%d" % number) for number in range(20)]
        ours = self.ask(b"".join(asked))
        theirs, _ = self.accept(listener)
        answered = b""
        for number, request in enumerate(asked):
            self.assertEqual(hear(theirs, len(request)), request)
            answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n%04d" % number
            theirs.sendall(answer)
            answered += answer
        self.assertEqual(hear(ours, len(answered)), answered)

    def test_half_closed(self) -> None:
        """A client that says at once that it will ask no more still gets its answer."""
        for answer in (OK, b"HTTP/1.1 200 OK\r\n\r\nall of it"):
            listener = self.listen(80)
            ours = self.ask(GET)
            ours.shutdown(socket.SHUT_WR)
            theirs, _ = self.accept(listener)
            self.assertEqual(hear(theirs, len(GET)), GET)
            theirs.sendall(answer)
            theirs.close()
            self.assertEqual(hear(ours), answer)
            listener.close()

    def test_byte_by_byte(self) -> None:
        """In both directions."""
        listener = self.listen(80)
        ours = self.dial((SERVER, 80))
        ours.setsockopt(socket.SOL_TCP, socket.TCP_NODELAY, 1)
        for byte in GET:
            ours.sendall(bytes([byte]))
        theirs, peer = self.accept(listener)
        self.assertEqual(peer, ours.getsockname())
        self.assertEqual(hear(theirs, len(GET)), GET)
        theirs.setsockopt(socket.SOL_TCP, socket.TCP_NODELAY, 1)
        reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nA: b\r\n\r\n"
        for byte in reply:
            theirs.sendall(bytes([byte]))
        self.assertEqual(hear(ours, len(reply)), reply)

    def test_early_answer(self) -> None:
        """A server that has heard enough of an upload: the client reads why."""
        head = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nbegin"
        ours, theirs = self.both(head)
        answer = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        theirs.sendall(answer)
        self.assertEqual(hear(ours, len(answer)), answer)

    def test_tunnel(self) -> None:
        """CONNECT, where the service allows it, and an answer where it does not."""
        request = b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"
        self.assertTrue(hear(self.ask(request)).startswith(b"HTTP/1.1 403 "))
        ours, theirs = self.both(request, 82)
        theirs.sendall(b"HTTP/1.1 200 Go on\r\n\r\n220 hello\r\n")
        self.assertEqual(hear(ours, 33), b"HTTP/1.1 200 Go on\r\n\r\n220 hello\r\n")
        ours.sendall(b"\x00\xff anything\n")
        self.assertEqual(hear(theirs, 12), b"\x00\xff anything\n")

    def test_upgrade(self) -> None:
        """What comes right behind the handshake is passed on; refused, the connection may go on."""
        request = GET.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        self.assertTrue(hear(self.ask(request)).startswith(b"HTTP/1.1 403 "))
        ours, theirs = self.both(request, 82)
        switching = (
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        theirs.sendall(switching + b"\x81\x00")
        self.assertEqual(hear(ours, len(switching) + 2), switching + b"\x81\x00")
        ours.sendall(b"\x81\x05")
        self.assertEqual(hear(theirs, 2), b"\x81\x05")

    def test_python(self) -> None:
        """Python's own client against its own server, kept alive."""
        folder = self.scene.folder / "python"
        folder.mkdir(exist_ok=True)
        (folder / "file").write_bytes(b"x" * 100000)
        program = (
            "import http.server as h, socketserver\n"
            "class Server(h.ThreadingHTTPServer):\n"
            "    server_bind = socketserver.TCPServer.server_bind\n"  # without looking names up
            "class Handler(h.SimpleHTTPRequestHandler):\n"
            "    protocol_version = 'HTTP/1.1'\n"
            f"Server(({SERVER!r}, 81), Handler).serve_forever()\n"
        )
        server = self.server.start(
            *(sys.executable, "-c", program),
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        self.wait_for(81)
        program = (
            "import http.client\n"
            f"c = http.client.HTTPConnection({SERVER!r}, 81, timeout=10)\n"
            "for _ in range(20):\n"
            "    c.request('GET', '/file'); r = c.getresponse(); print(r.status, len(r.read()))\n"
        )
        said = self.client.run(sys.executable, "-c", program)
        self.assertEqual(said, "200 100000\n" * 20)


class DeathTests(PeerCase):
    """Peers that go away in the middle: nobody takes a part for the whole."""

    def test_server_dies(self) -> None:
        """
        In a body: the client gets what came, and an end; where that would be the answer's, a reset.
        """
        length = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"
        chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc"
        last = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
        until = b"HTTP/1.1 200 OK\r\n\r\nabc"
        close = socket.socket.close
        for reply, end in (
            *((each, close) for each in (length, chunks, last)),
            *((each, reset) for each in (length, chunks, last, until)),
        ):
            ours, theirs = self.both(GET)
            theirs.sendall(reply)
            self.assertEqual(hear(ours, len(reply)), reply)
            end(theirs)
            if reply is until:
                self.assertReset(ours)
            else:
                self.assertEqual(hear(ours), b"")

    def test_server_dies_in_the_head(self) -> None:
        """An answer that is no whole head, or none at all: 502, even if it is a reset."""
        for reply in (b"", b"HTTP/1.1 200 O", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"):
            for end in (socket.socket.close, reset):
                ours, theirs = self.both(GET)
                theirs.sendall(reply)
                end(theirs)
                self.assertTrue(hear(ours).startswith(b"HTTP/1.1 502 "), reply)

    def test_client_dies(self) -> None:
        """In an upload: the server sees a reset and can't take it for complete; it is recorded."""
        for number, head in enumerate(
            (
                b"PUT /dies%d HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc",
                b"PUT /dies%d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
            )
        ):
            for end in (socket.socket.close, reset):
                ours, theirs = self.both(head % number)
                end(ours)
                self.assertReset(theirs)
            records = self.http_records(2, url=f"/dies{number}", request_length=3)
            self.assertNotIn("passed", {each["verdict"] for each in records})

    def test_client_leaves(self) -> None:
        """In a download: the server hears of it, and does not send gigabytes to nobody."""
        for end in (socket.socket.close, reset):
            ours, theirs = self.both(GET)
            theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            hear(ours, 10)
            end(ours)
            with self.assertRaises(OSError):
                for _ in range(1000000000 // len(BLOCK)):
                    theirs.sendall(BLOCK)


class PatienceTests(PeerCase):
    """Peers that send without end, or take nothing."""

    HEADS = (
        b"Content-Length: %d\r\n\r\n" % LARGE,
        b"Transfer-Encoding: chunked\r\n\r\n",
    )

    def test_downloads(self) -> None:
        """The client does not read; once it does, it gets all. The gateway keeps little."""
        for head in (*self.HEADS, b"\r\n"):
            ours, theirs = self.both(GET)
            self.pour(b"HTTP/1.1 200 OK\r\n" + head, theirs, ours)

    def test_uploads(self) -> None:
        """The server does not read; likewise."""
        for head in self.HEADS:
            listener = self.listen(80)
            ours = self.dial((SERVER, 80))
            start = b"PUT / HTTP/1.1\r\nHost: a\r\n"
            ours.sendall(start)
            self.pour(head, ours, lambda listener=listener: self.accept(listener)[0], start)
            listener.close()

    def pour(
        self,
        head: bytes,
        source: socket.socket,
        target: socket.socket | Callable[[], socket.socket],
        before: bytes = b"",
    ) -> None:
        """Send a large body, let it dam up, and then read it."""
        memory = self.memory()
        size = b"%x\r\n" % len(BLOCK) if b"chunked" in head else b""
        end = b"\r\n" if size else b""
        pouring = Pouring(source, head, size + BLOCK + end, b"0\r\n\r\n" if size else b"")
        pouring.start()
        if callable(target):
            target = target()
        self.wait(lambda: pouring.stands_still, "everything was taken from the sender")
        self.assertLess(self.memory() - memory, GROWTH)
        whole = len(before) + len(head) + LARGE
        whole += (LARGE // len(BLOCK)) * len(size + end) + 5 * bool(size)
        count = 0
        scratch = bytearray(1 << 20)
        while count < whole:
            got = target.recv_into(scratch)
            self.assertTrue(got, f"it ended after {count} of {whole} bytes")
            count += got
        pouring.join()
        self.assertEqual(count, whole)
        self.assertLess(self.memory() - memory, GROWTH)
        source.close()


class Pouring(threading.Thread):
    """Sends as much as it can get rid of."""

    def __init__(self, target: socket.socket, head: bytes, block: bytes, end: bytes) -> None:
        super().__init__(daemon=True)
        self._target = target
        self._head = head
        self._block = block
        self._end = end
        self._sent = self._seen = 0

    def run(self) -> None:
        """All of it."""
        self._target.settimeout(60)
        self._target.sendall(self._head)
        for _ in range(LARGE // len(BLOCK)):
            self._target.sendall(self._block)
            self._sent += 1
        self._target.sendall(self._end)

    @property
    def stands_still(self) -> bool:
        """Whether it got rid of something, and of nothing since it was asked last."""
        seen, self._seen = self._seen, self._sent
        return bool(seen) and seen == self._sent
