"""
Whois (RFC 3912): who holds a domain or an address.

One question, one answer: see L{protocols.question}.
"""

from __future__ import annotations

import re
from typing import Any

from attrs import frozen

from gateway.inspector import option, pattern
from gateway.interfaces import Denied
from protocols.question import QuestionInspector, QuestionSettings
from protocols.text import Charset

# RFC 3912 has no grammar: a query is what the server understands. What no server needs are
# characters that nobody can see.
_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f-\x9f]*")


@frozen
class WhoisSettings(QuestionSettings):
    """What may be asked."""

    queries: re.Pattern[str] = option(
        "Which queries are allowed: a regular expression for the whole line.",
        re.compile(r".+"),
        read=pattern,
    )
    charset: Charset = option(
        "The character set of queries and answers; RFC 3912, section 4, leaves it open.",
        "utf-8",
    )
    answer_bytes: int = option(
        "The longest answer; the rest is cut off.", 1048576, unit="bytes", minimum=1
    )


@frozen
class Query:
    """
    What a client asks.

    @ivar text: what the server understands; RFC 3912 has no grammar.
    @ivar charset: as which it is sent.
    """

    text: str
    charset: Charset

    def fields(self) -> dict[str, Any]:
        """For the audit record."""
        return {"query": self.text}

    def line(self) -> bytes:
        """The query as it is sent, with its CRLF."""
        return self.text.encode(self.charset) + b"\r\n"


class WhoisInspector(QuestionInspector):
    """One query, one answer."""

    Settings = WhoisSettings
    KIND = "whois"
    MARK = "% "

    @property
    def charset(self) -> Charset:
        """As the operator says."""
        found: Charset = self.session.settings.charset
        return found

    @property
    def answer_bytes(self) -> int:
        """As the operator says."""
        found: int = self.session.settings.answer_bytes
        return found

    def parse(self, line: bytes) -> Query:
        """@raise Denied: it is not in the character set, or has control characters."""
        return Query(_query(line, self.charset), self.charset)

    def check(self, question: Query) -> None:
        """@raise Denied: the settings do not allow it."""
        _check(question.text, self.session.settings)


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
