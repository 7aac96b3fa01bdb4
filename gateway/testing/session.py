"""
FakeSession: a session without a network, for tests.

It behaves to its inspector as the real one does: it waits for decisions, it
ends after a denial, it does nothing after its end. What the inspector asks for
is there to read afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, fail, maybeDeferred, succeed
from twisted.python.failure import Failure
from zope.interface import implementer

from gateway.interfaces import (
    CLIENT,
    SERVER,
    Address,
    Denied,
    IBody,
    IExpectation,
    IInspector,
    ISession,
    ISink,
    ITimer,
    Outcome,
    Side,
    Unreachable,
    Verdict,
)


@implementer(IExpectation)
@define
class FakeExpectation:
    """
    An announced connection.

    @ivar side: who will connect.
    @ivar service: as it was given to L{ISession.expect}.
    """

    side: Side
    address: Address
    service: Any
    cancelled: bool = False
    gone: Deferred[None] = field(init=False, factory=Deferred)
    _came: Address | None = field(init=False, default=None)
    _joined: Callable[[Address], None] | None = field(init=False, default=None)

    def cancel(self) -> None:
        """See L{IExpectation.cancel}. A test's way to say that time ran out, too."""
        if not self.gone.called:
            self.cancelled = True
            self.gone.callback(None)

    def joins(self, initiator: Address) -> None:
        """The connection comes, for an expectation with no service."""
        assert self.service is None and not self.gone.called, "nobody listens any more"
        self._came = initiator
        self._meet()

    def join(self, joined: Callable[[Address], None]) -> None:
        """Whoever joins it."""
        self._joined = joined
        self._meet()

    def _meet(self) -> None:
        if self._came is not None and self._joined is not None and not self.gone.called:
            self._joined(self._came)
            if not self.gone.called:
                self.gone.callback(None)

    def comes(self, initiator: Address, **session: Any) -> FakeSession:
        """
        The connection comes, for an expectation with a callable as service.

        @param session: more arguments of L{FakeSession}.
        @return: its session, started.
        """
        came = FakeSession(self.service, client=initiator, server=self.address, **session)
        came.start()
        if not self.gone.called:
            self.gone.callback(None)
        return came


@implementer(ITimer)
@define(eq=False)
class FakeTimer:
    """Something that happens when the test says that enough time has passed."""

    due: float
    call: Callable[[], Any] | None

    def cancel(self) -> None:
        """See L{ITimer.cancel}."""
        self.call = None


@define
class FakeDialing:
    """
    A connection that the session was asked to make.

    @ivar side: who listens.
    @ivar service: as it was given to L{ISession.dial}.
    """

    side: Side
    address: Address
    service: Any
    source: Address
    cancelled: bool = False
    reached: Deferred[Address] = field(init=False)

    @reached.default
    def _reached(self) -> Deferred[Address]:
        return Deferred(self._cancel)

    def _cancel(self, _: Any) -> None:
        self.cancelled = True

    def answers(self, **session: Any) -> FakeSession:
        """
        The side accepts, for a callable as service.

        @param session: more arguments of L{FakeSession}.
        @return: its session, started.
        """
        begun = FakeSession(self.service, client=self.address, server=self.source, **session)
        begun.start()
        self.reached.callback(self.address)
        return begun

    def refuses(self, why: str = "connection refused") -> None:
        """The side can't be reached."""
        self.reached.errback(Unreachable(why))


@implementer(IBody)
@define
class FakeBody:
    """A body for the inspector of another service; here, it passes as it is."""

    service: str
    sink: ISink
    data: bytes = b""
    ended: bool = False
    cancelled: bool = False

    def send(self, data: bytes) -> None:
        """See L{IBody.send}."""
        self.data += data
        self.sink.received(data)

    def end(self) -> None:
        """See L{IBody.end}."""
        self.ended = True
        self.sink.ended()

    def cancel(self) -> None:
        """See L{IBody.cancel}."""
        self.cancelled = True


