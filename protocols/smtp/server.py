"""
Server: asks the server one thing at a time.

A client may send commands without waiting (RFC 2920); they are passed on one
by one, each after the answer to the one before. So there is never a doubt
which command a reply belongs to.
"""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.defer import Deferred

from gateway.inspector import Reader
from gateway.interfaces import CLIENT, SERVER, Denied, ISession, Outcome
from protocols.smtp.deadline import Deadline
from protocols.smtp.grammar.reply import Reply
from protocols.smtp.settings import SMTPSettings

CONTENT = "content"
LAST = "the last chunk"
CONTINUATION = "continuation"
GREETING = "greeting"

POSITIVE: Mapping[str, frozenset[int]] = {
    GREETING: frozenset({220}),
    "HELO": frozenset({250}),
    "EHLO": frozenset({250}),
    "MAIL": frozenset({250}),
    "RCPT": frozenset({250, 251, 252}),
    "DATA": frozenset({354}),
    CONTENT: frozenset({250}),
    "BDAT": frozenset({250}),
    LAST: frozenset({250}),
    "RSET": frozenset({250}),
    "NOOP": frozenset({250}),
    "VRFY": frozenset({250, 251, 252}),
    "EXPN": frozenset({250, 252}),
    "HELP": frozenset({211, 214, 250}),
    "ETRN": frozenset({250, 251, 252, 253}),
    "AUTH": frozenset({235, 334}),
    CONTINUATION: frozenset({235, 334}),
    "STARTTLS": frozenset({220}),
    "QUIT": frozenset({221}),
}
"""
What may be answered to what, refusals (4xx, 5xx) apart: RFC 5321, section 4.3.2, and the RFCs
of the extensions. 252 for RCPT is in the wild; a client takes it as 250.
"""

LOST = Reply.of(421, "4.4.2 The mail server broke the connection off; try again later")
SLOW = Reply.of(421, "4.4.2 The mail server does not answer; try again later")
CONFUSED = Reply.of(421, "4.5.0 The mail server made no sense; try again later")


class Server:
    """The server's replies, for the client's coroutine to await."""

    def __init__(self, session: ISession, deadline: Deadline) -> None:
        self._session = session
        self._settings: SMTPSettings = session.settings
        self._deadline = deadline
        self._asked = GREETING
        self._greeting: Deferred[Reply] | None = Deferred()
        self._answer: Deferred[Reply] | None = self._greeting
        self._left = False
        self.greeted = False

    # For the client's coroutine

    def ask(self, what: str, data: bytes) -> Deferred[Reply]:
        """
        Send C{data}.

        @param what: a key of L{POSITIVE}.
        @return: fires with the reply. Whatever does not fit denies the session.
        """
        assert self._answer is None, "one thing at a time"
        self._asked = what
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
        self._answer = self._greeting = None

    def greeting(self) -> Deferred[Reply]:
        """The server's first words, to be awaited while C{greeted} is false."""
        assert self._greeting is not None
        return self._greeting

    # For the server's coroutine

    async def listen(self, read: Reader) -> Reply | None:
        """
        Tell of one reply after the other.

        @return: a reply that nobody had asked for: a server may say 421 at
            any time (RFC 5321, section 3.8). L{None}: the server ended.
        @raise Denied: what came does not fit.
        """
        while await read.more():
            reply = await self._read(read)
            if self._answer is None:
                return _unasked(reply)
            self._check(reply)
            answer, self._answer = self._answer, None
            self.greeted = True
            self._deadline.clear()
            answer.callback(reply)
        return None

    @property
    def owes(self) -> bool:
        """Whether a reply is awaited."""
        return self._answer is not None

    @property
    def doubtful(self) -> bool:
        """
        Whether the server has the end of a message and has not answered to it:
        nobody knows whether it took it.
        """
        return self.owes and self._asked in (CONTENT, LAST) and self._left

    def refusal(self, reply: Reply) -> bytes:
        """
        What a client is told when the server fails.

        To "try again later" would be a lie about a message that the server may
        have taken. Silence is what the client would get without a gateway, and it
        knows what to make of it (RFC 5321, sections 4.2.5, 6.1; RFC 1047).
        """
        return b"" if self.doubtful else reply.data()

    def fail(self, reason: str, reply: Reply) -> None:
        """It is of no use any more. Not said to be the client's fault, or its own doing."""
        self._session.send(CLIENT, self.refusal(reply))
        self._session.close(reason, Outcome.FAILED)

    async def _read(self, read: Reader) -> Reply:
        try:
            return await Reply.read(read)
        except Denied as denied:
            reply = LOST if read.ended else CONFUSED
            raise Denied(denied.reason, self.refusal(reply)) from None

    def _check(self, reply: Reply) -> None:
        if reply.positive and reply.code not in POSITIVE[self._asked]:
            reason = f"the server answered {reply.text[:100]!r} to {self._asked}"
            raise Denied(reason, self.refusal(CONFUSED))


def _unasked(reply: Reply) -> Reply:
    if reply.code != 421:
        reason = f"the server said {reply.text[:100]!r}, and nobody had asked"
        raise Denied(reason, CONFUSED.data())
    return reply
