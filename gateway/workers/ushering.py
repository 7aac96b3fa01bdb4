"""Ushering: the process that takes both ends of a connection over, if the policy wants it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from twisted.logger import Logger

from gateway.admission.admission import Admission
from gateway.admission.arrivals import Arrivals, UsherError
from gateway.kernel.companion import Companion, start
from gateway.kernel.local import connect
from gateway.policy.policy import Policy

log = Logger()

USHER = ("usher", "gateway.kernel.handshake")
"""Its name, and what it does."""

GONE = (
    'clients of services with handshake = "through" are not connected, as there is no usher: '
    "{error}; see: tproxygw doctor"
)
"""What the log says."""


class Ushering:
    """
    @param usher: the socket of one that is a service of its own; C{None}: it is started.
    @param admission: where sessions begin.
    @param worker: which one this process is, and of how many.
    """

    def __init__(
        self,
        reactor: Any,
        policy: Policy,
        usher: Path | None,
        admission: Admission,
        worker: tuple[int, int],
    ) -> None:
        self._reactor = reactor
        self._worker = worker
        self._wanted = policy.shakes_hands_through
        self._usher = usher
        self._admission = admission
        self._process: Companion | None = None
        self._arrivals: Arrivals | None = None

    def open(self, directory: Path, state: Path) -> None:
        """
        Start the usher, with the privileges that are given up afterwards, or reach it. Without
        one the clients that it is for are not connected; all others are.

        @param directory: the configuration folder.
        @param state: the folder for what must outlive this process.
        """
        if not self._wanted:
            return
        again = None if self._usher is None else partial(connect, self._usher)
        arrivals = self._arrivals = Arrivals(*(self._reactor, self._admission, again, self._worker))
        if again is not None:
            arrivals.reach()
            return
        self._process = start(*USHER, directory, state / "usher")
        try:
            arrivals.greet(self._process.connection)
        except UsherError as error:
            log.error(GONE, error=error)

    def accept(self) -> None:
        """Take who is brought."""
        if self._arrivals is not None:
            self._arrivals.accept()

    def stop(self) -> None:
        """Take nobody any more."""
        if self._arrivals is not None:
            self._arrivals.stop()

    def wait(self) -> None:
        """Until an usher of our own has ended, if it does not hang. It blocks."""
        if self._process is not None:
            self._process.wait()
