"""From which level on messages are logged, which an operator may change while the gateway runs."""

from __future__ import annotations

from constantly import NamedConstant  # type: ignore[import-untyped]
from twisted.logger import ILogObserver, LogEvent, LogLevel
from zope.interface import implementer


@implementer(ILogObserver)
class LeveledObserver:
    """
    Hands on what is important enough.

    @ivar level: the least that is; a message without one is as C{info}.
    """

    def __init__(self, observer: ILogObserver) -> None:
        self._observer = observer
        self.level: NamedConstant = LogLevel.info

    def __call__(self, event: LogEvent) -> None:
        """Hand C{event} on, or not."""
        level = event.get("log_level")
        if level is None or level >= self.level:
            self._observer(event)
