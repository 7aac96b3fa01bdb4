"""
The Pulse: how the gateway is now, and was in the last hour.

It asks once for all pages, and less often while there is none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall

from gateway.console.refused import LastRefused
from gateway.console.request import as_json
from gateway.console.stream import Stream
from gateway.observe.log import PrintableLogger

log = PrintableLogger()

SECONDS = 2.0
"""Between two looks, while a page is open."""

EACH = 5
"""So many looks make a step of the history: ten seconds."""

MOST = 361
"""Steps that are kept: an hour."""

Status = dict[str, Any]
"""An answer to C{status}."""


class Pulse:
    """
    @param ask: asks how the gateway is; never fails.
    """

    def __init__(
        self, clock: Any, ask: Callable[[], Deferred[Status]], refused: LastRefused
    ) -> None:
        self._clock = clock
        self._ask = ask
        self._refused = refused
        self._streams: list[Stream] = []
        self._steps: deque[dict[str, Any]] = deque(maxlen=MOST)
        self._last: Status | None = None
        self._count = 0
        self._beats: Any = None

    def start(self) -> None:
        """Begin to look."""
        self._count = 0
        self._beats = LoopingCall(self._beat)  # the former one may still wait for an answer
        self._beats.clock = self._clock
        over: Deferred[Any] = self._beats.start(SECONDS)
        over.addErrback(lambda failure: log.failure("the console's pulse has stopped", failure))

    def stop(self) -> None:
        """Look no more, and tell all pages so."""
        beats, self._beats = self._beats, None
        if beats is not None and beats.running:
            beats.stop()
        for stream in tuple(self._streams):
            stream.end()

    def join(self, stream: Stream) -> None:
        """One more page. It hears of the past, and then of everything once."""
        self._streams.append(stream)
        stream.when_over(lambda: self._streams.remove(stream))
        steps = as_json(list(self._steps))
        past = b'{"seconds":%d,"steps":%s,"refused":%s}'
        stream.say_json("past", past % (SECONDS * EACH, steps, self._refused.past()))
        if self._last is not None:
            stream.say("now", self._last)

    def _beat(self) -> Deferred[None] | None:
        self._refused.give(self._say)
        step = self._count % EACH == 0
        self._count += 1
        if not step and not self._streams:
            return None
        looked = self._ask().addCallback(self._asked, step)
        return looked.addErrback(
            lambda failure: log.failure("the console could not tell how the gateway is", failure)
        )

    def _asked(self, status: Status, step: bool) -> None:
        if status.get("problem"):
            return
        self._last = status
        if step:
            self._steps.append(figures(status))
        self._say("now", as_json(status))

    def _say(self, event: str, line: bytes) -> None:
        for stream in tuple(self._streams):
            stream.say_json(event, line)


def figures(status: Status) -> dict[str, Any]:
    """What is kept of an answer to C{status}: totals, of which pages make rates."""
    services = status["services"]
    ended: dict[str, int] = {}
    for each in services.values():
        for verdict, count in each["ended"].items():
            ended[verdict] = ended.get(verdict, 0) + count
    return {
        "at": status["now"],
        "running": {name: each["running"] for name, each in services.items() if each["running"]},
        "ended": ended,
        "bytes": {
            way: sum(each["bytes"][way] for each in services.values())
            for way in ("to_server", "to_client")
        },
        "refused": sum(status["refused"].values()),
    }
