"""
The Verifier says what is wrong with a server's certificate.

Three parties have a say: OpenSSL builds the chain to a root and checks it
(L{gateway.tls.trust}); everything else is looked at here, one thing after the
other, so that the operator and the client learn of all that is wrong, and a rule
can tell one from the other. What was found is kept for some minutes: most
connections go where others have been just before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from cryptography import x509
from OpenSSL.crypto import X509

from gateway.agreement import Certificate, Flaw, Invalid
from gateway.tls.certificate import is_for, load
from gateway.tls.lru import Lru
from gateway.tls.revocation import Revoked, stapled
from gateway.tls.strength import weak
from gateway.tls.trust import Trust

KEPT = timedelta(minutes=5)
"""How long a result is believed."""

MOST_KEPT = 1000


class _Found(NamedTuple):
    flaws: tuple[Flaw, ...]
    until: datetime


class Verifier:
    """
    Says what is wrong with a server's certificate.

    @param trust: the roots that are believed.
    @param revoked: the certificates that are believed no more, although a root says so.
    """

    def __init__(self, trust: Trust, revoked: Revoked) -> None:
        self._trust = trust
        self._revoked = revoked
        self._found: Lru[bytes, _Found] = Lru(MOST_KEPT)

    def flaws(
        self,
        sent: Sequence[Certificate],
        name: str,
        now: float,
        staple: bytes = b"",
    ) -> tuple[Flaw, ...]:
        """
        All that is wrong with what a server sent; nothing, if it may be believed.

        @param sent: its own certificate first.
        @param name: the DNS name, or the address, that it must be for.
        @param now: seconds since the beginning of 1970.
        @param staple: the OCSP response that came with it.
        """
        when = datetime.fromtimestamp(now, UTC)
        key = _key(sent, name, staple)
        found = self._found.get(key)
        if found is None or not found.until - KEPT <= when < found.until:
            found = self._look(sent, name, when, staple)
            self._found.put(key, found)
        return found.flaws

    def _look(
        self, sent: Sequence[Certificate], name: str, when: datetime, staple: bytes
    ) -> _Found:
        flaws = tuple(self._all(sent, name, when, staple))
        changes = [when + KEPT]
        for each in sent:
            if each.not_after is not None and each.not_after > when:
                changes.append(each.not_after)
        return _Found(flaws, min(changes))

    def _all(
        self, sent: Sequence[Certificate], name: str, when: datetime, staple: bytes
    ) -> Iterator[Flaw]:
        if not sent:
            yield Flaw(Invalid.UNTRUSTED, "the server sent no certificate")
            return
        loaded = [load(each.der) for each in sent]
        leaf = loaded[0]
        if leaf is None:
            yield Flaw(Invalid.UNTRUSTED, "its certificate can't be read")
            return
        others = [each for each in loaded[1:] if each is not None]
        chain, flaw = self._trust.chain(
            [X509.from_cryptography(each) for each in (leaf, *others)], when
        )
        if flaw is not None:
            yield flaw
            chain = (leaf,)
        yield from _times(chain, when)
        if not is_for(sent[0], name):
            yield Flaw(Invalid.NAME, f"it is not for {name}, {_for_whom(sent[0])}")
        yield from weak(chain)
        yield from self._revoked.check(chain, when)
        response = stapled(chain, staple, when)
        if response is not None:
            yield response


def _key(sent: Sequence[Certificate], name: str, staple: bytes) -> bytes:
    parts = [each.fingerprint.encode() for each in sent]
    return sha256(b"\0".join([*parts, name.encode(), staple])).digest()


def _times(chain: Sequence[x509.Certificate], when: datetime) -> Iterator[Flaw]:
    for depth, certificate in enumerate(chain):
        if when > certificate.not_valid_after_utc:
            text = f"it was valid until {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
            yield Flaw(Invalid.EXPIRED, text, depth)
        elif when < certificate.not_valid_before_utc:
            text = f"it is valid from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC on"
            yield Flaw(Invalid.EXPIRED, text, depth)


def _for_whom(certificate: Certificate) -> str:
    names = certificate.names + certificate.addresses
    if not names:
        return "and names nobody"
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"but for {', '.join(names[:3])}{more}"
