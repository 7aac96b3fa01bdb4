"""
Envelope: what a stacked body belongs to.

One frozen object, the same for all protocols: what a scanner is told beside the bytes. All text
is what peers said, decoded as their protocol does it; nothing of it may become the name of
anything (a file, a field of a record).
"""

from __future__ import annotations

from typing import Literal

from attrs import frozen

Direction = Literal["upload", "download"]
"""C{"upload"}: to the server; C{"download"}: to the client."""

Fields = tuple[tuple[str, str], ...]
"""Names and values, in their order."""


@frozen
class HttpEnvelope:
    """
    A body of HTTP.

    @ivar url: absolute, as far as that is known.
    @ivar status: of the response; 0 if the body is the request's.
    @ivar request: headers of the request, without those that only tell where its body ends.
    @ivar response: likewise of the response; empty if the body is the request's.
    """

    method: str
    url: str
    version: str = "1.1"
    status: int = 0
    reason: str = ""
    request: Fields = ()
    response: Fields = ()


@frozen
class FtpEnvelope:
    """
    A file of FTP.

    @ivar command: what is done with it: C{"RETR"}, C{"STOR"}, …
    @ivar path: as the server knows it.
    @ivar offset: where in the file its bytes begin.
    """

    command: str
    path: str
    offset: int = 0


@frozen
class SmtpEnvelope:
    """
    A message of SMTP.

    @ivar helo: what the client called itself.
    @ivar sender: the reverse-path, without brackets; empty for bounces.
    @ivar recipients: those whom the server has accepted.
    """

    helo: str
    sender: str
    recipients: tuple[str, ...]


@frozen
class Addressed:
    """
    Somebody in an envelope of a mail.

    @ivar address: without brackets.
    @ivar parameters: as SMTP has them behind it.
    """

    address: str
    parameters: str = ""


@frozen
class Readdressed:
    """
    What an envelope of a mail is to be.

    @ivar sender: the new one; C{None}: as it was.
    @ivar added: recipients that it had not.
    @ivar removed: those that it is not to have, as it has them.
    """

    sender: Addressed | None = None
    added: tuple[Addressed, ...] = ()
    removed: tuple[str, ...] = ()


@frozen
class Envelope:
    """
    What a body belongs to.

    @ivar protocol: C{"http"}, C{"ftp"}, C{"smtp"}, or that of another inspector.
    @ivar user: who sends or gets it, if that is known.
    @ivar filename: its last part only: never a path; empty if it has none.
    @ivar media_type: what its sender says that it is; in small letters, without parameters.
    @ivar size: what its sender says; C{None} if that is not known.
    @ivar coding: how it is compressed, as its sender says: C{"gzip"}, C{"br"}; several in the order
        in which they were applied, with commas; empty if it is not.
    @ivar told: its receiver is told while it waits, so that it needs no first bytes of it.
    """

    protocol: str = ""
    direction: Direction = "upload"
    user: str = ""
    filename: str = ""
    media_type: str = ""
    size: int | None = None
    coding: str = ""
    told: bool = False
    http: HttpEnvelope | None = None
    ftp: FtpEnvelope | None = None
    smtp: SmtpEnvelope | None = None


NO_ENVELOPE = Envelope()
"""Of a body of which nothing is known."""
