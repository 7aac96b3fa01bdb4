"""
The Minter gives certificates of our own, in place of servers': from its cache, or from the signer.

All are about one key, made at the start of the process: a key for each would cost
more, and protect nothing, since all of them lie in the same memory.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, NamedTuple, Protocol

from attrs import evolve
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from gateway.agreement import Certificate
from gateway.tls.lru import Lru
from gateway.tls.signing import Roots
from gateway.tls.template import Template, for_name, like


class Signs(Protocol):
    """Has certificates signed."""

    def sign(self, template: Template) -> Deferred[x509.Certificate]:
        """A certificate."""


class Minted(NamedTuple):
    """
    A certificate of our own.

    C{chain} is what a client is sent, C{fingerprint} the SHA-256 of its first certificate. It is
    given to clients C{until} then (seconds since the beginning of 1970).
    """

    chain: tuple[x509.Certificate, ...]
    fingerprint: str
    trusted: bool
    until: float


KEPT = 86400.0
"""Seconds for which one certificate is given to clients."""

_Key = tuple[str, bool]


class Minter:
    """
    Gives certificates.

    @ivar key: the private key that all of them are about.
    @param most: how many are kept.
    """

    def __init__(self, key: Any, roots: Roots, signing: Signs, most: int) -> None:
        self.key = key
        self._above = {True: _sent(roots.trusted), False: _sent(roots.untrusted)}
        self._signing = signing
        self._minted: Lru[_Key, Minted] = Lru(most)
        self._awaited: dict[_Key, list[Deferred[Minted]]] = {}

    def like(self, certificate: Certificate, trusted: bool, now: float) -> Deferred[Minted]:
        """
        A certificate like a server's.

        @param trusted: by the root that clients trust; else by the one that nobody does.
        @param now: seconds since the beginning of 1970.
        @return: fires with it, or fails with L{SignerError}.
        """
        key = (certificate.fingerprint, trusted)
        return self._kept(key, now) or self._ask(key, like(certificate, now), now)

    def for_name(self, name: str, trusted: bool, now: float) -> Deferred[Minted]:
        """A certificate for a name or an address, of which there is no server's."""
        key = (name, trusted)
        return self._kept(key, now) or self._ask(key, for_name(name, now), now)

    def _kept(self, key: _Key, now: float) -> Deferred[Minted] | None:
        minted = self._minted.get(key)
        if minted is not None and now < minted.until:
            return succeed(minted)
        awaited = self._awaited.get(key)
        if awaited is None:
            return None
        answer: Deferred[Minted] = Deferred()
        awaited.append(answer)
        return answer

    def _ask(self, key: _Key, template: Template, now: float) -> Deferred[Minted]:
        answer: Deferred[Minted] = Deferred()
        self._awaited[key] = [answer]
        signed = self._signing.sign(evolve(template, trusted=key[1]))
        signed.addCallback(self._signed, key, now + KEPT)
        signed.addErrback(self._failed, key)
        return answer

    def _signed(self, certificate: x509.Certificate, key: _Key, until: float) -> None:
        fingerprint = sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
        trusted = key[1]
        minted = Minted((certificate, *self._above[trusted]), fingerprint, trusted, until)
        self._minted.put(key, minted)
        for answer in self._awaited.pop(key):
            answer.callback(minted)

    def _failed(self, failure: Failure, key: _Key) -> None:
        for answer in self._awaited.pop(key, ()):
            answer.errback(failure)


def _sent(chain: tuple[x509.Certificate, ...]) -> tuple[x509.Certificate, ...]:
    """Those above that clients are sent: all but a root, which they have or do not believe."""
    return tuple(each for each in chain if each.issuer != each.subject)
