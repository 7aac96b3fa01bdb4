"""The gateway's end of the connection to its keeper: asks and waits."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from attrs import frozen

from gateway.kernel.child import Child
from gateway.kernel.divert import State
from gateway.kernel.errors import KernelError, Taken
from gateway.kernel.keeper.packets import receive, send
from gateway.kernel.local import connect, environment

PATIENCE = 120.0
"""Seconds for one request. Ten thousand rules take some ten."""

_AGAIN = 0.05
"""Seconds between two attempts to reach a keeper that is being started again."""


class KeeperLost(KernelError):
    """All of the keeper is gone, and nobody will start it again: only a new gateway can."""


class _Restarted(Exception):
    """The keeper was killed with our request in its hands, and is there again."""


@frozen
class Kept:
    """What the keeper says of the rules, and of itself."""

    state: State
    restored: int
    """How often it had to put rules or routes back, since its process began."""

    trouble: str
    """Why rules that are missing can't be put back; empty if none are."""

    lost: tuple[str, ...]
    """What should be inspected and does not get here, though the rules are in force, and why."""

    restarts: int
    """How often it was killed, and started again, since we know it."""


class Keeper:
    """
    A connection to the keeper. Every method blocks; call them from a thread
    once the reactor runs.

    A keeper that is killed is started again by its supervisor. What was asked is asked again
    then, which is no harm: a request says what is to be so, and not what is to be changed.

    @param connect: makes a new connection when this one has ended; C{None}: nobody can.
    """

    def __init__(
        self,
        connection: socket.socket,
        connect: Callable[[], socket.socket] | None = None,
        process: subprocess.Popen[bytes] | Child | None = None,
    ) -> None:
        self._connection = connection
        self._connect = connect
        self._process = process
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._restarts = 0

    @classmethod
    def start(cls, directory: Path, state: Path) -> Keeper:
        """
        Start a keeper of our own, which ends with us.

        @param directory: the configuration folder.
        @param state: the folder for what must outlive it.
        @raise KernelError: it doesn't start, or lacks the privileges.
        """
        ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        folders = (str(directory.resolve()), str(state.resolve()))
        with theirs:
            process = subprocess.Popen(
                (sys.executable, "-P", "-m", "gateway.kernel.keeper", *folders),
                stdin=theirs.fileno(),
                stdout=2,
                # not in the terminal's group: Ctrl-C is for the gateway, which then says so
                start_new_session=True,
                cwd="/",
                env=environment(),
            )
        return cls(ours, process=process)._greeted()

    @classmethod
    def inherited(cls, descriptor: int, process: int) -> Keeper:
        """
        One of our own that this process has started before it became another program.

        @raise KernelError: it does not answer.
        """
        return cls(socket.socket(fileno=descriptor), process=Child(process))._greeted()

    @property
    def own(self) -> tuple[int, int] | None:
        """For L{inherited}: the connection and the process; C{None}: it is a service of its own."""
        if self._process is None:
            return None
        return self._connection.fileno(), self._process.pid

    @classmethod
    def connect(cls, path: Path) -> Keeper:
        """
        Connect to the keeper that is a service of its own.

        @raise KernelError: it isn't there, or lacks the privileges.
        """

        try:
            return cls(connect(path), lambda: connect(path))._greeted()
        except OSError as error:
            raise KernelError(
                f"can't reach the keeper at {path}: {error.strerror}; "
                'see "systemctl status tproxygw-keeper"'
            ) from error

    def _greeted(self) -> Keeper:
        try:
            self._ask("hello")
        except KernelError:
            self.close()
            raise
        self._restarts = 0
        return self

    def install(self, print_: str, last_good: bool = False, seconds: float = PATIENCE) -> None:
        """
        Claim and install everything that the configuration says, in the place
        of what is installed, or change nothing.

        @param print_: the L{fingerprint} of the configuration that the gateway has loaded.
        @param last_good: that is the one which the keeper has kept, and not that of the folder.
        @raise Taken: another instance uses the same port, mark or table.
        @raise KernelError: it could not be done, or not within C{seconds}.
        """
        self._ask("install", seconds, fingerprint=print_, last_good=last_good)

    def stopped(self, seconds: float = PATIENCE) -> bool:
        """
        The gateway stops, cleanly: the policy says what becomes of the rules.

        @return: whether they stay, and block what should be inspected.
        @raise KernelError: they should go, and could not be taken back.
        """
        return bool(self._ask("stopped", seconds)["stay"])

    def look(self, seconds: float = 10.0) -> Kept:
        """
        How things are, by a look into the kernel.

        @raise KeeperLost: there is no keeper any more.
        @raise KernelError: it doesn't answer.
        """
        answer = self._ask("look", seconds)
        state, restored = State(answer["state"]), answer["restored"]
        return Kept(state, restored, answer["trouble"], tuple(answer["lost"]), self._restarts)

    def close(self) -> None:
        """Leave, without a word: what is installed stays."""
        self._connection.close()
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(10)

    def _ask(self, what: str, seconds: float = PATIENCE, **details: object) -> dict[str, Any]:
        """One request and its answer."""
        with self._lock:
            try:
                request = {"ask": what, **details}
                answer = self._until_answered(request, monotonic() + seconds)
            except TimeoutError:
                raise KernelError(f"the keeper did not {what} within {seconds:g} seconds") from None
        if "error" in answer:
            raise (Taken if answer.get("taken") else KernelError)(answer["error"])
        return answer

    def _until_answered(self, request: dict[str, Any], deadline: float) -> dict[str, Any]:
        """Ask as often as the keeper is started again."""
        while True:
            try:
                return self._once({**request, "number": next(self._numbers)}, deadline)
            except _Restarted:
                self._restarts += 1
            except TimeoutError:
                raise
            except (OSError, EOFError, ValueError) as error:
                self._connect_again(deadline, error)
                self._restarts += 1

    def _once(self, request: dict[str, Any], deadline: float) -> dict[str, Any]:
        """The answer to one request, past those that came too late."""
        self._connection.settimeout(_left(deadline))
        send(self._connection, request)
        while True:
            self._connection.settimeout(_left(deadline))
            answer = receive(self._connection)
            if "began" in answer:
                raise _Restarted
            if answer.get("number") == request["number"]:
                return answer

    def _connect_again(self, deadline: float, why: Exception) -> None:
        """
        Wait for the keeper to be there again.

        @raise KeeperLost: it won't be.
        @raise TimeoutError: it isn't in time.
        """
        self._connection.close()
        if self._connect is None:
            raise KeeperLost(
                "the keeper, the process that changes the kernel's rules, has ended with all its "
                "supervision. The rules are as they were, and nobody looks after them: the gateway "
                "must be started again"
            ) from why
        while True:
            try:
                self._connection = self._connect()
                return
            except OSError:
                sleep(min(_AGAIN, _left(deadline)))


def _left(deadline: float) -> float:
    """
    Seconds until C{deadline}.

    @raise TimeoutError: there are none.
    """
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError
    return left
