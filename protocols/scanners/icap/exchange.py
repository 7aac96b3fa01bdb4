"""Exchange: what is asked and answered on one connection."""

from __future__ import annotations

import re
from collections.abc import Callable

from attrs import frozen
from twisted.internet.defer import Deferred

from gateway.interfaces import Denied
from gateway.tools import ILine, ISpool
from protocols.http.message import Headers
from protocols.scanners.fault import ScannerFault
from protocols.scanners.heard import Heard, either
from protocols.scanners.held import BLOCK
from protocols.scanners.icap.answer import (
    Head,
    body_of,
    original_from,
    read_head,
    read_message,
)
from protocols.scanners.icap.options import OK, Options, options
from protocols.scanners.icap.request import LAST, WHOLE, Asked, chunk

CONTINUE = 100
NO_CONTENT = 204
PARTIAL_CONTENT = 206

PAGE = 1048576
"""Bytes that an answer may have more than the body that it is about."""

Room = Callable[[], ISpool]

_THREAT = re.compile(r"Threat=([^;]+)")
_WORD = re.compile(r"[^ \t]+")


@frozen
class Judged:
    """
    What an answer says.

    @ivar found: names of what was found, or why the body does not pass.
    @ivar tag: the answer's ISTag.
    @ivar instead: what the service has made of the body.
    """

    found: tuple[str, ...]
    tag: str
    instead: ISpool | None = None


class Exchange:
    """One question after the other."""

    def __init__(self, line: ILine, asked: Asked, room: Room | None = None) -> None:
        """@param room: makes some for a body that passes instead; C{None}: none may."""
        self._line = line
        self._room = room
        self._instead: ISpool | None = None
        self._asked = asked
        self._read = Heard(line)
        self._whole = True

    async def options(self, now: float) -> Options:
        """
        What the service says of itself.

        @param now: by the clock of records.
        @raise ScannerFault: nothing that can be understood.
        """
        self._line.send(self._asked.options())
        head = await read_head(self._read)
        if head.has_body:
            raise ScannerFault("ICAP: OPTIONS was answered with a body")
        return options(head, now)

    async def judge(self, heads: bytes, body: ISpool, preview: int | None, status: int) -> Judged:
        """
        Have a body judged.

        @param heads: of the request, and what is encapsulated before the body.
        @param preview: bytes of the body that are sent first; C{None}: all at once.
        @param status: of the response whose body it is; 0: it is a request's.
        @raise ScannerFault: it does not say whether the body may pass.
        @raise SpoolFull: there is no room for what it would have pass.
        """
        sent, before = 0, heads
        if preview is not None:
            head = await self._preview(heads, body, preview)
            if head.status != CONTINUE:
                return await self._judged(head, heads, body, status)
            sent, before = preview, b""
        answer = Deferred.fromCoroutine(self._answer(heads, body, status))
        try:
            if body.size:
                await self._send_rest(before, body, sent, answer)
            else:
                self._line.send(before)
            return await answer
        finally:
            if not answer.called:
                answer.addErrback(lambda _: None)
                answer.cancel()

    def leave(self) -> None:
        """That was all. Where something is left over, nobody goes on."""
        if not (self._read.leave() and self._whole):
            self._line.drop()

    async def _preview(self, heads: bytes, body: ISpool, size: int) -> Head:
        """
        Send it, and hear whether the service wants more.

        What fits is sent at once: to send a small piece costs as much as a large one.

        @raise ScannerFault: it wants what is not there, or has not heard what it says it has.
        """
        begin, held = 0, heads
        while begin < size and not self._read.spoke:
            block = body.read(begin, min(BLOCK, size - begin))
            begin += len(block)
            held += chunk(block)
            if begin < size:
                self._line.send(held)
                held = b""
                await self._read.room()
        self._whole = begin == size
        if self._whole:
            held += WHOLE if size == body.size else LAST
        self._line.send(held)
        head = await read_head(self._read)
        if head.status == CONTINUE and not self._whole:
            raise ScannerFault("ICAP: the service wants the rest before it has the preview")
        if head.status == CONTINUE and size == body.size:
            raise ScannerFault("ICAP: the service wants more than there is")
        return head

    async def _send_rest(
        self, before: bytes, body: ISpool, begin: int, answer: Deferred[Judged]
    ) -> None:
        """
        What is left of it, behind what was not sent yet. A service may begin to answer meanwhile,
        and give back what it has; when its answer is complete, it wants no more.
        """
        self._whole = False
        while begin < body.size and not answer.called:
            block = body.read(begin, BLOCK)
            begin += len(block)
            self._whole = begin == body.size
            self._line.send(b"".join((before, chunk(block), LAST if self._whole else b"")))
            before = b""
            flushed = self._line.flushed()
            if not (flushed.called or answer.called):
                await either(flushed, answer)

    async def _answer(self, heads: bytes, body: ISpool, status: int) -> Judged:
        return await self._judged(await read_head(self._read), heads, body, status)

    async def _judged(self, head: Head, heads: bytes, body: ISpool, status: int) -> Judged:
        """What an answer says."""
        found = _names(head)
        if head.status == OK or (head.status == PARTIAL_CONTENT and self._room is not None):
            change = await self._change(head, heads, body, status)
            found = found or change
        elif head.status != NO_CONTENT:
            raise ScannerFault(f"ICAP: the service answered {head.status} {head.reason}")
        return Judged(found, head.headers.get("istag") or "", None if found else self._instead)

    async def _change(self, head: Head, heads: bytes, body: ISpool, status: int) -> tuple[str, ...]:
        """What the service has made of it; nothing, if that is what it was."""
        try:
            message = await read_message(self._read, head)
            same = await self._same(head, body)
        except Denied as denied:
            raise ScannerFault(f"ICAP: in the answer: {denied.reason}") from None
        answered = 0 if message is None else message.status
        if answered != status:
            return (f"refused by the service ({answered})",)
        if message is not None and not status and _goes_to(message.line) != _asked_of(heads):
            return ("sent elsewhere by the service",)
        if not same and self._instead is None:
            return ("changed by the service",)
        if message is not None and _coding(message.headers) != _coding_of(heads):
            return ("coded otherwise by the service",)
        if same:
            self._instead = None
        return ()

    async def _same(self, head: Head, body: ISpool) -> bool:
        """Whether it gives back what it got. Where that may be another body, it is kept."""
        instead = self._instead = None if self._room is None else self._room()
        same, at, rest = True, 0, None
        if head.has_body:
            read = body_of(self._read, body.size + PAGE)
            while piece := await read.piece():
                same = same and _is_there(body, at, piece)
                at += len(piece)
                if instead is not None:
                    instead.put(piece)
            rest = original_from(read)
        if (rest is not None) != (head.status == PARTIAL_CONTENT) or (rest or 0) > body.size:
            raise ScannerFault(f"ICAP: {head.status}, and the original from {rest} on")
        if rest is None or instead is None:
            return same and at == body.size
        if same and at == rest:
            return True
        while block := body.read(rest, BLOCK):
            rest += len(block)
            instead.put(block)
        return False


