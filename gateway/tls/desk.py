"""
The signer's Desk: what one gateway is answered.

Messages are JSON objects, one a packet of a SOCK_SEQPACKET socket. Requests are
C{{"number": 1, "template": {…}}}, answers C{{"number": 1, "certificate": "base64"}}
or C{{"number": 1, "error": "…"}}. The first answer, to C{{"number": 0, "key":
"base64"}}, has the roots' certificates.
"""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key

from gateway.tls.issuer import Issuer
from gateway.tls.template import Template

LONGEST = 131072
"""Bytes of one message. A template of 1,000 names has 80,000."""


class Pace:
    """
    So many a second, and as many as that in a burst of some seconds.

    @param clock: seconds, for differences only.
    """

    def __init__(self, per_second: float, burst: float, clock: Callable[[], float]) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._left = burst
        self._last = clock()
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Whether one more may be."""
        with self._lock:
            now = self._clock()
            self._left = min(self._burst, self._left + (now - self._last) * self._per_second)
            self._last = now
            if self._left < 1:
                return False
            self._left -= 1
            return True


class Desk:
    """The signer's end of one gateway: answers requests, one at a time."""

    def __init__(
        self,
        trusted: Issuer,
        untrusted: Issuer,
        pace: Pace,
        lock: AbstractContextManager[Any] | None = None,
    ) -> None:
        """@param lock: held while something is signed: a token does one thing at a time."""
        self._issuers = {True: trusted, False: untrusted}
        self._pace = pace
        self._lock = lock or threading.Lock()
        self._key: Any = None

    def answer(self, packet: bytes) -> bytes | None:
        """The answer to one packet; C{None} if no gateway has sent it."""
        try:
            request = json.loads(packet)
            number = request["number"]
            answer = self._greet(request) if number == 0 else self._sign(request)
        except (ValueError, TypeError, KeyError, RecursionError):
            return None
        return json.dumps({"number": number, **answer}).encode()

    def _greet(self, request: dict[str, Any]) -> dict[str, Any]:
        key = load_der_public_key(base64.b64decode(request["key"]))
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise ValueError("no key of a gateway's")
        self._key = key
        return {
            "trusted": [_text(each) for each in self._issuers[True].chain],
            "untrusted": [_text(each) for each in self._issuers[False].chain],
        }

    def _sign(self, request: dict[str, Any]) -> dict[str, Any]:
        template = Template.decode(request["template"])
        if self._key is None:
            raise ValueError("no key was said")
        if not self._pace.take():
            return {"error": "too many certificates are asked for; see tls.certificates_per_second"}
        try:
            with self._lock:
                made = self._issuers[template.trusted].issue(template, self._key)
        except Exception as error:  # a token's, too: the gateway decides what becomes of it
            return {"error": f"{type(error).__name__}: {error}"}
        return {"certificate": _text(made)}


def _text(certificate: x509.Certificate) -> str:
    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()


def serve(
    connection: socket.socket, desk: Desk, another: Callable[[socket.socket], object] | None = None
) -> None:
    """
    Answer until the connection ends, or something comes that no gateway sends.

    @param another: is given the connections that come by this one: those of workers.
    """
    with connection, suppress(ConnectionError):
        while True:
            packet, descriptors, _, _ = socket.recv_fds(connection, LONGEST, 1 if another else 0)
            if another is not None and descriptors:
                another(socket.socket(fileno=descriptors[0]))
                continue
            answer = desk.answer(packet) if packet else None
            if answer is None:
                return
            connection.send(answer)


def for_worker(signer: socket.socket) -> socket.socket:
    """
    Another connection to a signer that this process has started, for a process of ours.

    @raise OSError: it is gone.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        socket.send_fds(signer, [b"{}"], [theirs.fileno()])
    return ours
