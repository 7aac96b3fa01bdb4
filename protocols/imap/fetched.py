"""Fetched: one answer to FETCH, on its way from the server to the client (section 7.5.2)."""

from __future__ import annotations

from gateway.inspector import Reader
from gateway.interfaces import SERVER, Denied
from protocols.imap.dialogue import Dialogue
from protocols.imap.exchange import Exchange
from protocols.imap.fetch import NAMES, UNASKED, Key
from protocols.imap.item import Item
from protocols.imap.literal import Literal
from protocols.imap.portion import Portion
from protocols.imap.row import Row
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

_NIL = b"NIL"


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
        sentence = Sentence(self._settings.depth, self._settings.values)
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
        dialogue = self._dialogue
        literal = Literal(read, mark, dialogue.for_server, dialogue.for_nobody)
        await self._portion(item).run(literal, mark)
        dialogue.for_server()

    async def _small(self, item: Item, data: bytes) -> None:
        """One that is a string."""
        if not self._settings.examines:
            self._row.put(item.written(), String(data).quoted())
            return
        read, mark = Reader(SERVER), Mark(len(data))
        read.feed(data)
        nobody = self._dialogue.for_nobody
        await self._portion(item).run(Literal(read, mark, nobody, nobody), mark)
        self._dialogue.for_server()

    def _portion(self, item: Item) -> Portion:
        return Portion(self._dialogue, self._exchange, self._row, item, self._clients(item))


def _item(name: Value) -> Item | None:
    return Item.parse(name.text) if isinstance(name, Atom) else None
