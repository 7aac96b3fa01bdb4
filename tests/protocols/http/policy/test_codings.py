"""Codings: what a server is asked for, and what a body is."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from protocols.http.coding import coding_of
from protocols.http.message import Headers
from protocols.http.policy.codings import readable


class AcceptedTests(SynchronousTestCase):
    """Nothing is asked for that the client does not accept, or that nobody could look into."""

    def test_readable(self) -> None:
        """What browsers and tools say, and what they could."""
        for said, asked in (
            ("gzip, deflate, br, zstd", "gzip, deflate"),
            ("gzip, deflate", "gzip, deflate"),
            ("gzip", "gzip"),
            ("x-gzip;q=0.8", "x-gzip;q=0.8"),
            ("GZip;Q=1.0, br;q=0.5", "gzip;Q=1.0"),
            ("identity", "identity"),
            ("br", "identity"),
            ("gzip;q=0", "identity"),
            ("gzip; q=0.000, deflate", "deflate"),
            ("br, identity;q=0", "identity;q=0"),
            ("*", "gzip, deflate"),
            ("*;q=0.1", "gzip;q=0.1, deflate;q=0.1"),
            ("gzip, *;q=0", "gzip, identity;q=0"),
            ("gzip;q=0, *", "deflate"),
            ("br, *;q=0, identity", "identity"),
            ("gzip;level=9", "identity"),
            ("gzip deflate", "identity"),
            ("gzip;q=2", "identity"),
        ):
            members = Headers([("Accept-Encoding", said)]).members("accept-encoding")
            self.assertEqual(readable(members), asked, said)


class CodingTests(SynchronousTestCase):
    """What a response says that its body is compressed with."""

    def coding(self, *values: str) -> str:
        return coding_of(Headers([("Content-Encoding", value) for value in values]))

    def test_codings(self) -> None:
        """Those that are some, and what could be one."""
        for said in (
            "gzip",
            "br",
            "zstd",
            "xz",
            "bzip2",
            "lzma",
            "gzip,br",
            "x-zip",
            "gzip;a",
            "?",
        ):
            self.assertEqual(self.coding(said), said)
        self.assertEqual(self.coding("GZIP", "br"), "gzip,br")
        self.assertEqual(self.coding("gzip, utf-8"), "gzip,utf-8")

    def test_mistaken(self) -> None:
        """What servers say by mistake; readers leave the body as it is."""
        for said in ("", "identity", "none", "UTF-8", "binary", "8bit", "text/html", "utf-8, none"):
            self.assertEqual(self.coding(said), "", said)
