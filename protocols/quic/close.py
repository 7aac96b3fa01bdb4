"""
CONNECTION_CLOSE: a client is told at once that there is no connection.

Who hears nothing tries for seconds; who hears this goes on by TCP at once.
"""

from __future__ import annotations

from protocols.quic.frame import CONNECTION_CLOSE
from protocols.quic.keys import Keys
from protocols.quic.packet import Kind, Packet
from protocols.tls.numbers import Alert

CONNECTION_REFUSED = 2
"""RFC 9000, section 20.1."""

_CRYPTO_ERROR = 0x0100


def close_packet(to: Packet, alert: Alert | None, reason: str) -> bytes:
    """
    The datagram that ends a connection before it begins (RFC 9000, section 10.2.3).

    @param to: the client's first packet.
    @param alert: of TLS, if that says why; else the connection is just refused.
    @param reason: in ASCII, for whoever looks at the client's log.
    """
    code = CONNECTION_REFUSED if alert is None else _CRYPTO_ERROR + alert
    text = reason.encode("ascii", "replace")[:255]
    frame = _number(CONNECTION_CLOSE) + _number(code) + _number(0) + _number(len(text)) + text
    keys = Keys.of_server(to.version, to.destination)
    kind = to.version.kinds.index(Kind.INITIAL)
    header = bytes((0xC0 | kind << 4,)) + to.version.number.to_bytes(4, "big")
    header += bytes((len(to.source),)) + to.source
    # no identifier of the server, no token
    header += b"\0\0" + _number(len(frame) + keys.overhead)
    return keys.seal(header, 0, frame)


def _number(number: int) -> bytes:
    """In two bytes (RFC 9000, section 16)."""
    return (0x4000 | number).to_bytes(2, "big")
