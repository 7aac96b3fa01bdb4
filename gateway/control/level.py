"""The question C{log}: from which level on messages are logged."""

from __future__ import annotations

from twisted.logger import LogLevel

from gateway.control.question import Asked, Asker, Misasked, text
from gateway.observe.level import LeveledObserver
from gateway.observe.log import PrintableLogger

log = PrintableLogger()

LEVELS = ("debug", "info", "warn", "error", "critical")


class Level:
    """
    Changes it.

    @ivar observer: where messages go; C{None}: to an observer that somebody else has made.
    """

    def __init__(self) -> None:
        self.observer: LeveledObserver | None = None

    @property
    def present(self) -> str:
        """It, or an empty text if nobody knows."""
        return "" if self.observer is None else str(self.observer.level.name)

    def change(self, asked: Asked, asker: Asker) -> str:
        """
        Do what was asked.

        @return: what is wrong.
        @raise Misasked: there is no such level.
        """
        wanted = text(asked, "level")
        if wanted not in LEVELS:
            raise Misasked(f"level: none of {', '.join(LEVELS)}")
        if self.observer is None:
            return "twistd was started with a logger of its own (--logger)"
        level = LogLevel.levelWithName(wanted)
        self.observer.level = min(self.observer.level, LogLevel.warn)  # so that this is seen
        log.warn("{asker} sets the log's level: {wanted}", asker=asker.name, wanted=wanted)
        self.observer.level = level
        return ""
