"""The Exchanges: commands that the server has not answered yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from twisted.internet.defer import Deferred

from protocols.ftp.command import Command
from protocols.ftp.exchange import Exchange
from protocols.ftp.reply import Reply

PROBE = "PWD"
_SETTLING = {PROBE: 257, "QUIT": 221}
"""What can't be an answer to ABOR."""

INTERRUPTING = frozenset({"ABOR", "STAT"})
_STATUS = frozenset({211, 212, 213})


class Exchanges:
    """One at a time, and in the middle of a transfer also ABOR and STAT."""

    def __init__(self) -> None:
        self._waiting: list[Exchange] = []
        self._turn_comes: Deferred[None] | None = None

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def __iter__(self) -> Iterator[Exchange]:
        return iter(self._waiting)

    @property
    def last(self) -> Exchange:
        """What was asked last."""
        return self._waiting[-1]

    def add(self, exchange: Exchange) -> None:
        """It is being sent to the server."""
        self._waiting.append(exchange)

    def clear(self) -> list[Exchange]:
        """None of these will be answered."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def remove(self, exchange: Exchange) -> None:
        """It is answered, or won't be."""
        self._waiting.remove(exchange)
        if exchange.transfer is not None:
            for each in self._waiting:
                each.doubtful = each.command.verb == "ABOR"

    @property
    def doubt(self) -> Exchange | None:
        """
        An ABOR of which nobody knows whether it will be answered.

        RFC 959 (section 4.1.3) wants two replies, one for the transfer and one for ABOR. Not
        all servers send both; a late one would be taken for the answer to what comes next.
        """
        return self._waiting[0] if len(self._waiting) == 1 and self._waiting[0].doubtful else None

    async def turn(self, command: Command | None, settle: Callable[[Exchange], None]) -> None:
        """
        Wait until everything before is answered, or this may come in the middle of it.

        @param settle: called if that may never be, to find out. Not for QUIT, which does so itself.
        """
        while self._waiting and not self._interrupts(command):
            doubt = self.doubt
            if doubt is not None:
                if command is not None and command.verb == "QUIT":
                    return
                settle(doubt)
            self._turn_comes = Deferred()
            await self._turn_comes

    def go_on(self) -> None:
        """Somebody's turn may have come."""
        comes, self._turn_comes = self._turn_comes, None
        if comes is not None:
            comes.callback(None)

    def _interrupts(self, command: Command | None) -> bool:
        """Whether it is ABOR or STAT while a transfer is on: one of each."""
        first, *others = self._waiting
        if command is None or command.verb not in INTERRUPTING or first.transfer is None:
            return False
        waiting = [exchange.command.verb for exchange in others]
        if command.verb == "STAT" and (waiting or command.argument is not None):
            return False
        return first.begun and command.verb not in waiting

    def answered_by(self, reply: Reply) -> Exchange:
        """What C{reply} answers: STAT, in the middle of a transfer, or what was asked first."""
        for exchange in self._waiting:
            if exchange.command.verb == "STAT" and reply.code in _STATUS:
                return exchange
        last = self.last
        if last.instead is not None and reply.code == _SETTLING[last.command.verb]:
            return last
        return self._waiting[0]
