"""The Watch: what somebody took away is put back."""

from __future__ import annotations

from collections.abc import Callable

from gateway.kernel.changes import Changes
from gateway.kernel.divert import KernelDivert, State
from gateway.kernel.errors import KernelError

Say = Callable[[int, str], object]
"""How to tell the operator something: a priority of syslog(3), and a text."""

CRITICAL, ERROR, WARNING = 2, 3, 4


EVERY = 10.0
"""Seconds after which the watch looks although nobody told it anything."""

REST = 5
"""After a look the watch rests for so many times as long as it took, however much is told."""


class Watch:
    """
    Looks whether the rules and routes are as they were installed.

    @ivar state: how they were at the last look.
    @ivar restored: how often something had to be put back.
    @ivar trouble: why what is missing can't be put back.
    """

    def __init__(
        self, divert: KernelDivert, changes: Changes, say: Say, clock: Callable[[], float]
    ) -> None:
        self._divert = divert
        self._changes = changes
        self._say = say
        self._clock = clock
        self._suspects: set[str] = set()
        self._next = self._earliest = clock()
        self.state = State.NOT_INSTALLED
        self.restored = 0
        self.trouble = ""

    @property
    def seconds(self) -> float:
        """How long until the next look."""
        return max(0.0, self._next - self._clock())

    def hear(self) -> None:
        """Take note of what the kernel tells."""
        concern = [one for one in self._changes.read() if self._divert.concerned(one.table)]
        if concern:
            self._suspects |= {one.who for one in concern}
            self._next = min(self._next, self._earliest)

    def settle(self) -> None:
        """Look, if there is any doubt."""
        self.hear()
        if self._suspects or not self.seconds:
            self.look()

    def look(self) -> None:
        """Look, and put back what is missing."""
        begun = self._clock()
        who, self._suspects = self._suspects, set()
        try:
            self.state = self._divert.state()
            if self.state is State.MISSING:
                self._divert.restore()
                self.restored += 1
                self._say(ERROR, _told(who - {""}))
                self.state = State.INSTALLED
        except KernelError as error:
            self.state = State.MISSING
            self._complain(str(error))
        else:
            self.trouble = ""
        ended = self._clock()
        self._earliest = ended + REST * (ended - begun)
        self._next = ended + (EVERY if self._divert.is_told else 1.0)

    def _complain(self, trouble: str) -> None:
        """Once, and again when it is another trouble."""
        if trouble != self.trouble:
            self._say(CRITICAL, f"the divert is gone and can't be installed again: {trouble}")
        self.trouble = trouble


def _told(who: set[str]) -> str:
    by = f" (by {', '.join(sorted(who))})" if who else ""
    return (
        f"somebody removed or changed the divert's rules or routes{by}, and connections may have "
        "passed uninspected; they are installed again"
    )
