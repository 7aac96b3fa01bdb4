"""What a carrier finds when it begins anew, and tells of it; its table is the kernel's."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import Address
from gateway.kernel.release.carrier import Carrier
from gateway.kernel.release.desk import Desk, Marks
from gateway.kernel.release.layout import Mode
from gateway.kernel.release.overlap import Ends
from gateway.kernel.release.stories import Stories, Story
from gateway.kernel.release.table import Table
from gateway.policy.divert import Mark

HERE = Address("10.0.0.2", 40_000)
STORY = Story(Ends(HERE, Address("203.0.113.1", 443), HERE), 0.0, {})
MARKS = Marks(Mark(1, 1), Mark(2, 2))


def adopted(folder: Path, size: int, *there: int) -> tuple[list[int], float]:
    """
    The sessions that a new carrier tells of one after the other, and the seconds of CPU time that
    this took.

    @param there: which of the C{size} there are.
    """
    table, stories = Table(size), Stories(folder)
    for index in there:
        stories.put(index, STORY)
        table.set_mode(index, Mode.FORWARD)
    begun = time.process_time()

    def nothing(*_: Any) -> None:
        """Nobody is told, or reset."""

    carrier = Carrier(table, stories, nothing, nothing, nothing, time.monotonic)
    desk = Desk(carrier, MARKS, nothing, lambda _: False)
    found = list(told_of(desk))
    took = time.process_time() - begun
    for each in table.maps.values():
        os.close(each.descriptor)
    return found, took


def told_of(desk: Desk) -> Iterator[int]:
    index = -1
    while True:
        answer = desk.answer({"ask": "adopt", "number": 1, "after": index}, [])
        assert answer is not None
        index = answer["index"]
        if index < 0:
            return
        yield index


class StoryTests(SynchronousTestCase):
    """What the carrier keeps for a gateway fits into one answer, whatever the gateway says."""

    def test_long(self) -> None:
        """More than that is nothing that a gateway tells."""
        more = STORY.with_more({"sent": [1, 2]})
        self.assertEqual(more.told, {"sent": [1, 2]})
        self.assertRaises(ValueError, more.with_more, {"more": "x" * 9000})


class AdoptionTests(SynchronousTestCase):
    """A gateway that was restarted asks for the sessions that are there."""

    def test_some(self) -> None:
        """It is told of each of them, in the order of their numbers."""
        with TemporaryDirectory() as folder:
            found, _ = adopted(Path(folder, "stories"), 8, 6, 1, 4)
        self.assertEqual(found, [1, 4, 6])

    def test_many(self) -> None:
        """Ten times as many take some ten times as long, not a hundred times."""
        seconds = []
        for number in (200, 2000):
            with TemporaryDirectory() as folder:
                found, took = adopted(Path(folder, "stories"), number, *range(number))
            self.assertEqual(found, [*range(number)])
            seconds.append(took)
        self.assertLess(seconds[1], 30 * seconds[0])
