"""Message: its header and its parts, judged while it passes."""

from __future__ import annotations

from typing import Any

from protocols.mime.findings import SHOWN, Findings
from protocols.mime.header import Header
from protocols.mime.heading import Heading
from protocols.mime.objection import ambiguous
from protocols.mime.parts import Parts
from protocols.mime.settings import ContentSettings


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
        self._parts = Parts(self._findings)
        self._heading: Heading | None = Heading(settings.header_bytes)
        self._seen = Header()
        self._held: list[bytes] = []
        self._holding = 0

    @property
    def base64(self) -> bool:
        """Whether what comes next is base64, which may be cut anywhere."""
        return self._heading is None and self._parts.base64

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
        heading, self._heading = self._heading, None
        rest = b"" if heading is None else self._begin(heading, b"")
        rest += self._parts.end()
        return self._release() + rest

    def _release(self) -> bytes:
        """What was held, with what it is marked with."""
        held, self._held = b"".join(self._held), []
        self._findings.holds = False
        marks, self._findings.marks = self._findings.marks, []
        return "".join(f"{mark}\r\n" for mark in marks).encode() + held

    def _pass(self, lines: bytes) -> bytes:
        if self._heading is None:
            return self._parts.feed(lines)
        heading = self._heading
        end = heading.feed(lines)
        if end is None:
            return b""
        self._heading = None
        return self._begin(heading, lines[end:])

    def _begin(self, heading: Heading, rest: bytes) -> bytes:
        """The header is complete, and this is what follows it."""
        seen = self._seen = heading.header(rest)
        header = Header(list(seen.fields), seen.problem)
        if seen.doubt and self._settings.judges:
            if self._settings.strict:
                raise ambiguous(seen.doubt)
            if self._settings.mends:
                self._findings.mended(seen.doubt)
                header, rest = header.mended(), b"\r\n" * bool(seen.problem) + rest
        header.apply(self._settings)
        trace = self._trace
        ours = trace or self._settings.marks
        if ours and rest and not header.fields and rest[:2] != b"\r\n":
            trace += b"\r\n"  # must not run into a body without a header
        return trace + self._parts.begin(seen, header, rest)

    def record(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Fields of the audit record C{email}; and what else is known, for C{gateway}."""
        seen, found = self._seen, self._findings
        fields: dict[str, Any] = {
            "from": seen.first("from"),
            "to": [field.value for field in seen.named("to")[:SHOWN]],
            "cc": [field.value for field in seen.named("cc")[:SHOWN]],
            "subject": seen.first("subject"),
            "message_id": seen.first("message-id"),
            "attachment": [each.label for each in found.attachments[:SHOWN]],
        }
        own = {"removed": [each.label for each in found.removed[:SHOWN]], "repaired": found.repairs}
        return _told(fields), _told(own)


def _told(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}
