"""What a stacked service is told of the message that a body belongs to."""

from __future__ import annotations

import re
from urllib.parse import unquote

from gateway.envelope import Envelope, Fields, HttpEnvelope
from protocols.http.coding import coding_of
from protocols.http.http1.framing import Framing, Kind
from protocols.http.message import FRAMING, Form, Request, Response

_FILENAME = re.compile(r';\s*filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))', re.IGNORECASE)
"""RFC 6266. The form with a charset (C{filename*}) is the same name in other letters."""

_LONGEST = 255
"""Letters of a file's name, as file systems have it."""


PORTS = {"http": 80, "https": 443}
"""Those that an address need not name."""


def envelope_of(
    message: Request | Response, user: str, framing: Framing, protected: bool
) -> Envelope:
    """
    @param message: as it leaves.
    @param user: who asks, if that is known.
    @param framing: of the body, as it comes.
    @param protected: the client speaks TLS.
    """
    headers = message.headers
    return Envelope(
        protocol="http",
        direction="upload" if isinstance(message, Request) else "download",
        user=user,
        filename=_filename(message),
        media_type=(headers.get("content-type") or "").partition(";")[0].strip(" \t").lower(),
        size=framing.length if framing.kind is Kind.LENGTH else None,
        coding=coding_of(headers),
        http=_http(message, "https" if protected else "http"),
    )


def _http(message: Request | Response, scheme: str) -> HttpEnvelope:
    if isinstance(message, Request):
        return HttpEnvelope(
            message.method, _url(message, scheme), message.version, request=_fields(message)
        )
    request = message.request
    return HttpEnvelope(
        request.method,
        _url(request, scheme),
        message.version,
        message.status,
        message.reason,
        _fields(request),
        _fields(message),
    )


def _fields(message: Request | Response) -> Fields:
    return message.headers.only(lambda name: name.lower() not in FRAMING).fields


def _url(request: Request, scheme: str) -> str:
    if request.target.form is not Form.ORIGIN or not request.host:
        return request.target.text
    host = f"[{request.host}]" if ":" in request.host else request.host
    port = f":{request.port}" if request.port not in (None, PORTS[scheme]) else ""
    return f"{scheme}://{host}{port}{request.target.text}"


def _filename(message: Request | Response) -> str:
    """By Content-Disposition, or the last part of the path."""
    said = _FILENAME.search(message.headers.get("content-disposition") or "")
    if said is not None:
        name = said[1] if said[1] is not None else said[2]
        name = re.sub(r"\\(.)", r"\1", name)
    else:
        request = message if isinstance(message, Request) else message.request
        name = unquote(request.target.path, "utf-8", "replace")
    return re.split(r"[/\\]", name)[-1][:_LONGEST]
