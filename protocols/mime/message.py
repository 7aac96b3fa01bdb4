"""Message: its header and its parts, judged while it passes."""

from __future__ import annotations

import re
from typing import Any

from protocols.mime.findings import Findings
from protocols.mime.header import Header
from protocols.mime.objection import header_too_long
from protocols.mime.parts import Parts
from protocols.mime.settings import ContentSettings

# The empty line, or one that should not be there: most servers take it for the body's first.
_NO_FIELD = re.compile(rb"(?:\A|(?<=\r\n))(?![ \t]|[!-9;-~]+:|\Z)")

SHOWN = 50
"""Attachments in an audit record."""


class Message:
    """
    One message.

    It is held back until its header is complete; the body passes as it comes.

    @param trace: a field that the gateway puts on top, and judges nothing by.
    """

    def __init__(self, settings: ContentSettings, trace: bytes = b"") -> None:
        self._trace = trace
        self._settings = settings
        self._findings = Findings(settings, holds=settings.marks)
        self._parts = Parts(settings, self._findings)
        self._waiting: list[bytes] | None = []
        self._size = 0
        self._seen = Header()
        self._held: list[bytes] = []
        self._holding = 0

    def feed(self, lines: bytes) -> bytes:
        """
        Whole lines; what may pass is given back.

        @raise Objection: the message is refused.
        """
        at, out = 0, b""
        while self._findings.holds and at < len(lines):  # by line: the cut must not matter
            end = lines.index(b"\n", at) + 1
            out = self._hold(lines[at:end])
            at = end
        return out + self._pass(lines[at:]) if at < len(lines) else out

    def _hold(self, line: bytes) -> bytes:
        """One line, while there is room for it."""
        self._holding += len(line)
        if self._holding > self._settings.hold_bytes:
            return self._release() + self._pass(line)
        self._held.append(self._pass(line))
        return b""

    def end(self) -> bytes:
        """
        The message is complete; what is left of it is given back.

        @raise Objection: the message is refused.
        """
        rest = b"" if self._waiting is None else self._begin(b"")
        rest += self._parts.end()
        return self._release() + rest

    def _release(self) -> bytes:
        """What was held, with what it is marked with."""
        held, self._held = b"".join(self._held), []
        self._findings.holds = False
        marks, self._findings.marks = self._findings.marks, []
        return "".join(f"{mark}\r\n" for mark in marks).encode() + held

    def _pass(self, lines: bytes) -> bytes:
        if self._waiting is None:
            return self._parts.feed(lines)
        end = self._end_of_header(lines)
        self._waiting.append(lines[:end])
        self._size += len(self._waiting[-1])
        if self._size > self._settings.header_bytes:
            raise header_too_long(self._settings.header_bytes)
        return b"" if end is None else self._begin(lines[end:])

    def _end_of_header(self, lines: bytes) -> int | None:
        """Where the first line begins that is no field; L{None} if it has not come."""
        if not self._waiting and lines[:1] in (b" ", b"\t"):  # it goes on with nothing
            return 0
        found = _NO_FIELD.search(lines)
        return found.start() if found else None

    def _begin(self, rest: bytes) -> bytes:
        """The header is complete, and this is what follows it."""
        assert self._waiting is not None
        header = Header.parse(b"".join(self._waiting))
        self._waiting = None
        header.sound = header.sound and rest[:2] in (b"", b"\r\n")
        self._seen = Header(list(header.fields), header.sound)
        header.apply(self._settings.headers)
        trace = self._trace
        ours = trace or self._settings.marks
        if ours and rest and not header.fields and rest[:2] != b"\r\n":
            trace += b"\r\n"  # must not run into a body without a header
        gap = rest[: 2 * (rest[:2] == b"\r\n")]
        return (
            trace + self._parts.begin(self._seen, header, gap) + self._parts.feed(rest[len(gap) :])
        )

    def record(self) -> tuple[dict[str, Any], list[str]]:
        """Fields of the audit record C{email}; and the attachments that were removed."""
        seen, attachments = self._seen, self._findings.attachments
        fields: dict[str, Any] = {
            "from": seen.first("from"),
            "to": [field.value for field in seen.named("to")[:SHOWN]],
            "cc": [field.value for field in seen.named("cc")[:SHOWN]],
            "subject": seen.first("subject"),
            "message_id": seen.first("message-id"),
        }
        fields["attachment"] = [each.name for each in attachments[:SHOWN]]
        removed = [each.name for each in self._findings.removed[:SHOWN]]
        return {name: value for name, value in fields.items() if value}, removed
