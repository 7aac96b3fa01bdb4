"""
The client's first message, put together from the records that it comes in.

A ClientHello may come in any number of TCP segments and in several records
(RFC 8446, section 5.1); a browser's has two segments today. Programs that look
at the first segment only, or at the first record, take what follows for
something else. So nothing is decided before the message is whole; but what
can't become one is refused at its first wrong byte.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from protocols.tls.numbers import Alert, ContentType, HandshakeType
from protocols.tls.refusal import Refusal

_HEADER = 5
"""Bytes of a record's header."""

_MESSAGE_HEADER = 4
"""Bytes of a handshake message's header."""

_LARGEST = 1 << 14
"""Bytes in a record (RFC 8446, section 5.1)."""


@frozen
class Limits:
    """
    How large a first message may be.

    @ivar message: bytes of it. Browsers' have 2,000.
    @ivar records: in so many records. All but those of programs that want to
        hide a name come in one.
    """

    message: int = 16384
    records: int = 16


@frozen
class Progress:
    """
    How far the first message has come.

    @ivar body: the ClientHello without its header; C{None} until it is whole.
    @ivar wanted: nothing new can be said before so many bytes are there, from
        the first of the connection.
    """

    body: bytes | None
    wanted: int


def progress(data: bytes, limits: Limits) -> Progress:
    """
    Look at all that a client has sent.

    @param data: from the first byte of the connection.
    @raise Refusal: it is no ClientHello, and won't become one.
    """
    message = b""
    announced = 0
    for number, (begin, end) in enumerate(_records(data)):
        if number == limits.records:
            raise Refusal(f"a ClientHello in more than {limits.records} records")
        message += data[begin:end]
        announced += end - begin
        length = _length(message, limits)
        if length is not None and announced > length:
            raise Refusal("a ClientHello and more in one record", Alert.UNEXPECTED_MESSAGE)
        if len(message) == length:
            return Progress(message[_MESSAGE_HEADER:], end)
        if end > len(data):
            # Each octet of a header may be the wrong one.
            return Progress(None, len(data) + 1 if length is None else end)
    return Progress(None, len(data) + 1)


def _records(data: bytes) -> Iterator[tuple[int, int]]:
    """Where the content of each record begins and ends; the last one's may not all be there."""
    at = 0
    while True:
        _check_header(data[at : at + _HEADER])
        if at + _HEADER > len(data):
            return
        begin = at + _HEADER
        at = begin + int.from_bytes(data[begin - 2 : begin], "big")
        yield begin, at
        if at > len(data):
            return


def _check_header(header: bytes) -> None:
    """
    Check as much of a record's header as there is.

    @raise Refusal: it begins no record of a handshake.
    """
    if header and header[0] != ContentType.HANDSHAKE:
        raise Refusal(f"not TLS: it begins with {header[:1]!r}", Alert.UNEXPECTED_MESSAGE)
    if len(header) > 1 and header[1] != 3:
        raise Refusal(f"a record of TLS version {header[1]}.x", Alert.PROTOCOL_VERSION)
    if len(header) == _HEADER and not 0 < int.from_bytes(header[3:], "big") <= _LARGEST:
        raise Refusal(f"a record of {int.from_bytes(header[3:], 'big')} bytes")


def _length(message: bytes, limits: Limits) -> int | None:
    """
    How long the message is with its header; C{None} as long as that is not there.

    @raise Refusal: it is no ClientHello, or too long.
    """
    if message and message[0] != HandshakeType.CLIENT_HELLO:
        raise Refusal(
            f"handshake message {message[0]} in place of a ClientHello", Alert.UNEXPECTED_MESSAGE
        )
    if len(message) < _MESSAGE_HEADER:
        return None
    length = int.from_bytes(message[1:_MESSAGE_HEADER], "big")
    if length > limits.message:
        raise Refusal(f"a ClientHello of {length} bytes; {limits.message} are allowed")
    return _MESSAGE_HEADER + length
