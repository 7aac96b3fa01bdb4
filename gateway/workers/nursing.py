"""The supervisor's end of a nursery. All of it blocks: for before the reactor runs, or a thread."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Lock
from time import monotonic
from typing import Any

from attrs import asdict, evolve, frozen

from gateway.kernel.capabilities import TRAFFIC, given
from gateway.kernel.child import Child
from gateway.kernel.errors import KernelError
from gateway.kernel.local import environment
from gateway.kernel.packets import receive, send
from gateway.workers.estate import Estate, left, taken
from gateway.workers.seed import DESCRIPTORS
from gateway.workers.spec import NurserySpec, WorkerSpec

LOAD_SECONDS = 120.0
"""For a nursery to load the policy."""

READY_SECONDS = 60.0
"""For a worker to be ready."""


class NurseryError(KernelError):
    """No worker can be had; the message is for the operator."""


@frozen
class Newborn:
    """
    A worker that is ready.

    @ivar process: a descriptor of the process, pidfd_open(2).
    @ivar said: what came by its link, but for the word that it is ready.
    @ivar begun: what came by its stream of a line that is not complete.
    @ivar asked: how much it was asked before.
    """

    spec: WorkerSpec
    number: int
    process: int
    link: socket.socket
    stream: socket.socket
    said: bytes = b""
    begun: bytes = b""
    asked: int = 0

    @classmethod
    def inherited(cls, told: Estate) -> Newborn:
        """One that a predecessor has left."""
        return cls(
            WorkerSpec(**told["spec"]),
            told["number"],
            taken(told["process"]),
            link=socket.socket(fileno=taken(told["link"])),
            stream=socket.socket(fileno=taken(told["stream"])),
            said=told["said"].encode("latin-1"),
            begun=told["begun"].encode("latin-1"),
            asked=told["asked"],
        )

    def kill(self) -> None:
        """End it at once."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.process, signal.SIGKILL)

    def close(self) -> None:
        """It is dead, and nobody knows it."""
        self.link.close()
        self.stream.close()
        os.close(self.process)


class Sowing:
    """
    The supervisor's end of the seed.

    @param owner: the user and group that it is to be.
    @raise NurseryError: it can't be started.
    """

    def __init__(self, owner: tuple[int, int] | None) -> None:
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | Child
        self._connection, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        with theirs:
            self._process = self._start(theirs, owner)

    @classmethod
    def inherited(cls, told: list[int]) -> Sowing:
        """One that a predecessor has left."""
        sowing = cls.__new__(cls)
        sowing._lock = Lock()
        sowing._connection = socket.socket(fileno=taken(told[0]))
        sowing._process = Child(told[1])
        return sowing

    def bequeath(self) -> list[int]:
        """For L{inherited}."""
        return [left(self._connection.fileno()), self._process.pid]

    @classmethod
    def anew(cls) -> Sowing:
        """
        With the code that is installed now; by who has given up privileges already.

        @raise NurseryError: it can't be started.
        """
        with given(TRAFFIC):
            return cls(None)

    def _start(
        self, theirs: socket.socket, owner: tuple[int, int] | None
    ) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                (sys.executable, "-P", "-m", "gateway.workers", *map(str, owner or ())),
                stdin=theirs.fileno(),
                stdout=2,
                start_new_session=True,
                cwd="/",
                env=environment(),
            )
        except OSError as error:
            raise NurseryError(f"no process for workers can be started: {error}") from error

    def nursery(self, spec: NurserySpec, signer: Callable[[], socket.socket] | None) -> Nursing:
        """
        Have a nursery begin.

        @raise NurseryError: the seed is dead.
        """
        ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        written = spec.written()
        given = [written, theirs.fileno(), *spec.descriptors]
        try:
            with self._lock:
                while given:
                    piece, given = given[:DESCRIPTORS], given[DESCRIPTORS:]
                    send(self._connection, {"begin": not given}, piece)
        except OSError as error:
            ours.close()
            raise NurseryError(f"the process that workers come from is gone: {error}") from error
        finally:
            os.close(written)
            theirs.close()
        return Nursing(ours, signer)

    @property
    def is_alive(self) -> bool:
        """Whether it can still be asked."""
        return self._process.poll() is None

    def close(self) -> None:
        """End it."""
        self._connection.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(10)


