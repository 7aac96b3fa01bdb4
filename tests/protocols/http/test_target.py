"""Targets and hosts that are not written as they should be, though it is clear what they mean."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Address
from gateway.testing import FakeSession
from protocols.http.inspector import HttpInspector
from protocols.http.limits import Limits
from protocols.http.policy.patterns import read_paths
from protocols.http.policy.settings import HttpSettings

ENCODE = HttpSettings(targets="encode")


def asked(request: bytes, settings: HttpSettings | None = None) -> FakeSession:
    """What comes of a request that comes at once; byte by byte it comes to the same."""
    sessions = []
    for size in (len(request), 1):
        session = FakeSession(HttpInspector, settings, server=Address("fd77:2::2", 80)).start()
        for at in range(0, len(request), size):
            session.says(CLIENT, request[at : at + size])
        sessions.append(session)
    whole, pieces = sessions
    assert (whole.sent, whole.verdict) == (pieces.sent, pieces.verdict), request
    return whole


class EncodeTests(SynchronousTestCase):
    """C{targets = "encode"}: what has to be escaped is."""

    def sent(self, target: bytes, settings: HttpSettings = ENCODE) -> bytes:
        """The target that the server gets; empty if the client reads of a 400."""
        session = asked(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n", settings)
        if not session.sent[SERVER]:
            assert session.sent[CLIENT].startswith(b"HTTP/1.1 400 "), session.sent
            return b""
        line = session.sent[SERVER].partition(b"\r\n")[0]
        return line.removeprefix(b"GET ").removesuffix(b" HTTP/1.1")

    def test_encoded(self) -> None:
        """Bytes beyond ASCII, spaces, quotes and angle brackets; nothing else changes."""
        for target, sent in (
            (b"/\xc3\xa4", b"/%C3%A4"),
            (b"/\xe4?q=\xff", b"/%E4?q=%FF"),
            (b"/a b/c", b"/a%20b/c"),
            (b"/a?b= c ", b"/a?b=%20c%20"),
            (b'/"a"?<b>', b"/%22a%22?%3Cb%3E"),
            (b"/%41?100%", b"/%41?100%"),
            (b"/a HTTP/1.1", b"/a%20HTTP/1.1"),
            (b"http://a/ b", b"http://a/%20b"),
            (b"/plain?x=y", b"/plain?x=y"),
        ):
            self.assertEqual(self.sent(target), sent, target)

    def test_refused(self) -> None:
        """What servers read differently, and what is no target then, is refused as ever."""
        for target in (
            b" /",
            b"a b",
            b"/a#b",
            b"/a\\b",
            b"/\tb",
            b"/\x00",
            b"/\x7f",
            b"/a\rb",
            b"/\xc0\xae",
            b"/%zz",
            b"http://\xe4/",
            b"http://a b/",
        ):
            self.assertEqual(self.sent(target), b"", target)

    def test_strict(self) -> None:
        """By default nothing is guessed: who crafts such a line may want that."""
        for target in (b"/\xc3\xa4", b"/a b", b'/"', b"/?<", b"/?\xff"):
            self.assertEqual(self.sent(target, HttpSettings()), b"", target)

    def test_judged(self) -> None:
        """The policy compares what the server gets."""
        policy = HttpSettings(targets="encode", paths=read_paths(("/\xe4 b",)))
        self.assertEqual(self.sent(b"/\xc3\xa4 b", policy), b"/%C3%A4%20b")
        session = asked(b"GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", policy)
        self.assertEqual(session.sent[SERVER], b"")
        self.assertEqual(session.records_of("http")[-1]["url"], "/%C3%A4")

    def test_longer(self) -> None:
        """Escaped, it is no longer than a line may be."""
        policy = HttpSettings(targets="encode", limits=Limits(request_line_bytes=64))
        for count, passes in ((50, True), (51, True), (52, False)):
            target = b"/" + b"\xe4" * 10 + b"a" * (count - 31)
            session = asked(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n", policy)
            self.assertEqual(bool(session.sent[SERVER]), passes, count)
            self.assertEqual(session.sent[CLIENT].startswith(b"HTTP/1.1 414 "), not passes)

    def test_percent_in_a_query(self) -> None:
        """Queries are compared as they are sent, so that a "%" deceives nobody there."""
        self.assertEqual(self.sent(b"/?q=100%", HttpSettings()), b"/?q=100%")
        self.assertEqual(self.sent(b"/100%?q", HttpSettings()), b"")


class EscapedHostTests(SynchronousTestCase):
    """An IPv6 address whose colons are escaped, as wget2 writes it."""

    def host(self, value: bytes, settings: HttpSettings | None = None) -> bytes:
        """What the server gets as Host; empty if the client reads of a 400."""
        session = asked(b"GET / HTTP/1.1\r\nHost: " + value + b"\r\n\r\n", settings)
        if not session.sent[SERVER]:
            assert session.sent[CLIENT].startswith(b"HTTP/1.1 400 "), session.sent
        return session.sent[SERVER].partition(b"Host: ")[2].partition(b"\r\n")[0]

    def test_connected(self) -> None:
        """It is taken for the address that the connection goes to, and written anew."""
        for value, sent in (
            (b"fd77%3A2%3A%3A2", b"[fd77:2::2]"),
            (b"fd77%3a2%3a%3a2:80", b"[fd77:2::2]:80"),
            (b"FD77%3A2%3A0%3A0%3A0%3A0%3A0%3A2", b"[fd77:2::2]"),
        ):
            for check in ("off", "literal"):
                self.assertEqual(self.host(value, HttpSettings(host_check=check)), sent, value)

    def test_record(self) -> None:
        """Records have the address."""
        session = asked(b"GET / HTTP/1.1\r\nHost: fd77%3A2%3A%3A2\r\n\r\n")
        session.says(SERVER, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        self.assertEqual(session.records_of("http")[-1]["hostname"], "fd77:2::2")

    def test_other(self) -> None:
        """Nobody knows what a server would make of another one, or of a half of one."""
        for value in (
            b"fd77%3A2%3A%3A3",
            b"192.0.2.1%3A80",
            b"a%3A80",
            b"%3A",
            b"%3A%3A%3A",
            b"[fd77%3A2%3A%3A2]",
            b"fd77%3A2::2",
            b"fd77%3A2%3A%3A2%25eth0",
            b"fd77:2::2",
        ):
            self.assertEqual(self.host(value), b"", value)
