"""
Raw calls into OpenSSL, for what a gateway does for each record.

pyOpenSSL's own methods allocate a buffer for each read and raise an exception
for each "nothing more yet": a fifth of the time of a bulk transfer, half of
that of a small record. Here the same functions of OpenSSL are called, through
the same binding, into one buffer for the process.

The private names that this depends on are tested (C{tests/tls/test_raw.py}). If
a later pyOpenSSL renames them, L{gateway.tls.public} does the same by public
methods, slower (C{Calls} in L{gateway.tls.endpoint}).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from OpenSSL import SSL

ROOM = 131072
"""Bytes of plaintext that one call can give: more than comes of 64 KiB, and a record before it."""

LARGE = 16384
"""A memory BIO that has held more is replaced: it never gives memory back by itself."""

OPEN, ENDED, BROKEN = range(3)
"""How reading goes on: there may be more; close_notify came; a fatal error, see C{error}."""

try:
    _lib: Any = SSL._lib  # type: ignore[attr-defined]
    _ffi: Any = SSL._ffi  # type: ignore[attr-defined]
    _buffer = _ffi.new("char[]", ROOM)
except AttributeError:  # another pyOpenSSL: see USABLE
    _lib = _ffi = _buffer = None

NEEDED = (
    *("BIO_new", "BIO_s_mem", "BIO_read", "BIO_write", "SSL_set_bio"),
    *("SSL_read", "SSL_write", "SSL_do_handshake", "SSL_shutdown", "SSL_get_error"),
    *("ERR_clear_error", "ERR_peek_error", "ERR_reason_error_string", "SSL_session_reused"),
)
"""What the binding must have."""

OWN = ("_ssl", "_into_ssl", "_from_ssl")
"""What a Connection must have."""


def usable() -> bool:
    """Whether this pyOpenSSL has all the private names."""
    if _lib is None or not all(hasattr(_lib, name) for name in NEEDED):
        return False
    probe = SSL.Connection(SSL.Context(SSL.TLS_METHOD), None)
    return all(name in vars(probe) for name in OWN)


class RawCalls:
    """
    One connection's calls.

    @ivar state: how reading goes on.
    @ivar error: the reason of a fatal error, in OpenSSL's words.
    """

    __slots__ = ("_connection", "_from", "_into", "_large", "_ssl", "error", "state")

    def __init__(self, connection: SSL.Connection) -> None:
        self._connection = connection  # keeps what it points to alive
        self._ssl = connection._ssl
        self._into = connection._into_ssl
        self._from = connection._from_ssl
        self._large = False
        self.state = OPEN
        self.error = ""

    def handshake(self, data: bytes) -> bool:
        """
        Go on with the handshake, as far as possible. Whether it is done.

        @param data: ciphertext from the peer.
        """
        lib = _lib
        lib.ERR_clear_error()
        if data:
            self._large = True  # there is nothing small in it
            lib.BIO_write(self._into, data, len(data))
        result: int = lib.SSL_do_handshake(self._ssl)
        if result == 1:
            return True
        self._look(result)
        return False

    def open(self, data: bytes) -> bytes:
        """
        Decrypt.

        @param data: ciphertext from the peer, at most 64 KiB; nothing, for what came with the
            end of the handshake.
        """
        size = len(data)
        if size > LARGE:
            self._large = True
        elif self._large and size:
            self._renew()
        lib, ssl = _lib, self._ssl
        lib.ERR_clear_error()
        if size:
            lib.BIO_write(self._into, data, size)
        at = got = lib.SSL_read(ssl, _buffer, ROOM)
        while got > 0:
            got = lib.SSL_read(ssl, _buffer + at, ROOM - at)
            if got > 0:
                at += got
        self._look(got)
        return _ffi.buffer(_buffer, at)[:] if at > 0 else b""

    def seal(self, data: bytes) -> bytes:
        """
        Encrypt.

        @param data: plaintext, all of which is taken.
        @return: ciphertext for the peer.
        """
        self.write(data)
        return self.take()

    def write(self, data: bytes) -> None:
        """Encrypt all of C{data}, to be L{take}n with what was said before."""
        lib, ssl, size = _lib, self._ssl, len(data)
        if size > LARGE:
            self._large = True
        lib.ERR_clear_error()
        sent = lib.SSL_write(ssl, data, size)
        if sent != size:
            sent = self._write_on(data, sent)
        if sent <= 0:
            self._look(sent)

    def _write_on(self, data: bytes, sent: int) -> int:
        """OpenSSL takes a record at a time, unless its context was told otherwise."""
        rest, size = _ffi.from_buffer(data), len(data)
        while 0 < sent < size:
            more = _lib.SSL_write(self._ssl, rest + sent, size - sent)
            sent = sent + more if more > 0 else more
        return sent

    def take(self) -> bytes:
        """All ciphertext for the peer."""
        size = _lib.BIO_read(self._from, _buffer, ROOM)
        if size <= 0:
            return b""
        data: bytes = _ffi.buffer(_buffer, size)[:]
        return data if size < ROOM else data + self.take()

    def _renew(self) -> None:
        """
        Let go of large buffers: both are empty, since everything that came was read, and what was
        said was taken. Not in the middle of a lot, when they would only have to grow again.
        """
        self._large = False
        connection: Any = self._connection
        self._into = connection._into_ssl = _lib.BIO_new(_lib.BIO_s_mem())
        self._from = connection._from_ssl = _lib.BIO_new(_lib.BIO_s_mem())
        _lib.SSL_set_bio(self._ssl, self._into, self._from)  # frees the former ones

    def shut(self) -> None:
        """Say close_notify. Reading may go on."""
        _lib.ERR_clear_error()
        _lib.SSL_shutdown(self._ssl)
        _lib.ERR_clear_error()

    @property
    def reused(self) -> bool:
        """Whether the handshake resumed a session."""
        return bool(_lib.SSL_session_reused(self._ssl))

    def _look(self, result: int) -> None:
        """Why OpenSSL did not do what it was asked for."""
        error = _lib.SSL_get_error(self._ssl, result)
        if error == SSL_WANT_READ:
            return
        if error == SSL_ZERO_RETURN:
            self.state = ENDED
            return
        self.state = BROKEN
        text = _lib.ERR_reason_error_string(_lib.ERR_peek_error())
        self.error = _ffi.string(text).decode() if text else f"error {error}"
        _lib.ERR_clear_error()


SSL_WANT_READ, SSL_ZERO_RETURN = 2, 6
"""SSL_ERROR_WANT_READ and SSL_ERROR_ZERO_RETURN, see SSL_get_error(3)."""


CLASSICAL = b"?*X25519:?secp256r1:?X448:?secp384r1:?secp521r1:?curveSM2:?ffdhe2048:?ffdhe3072"
"""OpenSSL's own groups but for the hybrid ones; a key is sent for the one with the star."""


def offer_classical(context: SSL.Context) -> None:
    """
    Offer no key exchange with ML-KEM: it makes a hello five times as long, and the handshake cost a
    fifth more. An OpenSSL before 3.5 does not know it; one that can't be told goes on offering it.
    """
    set_groups = getattr(_lib, "SSL_CTX_set1_curves_list", None)
    if set_groups is not None:
        set_groups(context._context, CLASSICAL)
        _lib.ERR_clear_error()


def on_certificate_request(context: SSL.Context, call: Callable[[SSL.Connection], None]) -> None:
    """
    Call C{call} whenever a server asks for the client's certificate. pyOpenSSL has no public way
    to know; nobody is told then.
    """
    set_call = getattr(_lib, "SSL_CTX_set_cert_cb", None)
    known = getattr(SSL.Connection, "_reverse_mapping", None)
    if set_call is None or known is None:
        return

    def asked(ssl: Any, _: Any) -> int:
        connection = known.get(ssl)
        if connection is not None:
            call(connection)
        return 1

    callback = _ffi.callback("int (*)(SSL *, void *)", asked)
    context._tproxygw_cert_cb = callback  # type: ignore[attr-defined]  # as long as it may be called
    set_call(context._context, callback, _ffi.NULL)
