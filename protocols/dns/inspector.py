"""
The inspector of DNS by TCP (RFC 7766): queries follow each other without waiting, and
answers come in any order.

dnsmasq closes after a hundred queries, wherever that is, and BIND forgets what it has
not answered yet when a client half-closes. So the server is asked again what it has left
unanswered, and a client's end is passed on when it has all of its answers.
"""

from __future__ import annotations

from typing import Any, ClassVar

from dns.opcode import Opcode
from dns.rcode import Rcode
from dns.rdataclass import RdataClass
from twisted.internet.defer import Deferred

from gateway.inspector import Reader, StreamInspector
from gateway.interfaces import CLIENT, SERVER, Denied, ISession, ITimer, Side, Verdict
from protocols.dns.answering import Unasked
from protocols.dns.datagrams import DnsDatagrams
from protocols.dns.decision import decide
from protocols.dns.dialogue import Dialogue
from protocols.dns.exchange import Exchange
from protocols.dns.kinds import read_kind
from protocols.dns.refusal import Refusal
from protocols.dns.reply import reply
from protocols.dns.rule import Asked
from protocols.dns.settings import DnsSettings
from protocols.dns.shared import Shared

_LENGTH = 2
"""Bytes before each message (RFC 1035, section 4.2.2)."""

_LONG = 4096
"""After an answer of so many bytes others have their turn: it took some milliseconds."""


class DnsInspector(StreamInspector):
    """The queries of one connection, and their answers."""

    Settings = DnsSettings
    Shared: ClassVar[type] = Shared
    Datagrams: ClassVar[type] = DnsDatagrams

    def __init__(self, session: ISession) -> None:
        super().__init__(session)
        self._settings: DnsSettings = session.settings
        self._dialogue = Dialogue(session, stream=True)
        self._connected = False
        self._left = self._over = False
        self._tries = 0
        self._waiting: Deferred[None] | None = None
        self._timer: ITimer | None = None

    @staticmethod
    def foretell(settings: DnsSettings, connection: Any, said: Any) -> tuple[str, str, str] | None:
        """
        What would become of a query, for C{tproxygw explain}; see L{gateway.policy.foretelling}.

        @raise ValueError: it is none.
        """
        if not said.query:
            return None
        name, _, kind = said.query.lower().partition("/")
        ends = connection.source.host, connection.destination.host
        what = read_kind(kind.upper() or "A"), int(RdataClass.IN), int(Opcode.QUERY)
        asked = Asked(name.removesuffix("."), *what, *ends)
        decision = decide(settings, asked)
        place = decision.by if decision.rule is not None else f"dns.{decision.by}"
        return decision.action, "", place

    def started(self) -> None:
        """The client speaks first; it is not worth a connection if nothing of it may be asked."""

    # The client

    async def from_client(self, read: Reader) -> None:
        """Query after query. The end is passed on when all answers were."""
        while await read.more():
            await self._ask(await self._message(read, self._settings.query_bytes))
        while len(self._dialogue.pending):
            await self._next()

    @staticmethod
    async def _message(read: Reader, limit: int) -> bytes:
        length = int.from_bytes(await read.exactly(_LENGTH, _LENGTH), "big")
        return await read.exactly(length, limit)

    async def _ask(self, data: bytes) -> None:
        pending = self._dialogue.pending
        while len(pending) >= self._settings.pending:
            await self._next()
        try:
            asked = self._dialogue.ask(data)
        except Refusal as refusal:
            raise Denied(refusal.reason) from None
        if isinstance(asked, bytes):
            self._send(CLIENT, asked)
            return
        if self._left:
            raise Denied("a query after the server has ended")
        if pending.find(asked.query.id, asked.question) is not None:
            raise Denied("the same query twice, before it was answered")  # RFC 7766, section 6.2.1
        pending.put(asked)
        if not self._connected:
            self._connected = True
            self.session.connect()
        self._send(SERVER, asked.onward)
        self._wait()

    def _next(self) -> Deferred[None]:
        """Fires when one more is answered, or will never be."""
        self._waiting = Deferred()
        return self._waiting

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    def _send(self, side: Side, message: bytes) -> None:
        self.session.send(side, len(message).to_bytes(_LENGTH, "big") + message)

    # The server

    async def from_server(self, read: Reader) -> None:
        """Answer after answer."""
        while await read.more():
            data = await self._message(read, self._settings.answer_bytes)
            try:
                answer = self._dialogue.answer(data)
            except Unasked:
                continue  # it is recorded
            self._tries = 0
            self._send(CLIENT, answer)
            self._wake()
            if len(data) > _LONG:
                await self.session.give_way(SERVER)

    def ended(self, side: Side) -> Deferred[Any] | None:
        """A server that leaves something unanswered is asked again."""
        if side is SERVER:
            if self._ask_again():
                return None
            self._left = True
            self._give_up("the server has ended")
            if self._over:  # the client has asked for more
                return None
        return super().ended(side)

    def lost(self, side: Side, verdict: Verdict) -> None:
        """So is one that resets the connection."""
        if side is SERVER:
            self._ask_again()

    def _ask_again(self) -> bool:
        """Whether it is."""
        pending = self._dialogue.pending.every
        begun = any(each.transfer is not None for each in pending)
        if not pending or begun or self._tries >= self._settings.again:
            return False
        if not self.session.reconnects:
            return False
        self._tries += 1
        self.begin_again(SERVER)
        self.session.connect()
        for exchange in pending:
            self._send(SERVER, exchange.onward)
        return True

    def _give_up(self, reason: str) -> None:
        """The client hears that there will be no answers."""
        for exchange in self._dialogue.pending.every:
            self._dialogue.give_up(exchange, reason)
            self._fail(exchange)
        self._wake()

    def _fail(self, exchange: Exchange) -> None:
        size = self._settings.edns.udp_bytes
        self._send(CLIENT, reply(exchange.query, Rcode.SERVFAIL, size=size).write())

    # Time

    def _wait(self) -> None:
        if self._timer is None:
            self._timer = self.session.after(self._settings.answer_seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        for exchange in self._dialogue.expire():
            self._fail(exchange)
        self._wake()
        if len(self._dialogue.pending):
            self._wait()

    def about(self) -> str:
        """See L{IInspector.about<gateway.interfaces.IInspector.about>}."""
        return self._dialogue.about

    def closed(self, verdict: Verdict) -> None:
        """Record what was not answered."""
        self._over = True
        self._timer = self._waiting = None
        self._dialogue.closed(verdict.reason or verdict.outcome.value)
        super().closed(verdict)
