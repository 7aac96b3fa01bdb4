"""What the kernel has carried of its sessions: the carrier knows, and has to be asked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime

from gateway.observe.snapshot import KERNEL, Snapshot

SECONDS = 0.5
"""For the carrier to answer; what it has not said by then is not waited for."""


class Counted(Protocol):
    """What the kernel has carried of a session, see L{gateway.release.passages.Counted}."""

    @property
    def to_server(self) -> int:
        """Bytes."""

    @property
    def to_client(self) -> int:
        """Bytes."""

    @property
    def idle(self) -> float:
        """Seconds since the last packet."""


Count = Callable[[Collection[int]], "Deferred[dict[int, Any]]"]
"""Asks for sessions, by their ids: L{Counted}."""


class Kernel:
    """
    @param count: asks the carrier.
    """

    def __init__(self, clock: IReactorTime, count: Count) -> None:
        self._clock = clock
        self._count = count

    def add(self, snapshots: dict[int, Snapshot]) -> Deferred[dict[int, Snapshot]]:
        """The same, with what the kernel has carried."""
        wanted = {each for each, snapshot in snapshots.items() if snapshot.state == KERNEL}
        if not wanted:
            return succeed(snapshots)
        found: Deferred[dict[int, Snapshot]] = Deferred()
        late = self._clock.callLater(SECONDS, found.callback, snapshots)

        def counted(counts: Mapping[int, Counted]) -> None:
            if late.active():
                late.cancel()
                found.callback({**snapshots, **_with(snapshots, counts)})

        self._count(wanted).addCallback(counted)
        return found


def _with(snapshots: Mapping[int, Snapshot], counts: Mapping[int, Counted]) -> dict[int, Snapshot]:
    return {
        each: snapshots[each]._replace(
            to_server=snapshots[each].to_server + count.to_server,
            to_client=snapshots[each].to_client + count.to_client,
            idle=count.idle,
        )
        for each, count in counts.items()
    }
