"""What the operator says in the C{[imap]} table."""

from __future__ import annotations

import re
from typing import Literal

from attrs import frozen

from gateway.inspector import option
from protocols.imap.access import MailboxRule
from protocols.imap.command import COMMANDS
from protocols.mailbox import options
from protocols.mailbox.options import INSPECTED, Decision
from protocols.mime.settings import ContentSettings
from protocols.options import auth_bytes, encryption, implicit
from protocols.tls.encryption import Encryption

CAPABILITIES = frozenset(
    {
        *("IMAP4REV1", "IMAP4REV2", "LITERAL+", "LITERAL-", "LOGINDISABLED", "STARTTLS", "SASL-IR"),
        *("AUTH=", "ID", "ENABLE", "IDLE", "NAMESPACE", "UIDPLUS", "UNSELECT", "CHILDREN", "MOVE"),
        *("LIST-EXTENDED", "LIST-STATUS", "LIST-MYRIGHTS", "SPECIAL-USE", "CREATE-SPECIAL-USE"),
        *("CONDSTORE", "QRESYNC", "ESEARCH", "SEARCHRES", "WITHIN", "SORT", "SORT=DISPLAY"),
        *("ESORT", "THREAD=", "BINARY", "UTF8=ACCEPT", "UTF8=ONLY", "STATUS=SIZE", "SAVEDATE"),
        *("OBJECTID", "PREVIEW", "PREVIEW=FUZZY", "QUOTA", "QUOTA=", "QUOTASET", "ACL", "RIGHTS="),
        *("METADATA", "METADATA-SERVER", "APPENDLIMIT", "APPENDLIMIT=", "I18NLEVEL=1"),
        *("INPROGRESS", "SEARCH=FUZZY"),
    }
)
"""
What is understood of IANA's registry; a name that ends in "=" stands for all that begin so.
"""


def commands(table: dict[str, Decision]) -> dict[str, Decision]:
    """
    Read the table of commands.

    @raise ValueError: there is no such command.
    """
    for name in table:
        if name not in COMMANDS or name in ("STARTTLS", "CAPABILITY") or " " in name:
            raise ValueError(f"{name!r} is no IMAP command, or none that can be allowed here")
    return table


def capabilities(names: frozenset[str]) -> frozenset[str]:
    """
    Read names of capabilities.

    @raise ValueError: one is not understood.
    """
    names = frozenset(name.upper() for name in names)
    for name in names:
        if name not in CAPABILITIES and name.partition("=")[0] + "=" not in CAPABILITIES:
            raise ValueError(f"{name!r} is no capability that is understood here")
    return names


