"""The Received field that the gateway may add to a message (RFC 5321, section 4.4)."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

from gateway.interfaces import ISession
from protocols.smtp.grammar.address import is_domain
from protocols.smtp.grammar.command import is_literal


def written_host(address: str) -> str:
    """An address as a literal (RFC 5321, section 4.1.3)."""
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def received(session: ISession, by: str, helo: str, protocol: str, number: int) -> bytes:
    """
    The field, with its line breaks.

    @param by: what the gateway calls itself.
    @param protocol: how the message came, in the words of RFC 3848 and RFC 6531, section 4.3.
    @param number: of the message in its session.
    """
    literal = written_host(session.client.host)
    # What is no host name might be half a comment.
    name = helo if is_literal(helo) or (is_domain(helo) and helo.isascii()) else literal
    date = format_datetime(datetime.fromtimestamp(int(session.date()), UTC))
    return (
        f"Received: from {name} ({literal})\r\n"
        f"\tby {by} with {protocol} id {session.service}.{session.id}.{number};\r\n"
        f"\t{date}\r\n"
    ).encode()
