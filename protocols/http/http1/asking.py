"""
Asking: the client's direction.

One request after the other is read, decided, and sent to the server. The
server is connected to when the first one is allowed. Whatever the gateway itself answers
waits until all earlier requests have been answered: answers come in order.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from gateway.inspector import Reader
from gateway.interfaces import CLIENT, SERVER, Denied, Unreachable
from protocols.http.body import Body
from protocols.http.decision import Decision, Pass, Redirect, Refuse, Stacked
from protocols.http.entity import sink_of
from protocols.http.http1.admission import admit, expects, offered
from protocols.http.http1.body import Most, body_of
from protocols.http.http1.connection import is_persistent, onward, options, upgrades
from protocols.http.http1.dialogue import Dialogue
from protocols.http.http1.download import Download
from protocols.http.http1.enveloped import envelope_of
from protocols.http.http1.foreign import is_foreign, last_words
from protocols.http.http1.framing import Framing, Kind, of_request, written
from protocols.http.http1.head import read_request, request_at_once
from protocols.http.http1.transfer import NOTHING, SMALL, Beginning, beginning, transfer
from protocols.http.http1.ways import Chunks, Held, Measured, reframed
from protocols.http.malformed import Malformed
from protocols.http.message import Request, Response
from protocols.http.progress import FOLDER
from protocols.http.singular import check_singular
from protocols.http.stacked import BodyRefused, Outlet, Ways, through
from protocols.http.status import NOT_FOUND
from protocols.http.target import is_escaped, written_host
from protocols.http.transaction import DENIED, PASSED, Transaction

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
GONE = "This file is not waiting here any more. Ask for it again where you found it."
AFTER_LAST = "the client sent a request after the last response"


class Asking:
    """Reads the requests of one session."""

    def __init__(self, dialogue: Dialogue, read: Reader) -> None:
        self._dialogue = dialogue
        self._session = dialogue.session
        self._pending = dialogue.pending
        self._settings = dialogue.settings
        self._encodes = dialogue.settings.targets == "encode"
        self._read = read
        self._route = dialogue.route
        self._bond = dialogue.bond
        self._refusals = 0

    async def run(self) -> None:
        """Until the client ends, or has sent its last request."""
        self._dialogue.asking = True
        await self._dialogue.connected_to()
        while await self._next():
            if len(self._pending) >= self._settings.limits.pipelined:
                await self._pending.at_most(self._settings.limits.pipelined - 1)
            if not await self._request():
                return
        self._bond.all_asked = True

    async def _next(self) -> bool:
        """Wait for the next request; meanwhile there may be plain ones."""
        if not self._read.empty:
            return True
        self._dialogue.asking = False
        more = await self._read.more()
        self._dialogue.asking = True
        return more

    async def _request(self) -> bool:
        """Read one request, and do what is to be done with it; whether there may be another."""
        if self._dialogue.last:
            self._session.close(AFTER_LAST)
            return False
        transaction = self._dialogue.current = Transaction(self._session.now)
        try:
            limits = self._settings.limits
            found = request_at_once(self._read, limits, self._encodes)
            request, size = found or await read_request(self._read, limits, self._encodes)
            transaction.request = request
            transaction.request_head = size
            goes_on = await self._admitted(transaction, request, size)
        except Denied as denied:
            if transaction.recorded:
                raise  # here, as who raises what it was given keeps it in a circle
            await self._refuse(transaction, denied)
            goes_on = False
        # What ran into a bug stays the current one, so that it is recorded at the end.
        if not self._dialogue.over:
            self._dialogue.current = None
        return goes_on

    async def _admitted(self, transaction: Transaction, request: Request, size: int) -> bool:
        if self._settings.stack.page_seconds:
            download = self._dialogue.download
            if download is not None and download.waits:
                return self._fetch(download, transaction, request)
            if request.target.text.startswith(FOLDER):
                return await self._answer(transaction, of_request(request), self._gone(request))
        named, framing, body = self._understood(transaction, request, size)
        session = self._session
        decision: Decision | Deferred[Decision]
        decision = self._dialogue.decisions.request(request, session.server, session.client)
        # In this order, as Deferred is an abstract class: to ask for that takes long.
        if not isinstance(decision, Pass) and isinstance(decision, Deferred):
            decision = await decision
        if not isinstance(decision, Pass):
            return await self._answer(transaction, framing, decision)
        transaction.user, transaction.wait = decision.user, decision.wait
        transaction.request_body = body
        begun, stack = NOTHING, None
        if not framing.empty:
            stack = decision.stack or self._settings.stack.of_requests
            if decision.look:
                begun = await self._look(transaction, body, decision.look)
                refusal = self._dialogue.decisions.content(request, begun.content[: decision.look])
                if refusal is not None:
                    return await self._answer(transaction, framing, refusal)
        if not self._is_connected(request) and not await self._connect(transaction, request):
            return False
        message = self._onward(transaction, decision.message, named)
        self._begin(transaction, framing)
        if stack is not None:
            await self._stack(message, framing, stack, body, begun)
        elif (whole := body.at_once(SMALL)) is not None:
            self._send(message.head() + begun.framed + whole)
        else:
            await transfer(message.head() + begun.framed, body, self._send)
        self._complete(transaction)
        if transaction.persistent and not (transaction.upgrades or transaction.is_tunnel):
            return True
        return await self._may_go_on(transaction)

    def _fetch(self, download: Download, transaction: Transaction, request: Request) -> bool:
        """
        A page about a download is to fetch it now. That belongs to what the page is about, and has
        no record of its own. If anything else is asked for, the file is not waited for any more.
        """
        if download.asks(request):
            transaction.recorded = True
            download.fetch()
            return True
        oldest = self._pending.oldest
        assert oldest is not None
        self._dialogue.break_off(oldest, "something else was asked for than its page fetches")
        return False

    def _gone(self, request: Request) -> Refuse:
        """The answer to a link of such a page that is not known (any more)."""
        reason = "a download that is not there, or was fetched"
        page = self._dialogue.decisions.page(NOT_FOUND, reason, request, words=GONE)
        return Refuse(NOT_FOUND, reason, page=page, by="stack.page_seconds")

    def _understood(
        self, transaction: Transaction, request: Request, size: int
    ) -> tuple[frozenset[str], Framing, Body]:
        """
        What is asked for besides.

        @return: what Connection says, whether there is a body, and that.
        @raise Malformed: it can't be, whatever the policy says.
        """
        named = options(request.headers)
        framing = of_request(request)
        if not framing.empty:
            check_singular(request.headers)
            transaction.expects = expects(request, framing)
        admit(request, framing, self._settings, self._session.server)
        if "upgrade" in named:
            wanted = upgrades(request.headers, named)
            transaction.upgrades = offered(request, wanted, framing, self._settings)
        transaction.persistent = is_persistent(request, named) and not self._is_last()
        self._bond.look(request.headers)
        limits, further = self._settings.limits, self._dialogue.further_asked
        body = body_of(framing, self._read, limits, Most.asked(limits), size, further)
        return named, framing, body

    def _onward(
        self, transaction: Transaction, message: Request | Response, named: frozenset[str]
    ) -> Request | Response:
        """The request as the server gets it."""
        headers = onward(written(message.headers), named, bool(transaction.upgrades))
        if "expect" in headers.first and not transaction.expects:
            headers = headers.only(lambda name: name.lower() != "expect")
        if is_escaped(headers):
            assert isinstance(message, Request)
            headers = headers.replaced("Host", written_host(message))
        return message.with_headers(headers)

    async def _look(self, transaction: Transaction, body: Body, count: int) -> Beginning:
        """
        Read how the body begins. Whoever waits to be asked for it is asked by the gateway
        (RFC 9110, section 10.1.1), as the server does not know yet that there is one.
        """
        if transaction.expects:
            await self._pending.at_most(0)
            self._session.send(CLIENT, CONTINUE)
            transaction.expects = False
        transaction.since = self._session.now
        return await beginning(body, count)

    async def _stack(
        self,
        message: Request | Response,
        framing: Framing,
        stack: Stacked,
        body: Body,
        begun: Beginning,
    ) -> None:
        """Send a request to its end, through the stacked service."""
        session, current = self._session, self._dialogue.current
        if framing.kind is Kind.LENGTH and session.keeps(stack.service):
            way: Ways = lambda message: Measured(message, framing.length)  # noqa: E731
        else:
            most, chunked = self._settings.stack.held_bytes, message.version == "1.1"
            way = Chunks if chunked else lambda message: Held(message, most)
            message = message.with_headers(reframed(message.headers, chunked))
        outlet = Outlet(self._send, lambda: session.flushed(SERVER))
        sink, before = sink_of(message, way, outlet, session, stack)
        user = current.user if current is not None else ""
        envelope = envelope_of(message, user, framing, session.protected(CLIENT))
        await through(session, stack.service, body, sink, envelope, before + begun.content)

    def _send(self, data: bytes) -> None:
        current = self._dialogue.current
        if current is not None and current.answered and current.expects and not current.interim:
            # It was answered instead of asked for the body, and may take that for a request (0.CL).
            return
        self._session.send(SERVER, data)

    def _is_last(self) -> bool:
        """Whether this request is the last one that the limit allows."""
        is_last = self._dialogue.is_last
        self._dialogue.count += 1
        return is_last

    def _begin(self, transaction: Transaction, framing: Framing) -> None:
        """A request is about to be sent."""
        transaction.address = self._route.elsewhere
        self._pending.add(transaction)
        if not framing.empty:
            transaction.since = self._session.now

    def _complete(self, transaction: Transaction) -> None:
        """It was sent to its end."""
        transaction.asked = True
        transaction.since = self._session.now
        self._dialogue.current = None
        if transaction.answered:
            self._dialogue.record(transaction, PASSED)

    async def _may_go_on(self, transaction: Transaction) -> bool:
        """Whether there may be another request after one that ends HTTP, or may do so."""
        await self._pending.at_most(0)
        if transaction.persistent:
            return True
        if await self._read.more():
            self._session.close("the client sent more after its last request")
        return False

    def _is_connected(self, request: Request) -> bool:
        bond = self._bond
        return not (bond.ended or bond.parting) and self._route.is_open(request)

    async def _connect(self, transaction: Transaction, request: Request) -> bool:
        """
        Connect. While that takes its time, the former server may give its last answer, or go.

        @return: whether there is a server.
        """
        bond = self._bond
        while True:
            if bond.ended or self._dialogue.last:
                reason = "the server had closed the connection" if bond.ended else AFTER_LAST
                self._dialogue.give_up(transaction, reason)
                return False
            if bond.parting:
                await self._pending.at_most(0)
            try:
                await self._route.open(request)
            except Unreachable as unreachable:
                await self._pending.at_most(0)
                self._dialogue.unreachable(transaction, unreachable)
                return False
            if not (bond.parting or bond.ended or self._dialogue.last):
                return True

    # Answers of our own

    async def _answer(
        self, transaction: Transaction, framing: Framing, decision: Refuse | Redirect
    ) -> bool:
        """The policy's answer, in its turn."""
        await self._pending.at_most(0)
        reason = decision.reason
        goes_on = transaction.persistent and framing.empty and not _closes(decision)
        goes_on = goes_on and transaction.version == "1.1" and not self._is_enough()
        reply = self._dialogue.decided(transaction, decision, close=not goes_on)
        self._dialogue.record(transaction, DENIED, reason, by=decision.by)
        if not goes_on:
            raise Denied(reason, reply)
        self._session.send(CLIENT, reply)
        self._dialogue.rested = self._session.now
        return True

    def _is_enough(self) -> bool:
        """Whether this was the last refusal that the limit allows."""
        self._refusals += 1
        return self._refusals == self._settings.limits.refusals

    async def _refuse(self, transaction: Transaction, denied: Denied) -> None:
        """
        Answer what can't be understood, in its turn.

        @raise Denied: with the answer if one can be given; unless the client went away
            since it had its answer, before it had sent the whole request.
        """
        await self._pending.at_most(1 if transaction in self._pending else 0)
        malformed = denied if isinstance(denied, Malformed) else Malformed(denied.reason)
        transaction.line = malformed.line
        if transaction.answered and self._read.ended:
            self._dialogue.give_up(transaction, malformed.reason)
            return
        reply = b""
        begin = self._read.peek(1).decode("latin-1")
        if not self._dialogue.count and malformed.offset == 0 and is_foreign(begin):
            reply = last_words(begin)
        elif not transaction.answering:
            words = malformed.words if isinstance(malformed, BodyRefused) else ""
            status, reason = malformed.status, malformed.reason
            reply = self._dialogue.reply(transaction, status, reason, words=words)
        self._dialogue.record_refused(transaction, malformed)
        raise Denied(malformed.reason, reply)


def _closes(decision: Refuse | Redirect) -> bool:
    return isinstance(decision, Refuse) and decision.close
