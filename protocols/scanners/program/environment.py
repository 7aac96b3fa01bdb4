"""
Environment: what a program is told beside the body, as variables.

The names are ours, the values mostly what peers said: they are bounded, and end before a NUL.
"""

from __future__ import annotations

from gateway.envelope import Envelope
from gateway.interfaces import Address

PREFIX = "TPROXYGW_"

LONGEST = 4096
"""Letters of a value."""


def environment(
    service: str, client: Address, server: Address, envelope: Envelope
) -> dict[str, str]:
    """The variables, those that nothing is known of left out."""
    told = {
        "SERVICE": service,
        "CLIENT": client.host,
        "SERVER": server.host,
        "PROTOCOL": envelope.protocol,
        "DIRECTION": envelope.direction,
        "USER": envelope.user,
        "FILENAME": envelope.filename,
        "MEDIA_TYPE": envelope.media_type,
        **_of_protocol(envelope),
    }
    bounded = {name: value.partition("\0")[0][:LONGEST] for name, value in told.items()}
    return {PREFIX + name: value for name, value in bounded.items() if value}


def in_json(environment: dict[str, str]) -> dict[str, str]:
    """The same for a program that stays."""
    return {name.removeprefix(PREFIX).lower(): value for name, value in environment.items()}


def _of_protocol(envelope: Envelope) -> dict[str, str]:
    http, ftp, smtp = envelope.http, envelope.ftp, envelope.smtp
    if http is not None:
        status = str(http.status) if http.status else ""
        return {"METHOD": http.method, "URL": http.url, "STATUS": status}
    if ftp is not None:
        return {"COMMAND": ftp.command, "PATH": ftp.path}
    if smtp is not None:
        recipients = " ".join(smtp.recipients)
        return {"HELO": smtp.helo, "SENDER": smtp.sender, "RECIPIENTS": recipients}
    return {}
