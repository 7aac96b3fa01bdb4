"""
The nursery: it has loaded all that a worker needs, and forks workers.

It reads nothing that strangers sent, has no threads and no reactor: a worker that is forked of
it is ready in a fraction of the time that a new interpreter takes, and shares memory with it. It
ends with the connection to its supervisor, by which it is asked.
"""

from __future__ import annotations

import gc
import os
import socket
import traceback
from collections.abc import Callable
from typing import Any

from gateway.admission.listeners import places
from gateway.kernel.lastgood import LastGood
from gateway.kernel.packets import receive, send
from gateway.life.loaded import Loaded, load
from gateway.policy.policy import Policy
from gateway.policy.problem import PolicyError
from gateway.workers.shares import Shares
from gateway.workers.spec import WORDS, NurserySpec, WorkerSpec

DESCRIPTORS = 3
"""That a worker is given: its link, its audit stream, and its connection to the signer."""

Be = Callable[[NurserySpec, WorkerSpec, Policy, list[int]], None]
"""Is a worker, to its end."""


class Nursery:
    """
    @param connection: to the supervisor.
    @param shed: gives up privileges.
    @param be: what a worker does.
    """

    def __init__(
        self,
        spec: NurserySpec,
        connection: socket.socket,
        shed: Callable[[], None],
        be: Be,
    ) -> None:
        self._spec = spec
        self._connection = connection
        self._shed = shed
        self._be = be
        self._asked: dict[str, Callable[[dict[str, Any], list[int]], dict[str, Any]]] = {
            "fork": self._fork,
            "reap": self._reap,
            "settle": self._settle,
            "retire": self._retire,
        }

    def work(self) -> None:
        """Load, and fork when asked, until the supervisor is gone."""
        try:
            self._policy = self._load().policy
            for service in self._policy.services.values():
                if service.maker is not None:
                    service.maker.settings()  # which imports the inspector
        except Exception as error:  # the supervisor's operator is told
            send(self._connection, {"problem": f"{error}" or type(error).__name__})
            return
        self._shed()
        gc.collect()
        gc.freeze()
        send(self._connection, {"loaded": True})
        while True:
            try:
                message, descriptors = receive(self._connection, DESCRIPTORS)
            except (EOFError, OSError):
                return
            answer = self._asked[message["ask"]](message, descriptors)
            send(self._connection, answer, answer.pop("descriptors", ()))

    def _load(self) -> Loaded:
        """
        What the supervisor has loaded: from its folder, or, if that has changed since, from
        where the keeper keeps what is installed.
        """
        spec = self._spec
        if spec.words != WORDS:
            raise RuntimeError(
                "another version is installed than runs: tproxygw upgrade, or restart"
            )
        where = spec.places()
        why = "the configuration was changed while it was loaded: try again"
        for directory in (where.directory, LastGood(where.state).configuration):
            try:
                loaded = load(directory)
            except (PolicyError, OSError) as error:
                why = str(error)
                continue
            if loaded.fingerprint == spec.fingerprint:
                return loaded
        raise RuntimeError(why)

    def _fork(self, message: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
        spec = WorkerSpec(**message["worker"])
        process = os.fork()
        if process:
            for descriptor in descriptors:
                os.close(descriptor)
            return {"forked": process, "descriptors": [os.pidfd_open(process)]}
        status = 1
        try:
            self._connection.close()
            self._be(self._spec, spec, self._policy, descriptors)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)

    def _settle(self, message: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
        """Sockets that only a former policy wants, or more workers, are to be closed."""
        spec = self._spec
        shares = Shares(spec.sockets, places(self._policy), spec.count)
        spec.sockets[:], needless = shares.settled(), list(shares.needless())
        for descriptor in needless:
            os.close(descriptor)
        return {"settled": True}

    def _retire(self, message: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
        """
        There are no more workers to come: sockets that are closed elsewhere are to be closed. It
        may be said again.
        """
        while self._spec.sockets:
            for descriptor in self._spec.sockets.pop()[-1]:
                os.close(descriptor)
        return {"retired": True}

    def _reap(self, message: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
        """A worker has ended."""
        try:
            _, status = os.waitpid(message["process"], 0)
        except ChildProcessError:
            return {"status": None}
        return {"status": os.waitstatus_to_exitcode(status)}
