"""The Dialogue of POP3: what both directions of one session know, and how it ends."""

from __future__ import annotations

from typing import Any

from gateway.interfaces import SERVER, Denied, ISession
from protocols.mailbox import dialogue
from protocols.mailbox.dialogue import DENIED, FAILED
from protocols.mailbox.goodbyes import Goodbyes
from protocols.pop3.command import Command, State
from protocols.pop3.exchange import Exchange, record
from protocols.pop3.refusal import Refusal
from protocols.pop3.reply import Reply
from protocols.pop3.rights import Rights
from protocols.pop3.settings import Pop3Settings

_UNKNOWN = Command("(unknown)")
_BYE = Reply(True, b"Goodbye")


class Dialogue(dialogue.Dialogue):
    """
    The state of one session.

    @ivar exchange: what the server has not answered yet; C{None}: it has.
    @ivar user: whom the client says that it is; empty before it did, and if AUTH has it.
    """

    goodbyes = Goodbyes(
        errors=Reply(False, b"Too many commands were refused; goodbye"),
        login=Reply(False, b"Login took too long; goodbye"),
        silence=Reply(False, b"Nothing to do; goodbye"),
        slow=Reply(False, b"The server does not answer; goodbye"),
        closed=Reply(False, b"The server closed the connection"),
        lost=Reply(False, b"The server is lost"),
        unreachable=Reply(False, b"The server can't be reached"),
        malformed=Reply(False, b"The server sent what is no POP3; goodbye"),
    )

    def __init__(self, session: ISession) -> None:
        settings: Pop3Settings = session.settings
        super().__init__(session, settings)
        self.settings = settings
        self.rights = Rights(settings)
        self.state = State.AUTHORIZATION
        self.exchange: Exchange | None = None
        self.user = ""

    @property
    def about(self) -> str:
        """Who has logged in, and what the server has not answered yet."""
        who = f"user {self.user}" if self.user else "no user named"
        said = [f"{self.state.value}, {who}"]
        if self.exchange is not None:
            said.append(f"{self.exchange.command.keyword} is to be answered")
        return "; ".join(said)

    # Who speaks

    def greet(self, reply: Reply) -> None:
        """The server has greeted."""
        self.tell(reply)
        self.welcome()

    def secure(self, secured: bool) -> None:
        """TLS is spoken with both: all begins anew (RFC 2595, section 4); or with the client."""
        self.rights.secured = secured
        self.user = ""
        self.encrypted()

    async def ask(self, exchange: Exchange, line: bytes) -> Reply:
        """Have the server do something; its answer, when the client has got it all."""
        self.exchange = exchange
        self.accepted()
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
            self.entered()

    # Answers of the gateway's own

    def parting(self, words: bytes) -> Reply:
        """An answer with these words that ends the session."""
        return Reply(False, words)

    def refuse(self, command: Command | None, refusal: Refusal) -> None:
        """
        Answer in the server's place.

        @raise Denied: that was once too often.
        """
        answer = refusal.reply.text.decode("ascii")
        gateway = {"verdict": DENIED, "reason": refusal.reason, "answer": answer}
        record(self.session, gateway, refusal.by, command or _UNKNOWN)
        self.count(refusal.reason, refusal.reply.written())
        self.tell(refusal.reply)
        self.for_client()

    # Time

    def waits(self, setting: str | None) -> None:
        """See L{Waits<gateway.inspector.deadline.Waits>}: only the server is ever waited for."""
        if setting is None:
            self.for_nobody()
        else:
            self.for_server()

    # The end

    @property
    def logged_in(self) -> bool:
        """Whether the client is."""
        return self.state is State.TRANSACTION

    @property
    def inside(self) -> bool:
        """Whether the client would take what it is told for a part of a block."""
        return self.exchange is not None and self.exchange.inside

    @property
    def quits(self) -> bool:
        """Whether the server was asked for nothing but to end this."""
        return self.exchange is not None and self.exchange.command.keyword == "QUIT"

    @property
    def left(self) -> bool:
        """Whether the client has gone, and waits for nothing."""
        return self.exchange is None and self.client is not None and self.client.ended

    def quit(self) -> None:
        """The server has gone in place of an answer to QUIT."""
        self.tell(_BYE)
        super().quit()

    def unanswered(self, why: str, denied: Denied | None) -> None:
        """Record what was not answered, or not to its end."""
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
