"""
The Signer: a small process that has the root's key.

The process that handles traffic parses what strangers send; whoever took it over
must not get the key that all clients trust. So the key is in a process of its
own, which parses nothing but templates (L{gateway.tls.template}), and signs
certificates for servers of them: none for authorities, none for more than a year
but as the true server has it, and not more than so many a second.

What a gateway that was taken over could do with that: have certificates made for
its own leaf keys as long as it is taken over. It could do that much without: it is
in the middle. It can't take the key with it.

Messages are JSON objects, one a packet of a SOCK_SEQPACKET socket, whose other
end the gateway has: by a pair of sockets if the gateway has started the signer,
else by a Unix socket. Requests are C{{"number": 1, "template": {…}}}, answers
C{{"number": 1, "certificate": "base64"}} or C{{"number": 1, "error": "…"}}. The first
answer, to C{{"number": 0, "key": "base64"}}, has the roots' certificates.
"""

from __future__ import annotations

import base64
import ctypes
import json
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key

from gateway.tls.issuer import UNTRUSTED, Issuer, make_root
from gateway.tls.key import TOKEN, RootError, load_root
from gateway.tls.template import Template

LONGEST = 131072
"""Bytes of one message. A template of 1,000 names has 80,000."""

NOBODY = 65534
"""The user and group that the signer is once it has the key."""

UNTRUSTED_DAYS = 3650

_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38


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

    def take(self) -> bool:
        """Whether one more may be."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._last) * self._per_second)
        self._last = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Desk:
    """The signer's end of one gateway: answers requests, one at a time."""

    def __init__(self, trusted: Issuer, untrusted: Issuer, pace: Pace) -> None:
        self._issuers = {True: trusted, False: untrusted}
        self._pace = pace
        self._key: Any = None

    def answer(self, packet: bytes) -> bytes | None:
        """The answer to one packet; L{None} if no gateway has sent it."""
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
            made = self._issuers[template.trusted].issue(template, self._key)
        except Exception as error:  # a token's, too: the gateway decides what becomes of it
            return {"error": f"{type(error).__name__}: {error}"}
        return {"certificate": _text(made)}


def _text(certificate: x509.Certificate) -> str:
    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()


def serve(connection: socket.socket, desk: Desk) -> None:
    """Answer until the connection ends, or something comes that no gateway sends."""
    with connection, suppress(ConnectionError):
        while packet := connection.recv(LONGEST):
            answer = desk.answer(packet)
            if answer is None:
                return
            connection.send(answer)


class Started(NamedTuple):
    """A signer, and the gateway's end of the connection to it, with which it ends."""

    process: subprocess.Popen[bytes]
    connection: socket.socket


def start(folder: Path, root: str, certificate: str, per_second: float) -> Started:
    """
    Start a signer as a process of its own.

    @param folder: of the configuration.
    @param root: where its root is, see L{load_root}.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            (
                *(sys.executable, "-P", "-m", "gateway.tls.signer"),
                *(str(folder.resolve()), root, certificate, str(per_second)),
            ),
            stdin=theirs.fileno(),
            stdout=2,
            start_new_session=True,
            cwd="/",
            env=_environment(root),
        )
    return Started(process, ours)


def _environment(root: str) -> dict[str, str]:
    """What the signer needs of ours: a token's library may look for its own settings there."""
    kept = dict(os.environ) if root.startswith(TOKEN) else {}
    return {**kept, "PYTHONPATH": _import_path(), "LC_ALL": "C.UTF-8"}


def _import_path() -> str:
    """Where the signer finds the packages that this process has found."""
    own = str(Path(__file__).resolve().parents[2])
    return ":".join([own, *(path for path in sys.path if path)])


def main(arguments: list[str]) -> None:
    """Be the signer, asked on standard input."""
    folder, root, certificate, per_second = arguments
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the end of the connection ends it
    connection = socket.socket(fileno=0)
    try:
        trusted = load_root(Path(folder), root, certificate)
    except RootError as error:
        connection.recv(LONGEST)  # the greeting: unread, it would be answered with a reset
        connection.send(json.dumps({"number": 0, "error": str(error)}).encode())
        return
    untrusted = make_root(UNTRUSTED, datetime.now(UTC), UNTRUSTED_DAYS)
    shut_in(stay=root.startswith(TOKEN))
    pace = Pace(float(per_second), float(per_second) * 10, monotonic)
    serve(connection, Desk(trusted, untrusted, pace))


def shut_in(stay: bool) -> None:
    """
    Be nobody, with no privileges, in no core file and in nobody's debugger.

    @param stay: be who the signer was: a token's library may have to open its files again.
    """
    if os.geteuid() == 0 and not stay:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


if __name__ == "__main__":
    main(sys.argv[1:])
