"""Asking: what a client wants, and what passes to the server of it."""

from __future__ import annotations

import re

from gateway.inspector import Reader
from gateway.interfaces import Denied
from protocols.mailbox.dialogue import DENIED
from protocols.pop3.command import Command
from protocols.pop3.dialogue import Dialogue
from protocols.pop3.exchange import Exchange, record
from protocols.pop3.refusal import Refusal
from protocols.pop3.reply import Reply

_BASE64 = re.compile(rb"[A-Za-z0-9+/]*={0,2}")
_CANCEL = b"*"


class Asking:
    """Commands: read one after the other, refused, or passed when it is their turn."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self._settings = dialogue.settings
        self._spoken = False

    async def commands(self, read: Reader) -> bool:
        """
        Until the client has gone, or said QUIT; or until TLS begins.

        @return: whether TLS begins: with whatever comes next, be it here already, so that
            no command can be slipped in to be taken for a protected one.
        @raise Denied: something ends the session.
        """
        await self._dialogue.greeted()
        while await read.more():
            command = self._parse(await read.line(self._limit))
            try:
                if command is None:
                    raise Refusal("Unknown command")
                self._dialogue.rights.check(command, self._dialogue.state)
                reply = await self._pass(command, read)
            except Refusal as refusal:
                self._dialogue.refuse(command, refusal)
                continue
            if command.keyword == "QUIT":
                return False
            if command.keyword == "STLS" and reply.positive:
                return True
        return False

    @property
    def _limit(self) -> int:
        """AUTH may bring a long first line (RFC 5034, section 4)."""
        return max(self._settings.command_bytes, self._settings.auth_bytes)

    def _parse(self, line: bytes) -> Command | None:
        """
        Read a command.

        @raise Denied: it is something else than POP3.
        """
        command = Command.parse(line)
        if command is None or command.keyword != "AUTH":
            self._check_length(line)
        if not self._spoken and (command is None or command.kind is None):
            raise Denied(f"the client does not speak POP3: it begins with {line[:40]!r}")
        self._spoken = True
        return command

    def _check_length(self, line: bytes) -> None:
        if len(line) > self._settings.command_bytes:
            reason = f"a command of more than {self._settings.command_bytes} bytes"
            raise Denied(reason, Reply(False, b"Too long; goodbye").written(), "command_bytes")

    async def _pass(self, command: Command, read: Reader) -> Reply:
        """Send a command, and wait for the answer."""
        reply = await self._dialogue.ask(Exchange(command), command.line())
        for count in range(self._settings.auth_lines + 1):
            if not reply.challenge:
                break
            if count == self._settings.auth_lines:
                raise Denied(f"an authentication of more than {count} lines", by="auth_lines")
            reply = await self._respond(command, read, not count and len(command.words) == 1)
        return reply

    async def _respond(self, command: Command, read: Reader, first: bool) -> Reply:
        """
        The client's response to a challenge.

        @param first: it says who logs in.
        @raise Denied: it is none.
        """
        line = await read.line(self._settings.auth_bytes)
        if line != _CANCEL and not _BASE64.fullmatch(line):
            raise Denied("an AUTH line that is not base64")
        if first and line != _CANCEL:
            line = self._first(command, line)
        return await self._dialogue.ask(Exchange(command), line + b"\r\n")

    def _first(self, command: Command, line: bytes) -> bytes:
        """Who logs in; if it may not, the authentication is cancelled, as the client could do."""
        mechanism = command.words[0].decode("ascii").upper()
        try:
            self._dialogue.rights.check_response(mechanism, line)
        except Refusal as refusal:
            answer = refusal.reply.text.decode("ascii")
            gateway = {"verdict": DENIED, "reason": refusal.reason, "answer": answer}
            record(self._dialogue.session, gateway, refusal.by, command)
            return _CANCEL
        return line
