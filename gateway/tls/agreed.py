"""What was agreed at one end of a connection."""

from __future__ import annotations

from weakref import ref

from OpenSSL import crypto

from gateway.agreement import Agreed, Certificate, Flaw
from gateway.tls.certificate import read
from gateway.tls.endpoint import Endpoint


def agreed(endpoint: Endpoint, chain: tuple[Certificate, ...], flaws: tuple[Flaw, ...]) -> Agreed:
    """
    What was agreed.

    @param chain: the peer's, as it was read.
    @param flaws: what is wrong with it.
    """
    connection = endpoint.connection
    group = getattr(connection, "get_group_name", lambda: "")() or ""
    return Agreed(
        connection.get_protocol_version_name().replace("v", " "),
        connection.get_cipher_name() or "",
        str(group),
        connection.get_alpn_proto_negotiated().decode("latin-1"),
        endpoint.resumed,
        chain,
        flaws,
        link=ref(endpoint),
    )


def summary(endpoint: Endpoint) -> Agreed:
    """The same for an operator who asks later: with the peer's own certificate, unjudged."""
    sent = endpoint.connection.get_peer_certificate()
    der = b"" if sent is None else crypto.dump_certificate(crypto.FILETYPE_ASN1, sent)
    return agreed(endpoint, (read(der),) if der else (), ())
