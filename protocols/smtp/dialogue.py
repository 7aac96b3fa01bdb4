"""Dialogue: what was said in one session, and ways to say more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.inspector import Reader
from gateway.interfaces import CLIENT, Denied, ISession, Outcome
from protocols.smtp.command import Command
from protocols.smtp.fault import Fault
from protocols.smtp.reply import Reply
from protocols.smtp.server import LOST, Server
from protocols.smtp.settings import SMTPSettings
from protocols.smtp.transaction import Transaction
from protocols.smtp.transfer import Transfer


class Over(Exception):
    """The server said 421: nothing more is read from the client."""


class Dialogue:
    """
    What the client's commands have in common.

    @ivar helo: what the client calls itself; empty before EHLO.
    @ivar offered: the extensions that it heard of.
    @ivar authenticated: it logged in.
    @ivar transaction: the mail that has begun.
    @ivar messages: how many were answered to by the server.
    @ivar refused: the server wants no mail in this session.
    @ivar quit: the client has said all.
    @ivar go_blind: releases the session after STARTTLS.
    """

    def __init__(self, session: ISession, go_blind: Callable[[bytes], None]) -> None:
        self.session = session
        self.settings: SMTPSettings = session.settings
        self.server = Server(session)
        self.transfer = Transfer(session, self.server)
        self.helo = ""
        self.offered: Mapping[str, str] = {}
        self.authenticated = False
        self.transaction: Transaction | None = None
        self.messages = 0
        self.refused = False
        self.quit = False
        self.go_blind = go_blind
        self._errors = 0

    async def line(self, read: Reader, limit: int) -> bytes:
        """
        A line of the client's.

        @raise Denied: it is too long, or does not end in CRLF.
        """
        try:
            return await read.line(limit)
        except Denied as denied:
            reply = b"" if read.ended else b"500 5.5.2 Lines end in CRLF, and are not that long\r\n"
            raise Denied(denied.reason, reply) from None

    def tell(self, reply: Reply) -> None:
        """Answer to the client."""
        self.session.send(CLIENT, reply.data())

    async def ask(self, what: str, data: bytes) -> Reply:
        """
        Ask the server.

        @raise Over: it said 421, which is the end, whatever it is the answer to.
        """
        reply = await self.server.ask(what, data)
        if reply.code == 421:
            self.give_up(reply)
            raise Over
        return reply

    async def forward(self, command: Command) -> Reply:
        """Ask the server, and answer with its words."""
        reply = await self.ask(command.verb, command.line())
        self.tell(reply)
        return reply

    def refuse(self, refused: Fault) -> None:
        """
        Answer in the gateway's own words.

        @raise Denied: that was once too often.
        """
        self._errors += refused.reply.code >= 500
        if self._errors >= self.settings.errors:
            reason = f"{self._errors} commands were refused (setting 'errors'): {refused.reason}"
            raise Denied(reason, refused.reply.data() + b"421 4.7.0 Too many errors\r\n")
        self.session.log(
            "smtp", **self.envelope(), refused=refused.reason, answer=refused.reply.text
        )
        self.tell(refused.reply)

    def give_up(self, reply: Reply) -> None:
        """
        The server said 421.

        @raise Denied: it has the half of something, and so gets a reset.
        """
        reason = f"the server ended the session: {reply.text}"
        if self.server.owes or self.transfer.open:
            raise Denied(reason, reply.data())
        self.tell(reply)
        self.session.close(reason)

    def lost(self) -> None:
        """The server is gone."""
        reason = "the server broke the connection off"
        if self.server.doubtful:
            reason = f"{reason}, and may have taken the message"
            self.session.log("smtp", **self.envelope(), answer="", doubt=reason)
        self.session.send(CLIENT, self.server.refusal(LOST))
        self.session.close(reason, Outcome.FAILED)

    def envelope(self) -> dict[str, Any]:
        """What is known of the transaction, as audit fields."""
        transaction = self.transaction
        if transaction is None:
            return {"helo": self.helo}
        return {
            "helo": self.helo,
            "mail_from": f"<{transaction.sender}>",
            "rcpt_to": [f"<{each}>" for each in transaction.recipients],
        }

    def end_transaction(self) -> None:
        """No mail has begun any more."""
        self.transaction = None
        self.transfer.forget()
