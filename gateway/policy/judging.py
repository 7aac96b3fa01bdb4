"""
Judging: what an inspector would decide about what a client asks for inside a connection.

A URL, a mail's envelope and the names of its attachments, a command: the operator asks for
that before it happens. Each inspector that can tell has a static method C{judge}.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol, runtime_checkable

from gateway.policy.connection import Connection
from gateway.policy.service import Service


class Asks(NamedTuple):
    """
    What a client would ask for. What is empty is not asked for.

    @ivar url: of HTTP; C{method} and C{headers} (name and value) go with it.
    @ivar sender: of a mail; C{recipients}, and the names of its C{attachments}.
    @ivar commands: lines of FTP's control connection, or of IMAP, after the login.
    """

    url: str = ""
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    sender: str | None = None
    recipients: tuple[str, ...] = ()
    attachments: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()

    @property
    def anything(self) -> bool:
        """Whether there is something to be judged."""
        return self != Asks(method=self.method, headers=self.headers)


def read_headers(written: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """
    Read C{"Name: value"}, each.

    @raise ValueError: one is not like that.
    """
    found = []
    for each in written:
        name, colon, value = each.partition(":")
        if not colon or not name.strip():
            raise ValueError(f'"{each}" is not like "Name: value"')
        found.append((name.strip(), value.strip()))
    return tuple(found)


class Judged(NamedTuple):
    """What was asked, what becomes of it, and where that is written."""

    what: str
    becomes: str
    by: str = ""

    def __str__(self) -> str:
        return f"{self.what}: {self.becomes}{f' ({self.by})' if self.by else ''}"


@runtime_checkable
class Judges(Protocol):
    """A maker of inspectors that can tell."""

    def judge(
        self, settings: Any, connection: Connection, asks: Asks
    ) -> Iterable[tuple[str, str, str]] | None:
        """
        What becomes of each thing that is asked for, as the fields of L{Judged}: C{by} is the
        name of a setting, or the place of a test. C{None}: the inspector can't tell.
        """


def judged(service: Service, connection: Connection, asks: Asks) -> list[Judged] | None:
    """What a service's inspector would decide; C{None} if it can't tell."""
    maker: Any = service.maker
    if not isinstance(maker, Judges):
        return None
    found = maker.judge(service.settings, connection, asks)
    if found is None:
        return None
    written = service.written
    return [Judged(what, becomes, written.get(by, by)) for what, becomes, by in found]
