"""Probing: from time to time, and after changes, the kernel is asked whether packets get here."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gateway.kernel.changes import Change
from gateway.kernel.errors import KernelError
from gateway.kernel.filter.nftables import PREFIX
from gateway.kernel.keeper.watch import WARNING, Say
from gateway.kernel.probe.probe import Probed
from gateway.policy.policy import Policy

EVERY = 60.0
"""Seconds from one probe to the next, if nobody tells of changes."""

WHILE_LOST = 10.0
"""The same as long as something gets lost: the operator is mending it."""

SETTLED = 1.0
"""Seconds after a change: a firewall that is loaded anew changes several times in a row."""

REST = 20
"""After a probe none comes for so many times as long as it took, however much is changed."""

LEAST_REST = 5.0
"""Nor for so many seconds: the routes of some routers change all the time."""

_OURS = f"inet {PREFIX}"


class Probing:
    """
    Asks when a gateway that runs wants to know how things are, and only then: without one, nothing
    is to get here.

    @param ask: L{gateway.kernel.probe.probe.probe}.
    @ivar policy: what is in force.
    @ivar lost: what does not get here, in words.
    """

    def __init__(
        self, ask: Callable[[Policy], Probed], say: Say, clock: Callable[[], float]
    ) -> None:
        self._ask = ask
        self._say = say
        self._clock = clock
        self._due = self._rested = clock()
        self._unasked = ""
        self._policy: Policy | None = None
        self.lost: tuple[str, ...] = ()

    def begin(self, policy: Policy) -> None:
        """C{policy} is in force from now on."""
        self._policy = policy
        self._due = max(self._clock() + SETTLED, self._rested)

    def end(self) -> None:
        """None is."""
        self._policy = None
        self.lost = ()

    def hear(self, changes: Iterable[Change]) -> None:
        """Somebody has changed something: if it was not us, it may matter."""
        if any(change.table is None or not change.table.startswith(_OURS) for change in changes):
            self._sooner(SETTLED)

    def _sooner(self, seconds: float) -> None:
        self._due = min(self._due, max(self._clock() + seconds, self._rested))

    def settle(self) -> None:
        """Ask, if it is time."""
        begun = self._clock()
        if self._policy is None or begun < self._due:
            return
        try:
            probed = self._ask(self._policy)
        except (KernelError, OSError) as error:
            probed = Probed(0, (), str(error))
        ended = self._clock()
        self._rested = ended + max(LEAST_REST, REST * (ended - begun))
        self.lost = tuple(map(str, probed.lost))
        self._due = max(ended + (WHILE_LOST if self.lost else EVERY), self._rested)
        if probed.unasked and probed.unasked != self._unasked:
            self._say(
                WARNING,
                "whether the host's firewall lets through what should be inspected can't be "
                f"asked: {probed.unasked}",
            )
        self._unasked = probed.unasked
