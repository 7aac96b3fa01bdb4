"""The notice that comes in the place of a message that is refused."""

from __future__ import annotations

import re
from email.utils import formatdate
from typing import Any

_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_SHOWN = 200
"""Bytes that are shown of what a sender wrote."""


_HEADER = """\
From: Mail gateway <MAILER-DAEMON@gateway.invalid>
Date: {date}
Subject: A message was refused
Auto-Submitted: auto-generated
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

A message in your mailbox was not let through:

"""

_WHERE = (
    "It is still on the server, unless your mail program deletes what it has fetched.",
    "Ask whoever looks after this gateway.",
)

_FIELDS = (("From", "from"), ("Subject", "subject"), ("Message-ID", "message_id"))


def notice(reason: str, email: dict[str, Any], date: float) -> bytes:
    """
    A message in whole lines.

    @param reason: for whoever gets it.
    @param email: what is known of the one that was refused, as its record has it.
    @param date: in seconds since the beginning of 1970.
    """
    lines = [f"  {reason}", ""]
    lines += [f"{name}: {_shown(email[key])}" for name, key in _FIELDS if email.get(key)]
    lines += ["", *_WHERE]
    text = _HEADER.format(date=formatdate(date)) + "\n".join(lines) + "\n"
    return text.encode("utf-8", "replace").replace(b"\n", b"\r\n")


def beginning(message: bytes, lines: int) -> bytes:
    """Its header, and so many lines of what follows, as TOP has it."""
    header, _, body = message.partition(b"\r\n\r\n")
    kept = body.splitlines(keepends=True)[:lines]
    return header + b"\r\n\r\n" + b"".join(kept)


def _shown(text: str) -> str:
    shown = _CONTROL.sub(b"?", text.encode("utf-8", "replace")[:_SHOWN])
    return shown.decode("utf-8", "replace")
