"""The private names of pyOpenSSL that raw calls depend on."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from gateway.tls import endpoint, raw


class PrivateNamesTests(SynchronousTestCase):
    """A pyOpenSSL that renames what is private is noticed here, not by slow traffic."""

    def test_usable(self) -> None:
        """This one has them all, and they are used."""
        self.assertTrue(raw.usable())
        self.assertIs(endpoint.Calls, raw.RawCalls)
        self.assertTrue(hasattr(raw._lib, "SSL_CTX_set_cert_cb"))
        self.assertTrue(hasattr(SSL.Connection, "_reverse_mapping"))
        self.assertIsInstance(SSL.Context(SSL.TLS_METHOD)._context, raw._ffi.CData)

    def test_errors(self) -> None:
        """The numbers of errors that are looked for are OpenSSL's."""
        lib: Any = raw._lib
        self.assertEqual(raw.SSL_WANT_READ, lib.SSL_ERROR_WANT_READ)
        self.assertEqual(raw.SSL_ZERO_RETURN, lib.SSL_ERROR_ZERO_RETURN)

    def test_renamed(self) -> None:
        """Without any one of them, public methods do the same (test_endpoint runs on both)."""

        class Another:
            """OpenSSL's functions without one of them."""

            def __init__(self, without: str) -> None:
                self._without = without

            def __getattr__(self, name: str) -> Any:
                if name == self._without:
                    raise AttributeError(name)
                return None

        for name in raw.NEEDED:
            self.patch(raw, "_lib", Another(name))
            self.assertFalse(raw.usable(), name)
        self.patch(raw, "_lib", None)
        self.assertFalse(raw.usable())
        raw.on_certificate_request(SSL.Context(SSL.TLS_METHOD), lambda _: None)
