"""TLS peers in memory, over the standard library's ssl: another OpenSSL than the gateway's."""

from __future__ import annotations

import ssl
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.tls.pki import Authority, Issued


class Peer:
    """One end of a TLS connection, in memory."""

    def __init__(
        self,
        context: ssl.SSLContext,
        server: bool,
        name: str | None = None,
        session: ssl.SSLSession | None = None,
    ) -> None:
        self.into, self.out = ssl.MemoryBIO(), ssl.MemoryBIO()
        known_as = None if server else name
        self.tls = context.wrap_bio(self.into, self.out, server, known_as, session)
        self.shaken = False
        self.received = b""
        self.ended = False
        self.error: ssl.SSLError | None = None

    def put(self, data: bytes) -> None:
        """Bytes from the gateway's end; whatever can be done with them is done."""
        if data:
            self.into.write(data)
        try:
            if not self.shaken:
                self.tls.do_handshake()
                self.shaken = True
            while not self.ended:
                data = self.tls.read(65536)
                self.received += data
                self.ended = not data
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        except ssl.SSLError as error:
            self.error = error

    def send(self, data: bytes) -> None:
        """Plaintext for the gateway's end."""
        at = 0
        while at < len(data):
            at += self.tls.write(data[at:])

    def end(self) -> None:
        """Say close_notify."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass

    def take(self) -> bytes:
        """Bytes for the gateway's end."""
        return self.out.read()


def server_context(issued: Issued, lenient: bool = False) -> ssl.SSLContext:
    """A server's context with this certificate; a lenient one takes a weak one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if lenient:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with TemporaryDirectory() as folder:
        file = Path(folder) / "server.pem"
        file.write_bytes(issued.pem)
        context.load_cert_chain(file)
    return context


def client_context(authority: Authority) -> ssl.SSLContext:
    """A client's context that trusts this authority only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=authority.issued.certificate_pem.decode())
    return context


@cache
def authority() -> Authority:
    """One for all tests that do not care which."""
    return Authority.root("Test Root")
