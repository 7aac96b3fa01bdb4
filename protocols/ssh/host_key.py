"""The key that a server shows, while nobody else could read it yet (RFC 4253, section 8)."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256

from attrs import frozen

from protocols.ssh.numbers import Message
from protocols.ssh.packet import Fields

# RFC 4419, section 3: message 31 is the group there.
_GROUP_EXCHANGE = "diffie-hellman-group-exchange-"

# RFC 4432 and others that show no key in this place.
_WITHOUT = ("rsa1024-sha1", "rsa2048-sha256", "gss-")


@frozen
class HostKey:
    """
    A server's key.

    @ivar kind: as it names itself; of a certificate, that of the certificate.
    @ivar fingerprint: as C{ssh-keygen -l} writes it.
    """

    kind: str
    fingerprint: str

    @classmethod
    def parse(cls, payload: bytes) -> HostKey:
        """
        Read it from the reply of a key exchange: it comes first.

        @raise gateway.interfaces.Denied: there is none.
        """
        reply = Fields(payload, "the reply of a key exchange")
        reply.take(1)
        blob = reply.string()
        kind = Fields(blob, "a host key").string().decode("ascii", "replace")
        digest = b64encode(sha256(blob).digest()).decode().rstrip("=")
        return cls(kind, f"SHA256:{digest}")


def shown_in(kex: str) -> int | None:
    """The message that shows the key, by the method of the exchange; C{None} if none does."""
    if kex.startswith(_WITHOUT):
        return None
    return Message.KEX_DH_GEX_REPLY if kex.startswith(_GROUP_EXCHANGE) else Message.KEX_REPLY
