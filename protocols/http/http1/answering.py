"""
Answering: the server's direction.

Each response belongs to the oldest request that is not answered; one that
belongs to none is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from gateway.inspector import CutOff, Reader
from gateway.interfaces import CLIENT, Denied, Outcome
from protocols.http.body import NO_BODY, Body
from protocols.http.decision import Pass
from protocols.http.http1.body import Most, body_of
from protocols.http.http1.connection import onward, options, upgrades
from protocols.http.http1.dialogue import Dialogue
from protocols.http.http1.final import Answered, Final
from protocols.http.http1.framing import NONE, Framing, of_response
from protocols.http.http1.head import read_response, response_at_once
from protocols.http.http1.ways import reframed
from protocols.http.malformed import Malformed
from protocols.http.message import Request, Response
from protocols.http.singular import check_singular
from protocols.http.stacked import BodyRefused
from protocols.http.status import (
    BAD_GATEWAY,
    FORBIDDEN,
    PARTIAL_CONTENT,
    RESET_CONTENT,
    SWITCHING_PROTOCOLS,
)
from protocols.http.transaction import DENIED, FAILED, PASSED, Transaction

GOODBYES = (b"HTTP/1.1 408", b"HTTP/1.0 408")


class Answering:
    """Reads the responses of one session."""

    def __init__(
        self,
        dialogue: Dialogue,
        read: Reader,
        leave: Callable[[str], None],
        begin_again: Callable[[], None],
    ) -> None:
        """
        @param leave: gives what follows to the service of that name, or to nobody.
        @param begin_again: has another one read what the next server says.
        """
        self._dialogue = dialogue
        self._session = dialogue.session
        self._pending = dialogue.pending
        self._settings = dialogue.settings
        self._read = read
        self._leave = leave
        self._begin_again = begin_again
        self._bond = dialogue.bond
        self._interim_since = 0.0
        self._interim_count = 0

    async def run(self) -> None:
        """Until the server ends, or the last response was read."""
        self._dialogue.answering = True
        while not self._dialogue.over and await self._next():
            transaction = self._pending.oldest
            if transaction is None:
                await self._unasked()
                if self._dialogue.last:
                    return
            elif not await self._response(transaction):
                if await self._read.more():
                    await self._unasked()
                return
        if not self._is_outlived():
            self._ended()

    async def _next(self) -> bool:
        """Wait for the next answer; meanwhile there may be plain ones."""
        if not self._read.empty:
            return True
        self._dialogue.answering = False
        more = await self._read.more()
        self._dialogue.answering = more
        return more

    def _is_outlived(self) -> bool:
        """Whether the client's connection goes on, now that the server has closed its own."""
        if self._dialogue.over or self._pending or not self._bond.outlived:
            return False
        self._bond.part(gone=True)
        self._begin_again()
        return True

    async def _unasked(self) -> None:
        """
        The server said something that answers no request. The client does not get it, but all
        that it was sent before; nothing is asked on this connection any more.

        A 408 is how some servers part from a client that asks for nothing (RFC 9110, section
        15.5.9). All else is a second answer, by mistake or by attack.
        """
        was_last, self._dialogue.last = self._dialogue.last, True
        if await self._is_goodbye():
            if self._bond.outlived and not was_last:
                self._dialogue.last = False
                await self._unheard()
                return
            self._session.close("the server waited for a request no longer (408)")
        else:
            reason = "the server sent a response that answers no request"
            self._session.close(reason, Outcome.DENIED)

    async def _unheard(self) -> None:
        """Part from the server; nobody hears the rest of its goodbye."""
        self._bond.part(gone=False)
        route = self._dialogue.route
        while await self._read.more() and route.reached is None:
            self._read.rest()

    async def _is_goodbye(self) -> bool:
        """Whether the server says 408. No more is waited for than what may still become that."""
        said = b""
        with suppress(Denied):
            while any(each.startswith(said) for each in GOODBYES):
                if said in GOODBYES:
                    return True
                said += await self._read.some(1)
        return False

    def _ended(self) -> None:
        """The server closed. A request that it did not answer is not answered."""
        self._bond.ended = True
        transaction = self._pending.oldest
        if transaction is None or self._dialogue.over:
            return
        reason = "the server closed the connection without an answer"
        status = 0 if self._dialogue.asks_again(transaction, begun=False) else BAD_GATEWAY
        self._dialogue.unanswered(transaction, reason, status)

    async def _response(self, transaction: Transaction) -> bool:
        """Read one response; whether there may be another."""
        request = transaction.request
        assert request is not None
        try:
            limits = self._settings.limits
            found = response_at_once(self._read, limits, request)
            response, size = found or await read_response(self._read, limits, request)
            check_singular(response.headers)
            named = options(response.headers)
            self._bond.look(response.headers)
            framing = of_response(response)
            if response.status < 200:
                return self._interim(transaction, response, named, size)
            if response.status == PARTIAL_CONTENT:
                _check_part(response)
            transaction.response = response
            transaction.status = response.status
            transaction.response_head = size
            further, most = self._dialogue.further_answered, Most.answered(limits)
            body = body_of(framing, self._read, limits, most, size, further, lenient=True)
            if response.status == RESET_CONTENT and not framing.empty:
                response, framing, body = await _emptied(response, body)
            transaction.response_body = body
            if self._settings.times.response_bytes_per_second:
                transaction.since = self._session.now
            passed = self._decided(transaction, response)
            if transaction.is_tunnel and response.status < 300:
                self._tunnel(transaction, passed.message, self._settings.tunnels.connect)
                return False
            final = Final(self._dialogue, transaction, response, named, framing, body, passed)
            self._bond.parting = final.goes_on and not final.stays
            if not final.sent_at_once():
                await final.send()
            self._answered(transaction, final.goes_on)
            return final.goes_on
        except CutOff as cut_off:
            return await self._cut_off(transaction, cut_off.reason)
        except Denied as denied:
            raise self._refused(transaction, denied) from None

    async def _cut_off(self, transaction: Transaction, reason: str) -> bool:
        """
        The server ended within its answer. The client gets what came of it, and then an end that
        can't be taken for that of the answer.

        @raise Denied: nothing of it has left, so that the client hears so; or the end of the
            connection would be taken for it, so that there has to be a reset.
        """
        if not transaction.answering:
            raise self._refused(transaction, Denied(reason), FAILED)
        if not transaction.delimited:
            await self._session.flushed(CLIENT)
        self._dialogue.break_off(transaction, reason)
        return False

    def _interim(
        self, transaction: Transaction, response: Response, named: frozenset[str], size: int
    ) -> bool:
        """
        Pass a 1xx response on (RFC 9110, section 15.2); but not to a client of HTTP/1.0, which
        would take it for the answer: some servers say 100 to everybody.
        """
        if response.status == SWITCHING_PROTOCOLS:
            return self._switch(transaction, response, named, size)
        transaction.interim += 1
        transaction.since = self._session.now
        self._count_interim()
        if transaction.version == "1.0":
            return True
        headers = self._dialogue.further_answered(onward(response.headers, named, False))
        self._session.send(CLIENT, response.with_headers(headers).head())
        return True

    def _count_interim(self) -> None:
        """@raise Malformed: there were too many of them in a short time."""
        now, window = self._session.now, self._settings.times.window_seconds
        if now - self._interim_since >= window:
            self._interim_since, self._interim_count = now, 0
        self._interim_count += 1
        most = self._settings.limits.interim_responses
        if self._interim_count > most:
            reason = f"more than {most} interim responses in {window:g} seconds"
            raise Malformed(reason, by="limits.interim_responses")

    def _switch(
        self, transaction: Transaction, response: Response, named: frozenset[str], size: int
    ) -> bool:
        accepted = upgrades(response.headers, named)
        if not accepted or not set(accepted) <= set(transaction.upgrades) or not transaction.asked:
            raise Malformed("a response of status 101 that no upgrade was asked for")
        transaction.response = response
        transaction.response_head = size
        transaction.status = SWITCHING_PROTOCOLS
        message = self._decided(transaction, response).message
        message = message.with_headers(onward(message.headers, named, True))
        self._tunnel(transaction, message, self._settings.tunnels.service(accepted))
        return False

    def _decided(self, transaction: Transaction, response: Response) -> Pass:
        """
        Ask the policy.

        @raise Answered: it does not pass; the client has another answer.
        """
        decision = self._dialogue.decisions.response(response)
        if isinstance(decision, Pass):
            transaction.wait = decision.wait or transaction.wait
            return decision
        reply = self._dialogue.decided(transaction, decision, close=True)
        raise Answered(decision, reply)

    def _tunnel(self, transaction: Transaction, message: Request | Response, service: str) -> None:
        """What follows is another protocol; C{service} inspects it, if there is one."""
        transaction.answering = transaction.answered = True
        self._session.send(CLIENT, message.head())
        if transaction.asked:
            self._dialogue.record(transaction, PASSED)
        self._dialogue.left = True
        self._leave(service)

    def _answered(self, transaction: Transaction, goes_on: bool) -> None:
        """A response was sent to its end."""
        transaction.answered = True
        self._dialogue.rested = self._session.now
        self._bond.fresh = False
        self._pending.remove()
        if transaction.asked:
            self._dialogue.record(transaction, PASSED)
        if not goes_on:
            self._dialogue.last = True
            self._session.end(CLIENT)
        elif self._bond.parting:
            self._bond.part(gone=False)
        if self._pending.awaited and (self._pending.oldest is not None or self._read.empty):
            self._pending.wake()
        # Else the server has already answered what it was not asked yet: so it is not asked.

    def _refused(self, transaction: Transaction, denied: Denied, verdict: str = DENIED) -> Denied:
        """What becomes of a response that must not pass: our own, unless it had begun."""
        reply, words = b"", ""
        if isinstance(denied, Answered):
            reply = denied.reply
        elif not transaction.answering:
            status = BAD_GATEWAY
            if isinstance(denied, BodyRefused):
                status, words = denied.status, denied.words
            elif isinstance(denied, Malformed) and denied.status == FORBIDDEN:
                status = FORBIDDEN
            reply = self._dialogue.reply(transaction, status, denied.reason, words=words)
        self._dialogue.record_refused(transaction, denied, verdict)
        return Denied(denied.reason, reply)


def _check_part(response: Response) -> None:
    """@raise Malformed: the client asked for all, and would take a part for it."""
    if "range" not in response.request.headers.first:
        raise Malformed("a part of a body, which nobody asked for (206)")


async def _emptied(response: Response, body: Body) -> tuple[Response, Framing, Body]:
    """
    Of the three ways to say that a 205 has no content (RFC 7231, section 6.3.6), the one that
    nobody takes for something else: some clients expect no body there, and some any.

    @raise Malformed: there is some.
    """
    if await body.piece():
        raise Malformed(f"a response of status 205 to {response.request.method}, with a body")
    headers = reframed(response.headers, chunked=False).replaced("Content-Length", "0")
    return response.with_headers(headers), NONE, NO_BODY
