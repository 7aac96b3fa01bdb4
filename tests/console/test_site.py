"""The console's limits: nobody outside of it can fill, hold or break it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import urljoin

from gateway.console.site import KEPT_SECONDS
from tests.console.case import HOST, ConsoleCase

MENTIONED = {"http://www.w3.org", "http://www.example.org"}
"""The name of SVG, and an example in a form: nothing is loaded from there."""

BEARER = "Authorization: Bearer anna's"


class SiteTests(ConsoleCase):
    """One connection, or several."""

    def test_clients(self) -> None:
        """More connections than there may be are closed; one that ends makes room."""
        connections = [self.connect() for _ in range(4)]
        for connection in connections:
            connection.say("GET /api/me HTTP/1.1", f"Host: {HOST}", "Authorization: Bearer anna's")
            self.assertEqual(connection.heard()[0], 200)
        self.assertRaises(AssertionError, self.connect)
        connections[0].gone()
        self.connect()

    def test_strangers(self) -> None:
        """Strangers, however many connections they hold, keep nobody out, and end no operator's."""
        operator = self.connect()
        operator.say("GET /api/me HTTP/1.1", f"Host: {HOST}", "Authorization: Bearer anna's")
        strangers = [self.connect() for _ in range(20)]
        self.assertFalse(operator.aborted)
        self.assertEqual([each.aborted for each in strangers], [True] * 17 + [False] * 3)
        self.assertEqual(self.ask("GET /")[0], 200)

    def test_slow_request(self) -> None:
        """A request that dribbles is broken off, however busily it does so."""
        connection = self.connect()
        connection.protocol.dataReceived(b"GET / HTTP/1.1\r\n")
        for _ in range(9):
            self.reactor.advance(1)
            connection.protocol.dataReceived(b"X: y\r\n")
        self.assertFalse(connection.aborted)
        self.reactor.advance(1)
        self.assertTrue(connection.aborted)

    def test_idle(self) -> None:
        """A connection waits a minute for its next request."""
        connection = self.connect()
        connection.say("GET / HTTP/1.1", f"Host: {HOST}")
        self.assertEqual(connection.heard()[0], 200)
        self.reactor.advance(KEPT_SECONDS - 1)
        connection.say("GET / HTTP/1.1", f"Host: {HOST}")
        self.assertEqual(connection.heard()[0], 200)
        self.reactor.advance(KEPT_SECONDS)
        self.assertTrue(connection.aborted)

    def test_large(self) -> None:
        """A body that is too large, or does not say how large it is, is not read."""
        for field in ("Content-Length: 65537", "Transfer-Encoding: chunked"):
            connection = self.connect()
            connection.say("POST /api/ask HTTP/1.1", f"Host: {HOST}", BEARER, field)
            self.assertEqual(connection.heard()[0], 413)
            self.assertTrue(connection.disconnecting)
            connection.protocol.dataReceived(b"x" * 100000)
            self.assertEqual(connection.value(), b"")
            connection.gone()

    def test_pipelined(self) -> None:
        """Who sends requests faster than he takes answers is left: no browser does."""
        connection = self.connect()
        connection.protocol.dataReceived(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode() * 100)
        self.assertTrue(connection.aborted)
        self.assertEqual(connection.value().count(b"HTTP/1.1 200"), 1)

    def test_no_http(self) -> None:
        """What is no HTTP is refused."""
        for said in (b"\x16\x03\x01\x02\x00" * 10 + b"\r\n\r\n", b"GET\r\n\r\n", b"X" * 20000):
            connection = self.connect()
            connection.protocol.dataReceived(said)
            self.assertTrue(connection.disconnecting or connection.aborted, said[:20])
            connection.gone()

    def test_no_json(self) -> None:
        """What is no question is told so."""
        for body in ("{", "[" * 60000, '"x"', "[]", '{"ask": 1e999}', "\xff"):
            connection = self.connect()
            fields = (
                f"Content-Length: {len(body)}",
                "Content-Type: application/json; charset=utf-8",
            )
            connection.say("POST /api/ask HTTP/1.1", f"Host: {HOST}", BEARER, *fields, body=body)
            status, _, answer = connection.heard()
            self.assertIn(status, (200, 400), body[:20])
            self.assertIn("problem", json.loads(answer))
            connection.gone()

    def test_methods_and_paths(self) -> None:
        """What is not there is not found; what can be read only is said to be so."""
        self.assertEqual(self.ask("POST /", value={})[0], 405)
        self.assertEqual(self.ask("PUT /style.css")[0], 405)
        for path in ("/x", "/api/", "/page/index.html", "/../x", "//", "/index.html", "/api/me/"):
            self.assertEqual(self.ask(f"GET {path}", BEARER)[0], 404, path)
        self.assertEqual(self.ask("OPTIONS /api/ask", "X-Tproxygw: x")[0], 404)

    def test_files(self) -> None:
        """All that the page names is there, comes from here, and is not sent twice."""
        status, headers, page = self.ask("GET /")
        self.assertEqual((status, headers["content-type"]), (200, "text/html; charset=utf-8"))
        self.assertEqual(self.ask("HEAD /")[2], b"")
        again = self.ask("GET /", f"If-None-Match: {headers['etag']}")
        self.assertEqual((again[0], again[2]), (304, b""))
        folder = Path(__file__).parents[2] / "gateway" / "console" / "page"
        for file in folder.iterdir():
            text = file.read_text()
            self.assertLessEqual(set(re.findall(r"\w+://[^/\"]*", text)), MENTIONED, file)
            self.assertNotIn("innerHTML", text, file)
            if file.name != "index.html":
                self.assertEqual(self.ask(f"GET {urljoin('/', file.name)}")[0], 200, file)
                self.assertTrue(file.name.encode() in page or file.suffix == ".js", file)
