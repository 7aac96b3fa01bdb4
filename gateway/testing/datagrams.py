"""FakeDatagrams: a session of datagrams without a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure
from zope.interface import implementer

from gateway.agreement import Agreed
from gateway.interfaces import (
    CLIENT,
    SERVER,
    Address,
    Denied,
    IDatagramSession,
    Outcome,
    Side,
    Verdict,
)
from gateway.testing.asked import Asked
from gateway.testing.session import AGREED
from gateway.testing.timer import FakeTimer, FakeTimers


@implementer(IDatagramSession)
@define(eq=False)
class FakeDatagrams(Asked):
    """
    One session of datagrams with one inspector.

    @ivar make: called with this session, makes the inspector: its class.
    @ivar settings: by default, what the class's C{Settings} has by default.
    @ivar shared: by default, what the class's C{Shared} makes of them.
    @ivar probed: what a probe of the server comes to; C{None}: the test fires C{probing}.
    @ivar now: the time; L{FakeDatagrams.advance} lets it pass.

    @ivar datagrams: what each side was sent.
    @ivar connected: whether it was asked for.
    """

    make: Callable[[Any], Any]
    settings: Any = None
    shared: Any = field(default=None, kw_only=True)
    id: int = field(default=1, kw_only=True)
    service: str = field(default="test", kw_only=True)
    client: Address = field(default=Address("192.0.2.1", 50001), kw_only=True)
    server: Address = field(default=Address("198.51.100.2", 443), kw_only=True)
    probed: Agreed | Exception | None = field(default=AGREED, kw_only=True)
    now: float = field(default=1_000_000.0, kw_only=True)

    datagrams: dict[Side, list[bytes]] = field(init=False, factory=lambda: {CLIENT: [], SERVER: []})
    connected: bool = field(init=False, default=False)
    probing: list[Deferred[Agreed]] = field(init=False, factory=list)
    inspector: Any = field(init=False)
    _timers: FakeTimers = field(init=False, factory=FakeTimers)

    def __attrs_post_init__(self) -> None:
        settings_class = getattr(self.make, "Settings", None)
        if self.settings is None and settings_class is not None:
            self.settings = settings_class()
        shared = getattr(self.make, "Shared", None)
        if shared is not None and self.shared is None:
            self.shared = shared(self.settings)
        self.inspector = self.make(self)
        self._tell(self.inspector.started)

    # What happens, for the test to say

    def says(self, side: Side, *datagrams: bytes) -> FakeDatagrams:
        """C{side} sends these."""
        for datagram in datagrams:
            if self.verdict is None and self.released:
                self.send(side.other, datagram)
            elif self.verdict is None:
                self._tell(self.inspector.received, side, datagram)
        return self

    def advance(self, seconds: float) -> None:
        """Time passes, and what was to happen in it happens."""
        end = self.now + seconds
        while self.verdict is None and (timer := self._timers.next(end)) is not None:
            self.now = max(self.now, timer.due)
            assert timer.call is not None
            self._tell(timer.call)
        self.now = end

    def forget(self) -> None:
        """What was recorded so far is of no interest."""
        self.recorded.clear()

    def over(self, verdict: Verdict = Verdict(Outcome.CLOSED, "the test is over")) -> None:  # noqa: B008
        """The session ends, if it has not ended."""
        self._finish(verdict)

    def _tell(self, told: Callable[..., Any], *arguments: Any) -> None:
        """What is not the peer's fault is raised: a bug."""
        try:
            decision = told(*arguments)
        except Denied as denied:
            self.deny(denied.reason, denied.reply)
        else:
            if decision is not None:
                decision.addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        denied = failure.value
        if not isinstance(denied, Denied):
            failure.raiseException()
        else:
            self.deny(denied.reason, denied.reply)

    # What the inspector asks for

    def connect(self) -> Deferred[Address]:
        """See L{IDatagramSession.connect}."""
        if self.connected:
            raise RuntimeError("the session was asked to connect twice")
        self.connected = self._note("connect")
        return succeed(self.server)

    def send(self, side: Side, data: bytes) -> None:
        """See L{IDatagramSession.send}."""
        there = self.connected or side is CLIENT
        if self._note(f"to {side.value}: {len(data)} bytes") and there and self.keep:
            self.datagrams[side].append(data)

    def probe(self, **asked: Any) -> Deferred[Agreed]:
        """See L{IDatagramSession.probe}. C{probed} says what comes of it."""
        if self.verdict is not None:
            return Deferred()
        self._note("probe")
        if self.probed is None:
            self.probing.append(Deferred())
            return self.probing[-1]
        return fail(self.probed) if isinstance(self.probed, Exception) else succeed(self.probed)

    def deny(self, reason: str, reply: bytes = b"") -> None:
        """See L{IDatagramSession.deny}."""
        if reply and self.verdict is None:
            self.send(CLIENT, reply)
        self._finish(Verdict(Outcome.DENIED, reason))

    def close(self, reason: str, outcome: Outcome = Outcome.CLOSED) -> None:
        """See L{IDatagramSession.close}."""
        self._finish(Verdict(outcome, reason))

    def after(self, seconds: float, call: Callable[[], Any]) -> FakeTimer:
        """See L{IDatagramSession.after}."""
        return self._timers.add(self.now + seconds, call)

    def date(self) -> float:
        """See L{IDatagramSession.date}. It is C{now}."""
        return self.now

    def _finish(self, verdict: Verdict) -> None:
        if self.verdict is None:
            self._note(f"closed: {verdict.outcome.value} {verdict.reason}".rstrip())
            self.verdict = verdict
            self._timers.cancel()
            self._closing = True
            self.inspector.closed(verdict)
            self._closing = False
