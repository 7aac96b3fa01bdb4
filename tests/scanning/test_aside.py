"""Mails that are set aside: what is in the folder, and how much."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gateway.scanning.aside import LEAST, Aside
from gateway.tools import SpoolFull


class AsideTests(SynchronousTestCase):
    """One folder."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def aside(self, most: int = 1 << 20) -> Aside:
        aside = Aside(str(self.folder), "name", most)
        self.addCleanup(aside.close)
        return aside

    def names(self) -> list[str]:
        """The endings of what is there."""
        return sorted(each.suffix for each in self.folder.iterdir())

    def test_kept(self) -> None:
        """Nobody takes a mail for one before it is complete; both its files are for nobody else."""
        self.addCleanup(os.umask, os.umask(0))
        aside = self.aside()
        aside.put(b"one, ")
        self.assertEqual(self.names(), [".part"])
        aside.put(b"two")
        name = aside.keep({"why": "so"})
        aside.close()
        self.assertEqual(self.names(), [".eml", ".json"])
        self.assertEqual((self.folder / f"{name}.eml").read_bytes(), b"one, two")
        modes = [each.stat().st_mode & 0o777 for each in self.folder.iterdir()]
        self.assertEqual(modes, [0o600, 0o600])

    def test_not_kept(self) -> None:
        """What is not kept leaves nothing."""
        aside = self.aside()
        aside.put(b"x")
        aside.close()
        self.assertEqual(self.names(), [])

    def test_full(self) -> None:
        """A mail that is too large for what is left is not kept."""
        aside = self.aside(2 * LEAST)
        with self.assertRaises(SpoolFull):
            aside.put(bytes(2 * LEAST + 1))

    def test_at_once(self) -> None:
        """Of two that come at once, both don't have what is left."""
        first, second = self.aside(4 * LEAST), self.aside(4 * LEAST)
        for one in (first, second):
            one.put(bytes(2 * LEAST))
        with self.assertRaises(SpoolFull):
            second.keep({})
        second.close()
        first.keep({})
        self.assertEqual(self.names(), [".eml", ".json"])

    def test_small(self) -> None:
        """However small they are, there are no more than can be counted for each of them."""
        for _ in range(3):
            self.aside(6 * LEAST).keep({})
        with self.assertRaises(SpoolFull):
            self.aside(6 * LEAST).keep({})

    def test_counted_meanwhile(self) -> None:
        """A file that another process renames while all are counted, is none that fails."""

        @contextmanager
        def scandir(folder: str) -> Iterator[Any]:
            (self.folder / "gone").touch()
            with scan(folder) as every:
                listed = list(every)
            (self.folder / "gone").unlink()
            yield listed

        scan = os.scandir
        self.patch(os, "scandir", scandir)
        self.aside().keep({})
        self.assertEqual(self.names(), [".eml", ".json"])

    def test_nowhere(self) -> None:
        """Without the folder, there is no room."""
        self.folder.rmdir()
        self.assertRaises(SpoolFull, self.aside)
