"""
A Stream: server-sent events to one page, as long as it stays.

WHATWG HTML, section 9.2. A page that does not take them makes nobody wait: what it misses is
not kept, and after a while it is left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.console.request import Told, as_json
from gateway.console.site import Exchange

KIND = "text/event-stream"

PATIENCE_SECONDS = 60.0
"""For a page that takes nothing."""

BEAT_SECONDS = 5.0
"""A line that says nothing is sent so often: whoever has gone is noticed, and so has a right."""


class Stream:
    """
    @param stays: whether the visitor still may be here.
    @ivar ready: whether the page takes more now.
    @ivar resumed: called when it does so again.
    """

    def __init__(self, clock: Any, exchange: Exchange, stays: Callable[[], bool]) -> None:
        self.ready = True
        self.resumed: list[Callable[[], object]] = []
        self._clock = clock
        self._exchange = exchange
        self._stays = stays
        self._over: list[Callable[[], object]] = []
        self._open = True
        self._since = clock.seconds()
        exchange.begin(Told(200, KIND), self)
        exchange.when_gone(self._gone)
        self._beat: Any = clock.callLater(BEAT_SECONDS, self._look)

    def when_over(self, call: Callable[[], object]) -> None:
        """Call when the page has gone."""
        if self._open:
            self._over.append(call)
        else:
            call()

    def say(self, event: str, value: object) -> None:
        """An event, if the page takes it."""
        self.say_json(event, as_json(value))

    def say_json(self, event: str, line: bytes) -> None:
        """An event whose JSON, in one line, is written already."""
        if self._open and self.ready:
            self._exchange.write(b"event: %s\ndata: %s\n\n" % (event.encode(), line))

    def end(self) -> None:
        """Nothing more comes."""
        if self._open:
            self._gone()
            self._exchange.finish()

    # Twisted's push producer

    def pauseProducing(self) -> None:
        """The page takes no more now."""
        self.ready = False
        self._since = self._clock.seconds()

    def resumeProducing(self) -> None:
        """It does again."""
        self.ready = True
        for call in self.resumed:
            call()

    def stopProducing(self) -> None:
        """It has gone."""
        self._gone()

    def _look(self) -> None:
        """Whether the visitor may stay, and is there."""
        self._beat = self._clock.callLater(BEAT_SECONDS, self._look)
        if not self._stays():
            self.say("over", {})
            self.end()
        elif self.ready:
            self._exchange.write(b":\n\n")
        elif self._clock.seconds() - self._since > PATIENCE_SECONDS:
            self._gone()
            self._exchange.abort()

    def _gone(self) -> None:
        if not self._open:
            return
        self._open = False
        if self._beat.active():
            self._beat.cancel()
        over, self._over = self._over, []
        for call in over:
            call()
