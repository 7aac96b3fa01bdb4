"""
Server: asks the server one thing at a time.

A client may send commands without waiting (RFC 2920); they are passed on one
by one, each after the answer to the one before. So there is never a doubt
which command a reply belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.internet.defer import Deferred

from gateway.inspector import CutOff, Deadline, Reader
from gateway.interfaces import CLIENT, SERVER, Denied, ISession, Outcome
from protocols.smtp.grammar.reply import Reply
from protocols.smtp.settings import SMTPSettings

CONTENT = "content"
LAST = "the last chunk"
CONTINUATION = "continuation"
GREETING = "greeting"

EXPECTED: Mapping[str, str] = {"DATA": "3", "AUTH": "23", CONTINUATION: "23"}
"""
First digits of what may be answered to what, refusals (4, 5) apart; 2 to everything
else. The digits behind it differ from server to server, and a client has to go by the
first one (RFC 5321, section 4.2).
"""


class Doubtful(Exception):
    """The server has the end of a message, and what it says of it can't be understood."""


LOST = Reply.of(421, "4.4.2 The mail server broke the connection off; try again later")
SLOW = Reply.of(421, "4.4.2 The mail server does not answer; try again later")
CONFUSED = Reply.of(421, "4.5.0 The mail server made no sense; try again later")


class Server:
    """
    The server's replies, for the client's coroutine to await.

    @param greet: called with the greeting, before anybody else hears of it.
    @ivar greeted: the greeting has come.
    @ivar early: the server has refused a message before it had all of it.
    """

    def __init__(
        self, session: ISession, deadline: Deadline, greet: Callable[[Reply], None]
    ) -> None:
        self._session = session
        self._settings: SMTPSettings = session.settings
        self._deadline = deadline
        self._greet: Callable[[Reply], None] | None = greet
        self._asked = GREETING
        self._answer: Deferred[Reply] | None = None
        self._left = False
        self.greeted = False
        self.early: Reply | None = None

    # For the client's coroutine

    def greeting(self) -> Deferred[Reply]:
        """The server's first words, to be awaited while C{greeted} is false."""
        answer = self._answer = Deferred()
        return answer

    def ask(self, what: str, data: bytes) -> Deferred[Reply]:
        """
        Send C{data}.

        @param what: the verb, or what else it is.
        @return: fires with the reply. Whatever does not fit ends the session.
        """
        assert self._answer is None, "one thing at a time"
        self._asked = what
        self.early = None
        answer = self._answer = Deferred()
        self._session.send(SERVER, data)
        if what in (CONTENT, LAST):
            self._left = False
            self._session.flushed(SERVER).addCallback(self._all_left)
        self.wait()
        return answer

    def wait(self) -> None:
        """From now on, it takes its time to answer."""
        final = self._asked in (CONTENT, LAST)
        limit = self._settings.message_seconds if final else self._settings.reply_seconds
        self._deadline.set(limit, self._missed)

    def _missed(self) -> None:
        what = "message_seconds" if self._asked in (CONTENT, LAST) else "reply_seconds"
        self.fail(f"the server did not answer to {self._asked} (setting '{what}')", SLOW)

    def _all_left(self, nothing: None) -> None:
        self._left = True

    def forget(self) -> None:
        """The session is over: nobody waits for an answer any more, and there is no circle."""
        self._answer = self._greet = None

    # For the server's coroutine

    async def listen(self, read: Reader, transfers: Callable[[], bool]) -> Reply | None:
        """
        Tell of one reply after the other.

        @param transfers: whether the server has a part of a message, which it may refuse.
        @return: a reply that nobody had asked for: a server may say 421 at
            any time (RFC 5321, section 3.8). C{None}: the server ended, perhaps within a reply.
        @raise Denied: what came does not fit.
        """
        while await read.more():
            try:
                reply = await self._read(read)
            except CutOff:
                return None
            if not self._waits:
                if transfers() and not reply.positive and reply.code != 421:
                    self.early = reply
                    continue
                return _unasked(reply)
            self._check(reply)
            self._answered(reply)
        return None

    @property
    def _waits(self) -> bool:
        return self._answer is not None or not self.greeted

    def _answered(self, reply: Reply) -> None:
        answer, self._answer = self._answer, None
        self._deadline.clear()
        if not self.greeted:
            self.greeted = True
            assert self._greet is not None
            self._greet(reply)
        if answer is not None:
            answer.callback(reply)

    @property
    def owes(self) -> bool:
        """Whether a reply is awaited."""
        return self._answer is not None

    @property
    def awaited(self) -> str:
        """What it has yet to answer to; empty if there is nothing."""
        return self._asked if self.owes else ""

    @property
    def doubtful(self) -> bool:
        """
        Whether the server has the end of a message and has not answered to it:
        nobody knows whether it took it.
        """
        return self.owes and self._asked in (CONTENT, LAST) and self._left

    def fail(self, reason: str, reply: Reply) -> None:
        """
        It is of no use any more. Not said to be the client's fault, or its own doing.

        To "try again later" would be a lie about a message that the server may
        have taken. The end of the connection is what the client would get without a
        gateway, and it knows what to make of it (RFC 5321, sections 4.2.5, 6.1; RFC 1047).
        """
        if not self.doubtful:
            self._session.send(CLIENT, reply.data())
        self._session.close(reason, Outcome.FAILED)

    async def _read(self, read: Reader) -> Reply:
        try:
            return await Reply.read(read)
        except CutOff:
            raise
        except Denied as denied:
            raise self._senseless(denied.reason) from None

    def _check(self, reply: Reply) -> None:
        digit = str(reply.code)[0]
        if reply.positive and digit not in EXPECTED.get(self._asked, "2"):
            reason = f"the server answered {reply.text[:100]!r} to {self._asked}"
            raise self._senseless(reason)

    def _senseless(self, reason: str) -> Exception:
        """
        What the server says fits nothing. It gets a reset, but for a message that it may have
        taken: a client that is reset then would send it again, and again.
        """
        if self.doubtful:
            return Doubtful(reason)
        return Denied(reason, CONFUSED.data())


def _unasked(reply: Reply) -> Reply:
    if reply.code != 421:
        reason = f"the server said {reply.text[:100]!r}, and nobody had asked"
        raise Denied(reason, CONFUSED.data())
    return reply
