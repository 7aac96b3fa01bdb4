"""A Command: one line of what the client sends on the control connection (RFC 959, section 5.3)."""

from __future__ import annotations

import re

from attrs import field, frozen

from gateway.interfaces import Denied

_COMMAND = re.compile(rb"([A-Za-z]{3,4})(?: (.*))?", re.DOTALL)

# What a client may put before a command to be heard in the middle of a transfer (RFC 959,
# section 4.1.3; RFC 854): interrupt process, data mark, abort output, no operation.
_SIGNALS = re.compile(rb"(?:\xff[\xf1\xf2\xf4\xf5])+")

# Control characters, and Telnet's IAC if it isn't doubled. What one server takes for a part of
# a file name, the next one takes for the end of a command.
_SMUGGLING = re.compile(rb"[\x00-\x1f\x7f]|(?<!\xff)(?:\xff\xff)*\xff(?!\xff)")

SYNCH = b"\xff\xf4\xff\xf2"
"""Interrupt process; and data mark, which is to be urgent (RFC 959, section 4.1.3)."""

IAC = b"\xff"
_TWICE = IAC + IAC


@frozen
class Command:
    """
    What a client asks for.

    @ivar verb: in capital letters.
    @ivar argument: C{None} if there is none. The byte that is Telnet's IAC is
        doubled on the wire (RFC 854), and single here.
    @ivar signalled: Telnet's signals were before it.
    """

    verb: str
    argument: bytes | None = None
    signalled: bool = field(default=False, eq=False)

    @classmethod
    def parse(cls, line: bytes) -> Command | None:
        """
        Read a command, without its CRLF.

        @return: C{None} if the line is no command, but harmless.
        @raise Denied: the line has what can hide a second command in it.
        """
        signals = _SIGNALS.match(line)
        text = line[signals.end() :] if signals else line
        found = _SMUGGLING.search(text)
        if found is not None:
            reason = f"a command with the byte 0x{found[0][-1]:02x} in it"
            raise Denied(reason, b"501 That is no command.\r\n")
        command = _COMMAND.fullmatch(text)
        if command is None:
            return None
        argument = command[2].replace(_TWICE, IAC) if command[2] else None
        return cls(command[1].decode("ascii").upper(), argument, signals is not None)

    def line(self) -> bytes:
        """The command as it is sent, with its CRLF."""
        verb = self.verb.encode("ascii")
        if self.argument is None:
            return verb + b"\r\n"
        return b"%s %s\r\n" % (verb, self.argument.replace(IAC, _TWICE))

    def __str__(self) -> str:
        """For messages: without the argument, which may be a password."""
        return self.verb