@implementer(ISession)
@define(eq=False)
class FakeSession:
    """
    One session with one inspector.

    @ivar make: called with this session, makes the inspector: its class.
    @ivar settings: by default, what the class's C{Settings} has by default.
    @ivar reachable: whether L{connect} succeeds; L{None}: the test says so
        later, with L{reach} or L{refuse}.
    @ivar source: the address that the server sees.
    @ivar slow: sides that do not take what is sent before the test calls L{flush}.
    @ivar names: the addresses of host names; L{None} for one that can't be looked up.
    @ivar elsewhere: whether the policy permits other servers than the original destination.
    @ivar now: the time; L{advance} lets it pass.
    @ivar keep: whether what is sent is kept (else it is only counted).

    @ivar events: what was asked for, in order, in words.
    @ivar sent: all that was sent to each side.
    @ivar urged: what of it was sent as urgent.
    @ivar halves: the sides towards which it was half-closed.
    @ivar connected: where to, each time it was asked.
    @ivar secured: sides that were asked to speak TLS, with what was read before.
    @ivar ports: the ports that it should come from, likewise.
    @ivar expected: the announced connections.
    @ivar dialed: the connections that it was asked to make.
    @ivar bodies: what was given to inspectors of other services.
    @ivar logged: the audit records: event and fields.
    @ivar released: nothing is inspected any more.
    @ivar handed: the service that it was handed over to, and what was unread of each side.
        As after a release, nothing is inspected any more.
    @ivar verdict: how it ended, if it has.
    @ivar late: what was asked for after the end, which does nothing.
    """

    make: Callable[[Any], Any]
    settings: Any = None
    reachable: bool | None = field(default=True, kw_only=True)
    keep: bool = field(default=True, kw_only=True)
    id: int = field(default=1, kw_only=True)
    service: str = field(default="test", kw_only=True)
    client: Address = field(default=Address("192.0.2.1", 50001), kw_only=True)
    server: Address = field(default=Address("198.51.100.2", 7), kw_only=True)
    source: Address = field(kw_only=True)
    slow: set[Side] = field(factory=set, kw_only=True)
    names: dict[str, tuple[str, ...] | None] = field(factory=dict, kw_only=True)
    elsewhere: bool = field(default=True, kw_only=True)
    now: float = field(default=1_000_000.0, kw_only=True)

    events: list[str] = field(init=False, factory=list)
    sent: dict[Side, bytes] = field(init=False, factory=lambda: {CLIENT: b"", SERVER: b""})
    urged: list[tuple[Side, bytes]] = field(init=False, factory=list)
    halves: set[Side] = field(init=False, factory=set)
    connected: list[Address] = field(init=False, factory=list)
    ports: list[int | None] = field(init=False, factory=list)
    secured: list[tuple[Side, bytes]] = field(init=False, factory=list)
    expected: list[FakeExpectation] = field(init=False, factory=list)
    dialed: list[FakeDialing] = field(init=False, factory=list)
    bodies: list[FakeBody] = field(init=False, factory=list)
    logged: list[tuple[str, dict[str, Any]]] = field(init=False, factory=list)
    released: bool = field(init=False, default=False)
    handed: tuple[str, dict[Side, bytes]] | None = field(init=False, default=None)
    verdict: Verdict | None = field(init=False, default=None)
    late: list[str] = field(init=False, factory=list)
    inspector: IInspector = field(init=False)

    _flushing: dict[Side, list[Deferred[None]]] = field(
        init=False, factory=lambda: {CLIENT: [], SERVER: []}
    )
    _timers: list[FakeTimer] = field(init=False, factory=list)
    _depth: int = field(init=False, default=0)
    _connecting: Deferred[Address] | None = field(init=False, default=None)
    _joining: FakeExpectation | None = field(init=False, default=None)
    _open: bool = field(init=False, default=False)
    _holds: dict[Side, int] = field(init=False, factory=lambda: {CLIENT: 0, SERVER: 0})
    _queued: dict[Side, list[Callable[[], None]]] = field(
        init=False, factory=lambda: {CLIENT: [], SERVER: []}
    )
    _bug: BaseException | None = field(init=False, default=None)
    _closing: bool = field(init=False, default=False)

    @source.default
    def _source(self) -> Address:
        return self.client

    def __attrs_post_init__(self) -> None:
        settings_class = getattr(self.make, "Settings", None)
        if self.settings is None and settings_class is not None:
            self.settings = settings_class()
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
        self._resume(CLIENT)
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
        self._raise_bug()

    def advance(self, seconds: float) -> None:
        """Time passes, and what was to happen in it happens, in order."""
        end = self.now + seconds
        while True:
            due = [each for each in self._timers if each.call is not None and each.due <= end]
            if not due or self.verdict is not None:
                break
            timer = min(due, key=lambda each: each.due)
            self._timers.remove(timer)
            self.now = max(self.now, timer.due)
            assert timer.call is not None
            self._call(timer.call)
        self.now = end
        self._raise_bug()

    @property
    def paused(self) -> set[Side]:
        """The sides that are not read, since a decision is awaited."""
        return {side for side, holds in self._holds.items() if holds}

    @property
    def opened(self) -> bool:
        """Whether there is a server's side."""
        return self._open

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

    def permits(self, address: Address) -> bool:
        """See L{ISession.permits}."""
        return self.elsewhere or address.host == self.server.host

    def resolve(self, name: str) -> Deferred[tuple[str, ...]]:
        """See L{ISession.resolve}."""
        found = self.names.get(name, ())
        return fail(Unreachable(f"{name}: no answer")) if found is None else succeed(found)

    def after(self, seconds: float, call: Callable[[], Any]) -> FakeTimer:
        """See L{ISession.after}."""
        self._timers = [each for each in self._timers if each.call is not None]
        self._timers.append(FakeTimer(self.now + seconds, call))
        return self._timers[-1]

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
        if self._open or self._connecting is not None:
            raise RuntimeError("the session was asked to connect twice")
        self._connecting = connecting
        self._holds[CLIENT] += 1

    def _joined(self, address: Address) -> None:
        if self._connecting is not None:
            self.connected.append(address)
            self.reach()

    def _missed(self, _: Any) -> None:
        if self._connecting is not None:
            self.refuse("nobody came")

    def send(self, side: Side, data: bytes) -> None:
        """See L{ISession.send}."""
        if self._note(f"to {side.value}: {data!r}" if self.keep else "send") and self.keep:
            self.sent[side] += data

    def urge(self, side: Side, data: bytes) -> None:
        """See L{ISession.urge}."""
        self.urged.append((side, data))
        self.send(side, data)

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

    def end(self, side: Side) -> None:
        """See L{ISession.end}."""
        if self._note(f"end to {side.value}"):
            self.halves.add(side)

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

    def secure(self, side: Side, hello: bytes = b"") -> None:
        """See L{ISession.secure}."""
        if self._note(f"secure {side.value}"):
            self.secured.append((side, hello))

    def expect(self, side: Side, address: Address, service: Any) -> Deferred[Any]:
        """See L{ISession.expect}. For port 0, it is 40000 and up."""
        if not self._note(f"expect the {side.value} at {address}"):
            return Deferred()
        if not address.port:
            address = address._replace(port=40000 + len(self.expected))
        self.expected.append(FakeExpectation(side, address, service))
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
        self.dialed.append(FakeDialing(side, address, service, source))
        return self.dialed[-1].reached

    def stack(self, service: str, sink: Any) -> FakeBody:
        """See L{ISession.stack}."""
        body = FakeBody(service, sink)
        if self._note(f"stack {service}"):
            self.bodies.append(body)
        return body

    def release(self) -> None:
        """See L{ISession.release}."""
        if self._note("release"):
            self.released = True

    def hand_over(self, service: str, unread: Mapping[Side, bytes]) -> None:
        """See L{ISession.hand_over}."""
        if self._note(f"hand over to {service}"):
            self.handed = (service, dict(unread))
            self.released = True

    def log(self, event: str, **fields: Any) -> None:
        """See L{ISession.log}."""
        if self._closing or self._note(f"log {event}"):
            self.logged.append((event, fields))

    def _note(self, event: str) -> bool:
        """Whether it is not too late for this."""
        if self.verdict is not None:
            self.late.append(event)
            return False
        if self.keep:
            self.events.append(event)
        return True

    # Telling

    def _receive(self, side: Side, data: bytes) -> None:
        if self.released:
            self.send(side.other, data)
        else:
            self._tell(side, self.inspector.received, side, data)

    def _end(self, side: Side) -> None:
        if self.released:
            self.end(side.other)
        else:
            self._tell(side, self.inspector.ended, side)
        self._complete()

    def _lose(self, side: Side) -> None:
        verdict = Verdict(Outcome.RESET, f"reset by the {side.value}")
        if not self.released:
            self._tell(side, self.inspector.lost, side, verdict)
        self._finish(verdict)

    def _finish(self, verdict: Verdict) -> None:
        if self.verdict is None:
            self._note(f"closed: {verdict.outcome.value} {verdict.reason}".rstrip())
            self.verdict = verdict
            self._connecting = None
            if self._joining is not None:
                self._joining.cancel()
            for timer in self._timers:
                timer.cancel()
            for expectation in self.expected:
                expectation.cancel()
            self._closing = True
            self.inspector.closed(verdict)
            self._closing = False

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
        self._queued[side].append(happen)
        self._read(side)
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

    def _tell(self, side: Side, told: Callable[..., Any], *arguments: Any) -> None:
        self._depth += 1
        try:
            decision = told(*arguments)
            if isinstance(decision, Deferred) and self.verdict is None:
                self._holds[side] += 1
                decision.addCallbacks(lambda _: self._resume(side), self._failed)
        except Exception as error:
            self._end_by(error)
        finally:
            self._depth -= 1
        self._settle()
        self._raise_bug()

    def _settle(self) -> None:
        """Nothing is reached while the inspector is still asking for it."""
        if self._connecting is None or self._depth:
            return
        if self._joining is not None:
            if self._joining.gone.called:
                self.refuse("nobody came")
        elif self.reachable:
            self.reach()
        elif self.reachable is not None:
            self.refuse()

    def _resume(self, side: Side) -> None:
        self._holds[side] -= 1
        self._read(side)

    def _read(self, side: Side) -> None:
        """What waits, happens, until it has to wait again."""
        while self._queued[side] and not self._holds[side] and self.verdict is None:
            self._queued[side].pop(0)()

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
        else:
            self._bug = self._bug or error
            self._finish(Verdict(Outcome.BROKEN, repr(error)))

    def _raise_bug(self) -> None:
        if self._bug is not None and not self._depth:
            bug, self._bug = self._bug, None
            raise bug
