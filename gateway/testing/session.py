"""
FakeSession: a session without a network, for tests.

It behaves to its inspector as the real one does: it waits for decisions, it
ends after a denial, it does nothing after its end. What the inspector asks for
is there to read afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, fail, maybeDeferred, succeed
from twisted.python.failure import Failure
from zope.interface import implementer

from gateway.agreement import Agreed, Insecure
from gateway.envelope import NO_ENVELOPE, Envelope
from gateway.interfaces import (
    CLIENT,
    SERVER,
    Address,
    Denied,
    IInspector,
    ISession,
    Outcome,
    Side,
    Unreachable,
    Verdict,
)
from gateway.testing.asked import Asked
from gateway.testing.dialing import FakeDialing
from gateway.testing.expectation import FakeExpectation
from gateway.testing.gate import FakeGate
from gateway.testing.timer import FakeTimer, FakeTimers
from gateway.testing.tools import FakeTools

AGREED = Agreed("TLS 1.3", "TLS_AES_128_GCM_SHA256", "X25519")


@implementer(ISession)
@define(eq=False)
class FakeSession(Asked):
    """
    One session with one inspector.

    @ivar make: called with this session, makes the inspector: its class.
    @ivar settings: by default, what the class's C{Settings} has by default.
    @ivar shared: by default, what the class's C{Shared} makes of them.
    @ivar envelope: what its bytes belong to, if it is a stacked one.
    @ivar tools: what it works with then.
    @ivar reachable: whether L{connect} succeeds; C{None}: the test says so
        later, with L{reach} or L{refuse}.
    @ivar source: the address that the server sees.
    @ivar reconnects: whether another server may be had when one has gone.
    @ivar slow: sides that do not take what is sent before the test calls L{flush}.
    @ivar names: the addresses of host names; C{None} for one that can't be looked up.
    @ivar agrees: what TLS with a side comes to; left out, that it is agreed.
    @ivar probed: what a probe of the server comes to.
    @ivar probes: with what they were asked for.
    @ivar truncated: sides whose TLS ends without close_notify.
    @ivar elsewhere: whether the policy permits other servers than the original destination.
    @ivar now: the time; L{FakeSession.advance} lets it pass.

    @ivar connected: where to, each time it was asked.
    @ivar ports: the ports that it should come from, likewise.
    @ivar expected: the announced connections.
    @ivar dialed: the connections that it was asked to make.
    """

    make: Callable[[Any], Any]
    settings: Any = None
    shared: Any = field(default=None, kw_only=True)
    envelope: Envelope = field(default=NO_ENVELOPE, kw_only=True)
    tools: FakeTools = field(factory=FakeTools, kw_only=True)
    reachable: bool | None = field(default=True, kw_only=True)
    id: int = field(default=1, kw_only=True)
    service: str = field(default="test", kw_only=True)
    client: Address = field(default=Address("192.0.2.1", 50001), kw_only=True)
    server: Address = field(default=Address("198.51.100.2", 7), kw_only=True)
    source: Address = field(kw_only=True)
    reconnects: bool = field(default=True, kw_only=True)
    slow: set[Side] = field(factory=set, kw_only=True)
    names: dict[str, tuple[str, ...] | None] = field(factory=dict, kw_only=True)
    agrees: dict[Side, Agreed | Insecure] = field(factory=dict, kw_only=True)
    probed: Agreed | Exception = field(default=AGREED, kw_only=True)
    probes: list[dict[str, Any]] = field(init=False, factory=list)
    truncated: set[Side] = field(factory=set, kw_only=True)
    elsewhere: bool = field(default=True, kw_only=True)
    now: float = field(default=1_000_000.0, kw_only=True)

    connected: list[Address] = field(init=False, factory=list)
    ports: list[int | None] = field(init=False, factory=list)
    expected: list[FakeExpectation] = field(init=False, factory=list)
    dialed: list[FakeDialing] = field(init=False, factory=list)
    inspector: IInspector = field(init=False)

    _flushing: dict[Side, list[Deferred[None]]] = field(
        init=False, factory=lambda: {CLIENT: [], SERVER: []}
    )
    _timers: FakeTimers = field(init=False, factory=FakeTimers)
    _depth: int = field(init=False, default=0)
    _connecting: Deferred[Address] | None = field(init=False, default=None)
    _joining: FakeExpectation | None = field(init=False, default=None)
    _open: bool = field(init=False, default=False)
    _gone: set[Side] = field(init=False, factory=set)
    _gates: dict[Side, FakeGate] = field(
        init=False, factory=lambda: {CLIENT: FakeGate(), SERVER: FakeGate()}
    )
    _giving_way: list[Deferred[None]] = field(init=False, factory=list)
    _bug: BaseException | None = field(init=False, default=None)

    @source.default
    def _source(self) -> Address:
        return self.client

    def __attrs_post_init__(self) -> None:
        settings_class = getattr(self.make, "Settings", None)
        if self.settings is None and settings_class is not None:
            self.settings = settings_class()
        shared = getattr(self.make, "Shared", None)
        if shared is not None and self.shared is None:
            self.shared = shared(self.settings)
        self.inspector = self.make(self)

    # What happens, for the test to say

    def start(self) -> FakeSession:
        """
        The client is admitted.

        @raise Exception: a bug of the inspector, here and in all these calls.
        """
        self._tell(CLIENT, self.inspector.started)
        return self

    def says(self, side: Side, data: bytes) -> None:
        """C{side} sends C{data}. It waits as long as a decision is awaited."""
        self._when_read(side, lambda: self._receive(side, data))

    def hangs_up(self, side: Side) -> None:
        """C{side} will send no more."""
        self._when_read(side, lambda: self._end(side))

    def resets(self, side: Side) -> None:
        """C{side} resets its connection, after all that it said was read."""
        self._when_read(side, lambda: self._lose(side))

    def reach(self) -> None:
        """The server accepts the connection."""
        connecting, self._connecting = self._connecting, None
        assert connecting is not None, "the inspector did not ask to connect"
        self._open = True
        self._answer(connecting, self.connected[-1])

    def refuse(self, why: str = "connection refused") -> None:
        """The server can't be reached."""
        connecting, self._connecting = self._connecting, None
        assert connecting is not None, "the inspector did not ask to connect"
        self._answer(connecting, Failure(Unreachable(why)))  # type: ignore[no-untyped-call]

    def _answer(self, connecting: Deferred[Address], result: Any) -> None:
        """Tell whoever asked to connect; nothing else happens meanwhile."""
        self._depth += 1
        connecting.callback(result)
        connecting.addErrback(self._failed)
        self._gates[CLIENT].resume()
        self._depth -= 1
        self._settle()

    def over(self, verdict: Verdict = Verdict(Outcome.CLOSED, "the test is over")) -> None:  # noqa: B008
        """The session ends, if it has not ended: a peer's reset, a time limit, a stop."""
        self._finish(verdict)
        self._raise_bug()

    def flush(self, side: Side) -> None:
        """C{side} has taken all that was sent to it."""
        flushing, self._flushing[side] = self._flushing[side], []
        for flushed in flushing if self.verdict is None else ():
            flushed.callback(None)
            flushed.addErrback(self._failed)
        self._settle()
        self._raise_bug()

    def advance(self, seconds: float) -> None:
        """Time passes, and what was to happen in it happens, in order."""
        end = self.now + seconds
        while self.verdict is None and (timer := self._timers.next(end)) is not None:
            self.now = max(self.now, timer.due)
            assert timer.call is not None
            self._call(timer.call)
        self.now = end
        self._raise_bug()

    @property
    def paused(self) -> set[Side]:
        """The sides that are not read, since a decision is awaited."""
        return {side for side, gate in self._gates.items() if gate.holds}

    @property
    def opened(self) -> bool:
        """Whether there is a server who may say something."""
        return self._open and SERVER not in self._gone

    @property
    def connecting(self) -> bool:
        """Whether the inspector asked to connect, and nobody has answered yet."""
        return self._connecting is not None

    # What the inspector asks for

    def connect(self, address: Address | None = None, port: int | None = None) -> Deferred[Address]:
        """See L{ISession.connect}."""
        target = address or self.server
        connecting: Deferred[Address] = Deferred()
        if not self._note(f"connect to {target}"):
            return connecting
        if not self.permits(target):
            connecting.errback(Denied(f"the policy has no connection to {target}"))
            return connecting
        self._begin_to_connect(connecting)
        self.connected.append(target)
        self.ports.append(port)
        self._settle()
        return connecting

    def secure(self, side: Side, hello: bytes = b"", **asked: Any) -> Deferred[Agreed]:
        """See L{ISession.secure}. C{agrees} says what comes of it."""
        if self.verdict is None and self.inspector.unread(side):
            raise Denied(f"the {side.value} sent plaintext after it had agreed to TLS")
        answer: Deferred[Agreed] = Deferred()
        if self._note(f"secure {side.value}"):
            self.secured.append((side, hello))
            self.asked_for[side] = asked
            outcome = self.agrees.get(side, AGREED)
            if isinstance(outcome, Insecure):
                answer.errback(outcome)
            else:
                answer.callback(outcome)
        return answer

    def probe(self, **asked: Any) -> Deferred[Agreed]:
        """See L{ISession.probe}. C{probed} says what comes of it."""
        answer: Deferred[Agreed] = Deferred()
        if self._note("probe"):
            self.probes.append(asked)
            if isinstance(self.probed, Exception):
                answer.errback(self.probed)
            else:
                answer.callback(self.probed)
        return answer

    def cut(self, side: Side) -> bool:
        """See L{ISession.cut}: whether it is in C{truncated}."""
        return side in self.truncated

    def protected(self, side: Side) -> bool:
        """See L{ISession.protected}."""
        return any(secured is side for secured, _ in self.secured)

    def permits(self, address: Address) -> bool:
        """See L{ISession.permits}."""
        return self.elsewhere or address.host == self.server.host

    def resolve(self, name: str) -> Deferred[tuple[str, ...]]:
        """See L{ISession.resolve}."""
        found = self.names.get(name, ())
        return fail(Unreachable(f"{name}: no answer")) if found is None else succeed(found)

    def after(self, seconds: float, call: Callable[[], Any]) -> FakeTimer:
        """See L{ISession.after}."""
        return self._timers.add(self.now + seconds, call)

    def give_way(self, side: Side) -> Deferred[None]:
        """See L{ISession.give_way}. As soon as nobody is told anything."""
        given: Deferred[None] = Deferred()
        self._giving_way.append(given)
        return given

    def date(self) -> float:
        """See L{ISession.date}. It is C{now}."""
        return self.now

    def join(self, expectation: FakeExpectation) -> Deferred[Address]:
        """See L{ISession.join}."""
        connecting: Deferred[Address] = Deferred()
        if not self._note(f"join {expectation.address}"):
            return connecting
        self._begin_to_connect(connecting)
        self._joining = expectation
        expectation.join(self._joined)
        if expectation.gone.called:
            self._settle()
        else:
            expectation.gone.addCallback(self._missed)
        return connecting

    def _begin_to_connect(self, connecting: Deferred[Address]) -> None:
        gone = SERVER in self._gone or SERVER in self.halves
        if (self._open and not gone) or self._connecting is not None:
            raise RuntimeError("the session was asked to connect twice")
        self._open = False
        self._gone -= {SERVER}
        self.halves.discard(SERVER)
        self._connecting = connecting
        self._gates[CLIENT].holds += 1

    def _joined(self, address: Address) -> None:
        if self._connecting is not None:
            self.connected.append(address)
            self.reach()

    def _missed(self, _: Any) -> None:
        if self._connecting is not None:
            self.refuse("nobody came")

    def flushed(self, side: Side) -> Deferred[None]:
        """See L{ISession.flushed}. At once, unless C{slow}."""
        flushed: Deferred[None] = Deferred()
        self._flushing[side].append(flushed)
        if side not in self.slow:
            self.flush(side)
        return flushed

    def compute(self, function: Callable[[], Any]) -> Deferred[Any]:
        """See L{ISession.compute}. It is computed at once."""
        return maybeDeferred(function)

    def deny(self, reason: str, reply: bytes = b"") -> None:
        """See L{ISession.deny}."""
        if not self._note(f"deny: {reason}"):
            return
        if reply:
            self.send(CLIENT, reply)
        self._finish(Verdict(Outcome.DENIED, reason))

    def close(self, reason: str, outcome: Outcome = Outcome.CLOSED) -> None:
        """See L{ISession.close}."""
        if self._note(f"close: {reason}"):
            self._finish(Verdict(outcome, reason))

    def done(self) -> None:
        """See L{ISession.done}."""
        if self._note("done"):
            self._finish(Verdict(Outcome.PASSED))

    def expect(self, side: Side, address: Address, service: Any) -> Deferred[Any]:
        """See L{ISession.expect}. For port 0, it is 40000 and up."""
        if not self._note(f"expect the {side.value} at {address}"):
            return Deferred()
        if not address.port:
            address = address._replace(port=40000 + len(self.expected))
        self.expected.append(FakeExpectation(side, address, service, begin=_begun))
        return succeed(self.expected[-1])

    def dial(self, side: Side, address: Address, service: Any) -> Deferred[Address]:
        """See L{ISession.dial}."""
        if not self._note(f"dial the {side.value} at {address}"):
            return Deferred()
        if address.host not in {
            self.client.host,
            self.server.host,
            *(one.host for one in self.connected),
        }:
            return fail(Denied(f"{address} is neither peer's address"))
        source = Address((self.server if side is CLIENT else self.source).host, 40100)
        self.dialed.append(FakeDialing(side, address, service, source, begin=_begun))
        return self.dialed[-1].reached

    # Telling

    def _receive(self, side: Side, data: bytes) -> None:
        if self.released:
            self.send(side.other, data)
        else:
            self._tell(side, self.inspector.received, side, data)

    def _end(self, side: Side) -> None:
        self._gone |= {side}
        if self.released:
            self.end(side.other)
        else:
            self._tell(side, self.inspector.ended, side)
        self._complete()

    def _lose(self, side: Side) -> None:
        verdict = Verdict(Outcome.RESET, f"reset by the {side.value}")
        self._gone |= {side}
        decision = None if self.released else self._tell(side, self.inspector.lost, side, verdict)
        self._gates[side] = FakeGate()  # another server would be read
        if decision is None:
            self._lost(None, side, verdict)
        else:
            decision.addCallback(self._lost, side, verdict)

    def _lost(self, _: Any, side: Side, verdict: Verdict) -> None:
        if side in self._gone:  # else there is another server
            self._finish(verdict)

    def _finish(self, verdict: Verdict) -> None:
        if self.verdict is None:
            self._note(f"closed: {verdict.outcome.value} {verdict.reason}".rstrip())
            self.verdict = verdict
            self._connecting = None
            if self._joining is not None:
                self._joining.cancel()
            self._timers.cancel()
            for gate in self._gates.values():
                gate.close()
            self._closing = True
            self.inspector.closed(verdict)
            self._closing = False
            for expectation in self.expected:
                expectation.cancel()
            self.tools.close()

    def _complete(self) -> None:
        """A session is over when both sides are, and one that has no server with its client."""
        alone = not self._open and self._connecting is None
        if self.verdict is None and SERVER in self.halves and (alone or CLIENT in self.halves):
            self._finish(Verdict(Outcome.PASSED))

    def _when_read(self, side: Side, happen: Callable[[], None]) -> None:
        self._raise_bug()
        if self.verdict is not None:
            return
        assert side is CLIENT or self._open, "the server can't say anything: it is not connected"
        self._gates[side].say(happen)
        self._raise_bug()

    def _call(self, call: Callable[[], Any]) -> None:
        self._depth += 1
        try:
            call()
        except Exception as error:
            self._end_by(error)
        finally:
            self._depth -= 1
        self._settle()

    def _tell(self, side: Side, told: Callable[..., Any], *arguments: Any) -> Deferred[Any] | None:
        """@return: the decision that is awaited, if any."""
        decision = None
        self._depth += 1
        try:
            decision = told(*arguments)
            if isinstance(decision, Deferred) and self.verdict is None:
                gate = self._gates[side]
                gate.holds += 1
                decision.addCallbacks(lambda _: gate.resume(), self._failed)
        except Exception as error:
            self._end_by(error)
        finally:
            self._depth -= 1
        self._settle()
        self._raise_bug()
        return decision if isinstance(decision, Deferred) else None

    def _settle(self) -> None:
        """Nothing is reached while the inspector is still asking for it."""
        while self._giving_way and not self._depth:
            given = self._giving_way.pop(0)
            if not given.called:
                self._call(partial(given.callback, None))
        if self._connecting is None or self._depth:
            return
        if self._joining is not None:
            if self._joining.gone.called:
                self.refuse("nobody came")
        elif self.reachable:
            self.reach()
        elif self.reachable is not None:
            self.refuse()

    def _failed(self, failure: Failure) -> None:
        error = failure.value
        assert error is not None
        if self.verdict is None or not isinstance(error, CancelledError):
            self._end_by(error)

    def _end_by(self, error: BaseException) -> None:
        if isinstance(error, Denied):
            self.deny(error.reason, error.reply)
        elif isinstance(error, Unreachable):
            self._finish(Verdict(Outcome.FAILED, f"server unreachable: {error}"))
        elif isinstance(error, Insecure):
            self._finish(Verdict(Outcome.FAILED, str(error)))
        else:
            self._bug = self._bug or error
            self._finish(Verdict(Outcome.BROKEN, repr(error)))

    def _raise_bug(self) -> None:
        if self._bug is not None and not self._depth:
            bug, self._bug = self._bug, None
            raise bug


def _begun(make: Callable[[Any], Any], **session: Any) -> FakeSession:
    """A session of its own, for a connection that was agreed on."""
    return FakeSession(make, **session).start()
