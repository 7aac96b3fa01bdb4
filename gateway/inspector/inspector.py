"""Inspector: sensible answers to everything that a session tells."""

from __future__ import annotations

from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from zope.interface import implementer

from gateway.interfaces import IInspector, ISession, Side, Verdict


@implementer(IInspector)
class Inspector:
    """
    Connects at the start, relays both ways, passes half-closes on.

    @cvar Settings: the attrs class of the settings, made with L{option};
        C{None} if there are none.
    """

    Settings: ClassVar[type | None] = None

    def __init__(self, session: ISession) -> None:
        self.session = session

    def started(self) -> Deferred[Any] | None:
        """Connect."""
        self.session.connect()
        return None

    def received(self, side: Side, data: bytes) -> Deferred[Any] | None:
        """Relay."""
        self.session.send(side.other, data)
        return None

    def ended(self, side: Side) -> Deferred[Any] | None:
        """Pass the half-close on."""
        self.session.end(side.other)
        return None

    def lost(self, side: Side, verdict: Verdict) -> Deferred[Any] | None:
        """The other side hears nothing but a reset."""
        return None

    def unread(self, side: Side) -> int:
        """All that came was used."""
        return 0

    def about(self) -> str:
        """Nothing but what everybody sees."""
        return ""

    def closed(self, verdict: Verdict) -> None:
        """Over; nothing to do."""
