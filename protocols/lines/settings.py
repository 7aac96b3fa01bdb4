"""A protocol of lines, as an operator describes it."""

from __future__ import annotations

import re
from typing import Literal

from attrs import frozen

from gateway.inspector import option, pattern, written_at

COUNT = "bytes"
"""The name of a group that says how many bytes follow the line that it is in."""

_ANYTHING = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")

_LEAST_LINE = 4


@frozen
class Command:
    """
    C{[[lines.command]]}: lines that a client may say. The first one that matches counts.

    @ivar written: where it is in the service file.
    """

    match: re.Pattern[str] = option(
        "Which lines: a regular expression for the whole of one. A group called `bytes` "
        "(`(?P<bytes>[0-9]+)`) is the number of bytes that follow the line, and a line end "
        "behind them.",
        read=pattern,
    )
    allow: bool = option("Whether they may be said. If not: `refusal`.", True)
    reply: Literal["line", "block", "none"] = option(
        'What the server answers: a line, a block that ends with a lone ".", or nothing.', "line"
    )
    more: re.Pattern[str] | None = option(
        'The reply goes on with the next line as long as lines match this, such as "[0-9]{3}-.*".',
        None,
        read=pattern,
    )
    until: re.Pattern[str] | None = option(
        'The reply goes on until a line matches this, such as "END".', None, read=pattern
    )
    block_after: re.Pattern[str] | None = option(
        "A reply whose last line matches this goes on with a block.", None, read=pattern
    )
    upload_after: re.Pattern[str] | None = option(
        "After a reply whose last line matches this, the client sends a block, which has a reply "
        "of its own.",
        None,
        read=pattern,
    )
    last: bool = option("Whether nothing more is said after its reply.", False)
    record: Literal["line", "word", "nothing"] = option(
        "What the audit has of it: all, the first word only (secrets), or no record.", "line"
    )
    written: str = written_at()


@frozen
class LinesSettings:
    """Who says what, and how much of it."""

    command: tuple[Command, ...] = option(
        "What a client may say. What none of these matches is refused.", ()
    )
    form: Literal["lines", "resp"] = option(
        'How commands and replies are put. "resp": as Redis has it, a command being an array of '
        "strings, which `match` sees as one line with blanks between, and a reply one value.",
        "lines",
    )
    server_first: bool = option("Whether the server speaks first.", False)
    greeting: re.Pattern[str] = option(
        "What the server's first line must be, if it speaks first.", _ANYTHING, read=pattern
    )
    line: re.Pattern[str] = option(
        "What any line of the server's must be; by default without control characters. A group "
        "called `bytes` is the number of bytes that follow it, and a line end behind them.",
        _ANYTHING,
        read=pattern,
    )
    unasked: re.Pattern[str] | None = option(
        "What the server may say between two replies. Left out: nothing.", None, read=pattern
    )
    line_end: Literal["crlf", "lf"] = option("What ends a line.", "crlf")
    refusal: str = option(
        "What the client is told of a line that is refused; it may go on. Empty: the session ends.",
        "",
    )
    goodbye: str = option(
        "What the client is told before the gateway ends the session. Empty: nothing.", ""
    )
    errors: int = option(
        "So many refused lines end the session. 0: no limit.",
        20,
        minimum=0,
        precedent="Postfix's smtpd_hard_error_limit",
    )
    line_bytes: int = option(
        "The longest line; the longest command of RESP.",
        1024,
        unit="bytes",
        minimum=_LEAST_LINE,
        precedent="SMTP's text line, RFC 5321, section 4.5.3.1.6",
    )
    block_bytes: int = option(
        "The longest block, and the most bytes that may follow a line.",
        1048576,
        unit="bytes",
        minimum=1,
    )
    reply_bytes: int = option(
        "The longest reply, with all of its lines.", 16777216, unit="bytes", minimum=1
    )
    reply_seconds: float = option(
        "How long the server may be silent before a reply, and in it.",
        60.0,
        unit="seconds",
        minimum=0.1,
        precedent="Squid's read_timeout is 900",
        in_silence=True,
    )

    def __attrs_post_init__(self) -> None:
        """
        Whether the settings go together.

        @raise ValueError: they don't.
        """
        if self.form == "resp" and self.line_end != "crlf":
            raise ValueError('"line_end": what ends a line of RESP is CRLF')
        if self.form == "resp" and any(map(_is_for_lines, self.command)):
            raise ValueError(
                '"form": a reply of RESP says itself where it ends; "block", "more", "until", '
                '"block_after" and "upload_after" are for lines'
            )


def _is_for_lines(command: Command) -> bool:
    ends = command.more, command.until, command.block_after, command.upload_after
    return command.reply == "block" or any(each is not None for each in ends)
