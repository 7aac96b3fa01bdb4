"""Media types: one of them, or none."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from protocols.http.message import Headers
from protocols.http.policy.mediatype import NoType, is_container, media_type

TYPES = (
    ("text/html", "text/html"),
    ("Text/HTML ; charset=x", "text/html"),
    ("text/html;charset=utf-8", "text/html"),
    ("text/html;", "text/html"),
    ("text/html; ; a=b", "text/html"),
    (
        "application/vnd.ms-excel.sheet.macroEnabled.12",
        "application/vnd.ms-excel.sheet.macroenabled.12",
    ),
    ("image/svg+xml", "image/svg+xml"),
    ('multipart/related; boundary="a,b"; type="text/html"', "multipart/related"),
    ('text/plain; a="b\\"c"', "text/plain"),
)

NONE = (
    "text/plain, text/html",
    "text/plain,text/html",
    ",text/html",
    "text/html,",
    "text/html (x)",
    "text/html text/plain",
    "text/plain; charset=utf-8, text/html",
    "text/plain;, text/html",
    'text/plain; a="b", text/html',
    'text/plain; a="b, text/html',
    'text/plain; a="b\\", text/html, "',
    'text/plain; a="b\\\\", text/html, "c"',
    "text/plain; a='b, text/html'",
    "text",
    "text/",
    "/html",
    "text//html",
    "text/html/x",
    "*/*",
    "text/*",
    "text /html",
    "text/ html",
    "text/html\x0c",
    '"text/html"',
    "text/html\xa0",
    "=text/html",
)


class MediaTypeTests(SynchronousTestCase):
    """What readers could understand differently is no type."""

    def read(self, *values: str, name: str = "Content-Type") -> str:
        return media_type(Headers([(name, value) for value in values]))

    def test_types(self) -> None:
        """A type, with parameters or without."""
        for value, type in TYPES:
            self.assertEqual(self.read(value), type, value)

    def test_nothing(self) -> None:
        """Nobody says anything."""
        self.assertEqual(
            (self.read(), self.read(""), self.read("", "text/html")), ("", "", "text/html")
        )

    def test_none(self) -> None:
        """Several types, half of one, or something else."""
        for value in NONE:
            self.assertRaises(NoType, self.read, value)

    def test_several(self) -> None:
        """The same one several times is one; in each of the lines there may be only that."""
        self.assertEqual(self.read("text/html", "Text/HTML; charset=x"), "text/html")
        for values in (
            ("text/html", "text/plain"),
            ("text/plain", "text/plain; charset=x, text/html"),
            ("text/html", "?"),
        ):
            self.assertRaises(NoType, self.read, *values)

    def test_underscore(self) -> None:
        """Applications of the CGI kind can't tell Content_Type from Content-Type."""
        self.assertEqual(self.read("text/html", name="Content_Type"), "text/html")
        both = Headers([("Content-Type", "text/plain"), ("Content_Type", "text/html")])
        self.assertRaises(NoType, media_type, both)

    @given(st.text('ab/;, "\\\\=', max_size=20))
    @settings(max_examples=1000, deadline=None)
    def test_any(self, rest: str) -> None:
        """
        Whatever is behind the first type, nobody who splits at commas, with an eye on quotes and
        escapes or without, finds another one.
        """
        value = f"text/plain{rest}"
        try:
            self.read(value)
        except NoType:
            return
        escaped = re.sub(r'"(?:[^"\\\\]|\\\\.)*"', "", value)
        quoted = re.sub(r'"[^"]*"', "", value)
        self.assertNotIn(",", escaped)
        self.assertNotIn(",", quoted)

    def test_containers(self) -> None:
        """Those whose parts have types of their own."""
        for type in ("multipart/mixed", "multipart/related", "message/rfc822", "application/http"):
            self.assertTrue(is_container(type), type)
        for type in ("text/multipart", "application/zip", "text/html"):
            self.assertFalse(is_container(type), type)
