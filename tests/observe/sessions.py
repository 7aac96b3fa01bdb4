"""Sessions to be written about, and the reactor's side of the writer's thread."""

from __future__ import annotations

from collections.abc import Callable
from queue import Queue

from gateway.interfaces import Address, Outcome, Verdict
from gateway.observe.audit import Audit
from gateway.observe.identity import Identity, Upstream
from gateway.policy.connection import Protocol
from gateway.policy.place import Place
from gateway.policy.rule import Rule

NOON = 1_763_899_200.0
"""2025-11-23 12:00:00 UTC."""

RULE = Rule(
    "web",
    source_names=("office", "printers"),
    destination_names=("internet",),
    place=Place("services/web.toml", 4, 1),
)
CLIENT = Address("10.1.2.3", 40123)
SERVER = Address("198.51.100.7", 80)
PASSED = Verdict(Outcome.PASSED)
UPSTREAM = Upstream(SERVER, CLIENT, port_kept=True, seconds=0.0125)


def identity(number: int = 1, rule: Rule | None = RULE) -> Identity:
    """A session of the service "web"."""
    return Identity(number, CLIENT, SERVER, Protocol.TCP, "web", rule)


def write_flows(audit: Audit, numbers: range) -> None:
    """One flow record for each number."""
    for number in numbers:
        audit.flow(identity(number), PASSED, NOON, NOON + 1, 1, 2, UPSTREAM)


class Reactor:
    """What the writer's thread asks for happens here, in the test's thread."""

    def __init__(self) -> None:
        self._calls: Queue[Callable[[], object]] = Queue()

    def from_thread(self, call: Callable[[], object]) -> None:
        self._calls.put(call)

    def run_until(self, done: Callable[[], bool]) -> None:
        """@raise queue.Empty: it did not come true."""
        while not done():
            self._calls.get(timeout=10)()

    def run(self) -> None:
        """What was asked for by now."""
        while not self._calls.empty():
            self._calls.get()()
