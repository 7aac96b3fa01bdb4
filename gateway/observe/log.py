"""
Diagnostics: what happens to the gateway, for the operator. The audit is another stream.

What a peer sent may be part of a message. It is escaped before it reaches a
terminal or a log file, where it could hide lines or make up new ones.
"""

from __future__ import annotations

import re

from constantly import NamedConstant  # type: ignore[import-untyped]
from twisted.logger import ILogObserver, LogEvent, Logger, eventAsText
from zope.interface import implementer

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
    """A C{Logger} whose messages are safe to show, whatever is formatted into them."""

    def emit(self, level: NamedConstant, format: str | None = None, **values: object) -> None:
        super().emit(level, format, **{name: _safe(name, v) for name, v in values.items()})


_PLAIN = (int, float, bool, type(None))


def _safe(name: str, value: object) -> object:
    # Twisted's own fields (log_failure, …) are not formatted; numbers keep their type for
    # format specifications such as {seconds:.1f}.
    if name.startswith("log_") or type(value) in _PLAIN:
        return value
    return printable(value)


@implementer(ILogObserver)
class PrintableObserver:
    """
    Hands events on as texts that are safe to show.

    A traceback ends with the exception's text, which may quote the peer, and which no logger
    sees; and not all messages are of our own loggers.
    """

    def __init__(self, observer: ILogObserver) -> None:
        self._observer = observer

    def __call__(self, event: LogEvent) -> None:
        """Hand C{event} on."""
        text = eventAsText(event, includeTimestamp=False, includeSystem=False)
        safe = {**event, "log_format": "{log_text}", "log_text": printable_lines(text)}
        if safe.pop("log_failure", None) is not None:
            safe["isError"] = 1  # syslog's observer asks
        self._observer(safe)
