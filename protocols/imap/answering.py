"""Answering: what a server tells, and what the client gets of it."""

from __future__ import annotations

import re
from typing import Any

from attrs import evolve

from gateway.inspector import Reader
from gateway.interfaces import CLIENT, SERVER, Denied
from protocols.imap import data
from protocols.imap.capability import named
from protocols.imap.dialogue import Dialogue
from protocols.imap.exchange import Exchange, record
from protocols.imap.fetched import Fetched
from protocols.imap.reply import Reply, plain, told
from protocols.imap.result import RESULTS, plain_result
from protocols.imap.value import Malformed, Sentence, Value, marked
from protocols.mailbox import answering
from protocols.mailbox.dialogue import PASSED

_STATUS = frozenset({b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"})
_BASE64 = re.compile(rb"[A-Za-z0-9+/]*={0,2}")


class Answering(answering.Answering[Dialogue]):
    """Answers with a tag, each of which belongs to a command, and data without."""

    def __init__(self, dialogue: Dialogue) -> None:
        super().__init__(dialogue)
        self._session = dialogue.session
        self._settings = dialogue.settings

    async def greeting(self, read: Reader) -> None:
        """The first answer."""
        dialogue = self._dialogue
        line = await read.line(self._settings.response_bytes)
        reply = Reply.parse(line.removeprefix(b"* ")) if line.startswith(b"* ") else None
        if reply is None or reply.status in ("NO", "BAD"):
            raise Denied("the server greets with what is no greeting")
        reply = self._shown(reply)
        record(self._session, {"verdict": PASSED}, reply=reply)
        if reply.status == "BYE":
            dialogue.part(reply, "the server does not let anybody in")
            return
        if reply.status == "PREAUTH":
            self._check_preauth()
        banner = self._settings.banner
        dialogue.greet(reply if banner is None else reply.saying(banner))

    def _check_preauth(self) -> None:
        if not self._settings.preauth or self._dialogue.rights.filter.forbids_login:
            by = "starttls" if self._settings.preauth else "preauth"
            raise Denied("the server says that its client has logged in already", by=by)

    def _shown(self, reply: Reply) -> Reply:
        """What the client hears of an answer."""
        if reply.code != "CAPABILITY":
            return reply
        words = reply.value.split()
        self._dialogue.standing.server = frozenset(named(words))
        return evolve(reply, value=self._dialogue.rights.filter.shown(words))

    async def answer(self, read: Reader) -> None:
        """The next one."""
        line = await read.line(self._settings.response_bytes)
        self._dialogue.for_server()
        if line.startswith(b"* "):
            await self._untagged(line[2:].lstrip(b" "), read)
        elif line[:1] == b"+":
            self._goes_on(line[1:].lstrip(b" "))
        else:
            tag, _, rest = line.partition(b" ")
            self._tagged(tag, rest.lstrip(b" "))

    # Of a command

    def _goes_on(self, text: bytes) -> None:
        exchange = self._dialogue.exchange
        if exchange is None or not exchange.goes_on:
            raise Denied("the server wants to hear more, and nobody has more to say")
        if exchange.command.name == "AUTHENTICATE":
            if not _BASE64.fullmatch(text):
                raise Denied("the server sent a challenge that is not base64")
            reply = Reply("+", text)
        else:
            reply = Reply.going_on(text)
        self._dialogue.said(exchange, reply)

    def _tagged(self, tag: bytes, rest: bytes) -> None:
        dialogue, exchange = self._dialogue, self._dialogue.exchange
        if exchange is None or tag != exchange.command.tag:
            raise Denied("the server answered a command that nobody has given")
        reply = Reply.parse(rest)
        if reply is None or reply.status not in ("OK", "NO", "BAD"):
            raise Denied("the server sent what is no answer")
        command = exchange.command
        reply = self._shown(reply)
        self._record(exchange, reply)
        if exchange.failing is not None and reply.positive:
            failing = exchange.failing
            reply = told("NO", failing.words, failing.code)
        dialogue.encrypting = command.name == "STARTTLS" and reply.positive
        dialogue.answer(reply, tag)
        if command.name == "LOGOUT":
            dialogue.exchange = None
            self._session.done()
        else:
            dialogue.said(exchange, reply)

    def _record(self, exchange: Exchange, reply: Reply) -> None:
        gateway: dict[str, Any] = {"verdict": PASSED, **exchange.tally.record()}
        if exchange.failing is not None:
            gateway["answer"] = exchange.failing.words
        record(self._session, gateway, command=exchange.command, reply=reply)

    # Without a tag

    async def _untagged(self, line: bytes, read: Reader) -> None:
        if line.partition(b" ")[0].upper() in _STATUS:
            self._status(line)
            return
        dialogue = self._dialogue
        exchange = dialogue.exchange
        command = exchange.command if exchange is not None else None
        kind, number, text = data.kind_of(line)
        datum = data.check_asked(kind, number, dialogue.rights, command)
        if kind == "FETCH":
            await Fetched(dialogue, exchange, number or 0).run(read, text)
            return
        if kind in RESULTS:
            text = b" ".join(filter(None, text.split(b" ")))
            if plain_result(kind, text, self._settings.depth):
                self._session.send(CLIENT, b"* %s %s\r\n" % (kind.encode("ascii"), text))
                return
        values = await self._values(text, read)
        heard = data.told(datum, values, dialogue.rights, command)
        if heard is not None:
            self._session.send(CLIENT, data.line(kind, number, heard))

    def _status(self, line: bytes) -> None:
        dialogue = self._dialogue
        reply = Reply.parse(line)
        if reply is None or reply.status == "PREAUTH":
            raise Denied("the server sent a second greeting")
        reply = self._shown(reply)
        if reply.status != "BYE" or dialogue.quits:
            dialogue.tell(reply)
            return
        text = plain(reply.text).decode("utf-8", "replace")
        dialogue.part(reply, f"the server ended the session: {text}")

    async def _give_way(self) -> None:
        await self._session.give_way(SERVER)

    async def _values(self, text: bytes, read: Reader) -> list[Value]:
        """
        Values to the end of the line that has none within a literal.

        @raise Denied: they are none, or too long.
        """
        sentence, left = (
            Sentence(self._settings.depth, self._settings.values),
            self._settings.response_bytes,
        )
        try:
            text, mark = marked(text)
            await sentence.text(text, self._give_way)
            while mark is not None:
                sentence.literal(await read.exactly(mark.size, left), mark)
                line = await read.line(left - mark.size)
                left -= mark.size + len(line)
                text, mark = marked(line)
                await sentence.text(text, self._give_way)
            return sentence.end()
        except Malformed as error:
            raise Denied(f"the server sent data that are none: {error}") from None
