"""
InspectorSuite: what every inspector has to pass, yours too.

::

    class GopherSuite(InspectorSuite, SynchronousTestCase):
        inspector = GopherInspector
        conversations = (Conversation(...), ...)
"""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import fields
from zope.interface.verify import verifyObject

from gateway.interfaces import CLIENT, SERVER, IInspector, Outcome, Side, Verdict
from gateway.testing.conversation import END, Conversation, Course, Step, converse
from gateway.testing.garbage import left_by
from gateway.testing.hostile import hostile
from gateway.testing.session import FakeSession
from gateway.testing.split import bytewise, every_split

if TYPE_CHECKING:
    from unittest import TestCase as _TestCase
else:
    _TestCase = object

SEGMENT = 65536
"""Bytes that a session reads at once."""

SHORT = 1000
"""Bytes that are also sent one by one."""


class InspectorSuite(_TestCase):
    """
    Mix it into a C{SynchronousTestCase}.

    @cvar inspector: the inspector's class.
    @cvar conversations: samples of all that the protocol has, denied ones
        included. At least one has to pass.
    @cvar memory: bytes that one session may hold, whatever it is sent: twice
        the largest limit of a read in the inspector, and four segments.
    """

    inspector: ClassVar[Any]
    conversations: ClassVar[Sequence[Conversation]]
    memory: ClassVar[int] = 4 * SEGMENT

    def test_contract(self) -> None:
        """It provides IInspector."""
        session = FakeSession(self.inspector, self.conversations[0].settings)
        verifyObject(IInspector, session.inspector)

    def test_outcome(self) -> None:
        """Every sample ends as it says, and at least one of them passes."""
        for sample in self.conversations:
            course = self._converse(sample)
            self._expect(sample, course, course.session.verdict)
        passed = [one for one in self.conversations if one.outcome is Outcome.PASSED]
        self.assertTrue(passed, "there is no sample that passes")

    def test_every_split(self) -> None:
        """However the network cuts the bytes, the result is the same."""
        for sample in self.conversations:
            whole = self._converse(sample).result()
            for steps, cut in _splits(sample.steps):
                course = self._converse(sample, steps, cut)
                self._same(f"{sample.name}, cut", whole, course.result())

    def test_connecting_takes_time(self) -> None:
        """A server that is slow to accept changes nothing; one that can't be reached, no bug."""
        for sample in self.conversations:
            whole = self._converse(sample).result()
            self._same(f"{sample.name}, slow", whole, self._slowly(sample).result())
            self._converse(sample, reachable=False)

    def test_replay(self) -> None:
        """What the far side receives parses again, as the same messages."""
        for sample in self.conversations:
            if sample.outcome is Outcome.PASSED and sample.replays:
                first = self._converse(sample)
                again = self._converse(sample, first.passed)
                self.assertEqual(first.passed, again.passed, f"{sample.name}, put through again")

    def test_hostile(self) -> None:
        """Whatever a peer sends, wherever: it is denied or it passes. It is never a bug."""
        for sample in self.conversations:
            for at, (side, said) in enumerate(sample.steps):
                for data in hostile([said or b""], count=5):
                    before, after = sample.steps[:at], sample.steps[at + 1 :]
                    self._survives(sample, [*before, (side, data), *after])
                    self._survives(sample, [*before, (side, data), (side, END)])

    def test_hostile_cut(self) -> None:
        """
        However the network cuts that, it ends alike: when, why, and with which records. (Each
        step of a sample gets a few of what is hostile: all of it, everywhere, takes long.)
        """
        chance = Random(1)
        for sample in self.conversations:
            for at, (side, _) in enumerate(sample.steps):
                for data in chance.sample(_ending_alike(sample, at), 6):
                    steps = [*sample.steps[:at], (side, data), *sample.steps[at + 1 :]]
                    whole = self._converse(sample, steps).result()
                    cut = self._converse(sample, steps, bytewise).result()
                    self._same(f"{sample.name}, {_shown(steps)}, cut", whole, cut)

    def test_cut_off(self) -> None:
        """A peer may go away at any time, also by a reset; after the end, nothing is asked for."""
        for sample in self.conversations:
            for steps in _beginnings(sample.steps):
                self._survives(sample, steps)
                for side in (CLIENT, SERVER):
                    self._survives(sample, [*steps, (side, END)])
                    self._survives(sample, steps, lost=side)

    def test_memory(self) -> None:
        """Nobody can make it keep more than its limits, by never coming to an end."""
        for sample in self.conversations:
            for at, (side, said) in enumerate(sample.steps):
                if said is not END:
                    for begun in (b"", said[:1], said):
                        held = self._held(sample, [*sample.steps[:at], (side, begun)], side)
                        self.assertLess(held, self.memory, f"{sample.name}: bytes held")

    def test_about(self) -> None:
        """At every moment an operator may look, and is told a line, and nothing changes by that."""
        for sample in self.conversations:
            whole = self._converse(sample).result()
            session = FakeSession(self.inspector, sample.settings)
            session.start()
            for side, data in sample.steps:
                self.assertIsInstance(session.inspector.about(), str, sample.name)
                if session.verdict is None and (side is CLIENT or session.opened):
                    session.hangs_up(side) if data is END else session.says(side, data)
            session.over(Verdict(Outcome.CLOSED, "the conversation is over"))
            self.assertIsInstance(session.inspector.about(), str, sample.name)
            self._same(f"{sample.name}, looked at", whole, Course(session).result())

    def test_nothing_stays(self) -> None:
        """A session that is over is freed at once, and leaves no circles to a collector."""
        self._leaves(self.conversations)  # what is made once, and kept, is made now
        if self._leaves(self.conversations):
            for sample in self.conversations:
                left = self._leaves([sample])
                self.assertEqual(left, {}, f"{sample.name}: in circles, after the end")

    # How it is done

    def _leaves(self, samples: Iterable[Conversation]) -> Counter[str]:
        """The types of what is left of conversations, whole ones and their beginnings."""

        def talk() -> None:
            for sample in samples:
                for ending in (sample.steps, *_beginnings(sample.steps)):
                    _let_go(self._converse(sample, ending).session)

        return left_by(talk)

    def _converse(
        self,
        sample: Conversation,
        steps: Iterable[Step] | None = None,
        cut: Callable[[bytes], Iterable[bytes]] = lambda data: [data],
        **session: Any,
    ) -> Course:
        steps = sample.steps if steps is None else steps
        course = converse(self.inspector, steps, sample.settings, cut, **session)
        self.assertEqual(course.session.late, [], f"{sample.name}: asked for after the end")
        return course

    def _survives(self, sample: Conversation, steps: Iterable[Step], **how: Any) -> None:
        steps = list(steps)
        try:
            course = self._converse(sample, steps, **how)
        except Exception as bug:
            raise AssertionError(f"{sample.name}: a bug, after {_shown(steps)}") from bug
        verdict = course.session.verdict
        assert verdict is not None
        self.assertIn(verdict.outcome, _HARMLESS, f"{sample.name}: {_shown(steps)}")

    def _expect(self, sample: Conversation, course: Course, verdict: Verdict | None) -> None:
        assert verdict is not None
        self.assertIs(
            verdict.outcome,
            sample.outcome,
            f"{sample.name}: {verdict.reason}; {course.session.events}",
        )

    def _same(self, what: str, whole: dict[str, Any], cut: dict[str, Any]) -> None:
        """What was sent before a denial may depend on when it came; nothing else may."""
        verdict = whole["verdict"]
        if verdict is not None and verdict.outcome is not Outcome.PASSED:
            for side in ("to the client", "to the server"):
                first, second = sorted((whole[side], cut[side]), key=len)
                self.assertTrue(second.startswith(first), f"{what}: {first!r}, {second!r}")
                cut = {**cut, side: whole[side]}
        self.assertEqual(whole, cut, what)

    def _slowly(self, sample: Conversation) -> Course:
        """Have the conversation with a server that accepts when the next one would speak."""
        session = FakeSession(self.inspector, sample.settings, reachable=None)
        session.start()
        for side, data in sample.steps:
            if session.verdict is None and side is SERVER and session.connecting:
                session.reach()
            if session.verdict is None and (side is CLIENT or session.opened):
                session.hangs_up(side) if data is END else session.says(side, data)
        if session.verdict is None and session.connecting:
            session.reach()
        session.over(Verdict(Outcome.CLOSED, "the conversation is over"))
        return Course(session)

    def _held(self, sample: Conversation, steps: Sequence[Step], side: Side) -> int:
        """How many bytes a session holds after an endless message."""
        session = FakeSession(self.inspector, sample.settings, keep=False)
        session.start()
        for who, data in steps:
            if session.verdict is None and (who is CLIENT or session.opened):
                session.hangs_up(who) if data is END else session.says(who, data)
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(32):
                if session.verdict is None and side not in session.paused:
                    session.says(side, b"a" * SEGMENT)
            return tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
            session.over()


