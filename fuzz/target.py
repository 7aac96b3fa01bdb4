"""
The targets: one for each inspector that has a generic suite, one for what QUIC has sealed, and one
for policies.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from fuzz.datagrams import Datagrams
from fuzz.frames import Frames
from fuzz.inspection import Inspection
from fuzz.policy import Policies
from gateway.testing import DatagramSuite, InspectorSuite

SUITE = re.compile(r"\b(Inspector|Datagram)Suite\b")
TESTS = Path(__file__).resolve().parent.parent / "tests"


class Target(Protocol):
    """What can be fuzzed."""

    def seeds(self) -> Iterable[bytes]:
        """Valid input, to begin with."""
        ...

    def judge(self, data: bytes) -> None:
        """
        See what comes of some bytes.

        @raise Exception: a bug.
        """
        ...

    def shown(self, data: bytes) -> str:
        """What the bytes mean, for people."""
        ...


def targets() -> Mapping[str, Target]:
    """All targets by their names, an inspector's by its own."""
    for module in sorted((TESTS / "protocols").rglob("test_*.py")):
        if SUITE.search(module.read_text()):
            parts = module.relative_to(TESTS.parent).with_suffix("").parts
            importlib.import_module(".".join(parts))
    found: dict[str, Target] = {"policy": Policies(), "quicframes": Frames()}
    for suite in _suites(InspectorSuite):
        if getattr(suite, "conversations", ()):
            name = suite.__name__.removesuffix("Suite").lower()
            alike = not any(sample.turns for sample in suite.conversations)
            found[name] = Inspection(suite.inspector, suite.conversations, alike)
    for suite in _suites(DatagramSuite):
        name = suite.__name__.removesuffix("Suite").lower()
        found[name] = Datagrams(suite.inspector, suite.conversations)
    return dict(sorted(found.items()))


def _suites(kind: type[Any]) -> Iterable[type[Any]]:
    for each in kind.__subclasses__():
        yield each
        yield from _suites(each)
