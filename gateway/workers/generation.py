"""A generation: a nursery, and the workers that it has borne, all with one policy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock

from gateway.life.loaded import Loaded
from gateway.workers.estate import Estate
from gateway.workers.hand import Hand
from gateway.workers.nursing import Newborn, NurseryError, Nursing
from gateway.workers.spec import WorkerSpec


class Generation:
    """
    All but C{hands} blocks, and may be used in several threads: workers die at the same time.

    @param begin: begins another nursery.
    @ivar loaded: with what policy.
    @ivar count: how many workers it should have.
    @ivar hands: those that it has, by their indices.
    """

    def __init__(self, loaded: Loaded, count: int, begin: Callable[[Loaded], Nursing]) -> None:
        self.loaded = loaded
        self.count = count
        self.hands: dict[int, Hand] = {}
        self._begin = begin
        self._nursing: Nursing | None = None
        self._loading = False
        self._beginning = Lock()

    def begin(self) -> None:
        """
        Have the policy loaded.

        @raise NurseryError: it can't be.
        """
        self.close()
        self._nursing = self._begin(self.loaded)
        self._loading = True

    def inherit(self, nursing: Nursing | None) -> None:
        """A predecessor has left it."""
        self._nursing = nursing

    def bequeath(self) -> Estate:
        """For a successor."""
        return {
            "count": self.count,
            "nursing": None if self._nursing is None else self._nursing.bequeath(),
            "hands": [hand.bequeath() for hand in self.hands.values()],
        }

    def bear_all(self, specs: Sequence[WorkerSpec]) -> list[Newborn]:
        """
        All workers, ready.

        @raise NurseryError: one of them is not, and there are none.
        """
        born: list[Newborn] = []
        try:
            for spec in specs:
                born.append(self.bear(spec))
        except NurseryError:
            for newborn in born:
                newborn.kill()
                newborn.close()
            self.close()
            raise
        return born

    def bear(self, spec: WorkerSpec) -> Newborn:
        """
        One worker, ready.

        @raise NurseryError: it is not.
        """
        with self._beginning:
            nursing = self._ready()
        return nursing.bear(spec)

    def _ready(self) -> Nursing:
        """A nursery that has loaded; another one, if it has died."""
        if self._nursing is None or not self._nursing.is_alive:
            self.begin()
        nursing = self._nursing
        assert nursing is not None
        if self._loading:
            nursing.loaded()
            self._loading = False
        return nursing

    def settle(self) -> None:
        """Sockets that only a former policy wants are to be closed."""
        nursing = self._nursing
        if nursing is not None:
            nursing.settle()

    def retire(self) -> None:
        """There are no more workers to come, but some may be there."""
        nursing = self._nursing
        if nursing is not None:
            nursing.retire()

    def reap(self, process: int) -> int | None:
        """How a process has ended; C{None}: nobody knows."""
        nursing = self._nursing
        return None if nursing is None else nursing.reap(process)

    def close(self) -> None:
        """There are no more workers to come."""
        nursing, self._nursing = self._nursing, None
        if nursing is not None:
            nursing.close()
