"""Releasing: the kernel's passage for released sessions, if the policy wants it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from twisted.logger import Logger

from gateway.kernel.companion import Companion, start
from gateway.kernel.local import connect
from gateway.policy.policy import Policy
from gateway.release.adopted import Adopted, Home
from gateway.release.carriage import CarrierError
from gateway.release.passages import Passages
from gateway.release.ports import Ports

log = Logger()

CARRIER = ("carrier", "gateway.kernel.release")
"""Its name, and what it does."""

GONE = "the kernel takes over no sessions, as there is no carrier: {error}; see: tproxygw doctor"
"""What the log says."""


class Releasing:
    """
    @param carrier: the socket of one that is a service of its own; C{None}: it is started.
    @param counted: is told when the kernel alone has one session more, or less (-1).
    @param alone: whether it may be started: it is not one worker's.
    @param home: where running sessions are counted, when there is such a place.
    @ivar passages: C{None}: released sessions stay in the gateway.
    """

    def __init__(
        self,
        reactor: Any,
        policy: Policy,
        carrier: Path | None,
        home: Callable[[], Home],
        room: Callable[[], object],
        counted: Callable[[int], object],
        alone: bool = True,
    ) -> None:
        self._alone = alone
        self._carrier = carrier
        self._process: Companion | None = None
        self.ports = Ports(Random())
        self.bare_mark = policy.release.bare_mark.value
        self.passages: Passages | None = None
        if policy.release.kernel:
            self.passages = Passages(
                reactor,
                None if carrier is None else partial(connect, carrier),
                policy.release.after_seconds,
                self.ports,
                lambda passages, index, told: Adopted(home(), passages, index, told),
                room,
                counted,
            )
            self.reloaded(policy)

    def open(self, directory: Path, state: Path) -> None:
        """
        Start the carrier, with the privileges that are given up afterwards, or reach it. Without
        one the gateway works as well, but slower.

        @param directory: the configuration folder.
        @param state: the folder for what must outlive this process.
        """
        if self.passages is None:
            return
        if self._carrier is None and not self._alone:
            return  # the supervisor has told why
        if self._carrier is None:
            self._process = start(*CARRIER, directory, state / "carrier")
        try:
            self.passages.open(None if self._process is None else self._process.connection)
        except CarrierError as error:
            log.error(GONE, error=error)

    def reloaded(self, policy: Policy) -> None:
        """A new policy is in force."""
        if self.passages is not None:
            self.passages.reloaded(policy if policy.release.end_denied else None)

    def accept(self) -> None:
        """Account for what others have left in the kernel."""
        if self.passages is not None:
            self.passages.accept()

    def leave(self, stopping: bool) -> None:
        """
        Leave what the kernel has to others.

        @param stopping: there won't be any, unless the carrier is a service of its own.
        """
        if self.passages is not None and (self.passages.outlives or not stopping):
            self.passages.leave()

    def close(self) -> None:
        """End the connection, and so a carrier of our own."""
        if self.passages is not None:
            self.passages.close()

    def wait(self) -> None:
        """Until a carrier of our own has ended, if it does not hang. It blocks."""
        if self._process is not None:
            self._process.wait()
