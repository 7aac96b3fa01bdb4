"""What L{gateway.tls.raw} does, by public methods: for a pyOpenSSL with other private names."""

from __future__ import annotations

from collections.abc import Callable

from OpenSSL import SSL

from gateway.tls.raw import BROKEN, ENDED, OPEN

PIECE = 65536
"""Bytes that are asked for at once."""


class PublicCalls:
    """One connection's calls; see L{gateway.tls.raw.RawCalls}."""

    __slots__ = ("_connection", "error", "state")

    def __init__(self, connection: SSL.Connection) -> None:
        self._connection = connection
        self.state = OPEN
        self.error = ""

    def handshake(self, data: bytes) -> bool:
        """Go on with the handshake, as far as possible. Whether it is done."""
        if data:
            self._connection.bio_write(data)
        return self._done(self._connection.do_handshake)

    def open(self, data: bytes) -> bytes:
        """Decrypt."""
        if data:
            self._connection.bio_write(data)
        return self._all(self._connection.recv)

    def seal(self, data: bytes) -> bytes:
        """Encrypt."""
        self.write(data)
        return self.take()

    def write(self, data: bytes) -> None:
        """Encrypt C{data}, to be L{take}n."""
        self._done(lambda: self._connection.sendall(data))

    def take(self) -> bytes:
        """All ciphertext for the peer."""
        return self._all(self._connection.bio_read)

    def shut(self) -> None:
        """Say close_notify. Reading may go on."""
        try:
            self._connection.shutdown()
        except SSL.Error:
            pass

    @property
    def reused(self) -> bool:
        """pyOpenSSL has no public way to know."""
        return False

    def _all(self, read: Callable[[int], bytes]) -> bytes:
        pieces: list[bytes] = []
        while self._done(lambda: pieces.append(read(PIECE))):
            pass
        return b"".join(pieces)

    def _done(self, call: Callable[[], object]) -> bool:
        """Whether it could be done; else C{state} says why not."""
        try:
            call()
        except SSL.WantReadError:
            return False
        except SSL.ZeroReturnError:
            self.state = ENDED
            return False
        except SSL.Error as error:
            self.state = BROKEN
            self.error = _reason(error)
            return False
        return True


def _reason(error: SSL.Error) -> str:
    """OpenSSL's own words, of its list of (library, function, reason)."""
    reasons = [each[2] for each in error.args[0]] if error.args else []
    return reasons[0] if reasons else "the connection is broken"
