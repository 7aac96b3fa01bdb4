"""What the operator says in the C{[ftp]} table."""

from __future__ import annotations

import re
from typing import Literal

from attrs import frozen

from gateway.inspector import option, pattern
from protocols.ftp.verbs import VERBS
from protocols.options import encryption, implicit
from protocols.tls.encryption import Encryption

Decision = Literal["pass", "refuse", "deny"]
"""For a command: it passes, it is answered by the gateway, or it ends the session."""

Profile = Literal[
    "read-only", "read-write", "upload-only", "anonymous-read-only", "anonymous-read-write"
]

_REPLY = re.compile(r"(?:([A-Z]{3,4}) )?([1-5][0-9]{2})")

INSPECTED = ("inspect", "require")
"""Of C{auth}: TLS is spoken with the gateway."""

FEATURES = frozenset(
    {
        *("CLNT", "EPRT", "EPSV", "HOST", "LANG", "MDTM", "MFMT", "MLSD", "MLST"),
        *("PASV", "REST", "SIZE", "TVFS", "UTF8"),
    }
)
"""What FEAT may tell, as far as the commands are allowed."""


def commands(table: dict[str, Decision]) -> dict[str, Decision]:
    """
    Read the table of commands.

    @raise ValueError: there is no such command, or it can't be allowed.
    """
    for verb in table:
        if verb not in VERBS:
            raise ValueError(f"{verb!r} is no FTP command, or none that can be allowed")
    return table


def replies(table: dict[str, Literal["pass", "deny"]]) -> dict[str, Literal["pass", "deny"]]:
    """
    Read the table of replies.

    @raise ValueError: a key is neither a code nor a command and a code.
    """
    for key in table:
        found = _REPLY.fullmatch(key)
        if found is None or (found[1] and found[1] not in VERBS):
            raise ValueError(f"{key!r} is neither a code, as '550', nor a command's, as 'RETR 550'")
    return table