def _is_there(body: ISpool, at: int, piece: bytes) -> bool:
    """Whether that is what the body has there. It may be given back in parts."""
    while piece:
        part = body.read(at, len(piece))
        if not part or not piece.startswith(part):
            return False
        at, piece = at + len(part), piece[len(part) :]
    return True


def _coding(headers: Headers) -> list[str]:
    return [each.lower() for each in headers.members("content-encoding")]


def _coding_of(heads: bytes) -> list[str]:
    """Of the message that was asked about: the last of the encapsulated ones."""
    *_, head, _ = heads.decode("latin-1").split("\r\n\r\n")
    lines = head.split("\r\n")[1:]
    fields = (line.partition(":") for line in lines)
    said = Headers((name, value.strip(" \t")) for name, _, value in fields)
    return _coding(said)


def _goes_to(line: str) -> list[str]:
    """Method and target of a request, by its first line."""
    return line.split(" ")[:2]


def _asked_of(heads: bytes) -> list[str]:
    """Those of the encapsulated request, which is the first behind the head of ours."""
    encapsulated = heads.partition(b"\r\n\r\n")[2]
    return _goes_to(encapsulated.partition(b"\r\n")[0].decode("latin-1"))


def _names(head: Head) -> tuple[str, ...]:
    """What was found, in the words of the headers that services have for it."""
    infection = head.headers.get("x-infection-found") or ""
    threats = _THREAT.findall(infection) or [infection]
    virus = head.headers.get("x-virus-id")
    if infection or virus:
        return tuple(dict.fromkeys(each.strip() for each in (*threats, virus or "") if each))
    violations = _WORD.findall(head.headers.get("x-violations-found") or "0")[0]
    return () if violations == "0" else (f"{violations} violations",)
