"""
Probes: a client that never stops asking, and tells what was inspected and what was not.

Each probe is a connection to a server that answers "uninspected". The gateway's
service has it connect to another server instead, which answers "inspected". What
reaches the first one has passed the gateway by, whatever the client hears of it.
"""

from __future__ import annotations

import errno
import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from time import monotonic
from typing import Any

from attrs import define, field

from gateway.lab.namespace import Namespace
from gateway.lab.network import MIRROR, SERVER

PORT, INSPECTED_PORT = 8000, 8001

SERVICE = f"""
inspector = "relay"
server = "{MIRROR}:{INSPECTED_PORT}"
[[rule]]
from = ["office"]
to = ["{SERVER}"]
ports = [{PORT}]
"""
"""The service file that makes the difference."""

EVERY = 0.002
"""Seconds from one probe to the next."""

PATIENCE = 4.0
"""Seconds that the last probes have: what is dropped is sent again after one, and after three."""


class Outcome(Enum):
    """What became of a probe."""

    INSPECTED = b"i"
    UNINSPECTED = b"u"
    REFUSED = b"r"
    """By a reset, or an end without a word."""

    SILENT = b""
    """Nothing was heard."""


@define(eq=False)
class Probe:
    """One connection."""

    begun: float
    outcome: Outcome = Outcome.SILENT
    ended: float = 0.0


@define(eq=False)
class Probes:
    """Asks from its start to its end, as a context manager."""

    client: Namespace
    server: Namespace
    all: list[Probe] = field(factory=list, init=False)
    reached: list[float] = field(factory=list, init=False)
    """When something reached the server that nobody should reach uninspected."""
    _selector: selectors.BaseSelector = field(factory=selectors.DefaultSelector, init=False)
    _over: threading.Event = field(factory=threading.Event, init=False)
    _thread: threading.Thread = field(init=False)

    def __enter__(self) -> Probes:
        self._listen(SERVER, PORT, Outcome.UNINSPECTED)
        self._listen(MIRROR, INSPECTED_PORT, Outcome.INSPECTED)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ask no more, and wait for what was asked."""
        self._over.set()
        self._thread.join()

    def inspected_since(self, moment: float) -> bool:
        """Whether a probe that began after C{moment} was inspected."""
        return any(
            one.begun > moment and one.outcome is Outcome.INSPECTED for one in self.all[-2000:]
        )

    def since(self, moment: float) -> int:
        """How many began after C{moment}."""
        return sum(one.begun > moment for one in self.all)

    def count(self, outcome: Outcome) -> int:
        """How many of all had this C{outcome}."""
        return sum(one.outcome is outcome for one in self.all)

    @property
    def open_seconds(self) -> float:
        """From the first to the last that was not inspected."""
        return self.reached[-1] - self.reached[0] if self.reached else 0.0

    def _listen(self, host: str, port: int, outcome: Outcome) -> None:
        listener = self.server.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        listener.bind((host, port))
        listener.listen(1024)
        self._watch(listener, lambda: self._answer(listener, outcome))

    def _answer(self, listener: socket.socket, outcome: Outcome) -> None:
        with suppress(BlockingIOError):
            while True:
                accepted, _ = listener.accept()
                if outcome is Outcome.UNINSPECTED:
                    self.reached.append(monotonic())
                with accepted, suppress(OSError):
                    accepted.send(outcome.value)

    def _run(self) -> None:
        begin = monotonic()
        while not self._over.is_set():
            self._ask()
            self._turn(begin + len(self.all) * EVERY)
        end = monotonic() + PATIENCE
        while monotonic() < end and self._waiting():
            self._turn(monotonic() + 0.05)
        for key in list(self._selector.get_map().values()):
            self._forget(key.fileobj)
        self._selector.close()

    def _waiting(self) -> bool:
        return len(self._selector.get_map()) > 2  # the listeners

    def _turn(self, until: float) -> None:
        """Do what there is to do, at least once."""
        while True:
            for key, _ in self._selector.select(max(0.0, until - monotonic())):
                key.data()
            if monotonic() >= until:
                return

    def _ask(self) -> None:
        probe = Probe(monotonic())
        self.all.append(probe)
        ours = self.client.socket()
        ours.setblocking(False)
        code = ours.connect_ex((SERVER, PORT))
        if code not in (0, errno.EINPROGRESS):
            ours.close()
            return
        self._watch(ours, lambda: self._heard(ours, probe))

    def _heard(self, ours: socket.socket, probe: Probe) -> None:
        try:
            said = ours.recv(1)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        probe.outcome, probe.ended = Outcome(said or b"r"), monotonic()
        self._forget(ours)

    def _watch(self, one: socket.socket, do: Callable[[], object]) -> None:
        self._selector.register(one, selectors.EVENT_READ, do)

    def _forget(self, one: Any) -> None:
        self._selector.unregister(one)
        one.close()
