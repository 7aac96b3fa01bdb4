"""A simulated gateway, and somebody who asks it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gateway.control.question import Answer, Asker
from gateway.control.questions import Questions
from gateway.control.status import Life
from gateway.interfaces import Address
from gateway.life.controlling import questions
from gateway.policy.policy import Policy
from gateway.policy.service import Service
from gateway.release.passage import NO_PASSAGES
from gateway.testing.world.peer import Peer
from gateway.testing.world.world import SERVER, World, inspecting
from protocols.relay import RelayInspector

ROOT = Asker("root (uid 0)", may_change=True)
READER = Asker("alice (uid 1000)")


class Tape:
    """In place of the audit: what a test says was recorded."""

    def __init__(self) -> None:
        self.tell: Callable[[bytes], object] | None = None

    def tap(self, tell: Callable[[bytes], object] | None) -> None:
        self.tell = tell


class ControlCase(SynchronousTestCase):
    """Has a world whose servers all answer, and asks."""

    services: tuple[Service, ...] = (inspecting(RelayInspector),)

    def setUp(self) -> None:
        self.world = World(self.services)
        self.world.metrics.policy = lambda: self.policy
        self.policy: Policy = self.world.policy
        self.servers: list[Peer] = []
        self.world.network.asked = lambda attempt: self.servers.append(attempt.accepts())
        self.tape = Tape()
        self.questions: Questions = questions(
            *(self.world.reactor, self.world.register, self.world.metrics, self.tape),
            lambda: Life("running", 4711, 1_000_000.0, "/etc/tproxygw", self.policy, 1_000_000.0),
            NO_PASSAGES,
        )

    def comes(self, host: str = "192.0.2.1", port: int = 50001, server: Address = SERVER) -> Peer:
        """A client, whose session is open."""
        peer = self.world.comes(Address(host, port), server)
        self.world.settle()
        return peer

    def ask(self, what: str, asker: Asker = ROOT, **more: Any) -> Answer:
        """Ask, and let the time pass that it takes."""
        answered = self.questions.ask({"ask": what, **more}, asker)
        self.world.settle()
        if not answered.called or answered.paused:
            self.world.pass_time(0.3)
        answer: Answer = self.successResultOf(answered)
        return answer

    def listed(self, **more: Any) -> list[Answer]:
        """The sessions that match."""
        found: list[Answer] = self.ask("sessions", **more)["sessions"]
        return found

    def assertProblem(self, words: str, answer: Answer) -> None:
        self.assertIn(words, answer.get("problem", ""))
