"""Programs: all that run now, so many of each command at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, DeferredSemaphore

from gateway.scanning.program import Program
from gateway.tools import ISpool, Ran, Run, Unavailable


class Programs:
    """Those of all services."""

    def __init__(self, reactor: Any, folder: Callable[[], str]) -> None:
        """@param folder: says in which each gets one of its own."""
        self._reactor = reactor
        self._folder = folder
        self._turns: dict[tuple[str, ...], DeferredSemaphore] = {}
        self._running: set[Program] = set()

    def run(self, run: Run, body: ISpool, output: ISpool | None = None) -> Deferred[Ran]:
        """See L{ITools.run<gateway.tools.ITools>}."""
        turns = self._turns.get(run.command)
        if turns is None or turns.limit != run.at_once:
            turns = self._turns[run.command] = DeferredSemaphore(run.at_once)
        return Deferred.fromCoroutine(self._in_turn(turns, run, body, output))

    async def _in_turn(
        self, turns: DeferredSemaphore, run: Run, body: ISpool, output: ISpool | None
    ) -> Ran:
        await turns.acquire()
        program = Program(run, body, output)
        self._running.add(program)
        program.over.addCallback(lambda _: self._ended(turns, program))
        try:
            program.start(self._reactor, self._folder())
        except OSError as error:
            program.remove()
            program.over.callback(None)
            raise Unavailable(f"{run.called}: {error.strerror}") from None
        return await program.done

    def _ended(self, turns: DeferredSemaphore, program: Program) -> None:
        self._running.discard(program)
        turns.release()

    def stop(self) -> None:
        """The gateway stops."""
        for program in self._running:
            program.kill()
