"""
An Inspection is what a session has done by its inspector.

The inspector is told everything under guard; another one may follow it. At the end all
of them hear of that, once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from gateway.interfaces import SERVER, IInspector, ISession, Side, Verdict
from gateway.observe.log import PrintableLogger
from gateway.session import guard

log = PrintableLogger()

Make = Callable[[ISession], IInspector]

_NOTHING: Mapping[Side, bytes] = {}


class Inspection:
    """
    The inspectors of one session. After its end nobody is told anything.

    Whatever they raise is C{session}'s business, which is not kept here: it knows this.

    @ivar present: the one that is told; C{None} before L{begin}, and after the end.
    @ivar server_gone: whether it knows that the server has ended, or was lost.
    """

    __slots__ = ("_former", "_unread", "present", "server_gone")

    def __init__(self) -> None:
        self.present: IInspector | None = None
        self._former: tuple[IInspector, ...] = ()
        self._unread = _NOTHING
        self.server_gone = False

    def begin(self, session: guard.Guarded, make: Make) -> Deferred[Any] | None:
        """Make the first one, and tell it."""
        told: Any = session
        try:
            self.present = make(told)
        except Exception:
            session.break_off(Failure())  # type: ignore[no-untyped-call]
            return None
        return self.started(session)

    def follow(self, inspector: IInspector, unread: Mapping[Side, bytes]) -> None:
        """
        From now on C{inspector} is told, which L{started} has to begin with.

        @param unread: what the present one was told and has not used.
        """
        assert self.present is not None
        self._former += (self.present,)
        self.present = inspector
        self.server_gone = False
        # What an earlier one has left, and nobody has got yet, comes behind.
        self._unread = {side: unread.get(side, b"") + self._unread.get(side, b"") for side in Side}

    @property
    def first(self) -> IInspector | None:
        """The one that L{begin} made."""
        return self._former[0] if self._former else self.present

    @property
    def followed(self) -> bool:
        """Whether the present inspector has followed another one."""
        return bool(self._former)

    # What is told

    def started(self, session: guard.Guarded) -> Deferred[Any] | None:
        """See L{IInspector.started}."""
        assert self.present is not None
        return guard.call(session, self.present.started)

    def received(self, session: guard.Guarded, side: Side, data: bytes) -> Deferred[Any] | None:
        """See L{IInspector.received}."""
        present = self.present
        return None if present is None else guard.call(session, present.received, side, data)

    def ended(self, session: guard.Guarded, side: Side) -> Deferred[Any] | None:
        """See L{IInspector.ended}."""
        present = self.present
        self.server_gone |= side is SERVER
        return None if present is None else guard.call(session, present.ended, side)

    def lost(self, session: guard.Guarded, side: Side, verdict: Verdict) -> Deferred[Any] | None:
        """See L{IInspector.lost}."""
        present = self.present
        self.server_gone |= side is SERVER
        return None if present is None else guard.call(session, present.lost, side, verdict)

    def has_unread(self, side: Side) -> bool:
        """Whether bytes of C{side} were read and nobody has used them yet."""
        assert self.present is not None
        return bool(self._unread.get(side) or self.present.unread(side))

    def take_unread(self, side: Side) -> bytes:
        """What of C{side} a former inspector has left for the present one."""
        unread = self._unread.get(side, b"")
        if unread:
            self._unread = {**self._unread, side: b""}
        return unread

    def about(self) -> str:
        """See L{IInspector.about}."""
        return about(self.present)

    def closed(self, session: guard.Guarded, verdict: Verdict) -> None:
        """See L{IInspector.closed}."""
        if self.present is None:
            return
        inspectors = (*self._former, self.present)
        self.present, self._former = None, ()
        for inspector in inspectors:
            guard.call(session, inspector.closed, verdict)


def about(inspector: object) -> str:
    """What an inspector says of itself. A bug in that is logged, and its session goes on."""
    telling = getattr(inspector, "about", None)
    if telling is None:  # one that was written for an earlier contract
        return ""
    try:
        return str(telling())
    except Exception:
        log.failure("an inspector could not tell about itself")
        return ""
