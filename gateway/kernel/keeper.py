"""
The Keeper: a small process that keeps the privilege to change the kernel's rules.

The process that handles traffic parses what strangers send, so it must not be
able to change rules. It starts the keeper while it still may, drops its own
privileges, and from then on can ask for few things: install what the
configuration says, remove it, whether it is still there, restore it if not,
and nothing at all (the end of the connection).

What a gateway that was taken over could do with that: nothing that the
configuration folder doesn't say. It hands over no rules and no names of files.
The keeper was told the folder on its command line, reads it itself, and
compares its content with the fingerprint of what the gateway has read, so that
both have the same policy even if somebody edits meanwhile. It could remove the
rules, which it must be able to ask for at a clean stop. So the folder, and the
plugins it names, must be writable by root only.

The keeper holds the claim. When the connection ends without a word, the
gateway was killed: the rules stay (connections are blocked, if C{when_down}
says so), the claim is freed, and the next start replaces what is left.

Messages are JSON objects, one a line.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any

import gateway
from gateway.kernel.capabilities import drop_to, missing
from gateway.kernel.divert import KernelDivert, State
from gateway.kernel.errors import KernelError, Taken
from gateway.kernel.fingerprint import fingerprint, of_folder, with_files
from gateway.policy.policy import Policy

NEEDED = frozenset({"CAP_NET_ADMIN", "CAP_NET_RAW"})
"""The iptables tools want raw sockets too. The configuration may be somebody else's file."""

LONGEST = 65536
"""Bytes of one message. A longer one is not from a gateway."""

PATIENCE = 120.0
"""Seconds for one request. Ten thousand rules take some five."""


