"""Requests: what a server is asked, and how a body is sent."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import quote

from attrs import frozen

from gateway.envelope import Envelope, Fields, HttpEnvelope
from gateway.interfaces import Address

LAST = b"0\r\n\r\n"
"""The chunk that ends a body, or the preview of one that goes on."""

WHOLE = b"0; ieof\r\n\r\n"
"""The chunk that ends a preview which is the whole body (RFC 3507, section 4.5)."""


def chunk(block: bytes) -> bytes:
    """A piece of a body. It must not be empty: that would be the end."""
    return b"%x\r\n%b\r\n" % (len(block), block)


@frozen
class Asked:
    """
    Whom to ask.

    @ivar host: as the policy writes it.
    @ivar service: the path of it, without the first slash.
    """

    host: str
    service: str

    def head(self, method: str, *lines: str) -> str:
        """The head of a request, all but the empty line."""
        host = "localhost" if self.host.startswith("/") else self.host
        first = f"{method} icap://{host}/{self.service} ICAP/1.0\r\nHost: {host}\r\n"
        return first + "".join(f"{line}\r\n" for line in lines)

    def options(self) -> bytes:
        """Ask what it can do."""
        return (self.head("OPTIONS", "Encapsulated: null-body=0") + "\r\n").encode("latin-1")


def mode(envelope: Envelope) -> str:
    """The method that fits a body: it is a request's, or a response's."""
    return "RESPMOD" if envelope.direction == "download" else "REQMOD"


def about(client: Address | None, user: str) -> list[str]:
    """Header lines about who sends or gets the body."""
    lines = [] if client is None else [f"X-Client-IP: {client.host}"]
    if user:
        lines.append(f"X-Authenticated-User: {b64encode(f'Local://{user}'.encode()).decode()}")
    return lines


def encapsulated(envelope: Envelope, host: str, size: int) -> tuple[str, bytes]:
    """
    The message that a body belongs to. Of what is no HTTP, one is made up: services know no other.

    @param host: the server's.
    @param size: of the body, as far as it is sent.
    @return: the value of C{Encapsulated}, and the heads.
    """
    http = envelope.http or _made_up(envelope, host)
    request = _head(f"{http.method} {http.url} HTTP/{http.version}", http.request)
    body = "null-body"
    if envelope.direction == "upload":
        if size:
            body = "req-body"
            request += f"Content-Length: {size}\r\n"
        heads = (request + "\r\n").encode("latin-1", "replace")
        return f"req-hdr=0, {body}={len(heads)}", heads
    first = (request + "\r\n").encode("latin-1", "replace")
    response = _head(f"HTTP/{http.version} {http.status} {http.reason}", http.response)
    if size:
        body = "res-body"
        response += f"Content-Length: {size}\r\n"
    heads = first + (response + "\r\n").encode("latin-1", "replace")
    return f"req-hdr=0, res-hdr={len(first)}, {body}={len(heads)}", heads


def _head(line: str, fields: Fields) -> str:
    return "".join((line, "\r\n", *(f"{name}: {value}\r\n" for name, value in fields)))


def _made_up(envelope: Envelope, host: str) -> HttpEnvelope:
    """A file of FTP is put or got; a message is posted."""
    upload = envelope.direction == "upload"
    name = envelope.filename or "message"
    if envelope.ftp is not None:
        name = envelope.ftp.path.lstrip("/") or name
    protocol = envelope.protocol or "http"
    host = f"[{host}]" if ":" in host else host
    type_ = envelope.media_type or "application/octet-stream"
    told = (("Content-Type", type_),)
    return HttpEnvelope(
        "PUT" if upload else "GET",
        f"{protocol}://{host}/{quote(name)}",
        status=0 if upload else 200,
        reason="" if upload else "OK",
        request=(("Host", host), *(told if upload else ())),
        response=() if upload else told,
    )
