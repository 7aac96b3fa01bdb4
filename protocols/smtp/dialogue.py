"""Dialogue: what was said in one session, and ways to say more."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred

from gateway.inspector import Deadline, LoneEnd, Reader, pause
from gateway.interfaces import CLIENT, SERVER, Denied, ISession, Outcome, Side, Verdict
from protocols.smtp.grammar.command import Command, is_word
from protocols.smtp.grammar.refusal import Refusal, refusal
from protocols.smtp.grammar.reply import Reply
from protocols.smtp.known import Known
from protocols.smtp.readdressing import Agreed
from protocols.smtp.server import CONTINUATION, LOST, SLOW, Server
from protocols.smtp.settings import SMTPSettings
from protocols.smtp.trace import received, written_host
from protocols.smtp.transaction import Discard, Transaction
from protocols.smtp.transfer import Mail, Transfer

SILENT = Reply.of(421, "4.4.2 Timeout, closing the connection")


UNANSWERED = {
    **{verb: verb for verb in ("AUTH", "ETRN", "EXPN", "MAIL", "STARTTLS", "VRFY")},
    CONTINUATION: "AUTH",
}
"""What leaves a record although the answer to it never came, and what it is called there."""

MOST_DELAY = 60
"""Seconds. A client waits for five minutes (RFC 5321, section 4.5.3.2), and so do the limits."""


MOST_PIECES = 16
"""So many times the longest line is read of one that is too long."""


class Over(Exception):
    """The server said 421: nothing more is read from the client."""


class Dialogue:
    """
    What the client's commands have in common.

    @ivar known: what was said by EHLO, and since.
    @ivar encrypted: who speaks TLS with the gateway.
    @ivar transaction: the mail that has begun.
    @ivar messages: how many were answered to by the server.
    @ivar refused: the server wants no mail in this session.
    @ivar quit: the client has said all.
    @ivar tls: how TLS begins; what follows is not inspected.
    """

    def __init__(self, session: ISession) -> None:
        self.session = session
        self.settings: SMTPSettings = session.settings
        self.deadline = Deadline(session)
        self.server = Server(session, self.deadline, self._greet)
        self.transfer = Transfer(session, self.server)
        self.known = Known()
        self.encrypted: frozenset[Side] = frozenset()
        self.transaction: Transaction | None = None
        self.messages = 0
        self.refused = False
        self.quit = False
        self.tls = b""
        self._errors = 0
        self._heard = ""  # of a mail that came to no end
        self._awaited: str | None = None
        self._taken: Deferred[None] | None = None

    @property
    def about(self) -> str:
        """Who says EHLO, and the mail that has begun, or how many there were."""
        helo = f"EHLO {self.known.helo}" if self.known.helo else "no EHLO yet"
        said = [helo, f"messages before: {self.messages}"]
        transaction = self.transaction
        if transaction is not None:
            count = len(transaction.recipients) + len(transaction.discarded)
            said.append(f"mail from <{transaction.sender}> recipients: {count}")
        if self.transfer.open:
            said.append("its content is on its way")
        return ", ".join(said)

    def _greet(self, reply: Reply) -> None:
        """The client hears of the server, before anything that it has said is heard."""
        self.refused = not reply.positive
        self.tell(reply)
        self.waits("command_seconds")

    async def line(self, read: Reader, limit: int) -> bytes:
        """
        A line of the client's.

        @raise Refusal: it is too long.
        @raise Denied: it does not end in CRLF, or not at all.
        """
        self.waits("command_seconds")
        try:
            return await read.line(limit)
        except LoneEnd as lone:
            raise Denied(lone.reason, b"500 5.5.2 Lines end in CRLF\r\n") from None
        except Denied:
            if read.ended:
                raise
        await self._pass_over(read, limit)
        raise refusal(500, "5.5.2 Line too long", f"a line of more than {limit} bytes")

    async def _pass_over(self, read: Reader, limit: int) -> None:
        """Read a line to its end, and keep nothing of it."""
        last = b""
        for _ in range(MOST_PIECES):
            try:
                last += await read.until(b"\n", limit)
            except Denied:
                if read.ended:
                    raise
                last = (await read.exactly(limit, limit))[-1:]
            else:
                if last.endswith(b"\r"):
                    return
                raise Denied("a line with a lone LF", b"500 5.5.2 Lines end in CRLF\r\n")
        raise Denied("a line without end", b"500 5.5.2 Line too long\r\n")

    def waits(self, setting: str | None) -> None:
        """The client is to say something, within that many seconds. C{None}: it said it."""
        self._awaited = setting
        if setting is None:
            self.deadline.clear()
            return
        held_up = setting == "data_seconds" and self._held_up()
        missed = self._stalled if held_up else lambda: self._missed(setting)
        self.deadline.set(getattr(self.settings, setting), missed)

    def _held_up(self) -> bool:
        """
        Whether the server has yet to take content, so that the client may not be able to go on.

        The client's time begins when that has left.
        """
        if self._taken is None:
            taken = self.session.flushed(SERVER)
            if not taken.called:
                self._taken = taken.addCallback(self._go_on)
        return self._taken is not None

    def _go_on(self, nothing: None) -> None:
        self._taken = None
        if self._awaited == "data_seconds":
            self.waits(self._awaited)

    def _stalled(self) -> None:
        """The server took nothing (RFC 5321, section 4.5.3.2.5)."""
        self.server.fail("the server took no content (setting 'data_seconds')", SLOW)

    def _missed(self, setting: str) -> None:
        """
        @raise Denied: the server has the half of something.
        """
        reason = f"the client took too long (setting '{setting}')"
        self._heard = SILENT.text
        if self.transfer.open:
            raise Denied(reason, SILENT.data())
        self.tell(SILENT)
        self.session.close(reason, Outcome.FAILED)

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

    def introduction(self, command: Command) -> bytes:
        """EHLO as the server hears it: with the client's address if it has not said a word."""
        if is_word(command.argument) and command.argument.isascii():
            return command.line()
        return evolve(command, argument=written_host(self.session.client.host)).line()

    async def forward(self, command: Command) -> Reply:
        """Ask the server, and answer with its words."""
        reply = await self.ask(command.verb, command.line())
        self.tell(reply)
        return reply

    async def refuse(self, refused: Refusal) -> None:
        """
        Answer in the gateway's own words, after a while if that was told.

        @raise Denied: that was once too often.
        """
        self.deadline.clear()
        if self._errors and self.settings.error_delay:
            await pause(self.session, min(self._errors * self.settings.error_delay, MOST_DELAY))
        self._errors += refused.counts
        if not refused.quiet:
            self.record("denied", refused.reason, refused.reply.text, refused.by)
        if self._errors >= self.settings.errors:
            reason = f"{self._errors} commands were refused, the last one for {refused.reason}"
            raise Denied(reason, refused.reply.data() + b"421 4.7.0 Too many errors\r\n", "errors")
        self.tell(refused.reply)

    def forgive(self) -> None:
        """A message was taken: who makes mistakes now and then is no nuisance."""
        self._errors = 0

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

    def lost(self, reason: str) -> None:
        """The server is gone, or can't be understood any more."""
        early = self.server.early
        if early is not None:
            self.session.deny(f"the server refused the message: {early.text}", early.data())
        elif self.quit or self.refused:  # it had said all
            self.session.close(reason, Outcome.PASSED if self.quit else Outcome.FAILED)
        elif self.server.doubtful:
            reason = f"{reason}, and may have taken the message"
            self.transfer.recorded = True
            self.record("failed", reason)
            self.server.fail(reason, LOST)
        else:
            self.server.fail(reason, LOST)

    def closed(self, verdict: Verdict) -> None:
        """The session is over: what came to no end leaves a record too."""
        refused = self.transfer.refused
        if self.transaction is None:
            self._left_open(verdict)
        elif self.transfer.recorded:
            pass
        elif refused is not None:
            reason, by = refused
            self.record("denied", reason, self._heard, by)
        else:
            self.record("failed", verdict.reason or verdict.outcome.value, self._heard)
        self.deadline.clear()
        self.server.forget()
        self._taken = None

    def _left_open(self, verdict: Verdict) -> None:
        """No mail has begun; but the server may do what it was asked for, and nobody hears."""
        command = UNANSWERED.get(self.server.awaited)
        if command is not None:
            why = verdict.reason or verdict.outcome.value
            self.record("failed", f"{why}; the server had not answered to {command}")

    def record(self, verdict: str, reason: str, answer: str = "", denied_by: str = "") -> None:
        """Write the audit record of something that was not done."""
        gateway = {"verdict": verdict, "reason": reason}
        if answer:
            gateway["answer"] = answer
        self.session.record("smtp", gateway, denied_by, **self.envelope())

    def envelope(self) -> dict[str, Any]:
        """What is known of the transaction, as audit fields."""
        fields: dict[str, Any] = {"helo": self.known.helo}
        if self.transaction is not None:
            fields["mail_from"] = f"<{self.transaction.sender}>"
            recipients = self.transaction.recipients or self.transaction.discarded
            if recipients:
                fields["rcpt_to"] = [f"<{each}>" for each in recipients]
        return fields

    @property
    def discard(self) -> Discard | None:
        """Why nobody is to get the present mail; C{None} if somebody is."""
        transaction = self.transaction
        if transaction is None or (transaction.recipients and transaction.discard is None):
            return None
        return transaction.discard or transaction.why

    def mail(self) -> Mail:
        """What is known of the mail whose content comes now."""
        assert self.transaction is not None
        others: dict[str, Any] = {}
        if self.transaction.discarded and self.transaction.recipients:
            others["discarded"] = [f"<{each}>" for each in self.transaction.discarded]
        if self.transaction.overshot:
            others["overshot"] = self.transaction.overshot
        mail, *recipients = self.transaction.said
        agreed = Agreed(mail, tuple(recipients), self.known.has)
        return Mail(self.envelope(), others, agreed, self._trace(), self.discard)

    def _trace(self) -> bytes:
        """The Received field for the next message, if there is to be one."""
        by = self.settings.received_by
        if not by:
            return b""
        assert self.transaction is not None
        known, tls = self.known, CLIENT in self.encrypted
        how = known.protocol(self.transaction.international, tls)
        return received(self.session, by, known.helo, how, self.messages + 1)

    def end_transaction(self) -> None:
        """No mail has begun any more."""
        self.transaction = None
        self.transfer.forget()
