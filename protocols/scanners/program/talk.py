"""Talk: one body, and what a program that stays says of it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from gateway.interfaces import Denied
from gateway.tools import ILine, ISpool
from protocols.scanners.fault import ScannerFault
from protocols.scanners.heard import Heard
from protocols.scanners.held import BLOCK
from protocols.scanners.program.answer import LONGEST, Answer, read_answer


class Talk:
    """
    With a program.

    @ivar answer: the last one.
    """

    def __init__(self, line: ILine) -> None:
        self._line = line
        self._read = Heard(line)

    async def greet(self) -> None:
        """
        What it says when it is ready, which no body has a part in.

        @raise ScannerFault: it can't begin.
        """
        greeting = await self._answer()
        if greeting.error:
            raise ScannerFault(f"the program says: {greeting.error}")
        self._line.notes["scanner"] = greeting.scanner
        self._line.works()

    async def ask(self, told: Mapping[str, str], body: ISpool) -> Answer:
        """
        @param told: what the body belongs to.
        @raise ScannerFault: that is no answer.
        """
        self._line.send(json.dumps({"bytes": body.size, **told}).encode() + b"\n")
        at = 0
        while block := body.read(at, BLOCK):
            if self._read.spoke:
                raise ScannerFault("the program answers before it has all of the body")
            at += len(block)
            self._line.send(block)
            await self._read.room()
        return await self._answer()

    async def take(self, size: int, into: ISpool) -> None:
        """
        The body that follows the answer.

        @raise ScannerFault: it does not.
        @raise SpoolFull: there is no room for it.
        """
        try:
            while into.size < size:
                into.put(await self._read.some(min(BLOCK, size - into.size)))
        except Denied as denied:
            raise ScannerFault(f"the program: {denied.reason}") from None

    def leave(self, again: bool) -> None:
        """That was all. C{again}: the next one may go on here, if nothing is left over."""
        if not (self._read.leave() and again):
            self._line.drop()

    async def _answer(self) -> Answer:
        try:
            return read_answer(await self._read.until(b"\n", LONGEST))
        except Denied as denied:
            raise ScannerFault(f"the program: {denied.reason}") from None
