"""Messages, and what becomes of them, for the tests."""

from __future__ import annotations

from email import policy
from email.message import EmailMessage
from typing import Any

from protocols.mime.message import Message
from protocols.mime.settings import ContentSettings


def passed(
    data: bytes, settings: ContentSettings | None = None, step: int = 7
) -> tuple[bytes, dict[str, Any]]:
    """What becomes of a message that comes in a few lines at a time, and its record."""
    message = Message(settings or ContentSettings())
    lines = data.splitlines(keepends=True)
    blocks = [b"".join(lines[at : at + step]) for at in range(0, len(lines), step)]
    out = b"".join(message.feed(block) for block in blocks) + message.end()
    email, own = message.record()
    return out, email | own


def mail(*attachments: str, **headers: str) -> EmailMessage:
    """A message as the standard library makes it."""
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = "Alice <alice@a.example>"
    message["To"] = "bob@b.example"
    message["Subject"] = "Gr\u00fc\u00dfe"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content("Hello\n")
    for name in attachments:
        message.add_attachment(b"\0\1\2" * 30, "application", "zip", filename=name)
    return message


def nested(tree: list[Any]) -> EmailMessage:
    """A message with a file for each name, and a message for each list."""
    message = mail()
    for each in tree:
        if isinstance(each, str):
            message.add_attachment(b"x", "application", "octet-stream", filename=f"f{each}.x")
        else:
            message.add_attachment(nested(each))
    return message
