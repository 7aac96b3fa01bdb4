"""The audit record of one client's handshake, and of what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha1
from typing import Any

from attrs import define, field

from gateway.agreement import Agreed, Certificate
from gateway.interfaces import ISession, Outcome
from protocols.tls.decision import Decision
from protocols.tls.hello import ClientHello

REMEMBERED = 256
"""Certificates whose description is kept: most connections go where others have gone before."""


@define
class Story:
    """
    What happened, to be recorded once.

    @ivar hello: what the client said.
    @ivar ja4: its program's fingerprint.
    @ivar decision: what was to become of it.
    @ivar server: what was agreed with the server.
    @ivar client: what was agreed with the client.
    @ivar trusted: by which root the client's certificate is; C{None} if it got none.
    @ivar alert: the alert that a side refused with.
    """

    hello: ClientHello
    ja4: str
    decision: Decision
    server: Agreed | None = None
    client: Agreed | None = None
    trusted: bool | None = None
    alert: str = ""
    _told: bool = field(default=False, init=False)

    @property
    def about(self) -> str:
        """Whom the client wants, and what becomes of that by which line."""
        who = self.hello.server_name or self.hello.address or "a server without a name"
        return f"{who}: {self.decision.mode} ({self.decision.place})"

    def tell(
        self, session: ISession, outcome: Outcome, reason: str = "", denied_by: str = ""
    ) -> None:
        """Record it, unless that was done."""
        if self._told:
            return
        self._told = True
        own = {"verdict": outcome.value, "tls": dict(self._own())}
        if reason:
            own["reason"] = reason
        session.record("tls", own, denied_by, **dict(self._fields()))

    def _fields(self) -> Iterator[tuple[str, Any]]:
        """What EVE has fields for: the server's certificate, and what client and server offered."""
        hello, server = self.hello, self.server
        if hello.server_name:
            yield "sni", hello.server_name
        yield "ja4", self.ja4
        if hello.alpn:
            yield "client_alpns", [name.decode("latin-1") for name in hello.alpn]
        if server is not None:
            yield from _fields(server)

    def _own(self) -> Iterator[tuple[str, Any]]:
        """What EVE has none for."""
        yield "mode", self.decision.mode
        yield "rule", self.decision.place
        if self.server is not None:
            yield from _own(self.server)
        if self.client is not None:
            yield "client", terms_of(self.client)
        if self.trusted is not None:
            yield "root", "trusted" if self.trusted else "untrusted"
        if self.alert:
            yield "alert", self.alert


def described(server: Agreed | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """What was agreed with a server, if it was: EVE's fields, and the gateway's own."""
    return ({}, {}) if server is None else (dict(_fields(server)), dict(_own(server)))


def _fields(server: Agreed) -> Iterator[tuple[str, Any]]:
    yield "version", server.version
    yield "session_resumed", server.resumed
    if server.alpn:
        yield "server_alpns", [server.alpn]
    if server.chain:
        yield from _certificate(server.chain[0])


def _own(server: Agreed) -> Iterator[tuple[str, Any]]:
    yield "server", terms_of(server)
    if server.flaws:
        yield "flaws", [str(flaw) for flaw in server.flaws]


def terms_of(agreed: Agreed) -> dict[str, Any]:
    """What was agreed with one side, for its record."""
    found: dict[str, Any] = {"version": agreed.version, "cipher": agreed.cipher}
    if agreed.group:
        found["group"] = agreed.group
    if agreed.alpn:
        found["alpn"] = agreed.alpn
    if agreed.resumed:
        found["resumed"] = True
    if agreed.wants_certificate:
        found["wants_certificate"] = True
    return found


@lru_cache(maxsize=REMEMBERED)
def _certificate(certificate: Certificate) -> tuple[tuple[str, Any], ...]:
    return tuple(_described(certificate))


def _described(certificate: Certificate) -> Iterator[tuple[str, Any]]:
    """In the forms that Suricata has: colons between bytes, SHA-1 for the fingerprint."""
    yield "fingerprint", _colons(sha1(certificate.der, usedforsecurity=False).hexdigest())
    if certificate.subject:
        yield "subject", certificate.subject
    if certificate.issuer:
        yield "issuerdn", certificate.issuer
    if certificate.serial:
        yield "serial", _colons(certificate.serial)
    names = [*certificate.names, *certificate.addresses]
    if names:
        yield "subjectaltname", names
    for word, date in (
        ("notbefore", certificate.not_before),
        ("notafter", certificate.not_after),
    ):
        if date is not None:
            yield word, f"{date:%Y-%m-%dT%H:%M:%S}"


def _colons(digits: str) -> str:
    even = digits.zfill(len(digits) + len(digits) % 2)
    return ":".join(even[at : at + 2] for at in range(0, len(even), 2))
