"""
Announced: the connections that one session has agreed on with its peers.

Those that are not there yet are expected or dialed; those that are have become sessions
of their own, and the session that announced them is not idle while they are not.
"""

from __future__ import annotations

from typing import Any, Protocol

from gateway.interfaces import Address


class Pending(Protocol):
    """An announced connection that is not there yet."""

    def cancel(self) -> Any:
        """It is not wanted any more."""


class Announcer(Protocol):
    """A session, as those know it that it has announced."""

    @property
    def peers(self) -> tuple[str, ...]:
        """The hosts where connections that they agree on may go."""

    def left_by(self, related: Related) -> None:
        """C{related} is over."""


class Related(Protocol):
    """A session that was announced."""

    @property
    def last(self) -> float:
        """When a byte moved there last."""


_NONE: frozenset[Any] = frozenset()


class Announced:
    """
    What one session has announced.

    @ivar by: the session that announced this one; C{None}: nobody did.
    @ivar pending: the connections that are not there yet.
    """

    __slots__ = ("_running", "by", "pending")

    def __init__(self) -> None:
        self.by: Announcer | None = None
        # Most sessions have neither, so that all share the empty ones.
        self.pending: frozenset[Pending] = _NONE
        self._running: frozenset[Related] = _NONE

    @property
    def running(self) -> int:
        """How many sessions there are."""
        return len(self._running)

    @property
    def count(self) -> int:
        """How many connections there are, or may come."""
        return len(self._running) + len(self.pending)

    @property
    def active(self) -> float:
        """When a byte moved last in one of them."""
        return max((one.last for one in self._running), default=0.0)

    def adopt(self, related: Related) -> None:
        """A connection is there, and has become C{related}."""
        self._running |= {related}

    def forget(self, related: Related) -> None:
        """C{related} is over."""
        self._running -= {related}

    def permits(self, address: Address) -> bool:
        """Whether it is one of the peers of the session that announced this one."""
        return self.by is not None and address.host in self.by.peers

    def over(self, session: Related) -> None:
        """C{session}, whose these are, is over: nothing more is expected."""
        for pending in self.pending:
            pending.cancel()
        if self.by is not None:
            self.by.left_by(session)
