"""
The keys of first packets (RFC 9001, sections 5.2 to 5.4).

They come from the connection identifier that the client chose, and protect from
nobody who has read the RFC. The cryptography is that of the library C{cryptography}.
"""

from __future__ import annotations

import hmac

from attrs import field, frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from protocols.quic.packet import Packet, Version
from protocols.tls.refusal import Refusal

_SAMPLE = 16
_LONGEST_NUMBER = 4
_RESERVED = 0x0C
_TAG = 16


@frozen
class Opened:
    """A packet without its protection."""

    number: int
    payload: bytes


@frozen
class Keys:
    """What protects the first packets of one side."""

    key: bytes = field(repr=False)
    iv: bytes = field(repr=False)
    header_key: bytes = field(repr=False)

    @classmethod
    def of_client(cls, version: Version, destination: bytes) -> Keys:
        """
        Those of the client.

        @param destination: the connection identifier that it chose for the server.
        """
        return cls._of(version, destination, b"client in")

    @classmethod
    def of_server(cls, version: Version, destination: bytes) -> Keys:
        """Those of the server; see L{of_client}."""
        return cls._of(version, destination, b"server in")

    @classmethod
    def _of(cls, version: Version, destination: bytes, label: bytes) -> Keys:
        initial = hmac.digest(version.salt, destination, "sha256")
        secret = _expanded(initial, label, 32)
        return cls(
            _expanded(secret, version.label + b"key", 16),
            _expanded(secret, version.label + b"iv", 12),
            _expanded(secret, version.label + b"hp", 16),
        )

    def open(self, packet: Packet, largest: int = -1) -> Opened | None:
        """
        Take the protection away.

        @param largest: the largest number of a packet so far, as only the
            end of a number is sent.
        @return: C{None} if these are not its keys.
        @raise Refusal: it is too short to be one, or not as the RFC wants it.
        """
        data, at = packet.data, packet.number_at
        sample = data[at + _LONGEST_NUMBER : at + _LONGEST_NUMBER + _SAMPLE]
        if len(sample) < _SAMPLE:
            raise Refusal("a QUIC packet that is too short to be protected")
        mask = self._mask(sample)
        first = data[0] ^ mask[0] & 0x0F
        end = at + (first & 3) + 1
        sent = bytes(a ^ b for a, b in zip(data[at:end], mask[1:], strict=False))
        number = _whole_number(int.from_bytes(sent, "big"), 8 * len(sent), largest)
        header = bytes((first,)) + data[1:at] + sent
        try:
            payload = AESGCM(self.key).decrypt(self._nonce(number), data[end:], header)
        except InvalidTag:
            return None
        if first & _RESERVED:
            raise Refusal("a QUIC packet with reserved bits")
        return Opened(number, payload)

    def seal(self, header: bytes, number: int, payload: bytes) -> bytes:
        """
        Protect a packet of our own.

        @param header: up to the packet's number, of which one byte is sent; its length counts
            that byte and the L{overhead} already.
        """
        sent = header + bytes((number,))
        sealed = AESGCM(self.key).encrypt(self._nonce(number), payload, sent)
        mask = self._mask(sealed[_LONGEST_NUMBER - 1 : _LONGEST_NUMBER - 1 + _SAMPLE])
        protected = bytes((sent[0] ^ mask[0] & 0x0F, *sent[1:-1], sent[-1] ^ mask[1]))
        return protected + sealed

    @property
    def overhead(self) -> int:
        """Bytes by which protection makes a payload longer, with the packet's number."""
        return 1 + _TAG

    def _nonce(self, number: int) -> bytes:
        return (int.from_bytes(self.iv, "big") ^ number).to_bytes(12, "big")

    def _mask(self, sample: bytes) -> bytes:
        """RFC 9001, section 5.4.3."""
        encryptor = Cipher(algorithms.AES(self.header_key), modes.ECB()).encryptor()
        return encryptor.update(sample)


def _expanded(secret: bytes, label: bytes, length: int) -> bytes:
    """HKDF-Expand-Label (RFC 8446, section 7.1) without a context."""
    name = b"tls13 " + label
    info = length.to_bytes(2, "big") + bytes((len(name),)) + name + b"\0"
    return HKDFExpand(SHA256(), length, info).derive(secret)


def _whole_number(sent: int, bits: int, largest: int) -> int:
    """The number of which the last C{bits} were sent (RFC 9000, appendix A.3)."""
    expected, window = largest + 1, 1 << bits
    number = expected & ~(window - 1) | sent
    if number <= expected - window // 2 and number < (1 << 62) - window:
        return number + window
    if number > expected + window // 2 and number >= window:
        return number - window
    return number