@frozen
class ImapSettings(ContentSettings):
    """What may be done with an IMAP server, and what may come from there."""

    commands: dict[str, Decision] = option(
        "What becomes of commands: 'pass', 'refuse' (answered by the gateway, the session goes on) "
        "or 'deny' (the session ends). Left out: they pass. MOVE is UID MOVE too, and so on. "
        "STARTTLS has a setting of its own.",
        {},
        read=commands,
    )
    capabilities: frozenset[str] = option(
        'What clients may hear that the server can; a name that ends in "=" stands for all that '
        "begin so. What has to do with a command that is not allowed is left out in any case.",
        CAPABILITIES,
        read=capabilities,
    )
    mechanisms: frozenset[str] = options.mechanisms("AUTHENTICATE")
    users: re.Pattern[str] = options.users()
    mailboxes: tuple[MailboxRule, ...] = option(
        "Which mailboxes may be used, and for what; the first rule that matches counts, and what "
        "none matches may be used for anything.",
        (),
    )
    read_only: Literal["examine", "refuse"] = option(
        "What becomes of SELECT for a mailbox that may only be read: it becomes EXAMINE, or is "
        "refused.",
        "examine",
    )
    starttls: Literal["refuse", "inspect", "require"] = option(
        "TLS within the session: it is refused, and no capability tells of it; or it is spoken "
        "with the gateway, which speaks it with the server, so that all is inspected as before. "
        "'require' is 'inspect', and nobody logs in without.",
        "refuse",
        needs_root=INSPECTED,
    )
    implicit: bool = implicit(993)
    tls: Encryption = encryption()
    preauth: bool = option(
        "A server may say in its greeting that its client has logged in already (PREAUTH). Then "
        "nobody asks for TLS any more, which an attacker may want.",
        False,
    )
    banner: str | None = option("The text of the greeting, in place of the server's.", None)
    refused: Literal["message", "error"] = option(
        "What a client gets in place of a message that is refused: a message that says so, or "
        "nothing, and NO for an answer to its FETCH.",
        "message",
        precedent="Zorp's reject_by_mail, for POP3",
    )
    bare_newline: Literal["deny", "repair"] = option(
        "What becomes of a message with a CR or LF that is not part of a CRLF, or a NUL, where "
        "messages are examined: it is refused, or they are made CRLF, and NULs left out.",
        "repair",
    )
    stack: str = option(
        "The service whose inspector every message has to pass that is fetched or appended. "
        "Empty: none.",
        "",
        names_service=True,
    )
    hold_bytes: int = option(
        "How much of a message waits here until it is judged, if anything judges it. Of one that "
        "is larger, parts can't be fetched, and it is not changed: what would be, or is refused "
        "late, costs the session.",
        1048576,
        unit="bytes",
        minimum=0,
        maximum=67108864,
    )
    message_bytes: int = option(
        "The largest message, or literal of one. 0: no limit.",
        157286400,
        unit="bytes",
        minimum=0,
        precedent="Exchange Online: 150 MB at most",
    )
    line_bytes: int = option(
        "The longest line of a message, where messages are examined. The standard says 998; mail "
        "that is kept has longer ones.",
        65536,
        unit="bytes",
        minimum=998,
        maximum=1048576,
    )
    tag_bytes: int = option(
        "The longest tag of a command.", 64, unit="bytes", minimum=1, maximum=1024
    )
    login_bytes: int = option(
        "The longest command before the login, its literals included.",
        1024,
        unit="bytes",
        minimum=64,
        maximum=65536,
        precedent="dovecot's login process",
    )
    command_bytes: int = option(
        "The longest command after it, its literals included, but for the message of APPEND.",
        65536,
        unit="bytes",
        minimum=1024,
        maximum=1048576,
        precedent="dovecot: imap_max_line_length",
    )
    auth_bytes: int = auth_bytes()
    auth_lines: int = options.auth_lines("Zorp's max_authline_count, for POP3: 4")
    response_bytes: int = option(
        "The longest answer of the server, its literals included, but for sections of messages.",
        1048576,
        unit="bytes",
        minimum=1024,
        maximum=67108864,
        precedent="imaplib: 1,000,000 for a line",
    )
    depth: int = option(
        "How deep lists may be in each other, in commands and answers.",
        100,
        minimum=10,
        maximum=200,
        precedent="Postfix: mime_nesting_limit",
    )
    values: int = option(
        "How many words, strings and lists a command or an answer may have; for results of SEARCH, "
        "SORT and THREAD that are nothing but numbers, response_bytes is enough.",
        50000,
        minimum=1000,
        precedent="what BODYSTRUCTURE says of a message with parts_per_message parts",
    )
    errors: int = options.errors()
    login_seconds: float = options.login_seconds()
    command_seconds: float = option(
        "A client that is logged in and says nothing for so long, in IDLE or not, is told goodbye. "
        "0: never.",
        1860.0,
        unit="seconds",
        minimum=0,
        in_silence=True,
        precedent="RFC 9051, section 5.4: half an hour at least",
    )
    reply_seconds: float = options.reply_seconds()

    @property
    def speaks_tls(self) -> bool:
        """Whether a client may ask for TLS."""
        return self.starttls in INSPECTED and not self.implicit

    @property
    def examines(self) -> bool:
        """Whether messages are looked into."""
        return self.judges or bool(self.stack)
