"""A nursery and its workers."""

from __future__ import annotations

from threading import Barrier, BrokenBarrierError, Thread
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gateway.workers.generation import Generation
from gateway.workers.spec import WorkerSpec


class SlowNursing:
    """Loads as long as nobody else waits for it, but not for ever."""

    is_alive = True

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._together = Barrier(2)

    def loaded(self) -> None:
        self.asked.append("loaded")
        try:
            self._together.wait(0.3)
        except BrokenBarrierError:
            pass

    def bear(self, spec: WorkerSpec) -> Any:
        self.asked.append(f"bear {spec.index}")

    def close(self) -> None:
        self.asked.append("close")


class GenerationTests(SynchronousTestCase):
    """Whose nursery was killed together with its workers."""

    def test_two_at_once(self) -> None:
        """Two workers that are replaced at the same time come from one new nursery."""
        begun: list[SlowNursing] = []

        def begin(loaded: object) -> Any:
            begun.append(SlowNursing())
            return begun[-1]

        generation = Generation(None, 2, begin)  # type: ignore[arg-type]
        specs = [WorkerSpec(index, index + 1, 0) for index in range(2)]
        threads = [Thread(target=generation.bear, args=(spec,)) for spec in specs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (nursing,) = begun
        self.assertEqual(nursing.asked[0], "loaded")
        self.assertEqual(sorted(nursing.asked[1:]), ["bear 0", "bear 1"])
