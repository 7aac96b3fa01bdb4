"""What the operator says in the C{[pop3]} table."""

from __future__ import annotations

import re
from typing import Literal

from attrs import frozen

from gateway.inspector import option
from protocols.mailbox import options
from protocols.mailbox.options import INSPECTED, Decision
from protocols.mime.settings import ContentSettings
from protocols.options import auth_bytes, encryption, implicit
from protocols.pop3.command import COMMANDS
from protocols.tls.encryption import Encryption

CAPABILITIES = frozenset(
    {
        *("TOP", "USER", "SASL", "RESP-CODES", "LOGIN-DELAY", "PIPELINING", "EXPIRE", "UIDL"),
        *("IMPLEMENTATION", "AUTH-RESP-CODE", "STLS", "UTF8", "LANG"),
    }
)
"""What CAPA may tell, as far as the commands are allowed: IANA's registry."""


def commands(table: dict[str, Decision]) -> dict[str, Decision]:
    """
    Read the table of commands.

    @raise ValueError: there is no such command.
    """
    for keyword in table:
        if keyword not in COMMANDS or keyword == "STLS":
            raise ValueError(f"{keyword!r} is no POP3 command, or none that can be allowed here")
    return table


@frozen
class Pop3Settings(ContentSettings):
    """What may be done with a POP3 server, and what may come from there."""

    commands: dict[str, Decision] = option(
        "What becomes of commands: 'pass', 'refuse' (answered by the gateway, the session goes on) "
        "or 'deny' (the session ends). Left out: they pass. STLS has a setting of its own.",
        {},
        read=commands,
    )
    capabilities: frozenset[str] = option(
        "What CAPA may tell a client of. What has to do with a command that is not allowed is left "
        "out in any case.",
        CAPABILITIES,
    )
    mechanisms: frozenset[str] = options.mechanisms("AUTH")
    users: re.Pattern[str] = options.users()
    stls: Literal["refuse", "inspect", "require"] = option(
        "TLS within the session (STLS): it is refused, and CAPA does not tell of it; or it is "
        "spoken with the gateway, which speaks it with the server, so that all is inspected as "
        "before. 'require' is 'inspect', and nobody logs in without.",
        "refuse",
        needs_root=INSPECTED,
    )
    implicit: bool = implicit(995)
    tls: Encryption = encryption()
    banner: str | None = option(
        "The text of the greeting, in place of the server's; its timestamp stays, if clients may "
        "use it (APOP).",
        None,
    )
    refused: Literal["message", "error"] = option(
        "What a client gets in place of a message that is refused: a message that says so, or an "
        "error, at which many clients stop, and don't get those behind it either.",
        "message",
        precedent="Zorp's reject_by_mail",
    )
    bare_newline: Literal["deny", "repair"] = option(
        "What becomes of a message with a CR or LF that is not part of a CRLF, or a NUL: it is "
        "refused, or they are made CRLF, and NULs left out. Neither way can they end the message.",
        "repair",
    )
    stack: str = option(
        "The service whose inspector every message has to pass. Empty: none.",
        "",
        names_service=True,
    )
    message_bytes: int = option("The largest message. 0: no limit.", 0, unit="bytes", minimum=0)
    line_bytes: int = option(
        "The longest line of a message. The standard says 998; mail that is kept has longer ones.",
        65536,
        unit="bytes",
        minimum=998,
        maximum=1048576,
    )
    listing_bytes: int = option(
        "The longest list of messages.", 16777216, unit="bytes", minimum=1024
    )
    command_bytes: int = option(
        "The longest command. The standard says 253 (RFC 2449, section 4).",
        1024,
        unit="bytes",
        minimum=64,
        maximum=65536,
        precedent="dovecot's login process",
    )
    user_bytes: int = option(
        "The longest user name.", 320, unit="bytes", minimum=1, precedent="a mail address"
    )
    password_bytes: int = option("The longest password.", 512, unit="bytes", minimum=1)
    auth_bytes: int = auth_bytes()
    auth_lines: int = options.auth_lines("Zorp's max_authline_count: 4")
    reply_bytes: int = option(
        "The longest answer of one line. The standard says 510.",
        1024,
        unit="bytes",
        minimum=64,
        maximum=65536,
    )
    errors: int = options.errors()
    login_seconds: float = options.login_seconds()
    command_seconds: float = option(
        "A client that is logged in and says nothing for so long is told goodbye. 0: never.",
        600.0,
        unit="seconds",
        minimum=0,
        in_silence=True,
        precedent="RFC 1939, section 3: ten minutes at least",
    )
    reply_seconds: float = options.reply_seconds()

    @property
    def speaks_tls(self) -> bool:
        """Whether a client may ask for TLS."""
        return self.stls in INSPECTED and not self.implicit

    @property
    def waits(self) -> bool:
        """Whether a message is held until it is judged, as far as there is room."""
        return self.judges or bool(self.stack) or self.bare_newline == "deny"
