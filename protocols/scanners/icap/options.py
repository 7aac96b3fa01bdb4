"""Options: what a service has said of itself (RFC 3507, section 4.10)."""

from __future__ import annotations

import re

from attrs import frozen

from protocols.http.message import Headers
from protocols.scanners.fault import ScannerFault
from protocols.scanners.icap.answer import Head

TTL = 3600
"""Seconds, if it does not say."""

_NUMBER = re.compile("[0-9]{1,9}")

OK = 200

EVERY = "*"
"""In place of an extension: those that no other list has."""


@frozen
class Options:
    """
    What a service can do.

    @ivar methods: the modes that it has.
    @ivar preview: bytes of a body that it wants to see first; C{None}: it wants all at once.
    @ivar begun: extensions of files of which it wants a preview; "*": of all others.
    @ivar whole: extensions of files that it wants without one; likewise.
    @ivar connections: so many it takes; 0: it does not say.
    @ivar tag: changes when its answers may.
    @ivar service: what it calls itself.
    @ivar until: they hold, by the clock of records.
    """

    methods: frozenset[str]
    preview: int | None
    begun: frozenset[str]
    whole: frozenset[str]
    connections: int
    tag: str
    service: str
    until: float

    def preview_of(self, name: str, size: int) -> int | None:
        """Bytes of a file that are its preview; C{None}: it is sent at once."""
        extension = name.rpartition(".")[2].lower() if "." in name else ""
        if self.preview is None or not size or extension in self.whole:
            return None
        if EVERY in self.whole and extension not in self.begun:
            return None
        return min(self.preview, size)


def options(head: Head, now: float) -> Options:
    """
    @param head: of the answer to OPTIONS.
    @param now: by the clock of records.
    @raise ScannerFault: it is none, or what it says can't be understood.
    """
    if head.status != OK:
        raise ScannerFault(f"ICAP: OPTIONS was answered {head.status} {head.reason}")
    headers = head.headers
    ttl = _number(headers, "options-ttl")
    return Options(
        methods=frozenset(each.upper() for each in headers.members("methods")),
        preview=_number(headers, "preview"),
        begun=_extensions(headers, "transfer-preview"),
        whole=_extensions(headers, "transfer-complete"),
        connections=_number(headers, "max-connections") or 0,
        tag=headers.get("istag") or "",
        service=headers.get("service") or "",
        until=now + (TTL if ttl is None else ttl),
    )


def _extensions(headers: Headers, name: str) -> frozenset[str]:
    return frozenset(each.lower() for each in headers.members(name))


def _number(headers: Headers, name: str) -> int | None:
    said = headers.get(name)
    if said is None:
        return None
    if _NUMBER.fullmatch(said) is None:
        raise ScannerFault(f"ICAP: {name}: {said!r}")
    return int(said)
