"""Final: a final response that may pass, on its way to the client."""

from __future__ import annotations

from secrets import token_urlsafe

from attrs import evolve

from gateway.envelope import Envelope
from gateway.inspector import CutOff
from gateway.interfaces import CLIENT, Denied
from protocols.http.body import Body
from protocols.http.decision import Pass, Redirect, Refuse, Stacked
from protocols.http.entity import sink_of
from protocols.http.http1.connection import closing, is_persistent, kept_alive, onward
from protocols.http.http1.dialogue import Dialogue
from protocols.http.http1.download import Download
from protocols.http.http1.enveloped import envelope_of
from protocols.http.http1.framing import Framing, Kind, written
from protocols.http.http1.transfer import NOTHING, SMALL, Beginning, beginning, transfer
from protocols.http.http1.ways import Chunks, Measured, UntilClose, reframed
from protocols.http.malformed import Malformed
from protocols.http.message import Headers, Request, Response
from protocols.http.progress import Progress, suits
from protocols.http.stacked import Outlet, Send, Way, through
from protocols.http.status import UPGRADE_REQUIRED
from protocols.http.transaction import Transaction


class Answered(Denied):
    """The policy has an answer of its own, which is the reply."""

    def __init__(self, decision: Refuse | Redirect, reply: bytes) -> None:
        super().__init__(decision.reason, reply)
        self.by = decision.by


class Final:
    """
    One final response.

    @ivar goes_on: whether there may be another one after it.
    @ivar stays: whether that may be this server's.
    """

    def __init__(
        self,
        dialogue: Dialogue,
        transaction: Transaction,
        response: Response,
        named: frozenset[str],
        framing: Framing,
        body: Body,
        passed: Pass,
    ) -> None:
        """@param named: what the response's Connection says."""
        self._dialogue = dialogue
        self._transaction = transaction
        self._response = response
        self._named = named
        self._framing = framing
        self._body = body
        self._look_at = passed.look
        stack = passed.stack or dialogue.settings.stack.of_responses
        self._stack = None if framing.empty else stack
        self._changes = stack is not None and not dialogue.session.keeps(stack.service)
        self._unknown_length = self._changes and response.request.method == "HEAD"
        self._chunked = response.version == response.request.version == "1.1"
        transaction.delimited = self._has_end()
        self.stays = framing.kind is not Kind.CLOSE and is_persistent(response, named)
        self.goes_on = transaction.delimited and self._is_persistent()
        self._message = passed.message.with_headers(self._headers(passed.message.headers))
        self._head = self._message.head()

    def _has_end(self) -> bool:
        """Whether the client can tell where the body ends without the end of the connection."""
        if self._stack is None or self._is_measured:
            return self._framing.kind is not Kind.CLOSE
        return self._chunked

    @property
    def _is_measured(self) -> bool:
        """Whether the body is as long as was said, whoever looks at it."""
        return self._framing.kind is Kind.LENGTH and not self._changes

    def _is_persistent(self) -> bool:
        """Whether the client expects to go on, and may."""
        transaction = self._transaction
        if transaction.expects and not transaction.asked:
            # Nobody knows whether the client will send the body now (RFC 9110, section 10.1.1).
            return False
        return transaction.persistent and (self.stays or self._is_outlived())

    def _is_outlived(self) -> bool:
        """Whether the client's connection goes on without the server's, who has all it needs."""
        dialogue = self._dialogue
        return dialogue.bond.outlived and self._transaction.asked and len(dialogue.pending) == 1

    def sent_at_once(self) -> bool:
        """Send it, if all of it is there and nobody looks into it; whether that was done."""
        if self._look_at or self._stack:
            return False
        whole = self._body.at_once(SMALL)
        if whole is None:
            return False
        self._put(self._head + whole)
        return True

    async def send(self) -> None:
        """
        Send it to its end, as it comes.

        @raise Malformed: its body breaks its framing, or a limit, or was refused by the
            stacked inspector.
        @raise Answered: the policy refuses its body.
        """
        begun = await self._look(self._look_at) if self._look_at else NOTHING
        if self._stack is not None:
            await self._through(self._stack, begun.content)
        else:
            await transfer(self._head + begun.framed, self._body, self._put)

    async def _through(self, stack: Stacked, begun: bytes) -> None:
        """Send it through a stacked service."""
        session = self._dialogue.session
        user, protected = self._transaction.user, session.protected(CLIENT)
        envelope = envelope_of(self._message, user, self._framing, protected)
        if self._may_have_page():
            await self._with_page(stack, envelope, begun)
            return
        outlet = Outlet(self._put, lambda: session.flushed(CLIENT))
        sink, before = sink_of(self._message, self._way, outlet, session, stack)
        await through(session, stack.service, self._body, sink, envelope, before + begun)

    def _may_have_page(self) -> bool:
        """Whether a browser may read a page while it waits, and go on behind that."""
        dialogue = self._dialogue
        if not dialogue.settings.stack.page_seconds or not self.goes_on:
            return False
        if len(dialogue.pending) > 1:  # whose answers would have to wait for the page's request
            return False
        return suits(self._response.request, self._response)

    async def _with_page(self, stack: Stacked, envelope: Envelope, begun: bytes) -> None:
        """Send it through a stacked service, and tell the browser how far it is."""
        dialogue, transaction = self._dialogue, self._transaction
        session, token = dialogue.session, token_urlsafe(24)
        progress = Progress(envelope.filename, token, envelope.size)

        def give_up(why: str) -> None:
            dialogue.break_off(transaction, why)

        pending = dialogue.pending
        download = Download(session, transaction, progress, self._body, pending, give_up)
        dialogue.download = download
        outlet = Outlet(self._put_by(download), download.flushed)
        sink, before = sink_of(self._message, self._way, outlet, session, stack)
        envelope = evolve(envelope, told=True)
        try:
            await through(session, stack.service, self._body, sink, envelope, before + begun)
            await download.delivered()
        except CutOff:
            download.broken()
            raise
        except Malformed:
            if await download.refused():
                transaction.answering = False
            raise
        finally:
            dialogue.download = None
            pending.spare = 0

    def _put_by(self, download: Download) -> Send:
        transaction = self._transaction

        def put(data: bytes) -> None:
            transaction.answering = True
            download.send(data)

        return put

    def _way(self, message: Request | Response) -> Way:
        if self._is_measured:
            return Measured(message, self._framing.length)
        return Chunks(message) if self._chunked else UntilClose(message)

    def _headers(self, headers: Headers) -> Headers:
        """As they are sent."""
        named = self._named
        headers = onward(written(headers), named, self._response.status == UPGRADE_REQUIRED)
        if (self._stack and not self._is_measured) or self._unknown_length:
            headers = reframed(headers, self._stack is not None and self._chunked)
        if self.goes_on and not self.stays:
            explicit = "1.0" in (self._response.version, self._response.request.version)
            return kept_alive(headers, explicit)
        surprises = not self.goes_on and is_persistent(self._response, named)
        if surprises and (self._stack or self._framing.kind is not Kind.CLOSE):
            headers = closing(headers)
        return headers

    async def _look(self, count: int) -> Beginning:
        """
        Show the policy how the body begins.

        @raise Answered: it does not pass.
        """
        begun = await beginning(self._body, count)
        refusal = self._dialogue.decisions.content(self._response, begun.content[:count])
        if refusal is not None:
            reply = self._dialogue.decided(self._transaction, refusal, close=True)
            raise Answered(refusal, reply)
        return begun

    def _put(self, data: bytes) -> None:
        self._transaction.answering = True
        self._dialogue.session.send(CLIENT, data)
