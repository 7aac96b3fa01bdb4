"""An inspector as a target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fuzz.samples import Bug, Samples
from gateway.interfaces import Outcome, Side
from gateway.testing.conversation import Conversation, Course, Step, converse
from gateway.testing.split import bytewise

SHORT = 3000
"""A conversation of more bytes is not said byte by byte as well: that takes too long."""


class Inspection(Samples):
    """
    Has conversations through an inspector.

    @param samples: see L{Samples}.
    @param ends_alike: whether what is hostile ends alike, however it is cut.
    """

    def __init__(self, inspector: Any, samples: Sequence[Conversation], ends_alike: bool) -> None:
        super().__init__(samples)
        self._inspector = inspector
        self._ends_alike = ends_alike

    def judge(self, data: bytes) -> None:
        """Whole, byte by byte, and put through again."""
        sample, steps = self._read(data)
        whole = self._converse(sample, steps)
        verdict = whole.session.verdict
        if verdict is None or verdict.outcome is Outcome.BROKEN:
            raise Bug(f"ended as {verdict}")
        passed = verdict.outcome is Outcome.PASSED
        # Where both sides are at fault, who was heard first may depend on the cut.
        alike = self._ends_alike and not whole.mixed
        if (passed or alike) and len(data) < SHORT:
            cut = converse(self._inspector, steps, sample.settings, bytewise)
            _same(whole.result(), cut.result())
        if passed and sample.replays and _told(whole):
            again = self._converse(sample, whole.passed)
            if again.passed != whole.passed:
                raise Bug(f"what passed is read otherwise: {whole.passed} {again.passed}")

    def _converse(self, sample: Conversation, steps: Sequence[Step]) -> Course:
        course = converse(self._inspector, steps, sample.settings)
        if course.session.late:
            raise Bug(f"asked for after the end: {course.session.late}")
        return course


def _told(course: Course) -> bool:
    """
    Whether all that was sent is in C{passed}, as what it is. Not so if one side spoke before its
    turn; nor if what a client said was kept, as the inspector's own answer to it may then come
    together with the server's to something else.
    """
    if course.mixed:
        return False
    sent = dict.fromkeys(Side, b"")
    for side, said in course.passed:
        sent[side.other] += said or b""
    return all(sent[side] == course.session.sent[side] for side in Side)


def _same(whole: dict[str, Any], cut: dict[str, Any]) -> None:
    """How far the other side had come before a denial may depend on the cut; nothing else may."""
    if whole["verdict"].outcome is not Outcome.PASSED:
        for what in ("to the client", "to the server", "recorded"):
            first, second = sorted((whole.pop(what), cut.pop(what)), key=len)
            if second[: len(first)] != first:
                raise Bug(f"{what}: {first!r}, cut otherwise {second!r}")
    for what, value in whole.items():
        if cut[what] != value:
            raise Bug(f"{what}: {value!r}, cut otherwise {cut[what]!r}")
