"""Answering: what a server replies, and what the client gets of it."""

from __future__ import annotations

import re
from typing import Any

from gateway.inspector import Reader
from gateway.interfaces import CLIENT, Denied
from protocols.mailbox import answering
from protocols.mailbox.dialogue import DENIED, PASSED
from protocols.pop3.command import Block
from protocols.pop3.dialogue import Dialogue
from protocols.pop3.exchange import Exchange, record
from protocols.pop3.listing import LINES
from protocols.pop3.message import Retrieved
from protocols.pop3.reply import Reply

_TIMESTAMP = re.compile(rb"<[!-;=?-~]+@[!-;=?-~]+>")
"""What APOP's digest is made with (RFC 1939, section 7): it looks like a message's identifier."""


class Answering(answering.Answering[Dialogue]):
    """Replies: each of them belongs to a command."""

    def __init__(self, dialogue: Dialogue) -> None:
        super().__init__(dialogue)
        self._session = dialogue.session
        self._settings = dialogue.settings

    async def _reply(self, read: Reader, challenges: bool = False) -> Reply:
        return await Reply.read(read, self._settings.reply_bytes, challenges)

    async def greeting(self, read: Reader) -> None:
        """The first reply."""
        reply = await self._reply(read)
        record(self._session, {"verdict": PASSED}, reply=reply)
        if reply.positive:
            self._dialogue.greet(self._shown(reply))
        else:
            self._dialogue.part(reply, "the server does not let anybody in")

    def _shown(self, greeting: Reply) -> Reply:
        """What the client hears of a greeting."""
        text = greeting.text
        found = _TIMESTAMP.search(text)
        if self._settings.banner is not None:
            text = self._settings.banner.encode("utf-8")
            if found and self._dialogue.rights.has_timestamp:
                text += b" " + found[0]
        elif not self._dialogue.rights.has_timestamp:
            text = _TIMESTAMP.sub(b"", text)
        return Reply(True, text.strip())

    async def answer(self, read: Reader) -> None:
        """The next one."""
        exchange = self._dialogue.exchange
        if exchange is None:
            await self._unasked(read)
        else:
            await self._take(exchange, read)

    async def _unasked(self, read: Reader) -> None:
        """
        A server may say that it ends the session, and why.

        @raise Denied: it says something else.
        """
        reply = await self._reply(read)
        if reply.positive:
            raise Denied("the server sent +OK, which answers no command")
        text = reply.text.decode("utf-8", "replace")
        self._dialogue.part(reply, f"the server ended the session: {text}")

    async def _take(self, exchange: Exchange, read: Reader) -> None:
        """The answer to a command, all of it."""
        dialogue, command = self._dialogue, exchange.command
        asks = command.keyword == "AUTH" and command.argument is not None
        reply = await self._reply(read, challenges=asks)
        block = command.block if reply.positive else None
        if block is Block.MESSAGE:
            await self._message(exchange, reply, read)
        else:
            dialogue.encrypting = command.keyword == "STLS" and reply.positive
            dialogue.tell(reply)
            if block is Block.LISTING:
                await self._listing(exchange, read)
            if not reply.challenge:
                record(self._session, {"verdict": PASSED}, command=command, reply=reply)
        if command.keyword == "QUIT":
            dialogue.exchange = None
            self._session.done()
        else:
            dialogue.answered(exchange, reply)

    async def _listing(self, exchange: Exchange, read: Reader) -> None:
        """
        Lines to one with a dot.

        @raise Denied: there are too many, or they are something else.
        """
        settings, rights = self._settings, self._dialogue.rights
        shown, left = LINES[exchange.command.keyword], settings.listing_bytes
        exchange.lists = True
        while (line := await self._line(read)) != b".":
            left -= len(line) + 2
            if left < 0:
                raise Denied("a list that is too long", by="listing_bytes")
            told = shown(rights, line.removeprefix(b"."))
            if told is not None:
                stuffing = b"." if told.startswith(b".") else b""
                self._session.send(CLIENT, stuffing + told + b"\r\n")
        exchange.lists = False
        self._session.send(CLIENT, b".\r\n")

    async def _line(self, read: Reader) -> bytes:
        self._dialogue.for_server()
        return await read.line(self._settings.reply_bytes)

    async def _message(self, exchange: Exchange, reply: Reply, read: Reader) -> None:
        """@raise Denied: it is refused, and the session can't go on."""
        dialogue, command = self._dialogue, exchange.command
        message = exchange.message = Retrieved(self._session, command, reply, dialogue.user)
        refusal = await message.run(read, dialogue.waits)
        gateway: dict[str, Any] = {"verdict": PASSED, **message.record(whole=refusal is None)}
        if refusal is not None:
            gateway |= {"verdict": DENIED, "reason": refusal.reason, "answer": message.answer}
        by = refusal.by if refusal is not None else ""
        record(self._session, gateway, by, command, reply)
