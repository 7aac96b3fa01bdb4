"""Requests that a browser was led to, and the names of this host."""

from __future__ import annotations

from tests.console.case import HOST, ORIGIN, ConsoleCase

STATUS = {"ask": "status"}
BEARER = "Authorization: Bearer anna's"


class NameTests(ConsoleCase):
    """The console is for a browser that wants this host, by a name that the operator knows."""

    def test_ours(self) -> None:
        """Its address, localhost, names of the policy; with any port, as SSH may forward it."""
        for host in (
            HOST,
            "127.0.0.1",
            "localhost:8080",
            "Gateway.Example:443",
            "gateway.example.",
        ):
            self.assertEqual(self.ask("GET /", host=host)[0], 200, host)

    def test_not_ours(self) -> None:
        """Other names are refused, for the page as well as for answers."""
        for host in (
            *("", "evil.example", "127.0.0.2", "gateway.example.evil.example", "localhost:x"),
            *(
                "[::1]",
                "127.0.0.1:1:2",
                "user@127.0.0.1",
                "127.0.0.1/x",
                "127.0.0.1 x",
                "2130706433",
            ),
        ):
            self.assertEqual(self.ask("GET /", host=host)[0], 421, host)
            self.assertEqual(self.ask("POST /api/ask", BEARER, value=STATUS, host=host)[0], 421)

    def test_twice(self) -> None:
        """Of two names none is believed."""
        self.assertEqual(self.ask("GET /", "Host: evil.example")[0], 421)

    def test_not_loopback(self) -> None:
        """Elsewhere localhost is nobody's name."""
        connection = self.connect(local="192.0.2.1")
        connection.say("GET / HTTP/1.1", "Host: localhost")
        self.assertEqual(connection.heard()[0], 421)
        connection = self.connect(local="192.0.2.1")
        connection.say("GET / HTTP/1.1", "Host: 192.0.2.1:9181")
        self.assertEqual(connection.heard()[0], 200)

    def test_both_families(self) -> None:
        """A console that listens to both families knows its addresses of both."""
        for local, host, status in (
            ("::ffff:192.0.2.1", "192.0.2.1:9181", 200),
            ("::ffff:127.0.0.1", "localhost", 200),
            ("::1", "localhost:9181", 200),
            ("fd00::1", "[fd00:0::1]:9181", 200),
            ("fd00::1", "localhost", 421),
        ):
            connection = self.connect(local=local)
            connection.say("GET / HTTP/1.1", f"Host: {host}")
            self.assertEqual(connection.heard()[0], status, host)
            connection.gone()


class PageTests(ConsoleCase):
    """Who asks on behalf of a browser's user must be a page of the console's."""

    def test_ours(self) -> None:
        """A page of ours is answered."""
        login = self.log_in()
        status, _, _ = self.ask("POST /api/ask", *login, f"Origin: {ORIGIN}", value=STATUS)
        self.assertEqual(status, 200)

    def test_others(self) -> None:
        """Pages of others are not, whatever they know."""
        login = self.log_in()
        for field in (
            *("Origin: null", "Origin: http://evil.example", "Origin: http://127.0.0.1:9182"),
            *("Origin: https://127.0.0.1:9181", "Origin: http://127.0.0.1", "Origin: "),
            *("Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Sec-Fetch-Site: none"),
        ):
            for who in (login, (BEARER,)):
                self.assertEqual(
                    self.ask("POST /api/ask", *who, field, value=STATUS)[0], 403, field
                )
                self.assertEqual(self.ask("GET /api/now", *who, field)[0], 403, field)

    def test_nothing_said(self) -> None:
        """What a form could send is refused: no Origin to change something, no header of ours."""
        cookie, key = self.log_in()
        self.assertEqual(self.ask("POST /api/ask", cookie, key, value=STATUS)[0], 403)
        self.assertEqual(
            self.ask("POST /api/ask", cookie, f"Origin: {ORIGIN}", value=STATUS)[0], 403
        )
        connection = self.connect()
        text = ("Content-Type: text/plain", "Content-Length: 16")
        lines = ("POST /api/ask HTTP/1.1", f"Host: {HOST}", cookie, key, f"Origin: {ORIGIN}", *text)
        connection.say(*lines, body='{"ask":"status"}')
        self.assertEqual(connection.heard()[0], 415)

    def test_headers(self) -> None:
        """No answer may be framed, kept, guessed at, or load anything from elsewhere."""
        for line, status in (("GET /", 200), ("GET /x", 403), ("GET /api/me", 403)):
            found, headers, _ = self.ask(line)
            self.assertEqual(found, status, line)
            policy = headers["content-security-policy"]
            for part in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"):
                self.assertIn(part, policy)
            self.assertNotIn("unsafe", policy)
            self.assertEqual(headers["referrer-policy"], "no-referrer")
            self.assertEqual(headers["x-content-type-options"], "nosniff")
            self.assertNotIn("server", headers)
            self.assertNotIn("access-control-allow-origin", headers)
