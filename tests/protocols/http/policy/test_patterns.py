"""Hosts, paths and other patterns, as operators write them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from protocols.hosts import read_hosts
from protocols.http.policy.patterns import (
    read_paths,
    read_ports,
    read_statuses,
    read_texts,
    read_types,
    read_values,
)

NAMES = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(".".join)


class PatternTests(SynchronousTestCase):
    """Each says what it seems to say."""

    def check(self, made: Any, inside: tuple[object, ...], outside: tuple[object, ...]) -> None:
        self.assertEqual([each for each in inside if each not in made], [])
        self.assertEqual([each for each in outside if each in made], [])

    def test_hosts(self) -> None:
        """Names, domains, regular expressions, addresses."""
        hosts = read_hosts(("WWW.Example.com.", ".example.org", r"~img\d+\.net", "[FD00:0::1]"))
        self.check(
            hosts,
            ("www.example.com", "example.org", "a.b.example.org", "img12.net", "fd00::1"),
            ("example.com", "a.www.example.com", "badexample.org", "img.net", "ximg1.net", ""),
        )

    @given(st.lists(NAMES, max_size=3), st.lists(NAMES, max_size=3), NAMES)
    @settings(max_examples=200, deadline=None)
    def test_hosts_model(self, names: list[str], domains: list[str], host: str) -> None:
        """A domain is what ends like it."""
        hosts = read_hosts((*names, *(f".{domain}" for domain in domains)))
        below = any(f".{host}".endswith(f".{domain}") for domain in domains)
        self.assertEqual(host in hosts, host in names or below)

    def test_paths(self) -> None:
        """Exact, with stars, regular."""
        paths = read_paths(("/", "/static/*", "*.css", r"~/v\d/.*"))
        self.check(
            paths,
            ("/", "/static/", "/static/a/b", "/x/y.css", "/v1/", "/static/a\nb"),
            ("/static", "/a", "/x.css.exe", "/v/", "/a/v1/"),
        )

    def test_stars_are_cheap(self) -> None:
        """Nobody can ask for what takes ages to be compared with many of them."""
        paths = read_paths(("*a*a*a*a*a*a*a*a*b",))
        self.check(paths, ("/" + "a" * 8000 + "b",), ("/" + "a" * 8000,))

    def test_dots_are_dots(self) -> None:
        """Only a star is special."""
        self.check(read_paths(("/a.b*",)), ("/a.b", "/a.bc"), ("/axb",))

    @given(st.lists(st.text("ab*", min_size=1, max_size=5)), st.text("ab\n", max_size=5))
    @settings(max_examples=1000, deadline=None)
    def test_stars_model(self, patterns: list[str], text: str) -> None:
        """A star is anything, wherever it stands, and however many there are."""
        globs = [re.escape(each).replace(r"\*", ".*") for each in patterns]
        like = any(re.fullmatch(each, text, re.DOTALL) for each in globs)
        self.assertEqual(text in read_texts(tuple(patterns)), like)

    def test_types(self) -> None:
        """Media ranges."""
        self.check(
            read_types(("Text/HTML", "image/*")),
            ("text/html", "image/png"),
            ("text/plain", "", "ximage/png"),
        )

    def test_numbers(self) -> None:
        """Ports and statuses."""
        self.check(read_ports((80, "8000-8099")), (80, 8000, 8099), (81, 7999, 8100))
        self.check(read_statuses((404, "5xx")), (404, 500, 599), (403, 499, 600))

    def test_wrong(self) -> None:
        """What can't be meant is refused."""
        wrong: tuple[tuple[Callable[[Any], object], Any], ...] = (
            (read_hosts, ("a b",)),
            (read_hosts, ("~(",)),
            (read_hosts, ("",)),
            (read_hosts, ("*.example.com",)),
            (read_hosts, ("http://example.com",)),
            (read_paths, ("admin",)),
            (read_paths, ("~[",)),
            (read_paths, ("/a;b",)),
            (read_types, ("html",)),
            (read_types, ("*/html",)),
            (read_ports, (0,)),
            (read_ports, ("9-8",)),
            (read_ports, ("65536",)),
            (read_statuses, (99,)),
            (read_statuses, ("0xx",)),
            (read_values, {"a b": "c"}),
        )
        for read, value in wrong:
            self.assertRaises(ValueError, read, value)
