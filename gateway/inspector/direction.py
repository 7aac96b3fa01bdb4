"""
Direction: runs the coroutine that reads one side of a session.

It is driven by C{coroutine.send}: no task, and no Deferred per read. A
coroutine yields either its own L{Reader}, when it needs more bytes, or a
Deferred, when it awaits a decision. One that finds all it needs in what has
come would go on for long: its reader interrupts it, and other sessions have
their turn.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from gateway.inspector.reader import GIVE_WAY, TURN, EndOfStream, Reader
from gateway.interfaces import Denied, ISession, Side


class Direction:
    """
    One side's coroutine, its reader, and what it waits for.

    @ivar read: the side's reader.
    @ivar over: nothing runs any more, whatever comes.
    """

    __slots__ = (
        "_coroutine",
        "_decision",
        "_returned",
        "_running",
        "_session",
        "_side",
        "_waiting",
        "over",
        "read",
    )

    def __init__(
        self,
        side: Side,
        session: ISession,
        start: Callable[[Reader], Coroutine[Any, Any, None]],
    ) -> None:
        self.read = Reader(side)
        self._side = side
        self._session = session
        self._coroutine = start(self.read)
        self._running = False
        self._returned = False
        self.over = False
        self._decision: Deferred[Any] | None = None
        self._waiting: Deferred[None] | None = None

    @property
    def reads(self) -> bool:
        """Whether the coroutine waits for more of its side, and for nothing else."""
        return not (self.over or self._returned) and self._decision is None

    # Told

    def received(self, data: bytes) -> Deferred[None] | None:
        """
        The side sent C{data}.

        @return: a Deferred if a decision is awaited: the side must not be read
            before it fires. It fails with what the coroutine raised after that.
        @raise Denied: by the coroutine, or the bytes came after it had returned.
        """
        if not self.over:
            self.read.feed(data)
            if self._returned or self._running or self._decision is not None:
                self._go_on()
            else:
                self._run()
        return self._waiting

    def ended(self) -> Deferred[None] | None:
        """The side ended; like L{received}."""
        if not self.over:
            self.read.end(self._session.cut(self._side))
            self._go_on()
        return self._waiting

    def release(self) -> None:
        """Let go of the side: pass what is unread, and stop the coroutine."""
        if self.over:
            return
        if not self.read.empty:
            self._session.send(self._side.other, self.read.rest())
        if self.read.ended and not self._returned:
            self._session.end(self._side.other)
        self.leave()

    def leave(self) -> None:
        """Stop the coroutine; the session goes on without it."""
        if not self.over:
            self.close()
            self._answer(None)

    def close(self) -> None:
        """Stop the coroutine; one that runs right now stops when it next waits."""
        self.over = True
        self.read.rest()
        decision, self._decision = self._decision, None
        if not self._running:
            self._coroutine.close()
        if decision is not None:
            decision.cancel()

    # The coroutine

    def _go_on(self) -> None:
        if self._returned:
            self._finish()
        elif not self._running and self._decision is None:
            self._run()

    def _run(self, failure: BaseException | None = None) -> None:
        """Run until the coroutine waits, returns or raises; C{failure} is a decision's."""
        self._running = True
        try:
            coroutine = self._coroutine
            self.read.left = TURN
            wanted = coroutine.send(None) if failure is None else coroutine.throw(failure)
            if wanted is not self.read:
                way = wanted is GIVE_WAY
                self._await(self._session.give_way(self._side) if way else wanted)
        except (StopIteration, EndOfStream):
            self._returned = True
        except BaseException as error:
            if not (self.over and isinstance(error, Denied)):
                self.over = True
                raise
        finally:
            self._running = False
        if failure is not None:
            # It was caught. In Python 3.12 and 3.13 the frames that it went through know their
            # callers, who know it: a circle (findings/python-caught-failure.sh).
            failure.__traceback__ = None
        if self.over:
            self._coroutine.close()
        elif self._returned:
            self._finish()

    def _finish(self) -> None:
        """The coroutine has returned: nothing more may come but the end."""
        if not self.read.empty:
            self.over = True
            raise Denied(f"the {self._side.value} sent more than the protocol allows at this point")
        if self.read.ended:
            self._session.end(self._side.other)

    # Decisions

    def _await(self, decision: Any) -> None:
        if not isinstance(decision, Deferred):
            raise TypeError(f"an inspector awaits its own reader or a Deferred, not {decision!r}")
        if self.over:
            return
        self._decision = decision
        if self._waiting is None:
            self._waiting = Deferred()
        decision.addBoth(self._decided)

    def _decided(self, result: Any) -> Any:
        """
        A decision is there. The coroutine takes a result from the Deferred itself.

        @return: the result, for others who await it too; a failure is the
            coroutine's alone.
        """
        failure = result if isinstance(result, Failure) else None
        if not self.over:
            self._decision = None
            self._resume(failure and failure.value)
        return None if failure else result

    def _resume(self, failure: BaseException | None) -> None:
        outcome = None
        try:
            self._run(failure)
        except Exception:
            outcome = Failure()  # type: ignore[no-untyped-call]
        if self._decision is None:
            self._answer(outcome)
        outcome = None  # it knows this frame: a circle

    def _answer(self, outcome: Failure | None) -> None:
        """Tell the session that it may read the side again, or why not."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(outcome)
