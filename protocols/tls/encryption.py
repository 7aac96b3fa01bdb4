"""The settings of services whose clients and servers speak TLS, and are looked into."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from gateway.inspector import Identity, ServerTerms, Terms, option
from protocols.tls.hello import ClientHello
from protocols.tls.numbers import HYBRID


@frozen
class BothTerms(Terms):
    """What must be agreed with a client and with its server."""

    post_quantum: Literal["as-client", "always"] = option(
        "When a server is offered key exchanges that quantum computers don't break either "
        '(X25519MLKEM768). "as-client": if the client offers one, as without a gateway. "always": '
        "to clients that know none, too; it costs a tenth more for each new connection.",
        "as-client",
    )

    def with_client(self) -> Terms:
        """What must be agreed with the client."""
        return Terms(self.minimum, self.ciphers, self.handshake_seconds)

    def with_server(self, hello: ClientHello, identity: Identity | None = None) -> ServerTerms:
        """
        What must be agreed with the server.

        @param hello: the client's.
        @param identity: what the server is shown if it asks for a certificate.
        """
        return ServerTerms(
            *(self.minimum, self.ciphers, self.handshake_seconds),
            identity=identity,
            hybrid=self.post_quantum == "always" or not HYBRID.isdisjoint(hello.groups),
        )


@frozen
class Encryption(BothTerms):
    """What must be agreed with client and server: the table C{tls} in the protocol's own."""

    invalid: Literal["show", "deny"] = option(
        'What becomes of a server whose certificate is not to be believed. "show": the client gets '
        'one with the same fault, and judges itself. "deny": the session ends, and the client '
        "reads why.",
        "show",
    )
