"""
Progress: the page of a browser that waits for a file, as far as it has been written.

It is written as the file comes, and needs no script: a browser shows what it has of a page. Its
last words fetch the file, by a link that nobody else knows.
"""

from __future__ import annotations

from html import escape
from urllib.parse import quote

from protocols.http.message import Headers, Request, Response
from protocols.http.policy.pages import wanted

FOLDER = "/.tproxygw/"
"""Where links begin. No server that anybody knows has something there."""

HEAD = (
    b"HTTP/1.1 200 OK\r\n"
    b"Content-Type: text/html; charset=utf-8\r\n"
    b"Transfer-Encoding: chunked\r\n"
    b"Cache-Control: no-store\r\n"
    b"Content-Security-Policy: default-src 'none'; img-src data:; base-uri 'none'; "
    b"form-action 'none'; frame-ancestors 'none'\r\n"
    b"Referrer-Policy: no-referrer\r\n"
    b"X-Content-Type-Options: nosniff\r\n\r\n"
)
"""Nothing runs on the page, is fetched for it, or has it in a frame."""

LAST = b"0\r\n\r\n"

_BEGIN = (
    '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
    '<link rel="icon" href="data:,"></head>\n<body><h1>{name}</h1>\n'
    "<p>This file is being fetched and examined. It comes by itself when that is done.</p>\n"
)
_FETCH = '<meta http-equiv="refresh" content="0;url={link}">\n</body></html>\n'
_READY = '<p>It is ready: <a href="{link}">{name}</a></p>\n' + _FETCH
_REFUSED = "<p>It does not pass.</p>\n" + _FETCH
_BROKEN = "<p>The server has broken it off. Ask for it again.</p>\n</body></html>\n"


def suits(request: Request, response: Response) -> bool:
    """
    Whether a person waits who would read a page, and a file is what is waited for: something that
    a browser keeps, as what it shows may not do without its own address.
    """
    asked = request.headers
    return (
        request.method == "GET"
        and response.status == 200
        and request.version == response.version == "1.1"
        and wanted(request) == "text/html"
        and asked.get("upgrade-insecure-requests") == "1"  # only to go to a page
        and asked.get("sec-fetch-dest") in (None, "document")
        and asked.get("sec-fetch-mode") in (None, "navigate")
        and "range" not in asked.first
        and "x-requested-with" not in asked.first
        and _is_file(response.headers)
    )


def _is_file(headers: Headers) -> bool:
    disposition = (headers.get("content-disposition") or "").partition(";")[0]
    if disposition.strip(" \t").lower() == "attachment":
        return True
    kind = (headers.get("content-type") or "").partition(";")[0].strip(" \t").lower()
    main, _, sub = kind.partition("/")
    return main == "application" and not sub.endswith(("xml", "json", "javascript", "pdf"))


class Progress:
    """
    One page.

    @ivar link: where the file is to be had; whoever knows it may.
    """

    def __init__(self, name: str, token: str, length: int | None) -> None:
        """@param length: of the file, if that is known."""
        self.link = f"{FOLDER}{token}/{quote(name or 'download', safe='')}"
        self._name = escape(name or "download")
        self._length = length
        self._told = ""

    def begin(self) -> bytes:
        """Head and first words."""
        return HEAD + _chunk(_BEGIN.format(name=self._name))

    def more(self, size: int) -> bytes:
        """
        What is to be said when so many bytes have come; if it is nothing new, an empty line, by
        which everybody between knows that there will be more.
        """
        said = self._far(size)
        if said == self._told:
            return _chunk("\n")
        self._told = said
        return _chunk(f"<p>{said}</p>\n")

    def _far(self, size: int) -> str:
        """Of a length that nobody knows, each time that it has doubled: a page has an end."""
        if self._length:
            return f"{size * 100 // self._length} % of {_written(self._length)}"
        return f"more than {_written(1 << size.bit_length() - 1)}" if size else ""

    def ready(self) -> bytes:
        """It is there."""
        return _chunk(_READY.format(link=escape(self.link), name=self._name)) + LAST

    def refused(self) -> bytes:
        """It does not pass; why is to be had there."""
        return _chunk(_REFUSED.format(link=escape(self.link))) + LAST

    def broken(self) -> bytes:
        """It will not be there."""
        return _chunk(_BROKEN) + LAST


def _chunk(text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    return b"%x\r\n%b\r\n" % (len(data), data)


def _written(size: int) -> str:
    return f"{size / 1048576:.1f} MiB" if size >= 1048576 else f"{size / 1024:.0f} KiB"
