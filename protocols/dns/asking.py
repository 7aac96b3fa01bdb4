"""Asking: what becomes of a client's queries."""

from __future__ import annotations

from dns.opcode import Opcode
from dns.rcode import Rcode

from gateway.interfaces import PROTOCOL
from protocols.dns.answer import passing
from protocols.dns.decision import ALLOW, NOT_IMPLEMENTED, Decision
from protocols.dns.exchange import Exchange
from protocols.dns.message import AD, CD, QR, RD, TRANSFERS, Message, Reading, check_query
from protocols.dns.name import text_of
from protocols.dns.numbers import AXFR, QUERY
from protocols.dns.refusal import Refusal
from protocols.dns.reply import addresses, error, reply
from protocols.dns.rule import Asked
from protocols.dns.session import Session
from protocols.dns.settings import DnsSettings
from protocols.dns.shared import Shared
from protocols.dns.story import Story
from protocols.dns.transfer import Transfer

_RCODES = {
    "nxdomain": Rcode.NXDOMAIN,
    "nodata": Rcode.NOERROR,
    "refused": Rcode.REFUSED,
    "address": Rcode.NOERROR,
    NOT_IMPLEMENTED: Rcode.NOTIMP,
}

_READ = (Opcode.QUERY, Opcode.STATUS, Opcode.NOTIFY, Opcode.UPDATE)
"""Not DSO (RFC 8490), whose messages have another form: it is never to be."""

_NOTHING: tuple[str, ...] = ()

_MEANT = RD | AD | CD
"""Flags of a query; the others mean nothing in one."""


class Asking:
    """
    The queries of one client.

    @param stream: they come by TCP.
    @ivar count: how many there were.
    """

    def __init__(self, session: Session, story: Story, stream: bool) -> None:
        self._session = session
        self._settings: DnsSettings = session.settings
        self._shared: Shared = session.shared
        self._story = story
        self._stream = stream
        self.count = 0

    def ask(self, data: bytes) -> Exchange | bytes:
        """
        The client sent a query.

        @return: the exchange that it begins, or the answer to it.
        @raise Refusal: it is none, and nobody can answer it.
        """
        number, self.count = self.count, self.count + 1
        reading = self._read(data, number)
        try:
            query = self._query(reading)
        except Refusal as refusal:
            self._story.unread(reading, number, refusal)
            return error(reading.id, reading.flags, reading.question, refusal.rcode).write()
        try:
            return self._decide(query, data, number)
        except Refusal as refusal:
            self._story.refused(query, number, refusal, "")
            return self.refused(query, refusal)

    def _read(self, data: bytes, number: int) -> Reading:
        """@raise Refusal: it is not even the beginning of a query."""
        try:
            reading = Reading(data)
        except Refusal as refusal:
            self._story.unread(None, number, refusal)
            raise
        if reading.flags & QR:
            raise self._not_asked(reading, number)
        return reading

    def _not_asked(self, reading: Reading, number: int) -> Refusal:
        """For who raises it: whose frame must not know it, or the two keep each other alive."""
        refusal = Refusal("an answer from a client")
        self._story.unread(reading, number, refusal)
        return refusal

    def _query(self, reading: Reading) -> Message:
        """@raise Refusal: it is not a whole query."""
        settings = self._settings
        if reading.size > settings.query_bytes:
            raise Refusal(f"a query of {reading.size} bytes", by="query_bytes")
        if reading.opcode not in _READ:
            raise Refusal(f"the operation {reading.opcode}", Rcode.NOTIMP)
        query = reading.message(settings.records, settings.unknown_types)
        check_query(query)
        return query

    def _decide(self, query: Message, data: bytes, number: int) -> Exchange | bytes:
        """
        What the policy says of a query.

        @raise Refusal: it is not to be.
        """
        question = query.question
        assert question is not None
        if query.edns is not None and query.edns.version:
            raise Refusal(f"version {query.edns.version} of EDNS", Rcode.BADVERS)
        name = text_of(question.name)
        decision = self.decision(name, query)
        if decision.action != ALLOW:
            refusal = Refusal(decision.reason, by=decision.by)
            self._story.refused(query, number, refusal, decision.action)
            return self.answer(query, decision)
        if decision.rule is not None:
            self._session.hit(decision.by)
        now = self._session.now
        if self._shared.watch.on:
            self._shared.watch.check(question.name, self._session.client.host, now)
        if question.kind == AXFR and not self._stream:  # RFC 5936, section 4.2
            raise Refusal("a zone transfer by UDP", Rcode.REFUSED)
        onward, removed = self._onward(query)
        if query.signature is None:
            written = onward.write()
        else:
            self._check_signed(removed)
            written = data
        public = name not in self._settings.rebinding.names
        many = self._stream and question.kind in TRANSFERS
        transfer = Transfer(question.kind) if many else None
        return Exchange(query, written, decision, number, now, removed, public, transfer)

    def _check_signed(self, removed: tuple[str, ...]) -> None:
        """
        Whether a signed query may pass as it came, in which every byte was read.

        @raise Refusal: it may not, or something has to be taken out of it.
        """
        if self._settings.signed == "refuse":
            raise Refusal("a signed query", Rcode.REFUSED, "signed")
        if removed:
            raise Refusal(f"a signed query with {removed[0]}", Rcode.REFUSED, "edns.options")

    def decision(self, name: str, query: Message) -> Decision:
        """What the policy says of a name that a query is for, or that its answer leads to."""
        question, session = query.question, self._session
        assert question is not None
        where = session.client.host, session.server.host
        asked = Asked(name, question.kind, question.class_, query.opcode, *where)
        return self._shared.decisions.on(asked)

    def _onward(self, query: Message) -> tuple[Message, tuple[str, ...]]:
        """A query as the server gets it, and what was taken out of it."""
        if query.opcode == QUERY and query.flags & ~_MEANT:
            query = query._replace(flags=query.flags & _MEANT)
        edns = query.edns
        if edns is None:
            return query, _NOTHING
        passes = passing(self._settings, self._stream)
        removed = edns.others(passes)
        if removed:
            edns = edns.only(passes)
        size = self._settings.edns.udp_bytes
        if not self._stream and edns.size > size:
            edns = edns._replace(size=size)
        return query if edns is query.edns else query._replace(edns=edns), removed

    # Answers of the gateway's own

    def answer(self, query: Message, decision: Decision) -> bytes:
        """What the policy has the client answered."""
        rcode, rule = _RCODES[decision.action], decision.rule
        if rule is None or decision.action != "address" or query.question is None:
            return self._own(query, rcode, True)
        records = addresses(query.question, rule.addresses, rule.ttl)
        size, seconds = self._settings.edns.udp_bytes, self._settings.negative_ttl
        return reply(query, rcode, records, size=size, seconds=seconds).write()

    def refused(self, query: Message, refusal: Refusal, rcode: Rcode | None = None) -> bytes:
        """
        An answer in place of what was refused.

        @param rcode: another one than the refusal's.
        """
        return self._own(query, refusal.rcode if rcode is None else rcode, refusal.by != PROTOCOL)

    def _own(self, query: Message, rcode: int, blocked: bool) -> bytes:
        """An answer without records."""
        settings = self._settings
        blocked, size = blocked and settings.extended_errors, settings.edns.udp_bytes
        seconds = settings.negative_ttl
        return reply(query, rcode, blocked=blocked, size=size, seconds=seconds).write()
