"""A Life: one client's session from its beginning to its end, with all that it announced."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from twisted.logger import LogLevel, globalLogPublisher

from gateway.interfaces import Address, Outcome, Verdict
from gateway.policy.limits import ServiceLimits
from gateway.testing.world.link import PLENTY
from gateway.testing.world.network import Attempt
from gateway.testing.world.peer import Peer
from gateway.testing.world.world import World, inspecting
from gateway.wire.wire import READ_SIZE
from tests.session.lives.inspector import (
    LATE,
    Course,
    Odd,
    Patient,
    Released,
    Watched,
)

LIMITS = ServiceLimits(
    idle_seconds=60.0,
    connect_seconds=10.0,
    expect_seconds=20.0,
    expectations=3,
    announced=4,
    buffer=50_000,
)

BOUND = LIMITS.buffer + READ_SIZE
"""Bytes that may wait for a side: the buffer, and one read."""

FLOOD = 5 * 60_000
"""What an odd inspector adds, each time that it is asked."""

OWN_BUGS = ("can't be secured", "Bug", "asked to connect twice", "Unstackable")
"""What the inspectors of lives are there to do wrong."""


WORDS = Random(7).randbytes(1_000_000)
"""What peers say is taken from here, at any place."""


class Life:
    """
    One life.

    @param forget: has whoever looks at the log forget failures, whose frames know sessions.
    @ivar story: what happened, for people.
    """

    def __init__(self, seed: int, forget: Callable[[], object] = list) -> None:
        self.forget = forget
        self.chance = chance = Random(seed)
        self.story: list[str] = []
        self.errors: list[str] = []
        self.course = Course(chance, self.story.append)
        kinds: list[type[Watched]] = [Watched, Patient, Released, Odd, Odd, Odd]
        self.kind = chance.choice(kinds)
        others: list[type[Watched]] = [Watched, Released, Odd]
        self.other = chance.choice(others)
        self.world = World(
            [
                inspecting(lambda session: self.kind(session, self.course), limits=LIMITS),
                inspecting(
                    lambda session: self.other(session, self.course), "other", limits=LIMITS
                ),
            ],
            chance=chance,
        )
        self.world.network.asked = self.asked
        self.attempts: list[Attempt] = []
        self.client = self.world.comes()
        self.peers: list[Peer] = [self.client]
        self.servers: list[Peer] = []
        self.said: dict[Peer, bytearray] = {self.client: bytearray()}
        self.calm = True
        self.passed = 0.0
        self.slow(self.client)

    # The world outside

    def asked(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)

    def answer(self) -> None:
        attempt = self.attempts.pop(self.chance.randrange(len(self.attempts)))
        if not attempt.pending:
            return
        if self.chance.random() < 0.85:
            self.story.append(f"{attempt.server} accepts")
            peer = attempt.accepts()
            self.servers.append(peer)
            self.enter(peer)
        else:
            self.story.append(f"{attempt.server} refuses")
            self.calm = False
            attempt.refuses()

    def enter(self, peer: Peer) -> None:
        self.peers.append(peer)
        self.said[peer] = bytearray()
        self.slow(peer)

    def slow(self, peer: Peer) -> None:
        peer.slow(self.chance.choice([10, 1000, 300_000]))

    def call(self) -> None:
        """Somebody connects where a connection is announced."""
        expectation = self.chance.choice(self.course.expected)
        stranger = self.chance.random() < 0.2
        source = Address("203.0.113.99" if stranger else expectation.initiator, 4000)
        peer = self.world.network.calls(source, expectation.address)
        if peer is not None:
            self.story.append(f"{'a stranger' if stranger else 'the expected one'} comes")
            self.enter(peer)

    # One step

    def step(self) -> None:
        chance = self.chance.random()
        peer = self.chance.choice(self.peers)
        who = f"{peer.address}"
        if self.attempts and chance < 0.25:
            self.answer()
        elif chance < 0.50:
            if not (peer.has_ended or peer.was_reset):
                data = self.words(self.chance.choice([1, 50, 5000, 70_000, 300_000]))
                self.said[peer] += data
                self.story.append(f"{who} says {len(data)}")
                peer.says(data)
        elif chance < 0.54:
            self.story.append(f"{who} ends")
            peer.ends()
        elif chance < 0.56:
            self.story.append(f"{who} resets")
            self.calm = False
            peer.resets()
        elif chance < 0.565:
            self.story.append(f"{who} closes")
            self.calm = False
            peer.closes()
        elif chance < 0.75:
            count = self.chance.choice([1, 100, 100_000])
            self.story.append(f"{who} takes {count}")
            peer.takes(count)
        elif chance < 0.80:
            seconds = self.chance.choice([0.1, 1, 6, 20])
            self.story.append(f"{seconds} seconds")
            self.passed += seconds
            self.world.pass_time(seconds)
        elif chance < 0.87:
            if self.course.undecided:
                self.course.decide()
        elif chance < 0.9 and self.course.expected:
            self.call()
        for _ in range(self.chance.randrange(3)):
            self.world.reactor.turn()
        self.check_bounds()

    def words(self, size: int) -> bytes:
        at = self.chance.randrange(len(WORDS) - size)
        return WORDS[at : at + size]

    def check_bounds(self) -> None:
        for session in self.world.register.running.values():
            waiting = waiting_bytes(session)
            assert waiting <= BOUND + FLOOD * self.course.floods, f"{waiting} bytes wait"

    # To the end

    def live(self) -> Verdict:
        """
        From the beginning to the end.

        @raise AssertionError: what has to hold does not.
        """
        globalLogPublisher.addObserver(self.observe)
        gc.disable()
        try:
            for _ in range(self.chance.randrange(5, 120)):
                self.step()
            self.finish()
            verdict = self.judge()
            self.judge_memory()
            return verdict
        finally:
            gc.enable()
            globalLogPublisher.removeObserver(self.observe)

    def observe(self, event: Any) -> None:
        if event.get("log_level") in (LogLevel.error, LogLevel.critical):
            failure = event.get("log_failure")
            self.errors.append(failure.getTraceback() if failure else str(event.get("log_format")))

    def finish(self) -> None:
        """All say that this is all, take everything, and all decisions are there."""
        self.story.append("-- the end")
        self.calm = self.calm and self.passed < 50
        self.ending = set(self.world.register.running)
        for peer in self.peers:
            peer.ends()
        if self.attempts and self.chance.random() < 0.5:
            self.answer()
        for _ in range(3000):
            while self.course.undecided:
                self.course.decide()
            for peer in self.peers:
                peer.ends()
                peer.slow(PLENTY)
            if not self.world.reactor.turn():
                if not self.world.register.running:
                    break
                self.world.pass_time(1.0)

    def judge(self) -> Verdict:
        """What has to hold after every life."""
        world = self.world
        assert not world.register.running, f"still running: {world.register.running}"
        flows = Counter(flow.identity.id for flow in world.flows)
        assert set(flows.values()) == {1}, f"flow records: {flows}"
        seen: set[int] = set()
        for record in world.records.all:
            if hasattr(record, "verdict"):
                seen.add(record.identity.id)
            else:
                assert record.session not in seen, "a record after the flow record"
        (flow,) = [one for one in world.flows if not one.identity.parent]
        for one in world.flows:
            if self.calm and one.identity.id in self.ending - self.course.alone:
                assert "idle" not in one.verdict.reason, "waited, and nobody was to be waited for"
        for inspector in self.course.made:
            assert inspector.over == inspector.begun, f"closed {inspector.over} times"
        for peer in self.peers:
            assert LATE not in peer.heard, "something was sent after the end"
        bugs = [one for one in self.errors if not any(own in one for own in OWN_BUGS)]
        assert not bugs, bugs[0]
        self.judge_relay(flow.verdict)
        world.pass_time(200.0)
        assert len(world.network.there) == 1, f"sockets stay: {world.network.there}"
        assert not world.poller._watches, "something is still polled"
        assert not world.reactor.getDelayedCalls(), "somebody still waits for something"
        assert not any(counts.running for counts in world.metrics.services.values())
        return flow.verdict

    def judge_memory(self) -> None:
        """What is over is freed at once, without the collector of circles."""
        self.forget()
        made = {weakref.ref(one.session): type(one).__name__ for one in self.course.made}
        self.course.made.clear()
        self.course.expected.clear()
        left = [kind for session, kind in made.items() if session() is not None]
        assert not left, f"sessions stay in circles: {left}"

    @property
    def honest(self) -> bool:
        return self.course.honest and not any(isinstance(one, Odd) for one in self.course.made)

    def judge_relay(self, verdict: Verdict) -> None:
        """What a relay has to do."""
        if not self.honest:
            return
        server = self.servers[0] if self.servers else None
        whole = not any(peer.was_reset for peer in self.peers)
        for heard, said in self.directions(server):
            assert said.startswith(heard), "not what was said"
            if verdict.outcome is Outcome.PASSED and server is not None and whole:
                assert said == heard, f"passed, but {len(said) - len(heard)} bytes are missing"
        if self.calm and server is not None:
            assert verdict.outcome is Outcome.PASSED, f"a calm session did not pass: {verdict}"

    def directions(self, server: Peer | None) -> list[tuple[bytes, bytes]]:
        if server is None:
            return [(self.client.heard, b"")]
        return [
            (server.heard, bytes(self.said[self.client])),
            (self.client.heard, bytes(self.said[server])),
        ]

    def trace(self) -> Any:
        """All that came of it, to be compared."""
        return (
            [(flow.verdict, flow.to_server, flow.to_client) for flow in self.world.flows],
            [(peer.heard, peer.heard_end, peer.was_reset) for peer in self.peers],
        )


def waiting_bytes(session: Any) -> int:
    """What a session holds for its peers."""
    return max(leg.waiting for leg in session._legs.values())