_HARMLESS = frozenset(Outcome) - {Outcome.BROKEN}


def _let_go(session: FakeSession) -> None:
    """As the real one does when it is over, it knows nobody any more."""
    announced: tuple[Any, ...] = (*session.expected, *session.dialed)
    for one in announced:
        one.service = None
    for body in session.bodies:
        del body.sink
    for each in fields(FakeSession):
        setattr(session, each.name, None)


def _ending_alike(sample: Conversation, at: int) -> Sequence[bytes]:
    """What is hostile, in the place of a step, and has to end alike however it is cut."""
    said = sample.steps[at][1] or b""
    short = [one for one in hostile([said], count=5) if 0 < len(one) <= SHORT]
    return [one for one in short if at not in sample.turns or not one.startswith(said)]


def _splits(
    steps: Sequence[Step],
) -> Iterator[tuple[Sequence[Step], Callable[[bytes], Iterable[bytes]]]]:
    """All bytes cut into single ones; and each step cut in two, everywhere."""
    yield steps, bytewise
    for at, (side, data) in enumerate(steps):
        for pieces in every_split(data) if data else ():
            cut: list[Step] = [(side, piece) for piece in pieces]
            yield [*steps[:at], *cut, *steps[at + 1 :]], _uncut


def _uncut(data: bytes) -> Iterable[bytes]:
    return [data]


def _beginnings(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """The conversation broken off after every step, and in the middle of it."""
    for at, (side, data) in enumerate(steps):
        yield list(steps[:at])
        if data:
            yield [*steps[:at], (side, data[: len(data) // 2])]
            yield [*steps[:at], (side, data[:-1])]


def _shown(steps: Sequence[Step]) -> str:
    return repr([(side.value, data and data[:200]) for side, data in steps])
