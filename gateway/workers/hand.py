"""Hand: one worker, as the supervisor sees it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol

from attrs import asdict
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure
from zope.interface import implementer

from gateway.observe.sums import State, check
from gateway.workers.estate import Estate, left
from gateway.workers.link import Link, Message, adopt
from gateway.workers.nursing import Newborn
from gateway.workers.stream import AuditIntake

log = Logger()

GRACE = 10.0
"""Seconds for a process to end that says no more."""


class Intake(Protocol):
    """Where its audit records go."""

    def take(self, lines: bytes) -> None:
        """Whole lines."""

    @property
    def pressed(self) -> bool:
        """Whether no more should come."""


@implementer(IReadDescriptor)
class Hand:
    """
    @param over: is told that the process has ended, and all that it has said is known.
    @ivar index: which worker it is.
    @ivar column: its column in the table of counts.
    @ivar state: the numbers that it has told last.
    @ivar missed: how many beats it has not answered, one after the other.
    @ivar torn: bytes of an audit record that it did not complete.
    @ivar leaving: whether it was told to.
    """

    def __init__(
        self, reactor: Any, newborn: Newborn, audit: Intake, over: Callable[[Hand], object]
    ) -> None:
        self.index = newborn.spec.index
        self.column = newborn.spec.column
        self.number = newborn.number
        self.state: State | None = None
        self.missed = 0
        self.torn = 0
        self.leaving = False
        self.ended = False
        self._reactor = reactor
        self._newborn = newborn
        self._over = over
        self._open = 3
        self._end: Any = None
        self._strange = False
        self._link = Link(self._said, None, self._closed, newborn.asked)
        adopt(reactor, newborn.link, self._link)
        self._link.dataReceived(newborn.said)  # type: ignore[no-untyped-call]
        self._intake = AuditIntake(
            reactor, newborn.stream, audit.take, lambda: audit.pressed, self._stream_ended
        )
        self._intake.begun = newborn.begun
        self._intake.start()
        reactor.addReader(self)

    # What it is told

    def accept(self, draining: bool = False) -> None:
        """Accept connections; or be ready to, when this is over that new ones wait."""
        self._link.say({"do": "accept", "draining": draining})

    def settle(self) -> None:
        """Nobody comes any more to where only a former policy brings him."""
        self._link.say({"do": "settle"})

    def leave(self, seconds: float | None) -> Deferred[object]:
        """
        Accept no more, let sessions end, for so many seconds or as long as they like, and go.

        @return: fires when it accepts no more, or is gone.
        """
        self.leaving = True
        return self._link.ask({"leave": seconds}).addErrback(lambda _: None)

    def stop(self) -> None:
        """End all sessions now."""
        self._link.say({"do": "stop"})

    def ask(self, message: Message) -> Deferred[Message]:
        """See L{Link.ask}."""
        return self._link.ask(message)

    def beat(self, metrics: bool) -> None:
        """See whether it answers."""
        self.missed += 1
        asked = self._link.ask({"metrics": metrics})
        asked.addCallbacks(self._beaten, lambda _: None)

    def _beaten(self, answer: Message) -> None:
        self.missed = 0
        self.learn(answer)

    def learn(self, answer: Message) -> None:
        """
        It may have told its numbers. Such as can't be added up are none: it has gone mad, or is
        of other code.
        """
        if "figures" not in answer:
            return
        try:
            check(answer["figures"])
        except Exception as error:
            if not self._strange:
                log.error(
                    "worker {index} (process {process}) tells figures that are none: {error}",
                    index=self.index,
                    process=self.number,
                    error=repr(error)[:200],
                )
            self._strange = True
        else:
            self.state = answer["figures"]

    def kill(self) -> None:
        """End it at once, if it has not ended. Its peers get resets."""
        if not self.ended:
            self._newborn.kill()

    def bequeath(self) -> Estate:
        """For L{Newborn.inherited}. Nothing is heard of it any more here."""
        newborn = self._newborn
        self._intake.stop()
        return {
            "spec": asdict(newborn.spec),
            "number": self.number,
            "process": left(newborn.process),
            "link": left(self._link.fileno()),
            "stream": left(self._intake.fileno()),
            "said": self._link.unread.decode("latin-1"),
            "begun": self._intake.begun.decode("latin-1"),
            "asked": self._link.asked,
            "leaving": self.leaving,
            "state": self.state,
        }

    # What it says

    def _said(self, message: Message) -> None:
        if "log" in message:
            level = LogLevel.lookupByName(message["log"])
            log.emit(level, "worker {index}: {text}", index=self.index, text=message["text"])
        elif "over" in message:
            self.learn({"figures": message["over"]})

    # Its end: of the link, of the stream, and of the process itself

    def _closed(self) -> None:
        """The link: the process follows, or is made to."""
        self._let_end()
        self._one_less()

    def _stream_ended(self, torn: int) -> None:
        self.torn = torn
        self._let_end()
        self._one_less()

    def _let_end(self) -> None:
        """It has said its last word, or written its last record."""
        if self._end is None:
            self._end = self._reactor.callLater(GRACE, self.kill)

    def doRead(self) -> None:
        """The reactor: the process has ended."""
        self._reactor.removeReader(self)
        self.ended = True
        self._one_less()

    def _one_less(self) -> None:
        self._open -= 1
        if not self._open:
            if self._end is not None and self._end.active():
                self._end.cancel()
            os.close(self._newborn.process)
            self._over(self)

    def fileno(self) -> int:
        """Of the process."""
        return self._newborn.process

    def logPrefix(self) -> str:
        """For the log."""
        return "worker"

    def connectionLost(self, reason: Failure) -> None:
        """The reactor stops."""
