"""Thousands of random lives: what has to hold of every session holds of each."""

from __future__ import annotations

import os
from random import SystemRandom

from twisted.trial.unittest import SynchronousTestCase

from tests.session.lives.life import Life

LIVES = int(os.environ.get("LIVES", "500"))
"""How many, of the known and of the new ones."""


class LivesTests(SynchronousTestCase):
    """
    One flow record and nothing behind it, nothing sent after the end, bounded bytes, everything
    in order, nobody waits for ever, nothing stays.
    """

    def live(self, first: int) -> None:
        for seed in range(first, first + LIVES):
            life = Life(seed, self.flushLoggedErrors)
            try:
                life.live()
            except Exception as error:
                told = "\n".join(life.story)
                raise AssertionError(
                    f"python -m tests.session.lives {seed}: {error}\n{told}"
                ) from error

    def test_known(self) -> None:
        """Of lives that always are the same."""
        self.live(0)

    def test_new(self) -> None:
        """Of lives that nobody has seen yet."""
        first = SystemRandom().randrange(1 << 32)
        print(f"lives from {first}", end=" ")
        self.live(first)