class Nursing:
    """
    A nursery.

    @param signer: makes a connection to the signer, for one worker more.
    """

    def __init__(
        self, connection: socket.socket, signer: Callable[[], socket.socket] | None
    ) -> None:
        self._connection = connection
        self._signer = signer
        self._lock = Lock()

    def bequeath(self) -> int:
        """The connection, for a successor."""
        return left(self._connection.fileno())

    def loaded(self) -> None:
        """
        Wait until it has loaded.

        @raise NurseryError: it hasn't.
        """
        self._connection.settimeout(LOAD_SECONDS)
        answer, _ = self._receive()
        if "problem" in answer:
            raise NurseryError(f"no worker can be started: {answer['problem']}")

    def bear(self, spec: WorkerSpec) -> Newborn:
        """
        A worker, that is ready.

        @raise NurseryError: it isn't, and is killed.
        """
        link, its_link = socket.socketpair()
        stream, its_stream = socket.socketpair()
        given = [its_link, its_stream]
        try:
            if self._signer is not None:
                given.append(self._signer())
            newborn = self._fork(spec, link, stream, given)
        except OSError as error:
            raise NurseryError(f"worker {spec.index} can't be started: {error}") from error
        finally:
            for each in given:
                each.close()
        try:
            return evolve(newborn, said=_said_until_ready(newborn))
        except NurseryError:
            newborn.kill()
            self.reap(newborn.number)
            newborn.close()
            raise

    def _fork(
        self,
        spec: WorkerSpec,
        link: socket.socket,
        stream: socket.socket,
        given: Sequence[socket.socket],
    ) -> Newborn:
        message = {"ask": "fork", "worker": asdict(spec)}
        answer, descriptors = self._ask(message, [each.fileno() for each in given])
        return Newborn(spec, answer["forked"], descriptors[0], link, stream)

    def settle(self) -> None:
        """Sockets that only a former policy wants are to be closed."""
        with suppress(OSError, NurseryError):
            self._ask({"ask": "settle"})

    def retire(self) -> None:
        """There are no more workers to come, but some may be there."""
        with suppress(OSError, NurseryError):
            self._ask({"ask": "retire"})

    def reap(self, process: int) -> int | None:
        """How a worker has ended that is dead; C{None}: nobody knows."""
        try:
            answer, _ = self._ask({"ask": "reap", "process": process})
        except (OSError, NurseryError):
            return None
        status: int | None = answer["status"]
        return status

    def _ask(
        self, message: dict[str, Any], descriptors: Sequence[int] = ()
    ) -> tuple[dict[str, Any], list[int]]:
        with self._lock:
            self._connection.settimeout(READY_SECONDS)
            send(self._connection, message, descriptors)
            return self._receive()

    def _receive(self) -> tuple[dict[str, Any], list[int]]:
        try:
            return receive(self._connection)
        except (EOFError, OSError, ValueError) as error:
            why = str(error) or "it has ended; its standard error says why"
            raise NurseryError(f"the nursery does not answer: {why}") from error

    @property
    def is_alive(self) -> bool:
        """Whether it can still be asked."""
        poll = select.poll()
        poll.register(self._connection, 0)
        return not poll.poll(0)

    def close(self) -> None:
        """End it. Its workers live on."""
        self._connection.close()


def _said_until_ready(newborn: Newborn) -> bytes:
    """
    Wait until it says that it is ready.

    @raise NurseryError: it does not.
    """
    deadline = monotonic() + READY_SECONDS
    said, lines = b"", b""
    while True:
        line, newline, rest = said.partition(b"\n")
        if not newline:
            said += _received(newborn, deadline)
            continue
        said = rest
        message = json.loads(line)
        if "failed" in message:
            raise NurseryError(message["failed"])
        if "ready" in message:
            return lines + rest
        lines += line + newline


def _received(newborn: Newborn, deadline: float) -> bytes:
    newborn.link.settimeout(max(0.001, deadline - monotonic()))
    try:
        data = newborn.link.recv(65536)
    except OSError as error:
        raise NurseryError(f"worker {newborn.spec.index} is not ready: {error}") from error
    if not data:
        raise NurseryError(f"worker {newborn.spec.index} ended before it was ready")
    return data
