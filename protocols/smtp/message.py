"""Message: its header and its parts, judged while it passes."""

from __future__ import annotations

import re
from typing import Any

from protocols.smtp.header import Header, ambiguous
from protocols.smtp.parts import Parts, too_long
from protocols.smtp.settings import SMTPSettings

# The empty line, or one that should not be there: most servers take it for the body's first.
_NO_FIELD = re.compile(rb"(?:\A|(?<=\r\n))(?![ \t]|[!-9;-~]+:|\Z)|\A(?=[ \t])")

SHOWN = 50
"""Attachments in an audit record."""


class Message:
    """
    One message.

    It is held back until its header is complete; the body passes as it comes.
    """

    def __init__(self, settings: SMTPSettings, trace: bytes = b"") -> None:
        self._trace = trace
        self._settings = settings
        self._parts = Parts(settings)
        self._waiting: bytes | None = b""
        self._seen = Header()

    def feed(self, block: bytes) -> bytes:
        """
        Whole lines; what may pass is given back.

        @raise Fault: the message is refused.
        """
        if self._waiting is None:
            self._parts.feed(block)
            return block
        self._waiting += block
        end = _end_of_header(self._waiting)
        if (end if end >= 0 else len(self._waiting)) > self._settings.header_bytes:
            raise too_long(self._settings.header_bytes)
        return b"" if end < 0 else self._begin(end)

    def end(self) -> bytes:
        """
        The message is complete; what is left of it is given back.

        @raise Fault: the message is refused.
        """
        return b"" if self._waiting is None else self._begin(len(self._waiting))

    def _begin(self, end: int) -> bytes:
        """The first C{end} bytes are the header."""
        assert self._waiting is not None
        data, rest = self._waiting[:end], self._waiting[end:]
        self._waiting = None
        header = Header.parse(data)
        header.sound = header.sound and rest[:2] in (b"", b"\r\n")
        self._seen = Header(list(header.fields), header.sound)
        self._parts.begin(data)
        if not header.sound:
            if self._settings.headers or self._settings.judges_parts:
                raise ambiguous("a line in the header is no field")
            self._parts.feed(rest)
            return self._traced(data + rest)
        header.apply(self._settings.headers)
        self._parts.feed(rest.removeprefix(b"\r\n"))
        return self._traced(header.data() + rest)

    def _traced(self, message: bytes) -> bytes:
        """With the gateway's own field on top, which must not run into a body without a header."""
        if not self._trace:
            return message
        headless = message[:2] != b"\r\n" and _NO_FIELD.match(message)
        return self._trace + (b"\r\n" if headless else b"") + message

    def record(self) -> dict[str, Any]:
        """Fields of the audit record C{email}."""
        seen, attachments = self._seen, self._parts.attachments
        fields: dict[str, Any] = {
            "from": seen.first("from"),
            "to": [field.value for field in seen.named("to")[:SHOWN]],
            "subject": seen.first("subject"),
            "message_id": seen.first("message-id"),
        }
        names = [each.names[0] if each.names else each.type for each in attachments[:SHOWN]]
        fields["attachment"] = names
        return {name: value for name, value in fields.items() if value}


def _end_of_header(data: bytes) -> int:
    """Where the first line begins that is no field; -1 if it has not come."""
    found = _NO_FIELD.search(data)
    return found.start() if found else -1