class Keeper:
    """
    The gateway's end: asks and waits. Every method blocks; call them from a
    thread once the reactor runs.
    """

    def __init__(self, process: subprocess.Popen[bytes], connection: socket.socket) -> None:
        self._process = process
        self._connection = connection
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._received = b""

    @classmethod
    def start(cls, directory: Path) -> Keeper:
        """
        Start the process, to keep the rules of the configuration in C{directory}.

        @raise KernelError: it doesn't start, or lacks the privileges.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                (sys.executable, "-P", "-m", "gateway.kernel.keeper", str(directory.resolve())),
                stdin=theirs.fileno(),
                stdout=2,
                # not in the terminal's group: Ctrl-C is for the gateway, which then asks to remove
                start_new_session=True,
                cwd="/",
                env={"PYTHONPATH": _import_path(), "LC_ALL": "C.UTF-8"},
            )
        keeper = cls(process, ours)
        try:
            keeper._ask("hello")
        except KernelError:
            keeper.close()
            raise
        return keeper

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def install(self, print_: str, seconds: float = PATIENCE) -> None:
        """
        Claim and install everything that the configuration says, in the place
        of what is installed, or change nothing.

        @param print_: the L{fingerprint} of the configuration that the gateway has loaded.
        @raise Taken: another instance uses the same port, mark or table.
        @raise KernelError: it could not be done, or not within C{seconds}.
        """
        self._ask("install", seconds, fingerprint=print_)

    def remove(self, seconds: float = PATIENCE) -> None:
        """
        Take all rules back and give up the claim: at a clean stop.

        @raise KernelError: it could not be done.
        """
        self._ask("remove", seconds)

    def state(self, seconds: float = 10.0) -> State:
        """
        Whether the rules are still in force.

        @raise KernelError: the keeper doesn't answer.
        """
        return State(self._ask("state", seconds)["state"])

    def restore(self, seconds: float = PATIENCE) -> bool:
        """
        Install again what somebody else removed, such as a reload of the host's firewall.

        @return: whether that was needed.
        @raise KernelError: it could not be done, or the keeper doesn't answer.
        """
        return bool(self._ask("restore", seconds)["restored"])

    def close(self) -> None:
        """End the process. What is installed stays: L{remove} it before."""
        self._connection.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(10)

    def _ask(self, what: str, seconds: float = PATIENCE, **details: str) -> dict[str, Any]:
        """One request and its answer."""
        with self._lock:
            number = next(self._numbers)
            try:
                self._connection.settimeout(seconds)
                _send(self._connection, {"ask": what, "number": number, **details})
                answer = self._answer(number, monotonic() + seconds)
            except TimeoutError:
                raise KernelError(f"the keeper did not {what} within {seconds:g} seconds") from None
            except (OSError, EOFError) as error:
                raise KernelError(_ended(what)) from error
        if "error" in answer:
            raise (Taken if answer.get("taken") else KernelError)(answer["error"])
        return answer

    def _answer(self, number: int, deadline: float) -> dict[str, Any]:
        """The answer to request C{number}, past those that came too late."""
        while True:
            while b"\n" not in self._received:
                self._connection.settimeout(max(0.001, deadline - monotonic()))
                data = self._connection.recv(LONGEST)
                if not data:
                    raise EOFError
                self._received += data
            line, _, self._received = self._received.partition(b"\n")
            answer: dict[str, Any] = json.loads(line)
            if answer.get("number") == number:
                return answer


def _ended(what: str) -> str:
    return (
        f"can't {what}: the keeper, the process that changes the kernel's rules, has ended. The "
        "rules are as they were; restart the gateway to be able to change them. Its standard "
        "error says why it ended"
    )


def _import_path() -> str:
    """Where the keeper finds the packages that this process has found."""
    (folder,) = {Path(path).resolve().parent for path in gateway.__path__}
    return ":".join([str(folder), *(path for path in sys.path if path)])


def _send(connection: socket.socket, message: dict[str, Any]) -> None:
    connection.sendall(json.dumps(message).encode() + b"\n")


class Desk:
    """
    The keeper's end: answers requests, one at a time.

    @param load: loads the policy anew.
    @param print_of: the fingerprint of the configuration as it is now.
    """

    def __init__(
        self, divert: KernelDivert, load: Callable[[], Policy], print_of: Callable[[], str]
    ) -> None:
        self._divert = divert
        self._load = load
        self._print_of = print_of
        self._answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "hello": self._hello,
            "install": self._install,
            "remove": self._remove,
            "state": self._state,
            "restore": self._restore,
        }

    def serve(self, connection: socket.socket) -> None:
        """Answer until the connection ends, or something comes that no gateway sends."""
        with connection, connection.makefile("rb") as lines:
            while line := lines.readline(LONGEST):
                answer = self._respond(line)
                if answer is None:
                    return
                _send(connection, answer)

    def _respond(self, line: bytes) -> dict[str, Any] | None:
        """The answer to one line, or L{None} if it is not a request."""
        try:
            request = json.loads(line)
            answer = self._answers[request["ask"]]
            number = request["number"]
        except (ValueError, TypeError, KeyError):
            return None
        try:
            return {"number": number, **answer(request)}
        except Taken as error:
            return {"number": number, "error": str(error), "taken": True}
        except Exception as error:
            # whatever it is, the gateway decides what becomes of it, and the keeper stays
            return {"number": number, "error": _described(error)}

    def _hello(self, request: dict[str, Any]) -> dict[str, Any]:
        lacking = missing({"CAP_NET_ADMIN"})
        if lacking:
            raise KernelError(
                f"installing rules needs {lacking[0]}: start the gateway as root, or give it "
                "AmbientCapabilities in its systemd unit"
            )
        return {}

    def _install(self, request: dict[str, Any]) -> dict[str, Any]:
        asked = str(request.get("fingerprint"))
        _compare(of_folder(asked), self._print_of())
        policy = self._load()
        _compare(asked, with_files(self._print_of(), policy.files))
        self._divert.install(policy)
        return {}

    def _remove(self, request: dict[str, Any]) -> dict[str, Any]:
        self._divert.remove()
        return {}

    def _restore(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"restored": self._divert.restore()}

    def _state(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"state": self._divert.state().value}


def _compare(asked: str, found: str) -> None:
    """
    Make sure that both have read the same.

    @raise KernelError: somebody edited meanwhile.
    """
    if asked != found:
        raise KernelError("the configuration changed while it was being read; reload it again")


def _described(error: Exception) -> str:
    """An error of the operator in its own words, one of ours with its name."""
    if isinstance(error, KernelError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def main(arguments: list[str]) -> None:
    """Be the keeper of the configuration folder C{arguments[0]}, asked on standard input."""
    # the loader and the plugins are needed by this process only, not by who starts it
    from gateway.policy.load import load
    from gateway.registry import find

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # the end of the connection ends the keeper, after the gateway had its time to remove
        signal.signal(number, signal.SIG_IGN)
    _shed()
    directory = Path(arguments[0])
    desk = Desk(KernelDivert(), lambda: load(directory, find), lambda: fingerprint(directory))
    desk.serve(socket.socket(fileno=0))


def _shed() -> None:
    """Keep no more privileges than changing rules needs."""
    wanted = NEEDED | {"CAP_DAC_READ_SEARCH"}
    drop_to(wanted - set(missing(wanted)))


if __name__ == "__main__":
    main(sys.argv[1:])
