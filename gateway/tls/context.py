"""
What OpenSSL is told once for many connections: versions, cipher suites, certificates.

Neither renegotiation nor compression is there (RFC 7457). OpenSSL itself verifies
nothing here: it can stop at the first flaw only, and would do it again for each
connection; the L{Verifier<gateway.tls.verifier.Verifier>} looks at what came.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates
from OpenSSL import SSL

from gateway.policy.tls import Identity, ServerTerms, Terms
from gateway.tls import raw
from gateway.tls.minter import Minted

VERSIONS = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}

OPTIONS = SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION

PARTIAL_WRITE = 1
"""SSL_MODE_ENABLE_PARTIAL_WRITE, which pyOpenSSL sets."""

KeyLog = Callable[[bytes], None]
"""Takes a line of secrets."""


def for_client(
    minted: Minted, key: Any, alpn: Sequence[str], terms: Terms, key_log: KeyLog | None
) -> SSL.Context:
    """
    What a client is told: this certificate, and one of these protocols.

    Each has its own keys for tickets, so that a session goes on only with the same
    certificate, under the same terms.
    """
    context = _context(SSL.TLS_SERVER_METHOD, terms, key_log)
    context.use_certificate(minted.chain[0])
    for each in minted.chain[1:]:
        context.add_extra_chain_cert(each)
    context.use_privatekey(key)
    context.set_session_id(minted.fingerprint.encode()[:32])
    if alpn:
        context.set_alpn_select_callback(_chooser([name.encode() for name in alpn]))
    return context


def _chooser(ours: Sequence[bytes]) -> Callable[[SSL.Connection, list[bytes]], Any]:
    """Chooses the first of ours that the client has (RFC 7301, section 3.2)."""

    def choose(_: SSL.Connection, theirs: list[bytes]) -> bytes:
        for name in ours:
            if name in theirs:
                return name
        raise NoProtocol(theirs)  # pyOpenSSL answers no_application_protocol

    return choose


class NoProtocol(Exception):
    """The client speaks no protocol that it could be given."""


def for_server(terms: Terms, key_log: KeyLog | None) -> SSL.Context:
    """What servers are told by all sessions under these terms."""
    context = _context(SSL.TLS_CLIENT_METHOD, terms, key_log)
    context.set_verify(SSL.VERIFY_NONE)
    context.set_ocsp_client_callback(_keep_staple)
    raw.on_certificate_request(context, _note_request)
    if isinstance(terms, ServerTerms):
        if terms.identity is not None:
            _identify(context, terms.identity)
        if not terms.hybrid:
            raw.offer_classical(context)
    return context


def _identify(context: SSL.Context, identity: Identity) -> None:
    own, *above = load_pem_x509_certificates(identity.pem)
    context.use_certificate(own)
    for each in above:
        context.add_extra_chain_cert(each)
    key: Any = load_pem_private_key(identity.pem, None)
    context.use_privatekey(key)


class Heard:
    """What a server said in the handshake that is not asked for later: a connection's app data."""

    __slots__ = ("staple", "wants_certificate")

    def __init__(self) -> None:
        self.staple = b""
        self.wants_certificate = False


def _keep_staple(connection: SSL.Connection, response: bytes, _: Any) -> bool:
    if response:  # none comes when a session goes on: then the former one still counts
        connection.get_app_data().staple = response
    return True


def _note_request(connection: SSL.Connection) -> None:
    connection.get_app_data().wants_certificate = True


def _context(method: int, terms: Terms, key_log: KeyLog | None) -> SSL.Context:
    context = SSL.Context(method)
    context.set_min_proto_version(VERSIONS[terms.minimum])
    context.set_options(OPTIONS)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    if hasattr(context, "clear_mode"):  # pyOpenSSL 25.1: else a record is written at a time
        context.clear_mode(PARTIAL_WRITE)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    if terms.ciphers:
        context.set_cipher_list(terms.ciphers.encode())
    if key_log is not None:
        write = key_log
        context.set_keylog_callback(lambda _, line: write(line))
    return context
