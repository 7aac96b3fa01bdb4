"""Asking: what a client wants, and what passes to the server of it."""

from __future__ import annotations

import re

from gateway.inspector import Reader
from gateway.interfaces import CLIENT, Denied
from protocols.imap.appending import Appending
from protocols.imap.command import Command, begun
from protocols.imap.dialogue import Dialogue
from protocols.imap.exchange import Exchange, record
from protocols.imap.hearing import Hearing
from protocols.imap.item import Item
from protocols.imap.refusal import Refusal, bad
from protocols.imap.reply import Reply, told
from protocols.imap.saying import say
from protocols.imap.value import Atom
from protocols.mailbox.dialogue import DENIED, PASSED

_BASE64 = re.compile(rb"[A-Za-z0-9+/]*={0,2}")
_CANCEL = b"*"
_DONE = b"DONE"


class Asking:
    """Commands: read one after the other, refused, or passed when it is their turn."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self._settings = dialogue.settings
        self._spoken = False
        self._ahead: bytes | None = None  # a line that was read where another was expected
        self._idled = False  # the server has ended IDLE, and the client may yet say so too

    async def commands(self, read: Reader) -> bool:
        """
        Until the client has gone, or said LOGOUT; or until TLS begins.

        @return: whether TLS begins: with whatever comes next, be it here already, so that
            no command can be slipped in to be taken for a protected one.
        @raise Denied: something ends the session.
        """
        await self._dialogue.greeted()
        hearing = Hearing(self._dialogue, read)
        while self._ahead is not None or await read.more():
            line, self._ahead = self._ahead, None
            if line is None:
                line = await hearing.line()
            if self._idled and line.upper() == _DONE:
                self._idled = False
                continue
            self._idled = False
            command = None
            try:
                command, rest = self._begun(line)
                reply = await self._pass(command, rest, hearing)
            except Refusal as refusal:
                await hearing.drain()
                self._dialogue.refuse(command, refusal)
                continue
            if command.name == "LOGOUT":
                return False
            if command.name == "STARTTLS" and reply.positive:
                return True
        return False

    def _begun(self, line: bytes) -> tuple[Command, bytes]:
        """
        How a command begins.

        @raise Refusal: it is none.
        @raise Denied: it is something else than IMAP.
        """
        found = begun(line)
        if not self._spoken and (found is None or found[0].kind is None):
            raise Denied(f"the client does not speak IMAP: it begins with {line[:40]!r}")
        self._spoken = True
        if found is None:
            raise bad("That is no command")
        return found

    async def _pass(self, command: Command, rest: bytes, hearing: Hearing) -> Reply:
        """
        Read all of a command, have the server do it, and wait for the answer.

        @raise Refusal: it does not pass.
        """
        rights = self._dialogue.rights
        rights.check_kind(command)
        hearing.check_length(command, rest)
        if command.name == "APPEND":
            return await Appending(self._dialogue, hearing, command).run(rest)
        command.values = await hearing.values(rest)
        command.read(self._dialogue.standing.utf8)
        rights.check(command)
        special = _SPECIAL.get(command.name)
        if special is not None:
            return await special(self, command, hearing)
        return await say(self._dialogue, self._exchange(command), command)

    def _exchange(self, command: Command) -> Exchange:
        fetch = command.fetch
        if fetch is None:
            return Exchange(command)
        wanted: tuple[Item, ...] = ()
        if self._settings.examines:
            fetch, wanted = fetch.examined()
        command.values = [command.values[0], *fetch.values()]
        return Exchange(command, fetch.keys, wanted)

    async def _enable(self, command: Command, hearing: Hearing) -> Reply:
        """What is not known is passed over (RFC 5161, section 3.1); so is all of it, here."""
        if command.values:
            return await say(self._dialogue, self._exchange(command), command)
        reply = told("OK", "Nothing is enabled")
        self._dialogue.session.send(CLIENT, b"* ENABLED\r\n")
        self._dialogue.answer(reply, command.tag)
        gateway = {"verdict": PASSED, "answer": reply.text.decode("ascii")}
        record(self._dialogue.session, gateway, command=command)
        return reply

    async def _authenticate(self, command: Command, hearing: Hearing) -> Reply:
        """@raise Denied: what a client says is no response, or there are too many."""
        exchange, dialogue = Exchange(command), self._dialogue
        mechanism, *first = (each for each in command.values if isinstance(each, Atom))
        reply = await say(dialogue, exchange, command, goes_on=True)
        count = 0
        while reply.goes_on:
            if count == self._settings.auth_lines:
                raise Denied(f"an authentication of more than {count} lines", by="auth_lines")
            count += 1
            dialogue.tell(reply)
            line = await hearing.response()
            if line != _CANCEL and not _BASE64.fullmatch(line):
                raise Denied("a response in an authentication that is not base64")
            if line != _CANCEL and not first and count == 1:
                line = self._first(command, mechanism.word, line)
            reply = await dialogue.ask(exchange, line + b"\r\n", goes_on=True)
        return reply

    def _first(self, command: Command, mechanism: str, line: bytes) -> bytes:
        """Who logs in; if it may not, the authentication is cancelled, as the client could do."""
        try:
            command.user = self._dialogue.rights.check_response(mechanism, line)
        except Refusal as refusal:
            gateway = {"verdict": DENIED, "reason": refusal.reason, "answer": refusal.words}
            record(self._dialogue.session, gateway, refusal.by, command)
            return _CANCEL
        return line

    async def _idle(self, command: Command, hearing: Hearing) -> Reply:
        """RFC 2177: the server tells what happens, until the client has something else to say."""
        exchange, dialogue = Exchange(command), self._dialogue
        reply = await say(dialogue, exchange, command, goes_on=True)
        if not reply.goes_on:
            return reply
        exchange.idles = True
        dialogue.tell(reply)
        dialogue.for_client()
        if not await hearing.more():
            return reply
        line = await hearing.line()
        if exchange.reply is not None:
            self._idled = True
            self._ahead = line
            return reply
        if line.upper() != _DONE:
            raise Denied("the client has ended IDLE by something else than DONE")
        exchange.idles = False
        return await dialogue.ask(exchange, b"DONE\r\n")


_SPECIAL = {
    "AUTHENTICATE": Asking._authenticate,
    "ENABLE": Asking._enable,
    "IDLE": Asking._idle,
}
