"""The Dialogue: what both directions of one session know, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from gateway.inspector import Deadline, Reader
from gateway.interfaces import CLIENT, SERVER, Denied, ISession, ITimer, Outcome
from protocols.pop3.command import Command, State
from protocols.pop3.exchange import Exchange, record
from protocols.pop3.refusal import Refusal
from protocols.pop3.reply import Reply
from protocols.pop3.rights import Rights
from protocols.pop3.settings import Pop3Settings

PASSED, DENIED, FAILED = Outcome.PASSED.value, Outcome.DENIED.value, Outcome.FAILED.value

_UNKNOWN = Command("(unknown)")
_TOO_MANY = Reply(False, b"Too many commands were refused; goodbye").written()
_NOTHING = Reply(False, b"Nothing to do; goodbye")
_SLOW_LOGIN = Reply(False, b"Login took too long; goodbye")
_SLOW_SERVER = Reply(False, b"The server does not answer; goodbye")


class Dialogue:
    """
    The state of one session.

    @ivar exchange: what the server has not answered yet; C{None}: it has.
    @ivar client: what the client has sent; C{None} before it did.
    @ivar encrypting: TLS has been agreed on, and is not spoken yet.
    @ivar user: whom the client says that it is; empty before it did, and if AUTH has it.
    """

    def __init__(self, session: ISession) -> None:
        settings: Pop3Settings = session.settings
        self.session = session
        self.settings = settings
        self.rights = Rights(settings)
        self.state = State.AUTHORIZATION
        self.exchange: Exchange | None = None
        self.client: Reader | None = None
        self.encrypting = settings.implicit
        self.user = ""
        self._greeted = False
        self._awaited: Deferred[None] | None = None
        self._errors = 0
        self._deadline = Deadline(session)
        self._login: ITimer | None = None

    @property
    def about(self) -> str:
        """Who has logged in, and what the server has not answered yet."""
        who = f"user {self.user}" if self.user else "no user named"
        said = [f"{self.state.value}, {who}"]
        if self.exchange is not None:
            said.append(f"{self.exchange.command.keyword} is to be answered")
        return "; ".join(said)

    # Who speaks

    def begin(self) -> None:
        """The client is there; it has to log in."""
        if self._login is None and self.settings.login_seconds:
            self._login = self.session.after(
                self.settings.login_seconds, self._late("login_seconds", _SLOW_LOGIN)
            )

    async def greeted(self) -> None:
        """Wait until the server has greeted."""
        if not self._greeted:
            await self._wait()

    async def settled(self) -> None:
        """Wait until TLS is spoken, if that was agreed on: the server may be first."""
        if self.encrypting:
            await self._wait()

    async def _wait(self) -> None:
        self._awaited = Deferred()
        await self._awaited

    def _go_on(self) -> None:
        awaited, self._awaited = self._awaited, None
        if awaited is not None:
            awaited.callback(None)

    def greet(self, reply: Reply) -> None:
        """The server has greeted."""
        self._greeted = True
        self.tell(reply)
        self.for_client()
        self._go_on()

    def secure(self, secured: bool) -> None:
        """TLS is spoken with both: all begins anew (RFC 2595, section 4); or with the client."""
        self.encrypting = False
        self.rights.secured = secured
        self.user = ""
        self._go_on()

    async def ask(self, exchange: Exchange, line: bytes) -> Reply:
        """Have the server do something; its answer, when the client has got it all."""
        self.exchange = exchange
        self._errors = 0
        self.for_server()
        self.session.send(SERVER, line)
        return await exchange.answered

    def answered(self, exchange: Exchange, reply: Reply) -> None:
        """The client has the answer."""
        self.exchange = None
        if not reply.challenge:
            self._entered(exchange.command, reply)
        self.for_client()
        exchange.answered.callback(reply)

    def _entered(self, command: Command, reply: Reply) -> None:
        """What an answer changes."""
        words = command.words
        if command.keyword in ("USER", "APOP") and words:
            self.user = words[0].decode("utf-8", "replace")
        logs_in = command.keyword in ("PASS", "APOP") or (command.keyword == "AUTH" and words)
        if logs_in and reply.positive:
            if command.keyword == "AUTH":  # which may be of another one than USER was
                self.user = ""
            self.state = State.TRANSACTION
            if self._login is not None:
                self._login.cancel()

    # Answers of the gateway's own

    def tell(self, reply: Reply) -> None:
        """Answer to the client."""
        self.session.send(CLIENT, reply.written())

    def refuse(self, command: Command | None, refusal: Refusal) -> None:
        """
        Answer in the server's place.

        @raise Denied: that was once too often.
        """
        answer = refusal.reply.text.decode("ascii")
        gateway = {"verdict": DENIED, "reason": refusal.reason, "answer": answer}
        record(self.session, gateway, refusal.by, command or _UNKNOWN)
        self._errors += 1
        if self._errors == self.settings.errors:
            reason = f"{self._errors} commands in a row were refused: {refusal.reason}"
            raise Denied(reason, refusal.reply.written() + _TOO_MANY, "errors")
        self.tell(refusal.reply)
        self.for_client()

    # Time

    def for_client(self) -> None:
        """It is the client's turn."""
        if self.state is State.TRANSACTION:
            self._set("command_seconds", self.settings.command_seconds, _NOTHING)
        else:
            self._deadline.clear()

    def for_server(self) -> None:
        """It is the server's turn."""
        self._set("reply_seconds", self.settings.reply_seconds, _SLOW_SERVER)

    def waits(self, setting: str | None) -> None:
        """See L{Waits<gateway.inspector.deadline.Waits>}: only the server is ever waited for."""
        if setting is None:
            self._deadline.clear()
        else:
            self.for_server()

    def _set(self, setting: str, seconds: float, goodbye: Reply) -> None:
        if seconds:
            self._deadline.set(seconds, self._late(setting, goodbye))
        else:
            self._deadline.clear()

    def _late(self, setting: str, goodbye: Reply) -> Callable[[], None]:
        seconds: float = getattr(self.settings, setting)
        return lambda: self.part(goodbye, f"time limit: {setting} = {seconds:g}")

    # The end

    @property
    def speaks(self) -> bool:
        """Whether the client would take what it is told for an answer."""
        inside = self.exchange is not None and self.exchange.inside
        return not inside and not self.encrypting

    @property
    def quits(self) -> bool:
        """Whether the server was asked for nothing but to end this."""
        return self.exchange is not None and self.exchange.command.keyword == "QUIT"

    def part(self, reply: Reply, reason: str, outcome: Outcome = Outcome.FAILED) -> None:
        """Say why, if the client would understand it, and end the session."""
        if self.speaks:
            self.tell(reply)
        self.over(reason)
        self.session.close(reason, outcome)

    def over(self, why: str, denied: Denied | None = None) -> None:
        """
        Record what was not answered, or not to its end.

        @param denied: what ended it, if it was that.
        """
        self._deadline.clear()
        if self._login is not None:
            self._login.cancel()
        exchange, self.exchange = self.exchange, None
        if exchange is None:
            return
        gateway: dict[str, Any] = {"verdict": FAILED, "reason": why}
        if denied is not None:
            gateway["verdict"] = DENIED
        if exchange.message is not None:
            gateway |= exchange.message.record()
        by = denied.by if denied is not None else ""
        record(self.session, gateway, by, exchange.command)
