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

The gateway starts it, or it is a service of its own, which listens at a Unix socket
and answers one user only::

    python -m gateway.tls.signer --config FOLDER [--listen SOCKET --for USER]

Messages are JSON objects, one a packet of a SOCK_SEQPACKET socket. Requests are
C{{"number": 1, "template": {…}}}, answers C{{"number": 1, "certificate": "base64"}}
or C{{"number": 1, "error": "…"}}. The first answer, to C{{"number": 0, "key":
"base64"}}, has the roots' certificates.
"""

from __future__ import annotations

import base64
import ctypes
import json
import os
import pwd
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import tomllib
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple, NoReturn

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key

from gateway.tls.issuer import UNTRUSTED, Issuer, make_root
from gateway.tls.key import load_root
from gateway.tls.template import Template
from gateway.tls.uri import TOKEN, RootError

LONGEST = 131072
"""Bytes of one message. A template of 1,000 names has 80,000."""

NOBODY = 65534
"""The user and group that the signer is once it has the key."""

UNTRUSTED_DAYS = 3650

PER_SECOND = 50.0
"""Certificates, as in L{gateway.policy.tls.Tls}."""

BURST_SECONDS = 10
"""What is signed in so many seconds may be signed at once."""

CONNECT_SECONDS = 5.0

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
                *("--config", str(folder.resolve()), "--root", root),
                *("--certificate", certificate, "--per-second", str(per_second)),
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


def connect(path: Path) -> socket.socket:
    """
    Connect to a signer that is a service of its own.

    @raise OSError: there is none.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.settimeout(CONNECT_SECONDS)
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection


def listen(path: str) -> socket.socket:
    """Listen, in place of a signer that has ended. Everybody may connect: L{accept} looks who."""
    Path(path).unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listening.bind(path)
    Path(path).chmod(0o666)
    listening.listen(16)
    return listening


def accept(listening: socket.socket, users: Collection[int], desk: Callable[[], Desk]) -> None:
    """Answer all gateways that are one of C{users}, each in a thread, for ever."""
    while True:
        connection, _ = listening.accept()
        if peer_user(connection) in users:
            threading.Thread(target=serve, args=(connection, desk()), daemon=True).start()
        else:
            connection.close()


def peer_user(connection: socket.socket) -> int:
    """The number of the user whose process is at the other end."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    _, user, _ = struct.unpack("iII", credentials)
    return int(user)


def arguments() -> ArgumentParser:
    """What a signer is told."""
    made = ArgumentParser(prog="python -m gateway.tls.signer")
    made.add_argument("--config", type=Path, required=True)
    made.add_argument("--root", help="left out: what gateway.toml says, and so with the next two")
    made.add_argument("--certificate", default="")
    made.add_argument("--per-second", type=float, default=PER_SECOND)
    made.add_argument("--listen", default="", metavar="SOCKET")
    made.add_argument("--for", dest="user", default="tproxygw")
    return made


def from_gateway_file(told: Namespace) -> None:
    """
    What was not said is in gateway.toml. It is read here without the policy's loader: the
    fewer strangers' plugins there are in this process, the better.
    """
    said = tomllib.loads((told.config / "gateway.toml").read_text()).get("tls", {})
    told.root = str(said.get("root", ""))
    told.certificate = str(said.get("root_certificate", ""))
    told.per_second = float(said.get("certificates_per_second", PER_SECOND))


def main(given: Sequence[str]) -> None:
    """Be the signer, asked on standard input, or at a socket."""
    told = arguments().parse_args(given)
    if told.root is None:
        from_gateway_file(told)
        if not told.root:
            print("signer: gateway.toml has no tls.root: there is nothing to sign with")
            return
    endpoint = listen(told.listen) if told.listen else socket.socket(fileno=0)
    users = {0, pwd.getpwnam(told.user).pw_uid} if told.listen else set()
    try:
        trusted = load_root(told.config, told.root, told.certificate)
    except RootError as error:
        refuse(endpoint, str(error), bool(told.listen))
    untrusted = make_root(UNTRUSTED, datetime.now(UTC), UNTRUSTED_DAYS)
    shut_in(stay=told.root.startswith(TOKEN))
    pace = Pace(told.per_second, told.per_second * BURST_SECONDS, monotonic)
    if told.listen:
        lock = threading.Lock()
        accept(endpoint, users, lambda: Desk(trusted, untrusted, pace, lock))
    # the end of the connection ends it, after the gateway had its time
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    serve(endpoint, Desk(trusted, untrusted, pace))


def refuse(endpoint: socket.socket, why: str, is_service: bool) -> NoReturn:
    """Tell whoever started this why it can't be."""
    if is_service:
        sys.exit(f"signer: {why}")
    endpoint.recv(LONGEST)  # the greeting: unread, it would be answered with a reset
    endpoint.send(json.dumps({"number": 0, "error": why}).encode())
    sys.exit(1)


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
