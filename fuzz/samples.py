"""Conversations that a fuzzer begins with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fuzz.script import read, written
from gateway.testing.conversation import Conversation, Step


class Bug(Exception):
    """The inspector did what no inspector may do."""


class Samples:
    """
    Samples of a protocol, as bytes and for people.

    @param samples: conversations to begin with; their settings are used.
    """

    def __init__(self, samples: Sequence[Conversation]) -> None:
        self._samples = samples[:256]

    def seeds(self) -> Iterable[bytes]:
        """The samples."""
        return (written(number, sample.steps) for number, sample in enumerate(self._samples))

    def shown(self, data: bytes) -> str:
        """Who says what."""
        sample, steps = self._read(data)
        said = "\n".join(f"    {side.value}: {text!r}" for side, text in steps)
        return f"with the settings of {sample.name!r}: {sample.settings}\n{said}"

    def _read(self, data: bytes) -> tuple[Conversation, list[Step]]:
        return read(data, self._samples)
