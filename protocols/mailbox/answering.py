"""Answering: what a server says, from its greeting on, until it has gone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from gateway.inspector import CutOff, Reader
from gateway.interfaces import Denied, Unreachable, Verdict
from protocols.mailbox.dialogue import Dialogue

Its = TypeVar("Its", bound=Dialogue)


class Answering(ABC, Generic[Its]):
    """The server's direction; what an answer means is the protocol's."""

    def __init__(self, dialogue: Its) -> None:
        self._dialogue = dialogue

    @abstractmethod
    async def greeting(self, read: Reader) -> None:
        """The first answer, which has begun to come."""

    @abstractmethod
    async def answer(self, read: Reader) -> None:
        """The next one."""

    async def replies(self, read: Reader) -> None:
        """
        Until the server has gone.

        @raise Denied: it sent what it must not; with words for the client, if it listens.
        """
        dialogue = self._dialogue
        take = self.greeting
        try:
            while await read.more():
                await dialogue.settled()
                await take(read)
                take = self.answer
        except CutOff as cut:
            dialogue.part(dialogue.goodbyes.closed, cut.reason)
            return
        except Denied as denied:
            if dialogue.speaks:
                denied.reply = denied.reply or dialogue.goodbyes.malformed.written()
            raise
        self._ended()

    def _ended(self) -> None:
        dialogue = self._dialogue
        if dialogue.quits:
            dialogue.quit()
        elif dialogue.left:
            dialogue.session.done()
        else:
            dialogue.part(dialogue.goodbyes.closed, "the server closed the connection")

    def lost(self, verdict: Verdict) -> None:
        """The server has reset the connection, or is out of reach."""
        dialogue = self._dialogue
        if dialogue.quits:
            dialogue.quit()
        else:
            dialogue.part(dialogue.goodbyes.lost, verdict.reason, verdict.outcome)

    def unreachable(self, error: Unreachable) -> None:
        """There is no server."""
        dialogue = self._dialogue
        dialogue.part(dialogue.goodbyes.unreachable, f"server unreachable: {error}")
