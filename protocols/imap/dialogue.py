"""The Dialogue of IMAP: what both directions of one session know, and how it ends."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from gateway.interfaces import CLIENT, SERVER, Denied, ISession
from protocols.imap.command import Command
from protocols.imap.exchange import Exchange, record
from protocols.imap.refusal import Refusal
from protocols.imap.reply import Reply, plain, told
from protocols.imap.rights import Rights
from protocols.imap.settings import ImapSettings
from protocols.imap.standing import Standing
from protocols.imap.state import State
from protocols.mailbox import dialogue
from protocols.mailbox.dialogue import DENIED, FAILED, PASSED
from protocols.mailbox.goodbyes import Goodbyes

_SHOWN = 100
"""Characters of a name that are told to who looks at a session."""

_UNKNOWN = Command(b"*", "(unknown)")


class Dialogue(dialogue.Dialogue):
    """
    The state of one session.

    @ivar exchange: what the server has not answered yet; C{None}: it has.
    @ivar inside: the client would take what it is told for a part of something else.
    """

    goodbyes = Goodbyes(
        errors=told("BYE", "Too many commands were refused"),
        login=told("BYE", "Login took too long"),
        silence=told("BYE", "Nothing was said for too long"),
        slow=told("BYE", "The server does not answer"),
        closed=told("BYE", "The server closed the connection"),
        lost=told("BYE", "The server is lost"),
        unreachable=told("BYE", "The server can't be reached"),
        malformed=told("BYE", "The server sent what is no IMAP"),
    )
    inside = False

    def __init__(self, session: ISession) -> None:
        settings: ImapSettings = session.settings
        super().__init__(session, settings)
        self.settings = settings
        self.standing = Standing()
        self.rights = Rights(settings, self.standing)
        self.exchange: Exchange | None = None

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

    def greet(self, reply: Reply) -> None:
        """The server has greeted."""
        self.tell(reply)
        if reply.status == "PREAUTH":
            self._enter("")
        self.welcome()

    def secure(self, secured: bool) -> None:
        """TLS is spoken with both: what was told is forgotten (section 6.2.1); or with one."""
        self.rights.filter.secured = secured
        self.standing.server = frozenset()
        self.encrypted()

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
        self.accepted()
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
        self.entered()

    # Answers of the gateway's own

    def answer(self, reply: Reply, tag: bytes) -> None:
        """Answer to a command of the client's."""
        self.session.send(CLIENT, reply.written(tag))

    def parting(self, words: bytes) -> Reply:
        """An answer with these words that ends the session."""
        return Reply("BYE", plain(words))

    def refuse(self, command: Command | None, refusal: Refusal) -> None:
        """
        Answer in the server's place.

        @raise Denied: that was once too often.
        """
        command = command or _UNKNOWN
        answer = told(refusal.status, refusal.words, refusal.code)
        gateway = {"verdict": DENIED, "reason": refusal.reason, "answer": refusal.words}
        record(self.session, {**gateway, **refusal.record}, refusal.by, command)
        self.count(refusal.reason, answer.written(command.tag))
        self.answer(answer, command.tag)
        self.for_client()

    # Time

    def for_server(self) -> None:
        """It is the server's turn, if it was asked for something."""
        exchange = self.exchange
        if exchange is not None and not exchange.idles:
            super().for_server()

    # The end

    @property
    def logged_in(self) -> bool:
        """Whether the client is."""
        return self.standing.state is not State.BEFORE

    @property
    def quits(self) -> bool:
        """Whether the server was asked for nothing but to end this."""
        return self.exchange is not None and self.exchange.command.name == "LOGOUT"

    @property
    def left(self) -> bool:
        """Whether the client has gone, and waits for nothing."""
        waits = self.exchange is not None and not self.exchange.idles
        return not waits and self.client is not None and self.client.ended

    def unanswered(self, why: str, denied: Denied | None) -> None:
        """Record what was not answered, or not to its end."""
        verdict = PASSED if self.left else FAILED  # nobody says DONE who just hangs up
        exchange, self.exchange = self.exchange, None
        if exchange is None:
            return
        gateway: dict[str, Any] = {"verdict": verdict, "reason": why, **exchange.tally.record()}
        if denied is not None:
            gateway["verdict"] = DENIED
        by = denied.by if denied is not None else ""
        record(self.session, gateway, by, exchange.command)
