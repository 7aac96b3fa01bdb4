"""Diagnostics can be shown on a terminal, whatever is quoted in them."""

from __future__ import annotations

from io import StringIO
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import (
    LegacyLogObserverWrapper,
    LogEvent,
    Logger,
    formatEvent,
    textFileLogObserver,
)
from twisted.python.log import textFromEventDict
from twisted.trial.unittest import SynchronousTestCase

from gateway.observe.log import PrintableLogger, PrintableObserver, printable, printable_lines

ERASE = "\x1b[2J\x9b2K\x7f\r\n2025 all is well"


class PrintableTests(SynchronousTestCase):
    """The function."""

    def test_escapes(self) -> None:
        """Control characters are shown as Python writes them, other text as it is."""
        self.assertEqual(printable("café \x1b[31m\x9b\x7f\n"), "café \\x1b[31m\\x9b\\x7f\\n")
        self.assertEqual(printable("\u202egnp.exe\u2028"), "\\u202egnp.exe\\u2028")
        self.assertEqual(printable(b"caf\xe9\x00"), "caf\\xe9\\x00")
        self.assertEqual(printable(7), "7")

    def test_lines(self) -> None:
        """A text of several lines keeps them."""
        self.assertEqual(printable_lines("a\n\tb\x1b\r\x0b"), "a\n\tb\\x1b\\r\\x0b")

    @settings(max_examples=100, deadline=None)
    @given(st.text(st.characters()))
    def test_anything(self, text: str) -> None:
        """Nothing that a terminal obeys is left, and it can be written as UTF-8."""
        shown = printable(text)
        shown.encode("utf-8")
        self.assertEqual(
            [c for c in shown if ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or c in "\u2028\u2029"], []
        )


class LoggerTests(SynchronousTestCase):
    """The loggers."""

    def setUp(self) -> None:
        self.events: list[LogEvent] = []
        self.logger = PrintableLogger(observer=self.events.append)

    def message(self) -> str:
        return formatEvent(self.events[-1])

    def test_values_are_escaped(self) -> None:
        """What is formatted into a message can't hide it."""
        self.logger.warn("user {user}", user=ERASE)
        self.assertEqual(self.message(), "user \\x1b[2J\\x9b2K\\x7f\\r\\n2025 all is well")
        self.logger.warn("user {user}", user=ERASE.encode("latin-1"))
        self.assertNotIn("\x1b", self.message())

    def test_numbers_keep_their_formats(self) -> None:
        """Numbers can be rounded as usual."""
        self.logger.info("{seconds:.1f} s, {count:04d}", seconds=1.26, count=7)
        self.assertEqual(self.message(), "1.3 s, 0007")

    def test_traceback(self) -> None:
        """A bug's traceback is there, and what it quotes is escaped in the file."""
        file = StringIO()
        logger = Logger(observer=PrintableObserver(textFileLogObserver(file)))
        try:
            raise KeyError(1) from ValueError(ERASE)
        except KeyError:
            logger.failure("a bug")
        try:
            raise ValueError(ERASE)
        except ValueError:
            logger.failure("a bug of {who}", who="\x1b")
        logger.info("{said}", said="\x1b[31m")
        written = file.getvalue()
        self.assertIn("Traceback", written)
        self.assertIn("builtins.ValueError: \\x1b[2J", written)
        self.assertIn("#critical] a bug of \\x1b\n", written)
        self.assertTrue(written.replace("\n", "").replace("\t", "").isprintable())
        self.assertNotIn("\n2025 all is well\n", written.split("Traceback")[0])

    def test_legacy(self) -> None:
        """An observer of the older kind, as syslog's is, gets texts and knows errors."""
        told: list[Any] = []
        observer = PrintableObserver(LegacyLogObserverWrapper(told.append))
        logger = Logger(observer=observer)
        try:
            raise ValueError("\x1b")
        except ValueError:
            logger.failure("a bug")
        text = textFromEventDict(told[0])
        assert text is not None
        self.assertIn("builtins.ValueError: \\x1b", text)
        self.assertEqual(told[0]["isError"], 1)
