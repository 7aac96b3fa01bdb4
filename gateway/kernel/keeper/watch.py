"""The Watch: what somebody took away is put back."""

from __future__ import annotations

from collections.abc import Callable, Collection

from gateway.kernel.changes import Change, Changes
from gateway.kernel.divert import KernelDivert, Part, State
from gateway.kernel.errors import KernelError

Say = Callable[[int, str], object]
"""How to tell the operator something: a priority of syslog(3), and a text."""

CRITICAL, ERROR, WARNING = 2, 3, 4

EVERY = 10.0
"""Seconds after which the watch looks although nobody told it anything."""

UNTOLD = 1.0
"""The same for what nobody tells of (C{iptables-legacy})."""

REST = 5
"""
After a look in vain at what others may change as well (routing, the tables of iptables), the watch
rests for so many times as long as it took, however much is told.
"""


class Watch:
    """
    Looks whether the rules and routes are as they were installed.

    @param heard: is told of all changes, too.
    @ivar state: how they were at the last look.
    @ivar restored: how often something had to be put back.
    @ivar trouble: why what is missing can't be put back.
    """

    def __init__(
        self,
        divert: KernelDivert,
        changes: Changes,
        say: Say,
        clock: Callable[[], float],
        heard: Callable[[list[Change]], object],
    ) -> None:
        self._divert = divert
        self._changes = changes
        self._say = say
        self._clock = clock
        self._heard = heard
        self._suspects: dict[Part, set[str]] = {}
        self._due = dict.fromkeys(Part, clock())
        self._rested = dict.fromkeys(Part, clock())
        self._busy = dict.fromkeys(Part, False)
        self.state = State.NOT_INSTALLED
        self.restored = 0
        self.trouble = ""

    @property
    def seconds(self) -> float:
        """How long until the next look."""
        return max(0.0, min(self._due.values()) - self._clock())

    def hear(self) -> None:
        """Take note of what the kernel tells."""
        changes = self._changes.read()
        self._heard(changes)
        for change in changes:
            for part in self._divert.concerned(change.table):
                self._suspects.setdefault(part, set()).add(change.who)
                self._due[part] = min(self._due[part], self._rested[part])

    def settle(self) -> None:
        """Look at what there is any doubt about."""
        self.hear()
        self.look(self._suspects.keys() | self._overdue())

    def look(self, parts: Collection[Part] | None = None) -> None:
        """Look at all that is due, or at C{parts}, and put back what is missing."""
        try:
            for part in parts if parts is not None else self._overdue():
                self._look_at(part)
        except KernelError as error:
            self.state = State.MISSING
            self._complain(str(error))
        else:
            self.state = State.INSTALLED if self._divert.is_asked else State.NOT_INSTALLED
            self.trouble = ""

    def _overdue(self) -> set[Part]:
        now = self._clock()
        return {part for part, due in self._due.items() if due <= now}

    def _look_at(self, part: Part) -> None:
        begun, restored = self._clock(), False
        who = self._suspects.pop(part, set())
        try:
            restored = self._divert.restore(part)
        finally:
            ended = self._clock()
            # what is told right after something was put back, is told of that
            rests = self._divert.is_shared(part) and not restored and not self._busy[part]
            self._busy[part] = restored
            self._rested[part] = ended + REST * (ended - begun) if rests else ended
            self._due[part] = ended + (EVERY if self._divert.is_told else UNTOLD)
        if restored:
            self.restored += 1
            self._say(ERROR, _told(who - {""}))

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
