"""The gateway's end of its signer (L{gateway.tls.signer}): asks, and does not wait."""

from __future__ import annotations

import base64
import json
import socket
from collections import deque
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from zope.interface import implementer

from gateway.tls.template import Template

log = Logger()

LONGEST = 131072
MOST_WAITING = 1000
"""Certificates that may be waited for. More are refused."""

PATIENCE = 10.0
"""Seconds for one certificate. Smart cards need a second."""


class SignerError(Exception):
    """A certificate could not be had; the message is for the operator."""


class Roots(NamedTuple):
    """The certificates of those that sign, each with those above it that clients do not have."""

    trusted: tuple[x509.Certificate, ...]
    untrusted: tuple[x509.Certificate, ...]


class _Asked(NamedTuple):
    template: Template
    answer: Deferred[x509.Certificate]


@implementer(IReadDescriptor)
class Signing:
    """
    Asks the signer for one certificate at a time.

    @param reactor: watches the connection.
    """

    def __init__(self, connection: socket.socket, reactor: Any) -> None:
        self._connection = connection
        self._reactor = reactor
        self._waiting: deque[_Asked] = deque()
        self._number = 0
        self._patience: Any = None
        self._over = ""

    def greet(self, key: Any) -> Roots:
        """
        Say for which key certificates will be asked for. It blocks: for before the reactor runs.

        @param key: the public key.
        @raise SignerError: the signer can't sign.
        """
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        try:
            self._connection.settimeout(PATIENCE)
            self._send({"number": 0, "key": base64.b64encode(spki).decode()})
            said = json.loads(self._connection.recv(LONGEST) or b'{"error": "it has ended"}')
        except OSError as error:
            raise SignerError(f"the signer does not answer: {error}") from None
        if "error" in said:
            raise SignerError(said["error"])
        self._connection.setblocking(False)
        self._reactor.addReader(self)
        return Roots(_certificates(said["trusted"]), _certificates(said["untrusted"]))

    def sign(self, template: Template) -> Deferred[x509.Certificate]:
        """
        A certificate.

        @return: fires with it, or fails with L{SignerError}.
        """
        if self._over:
            return fail(SignerError(self._over))
        if len(self._waiting) >= MOST_WAITING:
            return fail(SignerError(f"{MOST_WAITING} certificates are waited for already"))
        asked = _Asked(template, Deferred())
        self._waiting.append(asked)
        if len(self._waiting) == 1:
            self._ask()
        return asked.answer

    def stop(self) -> None:
        """End the connection, and so the signer."""
        if not self._over:
            self._over = "the gateway is being stopped"
            self._close()

    def _ask(self) -> None:
        self._number += 1
        self._patience = self._reactor.callLater(PATIENCE, self._break, "the signer hangs")
        try:
            self._send({"number": self._number, "template": self._waiting[0].template.encode()})
        except OSError as error:
            self._break(f"the signer has ended: {error}")

    def _send(self, message: dict[str, Any]) -> None:
        self._connection.send(json.dumps(message).encode())

    # As a descriptor, for the reactor

    def fileno(self) -> int:
        """Of the connection."""
        return self._connection.fileno()

    def logPrefix(self) -> str:
        """For the log."""
        return "signer"

    def doRead(self) -> None:
        """There is an answer, or the end."""
        try:
            packet = self._connection.recv(LONGEST)
        except BlockingIOError:
            return
        except OSError as error:
            self._break(f"the signer has ended: {error}")
            return
        if packet:
            self._answered(json.loads(packet))
        else:
            self._break("the signer has ended: its standard error says why")

    def connectionLost(self, reason: Any) -> None:
        """The reactor saw that it is over."""
        self._break("the signer has ended")

    def _answered(self, said: dict[str, Any]) -> None:
        self._patience.cancel()
        asked = self._waiting.popleft()
        if self._waiting:
            self._ask()
        if "error" in said:
            asked.answer.errback(SignerError(said["error"]))
        else:
            asked.answer.callback(_certificate(said["certificate"]))

    def _break(self, why: str) -> None:
        """Nothing can be signed any more."""
        if self._over:
            return
        self._over = f"{why}; restart the gateway"
        log.critical("no certificates any more: {why}", why=self._over)
        self._close()

    def _close(self) -> None:
        if self._patience is not None and self._patience.active():
            self._patience.cancel()
        self._reactor.removeReader(self)
        self._connection.close()
        waiting, self._waiting = self._waiting, deque()
        for asked in waiting:
            asked.answer.errback(SignerError(self._over))


def _certificates(texts: list[str]) -> tuple[x509.Certificate, ...]:
    return tuple(map(_certificate, texts))


def _certificate(text: str) -> x509.Certificate:
    return x509.load_der_x509_certificate(base64.b64decode(text))
