"""Final: a final response that may pass, on its way to the client."""

from __future__ import annotations

from gateway.interfaces import CLIENT, Denied
from protocols.http.body import Body
from protocols.http.decision import Pass, Redirect, Refuse
from protocols.http.entity import sink_of
from protocols.http.http1.connection import closing, is_persistent, onward
from protocols.http.http1.dialogue import Dialogue
from protocols.http.http1.framing import Framing, Kind, written
from protocols.http.http1.transfer import NOTHING, SMALL, Beginning, beginning, transfer
from protocols.http.http1.ways import Chunks, UntilClose, reframed
from protocols.http.message import Headers, Response
from protocols.http.stacked import through
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
        self._unknown_length = stack is not None and response.request.method == "HEAD"
        self._chunked = response.version == response.request.version == "1.1"
        transaction.delimited = self._has_end()
        self.goes_on = transaction.delimited and self._is_persistent()
        self._message = passed.message.with_headers(self._headers(passed.message.headers))
        self._head = self._message.head()

    def _has_end(self) -> bool:
        """Whether the client can tell where the body ends without the end of the connection."""
        return self._chunked if self._stack else self._framing.kind is not Kind.CLOSE

    def _is_persistent(self) -> bool:
        """Whether both peers expect to go on."""
        transaction = self._transaction
        if transaction.expects and not transaction.asked:
            # Nobody knows whether the client will send the body now (RFC 9110, section 10.1.1).
            return False
        return transaction.persistent and is_persistent(self._response, self._named)

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
            session, settings = self._dialogue.session, self._dialogue.settings
            way = Chunks if self._chunked else UntilClose
            sink, before = sink_of(self._message, way, self._put, settings, self._stack.by)
            await through(session, self._stack.service, self._body, sink, before + begun.content)
        else:
            await transfer(self._head + begun.framed, self._body, self._put)

    def _headers(self, headers: Headers) -> Headers:
        """As they are sent."""
        named = self._named
        headers = onward(written(headers), named, self._response.status == UPGRADE_REQUIRED)
        if self._stack or self._unknown_length:
            headers = reframed(headers, self._stack is not None and self._chunked)
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
