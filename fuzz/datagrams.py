"""An inspector of datagrams as a target."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from fuzz.samples import Bug, Samples
from gateway.interfaces import SERVER, Outcome
from gateway.testing import FakeDatagrams
from gateway.testing.conversation import Conversation, Step
from gateway.testing.datagram_suite import LARGEST

LATER = 3600.0
"""Seconds after which everything that an inspector waits for has come, or never will."""


class Datagrams(Samples):
    """
    Sends datagrams through an inspector: each step of a conversation is one.

    @param samples: see L{Samples}.
    """

    def __init__(self, inspector: Any, samples: Sequence[Conversation]) -> None:
        super().__init__(samples)
        self._inspector = inspector

    def judge(self, data: bytes) -> None:
        """What passed is put through again: it has to pass as it is."""
        sample, steps = self._read(data)
        passed, outcome = self._heard(sample, steps)
        if sample.replays and outcome is not Outcome.DENIED:
            again, _ = self._heard(sample, passed)
            if again != passed:
                raise Bug(f"what passed is read otherwise: {passed} {again}")

    def _heard(self, sample: Conversation, steps: Iterable[Step]) -> tuple[list[Step], Outcome]:
        """The conversation as the far sides heard it, and how it ended."""
        session, passed = FakeDatagrams(self._inspector, sample.settings), list[Step]()
        for side, said in steps:
            before = len(session.datagrams[side.other])
            if said is not None and (session.connected or side is not SERVER):
                session.says(side, said[:LARGEST])
            passed += [(side, each) for each in session.datagrams[side.other][before:]]
        session.advance(LATER)
        if session.verdict is None:
            session.over()
        verdict = session.verdict
        if verdict is None or verdict.outcome is Outcome.BROKEN:
            raise Bug(f"ended as {verdict}")
        if session.late:
            raise Bug(f"asked for after the end: {session.late}")
        return passed, verdict.outcome
