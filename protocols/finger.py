"""
Finger (RFC 1288): who is on a host, and what somebody's plans are.

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

# Section 2.3: {Q1} is "/W" and a user name, each of which may be missing; {Q2} has "@host" after
# it, as often as the query is to be forwarded. "/W" is written in both cases in the wild, and
# with spaces but no user after it.
_QUERY = re.compile(
    r"(?P<verbose>/[Ww](?: +|(?=@|$)))?"
    r"(?P<user>[!-.0-?A-~][!-?A-~]*)?"
    r"(?P<hosts>(?:@[!-?A-~]+)*)"
)

# RFC 1123, section 2.1.
_HOST = re.compile(r"(?=.{1,255}$)[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")


@frozen
class FingerSettings(QuestionSettings):
    """What may be asked."""

    users: re.Pattern[str] = option(
        "Which user names may be asked for: a regular expression for the whole name.",
        re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*"),
        read=pattern,
    )
    list_users: bool = option(
        "Whether the empty query, for everybody who is logged in, is allowed "
        "(RFC 1288, section 3.2.2).",
        False,
    )
    forwarding: bool = option(
        "Whether user@host may be asked for, which makes the server ask another host "
        "(RFC 1288, section 3.2.1).",
        False,
    )
    forwarding_hosts: int = option(
        "How many hosts a query may be forwarded through, if forwarding is allowed.",
        1,
        minimum=1,
    )
    international: bool = option(
        "Whether answers may have characters beyond ASCII, in UTF-8. Control characters never "
        "pass (RFC 1288, section 3.3).",
        False,
    )
    host_bytes: int = option(
        "The longest name of a host in a query.",
        253,
        unit="bytes",
        minimum=1,
        precedent="DNS (RFC 1035, section 2.3.4); Zorp's max_hostname_length is 30",
    )
    answer_bytes: int = option(
        "The longest answer; the rest is cut off.", 65536, unit="bytes", minimum=1
    )


@frozen
class Query:
    """
    What a client asks.

    @ivar user: empty for everybody who is logged in.
    @ivar hosts: through which hosts to forward it; the last one is asked first.
    """

    user: str = ""
    hosts: tuple[str, ...] = ()
    verbose: bool = False

    @classmethod
    def parse(cls, line: bytes) -> Query:
        """
        Read a query, without its CRLF.

        @raise Denied: it is none.
        """
        found = _QUERY.fullmatch(line.decode("latin-1"))
        if found is None:
            raise Denied(f"not a finger query: {line!r}")
        hosts = tuple(found["hosts"].split("@")[1:])
        for host in hosts:
            if not _HOST.fullmatch(host):
                raise Denied(f"not a host name in a finger query: {host!r}")
        return cls(found["user"] or "", hosts, found["verbose"] is not None)

    def fields(self) -> dict[str, Any]:
        """For the audit record."""
        return {"user": self.user, "hosts": self.hosts, "verbose": self.verbose}

    def line(self) -> bytes:
        """The query as it is sent, with its CRLF."""
        target = self.user + "".join(f"@{host}" for host in self.hosts)
        words = ["/W"] * self.verbose + [target] * bool(target)
        return " ".join(words).encode("latin-1") + b"\r\n"


class FingerInspector(QuestionInspector):
    """One query, one answer."""

    Settings = FingerSettings
    KIND = "finger"

    @property
    def charset(self) -> Charset:
        """RFC 1288 has ASCII."""
        return "utf-8" if self.session.settings.international else "ascii"

    @property
    def answer_bytes(self) -> int:
        """As the operator says."""
        found: int = self.session.settings.answer_bytes
        return found

    def parse(self, line: bytes) -> Query:
        """See L{Query.parse}."""
        return Query.parse(line)

    def check(self, question: Query) -> None:
        """@raise Denied: the settings do not allow it; the replies are the RFC's."""
        _check(question, self.session.settings)


def _check(query: Query, settings: FingerSettings) -> None:
    """@raise Denied: the settings do not allow this query; the replies are the RFC's."""
    if query.hosts and not settings.forwarding:
        raise Denied(
            f"forwarding to {query.hosts[-1]!r} is not allowed",
            b"Finger forwarding service denied\r\n",
            "forwarding",
        )
    if len(query.hosts) > settings.forwarding_hosts:
        raise Denied(
            f"forwarding through {len(query.hosts)} hosts is not allowed",
            b"Finger forwarding service denied\r\n",
            "forwarding_hosts",
        )
    if any(len(host) > settings.host_bytes for host in query.hosts):
        raise Denied(
            f"the name of a host is longer than {settings.host_bytes} bytes",
            b"Finger forwarding service denied\r\n",
            "host_bytes",
        )
    if not query.user and not settings.list_users:
        raise Denied(
            "the list of users is not allowed",
            b"Finger online user list denied\r\n",
            "list_users",
        )
    if query.user and not settings.users.fullmatch(query.user):
        raise Denied(
            f"user {query.user!r} is not allowed",
            b"That user may not be asked for.\r\n",
            "users",
        )
