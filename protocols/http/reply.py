"""Replies: what the gateway itself says to the client, in the server's place."""

from __future__ import annotations

from email.utils import formatdate
from html import escape
from http import HTTPStatus

from protocols.http.decision import Page
from protocols.http.message import Field, Headers, Request

_PHRASES = {status.value: status.phrase for status in HTTPStatus}


def reply(
    status: int,
    page: Page,
    request: Request | None,
    date: float,
    close: bool = True,
    headers: tuple[Field, ...] = (),
) -> bytes:
    """
    Head and content.

    @param request: what it answers; C{None} if that could not be understood.
    @param date: now, in seconds since the epoch (RFC 9110, section 6.6.1).
    @param close: whether the connection ends with it.
    """
    fields = [
        ("Date", formatdate(date, usegmt=True)),
        *headers,
        ("Content-Type", page.type),
        ("Content-Length", str(len(page.content))),
        ("Cache-Control", "no-store"),
        *page.headers,
        *[("Connection", "close")] * close,
    ]
    lines = Headers(fields).lines()
    head = f"HTTP/1.1 {status} {_PHRASES.get(status, 'Refused')}\r\n{lines}\r\n"
    hidden = request is not None and request.method == "HEAD"
    return head.encode("latin-1") + (b"" if hidden else page.content)


def plain_page(status: int, reason: str) -> Page:
    """A page for people that says no more than it has to."""
    phrase = escape(_PHRASES.get(status, "Refused"))
    text = (
        f"<!DOCTYPE html>\n<html lang=en><meta charset=utf-8><title>{phrase}</title>\n"
        f"<h1>{status} {phrase}</h1>\n<p>{escape(reason)}</p>\n</html>\n"
    )
    return Page("text/html; charset=utf-8", text.encode("utf-8", "replace"))
