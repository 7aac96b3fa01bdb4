"""A Portion: a section of a message, on its way from the server to the client."""

from __future__ import annotations

from typing import Any

from gateway.interfaces import CLIENT, SERVER
from protocols.imap.dialogue import Dialogue
from protocols.imap.examination import Examination, Watched, judged_header, refusal
from protocols.imap.exchange import Exchange, record
from protocols.imap.item import Item
from protocols.imap.literal import BLOCK, Literal
from protocols.imap.refusal import Refusal
from protocols.imap.row import Row
from protocols.imap.section import cut, split
from protocols.imap.transfer import Transfer
from protocols.imap.value import Mark
from protocols.mailbox.dialogue import DENIED
from protocols.mime.notice import notice
from protocols.mime.objection import Objection

_NIL = b"NIL"


class Portion:
    """
    One section.

    @param wanted: what the client gets of it.
    """

    def __init__(
        self,
        dialogue: Dialogue,
        exchange: Exchange | None,
        row: Row,
        item: Item,
        wanted: tuple[Item, ...],
    ) -> None:
        self._dialogue = dialogue
        self._session = dialogue.session
        self._settings = dialogue.settings
        self._exchange = exchange
        self._row = row
        self._item = item
        self._wanted = wanted

    async def run(self, literal: Literal, mark: Mark) -> None:
        """
        Bring it over.

        @raise Denied: it is refused, and the session can't go on.
        """
        most = self._settings.message_bytes
        if most and literal.size > most:
            await literal.skip()
            reason = f"a message of more than {most} bytes"
            await self._refuse(Refusal("It is too large", reason, "message_bytes"))
        elif not self._settings.examines:
            await self._pass(literal, mark)
        elif self._item.lists:
            await self._fields(literal)
        elif literal.size > self._settings.hold_bytes and not self._whole:
            await self._begin(literal)
        else:
            await self._examine(literal)

    @property
    def _whole(self) -> bool:
        """Whether the client wants all of it, and nothing else."""
        return len(self._wanted) == 1 and self._wanted[0].whole

    async def _pass(self, literal: Literal, mark: Mark) -> None:
        """As it comes."""
        self._row.begin(self._item.written(), mark)
        self._dialogue.inside = True
        watched = Watched(self._settings, self._item.whole)
        while piece := await literal.piece():
            watched.feed(piece)
            self._row.send(piece)
        if self._item.whole:
            self._count(literal.size)
        watched.record(self._session)

    def _count(self, size: int) -> None:
        if self._exchange is not None:
            self._exchange.tally.messages += 1
            self._exchange.tally.size += size

    async def _fields(self, literal: Literal) -> None:
        """Some fields of a header, judged as if there was nothing else."""
        if literal.size > self._settings.header_bytes:
            await literal.skip()
            await self._refuse(Refusal("The header is too large", by="header_bytes"))
            return
        try:
            fields = judged_header(self._settings, await literal.all())
        except Objection as objection:
            await self._refuse(refusal(objection))
        else:
            self._row.literal(self._item.written(), fields)

    async def _begin(self, literal: Literal) -> None:
        """Of a message for which there is no room, the header can be had, and nothing else."""
        pieces, room = [], self._settings.header_bytes
        while room and (piece := await literal.piece(room)):
            pieces.append(piece)
            room -= len(piece)
        await literal.skip()
        try:
            header = judged_header(self._settings, split(b"".join(pieces)).header)
        except Objection as objection:
            await self._refuse(refusal(objection))
            return
        others = tuple(each for each in self._wanted if not each.heads)
        for each in self._wanted:
            if each.heads:
                self._row.literal(each.written(), header)
        if others:
            self._wanted = others
            words = "The message is too large to be examined in parts"
            await self._refuse(Refusal(words, by="hold_bytes"))

    async def _examine(self, literal: Literal) -> None:
        """All of a message."""
        kept = Kept()
        outlet = Passing(self._dialogue, self._row, self._wanted[0]) if self._whole else kept
        examination = Examination(self._session, "download", self._dialogue.standing.user)
        self._count(literal.size)
        try:
            refused = await Transfer(examination, literal, outlet, self._settings.hold_bytes).run()
        finally:
            examination.record()
            if self._exchange is not None:
                self._exchange.tally.stacked = examination.verdict
        if refused is not None:
            await self._refuse(refused, examination.email)
        elif not self._whole:
            await self._cut(kept.data)

    async def _cut(self, message: bytes) -> None:
        """What the client has asked for, out of what has been judged."""
        large = len(message) > BLOCK  # and much may be asked for: it is cut as the client takes it
        for each in self._wanted:
            if large:
                await self._session.give_way(SERVER)
            found = cut(message, each)
            if found is None:
                self._row.put(each.written(), _NIL)
            else:
                self._row.literal(each.written(), found)
            if large:
                self._row.flush()
                self._dialogue.inside = True
                await self._session.flushed(CLIENT)

    async def _refuse(self, refused: Refusal, email: dict[str, Any] | None = None) -> None:
        """Say why, in the place of what is refused."""
        exchange, row = self._exchange, self._row
        gateway = {"verdict": DENIED, "reason": refused.reason, "answer": refused.words}
        numbered = {**gateway, "message": row.number}
        command = exchange.command if exchange is not None else None
        record(self._session, numbered, refused.by, command)
        if exchange is not None:
            exchange.tally.refused += 1
            if refused.later or self._settings.refused == "error":
                exchange.failing = refused
                return
        await self._cut(notice(refused.words, email or {}, self._session.date()))


class Passing:
    """An outlet: what passes, passes on."""

    def __init__(self, dialogue: Dialogue, row: Row, item: Item) -> None:
        self._dialogue = dialogue
        self._row = row
        self._item = item

    async def begin(self, size: int) -> None:
        """See L{Outlet}."""
        self._row.begin(self._item.written(), Mark(size))
        self._dialogue.inside = True

    async def send(self, data: bytes) -> None:
        """See L{Outlet}."""
        self._row.send(data)
        await self._dialogue.session.flushed(CLIENT)


class Kept:
    """An outlet: it is kept, for parts to be cut out of it."""

    def __init__(self) -> None:
        self.data = b""

    async def begin(self, size: int) -> None:
        """See L{Outlet}."""

    async def send(self, data: bytes) -> None:
        """See L{Outlet}."""
        self.data += data
