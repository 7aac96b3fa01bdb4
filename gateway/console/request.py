"""What somebody asks of the console, and what he is answered: no sockets, no Twisted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

PLAIN = "text/plain; charset=utf-8"
JSON = "application/json"

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "; ".join(
        (
            *("default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'"),
            *("connect-src 'self'", "base-uri 'none'", "form-action 'none'"),
            *("frame-ancestors 'none'", "require-trusted-types-for 'script'"),
            "trusted-types 'none'",
        )
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
"""Of every answer. Nothing comes from elsewhere, nothing is shown elsewhere, nothing is kept."""


@frozen
class Visit:
    """
    A request, as far as the console looks at it.

    @ivar peer: the address that it comes from.
    @ivar local: the address that it came to.
    @ivar names: the names in its certificate, which has been verified.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    """By their names in small letters. One that came twice is not among them."""

    body: bytes = field(default=b"", repr=False)
    peer: str = ""
    local: str = ""
    secure: bool = False
    names: frozenset[str] = frozenset()

    def cookie(self, name: str) -> str:
        """The value of a cookie; empty if it is not there, or twice."""
        pairs = [one.strip().partition("=") for one in self.headers.get("cookie", "").split(";")]
        found = [value for key, _, value in pairs if key == name]
        return found[0] if len(found) == 1 else ""

    def object(self) -> dict[str, Any]:
        """
        The JSON object that it brings.

        @raise Refusing: it brings none.
        """
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != JSON:
            raise Refusing(415, f"the body must be {JSON}")
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            raise Refusing(400, "the body is not JSON") from None
        if not isinstance(value, dict):
            raise Refusing(400, "the body must be a JSON object")
        return value


@frozen
class Told:
    """An answer."""

    status: int
    kind: str = PLAIN
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = {}


class Refusing(Exception):
    """The request gets no other answer than this."""

    def __init__(self, status: int, why: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(why)
        self.told = Told(status, JSON, as_json({"problem": why}), headers or {})


def as_json(value: object) -> bytes:
    """JSON on one line. Everything beyond ASCII is escaped."""
    return json.dumps(value, separators=(",", ":")).encode()


def answer(value: object) -> Told:
    """All went well."""
    return Told(200, JSON, as_json(value))
