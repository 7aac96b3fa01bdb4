"""Bodies that are compressed: a scanner sees what their receiver will read."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER
from gateway.scanning.spool import Spools
from gateway.testing import FakeSession
from protocols.scanners.decoding import AT_ONCE, decoded
from protocols.scanners.fault import Unfit
from tests.protocols.scanners.clamd import VIRUS, Clamd
from tests.protocols.scanners.test_inspector import DOWNLOAD, scan


def raw(content: bytes) -> bytes:
    """Deflate without its envelope."""
    way = zlib.compressobj(wbits=-15)
    return way.compress(content) + way.flush()


WAYS = {"gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress}


class CodedTests(SynchronousTestCase):
    """What passes, and what does not."""

    def scanned(self, body: bytes, coding: str, **how: Any) -> tuple[FakeSession, list[bytes]]:
        clamd = Clamd()
        envelope = evolve(DOWNLOAD, coding=coding)
        session = scan(body, answer=clamd, envelope=envelope, **how)
        session.hangs_up(CLIENT)
        return session, clamd.bodies

    def test_decoded(self) -> None:
        """The scanner gets what is in it; the receiver what came, with its size in the record."""
        for coding, way in (*WAYS.items(), ("deflate", raw)):
            body = way(b"some bytes")
            session, seen = self.scanned(body, coding)
            self.assertEqual((session.sent[SERVER], seen), (body, [b"some bytes"]), coding)
            (record,) = session.records_of("fileinfo")
            self.assertEqual(record["size"], len(body))
            session, _ = self.scanned(way(VIRUS), coding)
            self.assertEqual(session.sent[SERVER], b"", coding)
            self.assertEqual([spool._closed for spool in session.tools.spools], [True, True])

    def test_as_it_is(self) -> None:
        """What says nothing, or has nothing in it, is shown as it is."""
        for body, coding in ((b"bytes", ""), (b"bytes", "identity"), (b"", "gzip")):
            session, seen = self.scanned(body, coding)
            self.assertEqual((session.sent[SERVER], seen), (body, [body]))

    def test_unreadable(self) -> None:
        """
        What readers may read differently, or nobody here reads, is not shown to a scanner, which
        would judge something else: C{on_error} decides.
        """
        good = gzip.compress(VIRUS)
        for body, coding in (
            (good, "br"),
            (good, "gzip,gzip"),
            (VIRUS, "gzip"),
            (VIRUS, "deflate"),
            (good[:-1], "gzip"),
            (good[:-8] + bytes(8), "gzip"),
            (good + b"\0", "gzip"),
            (good * 2, "gzip"),
            (zlib.compress(VIRUS)[:-1], "deflate"),
            (raw(VIRUS) + VIRUS, "deflate"),
        ):
            session, seen = self.scanned(body, coding)
            self.assertEqual((session.sent[SERVER], seen), (b"", []), (body, coding))
            (record,) = session.records_of("fileinfo")
            self.assertEqual(record["denied_by"], "on_error")

    def test_bomb(self) -> None:
        """One that grows beyond what is scanned is a larger body, and takes no more room."""
        bomb = gzip.compress(bytes(50_000_000))
        for larger, passes, seen in (
            ("refuse", False, []),
            ("pass", True, []),
            ("scan-beginning", True, [bytes(1_000_000)]),
        ):
            spools = Spools("", 300_000, 3_000_000)
            session, bodies = self.scanned(
                bomb, "gzip", spools=spools, larger=larger, body_bytes=1_000_000
            )
            self.assertEqual((session.sent[SERVER] == bomb, bodies), (passes, seen), larger)
            (record,) = session.records_of("fileinfo")
            result = "clean" if larger == "scan-beginning" else "too-large"
            self.assertEqual(record["scan"]["result"], result)
            self.assertEqual(record["scan"].get("beginning_only", False), seen != [])
            self.assertEqual(spools.in_memory, 0)

    def test_beginning(self) -> None:
        """Of what is judged by its beginning, as much is shown as can be read of that."""
        body = gzip.compress(VIRUS + bytes(range(256)) * 100)
        session, _ = self.scanned(body, "gzip", larger="scan-beginning", body_bytes=200)
        self.assertEqual(session.sent[SERVER], b"")
        (record,) = session.records_of("fileinfo")
        self.assertEqual(record["scan"]["found"], ["Test.Virus"])

    def test_cut_where_it_is_full(self) -> None:
        """
        However much comes of its last byte, all of it is there: deflate without its envelope has
        nothing behind that.
        """
        for more in (*range(0, 2000, 99), 260):
            body = raw(bytes(AT_ONCE + more))
            spool = Spools("", 1 << 20, 0).open(1 << 20)
            spool.put(body)
            content = b"".join(decoded(spool, "deflate", whole=True))
            self.assertEqual(len(content), AT_ONCE + more)

    @given(st.binary(max_size=2000), st.sampled_from(["gzip", "deflate", "br", ""]))
    def test_anything(self, body: bytes, coding: str) -> None:
        """Whatever comes is decoded, or is none that can be."""
        spool = Spools("", 1 << 20, 0).open(1 << 20)
        spool.put(body)
        try:
            content = b"".join(decoded(spool, coding, whole=True))
        except Unfit:
            return
        self.assertTrue(content or not body or len(body) < 30)
