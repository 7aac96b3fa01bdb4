"""The audit record of one client's handshake, and of what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha1
from json import dumps
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from attrs import define, field

from gateway.agreement import Agreed, Certificate
from gateway.interfaces import ISession, Outcome
from protocols.tls.decision import Decision
from protocols.tls.hello import ClientHello

REMEMBERED = 256
"""
Certificates, offers, decisions and terms whose description is kept: most connections are made by
programs, and go to servers, that have been there before.
"""

LONGEST = 4096
"""Letters of such a description. What is longer, or in other letters than ASCII's, is made fit
where all records are.
"""

_PASSED = f'"verdict":"{Outcome.PASSED.value}","tls":{{'


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
        if outcome is Outcome.PASSED and not reason:
            prepared = self.prepared()
            if prepared is not None:
                session.record_prepared("tls", *prepared)
                return
        own = {"verdict": outcome.value, "tls": dict(self._own())}
        if reason:
            own["reason"] = reason
        session.record("tls", own, denied_by, **dict(self._fields()))

    def prepared(self) -> tuple[str, str] | None:
        """The record of what has passed, as JSON; C{None} if not all of it is short."""
        hello, server = self.hello, self.server
        name = f'"sni":{quoted(hello.server_name)},' if hello.server_name else ""
        offered = _offered_text(hello.alpn)
        certificate: str | None = ""
        seen = own = ""
        if server is not None:
            seen = _seen_text(server.version, server.resumed, server.alpn)
            own = f',"server":{_terms_text(*_terms(server))}'
            if server.chain:
                certificate = _certificate_text(server.chain[0])
        if offered is None or certificate is None or (server and server.flaws):
            return None
        if self.client is not None:
            own += f',"client":{_terms_text(*_terms(self.client))}'
        if self.trusted is not None:
            own += f',"root":"{_root(self.trusted)}"'
        return (
            f'{name}"ja4":{quoted(self.ja4)}{offered}{seen}{certificate}',
            f"{_PASSED}{_decided_text(self.decision.mode, self.decision.place)}{own}}}",
        )

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
            yield "root", _root(self.trusted)
        if self.alert:
            yield "alert", self.alert


def described(server: Agreed | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """What was agreed with a server, if it was: EVE's fields, and the gateway's own."""
    return ({}, {}) if server is None else (dict(_fields(server)), dict(_own(server)))


def _fields(server: Agreed) -> Iterator[tuple[str, Any]]:
    yield from _seen(server.version, server.resumed, server.alpn)
    if server.chain:
        yield from _certificate(server.chain[0])


def _seen(version: str, resumed: bool, alpn: str) -> Iterator[tuple[str, Any]]:
    yield "version", version
    yield "session_resumed", resumed
    if alpn:
        yield "server_alpns", [alpn]


def _own(server: Agreed) -> Iterator[tuple[str, Any]]:
    yield "server", terms_of(server)
    if server.flaws:
        yield "flaws", [str(flaw) for flaw in server.flaws]


def _root(trusted: bool) -> str:
    return "trusted" if trusted else "untrusted"


_Terms = tuple[str, str, str, str, bool, bool]


def _terms(agreed: Agreed) -> _Terms:
    return (
        *(agreed.version, agreed.cipher, agreed.group, agreed.alpn),
        *(agreed.resumed, agreed.wants_certificate),
    )


def terms_of(agreed: Agreed) -> dict[str, Any]:
    """What was agreed with one side, for its record."""
    return _described_terms(*_terms(agreed))


def _described_terms(
    version: str, cipher: str, group: str, alpn: str, resumed: bool, wants_certificate: bool
) -> dict[str, Any]:
    found: dict[str, Any] = {"version": version, "cipher": cipher}
    if group:
        found["group"] = group
    if alpn:
        found["alpn"] = alpn
    if resumed:
        found["resumed"] = True
    if wants_certificate:
        found["wants_certificate"] = True
    return found


# The same as JSON: what is said of one connection after the other is written once.


def _members(fields: dict[str, Any]) -> str:
    return dumps(fields, separators=(",", ":"))[1:-1]


@lru_cache(maxsize=REMEMBERED)
def _terms_text(*terms: Any) -> str:
    return f"{{{_members(_described_terms(*terms))}}}"


@lru_cache(maxsize=REMEMBERED)
def _decided_text(mode: str, place: str) -> str:
    return _members({"mode": mode, "rule": place})


@lru_cache(maxsize=REMEMBERED)
def _seen_text(version: str, resumed: bool, alpn: str) -> str:
    return f",{_members(dict(_seen(version, resumed, alpn)))}"


@lru_cache(maxsize=REMEMBERED)
def _offered_text(alpn: tuple[bytes, ...]) -> str | None:
    if not alpn:
        return ""
    return _plain({"client_alpns": [name.decode("latin-1") for name in alpn]})


@lru_cache(maxsize=REMEMBERED)
def _certificate_text(certificate: Certificate) -> str | None:
    return _plain(dict(_certificate(certificate)))


def _plain(fields: dict[str, Any]) -> str | None:
    """What a stranger wrote, if it is short and in plain letters."""
    text = f",{_members(fields)}"
    return text if len(text) <= LONGEST and "\\u" not in text else None


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
