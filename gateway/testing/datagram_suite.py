"""
DatagramSuite: what every inspector of datagrams has to pass, yours too.

::

    class NtpSuite(DatagramSuite, SynchronousTestCase):
        inspector = NtpInspector
        conversations = (Conversation("time", [(CLIENT, b"…"), (SERVER, b"…")]), ...)

A conversation's steps are datagrams, whole ones.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import fields
from zope.interface.verify import verifyObject

from gateway.interfaces import SERVER, IDatagramInspector, Outcome, Verdict
from gateway.testing.conversation import Conversation, Step
from gateway.testing.datagrams import FakeDatagrams
from gateway.testing.garbage import left_by
from gateway.testing.hostile import hostile

if TYPE_CHECKING:
    from unittest import TestCase as _TestCase
else:
    _TestCase = object

LARGEST = 65507
"""Bytes of a datagram of IPv4, at most."""

FLOOD = 2000
"""Datagrams that a peer sends who wants to fill the memory."""


class DatagramSuite(_TestCase):
    """
    Mix it into a C{SynchronousTestCase}.

    @cvar inspector: the inspector's class.
    @cvar conversations: samples of all that the protocol has. At least one has to pass.
    @cvar memory: bytes that one session may hold, whatever it is sent.
    """

    inspector: ClassVar[Any]
    conversations: ClassVar[Sequence[Conversation]]
    memory: ClassVar[int] = 4 * 65536

    def test_contract(self) -> None:
        """It provides IDatagramInspector."""
        session = self._begin(self.conversations[0])
        verifyObject(IDatagramInspector, session.inspector)

    def test_outcome(self) -> None:
        """Every sample ends as it says, and at least one of them passes."""
        for sample in self.conversations:
            session = self._converse(sample, sample.steps)
            assert session.verdict is not None
            self.assertIs(session.verdict.outcome, sample.outcome, f"{sample.name}: {session}")
        passed = [one for one in self.conversations if one.outcome is Outcome.PASSED]
        self.assertTrue(passed, "there is no sample that passes")

    def test_replay(self) -> None:
        """What the far side receives parses again, as the same datagrams."""
        for sample in self.conversations:
            if sample.outcome is Outcome.PASSED and sample.replays:
                first = self._heard(sample, sample.steps)
                self.assertEqual(first, self._heard(sample, first), f"{sample.name}, again")

    def test_hostile(self) -> None:
        """Whatever a peer sends, whenever: it is denied, dropped, or it passes; never a bug."""
        for sample in self.conversations:
            for at, (side, said) in enumerate(sample.steps):
                for data in hostile([said or b""], count=5):
                    datagram = data[:LARGEST]
                    self._survives(
                        sample, [*sample.steps[:at], (side, datagram), *sample.steps[at:]]
                    )

    def test_network(self) -> None:
        """Datagrams are lost, doubled, and come out of order."""
        for sample in self.conversations:
            for steps in _mixed_up(sample.steps):
                self._survives(sample, steps)

    def test_memory(self) -> None:
        """Nobody can make it keep more than its limits, by never coming to an end."""
        for sample in self.conversations:
            for at, (side, said) in enumerate(sample.steps):
                held = self._held(sample, sample.steps[:at], (side, said or b""))
                self.assertLess(held, self.memory, f"{sample.name}: bytes held")

    def test_nothing_stays(self) -> None:
        """A session that is over is freed at once, and leaves no circles to a collector."""
        left_by(self._let_go)  # what is made once, and kept, is made now
        self.assertEqual(left_by(self._let_go), {}, "in circles, after the end")

    # How it is done

    def _begin(self, sample: Conversation, **how: Any) -> FakeDatagrams:
        return FakeDatagrams(self.inspector, sample.settings, **how)

    def _converse(self, sample: Conversation, steps: Iterable[Step], **how: Any) -> FakeDatagrams:
        session = self._begin(sample, **how)
        for side, data in steps:
            if data is not None and (session.connected or side is not SERVER):
                session.says(side, data)
        if session.verdict is None:
            session.over(Verdict(Outcome.PASSED, "the conversation is over"))
        self.assertEqual(session.late, [], f"{sample.name}: asked for after the end")
        return session

    def _heard(self, sample: Conversation, steps: Iterable[Step]) -> list[Step]:
        """The conversation as the far sides heard it."""
        session, passed = self._begin(sample), list[Step]()
        for side, data in steps:
            before = len(session.datagrams[side.other])
            if data is not None:
                session.says(side, data)
            passed += [(side, each) for each in session.datagrams[side.other][before:]]
        session.over()
        return passed

    def _survives(self, sample: Conversation, steps: Iterable[Step]) -> None:
        steps = list(steps)
        try:
            self._converse(sample, steps)
        except Exception as bug:
            shown = repr([(side.value, data and data[:200]) for side, data in steps])
            raise AssertionError(f"{sample.name}: a bug, after {shown}") from bug

    def _held(self, sample: Conversation, steps: Sequence[Step], last: Step) -> int:
        """How many bytes a session holds after a flood."""
        session = self._begin(sample, keep=False)
        for who, data in steps:
            session.says(who, data or b"")
        side, said = last
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            for number in range(FLOOD):
                session.says(side, number.to_bytes(2, "big") + (said or b"")[2:])
                session.forget()
            return tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
            session.over()

    def _let_go(self) -> None:
        """All conversations, each up to every step; nobody knows them any more."""
        for sample in self.conversations:
            for at in range(len(sample.steps) + 1):
                session = self._converse(sample, sample.steps[:at])
                for each in fields(FakeDatagrams):
                    setattr(session, each.name, None)


def _mixed_up(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Each datagram lost, twice, or after the next one; and all the other way round."""
    for at, step in enumerate(steps):
        yield [*steps[:at], *steps[at + 1 :]]
        yield [*steps[:at], step, step, *steps[at + 1 :]]
        yield [*steps[:at], *steps[at + 1 : at + 2], step, *steps[at + 2 :]]
    yield list(reversed(steps))
