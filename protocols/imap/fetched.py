"""Fetched: one answer to FETCH, on its way from the server to the client (section 7.5.2)."""

from __future__ import annotations

from typing import Any

from gateway.inspector import Reader
from gateway.interfaces import CLIENT, SERVER, Denied
from protocols.imap.dialogue import DENIED, Dialogue
from protocols.imap.examination import Examination, Watched, judged_header
from protocols.imap.exchange import Exchange, record
from protocols.imap.fetch import NAMES, UNASKED, Key
from protocols.imap.item import Item
from protocols.imap.literal import BLOCK, Literal
from protocols.imap.refusal import Refusal
from protocols.imap.row import Row
from protocols.imap.section import cut
from protocols.imap.transfer import Transfer
from protocols.imap.value import (
    Atom,
    Group,
    Malformed,
    Mark,
    Sentence,
    String,
    Value,
    marked,
    written,
)
from protocols.mime.notice import notice
from protocols.mime.objection import Objection

_NIL = b"NIL"
_LARGE = "The message is too large to be examined in parts"


class Fetched:
    """
    One answer.

    @param exchange: what it belongs to; C{None}: the server has something to tell.
    """

    def __init__(self, dialogue: Dialogue, exchange: Exchange | None, number: int) -> None:
        self._dialogue = dialogue
        self._session = dialogue.session
        self._settings = dialogue.settings
        self._exchange = exchange
        self._keys = exchange.keys if exchange is not None else UNASKED
        self._wanted = exchange.wanted if exchange is not None else ()
        self._row = Row(dialogue.session, number)
        self._left = self._settings.response_bytes

    async def run(self, read: Reader, text: bytes) -> None:
        """
        Bring it over.

        @param text: what of it has been read.
        @raise Denied: it is not of the grammar, or has what nobody has asked for.
        """
        sentence = Sentence(self._settings.depth)
        try:
            text, mark = marked(text)
            await sentence.text(text, self._give_way)
            await self._take(sentence)
            while mark is not None:
                text, mark = await self._go_on(sentence, mark, read)
                await sentence.text(text, self._give_way)
                await self._take(sentence)
            sentence.end()
        except Malformed as error:
            raise Denied(f"the server sent data that are none: {error}") from None
        self._row.end()
        self._dialogue.inside = False

    async def _give_way(self) -> None:
        await self._session.give_way(SERVER)

    async def _go_on(
        self, sentence: Sentence, mark: Mark, read: Reader
    ) -> tuple[bytes, Mark | None]:
        """A literal, and the text behind it."""
        items = sentence.open[-1]
        named = len(sentence.open) == 2 and len(items) == 1
        item = _item(items[0]) if named else None
        if item is not None and item.family != "BINARY.SIZE":
            items.clear()
            await self._section(item, mark, read)
            sentence.literal(b"", mark)
            items.clear()
        else:
            sentence.literal(await read.exactly(mark.size, self._left), mark)
            self._left -= mark.size
        line = await read.line(self._left)
        self._left -= len(line)
        return marked(line)

    async def _take(self, sentence: Sentence) -> None:
        """Pass on what is complete, item by item."""
        group = sentence.open[0][0] if sentence.open[0] else None
        if len(sentence.open[0]) > 1 or not isinstance(group, Group | None):
            raise Malformed("FETCH with more than one list")
        items = group.items if group is not None else []
        complete = len(items) - (len(sentence.open) > 2)
        while complete >= 2:
            name, value = items[:2]
            del items[:2]
            complete -= 2
            await self._put(name, value)
        if group is not None and len(sentence.open) == 1 and items:
            raise Malformed("an item without a value")

    async def _put(self, name: Value, value: Value) -> None:
        """One item."""
        if not isinstance(name, Atom):
            raise Malformed("an item that is none")
        if name.word in NAMES:
            self._check(name.word)
            self._row.put(name.text, written([value]))
            return
        item = _item(name)
        if item is None:
            raise Denied(
                f"the server sent {name.text[:40]!r} of a message, which is not understood"
            )
        if item.family == "BINARY.SIZE":
            self._check(item.key)
            self._row.put(item.written(), written([value]))
        elif isinstance(value, String):
            self._check(item.key)
            await self._small(item, value.data)
        elif isinstance(value, Atom) and value.word == "NIL":
            self._check(item.key)
            for each in self._clients(item):
                self._row.put(each.written(), _NIL)
        else:
            raise Malformed("a section that is none")

    def _check(self, key: Key) -> None:
        if key not in self._keys:
            what = key if isinstance(key, str) else key.written().decode("latin-1")
            raise Denied(f"the server sent {what[:60]} of a message, for which nobody had asked")

    def _clients(self, item: Item) -> tuple[Item, ...]:
        """What the client gets of a section."""
        return self._wanted if self._wanted and item.whole else (item,)

    # Sections

    async def _section(self, item: Item, mark: Mark, read: Reader) -> None:
        """One that is a literal."""
        self._check(item.key)
        if mark.binary and item.family != "BINARY":
            raise Malformed("a literal with NULs")
        literal = Literal(read, mark, self._dialogue.for_server)
        most = self._settings.message_bytes
        if most and mark.size > most:
            reason = f"a message of more than {most} bytes"
            await self._refuse(item, Refusal("It is too large", reason, "message_bytes"), literal)
        elif not self._settings.examines:
            await self._pass(item, mark, literal)
        elif item.heads:
            await self._head(item, literal)
        else:
            await self._examine(item, literal)

    async def _small(self, item: Item, data: bytes) -> None:
        """One that is a string."""
        if not self._settings.examines:
            self._row.put(item.written(), String(data).quoted())
            return
        read = Reader(SERVER)
        read.feed(data)
        literal = Literal(read, Mark(len(data)), self._dialogue.for_nobody)
        await (self._head if item.heads else self._examine)(item, literal)

    async def _pass(self, item: Item, mark: Mark, literal: Literal) -> None:
        """As it comes."""
        self._row.begin(item.written(), mark)
        self._dialogue.inside = True
        watched = Watched(self._settings, item.whole)
        while piece := await literal.piece():
            watched.feed(piece)
            self._row.send(piece)
        if item.whole:
            self._count(literal.size)
        watched.record(self._session)

    def _count(self, size: int) -> None:
        if self._exchange is not None:
            self._exchange.tally.messages += 1
            self._exchange.tally.size += size

    async def _head(self, item: Item, literal: Literal) -> None:
        """A header, or some fields of it, judged as if there was nothing else."""
        if literal.size > self._settings.header_bytes:
            refusal = Refusal("The header is too large", by="header_bytes")
            await self._refuse(item, refusal, literal)
            return
        try:
            header = judged_header(self._settings, await literal.all())
        except Objection as objection:
            words = objection.summary or "It has something that is not allowed here"
            refusal = Refusal(words, by=objection.by)
            refusal.reason = objection.reason
            await self._refuse(item, refusal, literal)
        else:
            self._row.literal(item.written(), header)

    async def _examine(self, item: Item, literal: Literal) -> None:
        """All of a message."""
        wanted = self._clients(item)
        whole = len(wanted) == 1 and wanted[0].whole
        if not whole and literal.size > self._settings.hold_bytes:
            await self._refuse(item, Refusal(_LARGE, by="hold_bytes"), literal)
            return
        outlet = Passing(self._dialogue, self._row, wanted[0]) if whole else Kept()
        examination = Examination(self._session, "download", self._dialogue.standing.user)
        self._count(literal.size)
        try:
            refusal = await Transfer(examination, literal, outlet, self._settings.hold_bytes).run()
        finally:
            examination.record(self._session)
            if self._exchange is not None:
                self._exchange.tally.stacked = examination.verdict
        if refusal is not None:
            await self._refuse(item, refusal, literal, examination.email, examination.failed)
        elif isinstance(outlet, Kept):
            await self._cut(outlet.data, wanted)

    async def _cut(self, message: bytes, wanted: tuple[Item, ...]) -> None:
        """What the client has asked for, out of what has been judged."""
        for each in wanted:
            if len(message) > BLOCK:  # and there may be many of these
                await self._give_way()
            found = cut(message, each)
            if found is None:
                self._row.put(each.written(), _NIL)
            else:
                self._row.literal(each.written(), found)

    async def _refuse(
        self,
        item: Item,
        refusal: Refusal,
        literal: Literal,
        email: dict[str, Any] | None = None,
        failed: bool = False,
    ) -> None:
        """Say why, in the place of what is refused."""
        await literal.skip()
        exchange, row = self._exchange, self._row
        gateway = {"verdict": DENIED, "reason": refusal.reason, "answer": refusal.words}
        numbered = {**gateway, "message": row.number}
        command = exchange.command if exchange is not None else None
        record(self._session, numbered, refusal.by, command)
        if exchange is not None:
            exchange.tally.refused += 1
            if failed or self._settings.refused == "error":
                exchange.failing = refusal
                return
        await self._cut(
            notice(refusal.words, email or {}, self._session.date()), self._clients(item)
        )


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


def _item(name: Value) -> Item | None:
    return Item.parse(name.text) if isinstance(name, Atom) else None
