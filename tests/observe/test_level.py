"""From which level on messages are logged."""

from __future__ import annotations

from typing import Any

from twisted.logger import Logger, LogLevel
from twisted.trial.unittest import SynchronousTestCase

from gateway.control.level import Level
from gateway.control.question import Asker, Misasked
from gateway.observe.level import LeveledObserver

ROOT = Asker("root (uid 0)", may_change=True)


class LevelTests(SynchronousTestCase):
    """What is less is not handed on."""

    def setUp(self) -> None:
        self.seen: list[Any] = []
        self.observer = LeveledObserver(self.seen.append)
        self.log = Logger(observer=self.observer)

    def said(self) -> list[str]:
        """What was logged, by each level once."""
        self.seen.clear()
        for level in LogLevel.iterconstants():
            self.log.emit(level, "message")
        return [event["log_level"].name for event in self.seen]

    def test_levels(self) -> None:
        """As it starts, everything but what is for finding faults; then as it is told."""
        self.assertEqual(self.said(), ["info", "warn", "error", "critical"])
        level = Level()
        level.observer = self.observer
        for wanted, first in (("debug", "debug"), ("error", "error"), ("critical", "critical")):
            self.assertEqual(level.change({"level": wanted}, ROOT), "")
            self.assertEqual((self.said()[0], level.present), (first, wanted))

    def test_without_level(self) -> None:
        """What has no level, as old messages of Twisted's, is always handed on."""
        self.observer.level = LogLevel.critical
        self.observer({"log_text": "old"})  # type: ignore[typeddict-unknown-key]
        self.assertEqual(len(self.seen), 1)

    def test_mistakes(self) -> None:
        """No such level; or nobody knows where messages go."""
        level = Level()
        self.assertRaises(Misasked, level.change, {"level": "loud"}, ROOT)
        self.assertIn("--logger", level.change({"level": "warn"}, ROOT))
        self.assertEqual(level.present, "")
