"""Answering: what the server of a control connection replies, and what the client gets of it."""

from __future__ import annotations

from gateway.inspector import Reader
from gateway.interfaces import SERVER, Denied, Verdict
from protocols.ftp.asking import BEHIND_AUTH
from protocols.ftp.channel import ANNOUNCING
from protocols.ftp.dialogue import PASSED, Dialogue
from protocols.ftp.exchange import Exchange
from protocols.ftp.path import quoted
from protocols.ftp.reply import Reply
from protocols.ftp.transfer import Transfer

_CLOSED = Reply(421, b"The server closed the connection.")
_LOST = Reply(421, b"The server is lost.")
_WRONG = b"421 The server sent what is no FTP; goodbye.\r\n"

_MOVING = frozenset({"CWD", "XCWD", "CDUP", "XCUP", "USER", "PASS", "ACCT"})


class Answering:
    """Replies: each of them belongs to a command."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self._session = dialogue.session
        self._exchanges = dialogue.exchanges

    async def replies(self, read: Reader) -> None:
        """
        Until the server has gone.

        @raise Denied: it sent what it must not; with words for the client.
        """
        try:
            while await read.more():
                await self._next(read)
        except Denied as denied:
            if not self._dialogue.protection.encrypting:
                denied.reply = denied.reply or _WRONG
            raise
        if not self._dialogue.is_over:  # what the client had said meanwhile may have ended it
            self._ended()

    def _ended(self) -> None:
        if self._dialogue.quits:
            self._dialogue.quit()
        else:
            self._dialogue.part(_CLOSED, "the server closed the control connection")

    def lost(self, verdict: Verdict) -> None:
        """The server has reset the connection, or is out of reach."""
        if self._dialogue.quits:
            self._dialogue.quit()
        else:
            self._dialogue.part(_LOST, verdict.reason, verdict.outcome)

    async def _next(self, read: Reader) -> None:
        protection = self._dialogue.protection
        if protection.encrypting and self._dialogue.settings.auth == "release":
            raise Denied("the server sent plaintext after it had agreed to encrypt")
        await protection.settled()
        reply = await self._reply(read)
        if self._exchanges:
            await self._take(self._exchanges.answered_by(reply), reply, read)
        elif reply.code == 421:
            self._give_up(reply)
        else:
            raise Denied(f"the server sent {reply.code}, which answers no command")

    async def _reply(self, read: Reader) -> Reply:
        settings = self._dialogue.settings
        return await Reply.read(read, settings.reply_line_bytes, settings.reply_bytes)

    async def _take(self, exchange: Exchange, reply: Reply, read: Reader) -> None:
        try:
            self._check(exchange, reply)
        except Denied as denied:
            self._dialogue.record_denied(exchange.command, denied)
            raise
        exchange.replies.append(reply)
        if reply.code == 421:
            self._give_up(self._shown(exchange, reply))
            return
        exchange.begun = exchange.begun or reply.preliminary
        if reply.preliminary:
            self._dialogue.patience.wait()
            self._show(exchange, reply)
        else:
            await self._complete(exchange, reply, read)
        self._exchanges.go_on()

    def _check(self, exchange: Exchange, reply: Reply) -> None:
        """@raise Denied: it can't be the answer to that, or the policy does not have it."""
        fault = exchange.fault(reply)
        if fault:
            raise Denied(f"the server sent {reply.code} to {exchange.command}: {fault}")
        if exchange.instead is None or not exchange.silent:
            self._dialogue.rights.check_reply(exchange.command, reply)

    def _give_up(self, reply: Reply) -> None:
        """The server ends it (RFC 959, section 5.4): nothing is expected of it any more."""
        text = reply.text.decode("utf-8", "backslashreplace")
        self._dialogue.part(reply, f"the server ended the session: {text}")

    async def _complete(self, exchange: Exchange, reply: Reply, read: Reader) -> None:
        """The last reply to a command."""
        dialogue, command = self._dialogue, exchange.command
        dialogue.login.answered(command, reply)
        dialogue.protection.answered(command, reply)
        if command.verb in ANNOUNCING:
            reply = await dialogue.channel.answered(reply)
            exchange.port = dialogue.channel.port if reply.completed else 0
        elif exchange.transfer is not None:
            reply = await self._transferred(exchange, exchange.transfer, reply)
        self._show(exchange, reply)
        if exchange.instead is not None:
            self._settled(exchange.instead)
        if exchange.instead is None or not exchange.silent:
            exchange.record(self._session, PASSED)
        if command.verb == "AUTH" and reply.completed:
            self._check_plaintext()
        if dialogue.rights.wants_directory and command.verb in _MOVING and reply.completed:
            dialogue.rights.directory = await self._directory(read)
        self._exchanges.remove(exchange)
        if command.verb == "QUIT" and reply.completed:
            self._session.done()
        else:
            self._answered()

    def _shown(self, exchange: Exchange, reply: Reply) -> Reply:
        return self._dialogue.texts.shown(exchange.command.verb, reply)

    def _show(self, exchange: Exchange, reply: Reply) -> None:
        if not exchange.silent:
            self._dialogue.tell(self._shown(exchange, reply))

    def _settled(self, doubt: Exchange) -> None:
        """C{doubt} won't be answered any more, if it was not."""
        if doubt in self._exchanges:
            doubt.record(self._session, PASSED, "the server answered ABOR only once")
            self._exchanges.remove(doubt)

    def _answered(self) -> None:
        """Whose turn is it?"""
        patience = self._dialogue.patience
        patience.answered()
        if self._dialogue.login.complete:
            patience.logged_in()
        if not self._exchanges:
            patience.for_command()
        elif self._exchanges.last.transfer is None:
            patience.for_reply()
        else:
            patience.wait()

    def _check_plaintext(self) -> None:
        """@raise Denied: the client has sent plaintext already, to be taken for encrypted."""
        client = self._dialogue.client
        if client is not None and not client.empty:
            raise Denied(BEHIND_AUTH)

    async def _transferred(self, exchange: Exchange, transfer: Transfer, reply: Reply) -> Reply:
        """The reply does not overtake the data."""
        if reply.completed:
            exchange.begun = True
            self._dialogue.patience.wait()
            self._exchanges.go_on()  # ABOR may come
            await self._delivered(transfer)
        elif not exchange.begun or not transfer.linked:
            transfer.abandon("the server refused the transfer")
        self._dialogue.transfers.discard(transfer)
        transfer.record(self._session, reply.code)
        if reply.completed or transfer.refused:
            return transfer.answer or reply
        return reply

    async def _delivered(self, transfer: Transfer) -> None:
        if transfer.overtaken:
            await transfer.arrived()
        if transfer.data is None:
            transfer.abandon("the server says that it is done")
        else:
            await transfer.done()

    async def _directory(self, read: Reader) -> bytes | None:
        """Ask the server for its working directory."""
        self._session.send(SERVER, b"PWD\r\n")
        if not await read.more():
            return None
        reply = await self._reply(read)
        if reply.code != 257 and reply.code < 400:
            raise Denied(f"the server sent {reply.code} to PWD")
        return quoted(reply.text) if reply.code == 257 else None
