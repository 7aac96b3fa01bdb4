"""
Diagnostics: what happens to the gateway, for the operator. The audit is another stream.

What a peer sent may be part of a message. It is escaped before it reaches a
terminal or a log file, where it could hide lines or make up new ones.
"""

from __future__ import annotations

import re
from typing import IO, Any

from attrs import define
from constantly import NamedConstant  # type: ignore[import-untyped]
from twisted.logger import FileLogObserver, LogEvent, Logger, formatEventAsClassicLogText
from twisted.python.failure import Failure

from gateway.observe.identity import Identity

_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidirectional formatting
    "\u2028\u2029"  # other ends of lines
    "\ud800-\udfff]"  # half of a surrogate pair: can't be written as UTF-8
)

_UNPRINTABLE_IN_TEXT = re.compile(_UNPRINTABLE.pattern.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f"))
"""The same in a text of several lines, such as a traceback: tab and newline are allowed."""


def printable(text: object) -> str:
    """C{text} on one line, as it may be shown on a terminal: C{ESC} becomes C{\\x1b}."""
    if isinstance(text, (bytes, bytearray)):
        text = bytes(text).decode("utf-8", "backslashreplace")
    return _UNPRINTABLE.sub(_escaped, str(text))


def printable_lines(text: str) -> str:
    """As L{printable}, and newlines and tabs stay."""
    return _UNPRINTABLE_IN_TEXT.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


class PrintableLogger(Logger):
    """A L{Logger} whose messages are safe to show, whatever is formatted into them."""

    def emit(self, level: NamedConstant, format: str | None = None, **values: object) -> None:
        super().emit(level, format, **{name: _safe(name, v) for name, v in values.items()})


_PLAIN = (int, float, bool, type(None))


def _safe(name: str, value: object) -> object:
    # Twisted's own fields (log_failure, …) are not formatted; numbers keep their type for
    # format specifications such as {seconds:.1f}.
    if name.startswith("log_") or type(value) in _PLAIN:
        return value
    return printable(value)


@define
class SessionLog:
    """
    Messages about one session: each begins with its service, number and addresses.

    Cheap enough to be made when there is something to say.
    """

    logger: PrintableLogger
    identity: Identity

    def debug(self, format: str, **values: object) -> None:
        self.logger.debug("{session}: " + format, session=self.identity, **values)

    def info(self, format: str, **values: object) -> None:
        self.logger.info("{session}: " + format, session=self.identity, **values)

    def warn(self, format: str, **values: object) -> None:
        self.logger.warn("{session}: " + format, session=self.identity, **values)

    def error(self, format: str, **values: object) -> None:
        self.logger.error("{session}: " + format, session=self.identity, **values)

    def failure(self, format: str, failure: Failure | None = None, **values: Any) -> None:
        """A bug, with its traceback. Without C{failure}: the exception being handled."""
        self.logger.failure("{session}: " + format, failure, session=self.identity, **values)


def printable_observer(file: IO[Any]) -> FileLogObserver:
    """
    An observer that writes messages and tracebacks to C{file}, safe to show.

    A traceback ends with the exception's text, which may quote the peer and
    which no logger sees.
    """
    return FileLogObserver(file, _formatted)


def _formatted(event: LogEvent) -> str | None:
    text = formatEventAsClassicLogText(event)
    return None if text is None else printable_lines(text)
