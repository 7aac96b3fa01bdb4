"""TLS of the console: its own certificate, and those of who comes."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates
from OpenSSL import SSL
from OpenSSL.crypto import X509
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.protocol import ServerFactory
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from gateway.console.site import ConsoleSite
from gateway.policy.console import ConsoleSettings

OPTIONS = SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION | SSL.OP_NO_TICKET


@implementer(IOpenSSLServerConnectionCreator)
class _Tls:
    """Makes a TLS connection of each that comes."""

    def __init__(self, made: SSL.Context) -> None:
        self._context = made

    def serverConnectionForTLS(self, tlsProtocol: Any) -> Any:
        """Twisted asks for it."""
        return SSL.Connection(self._context, None)


class Entrance(ServerFactory):
    """
    Makes connections to the site, by TLS if there is a certificate.

    A certificate is renewed by a reload: what is connected stays as it is.
    """

    noisy = False

    def __init__(self, site: ConsoleSite, settings: ConsoleSettings) -> None:
        self._site = site
        self.renew(settings)

    def renew(self, settings: ConsoleSettings) -> None:
        """A policy is in force."""
        self._inner: Any = self._site
        if settings.certificate is not None:
            tls = _Tls(context(settings))
            self._inner = TLSMemoryBIOFactory(tls, False, self._site, self._site.reactor)

    def buildProtocol(self, addr: Any) -> Any:
        """One more connection, if there may be one."""
        return self._inner.buildProtocol(addr) if self._site.make_room() else None


def context(settings: ConsoleSettings) -> SSL.Context:
    """
    What OpenSSL is told.

    No session is resumed: each connection shows its certificate anew.
    """
    made = SSL.Context(SSL.TLS_SERVER_METHOD)
    made.set_min_proto_version(SSL.TLS1_2_VERSION)
    made.set_options(OPTIONS)
    made.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    pem = settings.certificate.pem
    own, *above = load_pem_x509_certificates(pem)
    made.use_certificate(own)
    for each in above:
        made.add_extra_chain_cert(each)
    key: Any = load_pem_private_key(pem, None)
    made.use_privatekey(key)
    _ask_for_certificates(made, settings)
    return made


def _ask_for_certificates(made: SSL.Context, settings: ConsoleSettings) -> None:
    authorities = [each for file in settings.client_authorities for each in file]
    if not authorities:
        return
    store: Any = made.get_cert_store()
    for each in map(X509.from_cryptography, authorities):
        store.add_cert(each)
        made.add_client_ca(each)
    # a wrong one ends the handshake; none at all is for those who have a token
    made.set_verify(SSL.VERIFY_PEER, lambda connection, certificate, error, depth, ok: bool(ok))
