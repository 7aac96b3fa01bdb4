"""
The link between the supervisor and a worker: JSON objects, one a line, on a Unix stream.

Each end tells the other one something, or asks: what has a C{number} is answered by
C{{"answer": number, ...}}. The end of the link ends the worker.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

log = Logger()

LONGEST = 64 * 1024 * 1024
"""Bytes of one line: what a worker tells of all its sessions."""

Message = dict[str, Any]


class Ended(Exception):
    """The other end is gone: there is no answer."""


class Link(LineOnlyReceiver):
    """
    One end.

    @param heard: is told what the other end says by itself.
    @param asked: answers what it asks; the answer is a message, or a Deferred of one. C{None}: it
        has nothing to ask, and who asks all the same is left.
    @param ended: is told that the other end is gone.
    @param asked_before: how much was asked by a predecessor, whose answers may yet come.
    """

    delimiter = b"\n"
    MAX_LENGTH = LONGEST

    def __init__(
        self,
        heard: Callable[[Message], object],
        asked: Callable[[Message], Any] | None,
        ended: Callable[[], object],
        asked_before: int = 0,
    ) -> None:
        self._heard = heard
        self._asked = asked
        self._ended = ended
        self._number = asked_before
        self._waiting: dict[int, Deferred[Message]] = {}
        self._over = False
        self._closed: Deferred[None] | None = None

    def fileno(self) -> int:
        """Of the stream."""
        transport: Any = self.transport
        return int(transport.fileno())

    @property
    def unread(self) -> bytes:
        """What has come of a line that is not complete."""
        return bytes(self._buffer)

    @property
    def asked(self) -> int:
        """How much was asked."""
        return self._number

    def say(self, message: Message) -> None:
        """Tell the other end."""
        if not self._over and self.transport is not None:
            self.transport.write(json.dumps(message).encode() + self.delimiter)

    def ask(self, message: Message) -> Deferred[Message]:
        """
        Ask the other end.

        @return: fires with the answer, or fails with L{Ended}.
        """
        if self._over:
            return fail(Ended())
        number = self._number = self._number + 1
        answer: Deferred[Message] = Deferred(lambda _: self._forget(number))
        self._waiting[number] = answer
        self.say({**message, "number": number})
        return answer

    def _forget(self, number: int) -> None:
        """Nobody waits for the answer any more."""
        self._waiting.pop(number, None)

    def lineReceived(self, line: bytes) -> None:
        """Something was said."""
        message = json.loads(line)
        if "answer" in message:
            waiting = self._waiting.pop(message["answer"], None)
            if waiting is not None:
                waiting.callback(message)
        elif "number" in message:
            if self._asked is None:
                raise ValueError("somebody asks who has nothing to ask")
            number = message["number"]
            answered = maybeDeferred(self._asked, message)
            answered.addErrback(_failed)
            answered.addCallback(lambda answer: self.say({**answer, "answer": number}))
        else:
            self._heard(message)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Twisted: the other end is gone."""
        self._over = True
        waiting, self._waiting = self._waiting, {}
        for one in waiting.values():
            one.errback(Ended())
        self._ended()
        if self._closed is not None:
            self._closed.callback(None)

    def close(self) -> Deferred[None]:
        """
        Say no more.

        @return: fires when all that was said has left.
        """
        if self.transport is None or self._over:
            return succeed(None)
        closed = self._closed = Deferred()
        self.transport.loseConnection()
        return closed


def adopt(reactor: Any, connection: socket.socket, link: Link) -> None:
    """Speak on a Unix stream that is there, which is C{link}'s from now on."""
    with connection:
        connection.setblocking(False)
        factory = Factory.forProtocol(lambda: link)
        factory.noisy = False
        reactor.adoptStreamConnection(connection.fileno(), socket.AF_UNIX, factory)


def _failed(failure: Failure) -> Message:
    """A bug: there is an answer all the same."""
    log.failure("a question could not be answered", failure)
    return {"problem": "a bug; the traceback is in the gateway's log"}
