"""A receiver that is as lenient as receivers have been: what looks like an end of data, is one."""

from __future__ import annotations

import re

from attrs import define, field

_END_OF_LINE = re.compile(rb"\r\n|\r|\n")


@define
class LenientReceiver:
    """
    Takes a stream of commands and messages as the sloppiest servers do: CR,
    LF and CRLF end a line, NULs are left out, blanks at the end of a line too,
    and a dot alone ends a message.

    @ivar messages: their lines, without dots that were added for the way.
    @ivar commands: the verbs that were heard.
    """

    messages: list[list[bytes]] = field(factory=list)
    commands: list[bytes] = field(factory=list)

    def take(self, stream: bytes) -> LenientReceiver:
        """All of a session."""
        message: list[bytes] | None = None
        for line in _END_OF_LINE.split(stream.replace(b"\0", b"")):
            line = line.rstrip(b" \t")
            if message is None:
                self.commands.append(line[:4].upper())
                message = [] if line.upper() == b"DATA" else None
            elif line == b".":
                self.messages.append(message)
                message = None
            else:
                message.append(line.removeprefix(b"."))
        return self


def strict_end(data: bytes) -> int:
    """Where a message ends by the letter of the standard; -1 if it does not."""
    return (b"\r\n" + data).find(b"\r\n.\r\n")