@frozen
class FtpSettings:
    """What may be done with an FTP server."""

    profile: Profile = option(
        "What is allowed in general: to read files and listings; to write too; to put new files "
        "and folders, and to fetch none; with 'anonymous-' only as the user 'anonymous' or 'ftp'.",
        "read-only",
    )
    commands: dict[str, Decision] = option(
        "Exceptions from the profile, by command: 'pass', 'refuse' (answered by the gateway, "
        "the session goes on) or 'deny' (the session ends).",
        {},
        read=commands,
    )
    replies: dict[str, Literal["pass", "deny"]] = option(
        "Replies of the server that end the session ('deny'), by code ('530') or by command "
        "and code ('RETR 550'), which goes first.",
        {},
        read=replies,
    )
    features: frozenset[str] = option(
        "Which features FEAT may tell a client of. Those whose command is not allowed are left "
        "out in any case.",
        FEATURES,
    )
    site_commands: frozenset[str] = option(
        "Which commands of SITE may pass, where SITE is allowed.",
        frozenset({"CHMOD", "HELP", "UMASK", "UTIME"}),
    )
    users: re.Pattern[str] = option(
        "User names that may log in: a regular expression for all of the name.",
        re.compile(".*"),
        read=pattern,
    )
    user_servers: re.Pattern[str] | None = option(
        "Clients name the server they want in their user name, as 'joe@ftp.example' or "
        "'joe@ftp.example:2121': a regular expression for all of the server's name or address, in "
        "small letters. There has to be a rule of this service for the server's address, too. "
        "Left out: clients go where they were going.",
        None,
        read=pattern,
    )
    user_ports: frozenset[int] = option(
        "Ports that clients may name in their user name.", frozenset({21})
    )
    read_paths: re.Pattern[str] | None = option(
        "Paths that may be read or listed: a regular expression for the whole absolute path, as "
        "the server shows it. Left out: any.",
        None,
        read=pattern,
    )
    write_paths: re.Pattern[str] | None = option(
        "Paths that may be written, made, renamed or deleted, in the same way.",
        None,
        read=pattern,
    )
    data_mode: Literal["keep", "passive", "active"] = option(
        "How data connections are made with the server: as the client wants it, or always passive "
        "(to the server) or active (from the server), whatever the client does.",
        "keep",
    )
    pasv_address: Literal["deny", "server"] = option(
        "What becomes of a server that announces another address than its own (as many behind "
        "NAT do): the session ends, or its own address is used in place of the announced one. A "
        "connection to another host is never made.",
        "server",
        precedent="curl and lftp use the server's own",
    )
    active_ports: Literal["any", "data"] = option(
        "Where a server's active data connections may come from: any port of its own, or only the "
        "port below its control port, and 20.",
        "any",
    )
    virtual_hosts: re.Pattern[str] | None = option(
        "Names that HOST may ask for (RFC 7151): a regular expression for all of the name. Left "
        "out: any.",
        None,
        read=pattern,
    )
    auth: Literal["refuse", "hide", "deny", "release", "inspect", "require"] = option(
        "What a client gets that wants to encrypt (AUTH): an answer that it can't, so that it "
        "may go on without ('refuse'); the same as for a command that there is not ('hide'); the "
        "end of the session ('deny'); encryption with the server, of which nothing is "
        "inspected any more, nor are data connections let through ('release'); or TLS with the "
        "gateway, and the gateway's with the server, so that all is inspected as before "
        "('inspect'). 'require' is 'inspect', and nobody logs in without.",
        "refuse",
        needs_root=INSPECTED,
    )
    implicit: bool = implicit(990)
    data_protection: Literal["keep", "require"] = option(
        "Whether data are encrypted where control connections are: as the client wants it (PROT), "
        "or always, so that there is no transfer without.",
        "keep",
        precedent="vsftpd's force_local_data_ssl: required",
    )
    tls: Encryption = encryption()
    download_bytes: int = option(
        "The largest file or listing that may be read. 0: no limit.", 0, unit="bytes", minimum=0
    )
    upload_bytes: int = option(
        "The largest file that may be written. 0: no limit.", 0, unit="bytes", minimum=0
    )
    transfers: int = option(
        "Files and listings in one session. 0: no limit.", 0, unit="transfers", minimum=0
    )
    session_bytes: int = option(
        "All files and listings of one session together. 0: no limit.",
        0,
        unit="bytes",
        minimum=0,
    )
    login_seconds: float = option(
        "Time for a client to log in. 0: no limit.",
        300.0,
        unit="seconds",
        precedent="proftpd's TimeoutLogin",
        minimum=0,
    )
    command_seconds: float = option(
        "A client that is logged in, has no transfer and sends no command for so long is told "
        "goodbye. 0: never.",
        300.0,
        unit="seconds",
        precedent="vsftpd's idle_session_timeout",
        minimum=0,
        in_silence=True,
    )
    reply_seconds: float = option(
        "A server that does not answer a command for so long is given up. Not while data flow. "
        "0: never.",
        300.0,
        unit="seconds",
        precedent="lftp's net:timeout; curl waits for 120",
        minimum=0,
        in_silence=True,
    )
    stack_download: str | None = option(
        "The service whose inspector every file that is read has to pass. Files are sent whole "
        'then: REST is refused, unless `commands` say "pass".',
        None,
        names_service=True,
    )
    stack_upload: str | None = option(
        "The service whose inspector every file that is written has to pass. Files are sent whole "
        'then: REST and APPE are refused, unless `commands` say "pass".',
        None,
        names_service=True,
    )
    banner: str | None = option(
        "The text of the greeting, in place of the server's. It may have several lines.", None
    )
    welcome: str | None = option(
        "The text of the reply to a login, in place of the server's.", None
    )
    reply_texts: Literal["keep", "strip"] = option(
        "Whether the client gets the texts of the server's replies, or only their codes, but where "
        "the text is the answer (sizes, times, paths, features, status, help).",
        "keep",
    )
    errors: int = option(
        "How many commands in a row may be refused; then the client is answered 421. 0: any "
        "number.",
        20,
        minimum=0,
        precedent="Postfix's smtpd_hard_error_limit",
    )
    command_bytes: int = option(
        "The longest command.",
        4096,
        unit="bytes",
        precedent="vsftpd's VSFTP_MAX_COMMAND_LINE",
        minimum=64,
        maximum=65536,
    )
    path_bytes: int = option("The longest path.", 1024, unit="bytes", minimum=1)
    name_bytes: int = option(
        "The longest name in a path.",
        255,
        unit="bytes",
        precedent="Linux's NAME_MAX",
        minimum=1,
    )
    path_depth: int = option(
        "Names in a path. 0: no limit but the path's length.", 0, unit="names", minimum=0
    )
    user_bytes: int = option(
        "The longest user name.",
        128,
        unit="bytes",
        precedent="vsftpd's VSFTP_USERNAME_MAX",
        minimum=1,
    )
    password_bytes: int = option(
        "The longest password.",
        128,
        unit="bytes",
        precedent="vsftpd's VSFTP_PASSWORD_MAX",
        minimum=1,
    )
    reply_line_bytes: int = option(
        "The longest line of a reply.", 4096, unit="bytes", minimum=64, maximum=65536
    )
    reply_bytes: int = option(
        "The longest reply, of all its lines.",
        65536,
        unit="bytes",
        precedent="curl's limit for a reply's line",
        minimum=64,
        maximum=1048576,
    )

    def __attrs_post_init__(self) -> None:
        """
        Whether the settings go together.

        @raise ValueError: they don't.
        """
        if self.implicit and self.user_servers is not None:
            raise ValueError('"implicit" and "user_servers": before TLS, nobody can name a server')
        if self.data_protection == "require" and not self.speaks_tls:
            raise ValueError('"data_protection": there is no TLS with "auth" as it is')

    @property
    def speaks_tls(self) -> bool:
        """Whether clients may speak TLS with the gateway."""
        return self.implicit or self.auth in INSPECTED
