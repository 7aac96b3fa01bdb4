"""
A Conversation: questions and answers on one connection, a JSON object a line.

One question is answered after the other, and none is read while an answer has not
been taken, so that nothing piles up.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IDelayedCall,
    IHalfCloseableProtocol,
    IPushProducer,
    IReactorTime,
)
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from gateway.control.following import MOST, MOST_AND_OPERATORS, Following
from gateway.control.question import Answer, Asked, Asker, Misasked
from gateway.control.questions import Questions
from gateway.control.status import PROTOCOL

LONGEST = 65536
"""Bytes of a question."""

COSTLY = "sessions"
"""The question that is answered by a look at all sessions."""

MOST_REST = 30.0
"""Seconds that who asks that again and again has to wait for an answer, at most."""

Identify = Callable[["Conversation", Any], Deferred[Asker]]
"""Tells who is at the other end of a conversation's transport."""


@implementer(IHalfCloseableProtocol)
class Conversation(LineReceiver):
    """
    One connection.

    @param identify: tells who is there.
    @param over: told when it is.
    """

    delimiter = b"\n"
    MAX_LENGTH = LONGEST

    def __init__(
        self,
        questions: Questions,
        clock: IReactorTime,
        idle_seconds: float,
        identify: Identify,
        over: Callable[[Conversation], object],
    ) -> None:
        self._questions = questions
        self._clock = clock
        self._idle_seconds = idle_seconds
        self._identify = identify
        self._over = over
        self._asker = Asker("nobody")
        self._asked = False
        self._answering = True
        self._full = False
        self._following: Following | None = None
        self._idle: IDelayedCall | None = None
        self._resting: IDelayedCall | None = None

    @property
    def _transport(self) -> Any:
        return self.transport

    # The connection

    def connectionMade(self) -> None:
        """Who is it?"""
        self._transport.registerProducer(_Room(self), True)
        self.pauseProducing()  # type: ignore[no-untyped-call]
        self._identify(self, self.transport).addCallbacks(self._identified, self._unknown)

    def _identified(self, asker: Asker) -> None:
        self._asker = asker
        self._answering = False
        self._go_on()

    def _unknown(self, failure: Failure) -> None:
        if isinstance(failure.value, Misasked):
            self.turn_away(str(failure.value))
        else:
            self._transport.abortConnection()

    def readConnectionLost(self) -> None:
        """Nothing more is asked, nor followed. What was answered still arrives."""
        self._follow_no_more()
        self._transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Never: we don't half-close."""

    def connectionLost(self, reason: Failure | None = None) -> None:
        """It is over."""
        self._stop_waiting()
        if self._resting is not None and self._resting.active():
            self._resting.cancel()
        self._follow_no_more()
        self._over(self)

    def may_change(self, may: bool) -> None:
        """Whether this one may do more than look, from now on."""
        self._asker = evolve(self._asker, may_change=may)

    def turn_away(self, why: str) -> None:
        """Say why nothing is answered."""
        self._say({"problem": why})
        self._transport.loseConnection()

    # Time

    def _wait(self) -> None:
        """Wait for the next question, or for an answer to be taken; but not for an answer."""
        self._stop_waiting()
        if self._full or not (self._answering or self._following):
            self._idle = self._clock.callLater(self._idle_seconds, self._transport.abortConnection)

    def _stop_waiting(self) -> None:
        if self._idle is not None and self._idle.active():
            self._idle.cancel()

    # Questions

    def lineLengthExceeded(self, line: bytes) -> None:
        """Nobody asks so much."""
        self.turn_away(f"a question of more than {LONGEST} bytes")

    def lineReceived(self, line: bytes) -> None:
        """A question."""
        try:
            asked = json.loads(line)
            if not isinstance(asked, dict) or isinstance(asked.get("number"), dict | list):
                raise ValueError
        except (ValueError, RecursionError):
            self.turn_away("not a JSON object, or its number is neither a number nor a text")
            return
        self._answering = True
        self._stop_waiting()
        self.pauseProducing()  # type: ignore[no-untyped-call]
        rest = self._questions.rest if self._again(asked) else 0.0
        if rest:
            self._resting = self._clock.callLater(min(rest, MOST_REST), self._ask, asked)
        else:
            self._ask(asked)

    def _again(self, asked: Asked) -> bool:
        """Whether what costs much is asked for once more; not if it is the next page of that."""
        costs = asked.get("ask") == COSTLY and "after" not in asked
        again, self._asked = self._asked and costs, self._asked or costs
        return again

    def _ask(self, asked: Asked) -> None:
        number = asked.pop("number", None) if isinstance(asked, dict) else None
        if asked.get("ask") == "follow":
            self._answered(self._follow(asked), number)
        else:
            self._questions.ask(asked, self._asker).addCallback(self._answered, number)

    def _answered(self, answer: Answer, number: Any) -> None:
        if self._transport.connected:
            self._say(answer if number is None else {"number": number, **answer})
            self._answering = False
            self._go_on()

    def _say(self, answer: Answer) -> None:
        said = json.dumps({"protocol": PROTOCOL, **answer}, separators=(",", ":"))
        self.sendLine(said.encode())  # type: ignore[no-untyped-call]

    def _go_on(self) -> None:
        """Read the next question, if it can be answered."""
        if not self._answering and not self._full:
            self._wait()
            self.resumeProducing()  # type: ignore[no-untyped-call]

    # Following

    def _follow(self, asked: Asked) -> Answer:
        self._follow_no_more()
        try:
            most = MOST_AND_OPERATORS if self._asker.may_change else MOST
            self._following = self._questions.follow(asked, self, most)
        except Misasked as error:
            return {"problem": str(error)}
        return {"following": True}

    def _follow_no_more(self) -> None:
        following, self._following = self._following, None
        if following is not None:
            following.stop()

    @property
    def ready(self) -> bool:
        """See L{Follower<gateway.control.following.Follower>}."""
        return not self._full

    def told(self, line: bytes) -> None:
        """See L{Follower<gateway.control.following.Follower>}."""
        self._transport.write(b'{"record":' + line + b"}\n")

    def missed(self, count: int) -> None:
        """See L{Follower<gateway.control.following.Follower>}."""
        self._transport.write(b'{"missed":%d}\n' % count)

    # Room

    def filled(self) -> None:
        """He does not take what is said."""
        self._full = True
        self._wait()

    def emptied(self) -> None:
        """He has taken all."""
        self._full = False
        self._wait()
        if self._following is not None:
            self._following.catch_up()
        self._go_on()


@implementer(IPushProducer)
class _Room:
    """Told by the transport whether it has room."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    def pauseProducing(self) -> None:
        """There is none."""
        self._conversation.filled()

    def resumeProducing(self) -> None:
        """There is some again."""
        self._conversation.emptied()

    def stopProducing(self) -> None:
        """It is over, as the conversation is told anyway."""
