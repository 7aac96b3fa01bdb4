"""Url: the one form that is compared."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import Address
from protocols.http.message import Headers
from protocols.http.policy.url import Url, canonical, has_bad_escape
from protocols.http.target import read_host, read_target
from tests.protocols.http.policy.case import asks

CANONICAL = {
    "/": "/",
    "/a/b": "/a/b",
    "/a/b/": "/a/b/",
    "/%61dmin": "/admin",
    "/public/../admin": "/admin",
    "/public/%2e%2e/admin": "/admin",
    "/public/.%2E%2fadmin": "/admin",
    "/public/..%5cadmin": "/admin",
    "/public/..;x=1/admin": "/admin",
    "/./admin": "/admin",
    "//admin": "/admin",
    "/a//b///c": "/a/b/c",
    "/a/.": "/a/",
    "/a/b/..": "/a/",
    "/../../etc": "/etc",
    "/%252e%252e/x": "/%2e%2e/x",
    "/stra%C3%9Fe": "/straße",
    "/stra\xc3\x9fe": "/straße",
    "/stra%DFe": "/stra\xdfe",
    "/.well-known/x": "/.well-known/x",
    "/a;b/c": "/a/c",
    "/a/b;c=d": "/a/b",
    "/a/b;": "/a/b",
    "/a/b%3bc": "/a/b",
    "/;a/b": "/b",
    "/a/;b": "/a/",
    "/;": "/",
    "/%zz": "/%zz",
    "*": "*",
}


class CanonicalTests(SynchronousTestCase):
    """Nobody passes by a policy by writing a path in another way."""

    def test_table(self) -> None:
        """Escapes, dot segments and separators of all kinds."""
        for path, expected in CANONICAL.items():
            self.assertEqual(canonical(path), expected, path)

    @given(st.text("/.%25cefab;\\x", max_size=20).map(lambda text: f"/{text}"))
    @settings(max_examples=300, deadline=None)
    def test_no_way_up(self, path: str) -> None:
        """Whatever is written, nothing is left that a server could take for a way up."""
        made = canonical(path)
        self.assertTrue(made.startswith("/"))
        self.assertNotIn("..", made.split("/"))
        self.assertNotIn("\\", made)
        self.assertNotIn(";", made)

    def test_bad_escapes(self) -> None:
        """What is no escape is seen."""
        for text in ("%", "%2", "%zz", "a%g0", "%u0041"):
            self.assertTrue(has_bad_escape(text), text)
        self.assertFalse(has_bad_escape("/%20%aF?%00"))


class UrlTests(SynchronousTestCase):
    """What a request asks for."""

    server = Address("198.51.100.7", 8080)

    def test_origin(self) -> None:
        """The host is the one that is named, the port that of the connection."""
        url = Url.of(asks("/a?b=c"), self.server)
        self.assertEqual(url, Url("www.example.com", 8080, "/a", "b=c"))

    def test_no_host(self) -> None:
        """A client that names no host asks the one it connects to."""
        self.assertEqual(Url.of(asks("/", host=""), self.server).host, "198.51.100.7")

    def test_tunnel(self) -> None:
        """CONNECT asks for another host and port."""
        url = Url.of(asks("other.example:443", "CONNECT"), self.server)
        self.assertEqual((url.host, url.port), ("other.example", 443))

    def test_address(self) -> None:
        """An IPv6 address has one form, whoever names it."""
        target = read_target("GET", "/", 4)
        host, _ = read_host(Headers([("Host", "[FD00:0::1]:80")]), "1.1", target)
        self.assertEqual(Url.of(asks(host=host), self.server).host, "fd00::1")
        server = Address("FD00:0::1", 80)
        self.assertEqual(Url.of(asks(host=""), server).host, "fd00::1")
        tunnel = read_target("CONNECT", "[FD00:0::1]:443", 8)
        asked = asks("[FD00:0::1]:443", "CONNECT")._replace(target=tunnel)
        self.assertEqual(Url.of(asked, self.server).host, "fd00::1")
