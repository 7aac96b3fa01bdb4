"""The Dialogue: what both directions of one session know, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from gateway.inspector import Deadline, Reader
from gateway.interfaces import CLIENT, SERVER, Denied, ISession, ITimer, Outcome
from protocols.imap.command import Command
from protocols.imap.exchange import Exchange, record
from protocols.imap.refusal import Refusal
from protocols.imap.reply import Reply, told
from protocols.imap.rights import Rights
from protocols.imap.settings import ImapSettings
from protocols.imap.standing import Standing
from protocols.imap.state import State

PASSED, DENIED, FAILED = Outcome.PASSED.value, Outcome.DENIED.value, Outcome.FAILED.value

_SHOWN = 100
"""Characters of a name that are told to who looks at a session."""

_UNKNOWN = Command(b"*", "(unknown)")
_TOO_MANY = told("BYE", "Too many commands were refused").written()
_NOTHING = told("BYE", "Nothing was said for too long")
_SLOW_LOGIN = told("BYE", "Login took too long")
_SLOW_SERVER = told("BYE", "The server does not answer")


class Dialogue:
    """
    The state of one session.

    @ivar exchange: what the server has not answered yet; C{None}: it has.
    @ivar client: what the client has sent; C{None} before it did.
    @ivar encrypting: TLS has been agreed on, and is not spoken yet.
    @ivar inside: the client would take what it is told for a part of something else.
    """

    def __init__(self, session: ISession) -> None:
        settings: ImapSettings = session.settings
        self.session = session
        self.settings = settings
        self.standing = Standing()
        self.rights = Rights(settings, self.standing)
        self.exchange: Exchange | None = None
        self.client: Reader | None = None
        self.encrypting = settings.implicit
        self.inside = False
        self._greeted = False
        self._awaited: Deferred[None] | None = None
        self._errors = 0
        self._deadline = Deadline(session)
        self._login: ITimer | None = None

    @property
    def about(self) -> str:
        """Who has logged in, which mailbox is used, and what the server has not answered yet."""
        standing = self.standing
        said = [standing.state.value]
        if standing.user:
            said[0] += f", user {standing.user[:_SHOWN]}"
        if standing.mailbox:
            said.append(f"mailbox {standing.mailbox[:_SHOWN]!r}")
        if self.exchange is not None:
            idle = "the client waits for news" if self.exchange.idles else ""
            said.append(idle or f"{self.exchange.command.name} is to be answered")
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
        if reply.status == "PREAUTH":
            self._enter("")
        self.for_client()
        self._go_on()

    def secure(self, secured: bool) -> None:
        """TLS is spoken with both: what was told is forgotten (section 6.2.1); or with one."""
        self.encrypting = False
        self.rights.filter.secured = secured
        self.standing.server = frozenset()
        self._go_on()

    async def ask(self, exchange: Exchange, data: bytes, goes_on: bool = False) -> Reply:
        """
        Have the server do something.

        @param goes_on: it may want to hear more.
        @return: what it says to that; the client has got it, unless it wants to hear more.
        """
        exchange.goes_on = goes_on
        exchange.spoken = Deferred()
        self.begin_exchange(exchange, data)
        return await exchange.spoken

    def begin_exchange(self, exchange: Exchange, data: bytes) -> None:
        """Tell the server something of a command."""
        self.exchange = exchange
        self._errors = 0
        self.for_server()
        self.session.send(SERVER, data)

    def said(self, exchange: Exchange, reply: Reply) -> None:
        """The server has spoken: it wants to hear more, or the client has its answer."""
        exchange.goes_on = False
        if not reply.goes_on:
            exchange.reply = reply
            self.exchange = None
            self._changed(exchange.command, reply)
        self.for_client()
        spoken, exchange.spoken = exchange.spoken, None
        if spoken is not None:
            spoken.callback(reply)

    def _changed(self, command: Command, reply: Reply) -> None:
        """What an answer changes."""
        standing = self.standing
        if command.name in ("LOGIN", "AUTHENTICATE") and reply.positive:
            self._enter(command.user)
        elif command.name in ("SELECT", "EXAMINE"):
            standing.state = State.SELECTED if reply.positive else State.INSIDE
            names = [mailbox.name for mailbox in command.mailboxes]
            standing.mailbox = names[0] if reply.positive else ""
            standing.read_only = reply.positive and self.rights.only_read(command)
        elif command.name in ("CLOSE", "UNSELECT") and reply.positive:
            standing.state, standing.mailbox = State.INSIDE, ""

    def _enter(self, user: str) -> None:
        self.standing.user = user
        self.standing.state = State.INSIDE
        if self._login is not None:
            self._login.cancel()

    # Answers of the gateway's own

    def tell(self, reply: Reply, tag: bytes = b"*") -> None:
        """Answer to the client."""
        self.session.send(CLIENT, reply.written(tag))

    def refuse(self, command: Command | None, refusal: Refusal) -> None:
        """
        Answer in the server's place.

        @raise Denied: that was once too often.
        """
        command = command or _UNKNOWN
        answer = told(refusal.status, refusal.words, refusal.code)
        gateway = {"verdict": DENIED, "reason": refusal.reason, "answer": refusal.words}
        record(self.session, {**gateway, **refusal.record}, refusal.by, command)
        self._errors += 1
        if self._errors == self.settings.errors:
            reason = f"{self._errors} commands in a row were refused: {refusal.reason}"
            raise Denied(reason, answer.written(command.tag) + _TOO_MANY, "errors")
        self.tell(answer, command.tag)
        self.for_client()

    # Time

    def for_client(self) -> None:
        """It is the client's turn."""
        if self.standing.state is State.BEFORE:
            self._deadline.clear()
        else:
            self._set("command_seconds", self.settings.command_seconds, _NOTHING)

    def for_server(self) -> None:
        """It is the server's turn, if it was asked for something."""
        exchange = self.exchange
        if exchange is not None and not exchange.idles:
            self._set("reply_seconds", self.settings.reply_seconds, _SLOW_SERVER)

    def for_nobody(self) -> None:
        """What is waited for is the gateway's own business."""
        self._deadline.clear()

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
        return not self.inside and not self.encrypting

    @property
    def quits(self) -> bool:
        """Whether the server was asked for nothing but to end this."""
        return self.exchange is not None and self.exchange.command.name == "LOGOUT"

    @property
    def left(self) -> bool:
        """Whether the client has gone, and waits for nothing."""
        waits = self.exchange is not None and not self.exchange.idles
        return not waits and self.client is not None and self.client.ended

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
        verdict = PASSED if self.left else FAILED  # nobody says DONE who just hangs up
        exchange, self.exchange = self.exchange, None
        if exchange is None:
            return
        gateway: dict[str, Any] = {"verdict": verdict, "reason": why, **exchange.tally.record()}
        if denied is not None:
            gateway["verdict"] = DENIED
        by = denied.by if denied is not None else ""
        record(self.session, gateway, by, exchange.command)
