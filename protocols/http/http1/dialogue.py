"""
Dialogue: what one session's requests and answers have in common.

Both directions go by it: which requests wait for their answers, whether there may be another, and
how the gateway itself answers and records.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from gateway.interfaces import CLIENT, Denied, ISession, Outcome, Unreachable
from protocols.http.decision import IDecisions, Redirect, Refuse
from protocols.http.http1.bond import Bond
from protocols.http.http1.download import Download
from protocols.http.http1.pending import Pending
from protocols.http.malformed import Malformed
from protocols.http.message import Field, Headers
from protocols.http.names import Unknown
from protocols.http.reply import reply
from protocols.http.route import Route
from protocols.http.settings import CoreSettings
from protocols.http.stacked import BodyRefused
from protocols.http.status import BAD_GATEWAY, GATEWAY_TIMEOUT, SERVICE_UNAVAILABLE
from protocols.http.transaction import DENIED, FAILED, Transaction

STALE = 1.0
"""Seconds: who has closed a connection, or forgotten it, says so by then when asked."""


class Dialogue:
    """
    The state of one session of HTTP/1.

    @ivar pending: requests that wait for the end of their answers.
    @ivar current: the request that is being read, decided or sent.
    @ivar bond: what ties the two connections.
    @ivar last: the last response was sent; no request may follow.
    @ivar rested: when the last answer was complete.
    @ivar over: the session is.
    @ivar left: what follows is not HTTP.
    @ivar asking: a request is being read, or what is done with it is awaited.
    @ivar answering: an answer is being read.
    @ivar count: how many requests there were.
    @ivar route: which server they go to.
    @ivar download: what a browser waits for that has a page about it.
    """

    def __init__(self, session: ISession, decisions: IDecisions) -> None:
        self.session = session
        self.settings: CoreSettings = session.settings
        self.decisions = decisions
        self.pending = Pending()
        self.last = self.over = self.left = False
        self.asking = self.answering = False
        self.count = 0
        self.route = Route(session, session.settings)
        self.bond = Bond(session, self.route, session.settings.keep_client)
        self._connecting: Deferred[None] | None = None
        self.current: Transaction | None = None
        self.download: Download | None = None
        self.rested = session.now

    @property
    def rests(self) -> bool:
        """Whether all that was asked is answered, and more could be asked."""
        current = self.current
        return not (self.last or self.left or self.pending) and (
            current is None or current.recorded
        )

    @property
    def is_last(self) -> bool:
        """Whether the next request is the last one that the limit allows."""
        return self.count + 1 == self.settings.limits.requests

    @property
    def about(self) -> str:
        """The request that is under way, or that there is none."""
        under_way = self.pending.oldest or self.current
        if self.left:
            return "what follows is not HTTP"
        if under_way is None or under_way.recorded:
            return f"requests: {self.count}, all answered" if self.count else "no request yet"
        return f"requests: {self.count}; {under_way.about}"

    # Whoever connects for one that is not read in the general way

    async def connected_to(self) -> None:
        """Wait until the request that is connected for has been sent, if there is one."""
        if self.current is not None:
            self._connecting = Deferred()
            await self._connecting

    def connected(self) -> None:
        """It has been sent. The last thing to do: what goes on may end the session."""
        connecting, self._connecting = self._connecting, None
        if connecting is None:
            self.asking = False
        else:
            connecting.callback(None)

    # What the policy says

    def further_asked(self, headers: Headers) -> Headers:
        """
        The trailers of a request that pass.

        @raise Malformed: the policy does not have them.
        """
        return _allowed(self.decisions.further_asked(headers))

    def further_answered(self, headers: Headers) -> Headers:
        """The same for those of a response, and for the headers of 1xx ones."""
        return _allowed(self.decisions.further_answered(headers))

    # What the gateway says itself

    def reply(
        self, transaction: Transaction, status: int, reason: str, about: int = 0, words: str = ""
    ) -> bytes:
        """
        The gateway's own answer to what can't be dealt with.

        @param about: see L{IDecisions.page}; and C{words} too.
        """
        page = self.decisions.page(status, reason, transaction.request, about, words)
        transaction.status = status
        transaction.reply = reply(status, page, transaction.request, self.session.date())
        return transaction.reply

    def decided(self, transaction: Transaction, decision: Refuse | Redirect, close: bool) -> bytes:
        """The policy's answer."""
        request, status = transaction.request, decision.status
        if isinstance(decision, Refuse) and decision.silent:
            return b""
        transaction.status = status
        page = self.decisions.page(status, decision.reason, request)
        if isinstance(decision, Redirect):
            headers: tuple[Field, ...] = (("Location", decision.location),)
        else:
            page, headers = decision.page or page, decision.headers
        transaction.reply = reply(status, page, request, self.session.date(), close, headers)
        return transaction.reply

    # How it ends

    def asks_again(self, oldest: Transaction, begun: bool) -> bool:
        """
        Whether the client knows what to do if its answer does not come: on a connection that it
        has used before, it takes that for the end of the connection, and asks again.

        But not if an upload was well under way, which a browser would send again on every
        connection that it has; and not if the server has answered nothing on this one: it might
        do so again.

        @param begun: some of the answer's head has come.
        """
        if self.bond.fresh or begun or oldest.response is not None:
            return False
        return not oldest.uploads or self.session.now - oldest.began < STALE

    def unreachable(self, transaction: Transaction, error: Unreachable) -> None:
        """There is no server; the client hears so, and whether it took too long."""
        status = GATEWAY_TIMEOUT if "timed out" in str(error) else BAD_GATEWAY
        if isinstance(error, Unknown):
            status = SERVICE_UNAVAILABLE
        self.give_up(transaction, f"server unreachable: {error}", status)

    def give_up(self, transaction: Transaction, reason: str, status: int = 0) -> None:
        """Close; the client hears why if there is a status. Else it will try again by itself."""
        if status:
            self.session.send(CLIENT, self.reply(transaction, status, reason))
        self.record(transaction, FAILED, reason)
        self.session.close(reason, Outcome.FAILED)

    def unanswered(self, oldest: Transaction, reason: str, status: int = BAD_GATEWAY) -> None:
        """There will be no answers any more; the client reads so, unless the status is 0."""
        if status:
            self.session.send(CLIENT, self.reply(oldest, status, reason))
        for each in tuple(self.pending):
            self.record(each, FAILED, reason)
        self.session.close(reason, Outcome.FAILED)

    def break_off(self, oldest: Transaction, reason: str) -> None:
        """
        An answer that has begun will not come to its end. The client gets what there is of it,
        and then the end, unless it would take that for the answer's.

        @raise Denied: it would.
        """
        self.record(oldest, FAILED, reason)
        if not oldest.delimited:
            raise Denied(reason)
        self.session.close(reason, Outcome.FAILED)

    def closed(self, reason: str) -> None:
        """The session is over. What was not completed is recorded."""
        self.over = True
        self.download = None
        for transaction in (*self.pending, *([self.current] if self.current else [])):
            self.record(transaction, FAILED, reason)
            transaction.request_body = transaction.response_body = None  # they may know this

    def record(
        self,
        transaction: Transaction,
        verdict: str,
        reason: str = "",
        offset: int | None = None,
        by: str = "",
    ) -> None:
        """
        Write the audit record of a transaction; once.

        @param by: what denied it.
        """
        if not transaction.recorded:
            fields, gateway = transaction.record(verdict, reason, offset)
            self.session.record("http", gateway, by, **fields)

    def record_refused(
        self, transaction: Transaction, denied: Denied, verdict: str = DENIED
    ) -> None:
        """Write the audit record of what could not be understood, or must not pass."""
        offset = denied.offset if isinstance(denied, Malformed) else None
        if isinstance(denied, BodyRefused) and denied.failed:
            verdict = FAILED
        by = denied.by if verdict == DENIED else ""
        self.record(transaction, verdict, denied.reason, offset, by)


def _allowed(decided: Headers | Refuse) -> Headers:
    if isinstance(decided, Refuse):
        malformed = Malformed(decided.reason, None, decided.status)
        malformed.by = decided.by
        raise malformed
    return decided
