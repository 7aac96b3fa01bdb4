"""What a carrier finds when it begins anew, and whom it tells; its table is the kernel's."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import Address
from gateway.kernel.release import parties
from gateway.kernel.release.carrier import Carrier
from gateway.kernel.release.desk import Desk, Marks
from gateway.kernel.release.layout import Mode
from gateway.kernel.release.overlap import Ends
from gateway.kernel.release.parties import AWAITED, Parties, Party, backlog
from gateway.kernel.release.stories import Stories, Story
from gateway.kernel.release.table import Table
from gateway.policy.divert import Mark

HERE = Address("10.0.0.2", 40_000)
STORY = Story(Ends(HERE, Address("203.0.113.1", 443), HERE), 0.0, {})
MARKS = Marks(Mark(1, 1), Mark(2, 2))


Message = dict[str, Any]


class Gateways:
    """A carrier that begins with what a former one has left, and processes that come to it."""

    def __init__(self, folder: Path, size: int, holders: Mapping[int, str]) -> None:
        self.now = 1000.0
        self.table, self.stories = Table(size), Stories(folder)
        for index, holder in holders.items():
            self.stories.put(index, evolve(STORY, holder=holder))
            self.table.set_mode(index, Mode.FORWARD)
        self.parties = Parties(True, lambda: self.now, backlog(size))
        self.carrier = Carrier(
            *(self.table, self.stories, self.parties.hear, nothing, nothing),
            lambda: self.now,
        )
        self.parties.begin(self.carrier)

    def come(self, name: str, accept: bool = True) -> tuple[Party, list[Message]]:
        """A process, and what it is told."""
        told: list[Message] = []
        party = self.parties.come(told.append)
        party.greet(name)
        if accept:
            party.accept()
        return party, told

    def close(self) -> None:
        for each in self.table.maps.values():
            os.close(each.descriptor)


def nothing(*_: Any) -> None:
    """Nobody is told, or reset."""


def given(told: list[Message], word: str = "yours") -> list[int]:
    """The sessions that somebody was told of in this way."""
    return sorted(message[word] for message in told if word in message)


class StoryTests(SynchronousTestCase):
    """What the carrier keeps for a gateway fits into one answer, whatever the gateway says."""

    def test_long(self) -> None:
        """More than that is nothing that a gateway tells."""
        more = STORY.with_more({"sent": [1, 2]})
        self.assertEqual(more.told, {"sent": [1, 2]})
        self.assertRaises(ValueError, more.with_more, {"more": "x" * 9000})


class PartyTests(SynchronousTestCase):
    """Each session has one process at a time that accounts for it, and one that hears its end."""

    def begin(self, size: int, *there: int, gone: int = -1) -> Gateways:
        """With sessions of a process; and one of somebody who does not come back."""
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        holders = {index: "gone" if index == gone else "one" for index in there}
        gateways = Gateways(Path(folder.name, "stories"), size, holders)
        self.addCleanup(gateways.close)
        return gateways

    def test_come_back(self) -> None:
        """Those of who lives are its own; others are given to somebody else after a while."""
        gateways = self.begin(8, 6, 1, 4, gone=4)
        _, other = gateways.come("other")
        _, one = gateways.come("one")
        self.assertEqual((given(one), given(other)), ([1, 6], []))
        gateways.now += AWAITED
        gateways.parties.turn()
        self.assertEqual(given(one) + given(other), [1, 6, 4])

    def test_shared(self) -> None:
        """What somebody leaves who is gone is shared by those who accept."""
        gateways = self.begin(8, *range(6))
        one, _ = gateways.come("one")
        told = [gateways.come(name, accept=name != "young")[1] for name in ("a", "b", "young")]
        gateways.parties.lose(one, ())
        self.assertEqual([len(given(each)) for each in told], [3, 3, 0])
        self.assertEqual(sorted(given(told[0]) + given(told[1])), [*range(6)])

    def test_left(self) -> None:
        """Who leaves is told so, and hears of no end any more; the next one does, once."""
        gateways = self.begin(4, 2)
        one, told = gateways.come("one")
        one.leave()
        self.assertEqual(given(told, "left"), [2])
        _, first = gateways.come("first")
        self.assertEqual(given(first), [2])
        gateways.carrier.kill(2)
        self.assertEqual([given(each, "over") for each in (told, first)], [[], [2]])

    def test_ended_meanwhile(self) -> None:
        """What ends while nobody is there is told to the next one; what was not told, as well."""
        gateways = self.begin(4, 1, 2, 3)
        one, told = gateways.come("one")
        gateways.carrier.kill(1)
        gateways.now += AWAITED
        gateways.parties.turn()
        gateways.parties.lose(one, told)
        gateways.carrier.kill(2)
        _, other = gateways.come("other")
        self.assertEqual((given(other, "over"), given(other)), ([1, 2], [3]))

    def test_all_ended(self) -> None:
        """Every session has its record, however many end while nobody is there."""
        self.patch(parties, "BACKLOG", 2)
        gateways = self.begin(6, *range(6))
        gateways.carrier.kill_all()
        _, one = gateways.come("one")
        self.assertEqual(given(one, "over"), [*range(6)])

    def test_not_its_own(self) -> None:
        """Nobody can end, or ask for, what another one has."""
        gateways = self.begin(4, 2)
        desk = Desk(gateways.carrier, MARKS, nothing, lambda _: False)
        (one, heard), (other, _) = gateways.come("one"), gateways.come("other")
        counts = {"ask": "counts", "number": 1, "indices": [2]}
        for party, known in ((other, False), (one, True)):
            desk.answer({"ask": "kill", "index": 2}, [], party)
            self.assertEqual(given(heard, "over"), [2] if known else [])
            answer = desk.answer(counts, [], party)
            self.assertEqual(answer, {"number": 1, "counts": [None]})

    def test_ports(self) -> None:
        """All hear of all ports, whoever comes later as well, and when they are free again."""
        gateways = self.begin(4, 1, 2)
        _, told = gateways.come("other")
        (taken,) = (message["taken"] for message in told if "taken" in message)
        port = (*STORY.ends.source, *STORY.ends.server)
        self.assertEqual(sorted(taken), [(1, *port), (2, *port)])
        gateways.carrier.kill(1)
        for _ in range(10):
            gateways.now += 1
            gateways.carrier.turn()
        self.assertEqual(given(told, "forgotten"), [1])

    def test_many(self) -> None:
        """Ten times as many take some ten times as long, not a hundred times."""
        few, many = (min(self.took(number) for _ in range(3)) for number in (400, 4000))
        self.assertLess(many, 40 * few)

    def took(self, number: int) -> float:
        """Seconds of CPU time until so many have gone from one to another."""
        gateways = self.begin(number, *range(number))
        begun = time.process_time()
        one, _ = gateways.come("one")
        gateways.parties.lose(one, ())
        _, told = gateways.come("other")
        seconds = time.process_time() - begun
        self.assertEqual(given(told), [*range(number)])
        return seconds
