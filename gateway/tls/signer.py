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

What it answers is in L{gateway.tls.desk}.
"""

from __future__ import annotations

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
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from gateway.kernel.child import Child
from gateway.systemd import ERROR, INFORMATION, Systemd, say
from gateway.tls.desk import LONGEST, Desk, Pace, serve
from gateway.tls.issuer import UNTRUSTED, make_root
from gateway.tls.key import load_root
from gateway.tls.uri import TOKEN, RootError

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


class Started(NamedTuple):
    """A signer, and the gateway's end of the connection to it, with which it ends."""

    process: subprocess.Popen[bytes] | Child
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

    @raise RootError: it can't be read.
    """
    file = told.config / "gateway.toml"
    try:
        said = tomllib.loads(file.read_text()).get("tls", {})
        told.root = str(said.get("root", ""))
        told.certificate = str(said.get("root_certificate", ""))
        told.per_second = float(said.get("certificates_per_second", PER_SECOND))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise RootError(f"{file}: {error}; see: tproxygw check") from error


def main(given: Sequence[str]) -> None:
    """Be the signer, asked on standard input, or at a socket."""
    told = arguments().parse_args(given)
    try:
        if told.root is None:
            from_gateway_file(told)
        if told.listen:
            be_service(told)
        else:
            be_the_gateways(told, socket.socket(fileno=0))
    except (RootError, OSError) as error:
        say("signer", ERROR, f"not started: {error}")
        sys.exit(1)


def be_service(told: Namespace) -> None:
    """
    Answer gateways that come and go. systemd is told when they can be answered.

    @raise RootError: the root can't be used.
    @raise OSError: the socket can't be had.
    """
    systemd = Systemd(os.environ)
    if not told.root:
        why = "not needed: gateway.toml has no root in [tls]"
        say("signer", INFORMATION, why)
        # to end without having said so would be a failure
        systemd.ready(why)
        return
    users = {0, number_of(told.user)}
    listening = listen(told.listen)
    make_desk = desks(told)
    systemd.ready("Signs certificates")
    accept(listening, users, make_desk)


def number_of(user: str) -> int:
    """@raise RootError: there is no such user."""
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        raise RootError(f"there is no user {user}, for whom it would sign") from None


def be_the_gateways(told: Namespace, connection: socket.socket) -> None:
    """Answer the gateway that has started this process, until the connection ends."""
    try:
        make_desk = desks(told)
    except RootError as error:
        connection.recv(LONGEST)  # the greeting: unread, it would be answered with a reset
        connection.send(json.dumps({"number": 0, "error": str(error)}).encode())
        sys.exit(1)
    # the end of the connection ends it, after the gateway had its time
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)

    def another(worker: socket.socket) -> None:
        threading.Thread(target=serve, args=(worker, make_desk()), daemon=True).start()

    serve(connection, make_desk(), another)


def desks(told: Namespace) -> Callable[[], Desk]:
    """
    What makes the desk for one more gateway. From here on this process is nobody.

    @raise RootError: the root can't be used.
    """
    trusted = load_root(told.config, told.root, told.certificate)
    untrusted = make_root(UNTRUSTED, datetime.now(UTC), UNTRUSTED_DAYS)
    shut_in(stay=told.root.startswith(TOKEN))
    pace = Pace(told.per_second, told.per_second * BURST_SECONDS, monotonic)
    lock = threading.Lock()
    return lambda: Desk(trusted, untrusted, pace, lock)


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
