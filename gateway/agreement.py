"""
What was agreed with a peer that speaks TLS, and what is wrong with its certificate.

The words of L{gateway.interfaces.ISession.secure}; like that module, this one
does nothing and imports nothing of the gateway.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple


class Invalid(Enum):
    """Why a certificate can't be believed. The value is the word in settings and records."""

    EXPIRED = "expired"
    """Not valid any more, or not yet."""

    NAME = "name"
    """It is not for the name, or the address, that the client asked for."""

    UNTRUSTED = "untrusted"
    """No root that is trusted has issued it, or nobody who may issue such certificates has."""

    INCOMPLETE = "incomplete"
    """The server left out the certificate of the issuer, and nobody knows it."""

    REVOKED = "revoked"
    """Its issuer has taken it back."""

    WEAK = "weak"
    """A key, or a signature in the chain, is one that can be forged."""

    __hash__ = object.__hash__


class Flaw(NamedTuple):
    """One thing that is wrong with a chain of certificates: at C{depth}, counted from the leaf."""

    kind: Invalid
    text: str
    depth: int = 0

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.text}"


class Certificate(NamedTuple):
    """
    What there is to know of a certificate. All of it is what a stranger wrote.

    C{subject} and C{issuer} are distinguished names (RFC 4514, in the
    certificate's own order), C{names} and C{addresses} those of its
    subjectAltName, C{serial} is hexadecimal, C{fingerprint} the SHA-256 of C{der}.
    """

    der: bytes
    fingerprint: str
    subject: str = ""
    issuer: str = ""
    serial: str = ""
    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    not_before: datetime | None = None
    not_after: datetime | None = None


def _over() -> None:
    """The link of a connection that is over."""


class Agreed(NamedTuple):
    """
    What a handshake has agreed on.

    @ivar version: C{"TLS 1.2"}, C{"TLS 1.3"}.
    @ivar cipher: the cipher suite, by its IANA name in TLS 1.3, by OpenSSL's before.
    @ivar group: of the key exchange; empty if nobody knows.
    @ivar alpn: the protocol (RFC 7301), empty if none was agreed.
    @ivar resumed: whether an earlier session went on (RFC 8446, section 2.2).
    @ivar chain: the peer's certificates as it sent them, its own first.
    @ivar flaws: what is wrong with them; empty if nothing is.
    @ivar wants_certificate: the server asked for a certificate of the client.
    @ivar link: for L{ISession.secure<gateway.interfaces.ISession.secure>} on another connection
        with the same peer (C{resume}); nobody else's. It does not keep this one alive.
    """

    version: str
    cipher: str
    group: str = ""
    alpn: str = ""
    resumed: bool = False
    chain: tuple[Certificate, ...] = ()
    flaws: tuple[Flaw, ...] = ()
    wants_certificate: bool = False
    link: Callable[[], Any] = _over


class Insecure(Exception):
    """
    TLS could not be agreed with a peer, or not in a way that the policy accepts.

    @ivar reason: for the operator.
    @ivar alert: the name of the alert that the peer sent; empty if it sent none.
    @ivar agreed: what had been agreed, if it was the policy that did not accept it.
    """

    def __init__(self, reason: str, alert: str = "", agreed: Agreed | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.alert = alert
        self.agreed = agreed
