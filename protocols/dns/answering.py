"""Answering: what becomes of a server's answers."""

from __future__ import annotations

from dns.rcode import Rcode

from protocols.dns.answer import Answer, Judged
from protocols.dns.asking import Asking
from protocols.dns.decision import ALLOW, Decision
from protocols.dns.edns import SMALLEST
from protocols.dns.exchange import Exchange, Pending
from protocols.dns.message import AD, QR, TC, Message, Reading
from protocols.dns.name import shown, text_of
from protocols.dns.refusal import Refusal
from protocols.dns.reply import reply, truncated
from protocols.dns.session import Session
from protocols.dns.settings import DnsSettings
from protocols.dns.shared import Shared
from protocols.dns.story import Story

_WITHOUT_QUESTION = frozenset((Rcode.FORMERR, Rcode.SERVFAIL, Rcode.NOTIMP, Rcode.REFUSED))
"""Errors of servers that have not read the question."""


class Unasked(Exception):
    """
    A message of the server's that answers nothing.

    @ivar reason: in words.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Blocked(Exception):
    """
    An answer leads to a name that the policy does not have.

    @ivar decision: what it says of that.
    """

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.reason)
        self.decision = decision


class Answering:
    """
    The answers to one client's queries.

    @param stream: they come by TCP.
    """

    def __init__(
        self, session: Session, asking: Asking, pending: Pending, story: Story, stream: bool
    ) -> None:
        self._session = session
        self._settings: DnsSettings = session.settings
        self._shared: Shared = session.shared
        self._asking = asking
        self._pending = pending
        self._story = story
        self._stream = stream
        self._unasked_for = 0

    def answer(self, data: bytes) -> bytes:
        """
        The server sent an answer.

        @return: what the client gets.
        @raise Unasked: it is none to anything.
        """
        reading = self._read(data)
        exchange = self._find(reading)
        try:
            return self._passed(exchange, self._judge(exchange, reading))
        except Blocked as blocked:
            decision = blocked.decision
            self._deny(exchange, Refusal(decision.reason, by=decision.by))
            return self._asking.answer(exchange.query, decision)
        except Refusal as refusal:
            self._deny(exchange, refusal)
            rcode = Rcode.SERVFAIL if refusal.rcode == Rcode.FORMERR else refusal.rcode
            return self._asking.refused(exchange.query, refusal, rcode)

    def _deny(self, exchange: Exchange, refusal: Refusal) -> None:
        self._pending.remove(exchange)
        self._story.denied(exchange, refusal)

    # Which query it is about

    def _read(self, data: bytes) -> Reading:
        """@raise Unasked: it is not even the beginning of an answer."""
        try:
            return Reading(data)
        except Refusal as refusal:
            raise self._unasked(None, refusal.reason) from None

    def _find(self, reading: Reading) -> Exchange:
        """@raise Unasked: it answers nothing that was asked."""
        question, exchange = reading.question, None
        if reading.flags & QR:
            exchange = self._pending.find(reading.id, question)
        if exchange is None or reading.opcode != exchange.query.opcode:
            raise self._unasked(reading, "an answer to what was not asked")
        if question is None and exchange.transfer is None and not _is_error(reading):
            raise self._unasked(reading, "an answer without a question")
        return exchange

    def _unasked(self, reading: Reading | None, reason: str) -> Unasked:
        """It is recorded once: a forger's flood is none of records."""
        self._unasked_for += 1
        if self._unasked_for == 1:
            self._story.unread(reading, self._asking.count, Refusal(reason))
        return Unasked(reason)

    def closed(self) -> None:
        """Record how many more there were."""
        if self._unasked_for > 1:
            more = self._unasked_for - 1
            reason = f"{more} more answers to what was not asked"
            self._story.unread(None, self._asking.count, Refusal(reason))

    # What of it passes

    def _judge(self, exchange: Exchange, reading: Reading) -> Judged:
        """
        What of it passes.

        @raise Refusal: nothing.
        @raise Blocked: it leads to a name that is not to be.
        """
        if reading.size > self._settings.answer_bytes:
            raise Refusal(f"an answer of {reading.size} bytes", by="answer_bytes")
        if not self._stream and reading.size > self._room(exchange.query):
            return self._cut(exchange.query, reading.flags)
        settings = self._settings
        most = settings.records if exchange.transfer is None else settings.transfer_records
        try:
            message = reading.message(most, settings.unknown_types)
        except Refusal:
            if not reading.flags & TC or self._stream:
                raise
            return self._cut(exchange.query, reading.flags)
        if exchange.transfer is not None:
            exchange.transfer.takes(message)
        elif message.question != exchange.question:
            # in the client's own letters, and also where a server does not repeat it
            message = message._replace(question=exchange.question)
        judgement = Answer(
            self._settings, self._shared.private, exchange.query, exchange.public, self._stream
        )
        judged = judgement.judge(message, lambda name: self._lead(exchange, name))
        if message.signature is None and exchange.query.signature is None:
            return judged
        if judged.removed:
            raise Refusal(f"a signed answer with {judged.removed[0]}")
        return judged._replace(signed=reading.data)

    def _cut(self, query: Message, flags: int) -> Judged:
        """
        Some servers cut an answer anywhere, and some send more than was asked for. That it is cut
        is all that the client needs to know.
        """
        message = reply(query, size=self._settings.edns.udp_bytes)
        return Judged(truncated(message._replace(flags=flags & ~AD)), ("all that was cut",))

    def _lead(self, exchange: Exchange, name: bytes) -> None:
        """@raise Blocked: the policy does not have this name."""
        rule = exchange.decision.rule
        if rule is not None and not rule.chain:
            return
        decision = self._asking.decision(text_of(name), exchange.query)
        if decision.action != ALLOW:
            reason = f"the answer leads to {shown(name)}: {decision.reason}"
            raise Blocked(decision._replace(reason=reason))

    def _passed(self, exchange: Exchange, judged: Judged) -> bytes:
        data = judged.signed or self._written(exchange, judged.message)
        if exchange.transfer is None or exchange.transfer.over:
            self._pending.remove(exchange)
            self._story.passed(exchange, judged)
        else:
            exchange.since = self._session.now
        return data

    def _written(self, exchange: Exchange, message: Message) -> bytes:
        """
        As the client gets it.

        @raise Refusal: it is too long without the pointers that it came with.
        """
        data = message.write()
        if not self._stream and len(data) > self._room(exchange.query):
            data = truncated(message).write()
        return data

    def _room(self, query: Message) -> int:
        """Bytes of a datagram that the client takes."""
        if query.edns is None:
            return SMALLEST
        return max(SMALLEST, min(query.edns.size, self._settings.edns.udp_bytes))


def _is_error(reading: Reading) -> bool:
    """Whether it is an error, and nothing else, of who has not read the question."""
    answers, authorities, additionals = reading.counts
    return (
        reading.flags & 0xF in _WITHOUT_QUESTION
        and not answers
        and not authorities
        and additionals <= 1
    )
