"""The Dialogue: what both directions of one session know, and how it ends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Protocol

from twisted.internet.defer import Deferred

from gateway.inspector import Deadline, Reader
from gateway.interfaces import CLIENT, Denied, ISession, ITimer, Outcome
from protocols.mailbox.goodbyes import Goodbyes, Words
from protocols.tls.encryption import Encryption

PASSED, DENIED, FAILED = Outcome.PASSED.value, Outcome.DENIED.value, Outcome.FAILED.value


class Settings(Protocol):
    """What has to be known of them here."""

    @property
    def implicit(self) -> bool:
        """Whether clients speak TLS from the first byte on."""

    @property
    def tls(self) -> Encryption:
        """What must be agreed in it."""

    @property
    def errors(self) -> int:
        """How many commands in a row may be refused."""

    @property
    def login_seconds(self) -> float:
        """Time to log in."""

    @property
    def command_seconds(self) -> float:
        """Time for the next command."""

    @property
    def reply_seconds(self) -> float:
        """Time for an answer."""


class Dialogue(ABC):
    """
    The state of one session.

    @cvar goodbyes: what the client hears when it ends.
    @ivar client: what the client has sent; C{None} before it did.
    @ivar encrypting: TLS has been agreed on, and is not spoken yet.
    """

    goodbyes: ClassVar[Goodbyes]

    def __init__(self, session: ISession, limits: Settings) -> None:
        self.session = session
        self.client: Reader | None = None
        self.encrypting = limits.implicit
        self._limits = limits
        self._greeted = False
        self._awaited: Deferred[None] | None = None
        self._errors = 0
        self._deadline = Deadline(session)
        self._login: ITimer | None = None

    # The protocol's own

    @property
    @abstractmethod
    def about(self) -> str:
        """One line about the session."""

    @property
    @abstractmethod
    def logged_in(self) -> bool:
        """Whether the client is."""

    @property
    @abstractmethod
    def inside(self) -> bool:
        """Whether the client would take what it is told for a part of something else."""

    @property
    @abstractmethod
    def quits(self) -> bool:
        """Whether the server was asked for nothing but to end this."""

    @property
    @abstractmethod
    def left(self) -> bool:
        """Whether the client has gone, and waits for nothing."""

    @abstractmethod
    def parting(self, words: bytes) -> Words:
        """An answer with these words that ends the session."""

    @abstractmethod
    def secure(self, secured: bool) -> None:
        """TLS is spoken with both; or with the client, and there is no server."""

    @abstractmethod
    def unanswered(self, why: str, denied: Denied | None) -> None:
        """Record what was not answered, or not to its end; see L{over}."""

    # Who speaks

    def begin(self) -> None:
        """The client is there; it has to log in."""
        if self._login is None and self._limits.login_seconds:
            self._login = self.session.after(
                self._limits.login_seconds, self._late("login_seconds", self.goodbyes.login)
            )

    def entered(self) -> None:
        """It has."""
        if self._login is not None:
            self._login.cancel()

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

    def welcome(self) -> None:
        """The client has the server's greeting."""
        self._greeted = True
        self.for_client()
        self._go_on()

    def encrypted(self) -> None:
        """TLS is spoken."""
        self.encrypting = False
        self._go_on()

    # Answers of the gateway's own

    def tell(self, reply: Words) -> None:
        """Answer to the client."""
        self.session.send(CLIENT, reply.written())

    def accepted(self) -> None:
        """A command goes to the server: what is refused is counted from here."""
        self._errors = 0

    def count(self, reason: str, answer: bytes) -> None:
        """
        A command was refused.

        @param answer: what the client hears of it.
        @raise Denied: that was once too often.
        """
        self._errors += 1
        if self._errors == self._limits.errors:
            reason = f"{self._errors} commands in a row were refused: {reason}"
            raise Denied(reason, answer + self.goodbyes.errors.written(), "errors")

    # Time

    def for_client(self) -> None:
        """It is the client's turn."""
        if self.logged_in:
            self._set("command_seconds", self.goodbyes.silence)
        else:
            self._deadline.clear()

    def for_server(self) -> None:
        """It is the server's turn."""
        self._set("reply_seconds", self.goodbyes.slow)

    def for_nobody(self) -> None:
        """What is waited for is the gateway's own business."""
        self._deadline.clear()

    def _set(self, setting: str, goodbye: Words) -> None:
        seconds: float = getattr(self._limits, setting)
        if seconds:
            self._deadline.set(seconds, self._late(setting, goodbye))
        else:
            self._deadline.clear()

    def _late(self, setting: str, goodbye: Words) -> Callable[[], None]:
        seconds: float = getattr(self._limits, setting)
        return lambda: self.part(goodbye, f"time limit: {setting} = {seconds:g}")

    # The end

    @property
    def speaks(self) -> bool:
        """Whether the client would take what it is told for an answer."""
        return not self.inside and not self.encrypting

    def quit(self) -> None:
        """The server has gone in place of an answer to the client, which wanted that."""
        self.session.done()

    def part(self, reply: Words, reason: str, outcome: Outcome = Outcome.FAILED) -> None:
        """Say why, if the client would understand it, and end the session."""
        if self.speaks:
            self.tell(reply)
        self.over(reason)
        self.session.close(reason, outcome)

    def over(self, why: str, denied: Denied | None = None) -> None:
        """
        Nobody is waited for any more. Record what was not answered, or not to its end.

        @param denied: what ended it, if it was that.
        """
        self._deadline.clear()
        if self._login is not None:
            self._login.cancel()
        self.unanswered(why, denied)
