"""
Whois (RFC 3912): who holds a domain or an address.

The client sends one line, the server answers with text and closes. The server
is not connected to before the query is allowed. Of the answer, only what a
terminal can show safely passes.
"""

from __future__ import annotations

import re

from attrs import frozen

from gateway.inspector import Reader, StreamInspector, option, pattern
from gateway.interfaces import SERVER, Denied
from protocols.text import Charset, pass_text

# RFC 3912 has no grammar: a query is what the server understands. What no server needs are
# characters that nobody can see.
_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f-\x9f]*")


@frozen
class WhoisSettings:
    """What may be asked, and how long question and answer may be."""

    queries: re.Pattern[str] = option(
        "Which queries are allowed: a regular expression for the whole line.",
        re.compile(r".+"),
        read=pattern,
    )
    charset: Charset = option(
        "The character set of queries and answers; RFC 3912, section 4, leaves it open.",
        "utf-8",
    )
    query_bytes: int = option(
        "The longest query.",
        512,
        unit="bytes",
        minimum=1,
        precedent="SMTP's command line",
    )
    answer_bytes: int = option(
        "The longest answer; the rest is cut off.", 1048576, unit="bytes", minimum=1
    )


class WhoisInspector(StreamInspector):
    """One query, one answer."""

    Settings = WhoisSettings

    def started(self) -> None:
        """Nothing to connect for yet."""

    async def from_client(self, read: Reader) -> None:
        """Read the query; if it is allowed, connect and ask it."""
        settings: WhoisSettings = self.session.settings
        try:
            query = _query(await read.line(settings.query_bytes), settings.charset)
        except Denied as denied:
            raise Denied(denied.reason, b"% That is not a whois query.\r\n") from None
        self._decide(query, settings)
        self.session.connect()
        self.session.send(SERVER, query.encode(settings.charset) + b"\r\n")

    async def from_server(self, read: Reader) -> None:
        """Pass the readable part of the answer."""
        settings: WhoisSettings = self.session.settings
        cut_off = b"\r\n% The rest of the answer was cut off.\r\n"
        await pass_text(self.session, read, settings.charset, settings.answer_bytes, cut_off)

    def _decide(self, query: str, settings: WhoisSettings) -> None:
        """
        Write the audit record.

        @raise Denied: the policy does not allow this query.
        """
        try:
            _check(query, settings)
        except Denied as denied:
            gateway = {"verdict": "denied", "reason": denied.reason}
            self.session.record("whois", gateway, denied.by, query=query)
            raise
        self.session.record("whois", {"verdict": "passed"}, query=query)


def _check(query: str, settings: WhoisSettings) -> None:
    """@raise Denied: the settings do not allow this query."""
    if not settings.queries.fullmatch(query):
        reason = f"the query {query!r} is not allowed"
        raise Denied(reason, b"% This query is not allowed.\r\n", "queries")


def _query(line: bytes, charset: Charset) -> str:
    """
    A query as text.

    @raise Denied: it is not in the character set, or has control characters.
    """
    try:
        query = line.decode(charset)
    except UnicodeDecodeError:
        raise Denied(f"the whois query {line!r} is not {charset} (setting 'charset')") from None
    if not _PRINTABLE.fullmatch(query):
        raise Denied(f"the whois query {line!r} has control characters")
    return query
