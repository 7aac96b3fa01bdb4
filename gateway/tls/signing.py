"""The gateway's end of its signer (L{gateway.tls.signer}): asks, and does not wait."""

from __future__ import annotations

import base64
import json
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
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

AGAIN = 1.0
"""Seconds between two looks whether a signer is back."""


class SignerError(Exception):
    """A certificate could not be had; the message is for the operator."""


class Roots(NamedTuple):
    """The certificates of those that sign, each with those above it that clients do not have."""

    trusted: tuple[x509.Certificate, ...]
    untrusted: tuple[x509.Certificate, ...]


def check(connection: socket.socket) -> None:
    """
    See whether a signer that has been started can sign. It blocks.

    @raise SignerError: it can't.
    """
    _greeted(connection, _greeting(ec.generate_private_key(ec.SECP256R1()).public_key()))


def _greeting(key: Any) -> dict[str, Any]:
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return {"number": 0, "key": base64.b64encode(spki).decode()}


def _greeted(connection: socket.socket, greeting: dict[str, Any]) -> dict[str, Any]:
    """@raise SignerError: the signer can't sign."""
    try:
        connection.settimeout(PATIENCE)
        connection.send(json.dumps(greeting).encode())
        said: dict[str, Any] = json.loads(connection.recv(LONGEST) or b'{"error": "it has ended"}')
    except OSError as error:
        raise SignerError(f"the signer does not answer: {error}") from None
    if "error" in said:
        raise SignerError(said["error"])
    return said


class _Asked(NamedTuple):
    template: Template
    answer: Deferred[x509.Certificate]


@implementer(IReadDescriptor)
class Signing:
    """
    Asks the signer for one certificate at a time.

    @param reactor: watches the connection.
    @param again: connects anew to a signer that is a service of its own; C{None} if it ends with
        this process.
    """

    def __init__(
        self,
        connection: socket.socket,
        reactor: Any,
        again: Callable[[], socket.socket] | None = None,
    ) -> None:
        self._connection = connection
        self._reactor = reactor
        self._again = again
        self._greeting: dict[str, Any] = {}
        self._roots: Roots | None = None
        self._waiting: deque[_Asked] = deque()
        self._number = 0
        self._call: Any = None
        self._over = ""

    def greet(self, key: Any) -> Roots:
        """
        Say for which key certificates will be asked for. It blocks: for before the reactor runs.

        @param key: the public key.
        @raise SignerError: the signer can't sign.
        """
        self._greeting = _greeting(key)
        self._roots = self._greet()
        self._reactor.addReader(self)
        return self._roots

    def _greet(self) -> Roots:
        """@raise SignerError: the signer can't sign."""
        said = _greeted(self._connection, self._greeting)
        self._connection.setblocking(False)
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
        """End the connection, and so a signer that was started by this process."""
        self._again = None
        if not self._over:
            self._over = "the gateway is being stopped"
            self._close()
        self._cancel()

    def _ask(self) -> None:
        self._number += 1
        self._call = self._reactor.callLater(PATIENCE, self._break, "the signer hangs")
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
        self._cancel()
        asked = self._waiting.popleft()
        if self._waiting:
            self._ask()
        if "error" in said:
            asked.answer.errback(SignerError(said["error"]))
        else:
            asked.answer.callback(_certificate(said["certificate"]))

    # The end of the connection

    def _break(self, why: str) -> None:
        """Nothing can be signed any more, or not for a while."""
        if self._over:
            return
        self._over = why if self._again else f"{why}; restart the gateway"
        log.critical("no certificates any more: {why}", why=self._over)
        self._close()
        if self._again is not None:
            self._call = self._reactor.callLater(AGAIN, self._begin_again)

    def _close(self) -> None:
        self._cancel()
        self._reactor.removeReader(self)
        self._connection.close()
        waiting, self._waiting = self._waiting, deque()
        for asked in waiting:
            asked.answer.errback(SignerError(self._over))

    def _cancel(self) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()

    def _begin_again(self) -> None:
        """A signer that is a service may be back; it must be the same root's."""
        assert self._again is not None
        try:
            self._connection = self._again()
            roots = self._greet()
        except (OSError, SignerError):
            self._call = self._reactor.callLater(AGAIN, self._begin_again)
            return
        if self._roots is None or roots.trusted != self._roots.trusted:
            self._over = "the signer has another root now; restart the gateway"
            log.critical("no certificates: {why}", why=self._over)
            self._connection.close()
            return
        self._over = ""
        self._reactor.addReader(self)
        log.info("the signer is back")


def _certificates(texts: list[str]) -> tuple[x509.Certificate, ...]:
    return tuple(map(_certificate, texts))


def _certificate(text: str) -> x509.Certificate:
    return x509.load_der_x509_certificate(base64.b64decode(text))
