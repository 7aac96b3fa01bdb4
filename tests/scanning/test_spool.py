"""Room for bodies that are held."""

from __future__ import annotations

import resource
from pathlib import Path
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.counts import OwnCounts
from gateway.scanning.spool import Spools
from gateway.tools import SpoolFull


class SpoolTests(SynchronousTestCase):
    """Spools."""

    def setUp(self) -> None:
        self.folder = self.mktemp()
        Path(self.folder).mkdir()
        self.spools = Spools(self.folder, memory_bytes=100, file_bytes=1000)

    def test_memory(self) -> None:
        """A small body never touches the disk."""
        spool = self.spools.open(50)
        spool.put(b"small")
        self.assertEqual(spool.read(0, 10), b"small")
        self.assertEqual((self.spools.in_memory, self.spools.in_files), (5, 0))

    def test_file(self) -> None:
        """What is more goes to a file without a name: whoever looks into the folder sees none."""
        spool = self.spools.open(5)
        spool.put(b"small")
        spool.put(b" and more")
        self.assertEqual(list(Path(self.folder).iterdir()), [])
        self.assertEqual(spool.read(0, 5) + spool.read(5, 100), b"small and more")
        self.assertEqual((self.spools.in_memory, self.spools.in_files), (5, 9))

    def test_total_in_memory(self) -> None:
        """All bodies together have a bound in memory; the others go to files."""
        first, second = self.spools.open(80), self.spools.open(80)
        first.put(b"x" * 80)
        second.put(b"y" * 80)
        self.assertEqual((self.spools.in_memory, self.spools.in_files), (80, 80))
        self.assertEqual(second.read(70, 20), b"y" * 10)

    def test_total_in_files(self) -> None:
        """All together have a bound in files; and what one gives back, another one has."""
        first, second = self.spools.open(0), self.spools.open(0)
        first.put(b"x" * 900)
        self.assertRaises(SpoolFull, second.put, b"y" * 101)
        self.assertEqual(second.size, 0)
        first.close()
        second.put(b"y" * 101)
        second.close()
        self.assertEqual((self.spools.in_memory, self.spools.in_files), (0, 0))

    def test_share(self) -> None:
        """No client has all the room, nor one with as many addresses as IPv6 gives it."""
        counts = OwnCounts()
        spools = Spools(self.folder, 100, 1000, 300, counts)
        hosts = ("2001:db8::1", "2001:db8::2:3", "2001:db8:0:1::1")
        one, same, other = (spools.open(50, host) for host in hosts)
        one.put(b"x" * 200)
        full = self.assertRaises(SpoolFull, same.put, b"y" * 101)
        self.assertEqual(str(full), "spooled bodies of 2001:db8::/64 have 300 bytes in all")
        same.put(b"y" * 100)
        other.put(b"z" * 300)
        one.close()
        same.put(b"y" * 200)
        for each in (one, same, other):
            each.close()
        self.assertEqual(len(counts), 0)

    def test_disk_full(self) -> None:
        """A disk that is full is said in words, and its part of a body is not counted."""
        spool = self.spools.open(0)
        with patch("gateway.scanning.spool.os.pwrite", side_effect=OSError(28, "No space left")):
            error = self.assertRaises(SpoolFull, spool.put, b"data")
        self.assertIn("No space left", str(error))
        self.assertEqual(self.spools.in_files, 0)

    def test_disk_filled(self) -> None:
        """What fitted of a piece that did not is none of the body."""
        spool = self.spools.open(0)
        spool.put(b"first")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8, hard))
        try:
            self.assertRaises(SpoolFull, spool.put, b"second")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        self.assertEqual(spool.read(0, 100), b"first")

    def test_no_folder(self) -> None:
        """Nor is a folder that is not there a bug."""
        spool = Spools("/nowhere", 0, 1000).open(0)
        self.assertRaises(SpoolFull, spool.put, b"data")

    def test_closed(self) -> None:
        """After the end there is nothing to be had, and nothing is kept."""
        spool = self.spools.open(2)
        spool.put(b"12")
        spool.put(b"345")
        spool.close()
        spool.close()
        spool.put(b"6")
        self.assertEqual(spool.read(0, 10), b"")

    @settings(deadline=None)
    @given(st.lists(st.binary(max_size=40), max_size=30), st.integers(0, 200), st.integers(1, 50))
    def test_any(self, pieces: list[bytes], memory: int, at_once: int) -> None:
        """Whatever goes in comes out, and nothing is left of it afterwards."""
        spools = Spools("", 60, 10_000)
        spool = spools.open(memory)
        for piece in pieces:
            spool.put(piece)
        read, at = b"", 0
        while block := spool.read(at, at_once):
            read += block
            at += len(block)
        self.assertEqual(read, b"".join(pieces))
        self.assertEqual(spools.in_memory + spools.in_files, spool.size)
        spool.close()
        self.assertEqual((spools.in_memory, spools.in_files), (0, 0))
