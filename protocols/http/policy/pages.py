"""Pages: what a client reads that was refused, in a form that it can use."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Mapping
from html import escape
from http import HTTPStatus
from typing import Any

from attrs import field, frozen

from gateway.inspector import option
from protocols.http.decision import Page
from protocols.http.message import Field, Request
from protocols.http.policy.headers import Values, read_values

PLACES = ("status", "phrase", "message", "method", "host", "url")
"""What a template may have in it, with a "$" before."""

MESSAGES: Mapping[int, str] = {
    400: "The gateway could not understand what your program sent.",
    401: "Please say who you are.",
    403: "The policy of this network does not allow this.",
    408: "Your program took too long to ask.",
    413: "What your program sent is larger than this network allows.",
    414: "The address is longer than this network allows.",
    415: "What your program sent is of a kind that this network does not allow.",
    417: "Your program expects what this gateway does not offer.",
    421: "The address does not belong to the server that your program has connected to.",
    431: "What your program sent along with its request is larger than this network allows.",
    502: "The server's answer was not acceptable.",
    503: "The server could not be reached.",
    504: "The server took too long to answer.",
}
"""What clients read by default. None of it tells how the gateway is configured."""

OTHERWISE = "The gateway did not let this pass."

HTML = """\
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>$status $phrase</title></head>
<body>
<h1>$phrase</h1>
<p>$message</p>
<p><small>$method $host$url</small></p>
</body>
</html>
"""

TEXT = "$status $phrase\n\n$message\n"

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

_QUALITY = re.compile(r"q\s*=\s*([01](?:\.[0-9]{0,3})?)", re.IGNORECASE)


_OWN = frozenset({"content-type", "cache-control"})
"""Headers of every page."""


def read_page_headers(values: Mapping[str, str | tuple[str, ...]]) -> Values:
    """
    Headers of pages.

    @raise ValueError: one can't be set, or is the page's own.
    """
    for name in values:
        if name.lower() in _OWN:
            raise ValueError(f'"{name}" is the page\'s own')
    return read_values(values)


class Template(string.Template):
    """A page with places to be filled in: see L{PLACES}."""


def read_template(file: Any) -> Template:
    """
    Read a file.

    @param file: a L{NamedFile<gateway.policy.files.NamedFile>}, told what is wrong.
    """
    try:
        text = file.content.decode()
    except UnicodeDecodeError as error:
        file.complain("not UTF-8", file.content.count(b"\n", 0, error.start) + 1)
        return Template("")
    for found in Template.pattern.finditer(text):
        name = found["named"] or found["braced"]
        if found["escaped"] is None and name not in PLACES:
            known = ", ".join(f"${each}" for each in PLACES)
            wrong = f"{found[0]} is none of {known}; a dollar sign is $$"
            start = found.start()
            column = start - text.rfind("\n", 0, start)
            file.complain(wrong, text.count("\n", 0, start) + 1, column)
    return Template(text)


@frozen
class Pages:
    """The table C{[http.pages]}."""

    html: Template | None = option(
        "A page for browsers. In it, $status, $phrase, $message, $method, $host and $url are "
        "filled in, escaped.",
        None,
        file=read_template,
    )
    text: Template | None = option(
        "A page for programs that want plain text; with the same places.",
        None,
        file=read_template,
    )
    headers: Values = option(
        "More headers of what the gateway answers: a value, or an array of values.",
        {},
        read=read_page_headers,
        precedent="Zorp's error_headers",
    )
    details: bool = option(
        "Whether clients read why the gateway refused, in the words of the audit record. They may "
        "tell how it is configured.",
        False,
        precedent="Zorp's manual recommends not to",
    )

    _fields: tuple[Field, ...] = field(init=False, repr=False, eq=False)

    @_fields.default
    def _header_fields(self) -> tuple[Field, ...]:
        return tuple((name, each) for name, values in self.headers.items() for each in values)

    def page(
        self,
        status: int,
        request: Request | None,
        message: str = "",
        html: Template | None = None,
        reason: str = "",
        about: int = 0,
    ) -> Page:
        """
        What the client reads.

        @param message: empty: what fits the status.
        @param html: a template for this page alone.
        @param reason: of the audit record.
        @param about: the status that the words fit, if it is another one.
        """
        fitting = MESSAGES.get(about or status, OTHERWISE)
        said = message or (reason if self.details and reason else fitting)
        values = _values(status, said, request)
        form = wanted(request)
        if form in _JSON:
            return Page(form, _json(status, said), self._fields)
        if form == "text/html":
            values = {name: escape(value) for name, value in values.items()}
            template = html or self.html or Template(HTML)
        else:
            template = self.text or Template(TEXT)
        content = template.substitute(values).encode("utf-8", "replace")
        return Page(f"{form}; charset=utf-8", content, self._fields)


def _values(status: int, message: str, request: Request | None) -> dict[str, str]:
    asked = (request.method, request.host, request.target.text) if request else ("", "", "")
    values = (str(status), phrase(status), message, *asked)
    return {name: _CONTROL.sub("", value) for name, value in zip(PLACES, values, strict=True)}


def phrase(status: int) -> str:
    """What HTTP calls a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Refused"


def _json(status: int, message: str) -> bytes:
    """As RFC 9457 has it; which is good JSON for those who have not read it."""
    problem = {"type": "about:blank", "title": phrase(status), "status": status, "detail": message}
    return json.dumps(problem).encode() + b"\n"


_JSON = ("application/json", "application/problem+json")

_FORMS = ("text/html", *_JSON, "text/plain")


def wanted(request: Request | None) -> str:
    """
    Which form of a page suits the client best, by Accept (RFC 9110, section 12.5.1).

    Who names none of them, as command-line programs do, gets plain text.
    """
    best, chosen = 0.0, "text/plain"
    if request is not None:
        for member in request.headers.members("accept"):
            form, _, parameters = member.partition(";")
            found = _QUALITY.search(parameters)
            quality = float(found[1]) if found else 1.0
            if form.strip().lower() in _FORMS and quality > best:
                best, chosen = quality, form.strip().lower()
    return chosen
