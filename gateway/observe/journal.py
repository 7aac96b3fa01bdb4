"""
Diagnostics for systemd's journal: each line begins with its priority, as sd-daemon(3) says.

The journal has a time of its own for each line, and knows the unit and the process, so that
nothing of it is said again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import IO

from constantly import NamedConstant  # type: ignore[import-untyped]
from twisted.logger import ILogObserver, LogEvent, LogLevel, eventAsText
from zope.interface import implementer

CRITICAL, ERROR, WARNING, INFORMATION, DEBUG = 2, 3, 4, 6, 7

PRIORITIES: dict[NamedConstant, int] = {
    LogLevel.critical: CRITICAL,
    LogLevel.error: ERROR,
    LogLevel.warn: WARNING,
    LogLevel.info: INFORMATION,
    LogLevel.debug: DEBUG,
}


def leads_to_journal(stream: IO[str], environment: Mapping[str, str]) -> bool:
    """Whether what is written to C{stream} gets into the journal, which has told us so."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environment.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def with_priority(priority: int, text: str) -> str:
    """C{text} as the journal wants to have it: whole lines, each with its priority."""
    return "".join(f"<{priority}>{line}\n" for line in text.splitlines())


def complain(text: str) -> None:
    """Tell whoever starts us on standard error, before there is a log, or instead."""
    if leads_to_journal(sys.stderr, os.environ):
        text = with_priority(CRITICAL, text)
    sys.stderr.write(f"{text.rstrip()}\n")


@implementer(ILogObserver)
class JournalObserver:
    """Writes events to C{file}, which leads to the journal."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def __call__(self, event: LogEvent) -> None:
        """Write C{event}."""
        priority = PRIORITIES.get(event.get("log_level"), INFORMATION)
        text = eventAsText(event, includeTimestamp=False, includeSystem=False)
        self._file.write(with_priority(priority, text))
        self._file.flush()
