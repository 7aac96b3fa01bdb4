"""
Trust: who may say that a server is who it claims to be.

The roots are loaded once into OpenSSL's store, which builds and checks chains
(RFC 5280, section 6).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from OpenSSL.crypto import X509, X509Store, X509StoreContext, X509StoreContextError

from gateway.agreement import Flaw, Invalid

PARTIAL_CHAIN = 0x80000
"""X509_V_FLAG_PARTIAL_CHAIN: what the operator trusts is trusted, a root or not."""

NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME"""

SSL_SERVER = 2
"""X509_PURPOSE_SSL_SERVER"""

TIMES = frozenset({9, 10})
"""X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED"""

NO_ISSUER = frozenset({2, 20, 21})
"""
X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, …_LOCALLY, X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE
"""


class Trust:
    """
    The roots that are trusted, and certificates that servers forget to send.

    @param roots: trusted for themselves.
    @param intermediates: only help to find the way to a root.
    @param system: a PEM file with more roots. OpenSSL reads it: some hosts have certificates in
        there that stricter readers refuse.
    """

    def __init__(
        self,
        roots: Iterable[x509.Certificate],
        intermediates: Iterable[x509.Certificate] = (),
        system: Path | None = None,
    ) -> None:
        trusted = [X509.from_cryptography(root) for root in roots]
        self._timed = _store(trusted, system, PARTIAL_CHAIN)
        self._untimed = _store(trusted, system, PARTIAL_CHAIN | NO_CHECK_TIME)
        self._between = [X509.from_cryptography(each) for each in intermediates]

    def chain(
        self, sent: Sequence[X509], when: datetime
    ) -> tuple[tuple[x509.Certificate, ...], Flaw | None]:
        """
        The way from a server's certificate to a root.

        Of several ways one is taken on which nothing has expired, if there is one.

        @param sent: what the server sent, its own certificate first.
        @return: the chain, leaf first; empty, with the reason, if there is none.
        """
        self._timed.set_time(when)
        try:
            return self._chain(self._timed, sent), None
        except X509StoreContextError as error:
            if error.errors[0] not in TIMES:
                return (), _flaw(error, sent)
        try:
            return self._chain(self._untimed, sent), None
        except X509StoreContextError as error:
            return (), _flaw(error, sent)

    def _chain(self, store: X509Store, sent: Sequence[X509]) -> tuple[x509.Certificate, ...]:
        context = X509StoreContext(store, sent[0], [*sent[1:], *self._between])
        return tuple(each.to_cryptography() for each in context.get_verified_chain())


def _store(trusted: Iterable[X509], system: Path | None, flags: int) -> X509Store:
    store = X509Store()
    if system is not None:
        store.load_locations(str(system))
    for root in trusted:
        store.add_cert(root)
    store.set_flags(flags)
    _for_servers(store)
    return store


def _for_servers(store: Any) -> None:
    """
    Let the store accept certificates for servers only. pyOpenSSL has no public way; the table in
    C{tests/tls/chains.py} has certificates for others.
    """
    from OpenSSL.crypto import _lib  # type: ignore[attr-defined]

    if not _lib.X509_STORE_set_purpose(store._store, SSL_SERVER):
        raise RuntimeError("OpenSSL does not know what a server is")


def _flaw(error: X509StoreContextError, sent: Sequence[X509]) -> Flaw:
    code, depth, text = error.errors
    if code in NO_ISSUER and depth == len(sent) - 1 == 0:
        return Flaw(
            Invalid.INCOMPLETE,
            "the server sent no certificate but its own, and its issuer is not known",
            depth,
        )
    return Flaw(Invalid.UNTRUSTED, text, depth)
