"""The Keyring: what this process has to speak TLS with, under whatever policy."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any, BinaryIO
from weakref import WeakKeyDictionary

from cryptography.hazmat.primitives.asymmetric import ec
from twisted.logger import Logger

from gateway.policy.policy import Policy
from gateway.policy.tls import Tls
from gateway.tls.credentials import Credentials
from gateway.tls.minter import Minter
from gateway.tls.signer import Started, connect, start
from gateway.tls.signing import SignerError, Signing
from gateway.tls.system import system_roots

log = Logger()

SECONDS = 10.0
"""For a signer of our own to end."""


class Keyring:
    """
    The key that our own certificates are about, who signs them, and the credentials of each
    policy that sessions still have.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._signer: Started | None = None
        self._signing: Signing | None = None
        self._minter: Minter | None = None
        self._key_log: BinaryIO | None = None
        self._credentials: WeakKeyDictionary[Policy, Credentials] = WeakKeyDictionary()

    def open(self, folder: Path, settings: Tls, signer: Path | socket.socket | None) -> None:
        """
        Start the signer, if there is a root, and open the key log: with the privileges that are
        given up afterwards.

        @param folder: of the configuration.
        @param signer: the socket of one that is a service of its own, or a connection to one that
            somebody else has started; it is not started then.
        @raise SignerError: the root can't be used, or there is no signer at that socket.
        @raise OSError: the key log can't be opened.
        """
        if settings.key_log:
            self._open_key_log(folder / settings.key_log)
        if not settings.root:
            return
        self._signing = self._begin(folder, settings, signer)
        key = ec.generate_private_key(ec.SECP256R1())
        roots = self._signing.greet(key.public_key())
        self._minter = Minter(key, roots, self._signing, settings.certificates)

    def _begin(self, folder: Path, settings: Tls, signer: Path | socket.socket | None) -> Signing:
        if isinstance(signer, socket.socket):
            return Signing(signer, self._reactor)
        if signer is not None:
            return Signing(_reached(signer), self._reactor, lambda: connect(signer))
        self._signer = start(
            folder, settings.root, settings.root_certificate, settings.certificates_per_second
        )
        return Signing(self._signer.connection, self._reactor)

    def _open_key_log(self, path: Path) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.fchmod(descriptor, 0o600)
        self._key_log = os.fdopen(descriptor, "ab", buffering=0)
        log.critical(
            "tls.key_log is on: whoever reads {path} can read all that is said inside TLS",
            path=str(path),
        )

    def credentials(self, policy: Policy) -> Credentials:
        """What the sessions of a policy need."""
        found = self._credentials.get(policy)
        if found is None:
            write = None if self._key_log is None else self._write_key
            found = self._credentials[policy] = Credentials(
                policy.tls, system_roots(), self._minter, self._reactor.seconds, write
            )
        return found

    def _write_key(self, line: bytes) -> None:
        assert self._key_log is not None
        self._key_log.write(line + b"\n")

    def close(self) -> None:
        """End the signer."""
        if self._signing is not None:
            self._signing.stop()
        if self._signer is not None:
            self._wait_for(self._signer)
        if self._key_log is not None:
            self._key_log.close()

    def _wait_for(self, signer: Started) -> None:
        """What else is to be done at the end is done also if it hangs."""
        try:
            signer.process.wait(SECONDS)
        except TimeoutExpired:
            log.error(
                "the signer does not end, and still has the root's key: kill {process}",
                process=signer.process.pid,
            )


def _reached(signer: Path) -> socket.socket:
    try:
        return connect(signer)
    except OSError as error:
        raise SignerError(
            f"tls.root needs the signer, which can't be reached at {signer}: "
            f'{error.strerror or error}; see "systemctl status tproxygw-signer"'
        ) from error
