"""Where workers count, and how they number their sessions."""

from __future__ import annotations

import os
from itertools import islice

from twisted.trial.unittest import SynchronousTestCase

from gateway.workers.columns import Columns
from gateway.workers.table import COLUMNS


class ColumnsTests(SynchronousTestCase):
    """Of workers that come and go."""

    def setUp(self) -> None:
        self.columns = Columns(10, lambda: 1764528000.7)
        self.addCleanup(os.close, self.columns.table.descriptor)

    def test_numbers(self) -> None:
        """No number is given twice, by any two workers, whenever they live and however busy."""
        given: set[int] = set()
        for _ in range(3):
            specs = self.columns.specs(range(3))
            for spec in specs:
                numbers = set(islice(spec.numbers(), 3 * 16384))
                self.assertFalse(given & numbers)
                self.assertEqual({number % COLUMNS for number in numbers}, {spec.column})
                given |= numbers
            for spec in specs:
                self.columns.clear(spec.column)

    def test_free(self) -> None:
        """Columns come back, and two workers never have the same one."""
        before = self.columns.free
        specs = self.columns.specs(range(before))
        self.assertEqual(len({spec.column for spec in specs}), before)
        self.assertEqual(self.columns.free, 0)
        self.columns.give_back(specs)
        self.assertEqual(self.columns.free, before)
