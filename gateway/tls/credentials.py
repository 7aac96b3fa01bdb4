"""
Credentials: what the sessions of one policy need to speak TLS, towards both sides.

A reload makes new ones, so that nothing that was agreed under one policy goes on
under another: neither contexts, with their keys for tickets, nor sessions of
servers, nor what was found of certificates.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from OpenSSL import SSL, crypto
from twisted.internet.defer import Deferred, fail

from gateway.agreement import Agreed, Certificate
from gateway.policy.tls import Terms, Tls
from gateway.tls.agreed import agreed
from gateway.tls.certificate import read
from gateway.tls.context import Heard, KeyLog, for_client, for_server
from gateway.tls.endpoint import Endpoint
from gateway.tls.lru import Lru
from gateway.tls.minter import Minted, Minter
from gateway.tls.revocation import Revoked
from gateway.tls.signing import SignerError
from gateway.tls.trust import Trust
from gateway.tls.verifier import Verifier

MOST_SESSIONS = 1000
"""Sessions with servers that are kept, to go on with: some 6 KiB each."""

MOST_CERTIFICATES = 1000
"""Servers' certificates that were read."""

LARGEST_KEPT = 16384
"""Bytes of a certificate that is kept. Larger ones are read again each time."""


class Whom(NamedTuple):
    """
    Whom a connection is with: what a session with a server may go on for.

    C{name} is the DNS name, or the address, that its certificate must be for.
    """

    client: str
    server: str
    service: str
    name: str
    alpn: tuple[str, ...]


class _Session(NamedTuple):
    session: SSL.Session
    staple: bytes


class Credentials:
    """
    What is needed to speak TLS.

    @param settings: the C{[tls]} table of gateway.toml.
    @param system: a file with the certificates of the authorities that this host believes.
    @param minter: C{None} if there is no root.
    @param clock: seconds since the beginning of 1970.
    """

    def __init__(
        self,
        settings: Tls,
        system: Path | None,
        minter: Minter | None,
        clock: Callable[[], float],
        key_log: KeyLog | None = None,
    ) -> None:
        self._settings = settings
        self._system = system
        self._minter = minter
        self._clock = clock
        self._key_log = key_log
        self._towards_servers: dict[tuple[Terms, str], SSL.Context] = {}
        self._towards_clients: Lru[tuple[str, Terms, str, tuple[str, ...]], SSL.Context] = Lru(
            settings.certificates
        )
        self._sessions: Lru[tuple[Whom, SSL.Context], _Session] = Lru(MOST_SESSIONS)
        self._known: Lru[bytes, Certificate] = Lru(MOST_CERTIFICATES)

    # Towards servers

    @cached_property
    def _verifier(self) -> Verifier:
        settings = self._settings
        roots = [each for file in settings.trust for each in file]
        between = [each for file in settings.intermediates for each in file]
        system = self._system if settings.system_roots else None
        return Verifier(Trust(roots, between, system), Revoked(settings.revoked))

    def towards_server(self, whom: Whom, server_name: str, terms: Terms) -> Endpoint:
        """
        Our end of a connection to a server.

        @param server_name: what the hello says; empty: nothing.
        """
        key = (terms, whom.service)
        context = self._towards_servers.get(key)
        if context is None:
            context = self._towards_servers[key] = for_server(terms, self._key_log)
        return _to_server(context, whom, server_name, self._sessions.get((whom, context)))

    def going_on(self, former: Endpoint, whom: Whom, server_name: str) -> Endpoint:
        """
        Our end of another connection with a peer with whom there is one: what was agreed there
        may go on here. Each of the two is again what it is there, client or server.

        @param former: our end of that one.
        @param whom: whom this one is with.
        """
        context = former.connection.get_context()
        if not former.is_client:
            return _to_client(context)
        return _to_server(context, whom, server_name, _kept(former))

    def agreed_with_server(self, endpoint: Endpoint, whom: Whom) -> Agreed:
        """What was agreed with a server, and what is wrong with its certificate."""
        connection = endpoint.connection
        heard: Heard = connection.get_app_data()
        chain = tuple(map(self._read, connection.get_peer_cert_chain() or ()))
        flaws = self._verifier.flaws(chain, whom.name, self._clock(), heard.staple)
        return agreed(endpoint, chain, flaws)._replace(wants_certificate=heard.wants_certificate)

    def keep(self, endpoint: Endpoint, whom: Whom) -> None:
        """The connection is about to end: another one may go on with its session."""
        kept = _kept(endpoint)
        if kept is not None:
            context = endpoint.connection.get_context()  # a session belongs to its terms, too
            self._sessions.put((whom, context), kept)

    def _read(self, sent: crypto.X509) -> Certificate:
        der = crypto.dump_certificate(crypto.FILETYPE_ASN1, sent)
        digest = sha256(der).digest()
        certificate = self._known.get(digest)
        if certificate is None:
            certificate = read(der)
            if len(der) <= LARGEST_KEPT:
                self._known.put(digest, certificate)
        return certificate

    # Towards clients

    def like(self, certificate: Certificate, trusted: bool) -> Deferred[Minted]:
        """A certificate for a client like a server's; see L{Minter.like}."""
        if self._minter is None:
            return fail(SignerError("there is no tls.root in gateway.toml"))
        return self._minter.like(certificate, trusted, self._clock())

    def for_name(self, name: str, trusted: bool) -> Deferred[Minted]:
        """A certificate for a client, of a name; see L{Minter.for_name}."""
        if self._minter is None:
            return fail(SignerError("there is no tls.root in gateway.toml"))
        return self._minter.for_name(name, trusted, self._clock())

    def towards_client(
        self, minted: Minted, service: str, alpn: tuple[str, ...], terms: Terms
    ) -> Endpoint:
        """Our end of a connection with a client, who is given this certificate."""
        assert self._minter is not None
        key = (minted.fingerprint, terms, service, alpn)
        context = self._towards_clients.get(key)
        if context is None:
            context = for_client(minted, self._minter.key, alpn, terms, self._key_log)
            self._towards_clients.put(key, context)
        return _to_client(context)

    def agreed_with_client(self, endpoint: Endpoint) -> Agreed:
        """What was agreed with a client."""
        return agreed(endpoint, (), ())


def _to_client(context: SSL.Context) -> Endpoint:
    connection = SSL.Connection(context, None)
    connection.set_accept_state()
    return Endpoint(connection)


def _to_server(
    context: SSL.Context, whom: Whom, server_name: str, former: _Session | None
) -> Endpoint:
    connection = SSL.Connection(context, None)
    connection.set_connect_state()
    connection.set_app_data(Heard())
    connection.request_ocsp()
    if server_name:
        connection.set_tlsext_host_name(server_name.encode())
    if whom.alpn:
        connection.set_alpn_protos([name.encode() for name in whom.alpn])
    if former is not None:
        connection.set_session(former.session)
        connection.get_app_data().staple = former.staple
    return Endpoint(connection)


def _kept(endpoint: Endpoint) -> _Session | None:
    """What another connection may go on with; C{None} if there is nothing."""
    session = endpoint.connection.get_session()
    if session is None or not endpoint.agreed or endpoint.broken is not None:
        return None
    return _Session(session, endpoint.connection.get_app_data().staple)
