"""What the operator says in the C{[pop3]} table."""

from __future__ import annotations

import re
from typing import Literal

from attrs import Factory, frozen

from gateway.inspector import option, pattern
from protocols.mime.settings import ContentSettings
from protocols.pop3.command import COMMANDS
from protocols.tls.encryption import Encryption

ANYBODY = ".*"
"""Of C{users}: all may log in."""

Decision = Literal["pass", "refuse", "deny"]
"""For a command: it passes, it is answered by the gateway, or it ends the session."""

INSPECTED = ("inspect", "require")
"""Of C{stls}: TLS is spoken with the gateway."""

CAPABILITIES = frozenset(
    {
        *("TOP", "USER", "SASL", "RESP-CODES", "LOGIN-DELAY", "PIPELINING", "EXPIRE", "UIDL"),
        *("IMPLEMENTATION", "AUTH-RESP-CODE", "STLS", "UTF8", "LANG"),
    }
)
"""What CAPA may tell, as far as the commands are allowed: IANA's registry."""

MECHANISMS = frozenset(
    {
        *("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "OAUTHBEARER"),
        *("XOAUTH2", "ANONYMOUS", "EXTERNAL"),
    }
)
"""Those that only say who somebody is. Others may go on to encrypt the session, unseen."""


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
    mechanisms: frozenset[str] = option(
        "With which mechanisms clients may log in by AUTH. One that would encrypt the session "
        "(GSSAPI, DIGEST-MD5) is not understood.",
        MECHANISMS,
    )
    users: re.Pattern[str] = option(
        "User names that may log in: a regular expression for all of the name. Where it does not "
        "match everything, nobody logs in by a mechanism that does not say who it is.",
        re.compile(ANYBODY),
        read=pattern,
    )
    stls: Literal["refuse", "inspect", "require"] = option(
        "TLS within the session (STLS): it is refused, and CAPA does not tell of it; or it is "
        "spoken with the gateway, which speaks it with the server, so that all is inspected as "
        "before. 'require' is 'inspect', and nobody logs in without.",
        "refuse",
        needs_root=INSPECTED,
    )
    implicit: bool = option(
        "Clients speak TLS from the first byte on, as is usual on port 995. It is inspected.",
        False,
        needs_root=(True,),
    )
    tls: Encryption = option(
        "What must be agreed in TLS that is inspected, and whose servers are believed.",
        Factory(Encryption),
    )
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
    auth_bytes: int = option(
        "The longest line of an authentication (RFC 4954, section 4).",
        12288,
        unit="bytes",
        minimum=512,
        maximum=65536,
    )
    auth_lines: int = option(
        "So many lines a client may say in one authentication.",
        8,
        unit="lines",
        minimum=1,
        precedent="Zorp's max_authline_count: 4",
    )
    reply_bytes: int = option(
        "The longest answer of one line. The standard says 510.",
        1024,
        unit="bytes",
        minimum=64,
        maximum=65536,
    )
    errors: int = option(
        "How many commands in a row may be refused; then the session ends. 0: any number.",
        20,
        minimum=0,
        precedent="dovecot ends it at the 20th command that it does not know",
    )
    login_seconds: float = option(
        "Time for a client to log in. 0: no limit.",
        180.0,
        unit="seconds",
        minimum=0,
        precedent="dovecot: 3 minutes",
    )
    command_seconds: float = option(
        "A client that is logged in and says nothing for so long is told goodbye. 0: never.",
        600.0,
        unit="seconds",
        minimum=0,
        in_silence=True,
        precedent="RFC 1939, section 3: ten minutes at least",
    )
    reply_seconds: float = option(
        "A server that says nothing for so long, though it was asked, is given up. 0: never.",
        300.0,
        unit="seconds",
        minimum=0,
        in_silence=True,
        precedent="fetchmail's timeout",
    )

    @property
    def speaks_tls(self) -> bool:
        """Whether a client may ask for TLS."""
        return self.stls in INSPECTED and not self.implicit

    @property
    def waits(self) -> bool:
        """Whether a message is held until it is judged, as far as there is room."""
        return self.judges or bool(self.stack) or self.bare_newline == "deny"
