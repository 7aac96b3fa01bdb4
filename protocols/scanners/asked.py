"""Asked: a daemon is asked; if it fails, once more, or another one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from gateway.tools import ILine, ITools, Run, Terms, let_go
from protocols.scanners.fault import ScannerFault, Unfit

T = TypeVar("T")


class Answer(Exception):
    """What a daemon has said, if that is to end what was asked of it."""


async def asked(
    tools: ITools,
    whom: tuple[str, ...] | Run,
    terms: Terms,
    ask: Callable[[ILine], Awaitable[T]],
    late: Callable[[], bool],
    fresh: bool = False,
) -> T:
    """
    What C{ask} says, of the first one that does what it should.

    A line that was kept may have come to its end, so that its failure says nothing of the daemon:
    it is asked again, on a new one.

    An answer that is an exception (L{Answer}) is one, and no failure. What C{ask} fails with after
    L{ILine.works} may be the body's doing, and is no reason to leave the daemon alone.

    @param whom: daemons, or a program that stays.
    @param fresh: never on a line that was used before.
    @param late: whether time has run out; then a daemon that has not answered has failed.
    @raise ScannerFault: all fail.
    @raise Unfit: the body is none for the first that answers; nor, then, for another one.
    @raise Unavailable: none is there.
    """
    failed: set[str] = set()
    while True:
        line = await tools.line(whom, terms, fresh, failed)
        try:
            answer = await ask(line)
        except Unfit:
            line.drop()
            raise
        except ScannerFault as fault:
            line.drop("" if line.uses else str(fault))
            if not line.uses:
                failed.add(line.address)
                if isinstance(whom, Run) or len(failed) == len(whom):
                    raise
            let_go(fault)
            fresh = True
        except Answer:
            line.keep()
            raise
        except BaseException:
            line.drop("no answer in time" if late() else "")
            raise
        else:
            line.keep()
            return answer
