"""The gateway's end of the connection to its carrier: asks, and does not wait."""

from __future__ import annotations

import os
import select
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.interfaces import IReadWriteDescriptor
from twisted.logger import Logger
from zope.interface import implementer

from gateway.kernel.companion import CompanionError, first_words
from gateway.kernel.packets import receive, send

log = Logger()

Message = dict[str, Any]
Heard = Callable[[Message | None], object]
"""Is told the answer; C{None}: there won't be one, and nobody knows what was done."""

AGAIN = 1.0
"""Seconds between two attempts to reach a carrier that is a service of its own."""

LONGEST_QUEUE = 1 << 20
"""
Requests that wait for a carrier that does not listen. It is broken then. So many sessions there may
be, and a reload may end all of them at once.
"""


class CarrierError(Exception):
    """There is no carrier; the message is for the operator."""


@implementer(IReadWriteDescriptor)
class Carriage:
    """
    The connection.

    @param reactor: watches it.
    @param again: connects anew to a carrier that is a service of its own; C{None} if it ends with
        this process.
    @param told: is told what the carrier says by itself.
    @param began: is told the greeting of a carrier, which knows of no request of ours; C{None}:
        there is none any more.
    @param noted: is told everything as soon as it has come; the others, in their turn.
    @ivar greeted: whether there is a carrier.
    """

    def __init__(
        self,
        reactor: Any,
        again: Callable[[], socket.socket] | None,
        told: Callable[[Message], object],
        began: Callable[[Message | None], object],
        noted: Callable[[Message], object],
    ) -> None:
        self._reactor = reactor
        self._again = again
        self._told = told
        self._began = began
        self._noted = noted
        self._come: deque[Message] = deque()
        self._poll = select.poll()
        self._connection: socket.socket | None = None
        self.greeted = False
        self._missed = False
        self._asked: dict[int, Heard] = {}
        self._waiting: deque[Message] = deque()
        self._number = 0
        self._call: Any = None

    # The beginning

    def greet(self, connection: socket.socket) -> None:
        """
        Wait for a carrier's first words. It blocks: for before the reactor runs.

        @raise CarrierError: it can't do its work; its standard error says why.
        """
        try:
            self._come.append(first_words(connection))
        except CompanionError as error:
            connection.close()
            raise CarrierError(str(error)) from None
        self._begin(connection)
        self._hear_all()

    def _begin(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._poll.register(connection, select.POLLIN)
        self._reactor.addReader(self)

    # Asking

    def ask(self, message: Message, heard: Heard, descriptors: Sequence[int] = ()) -> bool:
        """
        Ask for something that is answered.

        @return: whether it was asked at all: descriptors are not kept for a carrier that is busy.
        """
        self._number += 1
        numbered = {**message, "number": self._number}
        if not self.greeted:
            return False
        if descriptors and not self._pass(numbered, descriptors):
            return False
        self._asked[self._number] = heard
        if not descriptors:
            self.say(numbered)
        return True

    def _pass(self, message: Message, descriptors: Sequence[int]) -> bool:
        if self._connection is None or self._waiting:
            return False
        try:
            send(self._connection, message, descriptors)
        except BlockingIOError:
            return False
        except OSError as error:
            self._break(error.strerror or str(error))
            return False
        return True

    def say(self, message: Message) -> None:
        """Tell it something that is not answered. Nobody hears it if there is no carrier."""
        if not self.greeted:
            return
        self._waiting.append(message)
        if len(self._waiting) > LONGEST_QUEUE:
            self._break("it does not listen any more")
        else:
            self._flush()

    def _flush(self) -> None:
        try:
            while self._waiting and self._connection is not None:
                send(self._connection, self._waiting[0])
                self._waiting.popleft()
        except BlockingIOError:
            self._reactor.addWriter(self)
        except OSError as error:
            self._break(error.strerror or str(error))

    # As a descriptor, for the reactor

    def fileno(self) -> int:
        """Of the connection."""
        return -1 if self._connection is None else self._connection.fileno()

    def logPrefix(self) -> str:
        """For the log."""
        return "carrier"

    def doWrite(self) -> None:
        """It listens again."""
        self._reactor.removeWriter(self)
        self._flush()

    def doRead(self) -> None:
        """It has said something, or is gone."""
        why = self._take_all()
        self._hear_all()
        if why:
            self._break(why)

    def glance(self) -> None:
        """Note what has come by now, in the midst of something else. It is heard later."""
        if self._connection is not None and self._poll.poll(0):
            self._take_all()
            if self._come:
                self._reactor.callLater(0, self._hear_all)

    def _take_all(self) -> str:
        """
        Take what has come.

        @return: why the connection is over, if it is.
        """
        try:
            while self._connection is not None:
                message, descriptors = receive(self._connection)
                for descriptor in descriptors:
                    os.close(descriptor)
                self._noted(message)
                self._come.append(message)
        except BlockingIOError:
            pass
        except (EOFError, OSError, ValueError) as error:
            return str(error) or "it has ended"
        return ""

    def _hear_all(self) -> None:
        while self._come:
            self._hear(self._come.popleft())

    def connectionLost(self, reason: Any) -> None:
        """The reactor saw that it is over."""
        self._break("it has ended")

    def _hear(self, message: Message) -> None:
        if "began" in message:
            self.greeted, self._missed = True, False
            self._forget()
            self._began(message)
        elif "number" in message:
            heard = self._asked.pop(message["number"], self._told)
            heard(message)
        else:
            self._told(message)

    def _forget(self) -> None:
        """What was asked is not answered any more."""
        asked, self._asked = self._asked, {}
        for heard in asked.values():
            heard(None)

    # The end

    def _break(self, why: str) -> None:
        if self._connection is None:
            return
        log.error(
            "the carrier is gone: {why}. What the kernel has goes on; other sessions stay in the "
            "gateway until {until}",
            why=why,
            until="it is back" if self._again else "the gateway is restarted",
        )
        self._close()
        self._forget()
        self._began(None)
        self._await()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        self.greeted = False
        self._come.clear()
        if connection is not None:
            self._poll.unregister(connection)
            self._reactor.removeReader(self)
            self._reactor.removeWriter(self)
            connection.close()
        self._waiting.clear()

    def _await(self) -> None:
        """A carrier that is a service may be back."""
        if self._again is not None:
            self._call = self._reactor.callLater(AGAIN, self._begin_again)

    def reach(self) -> None:
        """Connect to a carrier that is a service, now or as soon as it is there."""
        self._begin_again()

    def _begin_again(self) -> None:
        assert self._again is not None
        try:
            self._begin(self._again())
        except OSError as error:
            if not self._missed:
                log.error(
                    "the carrier can't be reached: {why}; until it is there, released sessions "
                    'stay in the gateway. See "systemctl status tproxygw-carrier"',
                    why=error.strerror,
                )
            self._missed = True
            self._await()

    def stop(self) -> None:
        """End the connection, and so a carrier that was started by this process."""
        self._again = None
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._close()
        self._forget()
